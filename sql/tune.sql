-- "tune": true chooses n-grams and c by cross-validation and records what it tried.
create extension pg_retrain;
\set SHOW_CONTEXT never
-- whether two words agree decides, and single words say nothing
create table pairs as
select format('n%s %s %s', n / 4, (array['uno', 'dos'])[1 + n % 2], (array['uno', 'dos'])[1 + n / 2 % 2]) as text,
  case when n % 2 = n / 2 % 2 then 'same' else 'other' end as intent, case when n % 5 = 0 then 'test' else 'train' end as split
from generate_series(0, 399) n;
select status, (model_config #>> '{word_ngrams,1}')::int >= 2 as pairs_of_words, model_config ->> 'tune' as tune, intent_accuracy >= 0.95 as learnt
from train_intent_model('m', p_config => '{"tune": true, "word_ngrams": [1, 1]}', p_source => 'select text, intent, split from pairs');
select (t ->> 'rows')::int as rows, jsonb_array_length(t -> 'trials') >= 8 as tried,
  (select count(*) from jsonb_array_elements(t -> 'trials') x where (x ->> 'chosen')::boolean) as chosen,
  t #>> '{trials,0,word_ngrams}' as first_words, (t #>> '{trials,0,chosen}')::boolean as first_chosen
from (select metrics -> 'tuning' as t from ai_model_metadata where model_name = 'm' and is_active) v;
select verify_model(id) ->> 'matches' as matches from ai_model_metadata where model_name = 'm' and is_active;
-- an incremental training keeps what the live version's tuning chose; one that asks for something else tunes
select model_version_id as kept, model_config = (select o.model_config from ai_training_runs o where o.model_name = 'm' order by o.created_at limit 1) as same
from train_intent_model('m', 'incremental', p_config => '{"tune": true, "word_ngrams": [1, 1]}', p_promote => 'never',
  p_source => 'select text, intent, split from pairs union all select ''n100 uno uno'', ''same'', ''train''') \gset
select :'same' as same, metrics #>> '{start,tuning}' as tuning, metrics -> 'tuning' as tried, metrics #>> '{start,from}' as "from"
from ai_model_metadata where id = :kept;
select model_version_id as tuned from train_intent_model('m', 'incremental', p_config => '{"tune": true, "word_ngrams": [1, 1], "seed": 7}', p_promote => 'never',
  p_source => 'select text, intent, split from pairs') \gset
select metrics #>> '{start,tuning}' as tuning, jsonb_array_length(metrics #> '{tuning,trials}') >= 8 as tried
from ai_model_metadata where id = :tuned;
-- the model's own configuration still asks for it: the next full training tunes again
select config ->> 'tune' as tune from ai_models where model_name = 'm';
select train_intent_model('m', p_config => '{"tune": 1}', p_source => 'select text, intent from pairs');

drop table pairs;
drop extension pg_retrain cascade;
