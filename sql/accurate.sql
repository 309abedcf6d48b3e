-- The preset accurate: networks beside the classifier, weighed with it. It is trained, gated, explained and verified as any other.
create extension pg_retrain;
\set SHOW_CONTEXT never
create table lessons as
select format('%s %s %s', o, w, n) as text, i as intent,
  case when n % 5 = 0 then 'test' when n % 5 = 1 then 'validation' else 'train' end as split
from (values ('envío paquete', 'pedido'), ('cobro recibo', 'factura'), ('cambio talla', 'devolución')) x (w, i),
  (values ('hola'), ('buenas'), ('oiga')) y (o), generate_series(1, 40) n;

select status, model_config ->> 'preset' as preset, model_config ->> 'networks' as networks, model_config ->> 'passes' as passes,
  intent_accuracy, deployed
from train_intent_model('m', p_config => '{"preset": "accurate", "networks": 4, "hidden_units": 32}',
  p_source => 'select text, intent, split from lessons');
select predicted_intent, confidence between 0.5 and 1 as sure, round(sum(value::numeric), 2) as sums_to
from predict_intent('¿dónde está el envío?', 'm'), jsonb_each_text(top_intents)
group by predicted_intent, confidence;

-- contributions and bias add up to the margin: the difference of two margins is the log of the ratio of the probabilities
create function margin(p_message text, p_intent text) returns float8 language sql as $$
  select sum(contribution) from explain_intent(p_message, 'm', p_intent, 1000000);
$$;
select m, count(*), bool_and(abs(margin(m, a.i) - margin(m, b.i)
    - ln((p.top_intents ->> a.i)::float8 / (p.top_intents ->> b.i)::float8)) < 0.02) as adds_up
from unnest(array['el recibo del envío', 'cambio de talla', 'nada de nada', '']) m, predict_intent(m, 'm') p,
  unnest('{pedido,factura,devolución}'::text[]) a (i), unnest('{pedido,factura,devolución}'::text[]) b (i)
where a.i < b.i and (p.top_intents ->> a.i)::float8 > 0.001 and (p.top_intents ->> b.i)::float8 > 0.001
group by m order by m;
select kind, bool_and(abs(contribution - tfidf * weight) < 1e-5) as product
from explain_intent('El recibo del envío', 'm', p_top => 1000) group by kind order by kind;

-- the same again, byte for byte, and on another number of threads
select verify_model(id) ->> 'matches' as matches from ai_model_metadata where model_name = 'm' and is_active;
set pg_retrain.max_threads = 1;
select verify_model(id) ->> 'matches' as matches from ai_model_metadata where model_name = 'm' and is_active;
reset pg_retrain.max_threads;

-- an incremental run goes on from the live version's networks, and so does its verification; what it would have to measure
-- again, it trains again
insert into lessons values ('hola rastreo del envío', 'pedido', 'train'), ('oiga rastreo', 'pedido', 'train');
select model_version_id as version
from train_intent_model('m', 'incremental', p_source => 'select text, intent, split from lessons', p_promote => 'always') \gset
select metrics -> 'start' ->> 'from' as "from", metrics -> 'start' ->> 'calibration' as calibration,
  metrics -> 'start' ->> 'new_rows' as new_rows, metrics -> 'start' ->> 'reason' as reason
from ai_model_versions where id = :version;
select predicted_intent from predict_intent('rastreo', 'm');
select verify_model(:version) ->> 'matches' as matches;
select model_version_id as version from train_intent_model('m', 'incremental', p_config => '{"hidden_units": 48}',
  p_source => 'select text, intent, split from lessons', p_promote => 'never') \gset
select metrics -> 'start' ->> 'calibration' as calibration, metrics -> 'start' ->> 'reason' as reason
from ai_model_versions where id = :version;

-- what does not fit together, or into memory
select train_intent_model('m', p_config => '{"calibration": "sigmoid"}', p_source => 'select text, intent from lessons');
select train_intent_model('m', p_config => '{"hidden_units": 100}', p_source => 'select text, intent from lessons');
set pg_retrain.training_memory = '16MB';
do $$
begin
  perform train_intent_model('m', p_config => '{"networks": 32, "hidden_units": 1024}', p_source => 'select text, intent from lessons');
exception when out_of_memory then
  raise notice '%', sqlerrm;
end $$;

reset pg_retrain.training_memory;
drop function margin;
drop table lessons;
drop extension pg_retrain cascade;
