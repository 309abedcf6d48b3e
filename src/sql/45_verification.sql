-- Verification: the two ends of verify_model(), which trains a version again and compares the bytes.

-- Gives what retrain_begin_run() gave its run, by the same names, as far as the bytes depend on it.

create function @extschema@.retrain_begin_verification(
  p_version_id bigint,
  out model_name text,
  out task text,
  out target text,
  out algorithm text,
  out effective_config jsonb,
  out source text,
  out rows_query text,
  out min_samples integer,
  out human_weight real,
  out max_f1_regression real,
  out confidence_threshold real,
  out incremental boolean,
  out live_version_id bigint,
  out time_zone text,
  out dealt_by jsonb)
  language plpgsql stable parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_version record;
  v_run @extschema@.ai_training_runs;
begin
  v_version := @extschema@.retrain_get_version(p_version_id);
  select r.* into v_run
  from @extschema@.ai_training_runs r
  join @extschema@.ai_model_versions v on v.run_id = r.id
  where v.id = p_version_id;
  if not found then
    raise exception 'version % cannot be trained again', p_version_id
      using errcode = 'object_not_in_prerequisite_state',
        detail = format('Version %s of model "%s" has no training run: it was imported, or its run was deleted.',
          v_version.version, v_version.model_name),
        hint = 'Verify the version in the database that trained it.';
  end if;
  if v_run.task <> 'intent' and v_run.source is null then
    raise exception 'version % cannot be trained again', p_version_id
      using errcode = 'object_not_in_prerequisite_state',
        detail = format('The query that version %s of model "%s" was trained on is not stored any more.',
          v_version.version, v_version.model_name),
        hint = 'Train the model again to have a version that can be verified.';
  end if;
  -- So were the holidays in its configuration: retrain_run_source_before_write().
  if v_run.source is not null and v_run.source_set_by is distinct from current_user then
    raise exception 'the source of version % was given by another role', p_version_id
      using errcode = 'insufficient_privilege', detail = format('It was given by %s.', coalesce(
        format('role "%s"', v_run.source_set_by), 'an unknown role')),
        hint = 'That role can verify it: a query runs for the role that gives it.';
  end if;
  -- An incremental training depends on the version it started from as well, unless it says that it started from nothing, and
  -- clusters keep the numbers of the version that was live.
  incremental := coalesce((
    select v.metrics #>> '{start,from}' = 'live' from @extschema@.ai_model_versions v where v.id = p_version_id), false);
  if incremental or v_run.task = 'clustering' and v_run.baseline_version_id is not null then
    select v.id into live_version_id
    from @extschema@.ai_model_versions v
    where v.id = v_run.baseline_version_id;
    if not found then
      raise exception 'version % cannot be trained again', p_version_id
        using errcode = 'object_not_in_prerequisite_state',
          detail = format(case when incremental
              then 'Its training was incremental and started from version id %s, which was dropped.'
              else 'Its clusters took their numbers from those of version id %s, which was dropped.' end,
            v_run.baseline_version_id),
          hint = case when incremental then 'Train a full run to have a version that stands for itself.'
            else 'Train the model again and keep the version that is live then: a higher keep_versions does.' end;
    end if;
  end if;
  model_name := v_version.model_name;
  task := v_run.task;
  effective_config := v_run.model_config;
  source := v_run.source;
  if task = 'intent' then
    rows_query := @extschema@.retrain_rows_query(v_version.model_name, p_until => v_run.started_at);
  else
    rows_query := source;
    -- The model's own may be others by now.
    select v.algorithm, v.metrics ->> 'target' into algorithm, target
    from @extschema@.ai_model_versions v
    where v.id = p_version_id;
  end if;
  time_zone := nullif(v_run.dataset_filters ->> 'time_zone', '');
  dealt_by := v_run.dataset_filters -> 'dealt_by';
  -- Neither decides what is learnt, only whether anything is, and what becomes of it.
  min_samples := 0;
  max_f1_regression := 0;
  human_weight := (select m.human_weight from @extschema@.ai_models m where m.model_name = v_version.model_name);
  confidence_threshold := coalesce(
    (select v.confidence_threshold from @extschema@.ai_model_versions v where v.id = p_version_id), 0);
end
$function$;

create function @extschema@.retrain_finish_verification(p_version_id bigint, p_result jsonb, p_artifact bytea)
  returns jsonb
  language plpgsql stable parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_stored record;
  v_sha256 text := encode(sha256(p_artifact), 'hex');
  v_digest text := p_result #>> '{dataset_filters,digest}';
begin
  select v.version, v.model_name, v.artifact_sha256, v.artifact_sha256 = encode(sha256(v.artifact), 'hex') as intact,
    r.dataset_filters ->> 'digest' as digest
  into v_stored
  from @extschema@.ai_model_versions v
  join @extschema@.ai_training_runs r on r.id = v.run_id
  where v.id = p_version_id;
  return jsonb_build_object(
    'matches', coalesce(v_stored.intact and v_sha256 = v_stored.artifact_sha256, false),
    'version_id', p_version_id,
    'version', v_stored.version,
    'model_name', v_stored.model_name,
    'artifact_sha256', v_stored.artifact_sha256,
    'retrained_sha256', v_sha256,
    'dataset_digest', v_stored.digest,
    'retrained_dataset_digest', v_digest,
    'reason', case
      when not v_stored.intact then 'the stored bytes are not those that were trained'
      when v_sha256 = v_stored.artifact_sha256 and v_digest is distinct from v_stored.digest
        then 'the same bytes: the rows have changed, but none that the model depends on'
      when v_sha256 = v_stored.artifact_sha256 then 'the same rows, configuration and seed gave the same bytes'
      when p_artifact is null then 'the rows of today give no model: ' || (p_result ->> 'error_message')
      when v_digest is distinct from v_stored.digest then 'the rows have changed since the version was trained'
      else 'the same rows gave other bytes: the policy or the library changed since' end);
end
$function$;
