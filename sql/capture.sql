-- record_interaction(): one durable row per message.
create extension pg_retrain;
\set SHOW_CONTEXT never
\set VERBOSITY terse

select record_interaction(
  '¿Dónde está mi pedido?', 'En camino.', 'shipping', 80, 'shop', 'c1', 'm1', 'u1', 's1', 'orders', true, 'angry',
  'llm', 120, 'p1', 'Lamp', '{"turns": 2}', 'imported', 'k1') as id \gset
\x on
select user_message, ai_response, detected_intent, confidence_score, model_name, conversation_id, message_id, user_id,
  session_id, category, escalated, escalation_reason, response_source, response_time_ms, product_id, product_name,
  context, source, idempotency_key, corrected_by_human, intent_correct, dataset_status, split, model_version_id,
  text_key = retrain_text_key(user_message) as has_its_key
from ai_training_data where id = :'id';
\x off

-- the same key again: the first id, and no second row; another model has keys of its own
select record_interaction('again', p_model_name => 'shop', p_idempotency_key => 'k1', p_detected_intent => 'x') = :'id';
select record_interaction('again', p_model_name => 'other', p_idempotency_key => 'k1', p_detected_intent => 'x')
  = :'id';
select model_name, user_message from ai_training_data order by model_name;

-- a model comes into being at its first use, and only once
select model_name, task, min_samples, auto_retrain_threshold, max_f1_regression, recent_window, recent_min_rows,
  recent_min_ratio, label_source, human_weight, keep_versions, enabled
from ai_models order by model_name;
select record_interaction('third', 'r', 'x', p_model_name => 'shop') is not null as recorded;
select model_name, created_at = updated_at as untouched from ai_models order by model_name;

-- no intent and no live version: recorded without one
select record_interaction('nobody knows') as id \gset
select detected_intent, confidence_score, model_version_id from ai_training_data where id = :'id';

-- blanks around an intent are no part of its name, however it is written
select record_interaction('trimmed', 'r', E'pedido \n') as id \gset
insert into ai_training_data (user_message, detected_intent, correct_intent) values ('trimmed by hand', E'\tpedido', 'pedido ');
select user_message, quote_literal(detected_intent) as detected, quote_literal(correct_intent) as correct, intent_correct
from ai_training_data where user_message like 'trimmed%' order by 1;
update ai_training_data set correct_intent = ' pedido' where id = :'id';
select correct_intent, intent_correct, label_changed_at as before from ai_training_data where id = :'id' \gset
update ai_training_data set correct_intent = 'pedido  ' where id = :'id';
select correct_intent = :'correct_intent' and label_changed_at = :'before' as as_before from ai_training_data where id = :'id';
select distinct intent from ai_labelled_data where user_message like 'trimmed%';
delete from ai_training_data where user_message like 'trimmed%';

-- what has nothing else is no name, be it no-break spaces or characters of no width: nobody sees what it would be
insert into ai_training_data (user_message, detected_intent, correct_intent)
values ('unseen', U&'\00A0\3000', null), ('unseen too', 'pedido', U&' \200B\FEFF '), ('seen', U&'\00A0\00E9', U&'\00E9');
select user_message, detected_intent, correct_intent, intent_correct from ai_training_data where user_message ~ '^(un)?seen' order by 1;
select user_message, intent from ai_labelled_data where user_message ~ '^(un)?seen';
delete from ai_training_data where user_message ~ '^(un)?seen';

-- arguments out of range name themselves
do $$
declare
  v_call text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  foreach v_call in array array[
    $c$record_interaction(null)$c$,
    $c$record_interaction('x', p_confidence_score => 101)$c$,
    $c$record_interaction('x', p_confidence_score => -1)$c$,
    $c$record_interaction('x', p_response_time_ms => -5)$c$,
    $c$record_interaction('x', p_response_source => 'oracle')$c$,
    $c$record_interaction('x', p_source => 'heaven')$c$,
    $c$record_interaction('x', p_source => null)$c$,
    $c$record_interaction('x', p_model_name => '')$c$,
    $c$record_interaction('x', p_model_name => null)$c$,
    $c$record_interaction('x', p_model_name => repeat('m', 201))$c$,
    $c$record_interaction('x', p_idempotency_key => repeat('ñ', 513))$c$,
    $c$record_interaction('x', p_conversation_id => (select string_agg(md5(n::text), '') from generate_series(1, 300) n))$c$]
  loop
    begin
      execute 'select ' || v_call;
      raise exception 'accepted: %', v_call using errcode = 'assert_failure';
    exception when invalid_parameter_value then
      get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      raise info '% | % | % | %', v_call, v_message, v_detail, v_hint;
    end;
  end loop;
