-- Review: views, queue, leases, previews, comparing versions, forgetting a person.
create extension pg_retrain;
\set SHOW_CONTEXT never

insert into ai_training_data (user_message, detected_intent, ai_response, confidence_score, dataset_status,
  corrected_by_human, correct_intent, intent_correct, model_name, created_at, user_id, escalated) values
  ('unknown confidence', 'a', 'r', null, 'pending', false, null, null, 'default', now() - interval '1 day', 'u1', false),
  ('low', 'a', 'r', 10, 'pending', false, null, null, 'default', now() - interval '2 days', 'u1', true),
  ('low but newer', 'a', 'r', 10, 'pending', false, null, null, 'default', now() - interval '1 day', null, false),
  ('high', 'b', 'r', 99, 'pending', false, null, null, 'default', now() - interval '1 day', null, false),
  ('spam', 'b', 'r', 5, 'rejected', false, null, null, 'default', now() - interval '3 days', null, false),
  ('SPAM', 'b', 'r', 5, 'pending', false, null, null, 'default', now() - interval '1 day', null, false),
  ('spam', 'b', 'r', 5, 'pending', false, null, null, 'other', now() - interval '1 day', null, false),
  ('corrected', 'b', 'r', 50, 'reviewed', true, 'a', null, 'default', now() - interval '1 day', null, false),
  ('confirmed', 'b', 'r', 50, 'pending', false, null, true, 'default', now() - interval '1 day', null, false),
  ('old', 'b', 'r', 50, 'reviewed', true, 'b', null, 'default', now() - interval '40 days', null, false);
insert into ai_models (model_name) values ('default'), ('other');

-- lowest confidence first, unknown before all; what was rejected once stays away, whatever its case
select model_name, user_message, confidence_score, user_username, dataset_status from v_pending_review;
select column_name from information_schema.columns
where table_name in ('v_pending_review') order by ordinal_position limit 12;

select submit_intent_correction(id, 'c', p_notes => 'first') from ai_training_data where user_message = 'high';
select submit_intent_correction(id, 'd', p_notes => 'second', p_corrector_id => '11111111-1111-1111-1111-111111111111')
from ai_training_data where user_message = 'high';
select user_message, ai_said, should_be, confidence_score, correction_notes, corrected_by_username
from v_classification_errors order by user_message;
select * from v_intent_performance;

-- the first page comes from its index
truncate ai_training_data;
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at)
select 'm ' || n, 'a', n % 101, now() - n * interval '1 minute' from generate_series(1, 20000) n;
analyze ai_training_data;
create function plan(p_query text) returns setof text language plpgsql as $$
begin
  return query execute 'explain (costs off) ' || p_query;
end
$$;
select count(*) filter (where p ~ 'ai_training_data_review_idx') as by_index, count(*) filter (where p ~ 'Sort Key') as sorts
from plan($$select * from v_pending_review where model_name = 'default' limit 20$$) p;
drop function plan;

-- without a live version the queue still has an order
truncate ai_training_data;
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at)
select x.m, x.i, x.c, now() - x.n * interval '1 minute'
from (values (1, 'uno', 'a', 30), (2, 'dos', 'a', null), (3, 'DOS', 'a', 80), (4, 'tres', 'a', 20)) x (n, m, i, c);
select s.strategy, array_agg(q.user_message order by q.place) as queue
from unnest(array['least_confidence', 'margin', 'entropy', 'disagreement', 'novelty']) with ordinality s (strategy, n)
left join lateral (
  select r.user_message, r.ordinality as place from get_review_queue(3, s.strategy) with ordinality r) q on true
group by s.n, s.strategy order by s.n;

-- a text that came often does not hide those behind it
insert into ai_training_data (user_message, detected_intent) select 'Hola' || repeat(' ', n % 3), 'a' from generate_series(1, 2000) n;
select array_agg(q.user_message order by q.place) as queue, array_agg(distinct s) as by_confidence
from get_review_queue(3) with ordinality q (id, user_message, intent, answer, confidence, category, at, predicted, probability, s, place);
select count(*) from get_review_queue(20);
select count(*) from get_review_queue(0);

