-- submit_intent_correction() and what training makes of it.
create extension pg_retrain;
\set SHOW_CONTEXT never

select record_interaction('where is it', 'soon', 'greeting', 40) as id \gset
select submit_intent_correction(
  :'id', ' shipping ', 'On its way.', true, 'clear case', '11111111-1111-1111-1111-111111111111');
\x on
select detected_intent, correct_intent, correct_response, corrected_by_human, corrected_by,
  corrected_at is not null as corrected, intent_correct, response_correct, escalated, dataset_status
from ai_training_data where id = :'id';
select original_intent, corrected_intent, original_response, corrected_response, correction_notes,
  should_have_escalated, corrected_by, confidence_at_detection, user_message, was_mismatch, model_name
from ai_intent_corrections where training_data_id = :'id';
\x off

-- the second word replaces the first one, and both are history; what is not said again stays
select submit_intent_correction(:'id', 'greeting');
select correct_intent, correct_response, corrected_by, intent_correct, escalated from ai_training_data where id = :'id';
-- an empty response is none: what is there stays, and nothing is said of it
begin;
select submit_intent_correction(:'id', correct_intent, E' \n') ->> 'success' as success from ai_training_data where id = :'id';
select correct_response, response_correct from ai_training_data where id = :'id';
select record_interaction('sin respuesta', 'la nuestra', 'a') as blank \gset
select submit_intent_correction(:'blank', 'b', '') ->> 'success' as success;
select ai_response, correct_response, response_correct from ai_training_data where id = :'blank';
select corrected_response is null as none from ai_intent_corrections where training_data_id = :'blank';
rollback;
select corrected_intent, was_mismatch from ai_intent_corrections order by created_at;

-- no corrector and no original intent are fine
select record_interaction('mystery') as unknown_id \gset
select submit_intent_correction(:'unknown_id', 'shipping');

-- unknown rows are an answer, a missing intent is an error
select submit_intent_correction('00000000-0000-0000-0000-000000000000', 'shipping');
select submit_intent_correction(null, 'shipping');
select submit_intent_correction(:'id', null);
select submit_intent_correction(:'id', E' \t\n');
\echo :LAST_ERROR_SQLSTATE
select submit_intent_correction(:'id', U&' \00A0\2003\3000\200B\FEFF');
\echo :LAST_ERROR_SQLSTATE
select preview_correction(:'id', U&'\00A0');
\echo :LAST_ERROR_SQLSTATE
select submit_intent_correction(:'id', repeat('z', 1025));
\echo :LAST_ERROR_SQLSTATE
update ai_training_data set correct_intent = repeat('z', 1025) where id = :'id';
\echo :LAST_ERROR_SQLSTATE
select count(*) from ai_intent_corrections;

-- append-only, but a deleted row takes its corrections with it
\set VERBOSITY terse
update ai_intent_corrections set corrected_intent = 'x';
delete from ai_intent_corrections;
\set VERBOSITY default
delete from ai_training_data where id = :'id';
select count(*) from ai_intent_corrections;

-- and TRUNCATE all of them, with leases and what feedback says of its row
insert into ai_feedback (helpful, training_data_id) values (true, :'unknown_id');
select count(submit_intent_correction(:'unknown_id', 'shipping'));
select count(record_interaction('whose is it', p_detected_intent => 'a'));
select count(*) from claim_review_items('ana');
select count(*) from ai_intent_corrections;

-- the training dataset
truncate ai_training_data;
select (select count(*) from ai_intent_corrections) as corrections, (select count(*) from ai_review_leases) as leases,
  (select count(*) from ai_feedback where training_data_id is not null) as feedback_of_rows,
  (select count(*) from ai_feedback) as feedback;
