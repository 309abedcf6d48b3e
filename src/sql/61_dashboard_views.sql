-- Views for dashboards. See 60_views.sql for how they hold to what their reader may see. The ones over messages show
-- the last 30 days, so that their cost follows the traffic and not the size of the table; days are those of the
-- session's time zone. Longer series come from snapshots. A message that is dated ahead is in no day of a series until its
-- time has come, as in the metrics; the clock is asked, not the transaction, which is older than what it recorded itself.

create view @extschema@.ai_metrics_timeseries with (security_barrier = true) as
select
  s.period_start as time,
  s.model_name,
  s.period_type,
  s.total_messages,
  s.ai_resolved,
  s.escalated,
  s.blocked,
  s.intent_accuracy,
  s.avg_confidence,
  s.escalation_rate,
  s.correction_rate,
  s.human_corrections,
  s.helpful_rate,
  s.avg_response_time_ms,
  s.avg_resolution_time_seconds,
  s.first_contact_resolution_rate,
  s.created_at as measured_at
from @extschema@.ai_metrics_snapshots s
where (select @extschema@.retrain_unrestricted())
  or s.model_name = any (array(
    select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader'));

create view @extschema@.ai_intent_distribution with (security_barrier = true) as
select
  pg_catalog.date_trunc('day', d.created_at) as time,
  d.model_name,
  coalesce(d.detected_intent, 'unknown') as intent,
  pg_catalog.count(*) as messages,
  pg_catalog.round(pg_catalog.avg(d.confidence_score), 1) as avg_confidence,
  pg_catalog.count(*) filter (where d.escalated) as escalated,
  pg_catalog.count(*) filter (where d.intent_correct) as correct,
  pg_catalog.count(*) filter (where not d.intent_correct) as incorrect,
  -- What avg_confidence is the average of: averages of several days are weighed by it.
  pg_catalog.count(d.confidence_score) as scored
from @extschema@.ai_training_data d
where d.source = 'live'
  and d.created_at >= pg_catalog.now() - interval '30 days'
  and d.created_at <= pg_catalog.clock_timestamp()
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader')))
group by 1, 2, 3;

create view @extschema@.ai_confidence_distribution with (security_barrier = true) as
select
  pg_catalog.date_trunc('day', d.created_at) as time,
  d.model_name,
  case
    when d.confidence_score <= 20 then '0-20'
    when d.confidence_score <= 40 then '21-40'
    when d.confidence_score <= 60 then '41-60'
    when d.confidence_score <= 80 then '61-80'
    when d.confidence_score <= 100 then '81-100'
    else 'unknown' end as bucket,
  pg_catalog.count(*) as messages,
  pg_catalog.count(d.intent_correct) as reviewed,
  pg_catalog.count(*) filter (where d.intent_correct) as correct
from @extschema@.ai_training_data d
where d.source = 'live'
  and d.created_at >= pg_catalog.now() - interval '30 days'
  and d.created_at <= pg_catalog.clock_timestamp()
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader')))
group by 1, 2, 3;

-- The live version on the test rows of its training.
create view @extschema@.ai_confusion_matrix with (security_barrier = true) as
select
  v.model_name,
  v.version,
  t.key as intent,
  p.key as predicted_intent,
  p.value::bigint as messages,
  t.key = p.key as is_correct
from @extschema@.ai_model_versions v
join @extschema@.ai_training_runs r on r.id = v.run_id and r.model_name = v.model_name
cross join lateral pg_catalog.jsonb_each(r.confusion_matrix) t
cross join lateral pg_catalog.jsonb_each_text(t.value) p
where v.is_active
  and ((select @extschema@.retrain_unrestricted())
    or v.model_name = any (array(
      select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader')));

-- Messages that a person found wrong.
create view @extschema@.ai_misclassified with (security_barrier = true) as
select
  d.created_at as time,
  d.model_name,
  d.id,
  d.user_message,
  d.detected_intent,
  d.correct_intent,
  d.confidence_score,
  d.category,
  d.escalated,
  d.corrected_at,
  d.model_version_id
from @extschema@.ai_training_data d
where d.intent_correct is not null
  and not d.intent_correct
  and d.dataset_status <> 'rejected'
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader')));

create view @extschema@.ai_training_history with (security_barrier = true) as
select
  r.created_at as time,
  r.model_name,
  r.id as run_id,
  r.run_name,
  r.run_type,
  r.status,
  r.deployed,
  r.training_samples,
  r.validation_samples,
  r.test_samples,
  r.total_intents,
  r.intent_accuracy,
  r.intent_precision,
  r.intent_recall,
  r.intent_f1_score,
  r.baseline_intent_accuracy,
  r.baseline_f1_score,
  r.intent_f1_score - r.baseline_f1_score as f1_change,
  r.gate ->> 'verdict' as verdict,
  coalesce(r.error_message, r.gate ->> 'reason') as reason,
  r.duration_seconds,
  r.triggered_by,
  r.started_at,
  r.completed_at
from @extschema@.ai_training_runs r
where (select @extschema@.retrain_unrestricted())
  or r.model_name = any (array(
    select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader'));

-- What happened to a model: for annotations.
create view @extschema@.ai_model_events with (security_barrier = true) as
select e.time, e.model_name, e.event, e.version, e.actor, e.detail
from (
  select d.live_from, d.model_name,
    case d.kind when 'training' then 'promoted by training' when 'rollback' then 'rolled back' else 'promoted' end,
    d.version, d.deployed_by, d.reason
  from @extschema@.ai_model_deployments d
  union all
  select coalesce(r.completed_at, r.created_at), r.model_name, 'training failed', null, r.triggered_by, r.error_message
  from @extschema@.ai_training_runs r
  where r.status = 'failed'
  union all
  select coalesce(r.completed_at, r.created_at), r.model_name, 'version rejected', v.version, r.triggered_by,
    r.gate ->> 'reason'
  from @extschema@.ai_training_runs r
  left join @extschema@.ai_model_versions v on v.id = r.model_version_id and v.model_name = r.model_name
  where r.status = 'completed' and not r.deployed and r.gate ->> 'verdict' = 'rejected'
  union all
  select l.created_at, l.model_name, 'alert: ' || l.status, null, null, l.message
  from @extschema@.ai_alerts l
) e (time, model_name, event, version, actor, detail)
where (select @extschema@.retrain_unrestricted())
  or e.model_name = any (array(
    select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader'));

-- What waits for a reviewer, by the day it came in. Whoever has confirmed an answer has reviewed it, and a text that somebody
-- has rejected does not come back, as in v_pending_review.
create view @extschema@.ai_review_backlog with (security_barrier = true) as
select
  pg_catalog.date_trunc('day', d.created_at) as time,
  d.model_name,
  pg_catalog.count(*) filter (
    where d.dataset_status = 'pending' and not d.corrected_by_human and d.intent_correct is null
      and r.text_key is null) as pending,
  pg_catalog.count(*) filter (
    where d.dataset_status = 'pending' and not d.corrected_by_human and d.intent_correct is null
      and r.text_key is null and (d.confidence_score is null or d.confidence_score < 60)) as pending_uncertain,
  pg_catalog.min(d.created_at) filter (
    where d.dataset_status = 'pending' and not d.corrected_by_human and d.intent_correct is null
      and r.text_key is null) as oldest_pending,
  pg_catalog.count(*) filter (where d.intent_correct is not null) as reviewed,
  pg_catalog.count(*) filter (where d.corrected_by_human) as corrected
from @extschema@.ai_training_data d
left join (
  select distinct x.model_name, x.text_key
  from @extschema@.ai_training_data x
  where x.dataset_status = 'rejected' and x.duplicate_of is null) r
  on r.model_name = d.model_name and r.text_key = d.text_key
where d.created_at >= pg_catalog.now() - interval '30 days'
  and d.created_at <= pg_catalog.clock_timestamp()
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader')))
group by 1, 2;

-- Every rule that applies to every model, measured now. The values of a model and period are computed once.
create view @extschema@.ai_metric_health with (security_barrier = true) as
with rules as (
  -- A rule of the model wins over one for all, the user's over the shipped one.
  select distinct on (m.model_name, r.rule_name)
    m.model_name, r.rule_name, r.metric, r.direction, r.target, r.critical, r.period, r.min_rows, r.enabled
  from @extschema@.ai_models m
  join @extschema@.ai_alert_rules r on r.model_name is null or r.model_name = m.model_name
  where (select @extschema@.retrain_unrestricted())
    or m.model_name = any (array(
      select a.model_name from @extschema@.ai_access_scope a where a.level = 'reader'))
  order by m.model_name, r.rule_name, r.model_name nulls last, r.shipped
), measured as materialized (
  select p.model_name, p.period, x.metric, x.value, x.sample_rows
  from (select distinct r.model_name, r.period from rules r where r.enabled) p
  cross join lateral @extschema@.retrain_metric_values(p.model_name, p.period) x
)
select
  r.model_name,
  r.rule_name,
  r.metric,
  m.value,
  case
    when m.value is null or m.sample_rows < case r.metric when 'training_samples' then 0 when 'f1_score' then 1
      else r.min_rows end then 'insufficient data'
    when r.direction = 'above' and m.value < r.critical then 'critical'
    when r.direction = 'below' and m.value > r.critical then 'critical'
    when r.direction = 'above' and m.value > r.target then 'ok'
    when r.direction = 'below' and m.value < r.target then 'ok'
    else 'warning' end as status,
  r.direction,
  r.target,
  r.critical,
  m.sample_rows,
  r.min_rows,
  r.period
from rules r
join measured m on m.model_name = r.model_name and m.period = r.period and m.metric = r.metric
where r.enabled;
