-- train_intent_model(): what becomes of rows, and which runs fail. Numbers of a model appear as comparisons only.
create extension pg_retrain;
\set SHOW_CONTEXT never
set timezone = 'UTC';

-- Distinct messages for each intent, whose words tell the intent.
create function record_messages(p_model text, p_intents text[], p_from integer, p_to integer) returns bigint
language sql as $$
  insert into ai_training_data (model_name, user_message, detected_intent)
  select p_model, format('%s please, number %s', i, n), i from unnest(p_intents) i, generate_series(p_from, p_to) n;
  select count(*) from ai_training_data where model_name = p_model;
$$;

-- expected failures are runs, not errors, and nothing becomes live
select status, error_message, deployed, model_version_id from train_intent_model('empty');
select record_messages('few', '{alpha}', 1, 10), record_messages('few', '{beta}', 1, 9);
select status, error_message, training_samples, test_samples from train_intent_model('few');
insert into ai_training_data (model_name, user_message, detected_intent) values ('few', 'BETA  please,  number 9', 'beta');
select error_message as same_text_counts_once from train_intent_model('few');
select record_messages('few', '{beta}', 10, 10);
select status, deployed from train_intent_model('few');
select record_messages('one', '{alpha}', 1, 25);
select status, error_message from train_intent_model('one');
select status, error_message from train_intent_model('tested', p_source => $$
  select 'text ' || n as text, 'intent ' || n % 2 as intent, 'test' as split from generate_series(1, 30) n $$);
select model_name, status, error_message is not null as explained, completed_at >= started_at as timed, deployed
from ai_training_runs order by created_at;
select model_name, version ~ '^v\d{8}_\d{6}$' as named, status from ai_model_versions;

-- a failed run leaves the live version
update ai_models set min_samples = 1000 where model_name = 'few';
select status, error_message, baseline_version_id is not null as had_one from train_intent_model('few');
select count(*) as live from ai_model_versions where model_name = 'few' and is_active;
select model_trained from predict_intent('alpha', 'few');

-- counts: 70, 15 and 15 percent of the distinct texts of each intent
select record_messages('counts', '{alpha,beta,gamma}', 1, 20);
insert into ai_training_data (model_name, user_message, detected_intent) values
  ('counts', 'alpha please, number 1', 'alpha'), ('counts', 'nobody said', null), ('counts', 'who knows', 'unknown'),
  ('counts', 'undecided', 'UNCERTAIN'), ('counts', 'blank label', E' \t\n ');
insert into ai_training_data (model_name, user_message, detected_intent, dataset_status)
values ('counts', 'thrown out', 'delta', 'rejected');
select status, run_type, run_name, training_samples, validation_samples, test_samples, total_intents, deployed,
  intent_accuracy, intent_f1_score, dataset_filters - 'digest' as dataset, error_message, source, triggered_by = current_user as by_me
from train_intent_model('counts', 'incremental', 'the first one') \gx
select split, count(distinct text_key) as texts from ai_training_data where model_name = 'counts' group by 1 order by 1;
select dataset_status, split, included_in_training_run is not null as included,
  count(distinct text_key) as texts
from ai_training_data where model_name = 'counts' group by 1, 2, 3 order by 1, 2, 3;
select key, jsonb_typeof(value) from ai_training_runs, jsonb_each(to_jsonb(ai_training_runs))
where model_name = 'counts' and jsonb_typeof(value) in ('object', 'array') order by key;
select per_intent_metrics -> 'alpha' ->> 'support' as support, confusion_matrix -> 'alpha' as confused
from ai_training_runs where model_name = 'counts';

-- shares are for queries: what recorded rows have is not changed by them, and the run says so
select test_samples, warnings -> 0 ->> 'code' as code from train_intent_model('counts', p_config => '{"split": [1, 0, 0]}', p_promote => 'never');
select warnings from train_intent_model('counts', p_promote => 'never');

-- the split sticks: a test text stays one through retrainings, new labels and new texts
create temporary table splits as select distinct text_key, split from ai_labelled_data where model_name = 'counts';
select record_messages('counts', '{alpha,beta,gamma}', 21, 40);
update ai_training_data set correct_intent = 'beta', corrected_by_human = true
where model_name = 'counts' and user_message like 'alpha please, number 1_';
select status, training_samples, validation_samples, test_samples from train_intent_model('counts', p_promote => 'never');
update ai_training_data set split = null where model_name = 'counts' and user_message = 'nobody said';
select status, training_samples, validation_samples, test_samples from train_intent_model('counts', p_promote => 'never');
select count(*) as moved from splits s join ai_training_data d using (text_key)
where d.model_name = 'counts' and d.split is distinct from s.split;
select count(*) as in_two_splits from (
  select from ai_training_data where model_name = 'counts' group by text_key having count(distinct split) > 1) t;
