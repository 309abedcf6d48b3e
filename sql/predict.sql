-- predict_intent(), predict_intents(), classify_intent(): what they answer. Probabilities appear as comparisons only.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- a model that does not exist, or has no live version, is an answer
select * from predict_intent('hola', 'nobody');
select * from predict_intents(array['hola', null], 'nobody');
select classify_intent('hola', 'nobody');

create function train(p_model text, p_words text default '', p_promote text default 'always', p_config jsonb default '{}')
returns bigint
language sql as $$
  select model_version_id from train_intent_model(p_model, p_config => p_config, p_promote => p_promote, p_source => format($q$
    select format('%%s %s número %%s', w, n) as text, i as intent
    from (values ('envío paquete', 'pedido'), ('cobro recibo', 'factura'), ('cambio talla', 'devolución')) x (w, i),
      generate_series(1, 30) n $q$, p_words));
$$;
select train('default') as first \gset

-- one message
select message, predicted_intent, decision, is_uncertain, model_trained, decision_source,
  abs(confidence - (top_intents ->> predicted_intent)::real) < 1e-5 as agrees,
  model_version = (select version from ai_model_versions where is_active) as live
from predict_intent('¿Dónde está el PAQUETE del envío?');
select p_top, (select count(*) from jsonb_object_keys(p.top_intents)) as intents,
  p.top_intents ? p.predicted_intent as has_the_best,
  (select abs(sum(value::float8) - 1) < 1e-4 from jsonb_each_text(p.top_intents)) as sums_to_one
from (values (0), (1), (2), (3), (5), (1000), (null)) t (p_top), predict_intent('el envío', p_top => p_top) p;
select bool_and(value::float8 <= p.confidence + 1e-5) as best_is_best from predict_intent('el recibo') p, jsonb_each_text(p.top_intents);
select p_top, predict_intent('x', p_top => p_top) from (values (-1)) t (p_top);
\echo :LAST_ERROR_SQLSTATE
select predict_intent('x', p_top => 1001);
select predict_intent('x', null);
\echo :LAST_ERROR_SQLSTATE

