-- Retraining by itself: when a model is due, and training those that are.

-- When each labelled row that no training has seen as it now is came to be so. A training row is unmarked until it has
-- been learnt; validation and test rows are never learnt, and count when what they say is younger than the last training.
create function @extschema@.retrain_new_rows(p_model_name text, p_seen timestamptz)
  returns table (changed_at timestamptz)
  language plpgsql stable parallel safe cost 10000 rows 100
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
begin
  return query
  select l.label_changed_at
  from @extschema@.ai_labelled_data l
  where l.model_name = p_model_name and l.included_in_training_run is null and (l.split is null or l.split = 'train')
  union all
  select l.label_changed_at
  from @extschema@.ai_labelled_data l
  where l.model_name = p_model_name and l.included_in_training_run is null and l.split in ('validation', 'test')
    and l.label_changed_at > coalesce(p_seen, '-infinity');
end
$function$;

-- Whether enough is new since the last completed training. Everything is computed from rows: nothing is forgotten by a
-- restart, and a row that changes while a training runs counts for the next one.
create function @extschema@.should_retrain(p_model_name text default 'default') returns jsonb
  language plpgsql stable parallel unsafe cost 100000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_retry_after constant interval := '1 hour';
  -- Another session was in the way: a deadlock, an old snapshot, a lock_timeout. The next try finds it gone.
  c_passing constant text := '[(](40001|40P01|55P03)[)]';
  -- The last semicolon with nothing but comments behind it.
  c_end constant text := E'^(.*);(\\s|--[^\\n]*(\\n|$)|/[*]([^*]|[*]+[^*/])*[*]+/)*$';
  v_model @extschema@.ai_models;
  v_last record;
  v_failed record;
  v_query text;
  v_asked text;
  v_new bigint;
  v_since_failure bigint;
  v_texts bigint;
  v_due_since timestamptz;
  v_due boolean := false;
  v_source_error text;
  v_reason text;