select count(*) filter (where d.split = 'train') as test_rows_that_train, count(*) as test_rows
from splits s join ai_training_data d using (text_key) where d.model_name = 'counts' and s.split = 'test';

-- a query without a split column: by the text, so that it is the same every time and for every spelling
select status, training_samples + validation_samples + test_samples as texts, training_samples between 600 and 800 as train,
  validation_samples between 100 and 200 as validation, test_samples between 100 and 200 as test,
  dataset_filters ->> 'duplicates' as duplicates, dataset_filters ->> 'ignored' as ignored
from train_intent_model('query', p_source => $$
  select format('%s please, number %s', i, n) as text, i as intent from unnest('{alpha,beta}'::text[]) i, generate_series(1, 500) n
  union all select upper(format('alpha please, number %s', n)), 'alpha' from generate_series(1, 50) n
  union all select unnest('{"", "  ", null, "​"}'::text[]), 'alpha'
  union all select 'no intent', unnest('{"", null}'::text[]) $$);
select test_samples = (select test_samples from ai_training_runs where model_name = 'query') as same
from train_intent_model('other', p_config => '{"seed": 7}', p_source => $$
  select upper(format('%s please, number %s', i, n)) as text, i as intent from unnest('{alpha,beta}'::text[]) i, generate_series(1, 500) n $$);
select validation_samples, test_samples from train_intent_model('other', p_config => '{"split": [1, 0, 0]}', p_source => $$
  select format('%s please, number %s', i, n) as text, i as intent from unnest('{alpha,beta}'::text[]) i, generate_series(1, 500) n $$);

-- a split column is taken at its word; without test rows there are no numbers
select training_samples, validation_samples, test_samples, intent_accuracy is not null as measured
from train_intent_model('given', p_source => $$
  select format('%s please, number %s', i, n) as text, i as intent,
    (array['train', 'training', 'val', 'dev', 'valid', 'validation', 'test'])[1 + n % 7]::varchar as split
  from unnest('{alpha,beta}'::text[]) i, generate_series(1, 35) n $$);
select status, test_samples, intent_accuracy, intent_f1_score, confusion_matrix, misclassified, deployed, gate ->> 'rule' as rule
from train_intent_model('untested', p_source => $$
  select format('%s please, number %s', i, n) as text, i as intent, 'train' as split
  from unnest('{alpha,beta}'::text[]) i, generate_series(1, 20) n $$);

-- one text, several labels: a person's wins over a newer machine's, else the newest; corrections are left aside here
select record_messages('labels', '{alpha,beta}', 1, 20);
insert into ai_training_data (model_name, user_message, detected_intent, correct_intent, corrected_by_human, created_at, split) values
  ('labels', 'zeta omega', 'alpha', 'beta', true, '2026-01-01', 'train'),
  ('labels', 'Zeta  Omega', 'alpha', null, false, '2026-02-01', 'train'),
  ('labels', 'theta iota', 'beta', null, false, '2026-01-01', 'train'),
  ('labels', 'Theta Iota', 'alpha', null, false, '2026-02-01', 'train');
select model_version_id as id from train_intent_model('labels') \gset
select (predict_intent('zeta omega', 'labels', p_version_id => :id)).predicted_intent as person,
  (predict_intent('theta iota', 'labels', p_version_id => :id)).predicted_intent as newest;

-- weights: of rows, and of rows that a person labelled; the numbers are too rare to count, so all texts look the same
create function heavier(p_alpha float8, p_beta float8) returns text language plpgsql as $$
begin
  perform train_intent_model('weights', p_config => '{"min_df": 15, "char_ngrams": null, "class_weight": "none"}', p_promote => 'always', p_source => format($q$
    select format('same words %%s', n) as text, case n %% 2 when 0 then 'alpha' else 'beta' end as intent,
      case n %% 2 when 0 then %s else %s end as weight, 'train' as split
    from generate_series(1, 40) n $q$, p_alpha, p_beta));
  return classify_intent('same words', 'weights');
