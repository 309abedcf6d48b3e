-- Levels and row-level security: two tenants, one database.
create extension pg_retrain;
\set SHOW_CONTEXT never
\set VERBOSITY terse
create role regress_retrain_a;
create role regress_retrain_b;
create role regress_retrain_all;
create role regress_retrain_predictor;
create role regress_retrain_admin;
create role regress_retrain_nobody;

select count(*) from (
  select record_interaction(format('%s says %s', m, i), 'r', 'greeting', 50, m)
  from unnest(array['a', 'b']) m, generate_series(1, 3) i) r;
select count(*) from (
  select submit_intent_correction(id, 'other') from ai_training_data where user_message like '%says 1') c;
insert into ai_model_versions (
  model_name, version, algorithm, artifact, artifact_sha256, artifact_bytes, labels, is_active, status)
select m, 'v1', 'linear_svc', m::bytea, encode(sha256(m::bytea), 'hex'), 1, '{greeting,other}', false, 'candidate'
from unnest(array['a', 'b']) m;
select count(promote_model(id)) from ai_model_versions;
select count(*) from (
  select retrain_finish_run(r.run_id, '{"status": "failed", "error_message": "too few"}', null, 'gate')
  from unnest(array['a', 'b']) m
  cross join lateral retrain_begin_run(m, 'full', null, '{}', null, null) r) f;

select grant_retrain_access('regress_retrain_a', 'reviewer', 'a');
select grant_retrain_access('regress_retrain_b', 'trainer', 'b');
select grant_retrain_access('regress_retrain_all', 'reader');
select grant_retrain_access('regress_retrain_predictor', 'predictor', 'a');
select grant_retrain_access('regress_retrain_admin', 'admin', 'a');

select grant_retrain_access('regress_retrain_a', 'boss');
\echo :LAST_ERROR_SQLSTATE
select grant_retrain_access('regress_retrain_a', null);
\echo :LAST_ERROR_SQLSTATE
select grant_retrain_access('regress_retrain_ghost', 'reader');
\echo :LAST_ERROR_SQLSTATE
select grant_retrain_access('regress_retrain_a', 'reader', '');
\echo :LAST_ERROR_SQLSTATE

-- Which models a role sees, in every relation that has a model's name and that it may read at all. It runs as the role.
create function visible() returns table (relation text, models text) language plpgsql as $$
declare
  v_relation regclass;
begin
  for v_relation in
    select c.oid
    from pg_depend d
    join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_retrain'
    join pg_class c on c.oid = d.objid and c.relkind in ('r', 'v')
    join pg_attribute t on t.attrelid = c.oid and t.attname = 'model_name'
    where d.classid = 'pg_class'::regclass and c.relname <> 'ai_training_progress'
    order by c.relname collate "C"
  loop
    relation := v_relation::text;
    begin
      execute format('select string_agg(distinct model_name, '','' order by model_name) from %s', v_relation)
        into models;
    exception when insufficient_privilege then
      models := 'denied';
    end;
    return next;
  end loop;
end
$$;
grant execute on function visible to public;

set role regress_retrain_a;
select * from visible();
select model_name, level from ai_access_scope order by level;
select count(*) from get_training_dataset(p_model_name => 'a');
select count(*) from get_training_dataset(p_model_name => 'b');
select record_interaction('new', 'r', 'greeting', p_model_name => 'a') is not null as recorded;
select record_interaction('new', 'r', 'greeting', p_model_name => 'b');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
\set SHOW_CONTEXT never
select record_interaction('new', 'r', 'greeting', p_model_name => 'c');
\set VERBOSITY terse
\echo :LAST_ERROR_SQLSTATE
select * from model_live_at('b');
\echo :LAST_ERROR_SQLSTATE
insert into ai_training_data (user_message, model_name) values ('by hand', 'b');
\echo :LAST_ERROR_SQLSTATE
update ai_training_data set model_name = 'b';
\echo :LAST_ERROR_SQLSTATE
update ai_training_data set dataset_status = 'rejected' where model_name = 'b';
delete from ai_training_data;
\echo :LAST_ERROR_SQLSTATE
select promote_model(1);
\echo :LAST_ERROR_SQLSTATE
select artifact from ai_model_versions where model_name = 'b';
reset role;

