-- Training: the two ends of a run. train_intent_model() calls them around the work in C.

-- The advisory locks of a model: 0 one training, cleaning or forgetting at a time, 1 its registry, 3 says that who holds the
-- first is training. A training holds the first to its end and the second only while it registers its result, so that a rollback
-- never waits for a long training.
create function @extschema@.retrain_lock(p_model_name text, p_purpose integer) returns void
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_model_name, 8243122563478712320 + p_purpose));
end
$function$;

create function @extschema@.retrain_begin_run(
  p_model_name text,
  p_run_type text,
  p_run_name text,
  p_config jsonb,
  p_source text,
  p_triggered_by text,
  p_task text default 'intent',
  p_target text default null,
  p_algorithm text default null,
  out run_id uuid,
  out effective_config jsonb,
  out live_version_id bigint,
  out incremental boolean,
  out min_samples integer,
  out human_weight real,
  out max_f1_regression real,
  out recent_since timestamptz,
  out recent_min_rows integer,
  out recent_min_ratio real,
  out confidence_threshold real,
  out rows_query text,
  out task text,
  out target text,
  out algorithm text,
  out dealt_by jsonb,
  out time_zone text)
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_started timestamptz;
  v_config jsonb := coalesce(p_config, '{}');
  v_model @extschema@.ai_models;
  v_seen refcursor;
