-- Dataset tools: numbers, cleaning, export and import.
create extension pg_retrain;
\set SHOW_CONTEXT never

insert into ai_training_data (user_message, detected_intent, ai_response, category, confidence_score, quality_score, product_name,
  dataset_status, escalated, created_at)
values
  ('hola, ¿qué tal?', 'saludo', 'Hola', 'general', 90, 5, null, 'pending', false, '2026-01-01'),
  ('HOLA,  ¿que tal?', 'saludo', 'Hola', 'general', 80, 3, null, 'pending', false, '2026-01-02'),
  ('¿cuánto cuesta el "piano"?', 'precio', E'Son 20 €,\ncon envío', 'consulta_precio', 70, 4, 'Piano', 'approved', false, '2026-01-03'),
  ('quiero pagar', 'pago', 'Aquí tiene el enlace', 'proceso_pago', null, null, null, 'pending', true, '2026-01-04'),
  ('quiero pagar ', 'precio', 'Son 20 €', 'proceso_pago', 60, 2, null, 'pending', false, '2026-01-05'),
  (E' \t ', 'precio', null, null, 50, null, null, 'pending', false, '2026-01-06'),
  (repeat('largo ', 1000), 'precio', null, null, 50, null, null, 'pending', false, '2026-01-07'),
  ('sin intento', null, 'Hola', null, 50, 4, null, 'pending', false, '2026-01-08'),
  ('tirado', 'precio', 'No', null, 50, 5, null, 'rejected', false, '2026-01-09');
select retrain_ensure_model('default');
select submit_intent_correction(id, 'saludo', '¡Buenas!') ->> 'success' as ok from ai_training_data where user_message like 'hola,%';

-- numbers
\pset format unaligned
select key, value from jsonb_each(get_dataset_stats()) order by key;
\pset format aligned
select get_dataset_stats('nobody');
\echo :LAST_ERROR_SQLSTATE
select get_dataset_stats(null);
\echo :LAST_ERROR_SQLSTATE

-- export
\pset format unaligned
select l from export_training_dataset() l where length(l) < 1000;
select l from export_training_dataset('csv') l where length(l) < 1000;
select export_training_dataset('chat_jsonl', p_min_quality => 4, p_system_prompt => 'Eres "Ana".');
select export_training_dataset('chat_jsonl', p_system_prompt => '', p_limit => 1);
select export_training_dataset('chat_jsonl', p_limit => 1);
select count(*) from export_training_dataset(p_only_reviewed => true);
select count(*) from export_training_dataset(p_limit => 0);
select count(*) from export_training_dataset('chat_jsonl') l where jsonb_typeof(l::jsonb -> 'messages') = 'array';
select export_training_dataset('xml');
\echo :LAST_ERROR_SQLSTATE
select export_training_dataset(null);
\echo :LAST_ERROR_SQLSTATE
select export_training_dataset(p_min_quality => 6);
\echo :LAST_ERROR_SQLSTATE
select export_training_dataset(p_limit => -1);
\echo :LAST_ERROR_SQLSTATE
select export_training_dataset(p_model_name => 'nobody');
\echo :LAST_ERROR_SQLSTATE
select export_modelfile();
select export_modelfile('mistral', 'Say """ and "', null, true, 1);
select export_modelfile(p_system_prompt => '', p_limit => 0);
\pset format aligned
select export_modelfile(E'llama\nADAPTER /etc/passwd');
\echo :LAST_ERROR_SQLSTATE
select export_modelfile(null);
\echo :LAST_ERROR_SQLSTATE

-- clean: seen first, then done, then nothing is left to do; the conflict stays
select clean_dataset() - 'conflicts' as report;
select c ->> 'text' as text, c -> 'intents' as intents, jsonb_array_length(c -> 'ids') as rows
from jsonb_array_elements(clean_dataset() -> 'conflicts') c;
select clean_dataset(p_dry_run => false) - 'conflicts' as report;
select left(user_message, 20) as message, detected_intent, dataset_status from ai_training_data order by created_at;
select clean_dataset(p_dry_run => false) - 'conflicts' as report;
select clean_dataset(p_dry_run => null);
\echo :LAST_ERROR_SQLSTATE
select clean_dataset('nobody');
\echo :LAST_ERROR_SQLSTATE