-- another tenant's row, whose id is known all the same
select id as b_id from ai_training_data where model_name = 'b' limit 1 \gset
select id as b_run from ai_training_runs where model_name = 'b' limit 1 \gset
set role regress_retrain_a;
select submit_intent_correction(:'b_id', 'evil');
\set VERBOSITY sqlstate
select training_report(:'b_run');
\set VERBOSITY terse
reset role;

set role regress_retrain_b;
select * from visible();
select promote_model(1);
\echo :LAST_ERROR_SQLSTATE
select export_model(1);
\echo :LAST_ERROR_SQLSTATE
select length(export_model(2));
select rollback_model('a');
\echo :LAST_ERROR_SQLSTATE
select retrain_begin_run('a', 'full', null, '{}', null, null);
\echo :LAST_ERROR_SQLSTATE
select effective_config, live_version_id from retrain_begin_run('b', 'full', null, '{"c": 2}', null, null);
update ai_model_versions set status = 'retired', is_active = false where model_name = 'a';
delete from ai_model_versions where is_active;
select drop_model_version(2);
\echo :LAST_ERROR_SQLSTATE
select grant_retrain_access('regress_retrain_b', 'admin');
\echo :LAST_ERROR_SQLSTATE
insert into ai_access_grants (role_name, level) values ('regress_retrain_b', 'admin');
\echo :LAST_ERROR_SQLSTATE
reset role;

set role regress_retrain_all;
-- the queue asks the live version, whose bytes a reader may not read
select count(*) from get_review_queue(1, p_model_name => 'a');
\echo :LAST_ERROR_SQLSTATE
select preview_correction(id, 'x') from ai_training_data where model_name = 'a' limit 1;
select count(*) from diff_models('a', 1, 2);
select * from visible();
select record_interaction('new', 'r', 'greeting', p_model_name => 'a');
\echo :LAST_ERROR_SQLSTATE
reset role;

set role regress_retrain_predictor;
select * from visible();
select metrics from ai_model_versions;
\echo :LAST_ERROR_SQLSTATE
select user_message from ai_training_data;
\echo :LAST_ERROR_SQLSTATE
reset role;

set role regress_retrain_nobody;
select relation from visible() where models is distinct from 'denied';
select record_interaction('x');
\echo :LAST_ERROR_SQLSTATE
select predict_intent('x');
\echo :LAST_ERROR_SQLSTATE
reset role;

-- an administrator of one model grants that model and no other
set role regress_retrain_admin;
select grant_retrain_access('regress_retrain_nobody', 'reader', 'a');
\set VERBOSITY default
select grant_retrain_access('regress_retrain_nobody', 'reader', 'b');
\echo :LAST_ERROR_SQLSTATE
select grant_retrain_access('regress_retrain_nobody', 'reader');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
select role_name, level, model_name, granted_by from ai_access_grants order by role_name;
select revoke_retrain_access('regress_retrain_b');
reset role;
set role regress_retrain_nobody;
select * from visible();
reset role;

-- a member of a granted role has its rights, one that does not inherit them has not
grant regress_retrain_b to regress_retrain_nobody;
set role regress_retrain_nobody;
select count(*) from ai_training_data where model_name = 'b';
reset role;
alter role regress_retrain_nobody noinherit;
revoke regress_retrain_b from regress_retrain_nobody;
grant regress_retrain_b to regress_retrain_nobody;
set role regress_retrain_nobody;
select count(*) from ai_training_data where model_name = 'b';
reset role;
revoke regress_retrain_b from regress_retrain_nobody;

-- a grant on all models creates new ones; one level can be taken back and leave the others
select grant_retrain_access('regress_retrain_all', 'recorder');
set role regress_retrain_all;
select record_interaction('first', 'r', 'greeting', p_model_name => 'brand new') is not null as recorded;
select model_name from ai_training_data where user_message = 'first';
reset role;
select revoke_retrain_access('regress_retrain_all', 'reader');
set role regress_retrain_all;
select count(*) from ai_training_data where id is not null;
select user_message from ai_training_data;
\echo :LAST_ERROR_SQLSTATE
reset role;

-- the policies' array is computed once, before the scan, and the index on the model's name serves
create function plan(p_query text) returns setof text language plpgsql as $$
begin
  return query execute 'explain (costs off) ' || p_query;
end
$$;
set enable_seqscan = off;
set enable_bitmapscan = off;
set role regress_retrain_b;
select count(*) filter (where p ~ 'Index Cond: .*model_name = ANY') as by_index,
  count(*) filter (where p ~ 'SubPlan') as per_row