-- with one: strategies look at what it says now
truncate ai_training_data;
insert into ai_training_data (user_message, detected_intent, intent_correct, dataset_status)
select format('%s número %s', w, n), i, true, 'approved'
from (values ('envío paquete', 'pedido'), ('cobro recibo', 'factura'), ('cambio talla', 'devolución')) x (w, i),
  generate_series(1, 20) n;
select status, deployed from train_intent_model();
insert into ai_training_data (user_message, detected_intent, confidence_score) values
  ('envío paquete ya', 'pedido', 95), ('cobro recibo talla', 'factura', 40), ('cambio talla pronto', 'pedido', 90),
  ('xyzzy plugh frotz', 'pedido', 50);
select user_message, confidence_score, score from get_review_queue(2);
-- margin: a stored intent that the live version contradicts first, the least probable before; then the narrowest lead
select user_message, detected_intent, predicted_intent, score < 0 as contradicted from get_review_queue(10, 'margin');
insert into ai_training_data (user_message, detected_intent) values
  ('envío paquete tarde', 'unknown'), ('cobro recibo tarde', 'intent of tomorrow'), ('cambio talla tarde', null),
  ('envío paquete cobro', 'devolución');
select count(*), count(*) filter (where q.score < 0) as contradicted,
  bool_and(abs(q.score - case
    when q.user_message in ('cambio talla pronto', 'envío paquete cobro')
      then (p.top_intents ->> q.detected_intent)::float8 - 1
    else (select max(v) - (array_agg(v order by v desc))[2] from (select e.value::float8 as v from jsonb_each_text(p.top_intents) e) x)
    end) < 1e-6) as as_told,
  array_agg(q.score order by q.score) = array_agg(q.score order by q.place) as rises
from get_review_queue(10, 'margin') with ordinality
  q (id, user_message, detected_intent, a, c, cat, at, predicted, confidence, score, place)
cross join lateral predict_intent(q.user_message, p_top => 50) p;
delete from ai_training_data where user_message like '%tarde' or user_message = 'envío paquete cobro';

-- what was learnt before anybody looked is doubted too, unless a person has settled its text
insert into ai_training_data (user_message, detected_intent, confidence_score, dataset_status) values
  ('envío paquete doble', 'factura', 1, 'used_in_training'), ('envío paquete triple', 'factura', 1, 'used_in_training');
insert into ai_training_data (user_message, detected_intent, correct_intent, corrected_by_human, dataset_status)
values ('Envío paquete TRIPLE', 'factura', 'pedido', true, 'reviewed');
select s.strategy, array_agg(q.user_message order by q.user_message) as learnt
from unnest(array['least_confidence', 'margin', 'entropy', 'disagreement', 'novelty']) with ordinality s (strategy, n)
left join lateral (
  select r.user_message from get_review_queue(20, s.strategy) r where r.user_message ~* 'doble|triple') q on true
group by s.n, s.strategy order by s.n;
delete from ai_training_data where user_message ~* 'doble|triple';
select count(*), bool_and(score between 0 and ln(3) + 0.001) as sane,
  array_agg(score order by score desc) = array_agg(score order by place) as falls
from get_review_queue(10, 'entropy') with ordinality q (id, m, d, a, c, cat, at, predicted, confidence, score, place);
select user_message, detected_intent, predicted_intent from get_review_queue(10, 'disagreement');
select user_message, score from get_review_queue(1, 'novelty');
-- signs alone are nothing new
insert into ai_training_data (user_message, detected_intent) values ('???', 'greeting'), ('¡¡!!', 'greeting');
select user_message, score from get_review_queue(100, 'novelty') where user_message !~ '[[:alpha:]]';
select score > 0 as of_words from get_review_queue(1, 'novelty');
delete from ai_training_data where user_message !~ '[[:alpha:]]';
select count(*) from get_review_queue(0);
select get_review_queue(-1);
\echo :LAST_ERROR_SQLSTATE
select get_review_queue(null);
\echo :LAST_ERROR_SQLSTATE
select get_review_queue(5, 'luck');
\echo :LAST_ERROR_SQLSTATE
select get_review_queue(5, null);
\echo :LAST_ERROR_SQLSTATE
select get_review_queue(5, 'margin', 'nobody');
\echo :LAST_ERROR_SQLSTATE