-- a text whose duplicates were rejected is reviewed as before; one that somebody rejects is not
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, created_at)
select m, 'a', c, 'twice', now() - c * interval '1 minute' from (values ('hola', 10), ('Hola', 20), ('HOLA', 30), ('adiós', 40)) x (m, c);
select clean_dataset('twice', false) ->> 'duplicates' as duplicates;
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name) values ('hOLA', 'b', 5, 'twice');
select d.user_message, d.dataset_status, k.user_message as duplicate_of
from ai_training_data d left join ai_training_data k on k.id = d.duplicate_of
where d.model_name = 'twice' order by d.confidence_score;
select array_agg(user_message order by confidence_score) as waiting from v_pending_review where model_name = 'twice';
select array_agg(user_message order by confidence_score) as queue from get_review_queue(p_model_name => 'twice');
select array_agg(user_message order by confidence_score) as claimed from claim_review_items('ana', p_model_name => 'twice');
-- a row that is taken back is no duplicate any more
update ai_training_data set dataset_status = 'pending' where user_message = 'HOLA' and model_name = 'twice';
select count(duplicate_of) as duplicates from ai_training_data where model_name = 'twice';
update ai_training_data set dataset_status = 'rejected' where user_message = 'HOLA' and model_name = 'twice';
select array_agg(user_message order by confidence_score) as waiting from v_pending_review where model_name = 'twice';
delete from ai_training_data where model_name = 'twice';

-- the best of a deleted row's duplicates comes back, the others are duplicates of that one
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, user_id, created_at)
select m, 'a', c, 'heirs', u, now() - c * interval '1 minute'
from (values ('hola', 10, 'ana'), ('Hola', 20, 'bea'), ('HOLA', 30, 'bea'), ('hOLA', 40, 'eva'), ('adiós', 50, 'ana'), ('Adiós', 60, 'ana')) x (m, c, u);
create view heirs as
select d.user_message, d.dataset_status, k.user_message as duplicate_of, d.duplicate_of is not null and k.id is null as dangling
from ai_training_data d left join ai_training_data k on k.id = d.duplicate_of
where d.model_name = 'heirs' order by d.confidence_score;
update ai_training_data set intent_correct = true where model_name = 'heirs' and user_message = 'HOLA';
select clean_dataset('heirs', false) ->> 'duplicates' as duplicates;
select * from heirs;
-- a person who has all rows of a text takes it along
select forget_user('ana') -> 'messages_deleted' as deleted;
select * from heirs;
select forget_user('bea') -> 'messages_deleted' as deleted;
select * from heirs;
select user_message, intent from get_training_dataset(p_model_name => 'heirs');
select array_agg(user_message) as waiting from v_pending_review where model_name = 'heirs';
-- a kept row that has become a duplicate itself leaves its duplicates to the row that is kept now
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name) values ('¡hola!', 'a', 5, 'heirs'), ('¡Hola!', 'a', 6, 'heirs');
update ai_training_data set intent_correct = true where model_name = 'heirs' and user_message = '¡hola!';
select clean_dataset('heirs', false) ->> 'duplicates' as duplicates;
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, corrected_by_human, correct_intent)
values ('¡HOLA!', 'b', 4, 'heirs', true, 'a');
select clean_dataset('heirs', false) ->> 'duplicates' as duplicates;
select * from heirs;
begin;
delete from ai_training_data where model_name = 'heirs' and user_message = '¡hola!';
select * from heirs;
rollback;
-- both at once, and a row that somebody has confirmed is a reviewed one
update ai_training_data set intent_correct = true where model_name = 'heirs' and user_message = '¡Hola!';
delete from ai_training_data where model_name = 'heirs' and user_message in ('¡HOLA!', '¡hola!');
select * from heirs;
-- the duplicates of a row that somebody has rejected stay rejected: the text was
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, created_at)
values ('hola hola', 'a', 1, 'heirs', now()), ('Hola hola', 'a', 2, 'heirs', now() - interval '1 hour');
select clean_dataset('heirs', false) ->> 'duplicates' as duplicates;
update ai_training_data set dataset_status = 'rejected' where model_name = 'heirs' and user_message = 'hola hola';
delete from ai_training_data where model_name = 'heirs' and user_message = 'hola hola';
select * from heirs;
drop view heirs;
delete from ai_training_data where model_name = 'heirs';

