-- The monthly run: every model again, one report; and the jobs that a shop runs beside it.

-- What a run is judged by, and the live version's value on the same rows where it was compared.
create function @extschema@.retrain_run_score(
  p_run @extschema@.ai_training_runs,
  out measure text,
  out value double precision,
  out baseline double precision)
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  measure := case p_run.task
    when 'regression' then 'rmse' when 'clustering' then 'silhouette' when 'forecast' then 'mase' else 'macro F1' end;
  if measure = 'macro F1' then
    value := p_run.intent_f1_score;
    baseline := p_run.baseline_f1_score;
  else
    value := (coalesce(p_run.gate #> array['candidate', measure], p_run.metrics -> measure) #>> '{}')::double precision;
    baseline := (p_run.gate #>> array['live', measure])::double precision;
  end if;
end
$function$;

create function @extschema@.retrain_all_report(p_runs uuid[]) returns text
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_summary jsonb;
  v_counts record;
  v_details text;
begin
  select count(*) as all_runs, count(*) filter (where r.status = 'completed') as completed,
    count(*) filter (where r.deployed) as deployed, count(*) filter (where r.status = 'failed') as failed,
    round(sum(r.duration_seconds)::numeric, 1) as seconds
  into v_counts
  from @extschema@.ai_training_runs r
  where r.id = any (p_runs);
  select jsonb_agg(jsonb_build_array(r.model_name, r.task, r.status,
      case when s.value is not null then s.measure || ' ' || @extschema@.retrain_report_number(to_jsonb(s.value)) end,
      @extschema@.retrain_report_number(to_jsonb(s.baseline)), case when r.deployed then 'yes' else 'no' end,
      round(r.duration_seconds::numeric, 1)) order by array_position(p_runs, r.id))
  into v_summary
  from @extschema@.ai_training_runs r
  cross join lateral @extschema@.retrain_run_score(r) s
  where r.id = any (p_runs);
  select string_agg(d.text, E'\n\n' order by d.place) into v_details
  from (
    select array_position(p_runs, r.id) as place,
      format(E'## %s\n\n', r.model_name) || concat_ws(E'\n\n',
        r.error_message,
        'Gate: ' || (r.gate ->> 'reason'),
        (select string_agg('- ' || coalesce(w.value ->> 'message', w.value #>> '{}'), E'\n')
         from jsonb_array_elements(case when jsonb_typeof(r.warnings) = 'array' then r.warnings else '[]' end) w),
        'Run ' || r.id || ': training_report() has the rest.') as text
    from @extschema@.ai_training_runs r
    where r.id = any (p_runs)
  ) d;
  return concat_ws(E'\n\n',
    '# Retraining report, ' || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
    format('%s models: %s trained, %s put live, %s failed, %s seconds.', v_counts.all_runs, v_counts.completed,
      v_counts.deployed, v_counts.failed, coalesce(v_counts.seconds, 0)),
    @extschema@.retrain_report_table(
      '["model", "task", "status", "this version", "live before", "put live", "seconds"]', v_summary, 'markdown'),
    v_details) || E'\n';
end
$function$;

-- Trains every enabled model that the caller may train, or those named, whether they are due or not, and gives one Markdown
-- report, which is also left as notifications. A model that fails is undone alone and is in the report; a model whose
-- source another role gave is left out, and said to be.
create function @extschema@.retrain_all(p_model_names text[] default null) returns text
  language plpgsql volatile parallel unsafe cost 1000000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_model record;
  v_run @extschema@.ai_training_runs;
  v_runs uuid[] := '{}';
  v_started timestamptz;
  v_name text;
  v_detail text;
  v_hint text;
  v_report text;
begin
  perform @extschema@.retrain_adopt_models();
  if p_model_names is not null then
    perform @extschema@.retrain_require_model(n), @extschema@.retrain_require_level(n, 'trainer')
    from unnest(p_model_names) n;
  end if;
  for v_model in
    select m.model_name
    from @extschema@.ai_models m
    where (m.enabled and p_model_names is null or m.model_name = any (p_model_names))
      and (@extschema@.retrain_unrestricted()
        or m.model_name in (select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer'))
      -- A model that nobody has trained yet, and that has nothing to be trained from, is not a failure.
      and (m.task = 'intent' or m.source is not null)
      and (m.source is not null
        or exists (select from @extschema@.ai_labelled_data l where l.model_name = m.model_name))
    order by m.model_name
  loop
    v_started := clock_timestamp();
    v_name := 'retrain_all_' || to_char(v_started at time zone 'UTC', 'YYYYMMDD_HH24MISS');
    begin
      v_run := @extschema@.retrain_train_again(v_model.model_name, v_name);
    exception when others then
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      v_run := @extschema@.retrain_record_failure(v_model.model_name, v_name, v_started,
        concat_ws(' ', sqlerrm || ' (' || sqlstate || ')', nullif(v_detail, ''), nullif(v_hint, '')));
    end;
    if v_run.id is not null then
      v_runs := v_runs || v_run.id;
    end if;
  end loop;
  v_report := @extschema@.retrain_all_report(v_runs);
  if @extschema@.retrain_unrestricted()
    or exists (select from @extschema@.ai_access_scope s where s.level = 'trainer' and s.model_name is null)
  then
    perform @extschema@.retrain_push_notification('retrain_report', null,
      jsonb_build_object('report', v_report, 'runs', to_jsonb(v_runs)));
  else
    -- Who may not train all models leaves one for each: its readers may see no other model.
    perform @extschema@.retrain_push_notification('retrain_report', r.model_name,
      jsonb_build_object('report', @extschema@.retrain_all_report(array[r.id]), 'runs', jsonb_build_array(r.id)))
    from @extschema@.ai_training_runs r
    where r.id = any (v_runs);
  end if;
  return v_report;
end
$function$;

-- One job of pg_cron that calls a function; see retrain_schedule_job().
create function @extschema@.retrain_schedule_call(p_job_name text, p_schedule text, p_call text) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_command text := format('select %s.%s', @extschema@.retrain_schema_name(), p_call);
  v_id bigint;
begin
  if p_schedule is null or btrim(p_schedule) = '' then
    raise exception 'p_schedule is missing'
      using errcode = 'invalid_parameter_value',
        hint = 'Pass five fields as in a crontab, for example ''0 2 1 * *'' for the first of each month at two.';
  end if;
  perform @extschema@.retrain_require_cron(v_command);
  v_id := @extschema@.retrain_schedule_job(p_job_name, p_schedule, v_command);
  perform @extschema@.retrain_schedule_job('pg_retrain/purge', '41 3 * * *',
    format('select %s.retrain_purge_job_runs()', @extschema@.retrain_schema_name()));
  return jsonb_build_object('success', true, 'job_id', v_id, 'job_name', p_job_name, 'schedule', p_schedule,
    'command', v_command);
end
$function$;

create function @extschema@.schedule_retrain_all(p_schedule text default '0 2 1 * *') returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return @extschema@.retrain_schedule_call('pg_retrain/retrain_all', p_schedule, 'retrain_all()');
end
$function$;

create function @extschema@.schedule_churn_alert(
  p_model_name text,
  p_source text,
  p_schedule text default '0 8 1,15 * *',
  p_min_probability real default 0.7,
  p_positive text default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform @extschema@.retrain_require_model(p_model_name);
  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  return @extschema@.retrain_schedule_call(@extschema@.retrain_job_name('churn_alert', p_model_name), p_schedule,
    format('create_churn_alert(%L, %L, %L, p_positive => %L)', p_model_name, p_source, p_min_probability, p_positive));
end
$function$;

create function @extschema@.schedule_purchase_alert(
  p_model_name text,
  p_source text,
  p_schedule text default '0 8 * * 1',
  p_min_probability real default 0.4,
  p_positive text default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform @extschema@.retrain_require_model(p_model_name);
  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  return @extschema@.retrain_schedule_call(@extschema@.retrain_job_name('purchase_alert', p_model_name), p_schedule,
    format('create_purchase_alert(%L, %L, %L, p_positive => %L)', p_model_name, p_source, p_min_probability, p_positive));
end
$function$;