-- leases: two reviewers hold different rows; who asks again holds the same; what is reviewed or run out is free
select user_message, leased_until > now() + interval '29 minutes' as leased from claim_review_items('ana', 2);
select user_message from claim_review_items('ben', 10);
select user_message from claim_review_items('ana', 2, 60);
select user_message from claim_review_items('eve', 10);
select reviewer, count(*) from ai_review_leases group by 1 order by 1;
select submit_intent_correction(id, 'factura') ->> 'success' as corrected
from ai_training_data where user_message = 'cobro recibo talla';
select user_message from claim_review_items('ana', 2);
update ai_review_leases set expires_at = now() - interval '1 second' where reviewer = 'ben';
select user_message from claim_review_items('eve', 1);
select count(*) from claim_review_items('eve', 0);
delete from ai_training_data where user_message = 'xyzzy plugh frotz';
select count(*) from ai_review_leases l where not exists (select from ai_training_data d where d.id = l.training_data_id);
select claim_review_items(null);
\echo :LAST_ERROR_SQLSTATE
select claim_review_items(' ');
\echo :LAST_ERROR_SQLSTATE
select claim_review_items('ana', -1);
\echo :LAST_ERROR_SQLSTATE
select claim_review_items('ana', 1, 0);
\echo :LAST_ERROR_SQLSTATE
select claim_review_items('ana', 1, 1, 'nobody');
\echo :LAST_ERROR_SQLSTATE

-- what a correction would change, without changing it
insert into ai_training_data (user_message, detected_intent) values ('CAMBIO talla pronto', 'pedido');
select id from ai_training_data where user_message = 'cambio talla pronto' \gset
select p - 'current_confidence' - 'model_version' - 'training_data_id' as preview, (p ->> 'current_confidence')::real > 0.3 as sure
from preview_correction(:'id', ' pedido ') p;
select p ->> 'answer_changes' as changes, p ->> 'intent_in_live_model' as known
from preview_correction(:'id', 'nuevo') p;
select correct_intent, dataset_status from ai_training_data where id = :'id';
select submit_intent_correction(id, 'reclamo') ->> 'success' as corrected
from ai_training_data where user_message = 'CAMBIO talla pronto';
select p -> 'contradicts' as contradicts, p -> 'contradicted_intents' as intents, p ->> 'current_source' as source
from preview_correction(:'id', 'pedido') p;
select preview_correction('00000000-0000-0000-0000-000000000000', 'x');
select preview_correction(null, 'x');
select preview_correction(:'id', null);
\echo :LAST_ERROR_SQLSTATE
select preview_correction(:'id', ' ');
\echo :LAST_ERROR_SQLSTATE

-- two versions on the stored messages
select id as a from ai_model_versions where is_active \gset
select model_version_id as b from train_intent_model(
  p_source => $$select user_message as text, case detected_intent when 'pedido' then 'envíos' else detected_intent end as intent
    from ai_training_data where dataset_status in ('approved', 'used_in_training')$$, p_promote => 'never') \gset
select count(*) filter (where intent_a = 'pedido' and intent_b = 'envíos') >= 20 as renamed,
  bool_and(intent_a <> intent_b) as different, array_agg(distinct better) as better
from diff_models('default', :a, :b) where known_intent = 'pedido' and user_message like 'envío%';
select count(*) from diff_models('default', :a, :a);
select count(*) from diff_models('default', :a, :b, 0);
select diff_models('default', :a, null);
\echo :LAST_ERROR_SQLSTATE
select diff_models('default', null, :b);
select diff_models('nobody', :a, :b);
\echo :LAST_ERROR_SQLSTATE
select diff_models('default', :a, :b, -1);
\set VERBOSITY sqlstate
select diff_models('default', :a, 999999);
\set VERBOSITY default

-- rows that were inserted by hand are a model to review, though nothing else knows it yet
insert into ai_training_data (user_message, model_name) values ('a mano', 'by hand');
select user_message from get_review_queue(p_model_name => 'by hand');
select user_message from claim_review_items('ana', p_model_name => 'by hand');
delete from ai_training_data where model_name = 'by hand';