insert into ai_training_data (user_message, detected_intent, ai_response, confidence_score, correct_intent,
  correct_response, corrected_by_human, intent_correct, dataset_status, model_version_id, created_at) values
  ('01 as detected', 'a', 'r', 70, null, null, false, null, 'pending', null, '2026-01-01'),
  ('02 corrected', 'a', 'r', 10, 'b', 'better', true, null, 'reviewed', null, '2026-01-02'),
  ('03 rejected', 'a', 'r', 99, null, null, false, null, 'rejected', null, '2026-01-03'),
  ('04 no intent', null, 'r', 99, null, null, false, null, 'pending', null, '2026-01-04'),
  ('05 unknown', 'unknown', 'r', 99, null, null, false, null, 'pending', null, '2026-01-05'),
  ('06 marked wrong', 'a', 'r', 99, null, null, false, false, 'reviewed', null, '2026-01-06'),
  ('07 own guess', 'a', 'r', 99, null, null, false, null, 'pending', 7, '2026-01-07'),
  ('08 own guess confirmed', 'a', 'r', 60, 'a', null, true, null, 'reviewed', 7, '2026-01-08'),
  ('09 confidence unknown', 'c', 'r', null, null, null, false, null, 'pending', null, '2026-01-09'),
  ('10 same confidence, newer', 'c', 'r', 70, null, null, false, null, 'pending', null, '2026-01-10'),
  ('11 own guess approved', 'c', 'r', 50, null, null, false, null, 'approved', 7, '2026-01-11');
select user_message, intent, response, confidence_score, was_corrected from get_training_dataset();
select user_message from get_training_dataset(p_min_confidence => 60);
select user_message from get_training_dataset(p_only_reviewed => true);
select user_message from get_training_dataset(p_limit => 2);
select user_message from get_training_dataset(p_model_name => 'nobody');
select user_message from get_training_dataset(p_limit => -1);

-- a model that learns from reviewed rows alone
insert into ai_models (model_name, label_source) values ('default', 'reviewed')
  on conflict (model_name) do update set label_source = excluded.label_source;
select user_message from get_training_dataset();
update ai_models set label_source = 'all';

-- the split: once per text, by intent, never moved
truncate ai_training_data;
insert into ai_training_data (user_message, detected_intent)
select format('%s number %s', i.intent, n), i.intent
from (values ('big', 40), ('small', 3), ('single', 1)) i (intent, texts)
cross join lateral generate_series(1, i.texts) n;
insert into ai_training_data (user_message, detected_intent) select user_message, detected_intent from ai_training_data;
select retrain_assign_splits('default');
select detected_intent, split, count(*), count(distinct text_key) as texts
from ai_training_data group by 1, 2 order by 1, 2;
select count(*) as texts_in_two_splits
from (select from ai_training_data group by text_key having count(distinct split) > 1) t;
create temporary table before as select id, text_key, split from ai_training_data;
insert into ai_training_data (user_message, detected_intent)
select format('big number %s', n), 'big' from generate_series(31, 60) n;
insert into ai_training_data (user_message, detected_intent) values ('nobody labelled me', null);
select retrain_assign_splits('default');
select retrain_assign_splits('default') as nothing_left;
select count(*) as moved from ai_training_data d join before b using (id) where d.split is distinct from b.split;
select count(*) as texts_in_two_splits
from (select from ai_training_data group by text_key having count(distinct split) > 1) t;
select split, count(distinct text_key) as texts
from ai_training_data where detected_intent = 'big' group by 1 order by 1;
select split is null as without from ai_training_data where user_message = 'nobody labelled me';

-- the trainer's query can be run as it is
create temporary table seen (text text, intent text, weight float8, split text, created_at timestamptz, human boolean,
  reviewed boolean, labelled_at timestamptz);
