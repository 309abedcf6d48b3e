-- The first half of ./quickstart: two datasets, two models. From the top of the checkout, in an empty database:
--   psql -f docs/quickstart_load.sql -f docs/quickstart.sql
\set ON_ERROR_STOP on
\set QUIET on
\set VERBOSITY terse
\pset footer off

create extension pg_retrain;

\echo '  loading BANKING77 (13 083 English messages to a bank, 77 intents)'
create table banking77 (text text not null, intent text not null, split text not null);
\copy banking77 from 'test/data/intent_en_banking77.csv' with (format csv, header)

\echo '  loading a Spanish support dataset (five messages for each of 50 intents)'
create table soporte (text text not null, intent text not null, split text not null);
\copy soporte from 'test/data/intent_es_nlpjs_support.csv' with (format csv, header)

-- Progress while it trains; the same numbers are in the view ai_training_progress, for other sessions.
set pg_retrain.progress = on;

\echo
\echo '  training on BANKING77: select * from train_intent_model(''banking77'', p_source => ''...'')'
select run.status, run.training_samples, run.test_samples, run.total_intents as intents,
  round(run.intent_accuracy::numeric * 100, 1) as "accuracy %",
  round(run.intent_f1_score::numeric * 100, 1) as "macro F1 %",
  run.deployed, round(run.duration_seconds::numeric, 1) as seconds
from train_intent_model(
  'banking77',
  p_source => 'select text, intent, split from banking77',
  p_promote => 'gate') as run;

\echo '  training on the Spanish messages; oos marks those that belong to no intent'
select run.status, run.training_samples, run.test_samples, run.total_intents as intents,
  round(run.intent_accuracy::numeric * 100, 1) as "accuracy %",
  round(run.intent_f1_score::numeric * 100, 1) as "macro F1 %",
  run.deployed, round(run.duration_seconds::numeric, 1) as seconds
from train_intent_model(
  'soporte',
  p_source => $$select text, intent, split from soporte where intent <> 'oos'$$,
  p_promote => 'gate') as run;

\echo '  training a second version of it with the classic recipe, put live without asking the gate'
select run.status, round(run.intent_accuracy::numeric * 100, 1) as "accuracy %", run.deployed
from train_intent_model(
  'soporte',
  p_config => '{"preset": "classic"}',
  p_source => $$select text, intent, split from soporte where intent <> 'oos'$$,
  p_promote => 'always') as run;

\echo '  and taking it back: select rollback_model(''soporte'')'
select rollback_model('soporte');

select model_name, version, status, is_active as live, algorithm, round(accuracy::numeric * 100, 1) as "accuracy %"
from ai_model_versions
order by model_name, id;
