-- Jobs of pg_cron: retraining and snapshots every so often.

-- Refuses with what is missing when pg_cron cannot be used here. p_example is what to schedule from elsewhere.
create function @extschema@.retrain_require_cron(p_example text) returns void
  language plpgsql stable parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  -- Only some roles may read it.
  v_database text := (select s.setting from pg_settings s where s.name = 'cron.database_name');
begin
  if not exists (select from pg_extension e where e.extname = 'pg_cron') then
    raise exception 'pg_cron is not installed in this database'
      using errcode = 'feature_not_supported',
        detail = case
          when not exists (select from pg_available_extensions a where a.name = 'pg_cron')
            then 'The server has no files of pg_cron.'
          when v_database is null and not pg_has_role('pg_read_all_settings', 'usage')
            then 'It works in another database, or its library is not in shared_preload_libraries.'
          when v_database is null
            then 'The library pg_cron is not in shared_preload_libraries.'
          when v_database <> current_database()
            then format('pg_cron works in database "%s" (cron.database_name).', v_database)
          else 'The extension pg_cron has not been created.' end,
        hint = case
          when v_database = current_database() then 'Run CREATE EXTENSION pg_cron.'
          when v_database is not null then format('There, run: SELECT cron.schedule_in_database(%L, %L, %L, %L)',
            'pg_retrain/' || current_database(), '*/5 * * * *', p_example, current_database())
          else 'Install it, or let any other scheduler run: ' || p_example end;
  end if;
  if not has_schema_privilege('cron', 'usage') then
    raise exception 'no right to use pg_cron'
      using errcode = 'insufficient_privilege',
        hint = format('Ask for GRANT USAGE ON SCHEMA cron TO %I.', current_user);
  end if;
end
$function$;

-- Names of jobs are short and unique for a user; a model's name may be neither, hence the digest.
create function @extschema@.retrain_job_name(p_kind text, p_model_name text) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select 'pg_retrain/' || p_kind || case
    when p_model_name is null then ''
    when octet_length(p_model_name) <= 40 then '/' || p_model_name
    else '/' || md5(p_model_name) end
$function$;

-- The jobs of the current user, without an error where there is no pg_cron.
create function @extschema@.retrain_scheduled_jobs()
  returns table (job_id bigint, job_name text, schedule text, command text, active boolean)
  language plpgsql stable parallel unsafe rows 5
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if exists (select from pg_extension e where e.extname = 'pg_cron') and has_schema_privilege('cron', 'usage') then
    return query execute
      'select j.jobid, j.jobname::text, j.schedule, j.command, j.active '
      'from cron.job j '
      'where j.jobname like ''pg!_retrain/%'' escape ''!'' and j.database = current_database() and j.username = current_user '
      'order by j.jobname';
  end if;
end
$function$;

-- Creates or changes one job. pg_cron takes a name that is there already as a change of that job.
create function @extschema@.retrain_schedule_job(p_job_name text, p_schedule text, p_command text) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_id bigint;
begin
  execute format('select cron.schedule(%L, %L, %L)', p_job_name, p_schedule, p_command || ' /* pg_retrain */')
  into v_id;
  return v_id;
end
$function$;

-- Deletes what pg_cron remembers of the current user's old runs of our jobs.
create function @extschema@.retrain_purge_job_runs(p_keep interval default '7 days') returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_deleted bigint := 0;
begin
  if to_regclass('cron.job_run_details') is not null then
    execute
      'delete from cron.job_run_details d '
      'where d.username = current_user and d.database = current_database() and d.command like ''%/* pg!_retrain */'' escape ''!'' '
      'and coalesce(d.end_time, d.start_time) < clock_timestamp() - $1'
    using p_keep;
    get diagnostics v_deleted = row_count;
  end if;
  return v_deleted;
end
$function$;

-- The schema's name as it is written in a command that runs with any search_path.
create function @extschema@.retrain_schema_name() returns text
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select quote_ident(n.nspname)
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  where t.oid = pg_typeof(null::@extschema@.ai_models)
$function$;

