-- What an application adds to the extension's tables: triggers that leave rows out, columns that come and go.
create extension pg_retrain;
select count(record_interaction('message ' || n, p_detected_intent => 'intent ' || n % 2)) as recorded from generate_series(1, 40) n;

-- a row that a trigger leaves out was neither recorded, nor imported, nor corrected
create function without_spam() returns trigger language plpgsql as $$
begin
  return case when new.user_message !~ 'spam' then new end;
end
$$;
create trigger without_spam before insert or update on ai_training_data for each row execute function without_spam();
select record_interaction('this is spam') as id, record_interaction('this is spam', p_idempotency_key => 'k') as id_of_key;
select jsonb_pretty(import_training_dataset(array['{"text": "spam again", "intent": "a"}', '{"text": "this is none", "intent": "a"}']));
alter table ai_training_data disable trigger without_spam;
select record_interaction('late spam', p_detected_intent => 'intent 0') is not null as recorded;
alter table ai_training_data enable trigger without_spam;
select submit_intent_correction(id, 'intent 1') from ai_training_data where user_message = 'late spam';
\echo :LAST_ERROR_SQLSTATE
select evaluate_interaction(id, 'thanks') from ai_training_data where user_message = 'late spam';
\echo :LAST_ERROR_SQLSTATE
select count(*) as corrections from ai_intent_corrections;
drop trigger without_spam on ai_training_data;

-- a trigger that names its tables without a schema does not find them in record_interaction(), as it pins the search_path
create table recorded_texts (body text);
create function keep_text() returns trigger language plpgsql as $$
begin
  insert into recorded_texts values (new.user_message);
  return null;
end
$$;
create trigger keep_text after insert on ai_training_data for each row execute function keep_text();
\set VERBOSITY sqlstate
select record_interaction('hello');
\set VERBOSITY default
alter function keep_text() set search_path = public;
select record_interaction('hello') is not null as recorded;
select body from recorded_texts;
drop trigger keep_text on ai_training_data;

-- columns that were added, and are gone again
alter table ai_training_runs add column cost numeric default 1;
alter table ai_training_data add column extra text;
select status, cost from train_intent_model();
alter table ai_training_runs drop column cost;
alter table ai_training_data drop column extra;
select status, task, source_set_by is null as without_source from train_intent_model();
select status, task from train_model('rows', 'regression', 'select n as a, n * n as y from generate_series(1, 100) n', 'y', 'ridge');
select status, task from train_forecast('series', 'select date ''2026-01-01'' + n as ds, n as y from generate_series(1, 60) n');
update ai_models set auto_retrain_threshold = 1;
select count(record_interaction('another ' || n, p_detected_intent => 'intent ' || n % 2)) as recorded from generate_series(1, 4) n;
select status, model_name from retrain_if_due('default');

-- an outcome that a trigger leaves out is nobody else's
select (create_experiment('trial', p_starts_at => '2026-01-01')).name;
select count(assign_variant('trial', 'u' || n)) as units from generate_series(1, 2) n;
create function without_robots() returns trigger language plpgsql as $$ begin return case new.unit_id when 'u2' then null else new end; end $$;
create trigger without_robots before insert on ai_experiment_outcomes for each row execute function without_robots();
select record_outcome('trial', 'u1', '{"conversion": 1}') - 'variant' as outcome;
select record_outcome('trial', 'u2', '{"conversion": 1}');
\echo :LAST_ERROR_SQLSTATE
select record_outcome('trial', 'u2', '{"conversion": 1}', p_idempotency_key => 'k');
\echo :LAST_ERROR_SQLSTATE

drop trigger without_robots on ai_experiment_outcomes;
drop function without_robots;
drop function without_spam, keep_text;
drop table recorded_texts;
drop extension pg_retrain;