-- import: what the exports wrote comes back
select import_training_dataset(array(select export_training_dataset('jsonl')), p_model_name => 'copy') - 'report' as result;
select user_message, intent, response, category, confidence_score, was_corrected from get_training_dataset(p_model_name => 'copy')
except
select user_message, intent, response, category, coalesce(confidence_score, 0), was_corrected from get_training_dataset();
select count(*) from ai_labelled_data where model_name = 'copy' and human;
select import_training_dataset(array(select export_training_dataset('chat_jsonl')), p_model_name => 'chat') - 'report' as result;
select count(*) filter (where ai_response is not null) as answers, max(quality_score) as quality, max(product_name) as product
from ai_training_data where model_name = 'chat';

-- flat objects, strings inside an array, empty lines, labels of a person
select import_training_dataset(p_items => '[{"text": "uno", "label": "a"}, "{\"user_message\": \"dos\", \"intent\": \"b\", \"was_corrected\": true}",
  {"user_message": "tres", "intent": "c", "response": "sí", "confidence_score": 33, "quality_score": 4, "was_escalated": true}]', p_model_name => 'flat');
select user_message, intent, response, confidence_score, was_corrected, was_escalated from get_training_dataset(p_model_name => 'flat') order by 2;
select source, count(*) from ai_training_data where model_name = 'flat' group by 1;
-- rows of the table itself, as another database or its REST interface gives them, keep their labels
insert into ai_training_data (user_message, ai_response, detected_intent, correct_intent, correct_response, corrected_by_human,
  confidence_score, escalated, category, quality_score, model_name) values
  ('seis', 'sí', 'a', null, null, false, 70, true, 'c', 4, 'rows'), ('siete', 'sí', 'a', 'b', 'no', true, 80, false, null, null, 'rows'),
  ('ocho', null, 'a', null, null, false, null, false, null, null, 'rows'), ('nueve', 'sí', 'a', null, null, false, 5, false, null, 1, 'rows'),
  ('diez', 'sí', 'a', null, null, false, 5, false, null, 1, 'rows');
update ai_training_data set dataset_status = 'rejected' where user_message = 'nueve' and model_name = 'rows';
update ai_training_data set intent_correct = false where user_message = 'diez' and model_name = 'rows';
select import_training_dataset(p_items => (select jsonb_agg(to_jsonb(d) order by d.user_message) from ai_training_data d
  where d.model_name = 'rows'), p_model_name => 'rows again') - 'report' as result;
select user_message, intent, response, confidence_score, category, was_corrected, was_escalated
from get_training_dataset(p_model_name => 'rows again') order by 1;
select count(*) from (
  select user_message, intent, response, confidence_score, category, was_corrected, was_escalated from get_training_dataset(p_model_name => 'rows')
  except
  select user_message, intent, response, confidence_score, category, was_corrected, was_escalated
  from get_training_dataset(p_model_name => 'rows again')) x;
select import_training_dataset(array[i], p_model_name => 'parts') #>> '{report,0,error}' as error
from unnest(array['{"text": "x", "detected_intent": ["a"]}', '{"text": "x", "correct_intent": "a", "corrected_by_human": 1}']) i;
delete from ai_training_data where model_name in ('rows', 'rows again');
select import_training_dataset(array['{"text": "uno", "intent": "a"}', '', null, '  '], p_model_name => 'empty lines');
-- a file's byte order mark, which no other line has
select import_training_dataset(array[m || '{"text": "uno", "intent": "a"}', l || '{"text": "dos", "intent": "a"}'], p_model_name => 'marked')
  - '{lines,model_name}'::text[] as result