-- forgetting a person
select record_interaction('envío paquete número 1', 'r', 'pedido', p_user_id => 'persona', p_conversation_id => 'k') as mine \gset
select record_interaction('gracias', 'r', 'saludo', p_conversation_id => 'k', p_model_name => 'other') is not null as recorded;
update ai_training_data set user_id = 'persona' where user_message = 'cobro recibo número 2';
select record_interaction('¿hay alguien?', 'r', 'saludo', p_conversation_id => 'k') is not null as recorded;
select record_interaction('soy persona', 'r', 'saludo', p_conversation_id => 'k', p_user_id => 'persona') is not null as recorded;
select submit_intent_correction(:'mine', 'pedido') ->> 'success' as corrected;
insert into ai_feedback (user_id, helpful) values ('persona', true), ('nadie', true);
update ai_training_data set split = 'train' where user_message = 'cobro recibo número 2';
update ai_training_runs set misclassified = '[{"user_message": "soy persona"}, {"user_message": "otra"}]'
where model_version_id = :a;
select forget_user('persona') as receipt \gset
select :'receipt'::jsonb -> 'messages_deleted' as messages, :'receipt'::jsonb -> 'retrain_queued' as queued,
  m -> 'corrections' as corrections, m -> 'feedback' as feedback, m -> 'live_version_affected' as live,
  jsonb_path_query_array(m, '$.versions[*].version_id') = jsonb_build_array(:a) as versions,
  jsonb_path_query_array(m, '$.versions_from_elsewhere[*].version_id') = jsonb_build_array(:b) as elsewhere
from jsonb_array_elements(:'receipt'::jsonb -> 'models') m;
select count(*) from ai_training_data where user_id = 'persona';
select count(*) from ai_intent_corrections where training_data_id = :'mine';
select user_message, user_feedback from ai_training_data where conversation_id = 'k' order by created_at;
select misclassified from ai_training_runs where model_version_id = :a;
select user_id from ai_feedback;
select model_name, messages, version_ids = array[:a]::bigint[] as marked, live_version_affected,
  user_digest = encode(sha256('persona'), 'hex') as digest
from ai_forgotten_users;
select retrain_requested('default') ~ '^a person was forgotten' as requested, retrain_requested('other');
select status from train_intent_model();
select retrain_requested('default');
select r -> 'messages_deleted' as messages, r -> 'models' as models, r -> 'receipt_id' as receipt from forget_user('persona') r;
select forget_user(null);
\echo :LAST_ERROR_SQLSTATE
select forget_user(' ');
\echo :LAST_ERROR_SQLSTATE

-- tenants: a reviewer of one model reviews that model
create role regress_retrain_reviewer;
create role regress_retrain_admin;
select grant_retrain_access('regress_retrain_reviewer', 'reviewer', 'other') ->> 'success' as granted;
select grant_retrain_access('regress_retrain_admin', 'admin', 'other') ->> 'success' as granted;
update ai_training_data set user_id = 'dos';
set role regress_retrain_reviewer;
select model_name, user_message from v_pending_review;
select count(*) from v_classification_errors;
select distinct model_name from v_intent_performance;
select user_message from get_review_queue(5, 'least_confidence', 'other');
select get_review_queue(5, 'least_confidence', 'default');
\echo :LAST_ERROR_SQLSTATE
select user_message from claim_review_items('ana', 5, 30, 'other');
select claim_review_items('ana', 5, 30, 'default');
\echo :LAST_ERROR_SQLSTATE
select count(*) from ai_review_leases;
select preview_correction(:'id', 'x');
select diff_models('default', :a, :b);
\echo :LAST_ERROR_SQLSTATE
select forget_user('dos');
\echo :LAST_ERROR_SQLSTATE
reset role;
set role regress_retrain_admin;
select forget_user('dos') -> 'messages_deleted' as messages;
reset role;
select model_name, count(*) > 0 as has_rows from ai_training_data group by 1;
select revoke_retrain_access(r) ->> 'success' as revoked
from unnest(array['regress_retrain_reviewer', 'regress_retrain_admin']) r;
drop role regress_retrain_reviewer, regress_retrain_admin;
drop extension pg_retrain;
