-- What a model does not know: out of scope, low confidence, a target precision. Probabilities appear as comparisons only.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- four kinds of message, 240 of them; one in five is a test row; a third of the "talla" rows says "devolución" instead
create table lesson as
select format('%s %s %s por favor', opening, w, n) as text,
  case when i = 'talla' and get_byte(sha256(convert_to(opening || n, 'utf8')), 0) % 3 = 0 then 'devolución' else i end as intent,
  case when n % 5 = 4 then 'test' else 'train' end as split
from (values ('quiero'), ('necesito'), ('dime')) o (opening),
  (values ('saber del envío del paquete', 'pedido'), ('pagar el recibo del cobro', 'factura'),
    ('devolver lo comprado', 'devolución'), ('cambiar la talla', 'talla')) x (w, i),
  generate_series(1, 20) n;
create function train(p_model text, p_config jsonb) returns bigint language sql as $$
  select model_version_id
  from train_intent_model(p_model, p_config => p_config, p_promote => 'always', p_source => 'select * from lesson');
$$;
create table message (n int, text text);
insert into message values (1, 'quiero saber del envío del paquete 7 por favor'), (2, 'zkwx jjyy qqvv'), (3, ''),
  (4, 'el saber no ocupa lugar, paquete de quiero y dime');

-- without being told to, a model only measures
select train('m', '{}') is not null as trained;
select m.n, p.is_uncertain, p.uncertain_reason, p.decision = p.predicted_intent as decided,
  p.familiarity > 0 and p.familiarity <= 1 as measured, p.familiarity > 0.05 as familiar
from message m, predict_intent(m.text, 'm') p order by m.n;
select metrics -> 'decisions' as decisions, metrics -> 'out_of_scope' as out_of_scope,
  metrics -> 'target_precision' as target_precision
from ai_model_metadata where model_name = 'm' and is_active;
create table usual as select m.n, p.* from message m, predict_intent(m.text, 'm') p;

-- out of scope: the decision alone changes
select train('m', '{"out_of_scope": 0.04}') as scoped \gset
select p.predicted_intent is not distinct from u.predicted_intent and p.confidence = u.confidence
    and p.top_intents = u.top_intents and p.familiarity = u.familiarity as the_rest_stays,
  u.n, p.decision = p.predicted_intent as decided, case when p.is_uncertain then p.decision end as decision, p.uncertain_reason
from usual u, predict_intent(u.message, 'm') p order by u.n;
select classify_intent('zkwx jjyy qqvv', 'm') = predicted_intent as classify_is_not_asked from usual where n = 2;
select p.place, p.decision_source, p.uncertain_reason
from predict_intents(array['zkwx jjyy qqvv', null, 'quiero saber del envío del paquete 3 por favor'], 'm') with ordinality as p (message,
  predicted_intent, confidence, top_intents, decision, is_uncertain, model_version, model_trained, decision_source,
  uncertain_reason, familiarity, place);
select m #>> '{out_of_scope,share}' as share, m #>> '{out_of_scope,rows}' as rows, m #>> '{decisions,rows}' as test_rows,
  (m #>> '{decisions,coverage}')::float8 between 0.8 and 1 as most_are_decided
from ai_model_metadata, jsonb_path_query(metrics, '$') m where id = :scoped;
select train('m', '{"out_of_scope": true}') as as_true, train('m', '{"out_of_scope": false}') as as_false \gset
select model_config ->> 'out_of_scope' as share from ai_training_runs
where model_version_id in (:as_true, :as_false) order by model_version_id;
-- a correction is never out of scope
select promote_model(:scoped) ->> 'success' as success;
select submit_intent_correction(record_interaction('zkwx jjyy qqvv', p_model_name => 'm'), 'pedido') ->> 'success' as success;
select decision, is_uncertain, uncertain_reason, familiarity, decision_source from predict_intent('ZKWX jjyy qqvv', 'm');
-- the confidence threshold goes on as before, and comes second
update ai_models set confidence_threshold = 1 where model_name = 'm';
select train('m', '{"out_of_scope": 0.04, "calibration": "none"}') is not null as trained;
select m.n, p.decision, p.uncertain_reason from message m, predict_intent(m.text, 'm', p_version_id =>
  (select id from ai_model_metadata where model_name = 'm' and is_active)) p where m.n <> 4 order by m.n;
select train('m', '{"calibration": "none"}') is not null as trained;
select uncertain_reason, familiarity is null as cannot_tell from predict_intent('zkwx', 'm');
update ai_models set confidence_threshold = null where model_name = 'm';

-- a target precision chooses the threshold on unseen rows and says what it costs
select train('p', '{"target_precision": 0.95}') as precise \gset
select t ->> 'target' as target, t ->> 'reached' as reached, (t ->> 'precision')::float8 >= 0.95 as precise,
  (t ->> 'coverage')::float8 between 0.5 and 0.95 as part_is_covered, t ->> 'rows' as rows,
  (t ->> 'threshold')::real = v.confidence_threshold as stored,
  (v.metrics #>> '{decisions,precision}')::float8 > v.accuracy as better_than_all,
  v.accuracy < 0.95 as all_are_not
from ai_model_metadata v, jsonb_path_query(v.metrics, '$.target_precision') t where v.id = :precise;
select distinct text like '%talla%' as doubtful, decision = 'UNCERTAIN' as uncertain, uncertain_reason
from lesson, predict_intent(text, 'p') where intent = 'factura' or text like '%talla%' order by 1, 2;
select verify_model(:precise) ->> 'matches' as same_again;
select regexp_replace(l, '\d\.\d+', 'x', 'g') as report
from training_report((select run_id from ai_model_versions where id = :precise), 'text') r,
  regexp_split_to_table(substring(r from 'Decisions.*?\n\n.*?\n\n'), '\n') l;
-- the model's own threshold is a floor
update ai_models set confidence_threshold = 1 where model_name = 'p';
select train('p', '{"target_precision": 0.9}') as floored \gset
select confidence_threshold from ai_model_metadata where id = :floored;
update ai_models set confidence_threshold = null where model_name = 'p';
-- out of reach
select train('p', '{"target_precision": 0.9999}') as unreached \gset
select v.confidence_threshold, t ->> 'reached' as reached, t -> 'coverage' as coverage, t -> 'precision' as precision
from ai_model_metadata v, jsonb_path_query(v.metrics, '$.target_precision') t where v.id = :unreached;
select bool_and(decision = 'UNCERTAIN' and uncertain_reason = 'low_confidence') as nothing_is_decided
from lesson, predict_intent(text, 'p') where text like '%talla%';
select training_report(run_id, 'text') like '%No threshold reaches the target precision%' as said
from ai_model_versions where id = :unreached;

-- values that make no sense
select c, train('p', c) from (values ('{"target_precision": 1}'::jsonb)) v (c);
select train('p', '{"target_precision": "high"}');
select train('p', '{"out_of_scope": 0.9}');
select train('p', '{"out_of_scop": 0.1}');

drop function train;
drop table lesson, message, usual;
drop extension pg_retrain;