end
$$;

-- rows written by hand meet the same limits
do $$
declare
  v_set text;
  v_column text;
  v_detail text;
  v_hint text;
begin
  foreach v_set in array array['dataset_status = $q$lost$q$', 'split = $q$dev$q$', 'source = $q$héaven$q$', 'source = null',
    'response_source = $q$friend$q$', 'quality_score = 6', 'quality_score = 0', 'confidence_score = 101',
    'confidence_score = -1', 'response_time_ms = -1', 'model_name = left($q$x$q$, 0)', 'model_name = repeat($q$ñ$q$, 201)',
    'detected_intent = repeat($q$i$q$, 1025)', 'split = repeat($q$ñ$q$, 100)']
  loop
    begin
      execute 'update ai_training_data set ' || v_set;
    exception when check_violation or not_null_violation then
      get stacked diagnostics v_column = column_name, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      raise info '% | % % | % | % | %', left(v_set, 40), sqlstate, sqlerrm, v_column,
        case sqlstate when '23514' then v_detail end, v_hint;
    end;
  end loop;
end
$$;
insert into ai_training_data (user_message, detected_intent, confidence_score, response_time_ms, quality_score,
  response_source, dataset_status, source, split, model_name)
values ('the limits themselves', repeat('i', 1024), 100, 0, 5, 'escalation', 'used_in_training', 'synthetic', 'validation',
  repeat('ñ', 200)), ('nulls', null, null, null, null, null, 'pending', 'live', null, 'm');

-- intent_correct follows the columns, however they are written
truncate ai_training_data;
insert into ai_training_data (user_message, detected_intent, correct_intent, intent_correct, dataset_status) values
  ('1 right', 'a', 'a', null, 'reviewed'),
  ('2 wrong', 'a', 'b', true, 'reviewed'),
  ('3 none detected', null, 'b', null, 'reviewed'),
  ('4 not reviewed', 'a', null, null, 'pending'),
  ('5 known wrong, right unknown', 'a', null, false, 'reviewed'),
  ('6 approved as it is', 'a', null, null, 'approved'),
  ('7 nothing to approve', null, null, null, 'approved'),
  ('8 confirmed', 'a', null, true, 'reviewed'),
  ('9 confirmed anew', 'a', null, true, 'reviewed');
select user_message, detected_intent, correct_intent, intent_correct from ai_training_data order by user_message;
create temporary table before as select id, updated_at from ai_training_data;
update ai_training_data set correct_intent = 'a' where user_message like '2%';
update ai_training_data set detected_intent = 'z' where user_message like '1%';
update ai_training_data set correct_intent = null where user_message like '3%';
-- what was confirmed is not what the row says any more; an approved row is right as it is
update ai_training_data set detected_intent = 'z' where user_message ~ '^[68]';
update ai_training_data set detected_intent = 'z', intent_correct = false where user_message like '9%';
select d.user_message, d.detected_intent, d.correct_intent, d.intent_correct, d.updated_at > b.updated_at as touched
from ai_training_data d join before b using (id) order by d.user_message;

-- a row restored from a dump comes back as it was
create temporary table saved as select * from ai_training_data;
truncate ai_training_data;
alter table saved drop column text_key;
do $$
begin
  execute format('insert into ai_training_data (%1$s) select %1$s from saved', (
    select string_agg(attname, ', ') from pg_attribute
    where attrelid = 'saved'::regclass and attnum > 0 and not attisdropped));
end
$$;
select count(*) as restored,
  count(*) filter (where s.intent_correct is not distinct from d.intent_correct and s.updated_at = d.updated_at) as same
from ai_training_data d join saved s using (id);

-- an empty text is no key, no conversation, no intent and no category
truncate ai_training_data;
select count(distinct record_interaction(m, 'r', '', p_conversation_id => c, p_category => ' ', p_idempotency_key => k)) as ids
from (values ('uno', '', ''), ('¿cuánto cuesta?', '', ''), ('no me gusta', ' ', E'\t'), ('gracias', E'\n', '  ')) x (m, c, k);
-- nor is one of nothing but invisible characters an intent
select record_interaction('hola', p_detected_intent => U&'\00A0\2003\200B') is not null as recorded;
select user_message, detected_intent is null as no_intent, category, conversation_id is null as no_conversation,
  idempotency_key is null as no_key, evaluated_at is null as not_judged
from ai_training_data order by user_message;

drop extension pg_retrain;