end
$$;
select heavier(10, 1) as heavy_alpha, heavier(1, 10) as heavy_beta;
create function heavier_people(p_weight real) returns text language plpgsql as $$
begin
  update ai_models set human_weight = p_weight where model_name = 'people';
  perform train_intent_model('people', p_config => '{"min_df": 15, "char_ngrams": null, "class_weight": "none"}', p_promote => 'always');
  return classify_intent('same words', 'people');
end
$$;
insert into ai_training_data (model_name, user_message, detected_intent, correct_intent, corrected_by_human, split)
select 'people', format('same words %s', n), 'alpha', case when n % 3 = 0 then 'beta' end, n % 3 = 0, 'train'
from generate_series(1, 60) n;
insert into ai_models (model_name) values ('people');
select heavier_people(1) as ordinary, heavier_people(20) as heavy;

-- the same rows give the same bytes: in any order, on any number of threads
create function digest_of(p_order text, p_threads text, p_config jsonb) returns text language plpgsql as $$
declare
  v_run ai_training_runs;
begin
  perform set_config('pg_retrain.max_threads', p_threads, true);
  v_run := train_intent_model('bytes', p_config => p_config, p_promote => 'never', p_source => format($q$
    select format('%%s please, number %%s', chr(97 + n %% 40), n) as text, 'intent ' || n %% 40 as intent
    from generate_series(1, 400) n order by n %s $q$, p_order));
  return (select artifact_sha256 from ai_model_versions where id = v_run.model_version_id);
end
$$;
select config, count(distinct digest) as digests from (
  values ('{}'::jsonb), ('{"preset": "classic"}'), ('{"classifier": "logistic_regression"}')) c (config)
cross join lateral (
  values (digest_of('asc', '1', config)), (digest_of('desc', '1', config)), (digest_of('asc', '4', config))) d (digest)
group by config order by config;

-- an incremental run starts from the live version, takes in new intents and new words, says what it did, and can be verified
create table lessons as
  select format('%s %s please, number %s', i, chr(97 + n % 7), n) as text, i as intent,
    case when n % 5 = 4 then 'test' else 'train' end as split, 1 as batch
  from unnest('{alpha,beta,gamma,delta}'::text[]) i, generate_series(1, 100) n;
select status from train_intent_model('grows', 'incremental', p_source => 'select text, intent, split from lessons where batch = 1');
select jsonb_pretty(metrics -> 'start') as from_nothing from ai_model_metadata where model_name = 'grows';
insert into lessons select format('zeppelin %s, number %s', i, n), i, 'train', 2 from unnest('{alpha,omega}'::text[]) i, generate_series(1, 5) n;
select model_version_id as grown, status, run_type, total_intents
from train_intent_model('grows', 'incremental', p_promote => 'always', p_source => 'select text, intent, split from lessons') \gset
select :'status' as status, :'run_type' as run_type, :total_intents as intents, jsonb_pretty(metrics -> 'start') as start
from ai_model_metadata where id = :grown;
select classify_intent('omega', 'grows'), classify_intent('zeppelin alpha', 'grows');
select verify_model(:grown) ->> 'matches' as the_same_again;
select model_version_id as full from train_intent_model('grows', p_promote => 'never', p_source => 'select text, intent, split from lessons') \gset
select metrics ? 'start' as a_full_run_starts_nowhere from ai_model_metadata where id = :full;
select count(*) filter (where p.predicted_intent <> q.predicted_intent) as answered_otherwise
from lessons, predict_intent(text, 'grows', p_version_id => :grown) p, predict_intent(text, 'grows', p_version_id => :full) q;
-- without its state, or without the version it came from
select promote_model(import_model(export_model(:grown), 'moved'), 'from elsewhere') is not null as moved;
select model_version_id as after_moving from train_intent_model('moved', 'incremental', p_source => 'select text, intent, split from lessons') \gset
select metrics #>> '{start,reason}' as reason from ai_model_metadata where id = :after_moving;
\set VERBOSITY terse
update ai_model_versions set training_state = null where id = :grown;
\set VERBOSITY default
select drop_model_version(min(id)) is not null as dropped from ai_model_versions where model_name = 'grows';
\set VERBOSITY sqlstate
select verify_model(:grown);
\set VERBOSITY default

-- every recipe learns what words tell, and an intent of a single row breaks none
select config, (r).status, (r).total_intents, (r).intent_accuracy = 1 as right_on_all_test_rows
from (values ('{}'::jsonb), ('{"preset": "classic"}'), ('{"calibration": "none"}'), ('{"calibration": "sigmoid"}'),
  ('{"classifier": "logistic_regression"}'), ('{"class_weight": "balanced"}'), ('{"text_stats": true}'),
  ('{"char_ngrams": null}'), ('{"word_ngrams": null}'), ('{"max_features": 50}'), ('{"folds": 20}'), ('{"min_df": 2}')) c (config)