from (values (E'\ufeff', ''), (E'\ufeff ', E'\ufeff')) x (m, l);
select import_training_dataset(array[E'\ufeff', '{"text": "tres", "intent": "a"}'], p_model_name => 'marked') -> 'imported' as imported;
select user_message from ai_training_data where model_name = 'marked' order by 1;
select import_training_dataset('{}', p_model_name => 'nothing');
select count(*) from ai_models where model_name = 'nothing';

-- one bad line and nothing is imported; unless told so
\set bad '{"{\\"text\\": \\"uno\\", \\"intent\\": \\"a\\"}", "{no json", "[1]", "{\\"text\\": \\" \\", \\"intent\\": \\"a\\"}", "{\\"text\\": \\"x\\"}", "{\\"text\\": \\"x\\", \\"intent\\": \\"unknown\\"}", "{\\"text\\": \\"x\\", \\"intent\\": \\"a\\", \\"confidence\\": 101}", "{\\"text\\": \\"x\\", \\"intent\\": \\"a\\", \\"quality_score\\": 9}", "{\\"text\\": \\"x\\", \\"intent\\": \\"a\\", \\"was_corrected\\": \\"yes\\"}", "{\\"messages\\": 5}", "{\\"messages\\": [5, {\\"role\\": \\"user\\", \\"content\\": \\"m\\"}], \\"intent\\": \\"a\\"}"}'
select import_training_dataset(:'bad', p_model_name => 'bad') - 'report' as result;
select count(*) from ai_training_data where model_name = 'bad';
select count(*) from ai_models where model_name = 'bad';
select r ->> 'line' as line, r ->> 'status' as status, r ->> 'error' as error
from jsonb_array_elements(import_training_dataset(:'bad', p_model_name => 'bad', p_skip_invalid => true) -> 'report') r;
select user_message, detected_intent from ai_training_data where model_name = 'bad' order by 1;
select import_training_dataset(array[format('{"text": "x", "intent": "%s"}', repeat('x', 1025))]) #>> '{report,0,error}' as error;
select import_training_dataset(p_items => '["\u0041", 7, null]') -> 'report' as report;
select i, import_training_dataset(array[i], p_model_name => 'parts') #>> '{report,0,error}' as error
from unnest(array['{"text": {"a": 1}, "intent": "a"}', '{"text": "x", "intent": ["a", "b"]}', '{"text": "x", "intent": "\t"}',
  '{"text": "x", "intent": "a", "response": {"a": 1}}',
  '{"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}], "intent": "a"}',
  '{"text": "x", "metadata": {"intent": {"name": "a"}}}', '{"text": "x", "intent": "a", "metadata": {"category": ["b"]}}',
  '{"text": "x", "intent": "a", "metadata": {"productName": {}}}']) i;
select import_training_dataset(array['{"text": "x", "intent": "\u00a0"}'], p_model_name => 'parts') #>> '{report,0,error}' as error;
select import_training_dataset(array['{"text": "x", "intent": " a\n"}', '{"text": "y", "intent": 5}'], p_model_name => 'parts')
  -> 'imported' as imported;
select user_message, detected_intent from ai_training_data where model_name = 'parts' order by 1;

-- of several labels of one text the newest stays the newest: exports begin with it, lines carry no time
insert into ai_training_data (model_name, user_message, detected_intent, correct_intent, corrected_by_human, created_at, corrected_at)
values
  ('order', 'dos rótulos', 'viejo', null, false, '2026-01-01', null),
  ('order', 'dos rótulos', 'nuevo', null, false, '2026-01-02', null),
  ('order', 'dos correcciones', null, 'nueva', true, '2026-01-01', '2026-01-04'),
  ('order', 'dos correcciones', null, 'vieja', true, '2026-01-02', '2026-01-03');
select import_training_dataset(array(select export_training_dataset(p_model_name => 'order')), p_model_name => 'order kept')
  -> 'imported' as imported;
