-- embedding_column: a column of the source joins the n-grams, in training and in prediction.
create extension pg_retrain;
\set SHOW_CONTEXT never
create table notes as
select n, format('nota %s w%s', n, n % 20) as text, case when n % 2 = 0 then 'up' else 'down' end as intent,
  case when n % 5 = 0 then 'test' else 'train' end as split,
  array[case when n % 2 = 0 then 2 else -2 end + 0.1 * (n % 7), 0.1 * (n % 3), 1]::real[] as embedding
from generate_series(1, 200) n;

select status, intent_accuracy, model_config ->> 'embedding_column' as embedding_column
from train_intent_model('m', p_config => '{"embedding_column": "embedding"}', p_source => 'select text, intent, split, embedding from notes');
select predicted_intent from predict_intent('nota', 'm', p_embedding => '{5,0,1}');
select predicted_intent from predict_intent('nota', 'm', p_embedding => '{-5,0,1}');
select classify_intent('nota', 'm', '{5,0,1}') as up, classify_intent('nota', 'm', p_embedding => '{-5,0,1}') as down;
select feature, kind from explain_intent('nota', 'm', 'up', 1, p_embedding => '{5,0,1}') where kind = 'embedding';
select verify_model(id) ->> 'matches' as matches from ai_model_metadata where model_name = 'm' and is_active;

-- columns of other types that read as a list of numbers: float8[], numeric[], and text as pgvector writes its values
select status, intent_accuracy from train_intent_model('m', p_promote => 'never',
  p_source => 'select text, intent, split, embedding::float8[] as embedding from notes');
select status, intent_accuracy from train_intent_model('m', p_promote => 'never',
  p_source => $$select text, intent, split, translate(embedding::text, '{}', '[]') as embedding from notes$$);

-- a number too small for single precision is 0, one too large is an error
select status, intent_accuracy, model_version_id as small from train_intent_model('m', p_promote => 'never',
  p_source => 'select text, intent, split, array_append(embedding::float8[], case when n % 2 = 0 then 1e-300 else -4.9e-324 end) as embedding from notes') \gset
select status, model_version_id as zero from train_intent_model('m', p_promote => 'never',
  p_source => 'select text, intent, split, array_append(embedding::float8[], 0) as embedding from notes') \gset
select :'status' as status, a.artifact = b.artifact as as_zero from ai_model_versions a, ai_model_versions b where a.id = :small and b.id = :zero;
select train_intent_model('m', p_source => 'select text, intent, case when n <> 7 then embedding::float8[] else ''{1e39,1,2}'' end as embedding from notes');
\echo :LAST_ERROR_SQLSTATE
-- whatever the type that holds it
select status, model_version_id as small from train_intent_model('m', p_promote => 'never',
  p_source => 'select text, intent, split, array_append(embedding::numeric[], case when n % 2 = 0 then 1e-300 else -1e-60 end) as embedding from notes') \gset
select :'status' as status, a.artifact = b.artifact as as_zero from ai_model_versions a, ai_model_versions b where a.id = :small and b.id = :zero;
select train_intent_model('m', p_source => 'select text, intent, case when n <> 7 then embedding::numeric[] else ''{1e39,1,2}'' end as embedding from notes');
\echo :LAST_ERROR_SQLSTATE

-- what is missing or wrong is named
select predict_intent('nota', 'm');
select classify_intent('nota', 'm', '{1,2}');
select predict_intent('nota', 'm', p_embedding => '{1,NaN,3}');
select predict_intent('nota', 'm', p_embedding => '{1,null,3}');
select predict_intent('nota', 'm', p_embedding => '{{1,2,3}}');
select predict_intents('{nota}', 'm');
select train_intent_model('m', p_source => 'select text, intent from notes');
select train_intent_model('m', p_source => 'select text, intent, case when n <> 7 then embedding end as embedding from notes');
select train_intent_model('m', p_source => 'select text, intent, case when n <> 7 then embedding else ''{1}'' end as embedding from notes');
select train_intent_model('m', p_source => 'select text, intent, text as embedding from notes');
select train_intent_model('m');
select train_intent_model('n', p_config => '{"embedding_column": 5}', p_source => 'select text, intent from notes');

-- recording goes on without a guess; a version that takes no embedding takes no notice of one
select record_interaction('una nota', p_model_name => 'm') is not null as recorded;
-- a model of another kind
select status from train_model('t', 'classification', 'select n, n % 2 as x, intent as y from notes', 'y');
select record_interaction('una nota', p_model_name => 't') is not null as recorded;

-- review: what was recorded stands in for the predictions that texts alone do not give
select record_interaction('otra nota', 'r', 'up', 30, 'm') is not null as recorded;
select user_message, detected_intent, predicted_intent, predicted_confidence, score
from get_review_queue(5, 'least_confidence', 'm');
select user_message, score from get_review_queue(5, 'margin', 'm');
select user_message, score from get_review_queue(5, 'entropy', 'm');
select user_message, score from get_review_queue(5, 'novelty', 'm');
\set VERBOSITY terse
select user_message from get_review_queue(5, 'disagreement', 'm');
\set VERBOSITY default
select id as otra from ai_training_data where model_name = 'm' and user_message = 'otra nota' \gset
select p ->> 'success' as success, p ->> 'current_prediction' as now, p ->> 'answer_changes' as changes
from preview_correction(:'otra', 'down') p;
\set VERBOSITY terse
select diff_models('m', min(id), max(id)) from ai_model_metadata where model_name = 'm';
\set VERBOSITY default

-- a corrected text needs no embedding: the correction answers
select submit_intent_correction(:'otra', 'down') ->> 'success' as success;
select classify_intent('otra nota', 'm');
select predicted_intent, confidence, top_intents, decision_source, model_version is not null as versioned
from predict_intent('Otra  nota', 'm');
select message, predicted_intent, decision_source from predict_intents('{otra nota}', 'm');
select message, predicted_intent from predict_intents('{otra nota,nota}', 'm');
select p ->> 'current_prediction' as now, p ->> 'current_source' as source, p ->> 'answer_changes' as changes
from preview_correction(:'otra', 'down') p;
-- nor does it hide that the others have none
select record_interaction('otra nota', 'r', 'up', 30, 'm', p_idempotency_key => 'again') is not null as recorded;
select record_interaction('una tercera', 'r', 'up', 30, 'm') is not null as recorded;
update ai_training_data set created_at = now() + interval '1 hour' where idempotency_key = 'again';
\set VERBOSITY terse
select user_message from get_review_queue(5, 'disagreement', 'm');
\set VERBOSITY default
select kind from explain_intent('otra nota', 'm', p_top => 1, p_embedding => '{5,0,1}') order by kind;
select explain_intent('otra nota', 'm');

select status from train_intent_model('plain', p_source => 'select text, intent from notes');
select predicted_intent is not null as answered from predict_intent('nota', 'plain', p_embedding => '{1,2}');

drop table notes;
drop extension pg_retrain cascade;