begin
  perform @extschema@.retrain_check_model_name(p_model_name);
  if p_run_type is null or p_run_type not in ('full', 'incremental', 'intent_only') then
    raise exception 'p_run_type is not a known type of run'
      using errcode = 'invalid_parameter_value',
        detail = format('The type given is %s.', coalesce('"' || p_run_type || '"', 'null')),
        hint = 'Use full, incremental or intent_only.';
  end if;
  if jsonb_typeof(v_config) <> 'object' then
    raise exception 'p_config is not a JSON object'
      using errcode = 'invalid_parameter_value',
        detail = format('It is of type %s.', jsonb_typeof(v_config)),
        hint = case when p_task is null or p_task = 'intent' then 'Pass an object such as {"preset": "classic"}.'
          else 'Pass an object of keys and values, {} for the defaults.' end;
  end if;

  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  perform @extschema@.retrain_lock(p_model_name, 0);
  perform @extschema@.retrain_lock(p_model_name, 3);

  -- Statements from here on see what the training that we waited for has committed, and the run begins here: what came while it
  -- waited is among its rows.
  v_started := clock_timestamp();
  insert into @extschema@.ai_models (model_name, task, config, source, target, algorithm)
  values (p_model_name, coalesce(p_task, 'intent'), v_config, p_source, p_target, p_algorithm)
  on conflict do nothing;
  if not found and coalesce(p_task, 'intent') = 'intent' then
    perform @extschema@.retrain_give_again(p_model_name, p_source);
    update @extschema@.ai_models m
    set source = p_source, config = m.config - 'holidays'
    where m.model_name = p_model_name and m.source is distinct from p_source and m.task = 'intent';
  elsif not found then
    perform @extschema@.retrain_update_order(p_model_name, p_task, p_source, p_target, p_algorithm);
  end if;
  -- The first training's configuration becomes the model's own, also where messages or failed trainings came before it.
  update @extschema@.ai_models m
  set config = v_config
  where m.model_name = p_model_name and m.config = '{}' and v_config <> '{}' and m.task = coalesce(p_task, 'intent')
    and not exists (select from @extschema@.ai_model_versions v where v.model_name = p_model_name);
  select m.* into v_model from @extschema@.ai_models m where m.model_name = p_model_name;
  if not found then
    raise exception 'no right to train model "%"', p_model_name
      using errcode = 'insufficient_privilege',
        hint = 'Ask for grant_retrain_access(role, ''trainer'', model).';
  end if;
  if v_model.task <> coalesce(p_task, 'intent') then
    raise exception 'model "%" is not %', p_model_name,
        case when coalesce(p_task, 'intent') = 'intent' then 'an intent model' else format('of the task %s', p_task) end
      using errcode = 'invalid_parameter_value', detail = format('Its task is %s.', v_model.task),
        hint = 'Choose another model name.';
  end if;
  -- A trial beside the live version: what is stored stays as it is.
  if v_model.task in ('classification', 'regression', 'clustering')
    and (coalesce(p_target, v_model.target), coalesce(p_algorithm, v_model.algorithm))
      is distinct from (v_model.target, v_model.algorithm)
  then
    v_model.config := @extschema@.retrain_config_for(v_model.config, v_model.algorithm, p_algorithm);
    v_model.source := coalesce(p_source, v_model.source);
    v_model.target := coalesce(p_target, v_model.target);
    v_model.algorithm := coalesce(p_algorithm, v_model.algorithm);
  end if;
  task := v_model.task;
  target := v_model.target;
  algorithm := v_model.algorithm;

  if task = 'forecast' then
    -- Again, now that the row is locked.
    perform @extschema@.retrain_check_stored_holidays(p_model_name, p_config);
  end if;

  -- What an intent model's row says by now may be another session's: the caller's own query is what is run.
  if task = 'intent' then
    v_model.source := p_source;
  end if;

  if task <> 'intent' then
    rows_query := v_model.source;
  elsif p_source is null then
    perform @extschema@.retrain_assign_splits(p_model_name);
    rows_query := @extschema@.retrain_rows_query(p_model_name);
  end if;

  incremental := p_run_type = 'incremental';
  select v.id into live_version_id
  from @extschema@.ai_model_versions v
  where v.model_name = p_model_name and v.is_active;

  select r.dataset_filters -> 'dealt_by',
    -- The stored query goes on meaning the days of one zone, whoever trains it again.
    case when v_model.task = 'forecast' and p_source is null then nullif(r.dataset_filters ->> 'time_zone', '') end
  into dealt_by, time_zone
  from @extschema@.ai_model_versions v
  join @extschema@.ai_training_runs r on r.id = v.run_id and r.model_name = v.model_name
  where v.id = live_version_id;

  -- A key that is given replaces the model's own, also where that goes by another name ("eta" and "learning_rate").
  if task in ('classification', 'regression') then
    v_model.config := v_model.config - (
      select coalesce(array_agg(case when v_config ? k.name then k.other_name else k.name end), '{}')
      from @extschema@.retrain_table_config_reference() k
      where k.other_name is not null and v_config ?| array[k.name, k.other_name]);
  end if;
  effective_config := v_model.config || v_config;
  min_samples := v_model.min_samples;
  human_weight := v_model.human_weight;
  max_f1_regression := v_model.max_f1_regression;
  recent_since := v_started - v_model.recent_window;
  recent_min_rows := v_model.recent_min_rows;
  recent_min_ratio := v_model.recent_min_ratio;
  confidence_threshold := v_model.confidence_threshold;

  run_id := gen_random_uuid();
  insert into @extschema@.ai_training_runs (
    id, run_name, run_type, status, model_config, started_at, triggered_by, model_name, baseline_version_id, source,
    task, warnings)
  values (
    run_id,
    coalesce(nullif(p_run_name, ''), 'training_' || to_char(v_started at time zone 'UTC', 'YYYYMMDD_HH24MISS')),
    p_run_type, 'running', effective_config, v_started, coalesce(p_triggered_by, current_user), p_model_name,
    live_version_id, v_model.source, task,
    case when task = 'intent' and v_model.source is null and effective_config ? 'split' then
      jsonb_build_array(jsonb_build_object(
        'code', 'split_not_used',
        'message', 'split says nothing of recorded rows: each keeps the one in ai_training_data.split, 70, 15 and 15 percent'))
    end);

  if v_model.source is null then
    -- Read when the run ends, under the snapshot of this moment: exactly the rows that the training is about to see.
    v_seen := 'retrain rows of ' || run_id;
    open v_seen for
      select array_agg(l.id), array_agg(l.label_changed_at)
      from @extschema@.ai_labelled_data l
      where l.model_name = p_model_name and l.split = 'train' and l.included_in_training_run is null;
  end if;
end
$function$;