create function @extschema@.schedule_retraining(
  p_schedule text default '*/5 * * * *',
  p_model_name text default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_schema text := @extschema@.retrain_schema_name();
  v_name text := @extschema@.retrain_job_name('retraining', p_model_name);
  v_command text := format('select count(*) from %s.retrain_if_due(%s)', v_schema,
    coalesce(quote_literal(p_model_name), ''));
  v_id bigint;
begin
  if p_schedule is null or btrim(p_schedule) = '' then
    raise exception 'p_schedule is missing'
      using errcode = 'invalid_parameter_value',
        hint = 'Pass five fields as in a crontab, for example ''*/5 * * * *'' for every five minutes.';
  end if;
  if p_model_name is not null then
    perform @extschema@.retrain_require_model(p_model_name);
    perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  end if;
  perform @extschema@.retrain_require_cron(v_command);
  if split_part(regexp_replace(btrim(p_schedule), '[[:space:]]+', ' ', 'g'), ' ', 3) like '*/%' then
    raise warning 'a step in the day of the month begins anew each month'
      using detail = format('The schedule given is "%s".', p_schedule),
        hint = 'Ask often and let auto_retrain_threshold decide.';
  end if;
  v_id := @extschema@.retrain_schedule_job(v_name, p_schedule, v_command);
  perform @extschema@.retrain_schedule_job(
    'pg_retrain/purge', '41 3 * * *', format('select %s.retrain_purge_job_runs()', v_schema));
  return jsonb_build_object('success', true, 'job_id', v_id, 'job_name', v_name, 'schedule', p_schedule,
    'command', v_command, 'model_name', p_model_name);
end
$function$;

-- Brings every model's snapshots up to date and checks the alert rules. One model's error costs its own snapshots only.
create function @extschema@.retrain_take_snapshots() returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_snapshot record;
  v_taken bigint := 0;
begin
  for v_snapshot in
    select m.model_name, p.period
    from @extschema@.ai_models m
    cross join unnest(array['hourly', 'daily', 'weekly', 'monthly']) p (period)
    where @extschema@.retrain_unrestricted()
      or m.model_name in (select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')
    order by m.model_name
  loop
    begin
      perform @extschema@.create_metrics_snapshot(v_snapshot.period, v_snapshot.model_name);
      v_taken := v_taken + 1;
    exception when others then
      raise warning 'no % snapshot of model "%"', v_snapshot.period, v_snapshot.model_name
        using errcode = sqlstate, detail = sqlerrm;
    end;
  end loop;
  begin
    perform count(*) from @extschema@.check_alerts();
  exception when others then
    raise warning 'the alert rules were not checked' using errcode = sqlstate, detail = sqlerrm;
  end;
  return v_taken;
end
$function$;

create function @extschema@.schedule_snapshots() returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_schedule constant text := '7 * * * *';
  v_schema text := @extschema@.retrain_schema_name();
  v_command text := format('select %s.retrain_take_snapshots()', v_schema);
  v_id bigint;
begin
  perform @extschema@.retrain_require_cron(v_command);
  v_id := @extschema@.retrain_schedule_job('pg_retrain/snapshots', c_schedule, v_command);
  perform @extschema@.retrain_schedule_job(
    'pg_retrain/purge', '41 3 * * *', format('select %s.retrain_purge_job_runs()', v_schema));
  return jsonb_build_object('success', true, 'job_id', v_id, 'job_name', 'pg_retrain/snapshots',
    'schedule', c_schedule, 'command', v_command);
end
$function$;

-- Removes every job of the current user that the functions above made.
create function @extschema@.unschedule_retraining() returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_job record;
  v_removed jsonb := '[]';
begin
  perform @extschema@.retrain_require_cron(
    format('select count(*) from %s.retrain_if_due()', @extschema@.retrain_schema_name()));
  for v_job in select j.job_id, j.job_name from @extschema@.retrain_scheduled_jobs() j loop
    execute format('select cron.unschedule(%s::bigint)', v_job.job_id);
    v_removed := v_removed || to_jsonb(v_job.job_name);
  end loop;
  return jsonb_build_object('success', true, 'removed', v_removed);
end
$function$;
