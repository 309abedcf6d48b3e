-- What the documents of the three systems tell their users to run and what they promise to show: the deployment guide of the
-- support assistant (steps 1, 5 and 6, with the technical page's calls), the sales bot, the router. Each statement is the
-- document's own; a name is changed only where the contract changes it, and then the comment says so.
begin;
select plan(87);

-- The keys of a JSON object that are missing.
create function lacks(p_object jsonb, p_keys text[]) returns text[] language sql as $$
  select coalesce(array_agg(k), '{}') from unnest(p_keys) k where not p_object ? k $$;

-- ==== the deployment guide, step 1: the schema ==========================================================================

-- 1.4 "Verificar tablas creadas"
select set_has($$
  SELECT table_name::text FROM information_schema.tables
  WHERE table_schema = 'public'
  AND table_name LIKE 'ai_%'
  ORDER BY table_name $$,
  $$ values ('ai_intent_corrections'), ('ai_metrics_snapshots'), ('ai_prompt_versions'), ('ai_training_data'),
    ('ai_training_runs') $$,
  'step 1.4 shows the five tables');

-- 1.5 "Verificar RPCs creados". The guide's pattern finds two of the four that it lists, here as there.
select set_has($$
  SELECT routine_name::text FROM information_schema.routines
  WHERE routine_schema = 'public'
  AND routine_name LIKE '%training%' $$,
  $$ values ('get_ai_training_metrics'), ('get_training_dataset') $$, 'step 1.5 shows the RPCs that its pattern can show');
select set_has($$
  SELECT routine_name::text FROM information_schema.routines WHERE routine_schema = 'public' $$,
  $$ values ('create_metrics_snapshot'), ('get_ai_training_metrics'), ('get_training_dataset'), ('submit_intent_correction') $$,
  'step 1.5: all four are there');

-- A user of the API sees them too, not only the owner.
create role seed_reviewer;
create role seed_trainer;
select grant_retrain_access('seed_reviewer', 'reviewer', 'default');
select grant_retrain_access('seed_trainer', 'trainer', 'default');
set local role seed_reviewer;
create temporary table reviewer_tables as
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'public'
AND table_name LIKE 'ai_%'
ORDER BY table_name;
set local role seed_trainer;
create temporary table trainer_routines as
SELECT routine_name FROM information_schema.routines WHERE routine_schema = 'public';
reset role;
select set_has('select table_name::text from reviewer_tables', $$
  values ('ai_intent_corrections'), ('ai_metrics_snapshots'), ('ai_prompt_versions'), ('ai_training_data'),
    ('ai_training_runs') $$, 'step 1.4 as a reviewer');
select set_has('select routine_name::text from trainer_routines', $$
  values ('create_metrics_snapshot'), ('get_ai_training_metrics'), ('get_training_dataset'), ('submit_intent_correction') $$,
  'step 1.5 as a trainer');

-- The columns that the technical page names ("Database Schema"). Of ai_intent_corrections the page says "notes" where its
-- own SQL, and the contract, say correction_notes.
select set_has(
  format('select attname::text from pg_attribute where attrelid = %L::regclass and attnum > 0', t.name),
  format('select unnest(%L::text[])', t.columns), t.name || ' has the documented columns')
from (values
  ('ai_training_data', '{user_message,detected_intent,correct_intent,ai_response,correct_response,confidence_score,'
    'corrected_by_human,intent_correct,escalated,response_source,dataset_status,conversation_id,message_id,user_id,'
    'corrected_by}'::text[]),
  ('ai_training_runs', '{run_name,run_type,status,training_samples,validation_samples,test_samples,total_intents,'
    'intent_accuracy,intent_precision,intent_recall,intent_f1_score,baseline_intent_accuracy,model_config,model_file_path,'
    'dataset_file_path,report_file_path}'),
  ('ai_intent_corrections', '{training_data_id,original_intent,corrected_intent,was_mismatch,correction_notes,corrected_by}')
) t (name, columns);

-- ==== troubleshooting: before the first training ========================================================================

-- "Model not trained yet": an answer, not an error.
select is(to_jsonb(p) -> 'model_trained', 'false', 'without a training model_trained is false')
from predict_intent('quiero devolver un producto') p;
select is(to_jsonb(p) - '{message,model_trained}'::text[] @? '$.* ? (@ != null)', false, 'and nothing else is claimed')
from predict_intent('quiero devolver un producto') p;

-- "Training failed - not enough samples": "Necesitas mínimo 20 samples"
select record_interaction('Como puedo comprar un producto?', p_detected_intent => 'purchase', p_confidence_score => 85);
select results_eq($$
  select status, error_message ~ '^not enough samples: 1 .* at least 20 ' from train_intent_model() $$,
  $$ values ('failed', true) $$, 'with one sample the training fails and says how many are needed');
delete from ai_training_data;

-- ==== step 5: the first training, 70 messages of 35 intents =============================================================

create temporary table guide_messages (
  intent text,
  first_message text,
  second_message text
);
insert into guide_messages values
  ('purchase', 'Como puedo comprar un producto?', 'Quiero comprar algo pero no se como'),
  ('purchase_status', 'Donde esta mi compra?', 'Cual es el estado de mi pedido'),
  ('return_process', 'Quiero devolver un articulo', 'Como devuelvo un producto que compre'),
  ('refund', 'Cuando me reembolsan el dinero?', 'No me llego el reembolso'),
  ('shipping_problem', 'El paquete llego roto', 'Mi envio no llega'),
  ('shipping_cost', 'Cuanto cuesta el envio?', 'El envio es gratis?'),
  ('sell', 'Como vendo en la plataforma?', 'Quiero publicar una venta'),
  ('sell_fees', 'Que comision cobran por vender?', 'Cuanto se quedan de cada venta'),
  ('payment_methods', 'Puedo pagar con tarjeta?', 'Que medios de pago aceptan'),
  ('payment_failed', 'Me rechazaron el pago', 'El cobro dio error'),
  ('payment_duplicated', 'Me cobraron dos veces', 'Tengo un cargo repetido'),
  ('invoice', 'Necesito la factura', 'Donde descargo mi recibo fiscal'),
  ('account_create', 'Como me registro?', 'Quiero abrir una cuenta nueva'),
  ('account_delete', 'Borren mi cuenta', 'Como doy de baja mi usuario'),
  ('account_blocked', 'Mi cuenta esta bloqueada', 'Por que suspendieron mi perfil'),
  ('password_reset', 'Olvide la clave', 'No recuerdo mi contraseña'),
  ('email_change', 'Quiero cambiar mi correo', 'Actualizar la direccion de email'),
  ('address_change', 'Cambiar el domicilio de entrega', 'Me mude, como pongo otra direccion'),
  ('order_cancel', 'Cancelar el pedido', 'Ya no lo quiero, anulenlo'),
  ('order_change', 'Puedo agregar algo a mi pedido?', 'Modificar la talla que pedi'),
  ('coupon', 'Tengo un cupon de descuento', 'El codigo promocional no anda'),
  ('stock', 'Hay existencias en azul?', 'Cuando vuelve a estar disponible'),
  ('price', 'Que precio tiene el celular?', 'A cuanto esta la bicicleta'),
  ('warranty', 'Que garantia tiene?', 'Se rompio a los tres meses, lo cubren?'),
  ('fraud_report', 'Creo que es una estafa', 'Denunciar a un vendedor falso'),
  ('seller_contact', 'Como hablo con el vendedor?', 'El vendedor no responde'),
  ('buyer_contact', 'El comprador no retira', 'Como le escribo a quien me compro'),
  ('rating', 'Donde dejo una reseña?', 'Calificar al vendedor'),
  ('app_error', 'La aplicacion se cierra sola', 'Me sale pantalla en blanco'),
  ('notifications', 'No me llegan avisos', 'Desactivar las notificaciones'),
  ('privacy', 'Que hacen con mis datos?', 'Quien ve mi telefono'),
  ('human_agent', 'Quiero hablar con una persona', 'Pasame con un operador'),
  ('opening_hours', 'En que horario atienden?', 'Estan abiertos el domingo?'),
  ('greeting', 'Hola buenas', 'Buen dia'),
  ('goodbye', 'Gracias, hasta luego', 'Chau, nos vemos');

-- "Enviar mensajes": five of the seventy go to a person. There is no buffer to flush: a recorded message is stored.
select is(count(record_interaction(message, 'Respuesta', p_detected_intent => intent, p_confidence_score => 85,
    p_user_id => 'test_user_123', p_session_id => 'test_session_1', p_escalated => place <= 5,
    p_response_source => case when place <= 5 then 'escalation' else 'faq' end)), 70::bigint, 'step 5: 70 messages are sent')
from (
  select row_number() over () as place, intent, message
  from guide_messages cross join lateral (values (first_message), (second_message)) m (message)
) q;

create temporary table first_run as select * from train_intent_model();
select is(status, 'completed', 'step 5: Status: completed') from first_run;
select is(total_intents, 35, 'step 5: Intents: 35') from first_run;
select is(training_samples + validation_samples + test_samples, 70, 'step 5: every sample is used') from first_run;
select ok(deployed, 'the first training is always deployed') from first_run;
-- The guide splits 80/20; the contract 70/15/15, an intent's first two texts always training.
select is(training_samples, 70, 'two texts an intent: all of them train') from first_run;
-- "run_name TEXT - e.g., training_20260220_070000"
select matches(run_name, '^training_\d{8}_\d{6}', 'the run is named as documented') from first_run;
select ok(lacks(model_config, '{classifier,c,word_ngrams}') = '{}', 'model_config has the parameters') from first_run;

-- ==== step 6: the running system ========================================================================================

-- Test 1: "Respuesta con confidence_score >= 70, registro en ai_training_data"
create temporary table test_1 as
select record_interaction('Como compro algo en Rendly?', 'Elija un producto y pulse Comprar.', p_detected_intent => 'purchase',
  p_confidence_score => 90, p_user_id => 'test_user_123', p_session_id => 'test_session_1', p_response_source => 'faq') as id;
select results_eq($$
  select user_message, confidence_score >= 70, user_id, session_id from ai_training_data where id = (select id from test_1) $$,
  $$ values ('Como compro algo en Rendly?', true, 'test_user_123', 'test_session_1') $$, 'test 1: the message is stored at once');

-- Test 3: "Revisar datos en Supabase"
prepare test_3 as
SELECT
    user_message,
    detected_intent,
    confidence_score,
    response_source,
    created_at
FROM ai_training_data
ORDER BY created_at DESC
LIMIT 10;
create temporary table test_3 as execute test_3;
select is((select count(*) from test_3), 10::bigint, 'test 3: ten rows');
select results_eq('select user_message, detected_intent, confidence_score, response_source from test_3 limit 1',
  $$ values ('Como compro algo en Rendly?', 'purchase', 90, 'faq') $$, 'test 3: the newest first');
delete from ai_training_data where id = (select id from test_1);

-- Test 4: "Verificar métricas live". GET /ai/training/metrics?hours=24 is get_live_metrics(24), whose one object holds both
-- of the guide's: live_metrics and pipeline_stats.
create temporary table test_4 as select get_live_metrics(p_hours => 24) as metrics;
select is(metrics -> t.key, t.value, 'test 4: ' || t.key || ' is as in the guide')
from test_4, jsonb_each('{
  "total_messages": 70,
  "ai_resolved": 65,
  "escalated": 5,
  "avg_confidence": 85.0,
  "escalation_rate": 7.1,
  "model_trained": true,
  "model_intents": 35,
  "samples_since_last_train": 0
}') t;
select is(lacks(metrics, '{period_hours,intent_distribution,confidence_distribution}'), '{}', 'test 4: the other keys')
from test_4;
select is(metrics -> 'confidence_distribution', '{"0-20": 0, "21-40": 0, "41-60": 0, "61-80": 0, "81-100": 70}',
  'test 4: confidence by bucket') from test_4;

-- Test 5: "Probar predicción". GET /ai/training/predict is predict_intent().
create temporary table test_5 as select to_jsonb(p) as answer from predict_intent('quiero devolver un producto', p_top => 3) p;
select is(lacks(answer, '{message,predicted_intent,confidence,top_intents,model_trained}'), '{}', 'test 5: the keys')
from test_5;
select is(answer -> 'message', '"quiero devolver un producto"', 'test 5: the message') from test_5;
select is(answer -> 'predicted_intent', '"return_process"', 'test 5: the intent') from test_5;
select is(answer -> 'model_trained', 'true', 'test 5: model_trained') from test_5;
select ok((answer ->> 'confidence')::real between 0 and 1, 'test 5: a confidence') from test_5;
select is(jsonb_typeof(answer -> 'top_intents'), 'object', 'test 5: top_intents is an object') from test_5;
select is((select count(*) from jsonb_each_text(answer -> 'top_intents')), 3::bigint, 'test 5: of three') from test_5;
select ok(abs((answer -> 'top_intents' ->> 'return_process')::real - (answer ->> 'confidence')::real) < 1e-6,
  'test 5: the intent has its confidence there') from test_5;

-- ==== the continuous flow ===============================================================================================

-- 3. "Revisión humana": lowest confidence first
create temporary table unsure as
select record_interaction('se rompio el paquete y quiero la plata', 'Respuesta', p_detected_intent => 'shipping_problem',
  p_confidence_score => 41) as id;
select results_eq('select id from v_pending_review limit 1', 'select id from unsure', 'the least certain comes first');
-- submit_intent_correction(...) with the documented parameters
select is(submit_intent_correction(
    p_training_data_id => id,
    p_correct_intent => 'refund',
    p_correct_response => 'Le devolvemos el dinero.',
    p_should_escalate => FALSE,
    p_notes => 'pide la plata',
    p_corrector_id => gen_random_uuid()),
  '{"success": true, "was_mismatch": true, "original_intent": "shipping_problem", "correct_intent": "refund"}',
  'a correction answers as documented') from unsure;
-- "Side Effects"
select results_eq($$ select corrected_by_human, intent_correct, correct_intent, correct_response from ai_training_data
  where id = (select id from unsure) $$, $$ values (true, false, 'refund', 'Le devolvemos el dinero.') $$,
  'the row is updated, the trigger sees the mismatch');
select results_eq($$ select original_intent, corrected_intent, was_mismatch, correction_notes from ai_intent_corrections
  where training_data_id = (select id from unsure) $$, $$ values ('shipping_problem', 'refund', true, 'pide la plata') $$,
  'the correction is kept');
select is(submit_intent_correction('00000000-0000-0000-0000-000000000000', 'refund'),
  '{"success": false, "error": "Training data not found"}', 'an unknown id is an answer, not an error');
-- the tabs Errors and Intents
select results_eq('select user_message, ai_said, should_be from v_classification_errors',
  $$ values ('se rompio el paquete y quiero la plata', 'shipping_problem', 'refund') $$, 'Errors: the misclassification');
select results_eq($$ select total_samples, correct_classifications, misclassifications, accuracy from v_intent_performance
  where intent = 'refund' $$, $$ values (3::bigint, 0::bigint, 1::bigint, 0.0) $$, 'Intents: accuracy of each');

-- get_training_dataset(p_min_confidence, p_only_reviewed, p_limit)
select results_eq($$ select user_message, intent, response, was_corrected
  from get_training_dataset(p_min_confidence => 0, p_only_reviewed => TRUE, p_limit => 10) $$,
  $$ values ('se rompio el paquete y quiero la plata', 'refund', 'Le devolvemos el dinero.', true) $$,
  'get_training_dataset: reviewed only');
select is(count(*), 70::bigint, 'get_training_dataset: by confidence') from get_training_dataset(p_min_confidence => 70);

-- 4. "Auto-retraining: cada 100 samples nuevos", "solo se deploya si F1 no baja >5%", "mínimo 20 samples"
select results_eq($$ select auto_retrain_threshold, max_f1_regression, min_samples from ai_models
  where model_name = 'default' $$, $$ values (100, 0.05::real, 20) $$, 'the defaults of the guide');
select is(should_retrain() @> '{"due": false, "new_samples": 1, "threshold": 100}', true, 'one new sample is too few');
select count(record_interaction('mensaje numero ' || n || ' de prueba', p_detected_intent => 'greeting')) from generate_series(1, 99) n;
select is(should_retrain() @> '{"due": true, "new_samples": 100, "threshold": 100}', true, 'the hundredth makes it due');
select results_eq('select status, run_type from retrain_if_due()', $$ values ('completed', 'full') $$, 'and it trains');

-- RPC get_ai_training_metrics(p_days), of the technical page
create temporary table history as select get_ai_training_metrics(p_days => 30) as metrics;
select is(lacks(metrics, '{total_messages,ai_resolved,escalated,escalation_rate,avg_confidence,intent_accuracy,'
    'correction_rate,top_intents,top_misclassified}'), '{}', 'get_ai_training_metrics: the keys of the technical page')
from history;
select is(lacks(metrics, '{total_training_samples,pending_review,reviewed,approved,human_corrections,intent_mismatches,'
    'corrections_by_category,top_confused_intents,last_training_run,training_runs_count}'), '{}',
  'get_ai_training_metrics: the keys of its SQL') from history;
select is(jsonb_typeof(metrics -> 'top_intents') || ' ' || jsonb_typeof(metrics -> 'top_misclassified'), 'object array',
  'top_intents is an object, top_misclassified an array') from history;
select is(metrics @> '{"total_messages": 170, "ai_resolved": 165, "escalated": 5, "human_corrections": 1,
    "intent_mismatches": 1, "training_runs_count": 2}', true, 'get_ai_training_metrics: the numbers') from history;

-- RPC create_metrics_snapshot(p_period_type)
select isnt(create_metrics_snapshot(p_period_type => p), null, 'a snapshot: ' || p)
from unnest('{hourly,daily,weekly,monthly}'::text[]) p;
select results_eq($$ select period_type from ai_metrics_snapshots order by 1 $$,
  $$ values ('daily'), ('hourly'), ('monthly'), ('weekly') $$, 'the four of them are stored');

-- "Métricas Clave a Monitorear"
select set_has('select rule_name, direction, target::numeric, critical::numeric from ai_alert_rules where model_name is null', $$
  values ('intent_accuracy', 'above', 0.85, 0.70), ('escalation_rate', 'below', 15, 30), ('avg_confidence', 'above', 75, 60),
    ('f1_score', 'above', 0.85, 0.70), ('training_samples', 'above', 100, 20), ('misclassified_rate', 'below', 5, 15) $$,
  'the six targets of the guide');
select set_has($$ select rule_name from ai_metric_health where model_name = 'default' $$,
  $$ values ('intent_accuracy'), ('escalation_rate'), ('avg_confidence'), ('f1_score'), ('training_samples'), ('misclassified_rate') $$,
  'each is measured');

-- ==== the sales bot =====================================================================================================

-- 1. TrainingCaptureService.captureInteraction(userId, conversationId, userMessage, botResponse, context)
create temporary table captured as
select m.category, record_interaction(m.message, 'Claro, con gusto.', p_model_name => 'ventas', p_user_id => 'u-1',
  p_conversation_id => 'c-' || m.category, p_product_id => 'p-7', p_product_name => 'Curso de piano',
  p_context => '[{"role": "user", "content": "hola"}]') as id
-- detectCategory(): what each of its patterns is for
from (values
  ('consulta_producto', 'Busco un curso de piano'),
  ('proceso_pago', '¿Me pasas el link de pago?'),
  ('solicitud_foto', '¿Tienes una foto?'),
  ('consulta_precio', '¿Cuánto cuesta?'),
  ('consulta_envio', '¿Hacen envío a domicilio?'),
  ('general', 'Buenas tardes')) m (category, message);
select results_eq('select d.category from captured c join ai_training_data d using (id) order by 1',
  'select category from captured order by 1', 'the categories of the bot');
select results_eq($$ select distinct user_id, product_id, product_name, context, quality_score, was_successful from captured
  join ai_training_data using (id) $$,
  $$ values ('u-1', 'p-7', 'Curso de piano', '[{"role": "user", "content": "hola"}]'::jsonb, null::smallint, null::boolean) $$,
  'what was captured, not yet evaluated');

-- 2. TrainingEvaluationService: scores of its five groups, "no me gusta" read as the refusal that it is
select is(evaluate_interaction(id, m.answer), jsonb_build_object('quality_score', m.score, 'was_successful', m.success),
  'evaluated: ' || m.answer)
from (values
  ('consulta_producto', 'perfecto, lo quiero', 5, true),
  ('proceso_pago', 'ok, listo', 4, false),
  ('solicitud_foto', 'cuéntame más detalles', 3, false),
  ('consulta_precio', 'no entiendo', 2, false),
  ('consulta_envio', 'no me gusta', 1, false)) m (category, answer, score, success)
join captured using (category);
select results_eq($$ select user_feedback, evaluated_at is not null from captured join ai_training_data using (id)
  where captured.category = 'consulta_producto' $$, $$ values ('perfecto, lo quiero', true) $$, 'and kept with what was said');

-- 3. TrainingDatasetGenerator.generateDataset(userId, minQualityScore = 4): the lines, to the letter
select results_eq($$ select line::jsonb from export_training_dataset('chat_jsonl', p_min_quality => 4,
    p_system_prompt => 'Eres un asistente de ventas experto en Tecnovariedades D&S. Respondes de manera natural, amigable y profesional.',
    p_limit => 1000, p_model_name => 'ventas') line order by line::jsonb -> 'metadata' ->> 'qualityScore' desc $$, $$
  select jsonb_build_object(
    'messages', jsonb_build_array(
      jsonb_build_object('role', 'system', 'content', 'Eres un asistente de ventas experto en Tecnovariedades D&S. '
        'Respondes de manera natural, amigable y profesional.'),
      jsonb_build_object('role', 'user', 'content', m.message),
      jsonb_build_object('role', 'assistant', 'content', 'Claro, con gusto.')),
    'metadata', jsonb_build_object('category', m.category, 'productName', 'Curso de piano', 'qualityScore', m.score))
  from (values ('Busco un curso de piano', 'consulta_producto', 5), ('¿Me pasas el link de pago?', 'proceso_pago', 4))
    m (message, category, score) $$, 'the dataset of the bot');

-- GET /api/training/stats: getDatasetStats()
create temporary table stats as select get_dataset_stats('ventas') as stats;
select is(stats -> 'total', '6', 'total') from stats;
select is(stats -> 'highQuality', '2', 'highQuality') from stats;
select is(stats -> 'byCategory' @> '[{"category": "consulta_producto", "qualityScore": 5, "_count": 1}]', true,
  'byCategory: groups by category and score') from stats;

-- The Modelfile: the bot's parameters. Examples are MESSAGE lines; an ADAPTER is a file of weights, which a dataset is not.
select matches(export_modelfile(p_model_name => 'ventas'),
  '^FROM llama3\.1:8b\n\nSYSTEM """.*"""\n\nPARAMETER temperature 0\.7\nPARAMETER top_p 0\.9\nPARAMETER top_k 40\n\nMESSAGE user ',
  'the Modelfile of the bot');

-- ==== the router ========================================================================================================

-- "MIN_TRAINING_SAMPLES = 50", "CONFIDENCE_THRESHOLD = 0.6", ground truth from people only
insert into ai_models (model_name, config, label_source, min_samples, confidence_threshold)
values ('router', '{"classifier": "logistic_regression", "text_stats": true}', 'reviewed', 50, 0.6);

-- "No active model found"
select is_empty($$ select * from ai_model_metadata where model_name = 'router' and is_active $$, 'no active model at first');

-- "Never train on queries": what the model or the application thinks is no label.
insert into ai_training_data (model_name, user_message, detected_intent)
select 'router', 'prompt ' || n, 'EASY' from generate_series(1, 60) n;
-- "Insufficient training data: need at least 50 samples in ml_data table"
select results_eq($$ select status, error_message ~ '^not enough samples: 0 .* at least 50 ' from train_intent_model('router') $$,
  $$ values ('failed', true) $$, 'predictions are no training data');

-- "User provides feedback"
insert into ai_training_data (model_name, user_message, correct_intent, corrected_by_human)
select 'router', format(t.pattern, a, b), t.difficulty, true
from unnest('{France,Peru,Japan,Kenya,Norway,Chile}'::text[]) a, unnest('{report,letter,contract,speech,review}'::text[]) b,
  (values ('EASY', 'What is the capital of %s, for my %s?'), ('MEDIUM', 'Summarise this %2$s about %1$s in two sentences.'),
    ('HARD', 'Prove that f(x) = x[0] ends for each %2$s of %1$s, find the bug; rewrite it in O(n log n).')) t (difficulty, pattern);
select results_eq($$ select status, deployed, total_intents from train_intent_model('router') $$,
  $$ values ('completed', true, 3) $$, 'the first model is the active one');

-- "View All Models": the table is the view ai_model_metadata (the document's: model_metadata)
prepare all_models as
SELECT version, accuracy, f1_score, is_active, training_timestamp
FROM ai_model_metadata
ORDER BY created_at DESC;
create temporary table all_models as execute all_models;
select matches(version, '^v\d{8}_\d{6}', 'version "v20240101_120000"') from all_models limit 1;
select ok(accuracy between 0 and 1 and f1_score between 0 and 1 and is_active and training_timestamp is not null,
  'accuracy, f1_score, is_active, training_timestamp') from all_models limit 1;
select set_has($$ select attname::text from pg_attribute where attrelid = 'ai_model_metadata'::regclass and attnum > 0 $$,
  $$ select unnest('{version,accuracy,f1_score,confidence_threshold,training_timestamp,is_active,metrics,created_at}'::text[]) $$,
  'the columns of model_metadata');

-- "Returns UNCERTAIN if confidence < threshold"
select results_eq($$ select decision, is_uncertain from predict_intent('What is the capital of Peru, for my letter?', 'router') $$,
  $$ values ('EASY', false) $$, 'a decision');
select results_eq($$ select decision, is_uncertain, predicted_intent is not null from predict_intent('zzz', 'router') $$,
  $$ values ('UNCERTAIN', true, true) $$, 'below the threshold UNCERTAIN');

-- "Only promotes models if no regression": the answers of people turned round
update ai_training_data set correct_intent = case correct_intent when 'EASY' then 'HARD' when 'HARD' then 'MEDIUM' else 'EASY' end
where model_name = 'router' and correct_intent is not null and split = 'train';
select results_eq($$ select status, deployed, gate ->> 'verdict' from train_intent_model('router') $$,
  $$ values ('completed', false, 'rejected') $$, 'a regression is not promoted');
select results_eq($$ select is_active, status from ai_model_metadata where model_name = 'router' order by created_at desc $$,
  $$ values (false, 'rejected'), (true, 'live') $$, 'both versions stay in the table');

select * from finish();
rollback;