-- Marks the rows that a run learnt from and that were not marked before. Only rows that are still as the training saw
-- them: one that was changed meanwhile, or whose transaction ended meanwhile, counts as new. So does one that another
-- transaction is changing at this moment: waiting for it could end in a deadlock, and would keep the registry locked as long.
-- Where the run was begun in another transaction its snapshot is gone, and p_seen stands for it.
create function @extschema@.retrain_mark_rows(p_model_name text, p_run_id uuid, p_seen timestamptz) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off
  set jit = off
  set plan_cache_mode = auto
as $function$
declare
  v_seen refcursor := 'retrain rows of ' || p_run_id;
  v_ids uuid[];
  v_times timestamptz[];
  v_marked bigint;
begin
  if exists (select from pg_cursors c where c.name = v_seen::text) then
    fetch v_seen into v_ids, v_times;
    close v_seen;
  else
    select array_agg(l.id), array_agg(l.label_changed_at) into v_ids, v_times
    from @extschema@.ai_labelled_data l
    where l.model_name = p_model_name and l.split = 'train' and l.included_in_training_run is null
      and l.label_changed_at <= p_seen;
  end if;

  with free as (
    select f.id
    from @extschema@.ai_training_data f
    join unnest(v_ids, v_times) s (id, label_changed_at) on s.id = f.id and s.label_changed_at = f.label_changed_at
    where f.model_name = p_model_name
    for no key update of f skip locked
  )
  update @extschema@.ai_training_data d
  set included_in_training_run = p_run_id,
    -- A bare "reviewed" is the only trace of that review: it stays.
    dataset_status = case when d.dataset_status = 'reviewed' and d.intent_correct is null then 'reviewed'
      else 'used_in_training' end
  from free f
  where d.id = f.id and d.model_name = p_model_name;
  get diagnostics v_marked = row_count;
  return v_marked;
end
$function$;

create function @extschema@.retrain_finish_run(
  p_run_id uuid,
  p_result jsonb,
  p_artifact bytea,
  p_promote text,
  p_training_state bytea default null
) returns @extschema@.ai_training_runs
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
  -- A plan for these values would hold copies of the artifact.
  set plan_cache_mode = force_generic_plan
as $function$
declare
  c_measured constant text[] := array[
    'status', 'error_message', 'training_samples', 'validation_samples', 'test_samples', 'total_intents',
    'intent_accuracy', 'intent_precision', 'intent_recall', 'intent_f1_score', 'avg_confidence',
    'baseline_intent_accuracy', 'baseline_f1_score', 'baseline_avg_confidence', 'per_intent_metrics',
    'confusion_matrix', 'misclassified', 'gate', 'improvement', 'model_config', 'dataset_filters', 'metrics',
    'warnings'];
  v_run @extschema@.ai_training_runs;
  v_live_id bigint;
  v_version_status text := 'candidate';
  v_reason text;