do $$ begin execute 'insert into seen ' || retrain_rows_query('default'); end $$;
select split, count(*), bool_or(human) as human, min(weight), max(weight) from seen group by 1 order by 1;
select retrain_rows_query($$o'hara\%s "x"$$) ~ 'o''''hara' as quoted;

-- an edited text may stand in two splits, and a row may come from another model's: what is learnt is not measured
select min(user_message) filter (where split = 'train') as learnt, max(user_message) filter (where split = 'train') as learnt_too,
  min(user_message) filter (where split = 'test') as test, max(user_message) filter (where split = 'test') as test_too,
  min(user_message) filter (where split = 'validation') as checked, percentile_disc(0.5) within group (order by user_message)
    filter (where split = 'train') as learnt_still
from ai_training_data where detected_intent = 'big' \gset
update ai_training_data set user_message = upper(:'test') where user_message = :'learnt';
update ai_training_data set user_message = upper(:'learnt_too') where user_message = :'test_too';
update ai_training_data set user_message = upper(:'learnt_still') where user_message = :'checked';
select retrain_assign_splits('default') as corrected;
select retrain_assign_splits('default') as nothing_left;
select user_message, split from ai_training_data
where lower(user_message) in (:'test', :'learnt_too', :'learnt_still') order by user_message collate "C";
select count(*) as texts_in_two_splits
from (select from ai_training_data group by text_key having count(distinct split) > 1) t;
select count(*) as moved_out_of_the_tests
from ai_training_data d join before b using (id) where b.split = 'test' and d.split <> 'test';
-- a row that is moved to another model is new there
update ai_models set auto_retrain_threshold = 1, min_samples = 1;
select status from train_intent_model();
select should_retrain() ->> 'new_samples' as new;
select record_interaction('somebody else''s', p_detected_intent => 'big', p_model_name => 'another') is not null as recorded;
update ai_training_data set model_name = 'another' where detected_intent = 'big';
select (should_retrain('another') ->> 'new_samples')::integer = count(*) as all_counted
from ai_labelled_data where model_name = 'another';

-- of several labels of one text that counts which a person gave last, in the answer and in the training; then what a person
-- has confirmed, then the newest
truncate ai_training_data;
insert into ai_training_data (user_message, detected_intent, model_name)
select format('%s number %s', i, n), i, 'last' from unnest('{big,small}'::text[]) i, generate_series(1, 20) n;
select status from train_intent_model('last');
insert into ai_training_data (user_message, detected_intent, model_name, created_at) values
  ('twice corrected', 'big', 'last', '2026-01-01'), ('Twice corrected', 'big', 'last', '2026-01-02');
select submit_intent_correction(id, 'earlier') ->> 'success' as done from ai_training_data where user_message = 'Twice corrected';
select submit_intent_correction(id, 'later') ->> 'success' as done from ai_training_data where user_message = 'twice corrected';
insert into ai_training_data (user_message, detected_intent, correct_intent, corrected_by_human, model_name, created_at) values
  ('undated', 'big', 'old', true, 'last', '2026-01-01'), ('undated', 'big', 'new', true, 'last', '2026-01-03'),
  ('undated', 'big', 'middle', true, 'last', '2026-01-02'),
  ('blank', 'big', E' \t', true, 'last', '2026-01-01');
insert into ai_training_data (user_message, detected_intent, intent_correct, model_name, created_at) values
  ('confirmed', 'confirmed', true, 'last', '2026-01-01'), ('confirmed', 'guessed', null, 'last', '2026-01-02'),
  ('recorded', 'first', null, 'last', '2026-01-01'), ('recorded', 'second', null, 'last', '2026-01-02');
update ai_training_data set split = 'train' where split is null;
select t, decision_source, case when decision_source = 'correction' then predicted_intent end as corrected
from unnest('{twice corrected,undated,blank}'::text[]) t, predict_intent(t, 'last');
select model_version_id as last from train_intent_model('last', p_promote => 'never') \gset
select t.intents, v.labels @> t.intents as learnt
from ai_model_versions v, (values ('{later,new,confirmed,second}'::text[]), ('{earlier}'), ('{old}'), ('{middle}'), ('{guessed}'), ('{first}')) t (intents)
where v.id = :last;
-- so it is known where two versions differ: a blank, later than the last word, is none
begin;
insert into ai_training_data (user_message, detected_intent, correct_intent, corrected_by_human, corrected_at, model_name)
values ('twice corrected', 'big', E' \t', true, now() + interval '1 day', 'last');
select distinct known_intent from ai_model_versions v, diff_models('last', v.id, :last)
where v.model_name = 'last' and v.is_active and user_message ~* 'twice corrected';
rollback;
select count(*) as cleaned from (select clean_dataset('last', false)) c;
select predicted_intent from predict_intent('twice corrected', 'last');

drop extension pg_retrain;
