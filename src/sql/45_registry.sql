-- Registry: versions, and which of them is live.

-- 'vYYYYMMDD_HHMMSS' in UTC, or the second after the last name that the model has used, be its version kept or not. Names
-- are ahead of the clock when trainings take less than a second each. The caller holds the registry lock.
create function @extschema@.retrain_next_version(p_model_name text) returns text
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_at timestamp := date_trunc('second', clock_timestamp() at time zone 'UTC');
  v_version text;
  v_last text;
begin
  -- A name of another form, or of another time, is in nobody's way.
  select max(u.version collate "C") into v_last
  from (
    select v.version from @extschema@.ai_model_versions v where v.model_name = p_model_name
    union all
    select d.version from @extschema@.ai_model_deployments d where d.model_name = p_model_name) u
  where u.version collate "C" between to_char(v_at, '"v"YYYYMMDD_HH24MISS')
    and to_char(v_at + interval '1 day', '"v"YYYYMMDD_HH24MISS');
  loop
    v_version := to_char(v_at, '"v"YYYYMMDD_HH24MISS');
    exit when v_last is null or v_version collate "C" > v_last;
    v_at := v_at + interval '1 second';
  end loop;
  return v_version;
end
$function$;

-- A model is cached under its checksums: a row that claims another artifact's would answer in its place, for everybody. Who
-- is not restricted restores rows as they are, damaged ones included; verify_model() and predictions tell.
create function @extschema@.retrain_version_before_insert() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if not @extschema@.retrain_unrestricted()
    and (new.artifact_sha256 is distinct from encode(sha256(new.artifact), 'hex')
      or new.artifact_crc32c is distinct from @extschema@.retrain_artifact_checksum(new.artifact))
  then
    raise exception 'the checksums are not those of the artifact'
      using errcode = 'invalid_parameter_value', detail = format('SHA-256 given: %s.', new.artifact_sha256),
        hint = 'import_model() makes a version of an artifact.';
  end if;
  return new;
end
$function$;

create function @extschema@.retrain_insert_version(
  p_model_name text,
  p_run_id uuid,
  p_artifact bytea,
  p_status text,
  p_facts jsonb,
  p_training_state bytea default null
) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_limit constant integer := 268435456;
  v_version text;
  v_constraint text;
  v_id bigint;
begin
  if p_artifact is null then
    raise exception 'the artifact is null' using errcode = 'invalid_parameter_value';
  end if;
  if octet_length(p_artifact) > c_limit then
    raise exception 'the artifact is too large'
      using errcode = 'program_limit_exceeded',
        detail = format('It has %s bytes; the limit is %s.', octet_length(p_artifact), c_limit),
        hint = 'Lower max_features or raise min_df.';
  end if;
  perform @extschema@.retrain_lock(p_model_name, 1);
  v_version := @extschema@.retrain_next_version(p_model_name);
  insert into @extschema@.ai_model_versions (
    model_name, version, run_id, algorithm, artifact, artifact_sha256, artifact_crc32c, artifact_bytes, labels,
    training_samples, accuracy, f1_score, confidence_threshold, metrics, training_timestamp, status, training_state)
  values (
    p_model_name,
    v_version,
    p_run_id,
    coalesce(p_facts ->> 'algorithm', 'unknown'),
    p_artifact,
    encode(sha256(p_artifact), 'hex'),
    @extschema@.retrain_artifact_checksum(p_artifact),
    octet_length(p_artifact),
    array(
      select l.label
      from jsonb_array_elements_text(
        case when jsonb_typeof(p_facts -> 'labels') = 'array' then p_facts -> 'labels' else '[]' end)
        with ordinality as l (label, place)
      order by l.place),
    (p_facts ->> 'training_samples')::integer,
    (p_facts ->> 'accuracy')::real,
    (p_facts ->> 'f1_score')::real,
    (p_facts ->> 'confidence_threshold')::real,
    case when jsonb_typeof(p_facts -> 'metrics') = 'object' then p_facts -> 'metrics' else '{}' end,
    coalesce((p_facts ->> 'training_timestamp')::timestamptz, clock_timestamp()),
    p_status,
    p_training_state)
  returning ai_model_versions.id into v_id;
  return v_id;
