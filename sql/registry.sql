-- The registry with real models: promote, roll back, look back, export, import, verify, drop. Errors are in registry_errors.
create extension pg_retrain;
\set SHOW_CONTEXT never
create function record_messages(p_from integer, p_to integer) returns void language sql as $$
  insert into ai_training_data (model_name, user_message, detected_intent)
  select 'm', format('%s please, number %s', i, n), i from unnest('{alpha,beta,gamma}'::text[]) i, generate_series(p_from, p_to) n;
$$;
create view live as select p.predicted_intent, v.id as version_id
from predict_intent('alpha please', 'm') p join ai_model_versions v on v.model_name = 'm' and v.version = p.model_version;

select record_messages(1, 20);
select model_version_id as v1 from train_intent_model('m', p_run_name => 'first') \gset
select record_messages(21, 30);
select model_version_id as v2 from train_intent_model('m', p_run_name => 'second') \gset
select model_version_id as v3 from train_intent_model('m', p_run_name => 'third', p_config => '{"preset": "classic"}', p_promote => 'always') \gset

select m.status, m.is_active, m.algorithm, m.labels, m.training_samples, m.artifact_bytes = octet_length(v.artifact) as bytes,
  m.accuracy = r.intent_accuracy as accuracy, m.f1_score = r.intent_f1_score as f1, m.metrics -> 'features' is not null as metrics,
  r.run_name, r.deployed, m.training_timestamp = r.completed_at as at
from ai_model_metadata m
join ai_model_versions v on v.id = m.id
join ai_training_runs r on r.model_version_id = m.id
order by m.id;

-- promote, roll back, and what was live when
select version_id = :v3 as third from live;
select promote_model(:v1, 'by hand') ->> 'version_id' = :'v1' as promoted;
select version_id = :v1 as first from live;
select rollback_model('m') ->> 'version_id' = :'v3' as back_to_third;
select rollback_model('m') ->> 'version_id' = :'v2' as back_to_second;
select rollback_model('m') ->> 'version_id' = :'v1' as back_to_first;
select rollback_model('m');
\echo :LAST_ERROR_SQLSTATE
select version_id = :v1 as first from live;
select kind, count(*) from ai_model_deployments group by 1 order by 1;
select bool_and(l.version_id = d.version_id) as history_agrees, count(*)
from ai_model_deployments d, model_live_at('m', d.live_from) l;
select bool_and(live_until = next) as without_gaps, count(*)
from (select live_until, lead(live_from) over (order by live_from) as next from ai_model_deployments) d where next is not null;
select count(*) as before_the_first
from model_live_at('m', (select min(live_from) - interval '1 second' from ai_model_deployments));
select version_id = :v1 as now, live_until from model_live_at('m');

-- what a transaction does and takes back
begin;
select promote_model(:v2) ->> 'success' as success;
select version_id = :v2 as second from live;
select drop_model_version(:v3) ->> 'success' as success;
rollback;
select version_id = :v1 as first from live;
select count(*) from ai_model_versions;

-- out and in again: other rows, the same answers
create temporary table messages as
select format('%s %s of %s', w, n, w2) as m from unnest('{alpha,beta,gamma,delta}'::text[]) w, unnest('{alpha,beta}'::text[]) w2, generate_series(1, 20) n;
create temporary table copies as
select v.id, import_model(export_model(v.id), 'copy of ' || v.id) as copy from ai_model_versions v;
select count(*) as copies, bool_and(c.status = 'candidate' and not c.is_active and c.artifact = v.artifact and c.artifact_sha256 = v.artifact_sha256
  and c.labels = v.labels and c.algorithm = v.algorithm and c.training_samples = v.training_samples and c.run_id is null) as same
from copies join ai_model_versions v using (id) join ai_model_versions c on c.id = copies.copy;
select classify_intent('alpha', 'copy of ' || :v1) as candidates_are_not_live;
select count(promote_model(copy)) from copies;
select count(*), bool_and(p.predicted_intent = q.predicted_intent and p.confidence = q.confidence and p.top_intents = q.top_intents) as same
from copies, messages, predict_intent(m, 'm', p_version_id => id) p, predict_intent(m, 'copy of ' || id) q;
select import_model(export_model(:v1), 'm') > :v3 as imported_beside;
select count(distinct version) = count(*) as names_are_unique from ai_model_versions where model_name = 'm';
select retrain_artifact_info(artifact) ->> 'training_samples' = training_samples::text as info,
  retrain_artifact_info(artifact) -> 'labels' = to_jsonb(labels) as labels
from ai_model_versions where id = :v1;

-- bytes that are not whole: cut anywhere, changed anywhere, or with something added
create function refused(p_bytes bytea) returns boolean language plpgsql as $$
begin
  perform import_model(p_bytes, 'damaged');
  return false;
exception when data_corrupted then
  return true;
end
$$;
select count(*) filter (where not refused(substr(artifact, 1, n))) as accepted_when_cut
from ai_model_versions, generate_series(0, artifact_bytes::integer - 1, 97) n where id = :v1;
select count(*) filter (where not refused(set_byte(artifact, n, 255 - get_byte(artifact, n)))) as accepted_when_changed
from ai_model_versions, generate_series(0, artifact_bytes::integer - 1, 97) n where id = :v1;
select refused(artifact || '\x00') as longer, refused(artifact || artifact) as twice from ai_model_versions where id = :v1;
select count(*) from ai_model_versions where model_name = 'damaged';

