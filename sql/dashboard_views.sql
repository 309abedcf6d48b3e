-- Views for dashboards: their columns, their rows, and whose they are.
create extension pg_retrain;
\set SHOW_CONTEXT never
\set VERBOSITY terse
select c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum) as columns
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
where c.relname in ('ai_metrics_timeseries', 'ai_intent_distribution', 'ai_confidence_distribution', 'ai_confusion_matrix', 'ai_misclassified',
  'ai_training_history', 'ai_model_events', 'ai_review_backlog', 'ai_metric_health')
group by c.relname
order by c.relname collate "C";

-- nothing recorded, no row
select (select count(*) from ai_metrics_timeseries), (select count(*) from ai_intent_distribution),
  (select count(*) from ai_confidence_distribution), (select count(*) from ai_confusion_matrix), (select count(*) from ai_misclassified),
  (select count(*) from ai_training_history), (select count(*) from ai_model_events), (select count(*) from ai_review_backlog),
  (select count(*) from ai_metric_health);

insert into ai_models (model_name) values ('a'), ('b');
insert into ai_training_data (model_name, user_message, detected_intent, confidence_score, created_at, source, escalated)
select m, m || i, 'order', (array[0, 20, 21, 60, 61, 80, 81, 100, null, 50])[i], now() - (i % 2) * interval '1 day', 'live', i = 1
from unnest(array['a', 'b']) m, generate_series(1, 10) i
union all select 'a', 'old', 'order', 10, now() - interval '31 days', 'live', false
union all select 'a', 'imported', 'order', 10, now(), 'imported', false;
select count(submit_intent_correction(id, case when user_message in ('a1', 'b1') then 'refund' else 'order' end))
from ai_training_data where user_message in ('a1', 'a2', 'b1', 'old');
update ai_training_data set dataset_status = 'rejected' where user_message = 'a10';
insert into ai_training_runs (id, run_name, status, model_name, intent_f1_score, baseline_f1_score, confusion_matrix, gate, error_message, deployed, created_at, completed_at)
values
  ('00000000-0000-0000-0000-00000000000a', 'first', 'completed', 'a', 0.9, null, '{"order": {"order": 3, "refund": 1}, "refund": {"refund": 2}}', '{"verdict": "promoted", "reason": "the first"}', null, true, now() - interval '3 hours', now() - interval '3 hours'),
  ('00000000-0000-0000-0000-00000000000b', 'second', 'completed', 'a', 0.7, 0.9, '{"order": {"refund": 4}}', '{"verdict": "rejected", "reason": "worse"}', null, false, now() - interval '2 hours', now() - interval '2 hours'),
  ('00000000-0000-0000-0000-00000000000c', 'third', 'failed', 'a', null, null, null, null, 'too few', false, now() - interval '1 hour', null),
  ('00000000-0000-0000-0000-00000000000d', 'other', 'completed', 'b', 0.5, null, '{"x": {"x": 1}}', '{"verdict": "promoted"}', null, true, now(), now());
insert into ai_model_versions (model_name, version, run_id, algorithm, artifact, artifact_sha256, artifact_bytes, labels)
select r.model_name, r.run_name, r.id, 'linear_svc', 'a', encode(sha256('a'), 'hex'), 1, '{order,refund}' from ai_training_runs r where r.status = 'completed';
update ai_training_runs r set model_version_id = v.id from ai_model_versions v where v.run_id = r.id;
select count(promote_model(id)) from ai_model_versions where version in ('first', 'other');
select count(create_metrics_snapshot('daily', m)) from unnest(array['a', 'b']) m;

select time = date_trunc('day', now()) as today, model_name, period_type, total_messages, escalated, avg_confidence from ai_metrics_timeseries order by model_name;
select date_trunc('day', now())::date - time::date as days_ago, intent, messages, avg_confidence, escalated, correct, incorrect, scored from ai_intent_distribution where model_name = 'a' order by 1, 2;
select bucket, sum(messages) as messages, sum(reviewed) as reviewed, sum(correct) as correct from ai_confidence_distribution where model_name = 'a' group by 1 order by 1;
select model_name, version, intent, predicted_intent, messages, is_correct from ai_confusion_matrix order by 1, 3, 4;
select model_name, user_message, detected_intent, correct_intent, confidence_score from ai_misclassified order by 1, 2;
select model_name, run_name, status, deployed, round(f1_change::numeric, 2) as f1_change, verdict, reason from ai_training_history order by time;
select count(*) from check_alerts();
insert into ai_alerts (model_name, rule_name, metric, status, previous_status, value, direction, target, critical, sample_rows, message)
select m, 'f1_score', 'f1_score', 'critical', 'ok', 0.5, 'above', 0.85, 0.7, 20, 'f1_score is critical' from unnest(array['a', 'b']) m;
select model_name, event, version, detail from ai_model_events order by model_name, event;
select date_trunc('day', now())::date - time::date as days_ago, pending, pending_uncertain, reviewed, corrected, oldest_pending is not null as oldest from ai_review_backlog where model_name = 'a' order by 1;

-- whose they are: with the views' own condition alone too, as on PostgreSQL 14
create role regress_retrain_views;
select grant_retrain_access('regress_retrain_views', 'reader', 'a') ->> 'success' as granted;
create function models_seen() returns table (relation text, models text) language plpgsql as $$
declare
  v_relation text;
begin
  foreach v_relation in array array['ai_metrics_timeseries', 'ai_intent_distribution', 'ai_confidence_distribution', 'ai_confusion_matrix',
    'ai_misclassified', 'ai_training_history', 'ai_model_events', 'ai_review_backlog', 'ai_metric_health', 'ai_metrics_snapshots', 'ai_alerts'] loop
    relation := v_relation;
    execute format('select string_agg(distinct model_name, '','' order by model_name) from %I', v_relation) into models;
    return next;
  end loop;
end
$$;
grant execute on function models_seen to public;
set role regress_retrain_views;
select * from models_seen();
select get_ai_training_metrics(30, 'a') ->> 'total_messages' as own, get_ai_training_metrics(30, 'b') ->> 'total_messages' as other,
  get_live_metrics(24, 'b') as live, (select count(*) from detect_drift('b') where window_rows > 0) as drift;
select create_metrics_snapshot('daily', 'a');
\echo :LAST_ERROR_SQLSTATE
select check_alerts();
\echo :LAST_ERROR_SQLSTATE
reset role;
do $$
declare
  v_view text;
begin
  if current_setting('server_version_num')::integer >= 150000 then
    for v_view in select c.relname from pg_class c join pg_depend d on d.objid = c.oid and d.deptype = 'e' where c.relkind = 'v' and c.relname <> 'ai_access_scope' loop
      execute format('alter view %I set (security_invoker = false)', v_view);
    end loop;
  end if;
end
$$;
set role regress_retrain_views;
select * from models_seen();
reset role;
drop function models_seen;
select revoke_retrain_access('regress_retrain_views') ->> 'success' as revoked;
drop role regress_retrain_views;
drop extension pg_retrain;
