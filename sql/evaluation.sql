-- Rules, evaluate_interaction(), and the parts of record_interaction() that file a message and judge the turn before it.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- words end at Unicode edges; case, accents and punctuation do not count
-- unaligned: how wide an emoji is differs between versions of psql
\a
select t, retrain_words(t) from unnest(array['¿SÍ, Señor?', 'más', 'I don''t', 'ok👍🏽ok', '', '…']) t;
\a
select retrain_says(retrain_words(t), retrain_phrases(p)) as says, t, p
from (values ('SÍ', 'sí'), ('si', 'sí'), ('así', 'sí'), ('sin', 'sí'), ('más', 's'), ('no, gracias', 'no gracias'),
  ('no nos sirve', 'no * sirve'), ('no sirve', 'no * sirve'), ('recomiéndame uno', 'x|recomiend*')) x (t, p);
select retrain_phrases(' Sí | NO,  gracias|recomiénd*');
select retrain_phrases(null) is null as null_gives_null;

-- the next message judges the answer: negation first
create temporary table said (place serial, message text);
insert into said (message) values
  ('no me gusta'), ('No me gustó nada'), ('no me sirve'), ('gracias, pero no me sirve'), ('no lo quiero'), ('está mal'),
  ('no me interesa'), ('no, gracias'), ('No gracias'), ('no entiendo bien'), ('no sé'), ('tengo una duda'), ('no voy a comprar'),
  ('no está mal'), ('sin problema'), ('no se preocupe, gracias'),
  ('PERFECTO'), ('perfecto, gracias'), ('me gusta'), ('lo quiero'), ('voy a comprarlo'), ('me interesa'), ('¿cómo pago?'),
  ('sí'), ('SÍ'), ('si'), ('Si, dale'), ('ok'), ('está bien'), ('👍'), ('👎'),
  ('más'), ('s'), ('es'), ('así'), ('cuéntame más'), ('¿cuánto vale?'), ('comprendo'), ('paquete'), (''), ('   '),
  ('I don''t like it'), ('I DON’T LIKE IT'), ('not good'), ('no thanks'), ('not interested'), ('I do not understand'), ('not bad'),
  ('great, thanks'), ('I''ll take it'), ('yes'), ('YES please'), ('yesterday'), ('tell me more'), ('I want to buy it'),
  ('I don''t want to buy it');
-- unaligned, as above
\a
select s.message, j.quality_score, j.was_successful
from said s, retrain_judge(retrain_words(s.message)) j order by s.place;
\a

-- what only looks like praise, agreement or a refusal; a wish is no praise; what people say instead of yes
truncate said restart identity;
insert into said (message) values
  ('me gustaría saber más'), ('me encantaría ver los detalles'), ('me gustó mucho'), ('¡nos encanta!'),
  ('tampoco me gusta'), ('nunca me gustó'), ('no creo que me guste'), ('no me encanta'), ('nada bueno'), ('no es bueno'),
  ('no muy bien'), ('no me parece bien'), ('gracias por nada'), ('gracias, pero no'), ('me estafaron'),
  ('no es malo'), ('No está tan mal'), ('menos mal'), ('ninguna duda'), ('gracias por resolver mis dudas'), ('cualquier duda le escribo'),
  ('no me queda claro'), ('no estoy de acuerdo'), ('claro que no'), ('¿vale la pena?'), ('vale'), ('Siii'), ('así es'),
  ('chévere'), ('no lo voy a comprar'), ('jamás lo compraría'), ('no estoy interesada'), ('estoy interesado'), ('nos interesa'),
  ('lo queremos'), ('no lo queremos'), ('me los llevo'), ('no me lo llevo'), ('no sé cómo pagar'), ('voy a reclamar'), ('voy a pagar'),
  ('thanks for nothing'), ('no good'), ('it''s not very good'), ('isn''t great'), ('not really'), ('I wouldn''t buy it'), ('I liked it');
\a
select s.message, j.quality_score, j.was_successful
from said s, retrain_judge(retrain_words(s.message)) j order by s.place;
\a

