-- The registry refuses what would break it, and says why. Artifacts here are rows made by hand.
create extension pg_retrain;
\set SHOW_CONTEXT never

insert into ai_models (model_name) values ('m'), ('n');
create function add_version(p_model text, p_version text, p_status text default 'candidate') returns bigint
language sql as $$
  insert into ai_model_versions (
    model_name, version, algorithm, artifact, artifact_sha256, artifact_bytes, labels, is_active, status)
  values (p_model, p_version, 'linear_svc', p_version::bytea, encode(sha256(p_version::bytea), 'hex'),
    octet_length(p_version::bytea), '{a,b}', p_status = 'live', p_status)
  returning id;
$$;
select add_version('m', 'v1'), add_version('m', 'v2'), add_version('m', 'v3'), add_version('n', 'v1');

-- what does not exist
select promote_model(99);
\echo :LAST_ERROR_SQLSTATE
select promote_model(null);
select export_model(99);
\echo :LAST_ERROR_SQLSTATE
select drop_model_version(99);
\echo :LAST_ERROR_SQLSTATE
select rollback_model('nobody');
\echo :LAST_ERROR_SQLSTATE
select * from model_live_at('nobody');
\echo :LAST_ERROR_SQLSTATE
select training_report('00000000-0000-0000-0000-000000000000');
\echo :LAST_ERROR_SQLSTATE
select training_report('00000000-0000-0000-0000-000000000000', 'pdf');
\echo :LAST_ERROR_SQLSTATE

-- nothing is live yet
select rollback_model('m');
\echo :LAST_ERROR_SQLSTATE
select * from model_live_at('m');

-- promotions, several in one transaction: one live version, periods that meet and do not overlap
begin;
select promote_model(1, 'first') - 'version_id' as answer;
select promote_model(2) - 'version_id' as answer;
select promote_model(3) - 'version_id' as answer;
select promote_model(3) - 'version_id' as answer;
commit;
select id, status, is_active from ai_model_versions where model_name = 'm' order by id;
select version, kind, reason, live_until is null as still,
  live_from = lag(live_until) over (order by live_from) as meets_the_one_before
from ai_model_deployments where model_name = 'm' order by live_from;
select version, live_until, reason from model_live_at('m');
select version from model_live_at('m', '2000-01-01');
select l.version
from ai_model_deployments d
cross join lateral model_live_at('m', d.live_from) l
where d.model_name = 'm' order by d.live_from;

-- back, and further back, not to and fro
select rollback_model('m', 0);
\echo :LAST_ERROR_SQLSTATE
select rollback_model('m', 3);
\echo :LAST_ERROR_SQLSTATE
select rollback_model('m') - 'version_id' as answer;
select rollback_model('m') - 'version_id' as answer;
select rollback_model('m');
select promote_model(3) - 'version_id' as answer;
select rollback_model('m') - 'version_id' as answer;
select promote_model(3) is not null, promote_model(2) is not null;
select rollback_model('m', 2) - 'version_id' as answer;

-- the live version stays, another may go; its period stays in the history
select drop_model_version(id) from ai_model_versions where model_name = 'm' and is_active;
\echo :LAST_ERROR_SQLSTATE
select drop_model_version(2) - 'version_id' as answer;
select count(*) from ai_model_deployments where version_id = 2;
delete from ai_models where model_name = 'm';
\echo :LAST_ERROR_SQLSTATE
-- nor is it renamed, which would leave them without a model; another column, or the name it has, may be written
update ai_models set model_name = 'n' where model_name = 'm';
\echo :LAST_ERROR_SQLSTATE
update ai_models set model_name = 'm', min_samples = 20 where model_name = 'm';

-- a live version that was deleted: one step back is what was live before it, and no more than there is
begin;
select promote_model(1) is not null, promote_model(3) is not null;
delete from ai_model_versions where model_name = 'm' and is_active;
savepoint none_live;
select rollback_model('m', 2147483647);
rollback to none_live;
select rollback_model('m') - 'version_id' as answer;
select version, live_until, reason from model_live_at('m');
rollback;

-- one that was retired by hand was live until then, and is one step back; by a clock that went back meanwhile, too
begin;
update ai_model_versions set status = 'retired', is_active = false where model_name = 'm' and is_active;
select count(*) as live from model_live_at('m');
select version, live_until > live_from as closed from ai_model_deployments where model_name = 'm' order by live_from desc limit 1;
update ai_model_deployments set live_until = live_until + interval '1 hour'
where model_name = 'm' and live_from = (select max(live_from) from ai_model_deployments where model_name = 'm');
select rollback_model('m') - 'version_id' as answer;
rollback;

-- a rolled-back promotion leaves no trace
begin;
select promote_model(4) is not null;
rollback;
select count(*) from ai_model_deployments where model_name = 'n';

