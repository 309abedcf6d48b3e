-- Retraining by itself: when it is due, that it happens once, and what is said without pg_cron.
create extension pg_retrain;
\set SHOW_CONTEXT never

create function record_messages(p_model text, p_intents text[], p_from int, p_to int) returns bigint language sql as $$
  select count(record_interaction(format('%s please, number %s', i, n), 'r', i, p_model_name => p_model))
  from unnest(p_intents) i, generate_series(p_from, p_to) n;
$$;
create function due(p_model text) returns table (due text, reason text, new_samples text, threshold text) language sql as $$
  select r ->> 'due', r ->> 'reason', r ->> 'new_samples', r ->> 'threshold' from should_retrain(p_model) r;
$$;
create view health as select model_name, status, due, new_samples, training, last_run_status, schedule from ai_retraining_health;

-- a model that does not exist, and one without rows
select should_retrain('nobody');
\echo :LAST_ERROR_SQLSTATE
select should_retrain(null);
\echo :LAST_ERROR_SQLSTATE
select retrain_if_due('nobody');
\echo :LAST_ERROR_SQLSTATE
select retrain_ensure_model('m');
select should_retrain('m');
select count(*) from retrain_if_due();

-- the threshold, counted in committed rows
select record_messages('m', '{alpha,beta,gamma}', 1, 33);
select * from due('m');
select count(*) from retrain_if_due('m');
select record_messages('m', '{alpha}', 34, 34);
select * from due('m');
select * from health;
select model_name, status, deployed, run_name ~ '^auto_retrain_\d{8}_\d{6}$' as named, triggered_by = current_user as by_me
from retrain_if_due();
select * from due('m');
select count(*) from retrain_if_due();
select * from health;

-- what does not count: the model's own guesses, rejected rows, an evaluation
select count(record_interaction('beta please, number ' || n, p_model_name => 'm')) from generate_series(100, 120) n;
insert into ai_training_data (model_name, user_message, detected_intent, dataset_status) values ('m', 'x', 'alpha', 'rejected');
update ai_training_data set quality_score = 5 where model_name = 'm';
select new_samples from due('m');
-- what counts: new rows, corrections of learnt rows, of guesses, a label changed by hand; each row once
select record_messages('m', '{beta}', 34, 36);
select count(submit_intent_correction(id, 'gamma')) from (
  select id from ai_training_data where model_name = 'm' and split = 'train' and detected_intent = 'alpha' order by created_at, id limit 2) d;
select count(submit_intent_correction(id, 'alpha')) from (
  select id from ai_training_data where model_name = 'm' and split = 'test' order by created_at, id limit 1) d;
select submit_intent_correction(id, 'beta') ->> 'success' as ok from ai_training_data where user_message = 'beta please, number 100';
update ai_training_data set detected_intent = 'gamma' where id = (
  select id from ai_training_data where model_name = 'm' and split = 'train' and detected_intent = 'beta' and not corrected_by_human
    and included_in_training_run is not null order by created_at, id limit 1);
select new_samples from due('m');
update ai_training_data set user_feedback = 'thanks' where model_name = 'm';
select new_samples from due('m');
-- a test row is never learnt; its label counts as new when it is, even when it is changed by hand
update ai_training_data set detected_intent = 'gamma' where id = (
  select id from ai_training_data where model_name = 'm' and split = 'test' and not corrected_by_human and detected_intent = 'alpha'
  order by created_at, id limit 1);
select new_samples from due('m');

-- a training takes them all; one that changes while it runs counts for the next one
select retrain_mark_rows('m', gen_random_uuid(), now() - interval '1 day');
begin;
select run_id from retrain_begin_run('m', 'full', 'by hand', '{}', null, null) \gset
update ai_training_data set correct_intent = 'gamma', corrected_by_human = true where user_message = 'beta please, number 35';
select record_messages('m', '{alpha}', 200, 200);
select retrain_mark_rows('m', :'run_id', now()) > 0 as marked;
select user_message, included_in_training_run is not null as learnt from ai_training_data
where user_message in ('beta please, number 34', 'beta please, number 35', 'beta please, number 36', 'alpha please, number 200')
  and (split is null or split = 'train') order by 1;
rollback;
select status from train_intent_model('m', p_promote => 'never');
select new_samples from due('m');
-- what counts too: a label that is corrected by hand on a row that only measures
update ai_training_data set correct_intent = 'beta', corrected_by_human = true where id = (
  select id from ai_training_data where model_name = 'm' and split = 'test' and not corrected_by_human order by created_at, id limit 1);
