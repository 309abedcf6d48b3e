-- Alerts: metrics against their targets, and a record of every change of state.

-- The values that rules are about, of one model over one period. sample_rows is what a value rests on.
create function @extschema@.retrain_metric_values(p_model_name text, p_period interval)
  returns table (metric text, value double precision, sample_rows bigint)
  language plpgsql stable parallel safe cost 10000 rows 7
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
  with counts as (
    select
      coalesce(sum(c.messages), 0) as messages,
      coalesce(sum(c.scored), 0) as scored,
      sum(c.score_sum) as score_sum,
      coalesce(sum(c.escalated), 0) as escalated,
      coalesce(sum(c.corrected), 0) as corrected,
      coalesce(sum(c.judged), 0) as reviewed,
      coalesce(sum(c.correct), 0) as correct
    from @extschema@.retrain_message_counts(p_model_name, v_now - p_period, v_now) c
    where c.source = 'live'
  ), version as (
    select v.f1_score, v.training_samples, coalesce((r.test_samples)::bigint, 0) as test_samples
    from @extschema@.ai_model_versions v
    left join @extschema@.ai_training_runs r on r.id = v.run_id
    where v.model_name = p_model_name and v.is_active
  )
  select x.metric, x.value::double precision, x.sample_rows::bigint
  from counts c
  left join version v on true
  cross join lateral (
    values
      ('intent_accuracy', c.correct / nullif(c.reviewed, 0), c.reviewed),
      ('escalation_rate', 100 * c.escalated / nullif(c.messages, 0), c.messages),
      ('avg_confidence', c.score_sum / nullif(c.scored, 0), c.scored),
      ('misclassified_rate', 100 * (c.reviewed - c.correct) / nullif(c.messages, 0), c.messages),
      ('correction_rate', 100 * c.corrected / nullif(c.messages, 0), c.messages),
      ('f1_score', v.f1_score::numeric, v.test_samples),
      ('training_samples', v.training_samples::numeric, v.training_samples)
  ) x (metric, value, sample_rows);
end
$function$;

-- Records the changes of state since the last call, once each, and tells those who LISTEN to ai_alerts. A metric that
-- has too few rows keeps its state: a quiet night neither raises nor clears an alert.
create function @extschema@.check_alerts() returns setof @extschema@.ai_alerts
  language plpgsql volatile parallel unsafe cost 100000 rows 10
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_health record;
  v_alert @extschema@.ai_alerts;
  v_constraint text;
begin
  -- One at a time: the statements below see what the one before has committed.
  perform @extschema@.retrain_lock('', 5);
  for v_health in
    select h.model_name, h.rule_name, h.metric, h.status, coalesce(l.status, 'ok') as previous_status, h.value,
      h.direction, h.target, h.critical, h.sample_rows, coalesce(l.id, 0) as previous_id
    from @extschema@.ai_metric_health h
    left join lateral (
      select a.id, a.status
      from @extschema@.ai_alerts a
      where a.model_name = h.model_name and a.rule_name = h.rule_name
      order by a.id desc
      limit 1
    ) l on true
    where h.status <> 'insufficient data' and h.status <> coalesce(l.status, 'ok')
    order by h.model_name, h.rule_name
  loop
    insert into @extschema@.ai_alerts (
      model_name, rule_name, metric, status, previous_status, value, direction, target, critical, sample_rows, message,
      previous_id)
    values (
      v_health.model_name, v_health.rule_name, v_health.metric, v_health.status, v_health.previous_status,
      v_health.value, v_health.direction, v_health.target, v_health.critical, v_health.sample_rows,
      format('%s is %s: %s, wanted %s %s, critical %s %s', v_health.metric, v_health.status,
        round(v_health.value::numeric, 4)::real, v_health.direction, v_health.target,
        case v_health.direction when 'above' then 'below' else 'above' end, v_health.critical),
      v_health.previous_id)
    returning * into v_alert;
    -- Anybody may listen: the names and the state, at most 3 kB; the numbers are in the table.
    perform pg_notify('ai_alerts', jsonb_build_object('id', v_alert.id, 'model_name', v_alert.model_name,
      'rule_name', v_alert.rule_name, 'metric', v_alert.metric, 'status', v_alert.status,
      'previous_status', v_alert.previous_status, 'created_at', v_alert.created_at)::text);
    return next v_alert;
  end loop;
exception when unique_violation then
  get stacked diagnostics v_constraint = constraint_name;
  if v_constraint <> 'ai_alerts_once_key' then
    raise;
  end if;
  -- The lock lets no two check at once; only a transaction whose snapshot is older than the lock gets here.
  raise exception 'another session has recorded the same change of state'
    using errcode = 'serialization_failure',
      detail = 'This transaction does not see it.',
      hint = 'Run the transaction again.';
end
$function$;

-- A shipped rule that somebody changes is that person's from then on. Which metric a rule is about stays.
create function @extschema@.retrain_alert_rule_before_update() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if old.shipped and new is distinct from old then
    new.shipped := false;
  end if;
  return new;
end
$function$;