select model_name, user_message, (array_agg(intent order by human desc, reviewed desc, labelled_at desc))[1] as learnt
from ai_labelled_data where model_name like 'order%' group by 1, 2 order by 1, 2;
select import_training_dataset();
\echo :LAST_ERROR_SQLSTATE
select import_training_dataset('{}', '[]');
\echo :LAST_ERROR_SQLSTATE
select import_training_dataset(p_items => '{"text": "x", "intent": "a"}');
\echo :LAST_ERROR_SQLSTATE
select import_training_dataset('{}', p_source => 'elsewhere');
\echo :LAST_ERROR_SQLSTATE
select import_training_dataset('{}', p_model_name => '');
\echo :LAST_ERROR_SQLSTATE

-- a model that is nothing but inserted messages can be asked about before its first training
insert into ai_training_data (model_name, user_message, ai_response, detected_intent, quality_score)
select 'moved', format('%s número %s', t, n), 'r', t, 5 from unnest('{factura,pedido}'::text[]) t, generate_series(1, 12) n;
select count(*) from ai_models where model_name = 'moved';
select get_dataset_stats('moved') ->> 'total' as total, clean_dataset('moved') ->> 'removed' as removed,
  (select count(*) from export_training_dataset(p_model_name => 'moved')) as lines,
  export_modelfile(p_model_name => 'moved', p_limit => 1) ~ 'MESSAGE user' as modelfile,
  (select count(*) from find_label_issues('moved')) as issues;
select r ->> 'due' as due, r ->> 'reason' as reason, r ->> 'threshold' as threshold from should_retrain('moved') r;
insert into ai_models (model_name) values ('fresh');
select p.key, p.value
from jsonb_each(to_jsonb(retrain_policy('moved'))) p, ai_models m
where m.model_name = 'fresh' and p.key <> 'model_name' and p.value <> 'null' and p.value is distinct from to_jsonb(m) -> p.key;
-- no function reads a backslash as the session's settings say
insert into ai_training_data (user_message, detected_intent, ai_response, confidence_score, quality_score, model_name)
values ('uno, "dos"', 'a', 'sí', 90, 5, 'backslash'), ('tres', 'b|c', 'no', 80, 5, 'backslash');
select retrain_ensure_model('backslash');
create temp view written as
select f, md5(string_agg(line, E'\n' order by line collate "C")), count(*) from unnest('{jsonl,chat_jsonl,csv}'::text[]) f,
  lateral (select regexp_replace(e, '"(timestamp|created_at)": *"[^"]*"', '') from export_training_dataset(f, p_model_name => 'backslash') e) x (line) group by f
union all select 'modelfile', md5(export_modelfile(p_model_name => 'backslash')), 1
union all select 'report', md5(retrain_report_table('["a|b"]', '[["c|d"], ["e\\f"]]', 'markdown')), 1;
create temp table before as select * from written;
set standard_conforming_strings = off;
select f, count from written except select f, count from before;
select f, md5 from written except select f, md5 from before;
select import_training_dataset(array['', '   ', '{"text": "cinco", "intent": "a", "confidence": "90.0"}', '{"text": "seis", "intent": "a", "confidence": "90x0"}'],
  p_skip_invalid => true, p_model_name => 'backslash') - 'report' as imported;
reset standard_conforming_strings;
drop view written;
drop table before;

-- one model's people see, change and import that model alone
create role regress_retrain_d;
select grant_retrain_access('regress_retrain_d', 'trainer', 'flat') ->> 'success' as ok;
set role regress_retrain_d;
select get_dataset_stats('flat') ->> 'total' as total;
select count(*) from export_training_dataset(p_model_name => 'flat');
\set VERBOSITY sqlstate
select get_dataset_stats('default');
select export_training_dataset(p_model_name => 'default');
select export_modelfile(p_model_name => 'default');
select clean_dataset('default', false);
select import_training_dataset(array['{"text": "uno", "intent": "a"}'], p_model_name => 'default');
\set VERBOSITY default
select import_training_dataset(array['{"text": "cuatro", "intent": "a"}'], p_model_name => 'flat') ->> 'imported' as imported;
reset role;
select revoke_retrain_access('regress_retrain_d') ->> 'success' as ok;
drop role regress_retrain_d;
drop extension pg_retrain;