update ai_training_data set user_feedback = 'thanks again' where model_name = 'm';
select new_samples from due('m');
select status from train_intent_model('m', p_promote => 'never');
select new_samples from due('m');

-- a failed training is tried again when something has changed, not every five minutes
update ai_models set min_samples = 20, auto_retrain_threshold = 10 where model_name = 'm';
select record_messages('one', '{alpha}', 1, 30);
update ai_models set auto_retrain_threshold = 20 where model_name = 'one';
select status, error_message from retrain_if_due('one');
select * from due('one');
select count(*) from retrain_if_due('one');
select status, last_run_status from ai_retraining_health where model_name = 'one';
select record_messages('one', '{beta}', 1, 1);
select due, new_samples from due('one');
select record_messages('one', '{beta}', 2, 10);
select due, new_samples from due('one');
-- nor before there are enough texts
select record_messages('few', '{alpha,beta}', 1, 5);
update ai_models set auto_retrain_threshold = 5 where model_name = 'few';
select * from due('few');

-- one that fails does not stop the others, and is undone alone
select record_messages('a', '{alpha,beta}', 1, 20);
select record_messages('b', '{alpha,beta}', 1, 20);
update ai_models set auto_retrain_threshold = 20 where model_name in ('a', 'b');
update ai_models set config = '{"c": -1}' where model_name = 'a';
select model_name, status, error_message, model_version_id is null as no_version from retrain_if_due() order by 1;
select count(*) filter (where split is not null) as splits_of_a from ai_training_data where model_name = 'a';
select model_name, status, due from health where model_name in ('a', 'b', 'one') order by 1;
select count(*) from retrain_if_due();
update ai_models set config = '{}' where model_name = 'a';
select model_name, status, deployed from retrain_if_due();

-- off is off, and asked for is due
update ai_models set enabled = false where model_name = 'b';
select record_messages('b', '{alpha,beta}', 21, 40);
select due, reason from due('b');
select count(*) from retrain_if_due('b');
select status from health where model_name = 'b';
insert into ai_retrain_requests (model_name, reason) values ('a', 'somebody was forgotten');
select due, reason from due('a');
select model_name, status from retrain_if_due();
select due, reason from due('a');

-- due for long and nobody has trained it
insert into ai_training_data (model_name, user_message, detected_intent, created_at, label_changed_at)
select 'late', format('%s please, number %s', i, n), i, now() - interval '1 hour', now() - interval '1 hour'
from unnest('{alpha,beta}'::text[]) i, generate_series(1, 60) n;
select retrain_ensure_model('late');
select model_name, status, due_since < now() - interval '59 minutes' as since from ai_retraining_health where model_name = 'late';

-- a model's own query: counted, trained from, and only for the role that gave it
create table tickets as select format('%s please, number %s', i, n) as text, i as intent
from unnest('{alpha,beta}'::text[]) i, generate_series(1, 40) n;
select status from train_intent_model('q', p_source => 'select text, intent from tickets');
select source, source_set_by = current_user as mine from ai_models where model_name = 'q';
select * from due('q');
insert into tickets select format('%s please, number %s', i, n), i from unnest('{alpha,beta}'::text[]) i, generate_series(41, 90) n;
select * from due('q');
select model_name, status, source from retrain_if_due('q');
select due, new_samples from due('q');
-- names in the query are the caller's to find, those around it are not
create function format(text, text) returns text language plpgsql as $$
begin
  raise notice 'this format() runs as the caller';
  return pg_catalog.format($1, $2);