-- words that are drawn out, and what is said in Mexico, Argentina, Chile and Spain
truncate said restart identity;
insert into said (message) values
  ('Nooo me gusta'), ('noooo lo quiero'), ('nooo, graciasss'), ('graciassss!!'), ('siiiii, lo quierooo'), ('me encantaaa'),
  ('Perfectoooo'), ('okkkk'), ('maaaal'), ('pásame el linkkk'),
  ('no me convence'), ('no me late'), ('no me mola'), ('no jala el link'), ('el link no me abre'), ('no funciona el link'), ('no me anda'),
  ('nel'), ('nah'), ('no, grax'),
  ('no cacho'), ('obvio que no'), ('obvio'), ('no hay drama'), ('no tá mal'), ('muchas grax'), ('me re gusta'), ('qué padre'),
  ('me mola'), ('¿q vale?'), ('va que va');
\a
select s.message, j.quality_score, j.was_successful
from said s, retrain_judge(retrain_words(s.message)) j order by s.place;
select m, retrain_categorise(retrain_words(m)) as category
from unnest(array['preciooo', '¿q vale?', '¿a cómo está el kilo?', '¿cuántoooo?', 'XXXL', 'www.tienda.mx']) m;
\a

-- praise, agreement and sales that are denied in more words than one, and what only looks like it
truncate said restart identity;
insert into said (message) values
  ('no está muy bien'), ('no me parece muy buena idea'), ('eso no es correcto'), ('incorrecto'), ('no quedó bien'), ('no me parece bueno'),
  ('jamás me gustó'), ('no sirven para nada'), ('no nos sirvió'), ('no vamos a comprar'), ('no está muy claro'), ('nada claro'),
  ('no creo que vaya a comprarlo'), ('no sé si me interesa'), ('no estoy segura si lo compro'), ('no me llegó el link'),
  ('no encuentro el enlace'), ('jamás lo quiero'), ('ni me interesa'),
  ('no me parece mal'), ('no solo me gusta, me encanta'), ('no cabe duda'), ('no sé cómo comprarlo'), ('no, todo bien'),
  ('no era tan caro, lo quiero'), ('nada, todo claro'), ('nunca vi algo tan bueno, gracias'),
  ('I am not going to buy it'), ('I''m not going to pay'), ('never liked it'), ('I wouldn’t like that'), ('isnt great'), ('That wasn''t right'),
  ('that is incorrect'), ('not very helpful'), ('I don''t think I''ll buy it'), ('I no longer want to buy it'), ('I cant pay'),
  ('I didn''t want to buy that'), ('I didn''t get the link'), ('the link doesn''t work'), ('not sure I want it'),
  ('not sure how to pay'), ('why not, sounds good'), ('not a problem, great'), ('I never knew, thanks'), ('no rush, I want to buy it');
\a
select s.message, j.quality_score, j.was_successful
from said s, retrain_judge(retrain_words(s.message)) j order by s.place;
\a

-- denied in the perfect tense, or of the other gender, and not what only begins so
truncate said restart identity;
insert into said (message) values
  ('no he entendido'), ('no lo he entendido bien'), ('no me ha quedado claro'), ('no lo veo claro'), ('no quedó clara la respuesta'),
  ('no es perfecta'), ('no está genial'), ('no ha sido excelente'), ('no ha quedado perfecto'), ('tampoco es perfecto'), ('no es exacto'),
  ('No estás en lo correcto'), ('I haven’t understood'), ('not understood'), ('that wasn''t helpful'), ('it doesn''t look good'),
  ('no, perfecto'), ('no, ha sido un placer, gracias'), ('no, entendido'), ('no he visto nada mejor, me encanta'), ('it looks good');
\a
select s.message, j.quality_score, j.was_successful
from said s, retrain_judge(retrain_words(s.message)) j order by s.place;
\a

select record_interaction('¿tienen cursos?', 'Sí, de piano.', 'cursos', 90) as id \gset
select evaluate_interaction(:'id', 'PERFECTO, lo quiero');
select quality_score, was_successful, user_feedback, evaluated_at is not null as evaluated, dataset_status, intent_correct
from ai_training_data where id = :'id';
-- the last word counts
select evaluate_interaction(:'id', 'no me gusta');
select quality_score, was_successful, user_feedback from ai_training_data where id = :'id';

