-- Targets, health and alerts.
create extension pg_retrain;
\set SHOW_CONTEXT never
\set VERBOSITY terse
select rule_name, model_name, metric, direction, target, critical, period, min_rows, enabled, shipped from ai_alert_rules order by rule_name collate "C";
select count(*) from ai_metric_health;
select count(*) from check_alerts();

-- a model without data
select retrain_ensure_model('default');
select rule_name, value, status, sample_rows from ai_metric_health order by rule_name collate "C";
select count(*) from check_alerts();

-- 19 messages are not enough, 20 are: 17 right, 3 wrong, 3 escalated, confidence 75
insert into ai_training_data (user_message, detected_intent, correct_intent, confidence_score, escalated)
select 'm' || i, 'a', case when i <= 17 then 'a' else 'b' end, 75, i <= 3 from generate_series(1, 19) i;
select distinct status from ai_metric_health;
insert into ai_training_data (user_message, detected_intent, correct_intent, confidence_score) values ('m20', 'a', 'b', 75);
-- exactly on the target is a warning, for every rule
select rule_name, value, status, sample_rows from ai_metric_health where value is not null order by rule_name collate "C";

begin;
select id, model_name, rule_name, metric, status, previous_status, value, sample_rows, message from check_alerts();
rollback;
select count(*) from ai_alerts;
select id is not null as id, model_name, rule_name, metric, status, previous_status, value, sample_rows, message from check_alerts();
-- once
select count(*) from check_alerts();
select count(*) from ai_alerts;

-- worse, then good again, then too few: only changes are recorded, and silence is none
update ai_training_data set escalated = true where user_message in ('m4', 'm5', 'm6', 'm7');
select rule_name, status, previous_status, value from check_alerts();
update ai_training_data set escalated = false, confidence_score = 90;
select rule_name, status, previous_status, value from check_alerts();
update ai_training_data set created_at = now() - interval '8 days' where user_message = 'm1';
select rule_name, status, sample_rows from ai_metric_health where value is not null order by rule_name collate "C";
select count(*) from check_alerts();
update ai_training_data set created_at = now() where user_message = 'm1';
select count(*) from check_alerts();

-- the live version's own numbers
insert into ai_training_runs (id, run_name, status, test_samples)
values ('00000000-0000-0000-0000-000000000001', 'r', 'completed', 10);
insert into ai_model_versions (model_name, version, run_id, algorithm, artifact, artifact_sha256, artifact_bytes, labels, training_samples, f1_score)
values ('default', 'v1', '00000000-0000-0000-0000-000000000001', 'linear_svc', 'a', encode(sha256('a'), 'hex'), 1, '{a,b}', 19, 0.9);
select promote_model(max(id)) ->> 'success' as promoted from ai_model_versions;
select rule_name, round(value::numeric, 2) as value, status, sample_rows from ai_metric_health where metric in ('f1_score', 'training_samples') order by 1;

-- rules: the model's before the general one, yours before the shipped one
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical) values ('training_samples', 'default', 'training_samples', 'above', 10, 5);
select target, status from ai_metric_health where rule_name = 'training_samples';
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('training_samples', 'training_samples', 'above', 30, 25);
select target, status from ai_metric_health where rule_name = 'training_samples';
delete from ai_alert_rules where model_name = 'default';
select target, status from ai_metric_health where rule_name = 'training_samples';
insert into ai_alert_rules (rule_name, metric, direction, target, critical, period, min_rows) values ('a quick one', 'correction_rate', 'below', 50, 90, '1 hour', 1);
select value, status, period from ai_metric_health where rule_name = 'a quick one';
-- a shipped rule that is changed is yours; one that is written unchanged is not
update ai_alert_rules set target = target;
select count(*) filter (where shipped) as shipped, count(*) filter (where not shipped) as yours from ai_alert_rules;
update ai_alert_rules set enabled = false where rule_name = 'avg_confidence';
select shipped from ai_alert_rules where rule_name = 'avg_confidence';
select count(*) from ai_metric_health where rule_name = 'avg_confidence';

-- what a rule cannot be
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('x', 'happiness', 'above', 1, 0);
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('x', 'f1_score', 'upwards', 1, 0);
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('x', 'f1_score', 'above', 0.5, 0.6);
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('x', 'f1_score', 'below', 0.6, 0.5);
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('x', 'f1_score', 'above', 'NaN', 0);
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('x', 'f1_score', 'above', 1, '-Infinity');
insert into ai_alert_rules (rule_name, metric, direction, target, critical, period) values ('x', 'f1_score', 'above', 1, 0, '0');
insert into ai_alert_rules (rule_name, metric, direction, target, critical, period) values ('x', 'f1_score', 'above', 1, 0, '1001 years');
insert into ai_alert_rules (rule_name, metric, direction, target, critical, period) values ('x', 'avg_confidence', 'above', 75, 60, '1000 years');
select model_name, sample_rows from ai_metric_health where rule_name = 'x' order by 1;
delete from ai_alert_rules where rule_name = 'x';
insert into ai_alert_rules (rule_name, metric, direction, target, critical, min_rows) values ('x', 'f1_score', 'above', 1, 0, 0);
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('', 'f1_score', 'above', 1, 0);
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('a quick one', 'f1_score', 'above', 1, 0);

-- the longest names still fit into a notification
insert into ai_alert_rules (rule_name, metric, direction, target, critical, min_rows) values (repeat('😀', 100), 'escalation_rate', 'below', 1, 2, 1);
insert into ai_models (model_name) values (repeat('"', 200)), (repeat(E'\x01', 200));
insert into ai_training_data (user_message, model_name, escalated) select 'x', model_name, true from ai_models where model_name <> 'default';
select length(model_name), length(rule_name), status from check_alerts() order by ascii(model_name);

-- access: a tenant sees its own alerts and cannot touch another's rules or those for all
create role regress_retrain_alerts;
select grant_retrain_access('regress_retrain_alerts', 'trainer', 'default') ->> 'success' as granted;
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical) values ('secret', 'b', 'f1_score', 'above', 1, 0);
set role regress_retrain_alerts;
select distinct model_name from ai_alerts union select distinct model_name from ai_metric_health;
select count(*) from ai_alert_rules where model_name = 'b';
select count(*) from check_alerts();
update ai_alert_rules set enabled = false where model_name is null;
select count(*) from ai_alert_rules where not enabled and rule_name <> 'avg_confidence';
delete from ai_alert_rules where model_name is null;
insert into ai_alert_rules (rule_name, metric, direction, target, critical) values ('mine', 'f1_score', 'above', 1, 0);
\echo :LAST_ERROR_SQLSTATE
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical, shipped) values ('mine', 'default', 'f1_score', 'above', 1, 0, true);
\echo :LAST_ERROR_SQLSTATE
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical) values ('mine', 'default', 'f1_score', 'above', 0.95, 0.92);
select rule_name, status from check_alerts();
insert into ai_alerts (model_name, rule_name, metric, status, previous_status, direction, target, critical, sample_rows, message)
values ('b', 'r', 'f1_score', 'critical', 'ok', 'above', 1, 0, 1, 'x');
\echo :LAST_ERROR_SQLSTATE
delete from ai_alerts;
\echo :LAST_ERROR_SQLSTATE
reset role;
select revoke_retrain_access('regress_retrain_alerts') ->> 'success' as revoked;
drop role regress_retrain_alerts;

-- what a dump carries
select extcondition[array_position(extconfig, 'ai_alert_rules'::regclass::oid)] from pg_extension where extname = 'pg_retrain';
drop extension pg_retrain;