begin
  v_model := @extschema@.retrain_policy(p_model_name);
  select r.id, r.created_at, r.completed_at,
    -- A forecast says how many rows it was given: not every one is a sample, and a period may have several.
    coalesce((r.dataset_filters ->> 'rows')::bigint,
      r.training_samples + r.validation_samples + r.test_samples
        + coalesce((r.dataset_filters ->> 'duplicates')::bigint, 0)
        + coalesce((r.dataset_filters ->> 'ignored')::bigint, 0)) as source_rows
  into v_last
  from @extschema@.ai_training_runs r
  where r.model_name = p_model_name and r.status = 'completed' and (r.source is null) = (v_model.source is null)
  order by r.created_at desc, r.id
  limit 1;
  select r.created_at, r.error_message into v_failed
  from @extschema@.ai_training_runs r
  where r.model_name = p_model_name and r.status = 'failed' and r.created_at > coalesce(v_last.created_at, '-infinity')
  order by r.created_at desc, r.id
  limit 1;
  v_asked := @extschema@.retrain_requested(p_model_name);

  if v_model.source is null then
    select count(*), count(*) filter (where n.changed_at > v_failed.created_at) into v_new, v_since_failure
    from @extschema@.retrain_new_rows(p_model_name, v_last.created_at) n;
    if v_new >= v_model.auto_retrain_threshold then
      select n.changed_at into v_due_since
      from @extschema@.retrain_new_rows(p_model_name, v_last.created_at) n
      order by n.changed_at
      offset v_model.auto_retrain_threshold - 1
      limit 1;
    end if;
    if v_last.id is null then
      select count(*) into v_texts
      from (
        select distinct l.text_key
        from @extschema@.ai_labelled_data l
        where l.model_name = p_model_name
        limit v_model.min_samples
      ) t;
    end if;
  elsif v_model.source_set_by is distinct from current_user then
    v_reason := format('its source was given by %s: only that role trains from it by schedule',
      coalesce(format('role "%s"', v_model.source_set_by), 'an unknown role'));
  else
    -- Names in the query mean what they mean in a new connection, and those of this function must not; the setting ends with
    -- it.
    begin
      perform set_config('search_path',
        (select s.reset_val from pg_settings s where s.name = 'search_path'), true);
      -- A training runs the query by itself, where it may end in a comment or a semicolon.
      v_query := v_model.source;
      loop
        begin
          execute pg_catalog.concat('select pg_catalog.count(*) from (', v_query, E'\n) q') into v_texts;
          exit;
        exception when syntax_error then
          if v_query operator(pg_catalog.!~) c_end then
            raise;
          end if;
          v_query := pg_catalog.regexp_replace(v_query, c_end, E'\\1');
        end;
      end loop;
      perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      v_new := greatest(v_texts - coalesce(v_last.source_rows, 0), 0);
    exception when others then
      -- The training says what is wrong, and leaves a failed run.
      v_source_error := sqlerrm;
    end;
    v_since_failure := 0;
  end if;

  if not v_model.enabled then
    v_reason := 'retraining by itself is off for this model';
  elsif v_reason is not null then
    null;
  elsif v_last.id is null and v_texts < v_model.min_samples then
    v_reason := format('%s labelled texts, the first training needs %s', v_texts, v_model.min_samples);
  elsif v_asked is null and v_new < v_model.auto_retrain_threshold then
    v_reason := format('%s new samples, a training is due at %s', v_new, v_model.auto_retrain_threshold);
  elsif v_failed.created_at > clock_timestamp() - c_retry_after and v_model.updated_at <= v_failed.created_at
    and v_failed.error_message !~ c_passing
    and v_since_failure < greatest(v_model.auto_retrain_threshold / 10, 1)
  then
    v_reason := format('the last training failed and little has changed since: %s', v_failed.error_message);
  else
    v_due := true;
    v_reason := case when v_source_error is not null then 'its source fails: ' || v_source_error
      when v_asked is not null then 'a training was asked for: ' || v_asked
      when v_last.id is null then format('%s labelled samples and no training yet', v_new)
      else format('%s new samples since the last training', v_new) end;
  end if;

  return jsonb_build_object(
    'model_name', p_model_name,
    'due', v_due,
    'reason', v_reason,
    'new_samples', v_new,
    'threshold', v_model.auto_retrain_threshold,
    'min_samples', v_model.min_samples,
    'enabled', v_model.enabled,
    'due_since', case when v_due then coalesce(v_due_since, v_failed.created_at, v_last.completed_at) end,
    'last_run_id', v_last.id,
    'last_trained_at', v_last.completed_at,
    'last_error', v_failed.error_message);
end
$function$;

create function @extschema@.retrain_try_lock(p_model_name text, p_purpose integer) returns boolean
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return pg_try_advisory_xact_lock(hashtextextended(p_model_name, 8243122563478712320 + p_purpose));
end
$function$;

-- Trains a model again from what it was last trained from, whatever its task. Names in its source mean what they mean in a
-- new connection; the setting ends with this function.
create function @extschema@.retrain_train_again(p_model_name text, p_run_name text)
  returns @extschema@.ai_training_runs
  language plpgsql volatile parallel unsafe cost 1000000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_model @extschema@.ai_models;
  v_run @extschema@.ai_training_runs;
begin
  perform @extschema@.retrain_require_model(p_model_name);
  select m.* into v_model from @extschema@.ai_models m where m.model_name = p_model_name;
  -- Asked of the very row that is used: another session may change it at any moment.
  if v_model.source is not null and v_model.source_set_by is distinct from current_user then
    raise exception 'the source of model "%" was given by another role', p_model_name
      using errcode = 'insufficient_privilege', hint = 'That role trains it, or gives way to another p_source.';
  end if;
  perform set_config('search_path', (select s.reset_val from pg_settings s where s.name = 'search_path'), true);
  if v_model.task operator(pg_catalog.=) 'intent' then
    v_run := @extschema@.train_intent_model(p_model_name, p_run_name => p_run_name, p_source => v_model.source);
  elsif v_model.task operator(pg_catalog.=) 'forecast' then
    v_run := @extschema@.train_forecast(p_model_name);
  else
    v_run := @extschema@.train_model(p_model_name);
  end if;
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  update @extschema@.ai_training_runs r
  set run_name = p_run_name
  where r.id = v_run.id and r.run_name is distinct from p_run_name;
  v_run.run_name := p_run_name;
  return v_run;