-- an unknown row is an answer, a missing message is an error
select evaluate_interaction('00000000-0000-0000-0000-000000000000', 'ok');
select evaluate_interaction(null, 'ok');
select evaluate_interaction(:'id', null);
\echo :LAST_ERROR_SQLSTATE
select quality_score from ai_training_data where id = :'id';

-- the category of a message that comes without one
select m, retrain_categorise(retrain_words(m)) as category
from unnest(array['Busco un curso de piano', '¿me RECOMIENDAS uno?', 'cómo pago', '¿Cuál es el método?', 'una FOTO por favor',
  '¿Cuánto cuesta?', 'el envío a domicilio', 'ENVIO', 'hola', '', 'looking for a lamp', 'can I pay by card', 'a picture please',
  'how much is it', 'when is the delivery', 'precioso', 'pagoda', 'Vale, gracias', '¿vale la pena?', '¿qué vale?', 'see you later',
  'I see', 'can I see it', 'como de costumbre', 'vivo en Costa Rica', '¿qué me recomendás?', 'muéstreme otro']) with ordinality as u (m, n) order by n;
select record_interaction('¿cuánto cuesta?') as a, record_interaction('¿cuánto cuesta?', p_category => 'mía') as b,
  record_interaction('hola') as c \gset
select category from ai_training_data where id in (:'a', :'b', :'c') order by created_at;

-- a message judges the turn before it in its conversation: of the same model, the newest, once
truncate ai_training_data;
select record_interaction('uno', 'r', 'x', p_conversation_id => 'k') is not null as recorded;
select record_interaction('otro modelo', 'r', 'x', p_conversation_id => 'k', p_model_name => 'm2') is not null as recorded;
select record_interaction('otra conversación', 'r', 'x', p_conversation_id => 'k2') is not null as recorded;
select record_interaction('sin conversación', 'r', 'x') is not null as recorded;
select user_message, quality_score from ai_training_data where evaluated_at is not null;
select record_interaction('no me gusta', 'r', 'x', p_conversation_id => 'k') is not null as recorded;
select record_interaction('perfecto', 'r', 'x', p_conversation_id => 'k') is not null as recorded;
select user_message, quality_score, was_successful, user_feedback from ai_training_data where evaluated_at is not null
order by created_at;
-- what has been evaluated already stays as it is, and so does what is older
select evaluate_interaction(id, 'genial') from ai_training_data where user_message = 'perfecto';
update ai_training_data set evaluated_at = null where user_message = 'uno';
select record_interaction('mal', 'r', 'x', p_conversation_id => 'k') is not null as recorded;
select user_message, user_feedback, evaluated_at is not null as evaluated from ai_training_data
where conversation_id = 'k' and model_name = 'default' order by created_at;
-- the same key again judges nothing
select record_interaction('gracias', 'r', 'x', p_conversation_id => 'k3', p_idempotency_key => 'i1') as first \gset
select record_interaction('no', 'r', 'x', p_conversation_id => 'k3', p_idempotency_key => 'i1') = :'first' as the_first;
select count(*), count(evaluated_at) as evaluated from ai_training_data where conversation_id = 'k3';
-- nothing is left of a call that fails
begin;
select record_interaction('x', p_conversation_id => 'k3', p_confidence_score => 900);
rollback;
select count(*), count(evaluated_at) as evaluated from ai_training_data where conversation_id = 'k3';

-- rules are rows: a user's rule, a changed one, a switched off one
insert into ai_quality_rules (priority, pattern, quality_score, language) values (1, 'bárbaro|de una', 5, 'es') returning id, phrases;
insert into ai_category_rules (priority, pattern, category) values (1, 'factura|recibo*', 'facturas');
select quality_score from retrain_judge(retrain_words('¡De una!'));
select retrain_categorise(retrain_words('quiero mis RECIBOS'));
update ai_quality_rules set enabled = false where id = 9;
select quality_score, was_successful from retrain_judge(retrain_words('dale'));
select id, shipped, enabled from ai_quality_rules where not shipped order by id;
-- after a restore the shipped row is back beside the user's, which wins
insert into ai_quality_rules (id, pattern, quality_score, shipped) values (9, 'dale', 4, true);
select quality_score from retrain_judge(retrain_words('dale'));
update ai_quality_rules set enabled = true where id = 9;
select id, shipped, enabled from ai_quality_rules where id = 9 order by shipped;
select c.relname, e.extcondition[array_position(e.extconfig, c.oid)] as condition
from pg_extension e join pg_class c on c.oid = any (e.extconfig)
where e.extname = 'pg_retrain' and c.relname in ('ai_quality_rules', 'ai_category_rules', 'ai_quality_rules_id_seq', 'ai_feedback')
order by c.relname collate "C";