-- null, empty and strange messages
select predicted_intent, confidence, top_intents, decision, is_uncertain, model_version is not null as version, model_trained
from predict_intent(null);
select classify_intent(null) is null as null_gives_null;
select length(m) as characters, predicted_intent is not null as answered, confidence > 0 and confidence <= 1 as probability
from unnest(array['', '   ', '😀', 'مرحبا', E'a\u200bb', '''"\{}', repeat('envío ', 100000)]) with ordinality as u (m, n), predict_intent(m)
order by n;

-- many messages: in their order, nulls in their places
select message, predicted_intent, model_trained
from predict_intents(array['talla', null, 'recibo', 'paquete', null, 'talla']);
select array_agg(message) = array_agg('recibo ' || n order by n) as in_order
from predict_intents(array(select 'recibo ' || n from generate_series(1, 500) n)) with ordinality as p
join generate_series(1, 500) n on n = p.ordinality;
select count(*) from predict_intents('{}');
select count(*) from predict_intents(null);

-- three functions, one answer; parallel workers give it too
create temporary table messages as
select format('%s %s', w, n) as m from unnest('{envío,paquete,cobro,recibo,cambio,talla,nada}'::text[]) w, generate_series(1, 300) n;
select count(*), count(*) filter (where classify_intent(m) = (predict_intent(m)).predicted_intent) as same from messages;
create table shared_messages as table messages;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
select (select string_agg(c, ',' order by c) from (select classify_intent(m) || count(*) as c from shared_messages group by classify_intent(m)) x)
  = (select string_agg(c, ',' order by c) from (select classify_intent(m) || count(*) as c from messages group by classify_intent(m)) x) as same;
reset parallel_setup_cost;
reset parallel_tuple_cost;
reset min_parallel_table_scan_size;
drop table shared_messages;

-- a version by its id
select train('default', 'otra', 'never') as second \gset
select p.model_version = v.version as that_one, v.is_active, p.predicted_intent
from ai_model_versions v, predict_intent('el recibo', p_version_id => v.id) p order by v.id;
select train('other') as other \gset
select predict_intent('x', p_version_id => :other);
\echo :LAST_ERROR_SQLSTATE
select predict_intent('x', p_version_id => 0);
select predict_intents('{x}', p_version_id => 1000000);

-- a correction answers at once, however the text is typed, and only in its model
select predicted_intent, decision_source from predict_intent('¿dónde está el PAQUETE?');
select record_interaction('¿Dónde está el paquete?') as id \gset
select detected_intent, confidence_score between 0 and 100 as scored, model_version_id = :first as by_the_live_version
from ai_training_data where id = :'id';
select submit_intent_correction(:'id', 'extravío') ->> 'success' as success;
select predicted_intent, confidence, top_intents, decision, is_uncertain, decision_source
from predict_intent(E'  ¿DONDE   esta el\tPaquete? ');
select classify_intent('¿dónde está el paquete?');
select decision_source from predict_intents(array['¿dónde está el paquete?', 'el paquete']);
select decision_source from predict_intent('¿dónde está el paquete?', 'other');
select decision_source, predicted_intent from predict_intent('¿dónde está el paquete?', p_version_id => :first);
select submit_intent_correction(:'id', 'pedido') ->> 'success' as corrected_again;
select predicted_intent, decision_source from predict_intent('¿dónde está el paquete?');
-- the newest of several, one that was written by hand too
begin;
select record_interaction('¿dónde está el paquete?', p_detected_intent => 'pedido') as by_hand \gset
update ai_training_data set correct_intent = 'a mano', corrected_by_human = true where id = :'by_hand';
select predicted_intent, decision_source from predict_intent('¿dónde está el paquete?');
rollback;
begin;
savepoint s;
select submit_intent_correction(:'id', 'otra cosa') ->> 'success' as in_a_savepoint;
select predicted_intent from predict_intent('¿dónde está el paquete?');
rollback to s;
select predicted_intent from predict_intent('¿dónde está el paquete?');
update ai_training_data set dataset_status = 'rejected' where id = :'id';
select decision_source as rejected from predict_intent('¿dónde está el paquete?');
rollback;
select decision_source from predict_intent('¿dónde está el paquete?');
delete from ai_training_data where id = :'id';
select decision_source as deleted from predict_intent('¿dónde está el paquete?');

-- below the version's threshold the decision is UNCERTAIN, and nothing else changes
update ai_models set confidence_threshold = 1 where model_name = 'default';
select is_uncertain as version_before_the_threshold from predict_intent('el recibo');
select train('default', p_config => '{"calibration": "none"}') as third \gset
select confidence < 1 as below, decision, is_uncertain from predict_intent('el recibo y la talla del paquete');
select confidence_threshold from ai_model_metadata where id = :third;
select classify_intent('el recibo y la talla del paquete') <> 'UNCERTAIN' as classify_gives_the_intent;
update ai_models set confidence_threshold = 0 where model_name = 'default';
select train('default') as fourth \gset
select decision, is_uncertain from predict_intent('el recibo');

-- a transaction sees its own promotion, others never do once it is rolled back
select model_version as before from predict_intent('el recibo') \gset
begin;
select train('default', 'nueva') is not null as trained;
select model_version <> :'before' as new_version from predict_intent('el recibo');
savepoint s;
select rollback_model() ->> 'version' = :'before' as back;
select model_version = :'before' as old_version from predict_intent('el recibo');
rollback to s;
select model_version <> :'before' as new_version from predict_intent('el recibo');
rollback;
select model_version = :'before' as old_version from predict_intent('el recibo');
prepare p as select model_version = $1 as live from predict_intent('el recibo');
execute p (:'before');
select promote_model(:first) ->> 'success' as success;
execute p (:'before');
do $$
declare
  v_version record;
begin
  for v_version in select id, version from ai_model_versions where model_name = 'default' order by id desc loop
    perform promote_model(v_version.id);
    if v_version.version <> (predict_intent('el recibo')).model_version then
      raise exception 'a version answered that is not live';
    end if;
  end loop;
end
$$;

-- predictions write nothing
begin read only;
select predicted_intent from predict_intent('el recibo');
select count(*) from predict_intents('{a,b}');
commit;
select entries > 0 as entries, bytes > 0 as bytes, hits > 0 as hits, misses > 0 as misses from retrain_cache_stats();
set pg_retrain.cache_size = 0;
select p.predicted_intent from ai_model_versions v, predict_intent('el recibo', v.model_name, p_version_id => v.id) p order by v.id;
reset pg_retrain.cache_size;

-- where rounding makes all intents as probable, the answer is among the best all the same
select train('even', p_config => '{"c": 1e-8, "calibration": "none"}') is not null as trained;
select m, predicted_intent, top_intents ? predicted_intent as has_the_answer
from unnest('{el paquete,el recibo,la talla}'::text[]) m, predict_intent(m, 'even', 1);

drop function train;
drop extension pg_retrain;