exception when unique_violation then
  get stacked diagnostics v_constraint = constraint_name;
  if v_constraint <> 'ai_model_versions_model_name_version_key' then
    raise;
  end if;
  -- The lock lets no two sessions choose at once; only a transaction whose snapshot is older than the lock gets here.
  raise exception 'another session has added a version to model "%"', p_model_name
    using errcode = 'serialization_failure',
      detail = format('This transaction does not see the version %s.', v_version),
      hint = 'Run the transaction again.';
end
$function$;

-- Tells those who LISTEN to ai_models what happened to a model, once it is committed. Anybody may listen: names alone,
-- at most 3 kB; the numbers are in the tables.
create function @extschema@.retrain_notify(
  p_event text,
  p_model_name text,
  p_version_id bigint,
  p_run_id uuid default null
) returns void
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform pg_notify('ai_models', jsonb_build_object(
    'event', p_event,
    'model_name', p_model_name,
    'version_id', p_version_id,
    'version', (select v.version from @extschema@.ai_model_versions v where v.id = p_version_id),
    'run_id', p_run_id)::text);
end
$function$;

-- Makes a version the live one. Gives the version that was live before, or null.
create function @extschema@.retrain_set_live(
  p_model_name text,
  p_version_id bigint,
  p_reason text,
  p_by text,
  p_kind text default 'promotion'
) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_previous bigint;
  v_at timestamptz;
begin
  perform @extschema@.retrain_lock(p_model_name, 1);
  -- Who deletes or retires it by hand has it before its period, too.
  select v.id into v_previous
  from @extschema@.ai_model_versions v
  where v.model_name = p_model_name and v.is_active
  for no key update;
  if v_previous = p_version_id then
    return v_previous;
  end if;

  -- One moment closes the old period and opens the new one, always later than the last one, whatever the clock says.
  select greatest(clock_timestamp(), max(d.live_from) + interval '1 microsecond', max(d.live_until)) into v_at
  from @extschema@.ai_model_deployments d
  where d.model_name = p_model_name;
  update @extschema@.ai_model_deployments d
  set live_until = v_at
  where d.model_name = p_model_name and d.live_until is null;

  -- The old one leaves first: the unique index allows no two, and other sessions see all steps at once.
  update @extschema@.ai_model_versions v
  set status = 'retired', is_active = false
  where v.model_name = p_model_name and v.is_active;
  update @extschema@.ai_model_versions v
  set status = 'live', is_active = true
  where v.model_name = p_model_name and v.id = p_version_id;
  if not found then
    raise exception 'model version % does not exist', p_version_id
      using errcode = 'undefined_object', detail = format('The model is "%s".', p_model_name);
  end if;
  insert into @extschema@.ai_model_deployments (
    model_name, version_id, version, live_from, deployed_by, reason, kind)
  select p_model_name, v.id, v.version, v_at, coalesce(p_by, current_user), p_reason, p_kind
  from @extschema@.ai_model_versions v
  where v.id = p_version_id;
  perform @extschema@.retrain_follow_version(p_model_name, p_version_id, v_previous);
  perform @extschema@.retrain_notify(
    case p_kind when 'rollback' then 'rolled_back' else 'promoted' end, p_model_name, p_version_id);
  return v_previous;
end
$function$;

-- An experiment that serves a version and is not over; null: none does.
create function @extschema@.retrain_experiment_of_version(p_version_id bigint) returns text
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select min(e.name collate "C")
  from @extschema@.ai_experiments e
  where p_version_id = any (e.version_ids)
    and @extschema@.retrain_experiment_status(e, clock_timestamp()) in ('scheduled', 'running')
$function$;

-- Deletes what keep_versions no longer asks to keep: the oldest retired and rejected ones, never live or candidate, nor those
-- that an experiment serves.
create function @extschema@.retrain_prune_versions(p_model_name text) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_keep integer;
  v_deleted bigint;
begin
  select m.keep_versions into v_keep from @extschema@.ai_models m where m.model_name = p_model_name;
  if v_keep is null then
    return 0;
  end if;
  perform @extschema@.retrain_lock(p_model_name, 1);
  delete from @extschema@.ai_model_versions v
  where v.id in (
    select o.id
    from @extschema@.ai_model_versions o
    where o.model_name = p_model_name and o.status in ('retired', 'rejected')
    order by o.id desc
    offset v_keep)
    and @extschema@.retrain_experiment_of_version(v.id) is null;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end