-- the database itself refuses a second live version, a status that does not match, overlapping periods, new bytes
\set VERBOSITY terse
select add_version('m', 'v9', 'live');
update ai_model_versions set is_active = true where id = 3;
update ai_model_versions set status = 'forgotten' where id = 3;
insert into ai_model_deployments (model_name, version_id, version, live_from) values ('m', 3, 'v3', '2000-01-01');
insert into ai_model_deployments (model_name, version_id, version, live_from, live_until)
values ('n', 4, 'v1', '2000-01-01', '2000-01-02'), ('n', 4, 'v1', '2000-01-02', '2000-01-03');
update ai_model_versions set artifact = 'other' where id = 3;
update ai_model_versions set version = 'v4' where id = 3;
select add_version('m', 'v1');
\set VERBOSITY default

-- import
select import_model(null, 'm');
\echo :LAST_ERROR_SQLSTATE
select import_model('\x00', '');
\echo :LAST_ERROR_SQLSTATE
do $$
declare
  v_bytes bytea;
begin
  foreach v_bytes in array array['\x'::bytea, '\x00', 'not a model', convert_to(repeat('x', 100000), 'UTF8')] loop
    begin
      perform import_model(v_bytes, 'm');
      raise exception 'accepted' using errcode = 'assert_failure';
    exception when data_corrupted then
      raise info '% bytes refused as corrupt', octet_length(v_bytes);
    end;
  end loop;
end
$$;
select count(*) from ai_model_versions where model_name = 'm';

-- the two ends of a run, without the training between them
select retrain_begin_run(null, 'full', null, '{}', null, null);
\echo :LAST_ERROR_SQLSTATE
select retrain_begin_run('m', 'half', null, '{}', null, null);
\echo :LAST_ERROR_SQLSTATE
select retrain_begin_run('m', 'full', null, '[]', null, null);
\echo :LAST_ERROR_SQLSTATE

select run_id, effective_config, live_version_id, min_samples, human_weight, rows_query is null as own_source
from retrain_begin_run('o', 'full', 'by hand', '{"c": 2}', 'select 1', 'tester') \gset
\echo :effective_config :own_source
select status, deployed, error_message, duration_seconds >= 0 as timed, triggered_by, source
from retrain_finish_run(:'run_id', '{"status": "failed", "error_message": "too few samples"}', null, 'gate');
\set VERBOSITY sqlstate
select retrain_finish_run(:'run_id', '{"status": "failed"}', null, 'gate');
\set VERBOSITY default

-- first version, a rejected one, one past the gate, one that only waits
create function finish(p_promote text, p_gate jsonb) returns text language plpgsql as $$
declare
  v_run record;
  v_done ai_training_runs;
begin
  v_run := retrain_begin_run('o', 'full', null, '{"c": 3}', 'select 1', null);
  v_done := retrain_finish_run(v_run.run_id, jsonb_build_object(
    'status', 'completed', 'labels', '["b", "a"]'::jsonb, 'algorithm', 'linear_svc', 'training_samples', 20,
    'intent_accuracy', 0.9, 'intent_f1_score', 0.8, 'confidence_threshold', 0.6, 'metrics', '{"ece": 0.01}'::jsonb,
    'gate', p_gate), convert_to(v_run.run_id::text, 'UTF8'), p_promote);
  return format('%s deployed=%s live_before=%s', v_done.status, v_done.deployed, v_run.live_version_id is not null);
end
$$;
select finish('gate', '{"promote": true, "reason": "first version of the model"}');
select finish('gate', '{"promote": false, "reason": "worse"}');
select finish('gate', '{"promote": true, "reason": "no worse"}');
select finish('never', '{"promote": true, "reason": "no worse"}');
select finish('always', '{"promote": false, "reason": "worse"}');
select finish('perhaps', null);
\echo :LAST_ERROR_SQLSTATE
select status, is_active, accuracy, f1_score, confidence_threshold, labels, training_samples,
  version ~ '^v\d{8}_\d{6}$' as well_named, artifact_sha256 = encode(sha256(artifact), 'hex') as digest,
  artifact_bytes = octet_length(artifact) as size
from ai_model_versions where model_name = 'o' order by id;
select count(distinct version) from ai_model_versions where model_name = 'o';
select kind, reason from ai_model_deployments where model_name = 'o' order by live_from;

-- a rollback during the training: the gate compared with a version that is no longer live
begin;
select run_id from retrain_begin_run('o', 'full', null, '{}', 'select 1', null) \gset
select rollback_model('o') ->> 'success' as rolled_back;
select deployed, gate ->> 'reason' as reason
from retrain_finish_run(:'run_id', '{"status": "completed", "gate": {"promote": true}}', 'bytes', 'gate');
commit;

-- keep_versions prunes what has been retired or rejected, oldest first
update ai_models set keep_versions = 1 where model_name = 'o';
select finish('never', null);
select status, count(*) from ai_model_versions where model_name = 'o' group by 1 order by 1;

drop function add_version, finish;
drop extension pg_retrain;