-- verify: the same bytes come out, as long as the rows stay
select id = :v1 as first, verify_model(id) ->> 'matches' as matches, verify_model(id) ->> 'reason' as reason
from ai_model_versions where id in (:v1, :v2, :v3) order by id;
select record_messages(31, 31);
select verify_model(:v3) ->> 'matches' as later_rows_do_not_count;
begin;
select submit_intent_correction(id, 'beta') ->> 'success' as success
from ai_training_data where split = 'train' and detected_intent = 'alpha' order by user_message limit 1;
select v ->> 'matches' as matches, v ->> 'reason' as reason from verify_model(:v3) v;
rollback;
begin;
update ai_models set human_weight = 5;
select verify_model(:v3) ->> 'matches' as no_human_rows_no_difference;
rollback;
\set VERBOSITY terse
select verify_model(copy) from copies order by copy limit 1;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
select verify_model(null);
select verify_model(999);
\echo :LAST_ERROR_SQLSTATE
select model_version_id as q from train_intent_model('query', p_source => $$
  select 'text ' || i || n as text, i as intent from unnest('{alpha,beta}'::text[]) i, generate_series(1, 30) n $$) \gset
select verify_model(:q) ->> 'matches' as from_a_query;
select count(*) as nothing_was_stored from ai_training_runs where status <> 'completed';

-- the report: its parts, in both formats
select f, array_agg(heading order by place) as headings
from ai_training_runs r, unnest('{markdown,text}'::text[]) f, string_to_table(training_report(r.id, f), E'\n') with ordinality t (heading, place)
where r.run_name = 'second' and heading ~ '^(#+ )?(Training report|On the test rows|Gate|Intents|Configuration)' group by f order by f;
-- whether the version is live now, not when the run ended
create view told_live as
select r.run_name, r.deployed, line
from ai_training_runs r, string_to_table(training_report(r.id, 'text'), E'\n') line
where r.model_name = 'm' and line ~ '^live  +(yes|no)';
select * from told_live order by run_name collate "C";
begin;
select promote_model(:v3) ->> 'success' as success;
select * from told_live order by run_name collate "C";
rollback;
drop view told_live;
-- counts are whole, and of no rows nothing is known
begin;
update ai_training_runs set per_intent_metrics = '{"alpha": {"f1": 1, "recall": 1, "support": 1, "precision": 1}}',
  gate = '{"promote": true, "recent": {"live": {"rows": 0, "accuracy": 0}, "candidate": {"rows": 1, "accuracy": 0}}}'
where run_name = 'second';
select line from ai_training_runs r, string_to_table(training_report(r.id, 'text'), E'\n') line
where r.run_name = 'second' and line ~ '^(alpha|recent)';
-- measures of any size
update ai_training_runs set gate = '{"promote": true, "candidate": {"rows": 9, "mae": 3342609987277554000000000, "rmse": 0.0000123, "r2": -25}}'
where run_name = 'second';
select line from ai_training_runs r, string_to_table(training_report(r.id, 'text'), E'\n') line
where r.run_name = 'second' and line ~ '^all';
-- a message is text, whatever a page makes of Markdown
update ai_training_runs set misclassified = '[{"text": "<img src=x> ![p](u) a|b c:\\d\\", "intent": "<i>", "predicted": "b", "confidence": 1}]'
where run_name = 'second';
select f, line from ai_training_runs r, unnest('{markdown,text}'::text[]) f, string_to_table(training_report(r.id, f), E'\n') line
where r.run_name = 'second' and line ~ 'img';
rollback;

-- drop, and keep as many as told
select drop_model_version(:v3) ->> 'success' as success;
select predict_intent('alpha', 'm', p_version_id => :v3);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
select drop_model_version(:v1);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
update ai_models set keep_versions = 1 where model_name = 'm';
select status from train_intent_model('m', p_promote => 'always');
select status from train_intent_model('m', p_promote => 'always');
select status, count(*) from ai_model_versions where model_name = 'm' group by 1 order by 1;
-- a name that was live is not given again, whatever became of its version
begin;
insert into ai_model_deployments (model_name, version_id, version, live_from, live_until)
select 'm', -i, to_char(clock_timestamp() at time zone 'UTC' + make_interval(secs => i), '"v"YYYYMMDD_HH24MISS'),
  timestamptz '2000-01-01 UTC' + make_interval(days => i), timestamptz '2000-01-02 UTC' + make_interval(days => i)
from generate_series(0, 60) i;
select retrain_next_version('m') > max(version) as unused from ai_model_deployments where model_name = 'm';
rollback;

-- the live version deleted with its row: the history knows
delete from ai_model_versions where model_name = 'm' and is_active;
select count(*) as live from model_live_at('m');
select live_until > live_from as closed from ai_model_deployments where model_name = 'm' order by live_from desc limit 1;
select status, gate ->> 'rule' as rule, deployed from train_intent_model('m');
select count(*) as live from model_live_at('m');

drop view live;
drop function record_messages, refused;
drop extension pg_retrain;