$function$;

create function @extschema@.retrain_get_version(
  p_version_id bigint,
  out model_name text,
  out version text,
  out is_active boolean)
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  select v.model_name, v.version, v.is_active into model_name, version, is_active
  from @extschema@.ai_model_versions v
  where v.id = p_version_id;
  if not found then
    raise exception 'model version % does not exist', coalesce(p_version_id::text, 'null')
      using errcode = 'undefined_object', hint = 'The view ai_model_metadata lists the versions.';
  end if;
end
$function$;

create function @extschema@.promote_model(p_version_id bigint, p_reason text default null) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_version record;
  v_previous bigint;
begin
  v_version := @extschema@.retrain_get_version(p_version_id);
  perform @extschema@.retrain_require_level(v_version.model_name, 'trainer');
  v_previous := @extschema@.retrain_set_live(
    v_version.model_name, p_version_id, coalesce(p_reason, 'promoted by hand'), current_user::text);
  return jsonb_build_object(
    'success', true,
    'model_name', v_version.model_name,
    'version', v_version.version,
    'version_id', p_version_id,
    'previous_version', (select v.version from @extschema@.ai_model_versions v where v.id = v_previous));
end
$function$;

-- Steps back through the history of deployments, read as a stack: a promotion puts a version on top, a rollback takes
-- off all that was above the version it returned to. So two rollbacks go back two versions instead of to and fro.
create function @extschema@.rollback_model(
  p_model_name text default 'default',
  p_steps integer default 1
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_live record;
  v_deployment record;
  v_stack bigint[] := '{}';
  v_seen bigint[];
  v_places bigint;
  v_target record;
begin
  if p_steps is null or p_steps < 1 then
    raise exception 'p_steps is not a positive number'
      using errcode = 'invalid_parameter_value',
        detail = format('The number given is %s.', coalesce(p_steps::text, 'null')),
        hint = 'One step returns to the version that was live before.';
  end if;
  perform @extschema@.retrain_require_model(p_model_name);
  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  perform @extschema@.retrain_lock(p_model_name, 1);

  select v.id, v.version into v_live
  from @extschema@.ai_model_versions v
  where v.model_name = p_model_name and v.is_active;

  for v_deployment in
    select d.version_id, d.kind
    from @extschema@.ai_model_deployments d
    where d.model_name = p_model_name
      and exists (select from @extschema@.ai_model_versions v where v.id = d.version_id)
    order by d.live_from
  loop
    if v_deployment.kind = 'rollback' and v_deployment.version_id = any (v_stack) then
      while v_stack[cardinality(v_stack)] <> v_deployment.version_id loop
        v_stack := trim_array(v_stack, 1);
      end loop;
    else
      v_stack := v_stack || v_deployment.version_id;
    end if;
  end loop;

  -- Where none is live, its row deleted for example, the first one found is one step back.
  v_seen := array_remove(array[v_live.id], null);
  v_places := p_steps::bigint + cardinality(v_seen);
  for v_place in reverse cardinality(v_stack) .. 1 loop
    if not v_stack[v_place] = any (v_seen) then
      v_seen := v_seen || v_stack[v_place];
    end if;
    exit when cardinality(v_seen) = v_places;
  end loop;
  if cardinality(v_seen) < v_places then
    raise exception 'model "%" has no version to return to', p_model_name
      using errcode = 'undefined_object',
        detail = format('%s asked for; earlier live versions that still exist: %s.',
          case when p_steps = 1 then '1 step' else p_steps || ' steps' end, cardinality(v_seen) - (v_places - p_steps)),
        hint = 'promote_model() makes any kept version live.';
  end if;

  select v.id, v.version into v_target
  from @extschema@.ai_model_versions v
  where v.id = v_seen[cardinality(v_seen)];
  perform @extschema@.retrain_set_live(
    p_model_name, v_target.id, coalesce('rolled back from ' || v_live.version, 'rolled back, no version was live'),
    current_user, 'rollback');
  return jsonb_build_object(
    'success', true,
    'model_name', p_model_name,
    'version', v_target.version,
    'version_id', v_target.id,
    'previous_version', v_live.version);
end
$function$;

create function @extschema@.model_live_at(
  p_model_name text default 'default',
  p_at timestamptz default null
) returns table (version_id bigint, version text, live_from timestamptz, live_until timestamptz, reason text)
  language plpgsql stable parallel safe rows 1
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform @extschema@.retrain_require_model(p_model_name);
  return query
  select d.version_id, d.version, d.live_from, d.live_until, d.reason
  from @extschema@.ai_model_deployments d
  where d.model_name = p_model_name
    and case when p_at is null then d.live_until is null
      else d.live_from <= p_at and (d.live_until > p_at or d.live_until is null) end;
end
$function$;

create function @extschema@.drop_model_version(p_version_id bigint) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_version record;
  v_experiment text;
begin
  v_version := @extschema@.retrain_get_version(p_version_id);
  perform @extschema@.retrain_require_level(v_version.model_name, 'admin');
  perform @extschema@.retrain_lock(v_version.model_name, 1);
  v_experiment := @extschema@.retrain_experiment_of_version(p_version_id);
  if v_experiment is not null then
    raise exception 'model version % is served by an experiment', p_version_id
      using errcode = 'object_in_use',
        detail = format('Experiment "%s" of model "%s" gives it to its units.', v_experiment, v_version.model_name),
        hint = 'Stop the experiment first: stop_experiment().';
  end if;
  delete from @extschema@.ai_model_versions v where v.id = p_version_id and not v.is_active;
  if not found then
    -- Live, or gone while we waited for the lock: the first look tells which.
    v_version := @extschema@.retrain_get_version(p_version_id);
    raise exception 'model version % is live', p_version_id
      using errcode = 'object_in_use',
        detail = format('It is version %s of model "%s".', v_version.version, v_version.model_name),
        hint = 'Promote another version or roll back first.';
  end if;
  return jsonb_build_object(
    'success', true,
    'model_name', v_version.model_name,
    'version', v_version.version,
    'version_id', p_version_id);
end
$function$;

create function @extschema@.export_model(p_version_id bigint) returns bytea
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform @extschema@.retrain_get_version(p_version_id);
  return (select v.artifact from @extschema@.ai_model_versions v where v.id = p_version_id);
end
$function$;

create function @extschema@.import_model(p_artifact bytea, p_model_name text default 'default') returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_limit constant integer := 268435456;
  v_info jsonb;
begin
  perform @extschema@.retrain_check_model_name(p_model_name);
  if p_artifact is null then
    raise exception 'p_artifact is null'
      using errcode = 'invalid_parameter_value', hint = 'Pass the bytes that export_model() gave.';
  end if;
  if octet_length(p_artifact) > c_limit then
    raise exception 'the artifact is too large'
      using errcode = 'program_limit_exceeded',
        detail = format('It has %s bytes; the limit is %s.', octet_length(p_artifact), c_limit),
        hint = 'Lower max_features or raise min_df.';
  end if;
  v_info := @extschema@.retrain_artifact_info(p_artifact);
  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  if v_info ? 'task' then
    insert into @extschema@.ai_models (model_name, task, target, algorithm)
    values (p_model_name, v_info ->> 'task', v_info ->> 'target', v_info ->> 'algorithm')
    on conflict do nothing;
  end if;
  perform @extschema@.retrain_ensure_model(p_model_name);
  if coalesce(v_info ->> 'task', 'intent') <> (select m.task from @extschema@.ai_models m where m.model_name = p_model_name) then
    raise exception 'model "%" is of another task than the artifact', p_model_name
      using errcode = 'invalid_parameter_value', detail = format('The artifact does %s.', coalesce(v_info ->> 'task', 'intent')),
        hint = 'Choose another model name.';
  end if;
  return @extschema@.retrain_insert_version(
    p_model_name, null, p_artifact, 'candidate',
    v_info || jsonb_build_object(
      'accuracy', coalesce(v_info #> '{metrics,intent_accuracy}', v_info #> '{metrics,accuracy}'),
      'f1_score', coalesce(v_info #> '{metrics,intent_f1_score}', v_info #> '{metrics,f1_score}')));
end
$function$;