from plan($$select id from ai_training_data where created_at > '2026-01-01'$$) p;
reset role;
reset enable_seqscan;
reset enable_bitmapscan;

-- where views cannot run as their reader (PostgreSQL 14), their own condition holds
do $$
begin
  if current_setting('server_version_num')::integer >= 150000 then
    alter view ai_labelled_data reset (security_invoker);
    alter view ai_model_metadata reset (security_invoker);
  end if;
end
$$;
set role regress_retrain_b;
select * from visible() where relation in ('ai_labelled_data', 'ai_model_metadata');
reset role;

-- nor is a row of another model shown to a function in a reader's own condition, however cheap it pretends to be
create function peep(p_model text) returns boolean language plpgsql cost 0.0001 as $$
begin
  if p_model <> 'b' then
    raise warning 'seen: %', p_model;
  end if;
  return true;
end
$$;
set role regress_retrain_b;
select count(*) > 0 as some from ai_access_scope where peep(model_name);
select count(*) > 0 as some from ai_labelled_data where peep(model_name);
select count(*) > 0 as some from ai_model_metadata where peep(model_name);
select count(*) > 0 as some from ai_training_data where peep(model_name);
reset role;

-- a query is run for the role that gave it, by verify_model(), too; who gave it cannot be forged
create role regress_retrain_giver;
create schema regress_given;
grant usage, create on schema regress_given to regress_retrain_giver;
select grant_retrain_access('regress_retrain_giver', 'trainer') ->> 'success' as granted;
set role regress_retrain_giver;
create function regress_given.who() returns boolean language plpgsql as $$ begin raise notice 'the query runs as %', current_user; return true; end $$;
select status, source_set_by from train_intent_model('given', p_source =>
  'select md5(n::text) || '' text '' || n % 2 as text, ''i'' || n % 2 as intent from generate_series(1, 60) n where (select regress_given.who())');
update ai_training_runs set source_set_by = session_user where model_name = 'given';
update ai_training_runs set source_set_by = session_user, source = source || ' -- mine' where model_name = 'given';
insert into ai_training_runs (run_name, model_name, source, source_set_by) values ('forged', 'given', 'select 1', session_user);
select distinct source_set_by from ai_training_runs where model_name = 'given';
update ai_training_runs set source = replace(source, ' -- mine', '') where model_name = 'given';
select verify_model(max(id)) -> 'matches' as matches from ai_model_metadata where model_name = 'given';
reset role;
select verify_model(max(id)) from ai_model_metadata where model_name = 'given';
\echo :LAST_ERROR_SQLSTATE
select retrain_train_again('given', 'again');
\echo :LAST_ERROR_SQLSTATE
-- who trains deletes what keep_versions would, and no candidate
set role regress_retrain_giver;
select status from train_intent_model('given', p_promote => 'never', p_source =>
  'select md5(n::text) || '' text '' || n % 2 as text, ''i'' || n % 2 as intent from generate_series(1, 80) n');