-- what is no rule says so
\set VERBOSITY terse
delete from ai_quality_rules where id = 1;
insert into ai_quality_rules (pattern, quality_score) values ('', 3);
insert into ai_quality_rules (pattern, quality_score) values ('a||b', 3);
insert into ai_quality_rules (pattern, quality_score) values ('*', 3);
insert into ai_quality_rules (pattern, quality_score) values ('\bno\b', 3);
\echo :LAST_ERROR_SQLSTATE
insert into ai_quality_rules (pattern, quality_score) values (null, 3);
insert into ai_quality_rules (pattern, quality_score) values ('a', 6);
insert into ai_quality_rules (pattern) values ('a');
insert into ai_quality_rules (pattern, quality_score, language) values ('a', 3, 'fr');
insert into ai_category_rules (pattern, category) values ('a', ' ');
\set VERBOSITY default

-- prompts: at most one active for each model; one statement passes the part on
insert into ai_prompt_versions (version, prompt_template, is_active) values (1, 'a', true), (2, 'b', false);
select version, is_active, activated_at = created_at as since_it_was_inserted from ai_prompt_versions order by version;
-- what a dump says of it stays
begin;
update ai_prompt_versions set is_active = false;
insert into ai_prompt_versions (version, prompt_template, is_active, activated_at) values (9, 'z', true, '2020-01-01 00:00:00+00');
select activated_at = '2020-01-01 00:00:00+00' as kept from ai_prompt_versions where version = 9;
rollback;
\set VERBOSITY terse
insert into ai_prompt_versions (version, prompt_template, is_active) values (3, 'c', true);
update ai_prompt_versions set is_active = true;
\set VERBOSITY default
update ai_prompt_versions set is_active = version = 2;
select version, is_active, activated_at is not null as activated, deactivated_at is not null as deactivated
from ai_prompt_versions order by version;
insert into ai_prompt_versions (version, prompt_template, is_active, model_name) values (1, 'z', true, 'm2');

-- feedback keeps its words when its message goes
select record_interaction('queja', 'r', 'x') as id \gset
insert into ai_feedback (training_data_id, helpful, rating, feedback_text) values (:'id', false, 2, 'lento');
\set VERBOSITY terse
insert into ai_feedback (rating) values (6);
\set VERBOSITY default
delete from ai_training_data where id = :'id';
select training_data_id, helpful, rating, feedback_text from ai_feedback;

-- a recorder evaluates, and writes nothing else
create role regress_retrain_recorder;
select grant_retrain_access('regress_retrain_recorder', 'recorder', 'default');
truncate ai_training_data;
set role regress_retrain_recorder;
select record_interaction('hola', 'r', 'x', p_conversation_id => 'k') is not null as recorded;
select record_interaction('gracias', 'r', 'x', p_conversation_id => 'k') as id \gset
select evaluate_interaction(:'id', 'ok');
update ai_training_data set correct_intent = 'y';
\echo :LAST_ERROR_SQLSTATE
update ai_quality_rules set enabled = false;
\echo :LAST_ERROR_SQLSTATE
insert into ai_feedback (helpful, model_name) values (true, 'm2');
\echo :LAST_ERROR_SQLSTATE
insert into ai_feedback (helpful) values (true);
reset role;
select user_message, quality_score, user_feedback from ai_training_data order by created_at;
insert into ai_training_data (user_message, model_name) values ('de otro', 'm2') returning id \gset
set role regress_retrain_recorder;
select evaluate_interaction(:'id', 'ok');
reset role;
select revoke_retrain_access('regress_retrain_recorder');
drop role regress_retrain_recorder;
drop extension pg_retrain;
