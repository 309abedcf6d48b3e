-- What keeps the registry whole whatever writes to it: bodies of the triggers on ai_models and ai_model_versions.

-- A model leaves its name after its versions: a live version without its model's row would be out of every grant's reach.
create function @extschema@.retrain_model_before_leave() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_relation text;
begin
  if tg_op = 'UPDATE' and new.model_name = old.model_name then
    return new;
  end if;
  v_relation := case
    when exists (select from @extschema@.ai_model_versions v where v.model_name = old.model_name) then 'versions'
    when exists (select from @extschema@.ai_experiments e where e.model_name = old.model_name) then 'experiments' end;
  if v_relation is not null and tg_op = 'UPDATE' then
    raise exception 'model "%" still has %', old.model_name, v_relation
      using errcode = 'dependent_objects_still_exist', detail = format('They would not become those of "%s".', new.model_name),
        hint = 'Messages can be moved to another model, and import_model() takes what export_model() gives to another name.';
  elsif v_relation is not null then
    raise exception 'model "%" still has %', old.model_name, v_relation
      using errcode = 'dependent_objects_still_exist',
        hint = format('Delete its rows in %s first.', case v_relation when 'versions' then 'ai_model_versions' else 'ai_experiments' end);
  end if;
  return case tg_op when 'UPDATE' then new else old end;
end
$function$;

-- A live version that is deleted or retired by hand is live no longer, and the history of deployments says so.
create function @extschema@.retrain_version_after_leave() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  update @extschema@.ai_model_deployments d
  set live_until = greatest(clock_timestamp(), d.live_from + interval '1 microsecond')
  where d.model_name = old.model_name and d.version_id = old.id and d.live_until is null;
  return null;
end
$function$;

-- A version never changes: what was measured and promoted is what predicts. Only its status moves.
create function @extschema@.retrain_versions_immutable() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if new.id = old.id
    and new.model_name = old.model_name
    and new.version = old.version
    and new.run_id is not distinct from old.run_id
    and new.algorithm = old.algorithm
    and new.artifact_sha256 = old.artifact_sha256
    and new.artifact_crc32c is not distinct from old.artifact_crc32c
    and new.artifact_bytes = old.artifact_bytes
    and new.labels = old.labels
    and new.training_samples is not distinct from old.training_samples
    and new.accuracy is not distinct from old.accuracy
    and new.f1_score is not distinct from old.f1_score
    and new.confidence_threshold is not distinct from old.confidence_threshold
    and new.metrics = old.metrics
    and new.training_timestamp = old.training_timestamp
    and new.created_at = old.created_at
    and new.created_by = old.created_by
    and new.artifact = old.artifact
    and new.training_state is not distinct from old.training_state
  then
    return new;
  end if;
  raise exception 'model versions are immutable but for their status'
    using errcode = 'object_not_in_prerequisite_state',
      detail = format('The update is of version %s of model "%s".', old.version, old.model_name),
      hint = 'Train or import a new version.';
end
$function$;
