-- explain_intent(): contributions and bias add up to the margin, and margins to the probabilities.
create extension pg_retrain;
\set SHOW_CONTEXT never
create function train(p_config jsonb) returns bigint language sql as $$
  select model_version_id from train_intent_model('m', p_config => p_config, p_promote => 'always', p_source => $q$
    select format('%s número %s', w, n) as text, i as intent
    from (values ('envío paquete', 'pedido'), ('cobro recibo', 'factura'), ('cambio talla', 'devolución')) x (w, i),
      generate_series(1, 30) n $q$);
$$;
create function margin(p_message text, p_intent text) returns float8 language sql as $$
  select sum(contribution) from explain_intent(p_message, 'm', p_intent, 1000000);
$$;
create view messages as
select * from unnest(array['¿dónde está el envío?', 'el recibo del envío', 'Cambio de TALLA, cambio', 'nada de nada', '']) with ordinality u (m, n);

-- logistic regression without calibration: the difference of two margins is the log of the ratio of the probabilities
select train('{"classifier": "logistic_regression", "calibration": "none"}') is not null as trained;
select m, bool_and(abs(margin(m, a.i) - margin(m, b.i)
    - ln((p.top_intents ->> a.i)::float8 / (p.top_intents ->> b.i)::float8)) < 0.01) as adds_up
from messages, predict_intent(m, 'm') p, unnest('{pedido,factura,devolución}'::text[]) a (i), unnest('{pedido,factura,devolución}'::text[]) b (i)
group by m, n order by n;

-- softmax calibration: the same up to one temperature for all pairs
select train('{"text_stats": true}') is not null as trained;
select m, (select i from unnest('{pedido,factura,devolución}'::text[]) i order by margin(m, i) desc limit 1) = p.predicted_intent as best_margin_wins
from messages, predict_intent(m, 'm') p order by n;
with pairs as (
  select ln((p.top_intents ->> a.i)::float8 / (p.top_intents ->> b.i)::float8) / (margin(m, a.i) - margin(m, b.i)) as inverse_temperature
  from messages, predict_intent(m, 'm') p, unnest('{pedido,factura,devolución}'::text[]) a (i), unnest('{pedido,factura,devolución}'::text[]) b (i)
  where a.i < b.i and m like 'el recibo del%' and (p.top_intents ->> a.i)::float8 > 0.001 and (p.top_intents ->> b.i)::float8 > 0.001
)
select count(*) > 0 and max(inverse_temperature) - min(inverse_temperature) < 0.02 * max(inverse_temperature) as one_temperature from pairs;

-- what the rows look like
select kind, count(*) > 0 as there, bool_and(abs(contribution - tfidf * weight) < 1e-6) as product, bool_and(tfidf >= 0) as not_negative
from explain_intent('¿El recibo del envío?', 'm', p_top => 1000) group by kind order by kind;
select feature, kind from explain_intent('recibo', 'm', 'factura', 1000) where kind in ('word', 'bias') order by kind, feature;
select kind = 'bias' as bias_comes_last from explain_intent('recibo', 'm') with ordinality e order by ordinality desc limit 1;
select bool_and(abs(contribution) <= previous) as largest_first from (
  select contribution, lag(abs(contribution)) over (order by ordinality) as previous
  from explain_intent('el recibo del envío', 'm', p_top => 1000) with ordinality e where kind <> 'bias') x;
select p_top, count(*) from (values (1), (3), (null)) t (p_top), explain_intent('el recibo del envío', 'm', p_top => p_top) group by 1 order by 1;
select contribution > 0 as speaks_for from explain_intent('recibo', 'm', 'factura') where feature = 'recibo' and kind = 'word';
select contribution < 0 as speaks_against from explain_intent('recibo', 'm', 'pedido') where feature = 'recibo' and kind = 'word';
select count(*) = 13 as statistics_and_bias from explain_intent('qwxyz', 'm', p_top => 1000) where kind in ('stat', 'bias');
select count(*) from explain_intent(null, 'm');
select tfidf > 0 as accents_do_not_matter from explain_intent('ENVIO', 'm') where feature = 'envio';

-- a version by its id; the default is the predicted intent
select train('{}') as second \gset
select count(*) filter (where kind = 'stat') as statistics from explain_intent('recibo', 'm', p_top => 1000);
select count(*) filter (where kind = 'stat') > 0 as statistics
from explain_intent('recibo', 'm', p_top => 1000, p_version_id => :second - 1);
select sum(contribution) = margin('recibo', 'factura') as predicted_intent from explain_intent('recibo', 'm', p_top => 1000);

-- errors
\set VERBOSITY sqlstate
select * from explain_intent('recibo', 'm', 'reclamación');
\set VERBOSITY default
select * from explain_intent('recibo', 'nobody');
\echo :LAST_ERROR_SQLSTATE
select * from explain_intent('recibo', 'm', p_top => 0);
\echo :LAST_ERROR_SQLSTATE
select * from explain_intent('recibo', null);
select * from explain_intent('recibo', 'm', p_version_id => 999);
\echo :LAST_ERROR_SQLSTATE

drop view messages;
drop function train, margin;
drop extension pg_retrain;