with gone as (delete from ai_model_versions where model_name = 'given' returning id) select count(*) as deleted from gone;
select status, is_active from ai_model_metadata where model_name = 'given' order by id;
reset role;
-- nor are holidays that another role writes into the run of a forecast
select model_version_id as days from train_forecast('own', 'select ''2024-01-01''::date + n as ds, n % 7 as y from generate_series(1, 60) n') \gset
select verify_model(:days) -> 'matches' as matches;
set role regress_retrain_giver;
update ai_training_runs set model_config = model_config || '{"horizon": 28}' where model_name = 'own';
reset role;
select source_set_by = session_user as own from ai_training_runs where model_name = 'own';
set role regress_retrain_giver;
update ai_training_runs set model_config = model_config || '{"holidays": "select date ''2024-01-06'' as ds, ''x'' as holiday where regress_given.who()"}', source_set_by = session_user
where model_name = 'own';
reset role;
select source_set_by from ai_training_runs where model_name = 'own';
select verify_model(:days);
\echo :LAST_ERROR_SQLSTATE
-- holidays wait in any model for who makes it a forecast, and stay with no other role's source
set role regress_retrain_giver;
create function regress_given.day() returns date language plpgsql as $$ begin raise notice 'the holidays run as %', current_user; return '2024-01-01'; end $$;
insert into ai_models (model_name, config) values ('planted', '{"holidays": "select regress_given.day() as ds, ''x''::text as holiday"}');
reset role;
select train_forecast('planted', 'select date ''2024-01-01'' + n as ds, n % 7 as y from generate_series(0, 99) n');
\echo :LAST_ERROR_SQLSTATE
update ai_models set source = 'select date ''2024-01-01'' + n as ds, n % 7 as y from generate_series(0, 99) n' where model_name = 'planted';
\echo :LAST_ERROR_SQLSTATE
update ai_models set config = '{"holidays": "select null::date as ds, null::text as holiday"}' where model_name = 'given';
\echo :LAST_ERROR_SQLSTATE
select source_set_by from ai_models where model_name in ('given', 'planted');
select status from train_forecast('planted', 'select date ''2024-01-01'' + n as ds, n % 7 as y from generate_series(0, 99) n', '{"holidays": null}');
select config, source_set_by = session_user as of_this_role from ai_models where model_name = 'planted';
-- a version's row has its own checksums: models are cached under them
set role regress_retrain_giver;
insert into ai_model_versions (model_name, version, algorithm, artifact, artifact_sha256, artifact_crc32c, artifact_bytes, labels)
select 'given', 'forged', 'x', '\x00', v.artifact_sha256, v.artifact_crc32c, 1, '{}' from ai_model_metadata m join ai_model_versions v on v.id = m.id where m.model_name = 'given' limit 1;
\echo :LAST_ERROR_SQLSTATE
select retrain_hash_variant('salt', 'unit', '[5:6]={a,b}', '{1,2}', 1);
\echo :LAST_ERROR_SQLSTATE
reset role;
-- a person's label is a reviewer's to give
select grant_retrain_access('regress_retrain_nobody', 'recorder') ->> 'success' as granted;
set role regress_retrain_nobody;
insert into ai_training_data (user_message, detected_intent, source) values ('where is it', 'shipping', 'imported');
insert into ai_training_data (user_message, correct_intent, corrected_by_human) values ('where is it', 'refund', true);
\echo :LAST_ERROR_SQLSTATE
reset role;
delete from ai_training_data where user_message = 'where is it';
select revoke_retrain_access('regress_retrain_giver') ->> 'success' as revoked;
drop owned by regress_retrain_giver cascade;
drop schema regress_given;
drop role regress_retrain_giver;

-- levels end with DROP OWNED: another role of the same name has what it is granted, no more
create role regress_retrain_again;
select grant_retrain_access('regress_retrain_again', 'admin', 'a') ->> 'success' as granted;
drop owned by regress_retrain_again;
drop role regress_retrain_again;
create role regress_retrain_again;
select grant_retrain_access('regress_retrain_again', l, 'b') ->> 'success' as granted from unnest('{predictor,reader}'::text[]) l;
select level, model_name from ai_access_grants where role_name = 'regress_retrain_again' order by level;
select has_function_privilege('regress_retrain_again', 'rollback_model(text, integer)', 'execute') as administers;
-- nor do they come back when one of them is taken back
drop owned by regress_retrain_again;
select revoke_retrain_access('regress_retrain_again', 'reader') ->> 'revoked' as revoked;
select count(*) as levels from ai_access_grants where role_name = 'regress_retrain_again';
select has_function_privilege('regress_retrain_again', 'predict_intent(text, text, integer, bigint, real[])', 'execute') as predicts;
select grant_retrain_access('regress_retrain_again', 'reader', 'b') ->> 'success' as granted;
select revoke_retrain_access('regress_retrain_again') ->> 'revoked' as revoked;
drop role regress_retrain_again;
select grant_retrain_access('public', 'reader');
\echo :LAST_ERROR_SQLSTATE
select revoke_retrain_access(null);
\echo :LAST_ERROR_SQLSTATE

-- taken back, nothing holds the roles
select revoke_retrain_access(r) from unnest(array['regress_retrain_a', 'regress_retrain_b', 'regress_retrain_all',
  'regress_retrain_predictor', 'regress_retrain_admin', 'regress_retrain_nobody']) r;
select count(*) from ai_access_grants;
drop role regress_retrain_a, regress_retrain_b, regress_retrain_all, regress_retrain_predictor, regress_retrain_admin,
  regress_retrain_nobody;
drop function visible, plan, peep;
drop extension pg_retrain;