cross join lateral train_intent_model('recipes', p_config => config, p_promote => 'always', p_source => $$
  select format('%s please, number %s', i, n) as text, i as intent, case when n % 5 = 0 then 'test' else 'train' end as split
  from unnest('{alpha,beta,gamma,delta}'::text[]) i, generate_series(1, 25) n
  union all select 'the only one of its kind', 'single', 'train' $$) r;
-- nothing to learn from
select status, error_message from train_intent_model('recipes', p_config => '{"word_ngrams": [5, 5], "char_ngrams": null}', p_source => $$
  select format('%s please, number %s', i, n) as text, i as intent from unnest('{alpha,beta}'::text[]) i, generate_series(1, 25) n $$);

-- intents that have held-out rows alone are not learnt, and the run and its report say so; also where nothing can be learnt then
create temporary view held_out as
select format('%s please, number %s', i, n) as text, i as intent,
  case when i like 'held%' then 'validation' when n % 5 = 0 then 'test' else 'train' end as split
from unnest('{alpha,beta,held 1,held 2}'::text[]) i, generate_series(1, 25) n;
select status, total_intents, warnings - 0 as other_warnings, w.*
from train_intent_model('held out', p_source => 'select * from held_out') as run,
  jsonb_to_record(run.warnings -> 0) as w (code text, intents integer, example text, message text) \gx
select line from ai_training_runs r, string_to_table(training_report(r.id), E'\n') line
where r.model_name = 'held out' and line ~ '^(## Warnings|- )';
select status, error_message, warnings -> 0 ->> 'message' as warning
from train_intent_model('held out', p_source => $$select * from held_out where intent in ('alpha', 'held 1')$$) \gx
select status, warnings from train_intent_model('held out', p_source => $$select * from held_out where intent in ('alpha', 'beta')$$);
-- beside the warnings that the run began with
begin;
insert into ai_training_data (model_name, user_message, detected_intent, split, source)
select 'counts', 'held out text ' || n, 'held', 'test', 'imported' from generate_series(1, 3) n;
select jsonb_path_query_array(warnings, '$.code') as codes
from train_intent_model('counts', p_config => '{"split": [1, 0, 0]}', p_promote => 'never');
rollback;

-- texts of every kind
select status, training_samples, dataset_filters - 'digest' as dataset from train_intent_model('texts', p_source => $$
  select t || ' ' || n as text, 'intent ' || n % 2 as intent, 'train' as split
  from unnest(array['😀😀', 'مرحبا', 'שלום', '你好世界', E'a\u200bb', E'tab\tnewline\n', repeat('long ', 2000)]) t,
    generate_series(1, 6) n $$);

-- not in a read-only transaction, not beyond the memory that is allowed
begin read only;
select train_intent_model('counts');
\echo :LAST_ERROR_SQLSTATE
rollback;
\set VERBOSITY sqlstate
set pg_retrain.training_memory = '1MB';
select train_intent_model('large', p_source => $$
  select md5(n::text) || ' ' || md5((-n)::text) as text, 'intent ' || n % 2 as intent from generate_series(1, 20000) n $$);
reset pg_retrain.training_memory;
\set VERBOSITY default
select count(*) from ai_training_runs where status = 'running' or model_name = 'large';

-- a row that is dated ahead is learnt like any other, and verifying finds it
select record_messages('ahead', '{alpha,beta}', 1, 30);
update ai_training_data set created_at = now() + interval '1 day' where model_name = 'ahead' and user_message = 'alpha please, number 1';
select deployed from train_intent_model('ahead');
select record_messages('ahead', '{alpha,beta}', 31, 32);
select verify_model(max(id)) ->> 'matches' as matches from ai_model_metadata where model_name = 'ahead';

-- a model's own guess is learnt once a person has reviewed it, by whatever column says so
insert into ai_training_data (model_name, user_message, detected_intent, model_version_id, dataset_status, intent_correct)
select 'ahead', 'own guess ' || n, 'alpha', 1, (array['pending', 'reviewed', 'approved', 'pending'])[n], case n when 4 then true end
from generate_series(1, 4) n;
select user_message from ai_labelled_data where model_name = 'ahead' and user_message ~ '^own' order by 1;

drop function record_messages, heavier, heavier_people, digest_of;
drop table lessons;
drop extension pg_retrain;