end
$function$;

-- The failed run of a training that ended in an error and left nothing of its own. Null when the model is gone.
create function @extschema@.retrain_record_failure(
  p_model_name text,
  p_run_name text,
  p_started timestamptz,
  p_message text
) returns @extschema@.ai_training_runs
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_run @extschema@.ai_training_runs;
begin
  perform @extschema@.retrain_try_lock(p_model_name, 0);
  insert into @extschema@.ai_training_runs (
    run_name, run_type, status, error_message, model_config, started_at, completed_at, duration_seconds,
    triggered_by, model_name, baseline_version_id, source, task)
  select p_run_name, 'full', 'failed', p_message, m.config, p_started, clock_timestamp(),
    extract(epoch from clock_timestamp() - p_started), current_user, m.model_name,
    (select v.id from @extschema@.ai_model_versions v where v.model_name = m.model_name and v.is_active),
    m.source, m.task
  from @extschema@.ai_models m
  where m.model_name = p_model_name
  returning * into v_run;
  if found then
    perform @extschema@.retrain_notify('failed', v_run.model_name, null, v_run.id);
  end if;
  return v_run;
end
$function$;

-- Trains the models that are due, or the one named if it is, and gives their runs. Never two trainings of a model at
-- once: the lock is the one that every training holds to its end, and who finds it taken leaves the model alone.
-- Never twice for the same rows: with the lock in hand the question is asked again, under a new snapshot. A model that
-- fails is undone alone and leaves a failed run; cancelling ends them all.
create function @extschema@.retrain_if_due(p_model_name text default null)
  returns setof @extschema@.ai_training_runs
  language plpgsql volatile parallel unsafe cost 1000000 rows 1
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_model record;
  v_run @extschema@.ai_training_runs;
  v_started timestamptz;
  v_detail text;
  v_hint text;
begin
  perform @extschema@.retrain_adopt_models();
  if p_model_name is not null then
    perform @extschema@.retrain_require_model(p_model_name);
    perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  end if;
  for v_model in
    select m.model_name
    from @extschema@.ai_models m
    where m.enabled
      and (p_model_name is null or m.model_name = p_model_name)
      and (@extschema@.retrain_unrestricted()
        or m.model_name in (select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer'))
    -- The one that has waited longest comes first: a time limit that cuts the work short starves nobody.
    order by (
      select max(r.created_at) from @extschema@.ai_training_runs r where r.model_name = m.model_name) nulls first,
      m.model_name
  loop
    v_started := clock_timestamp();
    begin
      -- The lock has to outlive this block when the training succeeds, and may leave with it when it fails: what
      -- remains then is the failed run, which takes the lock again.
      if (@extschema@.should_retrain(v_model.model_name) ->> 'due')::boolean
        and @extschema@.retrain_try_lock(v_model.model_name, 0)
        and (@extschema@.should_retrain(v_model.model_name) ->> 'due')::boolean
      then
        v_run := @extschema@.retrain_train_again(
          v_model.model_name, 'auto_retrain_' || to_char(v_started at time zone 'UTC', 'YYYYMMDD_HH24MISS'));
        return next v_run;
      end if;
    exception when others then
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      v_run := @extschema@.retrain_record_failure(
        v_model.model_name, 'auto_retrain_' || to_char(v_started at time zone 'UTC', 'YYYYMMDD_HH24MISS'), v_started,
        concat_ws(' ', sqlerrm || ' (' || sqlstate || ')', nullif(v_detail, ''), nullif(v_hint, '')));
      if v_run.id is not null then
        return next v_run;
      end if;
    end;
  end loop;
end
$function$;