begin
  if p_promote is null or p_promote not in ('gate', 'always', 'never') then
    raise exception 'p_promote is not a known way to promote'
      using errcode = 'invalid_parameter_value', detail = format('The value given is "%s".', p_promote),
        hint = 'Use gate, always or never.';
  end if;
  select r.* into v_run from @extschema@.ai_training_runs r where r.id = p_run_id for update;
  if not found then
    raise exception 'training run % does not exist', p_run_id using errcode = 'undefined_object';
  end if;
  if v_run.status <> 'running' then
    raise exception 'training run % is not running', p_run_id
      using errcode = 'object_not_in_prerequisite_state', detail = format('Its status is %s.', v_run.status);
  end if;

  -- The warnings that the run began with come first.
  if v_run.warnings is not null and jsonb_typeof(p_result -> 'warnings') = 'array' then
    p_result := p_result || jsonb_build_object('warnings', v_run.warnings || (p_result -> 'warnings'));
  end if;
  -- A key whose value is JSON null leaves its column null.
  v_run := jsonb_populate_record(v_run, (
    select coalesce(jsonb_object_agg(e.key, e.value), '{}')
    from jsonb_each(p_result) e
    where e.key = any (c_measured)));
  -- What was measured on the test rows is found by its own name, whatever the task.
  if jsonb_typeof(v_run.metrics -> 'test') = 'object' then
    v_run.metrics := (v_run.metrics -> 'test') || v_run.metrics;
    p_result := p_result || jsonb_build_object('metrics', v_run.metrics);
  end if;
  if v_run.status not in ('completed', 'failed') then
    raise exception 'a run ends completed or failed, not %', v_run.status using errcode = 'invalid_parameter_value';
  end if;
  v_run.completed_at := clock_timestamp();
  v_run.duration_seconds := extract(epoch from v_run.completed_at - v_run.started_at);

  if v_run.status = 'completed' then
    perform @extschema@.retrain_lock(v_run.model_name, 1);
    select v.id into v_live_id
    from @extschema@.ai_model_versions v
    where v.model_name = v_run.model_name and v.is_active;

    v_run.gate := coalesce(v_run.gate, '{}') || jsonb_build_object('p_promote', p_promote);
    -- Verdict first, so that the version is born with its status.
    if p_promote = 'always' then
      v_run.deployed := true;
      v_reason := 'promoted as told, without the gate';
    elsif p_promote = 'gate' and v_live_id is distinct from v_run.baseline_version_id then
      v_run.gate := coalesce(v_run.gate, '{}') || jsonb_build_object(
        'promote', false,
        'reason', 'the live version changed during the training, so the comparison no longer holds');
    elsif p_promote = 'gate' then
      v_run.deployed := coalesce((v_run.gate ->> 'promote')::boolean, false);
      v_reason := coalesce(v_run.gate ->> 'reason', 'passed the gate');
      v_version_status := case when v_run.deployed then 'candidate' else 'rejected' end;
    end if;

    v_run.model_version_id := @extschema@.retrain_insert_version(
      v_run.model_name, v_run.id, p_artifact, v_version_status,
      p_result || jsonb_build_object(
        'accuracy', v_run.intent_accuracy,
        'f1_score', v_run.intent_f1_score,
        'training_timestamp', v_run.completed_at),
      p_training_state);
    if v_run.deployed then
      perform @extschema@.retrain_set_live(
        v_run.model_name, v_run.model_version_id, v_reason, v_run.triggered_by, 'training');
    end if;

    if v_run.source is null then
      perform @extschema@.retrain_mark_rows(v_run.model_name, v_run.id, v_run.created_at);
    end if;
  end if;

  update @extschema@.ai_training_runs r
  set status = v_run.status,
    error_message = v_run.error_message,
    training_samples = v_run.training_samples,
    validation_samples = v_run.validation_samples,
    test_samples = v_run.test_samples,
    total_intents = v_run.total_intents,
    intent_accuracy = v_run.intent_accuracy,
    intent_precision = v_run.intent_precision,
    intent_recall = v_run.intent_recall,
    intent_f1_score = v_run.intent_f1_score,
    avg_confidence = v_run.avg_confidence,
    baseline_intent_accuracy = v_run.baseline_intent_accuracy,
    baseline_f1_score = v_run.baseline_f1_score,
    baseline_avg_confidence = v_run.baseline_avg_confidence,
    per_intent_metrics = v_run.per_intent_metrics,
    confusion_matrix = v_run.confusion_matrix,
    misclassified = v_run.misclassified,
    gate = v_run.gate,
    improvement = v_run.improvement,
    model_config = v_run.model_config,
    dataset_filters = v_run.dataset_filters,
    metrics = v_run.metrics,
    warnings = v_run.warnings,
    completed_at = v_run.completed_at,
    duration_seconds = v_run.duration_seconds,
    model_version_id = v_run.model_version_id,
    deployed = v_run.deployed
  where r.id = p_run_id;

  if v_run.status = 'completed' then
    perform @extschema@.retrain_prune_versions(v_run.model_name);
  end if;
  if v_run.status = 'failed' or v_version_status = 'rejected' then
    perform @extschema@.retrain_notify(
      case v_run.status when 'failed' then 'failed' else 'rejected' end, v_run.model_name, v_run.model_version_id,
      v_run.id);
  end if;
  return v_run;
end
$function$;