end $$;
select should_retrain('q') -> 'new_samples' as new_samples;
drop function format(text, text);
create role regress_retrain_t;
select grant_retrain_access('regress_retrain_t', 'trainer', 'q') ->> 'success' as ok;
set role regress_retrain_t;
update ai_models set source = 'select ''x'' as text, ''y'' as intent from generate_series(1, 100000)' where model_name = 'q';
update ai_models set source_set_by = 'postgres' where model_name = 'q';
\echo :LAST_ERROR_SQLSTATE
select should_retrain('m');
\echo :LAST_ERROR_SQLSTATE
select due, new_samples from due('q');
\echo :LAST_ERROR_SQLSTATE
select should_retrain('q') ->> 'new_samples' as new_samples;
select model_name from ai_retraining_health;
reset role;
select due, reason from due('q');
select count(*) from retrain_if_due('q');
-- the very same query is the caller's once the caller gives it
select status from train_intent_model('q', p_source => (select source from ai_models where model_name = 'q'));
select source_set_by = current_user as mine from ai_models where model_name = 'q';
select due, reason ~ 'given by' as of_another from due('q');
create table lengths as select n, n % 10 as rest from generate_series(1, 200) n;
grant select on lengths to regress_retrain_t;
select status from train_model('lengths', 'regression', 'select * from lengths', 'n', 'ridge');
select grant_retrain_access('regress_retrain_t', 'trainer', 'lengths') ->> 'success' as ok;
set role regress_retrain_t;
select status from train_model('lengths', 'regression');
\echo :LAST_ERROR_SQLSTATE
select status from train_model('lengths', 'regression', 'select * from lengths');
select status from train_model('lengths', 'regression');
reset role;
select source_set_by, source from ai_models where model_name = 'lengths';
drop owned by regress_retrain_t;
drop table lengths;
update ai_models set source = 'select * from no_such_table' where model_name = 'q';
select due, reason from due('q');
select status, error_message from retrain_if_due('q');
select due, reason from due('q');
update ai_models set source = null where model_name = 'q';
select source_set_by from ai_models where model_name = 'q';
select revoke_retrain_access('regress_retrain_t') ->> 'success' as ok;
drop role regress_retrain_t;

-- a query that ends as people end their queries, and rows of a forecast that are no samples
create table steps as select n, n % 5 as a, n % 5 * 2 as y from generate_series(1, 300) n;
select status from train_model('ends', 'regression', 'select * from steps;', 'y', 'ridge');
select due, reason from due('ends');
select status from train_model('ends', 'regression', E'select * from steps where \'; -- a\' <> \'b\' ; /* all **/ -- of; them;', 'y', 'ridge');
select due, reason from due('ends');
select status from train_forecast('gaps', 'select date ''2000-01-01'' + n as ds, case when n % 3 > 0 then n end as y from generate_series(1, 900) n -- all');
select due, reason from due('gaps');
insert into steps select n, n % 5, n % 5 * 2 from generate_series(301, 400) n;
select due, reason from due('ends');
drop table steps;

-- messages that came by an ordinary insert
insert into ai_training_data (model_name, user_message, detected_intent)
select 'inserted', format('%s please, number %s', i, n), i from unnest('{alpha,beta}'::text[]) i, generate_series(1, 60) n;
select model_name, status from retrain_if_due('inserted');

-- the first training's configuration is the model's, also where messages came before it
select count(record_interaction(format('%s please, number %s', i, n), p_detected_intent => i, p_model_name => 'first'))
from unnest('{alpha,beta}'::text[]) i, generate_series(1, 60) n;
select status from train_intent_model('first', p_config => '{"preset": "classic"}');
select status from train_intent_model('first', p_config => '{"c": 2}');
select config from ai_models where model_name = 'first';
select count(record_interaction(format('%s please, number %s', i, n), p_detected_intent => i, p_model_name => 'first'))
from unnest('{alpha,beta}'::text[]) i, generate_series(61, 120) n;
select status, model_config ->> 'preset' as preset, model_config -> 'c' as c from retrain_if_due('first');

-- without pg_cron; what is missing depends on the server
\set VERBOSITY terse
select schedule_retraining();
\echo :LAST_ERROR_SQLSTATE
select schedule_snapshots();
\echo :LAST_ERROR_SQLSTATE
select unschedule_retraining();
\echo :LAST_ERROR_SQLSTATE
select schedule_retraining(p_model_name => 'nobody');
\echo :LAST_ERROR_SQLSTATE
select schedule_retraining(null);
\echo :LAST_ERROR_SQLSTATE
select schedule_retraining(' ');
\echo :LAST_ERROR_SQLSTATE
select * from retrain_scheduled_jobs();
select retrain_purge_job_runs();
select retrain_job_name('retraining', null) as a, retrain_job_name('retraining', 'm') as b,
  length(retrain_job_name('retraining', repeat('ñ', 200))) <= 63 as short;
select retrain_take_snapshots() = 4 * (select count(*) from ai_models) as taken;

drop view health;
drop function record_messages, due;
drop table tickets;
drop extension pg_retrain;
