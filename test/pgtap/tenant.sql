-- Two tenants in one database: whoever holds any level on the model tenant_a reaches nothing of the model tenant_b through
-- any function, view or table, and writes nothing there. The catalogue says what has to be tried: a function without a call
-- in the list below fails the test.
--
-- Repeatable read: one snapshot for all roles, so that nothing remembered for one of them may answer another.
begin isolation level repeatable read;
set client_min_messages = error;
select no_plan();

-- ---- what tenant_b has: every text, name and note of it holds the mark, its numbers are no others' -----------------------

create function pg_temp.mark() returns text language sql immutable as $$ select 'zqmark' $$;
create function pg_temp.number() returns text language sql immutable as $$ select '8190273' $$;

\o /dev/null
insert into ai_training_data (id, user_message, detected_intent, ai_response, confidence_score, model_name, conversation_id,
  user_id, session_id, category, escalated, escalation_reason, response_time_ms, product_id, product_name, context,
  idempotency_key, user_feedback, message_id, matched_keywords, dataset_status, quality_score)
select case when i = 1 then '00000000-0000-0000-0000-00000000000b' else gen_random_uuid() end::uuid,
  format('%s %s please, number %s', pg_temp.mark(), w.word, i), pg_temp.mark() || w.intent, pg_temp.mark() || ' response', 8, 'tenant_b',
  pg_temp.mark(), pg_temp.mark() || '-user', pg_temp.mark(), pg_temp.mark(), true, pg_temp.mark(), pg_temp.number()::integer,
  pg_temp.mark(), pg_temp.mark(), jsonb_build_object('note', pg_temp.mark()), pg_temp.mark() || w.word || i, pg_temp.mark(),
  pg_temp.mark(), array[pg_temp.mark()], case when i > 20 then 'approved' else 'pending' end, 5
from generate_series(1, 30) i, (values ('order', 'one'), ('invoice', 'two')) w (word, intent)
where i > 1 or w.word = 'order';
insert into ai_training_data (user_message, detected_intent, model_name, user_id, conversation_id, ai_response)
select format('%s please, number %s', w.word, i), w.intent, 'tenant_a', 'shared-user', 'shared-conversation', 'fine'
from generate_series(1, 30) i, (values ('order', 'one'), ('invoice', 'two')) w (word, intent);
insert into ai_training_data (user_message, detected_intent, model_name, user_id, conversation_id)
values ('known phrase', pg_temp.mark() || 'one', 'tenant_b', 'shared-user', 'shared-conversation');
select retrain_ensure_model(m) from unnest(array['tenant_a', 'tenant_b']) m;
select submit_intent_correction(id, pg_temp.mark() || 'two', pg_temp.mark(), true, pg_temp.mark())
from ai_training_data where model_name = 'tenant_b' and (user_message = 'known phrase' or user_message like '%number 30');
select submit_intent_correction(id, 'two') from ai_training_data where model_name = 'tenant_a' and user_message like '%number 30';
select train_intent_model('tenant_a', p_config => '{"preset": "classic"}');
select train_intent_model('tenant_b', p_run_name => pg_temp.mark() || n, p_promote => 'always',
  p_config => jsonb_build_object('preset', 'classic', 'seed', pg_temp.number()::integer + n)) from generate_series(0, 1) n;
select retrain_finish_run(r.run_id, jsonb_build_object('status', 'failed', 'error_message', pg_temp.mark()), null, 'gate')
from retrain_begin_run('tenant_b', 'full', pg_temp.mark(), '{}', null, pg_temp.mark()) r;
update ai_training_runs set intent_accuracy = 0.8190273, gate = gate || jsonb_build_object('reason', pg_temp.mark())
where model_name = 'tenant_b' and status = 'completed';
insert into ai_training_runs (id, run_name, status, model_name, started_at)
values ('00000000-0000-0000-0000-0000000000b0', pg_temp.mark(), 'running', 'tenant_b', now());
-- A source of tenant_b's own, and a candidate version with distinct numbers.
update ai_models set source = format('select %L as text, %L as intent', pg_temp.mark(), pg_temp.mark()) where model_name = 'tenant_b';
select retrain_insert_version('tenant_b', null, (select artifact from ai_model_versions where model_name = 'tenant_b' limit 1), 'candidate',
  jsonb_build_object('accuracy', 0.8190273, 'f1_score', 0.8190273, 'labels', array[pg_temp.mark()],
    'metrics', jsonb_build_object('note', pg_temp.mark()), 'algorithm', pg_temp.mark()));
insert into ai_model_versions (model_name, version, algorithm, artifact, artifact_sha256, artifact_bytes, labels)
values ('tenant_b', pg_temp.mark(), 'none', '\x00', encode(sha256('\x00'), 'hex'), 1, array[pg_temp.mark()]);
select promote_model((select min(id) from ai_model_versions where model_name = 'tenant_b'), pg_temp.mark());
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical, min_rows)
values (pg_temp.mark(), 'tenant_b', 'escalation_rate', 'below', 0.8190273, 8.190273, 1);
select count(*) from check_alerts();
select create_metrics_snapshot('daily', 'tenant_b'), create_metrics_snapshot('hourly', 'tenant_b');
update ai_metrics_snapshots set total_messages = pg_temp.number()::integer where model_name = 'tenant_b';
insert into ai_feedback (message_id, user_id, helpful, feedback_text, feedback_type, conversation_id, user_message, agent_response,
  training_data_id, model_name)
select pg_temp.mark(), 'shared-user', true, pg_temp.mark(), pg_temp.mark(), pg_temp.mark(), pg_temp.mark(), pg_temp.mark(), id, 'tenant_b'
from ai_training_data where id = '00000000-0000-0000-0000-00000000000b';
insert into ai_prompt_versions (version, prompt_template, few_shot_examples, intent_accuracy, is_active, notes, model_name)
values (1, pg_temp.mark(), jsonb_build_array(pg_temp.mark()), 0.8190273, true, pg_temp.mark(), 'tenant_b');
select count(*) from claim_review_items(pg_temp.mark(), 3, 30, 'tenant_b');
insert into ai_forgotten_users (receipt_id, model_name, user_digest, messages, corrections, feedback, version_ids,
  live_version_affected, requested_by)
values (gen_random_uuid(), 'tenant_b', repeat('8190273f', 8), pg_temp.number()::bigint, 1, 1, '{}', true, pg_temp.mark());
insert into ai_retrain_requests (model_name, reason) values ('tenant_b', pg_temp.mark());
-- Experiments named like their models, so that one name serves the calls for both.
select create_experiment('tenant_a', p_metrics => '["revenue"]', p_starts_at => '2026-01-01', p_model_name => 'tenant_a');
select assign_variants('tenant_a', array(select 'unit' || i from generate_series(1, 60) i) || 'shared-user'::text);
select record_exposure('tenant_a', 'unit' || i), record_outcome('tenant_a', 'unit' || i, '{"revenue": 1}') from generate_series(1, 60) i;
select create_experiment('tenant_b', jsonb_build_array(pg_temp.mark() || '1', jsonb_build_object('name', pg_temp.mark() || '2')),
  jsonb_build_array(jsonb_build_object('name', pg_temp.mark(), 'covariate', pg_temp.mark())), '2026-01-01', null, pg_temp.mark(), 1, 0.05,
  pg_temp.number()::bigint, pg_temp.mark(), 'tenant_b');
select create_experiment(pg_temp.mark(), p_metrics => '["revenue"]', p_model_name => 'tenant_b');
select stop_experiment(pg_temp.mark(), pg_temp.mark());
select assign_variants('tenant_b', array(select pg_temp.mark() || i from generate_series(1, 60) i) || 'shared-user'::text);
select record_exposure('tenant_b', pg_temp.mark() || i, jsonb_build_object(pg_temp.mark(), 1)),
  record_outcome('tenant_b', pg_temp.mark() || i, jsonb_build_object(pg_temp.mark(), pg_temp.number()::integer), p_idempotency_key => pg_temp.mark() || i)
from generate_series(1, 60) i;
select retrain_push_notification(pg_temp.mark(), m, jsonb_build_object('mark', pg_temp.mark())) from unnest(array['tenant_b', null]) m;
insert into ai_segment_rules (segment) values ('all of them');
insert into ai_risk_levels (risk_level, min_probability, days_until_action) values ('none', 0, 1);
\o

-- ---- who asks: one role for each level on tenant_a, one without any ------------------------------------------------------

create temporary table asking (role_name text, level text);
insert into asking values ('tenant_reader', 'reader'), ('tenant_predictor', 'predictor'), ('tenant_recorder', 'recorder'),
  ('tenant_reviewer', 'reviewer'), ('tenant_trainer', 'trainer'), ('tenant_admin', 'admin'), ('tenant_stranger', null);
do $$
declare
  v_asking record;
begin
  for v_asking in select * from asking loop
    execute format('create role %I', v_asking.role_name);
    if v_asking.level is not null then
      perform grant_retrain_access(v_asking.role_name, v_asking.level, 'tenant_a');
    end if;
  end loop;
  execute format('create role %I', 'tenant_of_b_' || pg_temp.mark());
  perform grant_retrain_access('tenant_of_b_' || pg_temp.mark(), 'admin', 'tenant_b');
end
$$;

-- ---- the calls -----------------------------------------------------------------------------------------------------------

-- [model], [version], [run], [row] and [request] are what tenant_b has; each call is made a second time with names and ids
-- that nobody has, and has to end the same. Calls without any of them cover all models or one's own.
create temporary table calls (function_name text, call text);
insert into calls values
  ('check_alerts', 'check_alerts()'),
  ('claim_review_items', 'claim_review_items(''me'', 1000, 30, [model])'),
  ('classify_intent', 'classify_intent(''known phrase'', [model])'),
  ('classify_intent', 'classify_intent(''order please'', [model])'),
  ('clean_dataset', 'clean_dataset([model], false)'),
  ('create_metrics_snapshot', 'create_metrics_snapshot(''daily'', [model])'),
  ('detect_drift', 'detect_drift([model], interval ''1 second'', interval ''1 day'')'),
  ('diff_models', 'diff_models([model], [version], [version])'),
  ('diff_models', 'diff_models(''tenant_a'', [version], [version])'),
  ('drop_model_version', 'drop_model_version([version])'),
  ('evaluate_interaction', 'evaluate_interaction([row], ''thanks'')'),
  ('explain_intent', 'explain_intent(''order please'', [model])'),
  ('explain_intent', 'explain_intent(''order please'', [model], null, 10, [version])'),
  ('explain_intent', 'explain_intent(''order please'', ''tenant_a'', null, 10, [version])'),
  ('export_model', 'export_model([version])'),
  ('export_modelfile', 'export_modelfile(p_min_quality => null, p_model_name => [model])'),
  ('export_training_dataset', 'export_training_dataset(''jsonl'', p_model_name => [model])'),
  ('export_training_dataset', 'export_training_dataset(''csv'', p_model_name => [model])'),
  ('export_training_dataset', 'export_training_dataset(''chat_jsonl'', p_model_name => [model])'),
  ('find_label_issues', 'find_label_issues([model])'),
  ('forget_user', 'forget_user(''shared-user'')'),
  ('forecast', 'forecast([model], 2)'),
  ('forecast', 'forecast(''tenant_a'', 2, p_version_id => [version])'),
  ('get_ai_training_metrics', 'get_ai_training_metrics(30, [model])'),
  ('get_dataset_stats', 'get_dataset_stats([model])'),
  ('get_live_metrics', 'get_live_metrics(24, [model])'),
  ('get_review_queue', 'get_review_queue(100, ''least_confidence'', [model])'),
  ('get_review_queue', 'get_review_queue(100, ''novelty'', [model])'),
  ('get_training_dataset', 'get_training_dataset(p_model_name => [model])'),
  ('grant_retrain_access', 'grant_retrain_access(current_user::text, ''reader'', [model])'),
  ('grant_retrain_access', 'grant_retrain_access(current_user::text, ''admin'')'),
  ('import_model', 'import_model([artifact], [model])'),
  ('import_training_dataset', 'import_training_dataset(p_lines => array[''{"text": "x", "intent": "y"}''], p_model_name => [model])'),
  ('model_live_at', 'model_live_at([model])'),
  ('model_live_at', 'model_live_at([model], ''infinity'')'),
  ('predict_intent', 'predict_intent(''known phrase'', [model])'),
  ('predict_intent', 'predict_intent(''order please'', [model], 5, [version])'),
  ('predict_intent', 'predict_intent(''order please'', ''tenant_a'', 5, [version])'),
  ('predict_intents', 'predict_intents(array[''known phrase'', ''order please''], [model])'),
  ('predict_intents', 'predict_intents(array[''order please''], [model], 5, [version])'),
  ('preview_correction', 'preview_correction([row], ''two'')'),
  ('promote_model', 'promote_model([version])'),
  ('record_interaction', 'record_interaction(''hello'', p_detected_intent => ''one'', p_model_name => [model])'),
  ('record_interaction', 'record_interaction(''hello'', p_model_name => [model], p_idempotency_key => ''zqmarkorder1'')'),
  ('record_interaction', 'record_interaction(''hello'', p_model_name => ''tenant_a'', p_conversation_id => ''shared-conversation'')'),
  ('retrain_access_map', 'retrain_access_map()'),
  ('retrain_artifact_checksum', 'retrain_artifact_checksum(''\x00'')'),
  ('retrain_artifact_info', 'retrain_artifact_info(''\x00'')'),
  ('retrain_assign_splits', 'retrain_assign_splits([model])'),
  ('retrain_begin_label_issues', 'retrain_begin_label_issues([model])'),
  ('retrain_begin_run', 'retrain_begin_run([model], ''full'', null, ''{}'', null, null)'),
  ('retrain_begin_verification', 'retrain_begin_verification([version])'),
  ('retrain_cache_stats', 'retrain_cache_stats()'),
  ('retrain_shared_cache_stats', 'retrain_shared_cache_stats()'),
  ('retrain_categorise', 'retrain_categorise('' order please '')'),
  ('retrain_check_count', 'retrain_check_count(''p_limit'', 1, 0, 1)'),
  ('retrain_check_model_name', 'retrain_check_model_name([model])'),
  ('retrain_check_range', 'retrain_check_range(''p_days'', 1, 1)'),
  ('retrain_chi_square_upper', 'retrain_chi_square_upper(1, 1)'),
  ('retrain_check_stored_holidays', 'retrain_check_stored_holidays([model], ''{}'')'),
  ('retrain_config_reference', 'retrain_config_reference()'),
  ('retrain_forecast_reference', 'retrain_forecast_reference()'),
  ('retrain_confused_intents', 'retrain_confused_intents([model], ''-infinity'')'),
  ('retrain_csv_field', 'retrain_csv_field(''x'')'),
  ('retrain_drift', 'retrain_drift([model], interval ''1 second'', interval ''1 day'')'),
  ('retrain_adopt_models', 'retrain_adopt_models()'),
  ('retrain_ensure_model', 'retrain_ensure_model([model])'),
  ('retrain_export_rows', 'retrain_export_rows(null, false, null, [model], false)'),
  ('retrain_finish_run', 'retrain_finish_run([run], ''{"status": "failed"}'', null, ''never'')'),
  ('retrain_finish_run', 'retrain_finish_run([run], ''{"status": "completed"}'', ''\x00'', ''always'')'),
  ('rfm', 'rfm(''select 1 as customer_id, now(), 2 as amount'')'),
  ('train_model', 'train_model([model], ''regression'', ''select n, 2 * n as y from generate_series(1, 30) n'', ''y'', ''ridge'')'),
  ('train_model', 'train_model([model])'),
  ('predict_value', 'predict_value([model], ''{}''::jsonb)'),
  ('predict_value', 'predict_value(''tenant_a'', ''{}''::jsonb, [version])'),
  ('predict_class', 'predict_class([model], ''{}''::jsonb)'),
  ('predict_class', 'predict_class(''tenant_a'', ''{}''::jsonb, [version])'),
  ('predict_cluster', 'predict_cluster([model], ''{}''::jsonb)'),
  ('predict_cluster', 'predict_cluster(''tenant_a'', ''{}''::jsonb, [version])'),
  ('explain_prediction', 'explain_prediction([model], ''{}''::jsonb)'),
  ('explain_prediction', 'explain_prediction(''tenant_a'', ''{}''::jsonb, 10, null, [version])'),
  ('import_xgboost_model', 'import_xgboost_model(''\x00'', [model])'),
  ('retrain_xgboost_artifact', 'retrain_xgboost_artifact(''\x00'')'),
  ('retrain_table_config_reference', 'retrain_table_config_reference()'),
  ('churn_risk', 'churn_risk([model], ''{}''::jsonb)'),
  ('retrain_positive_label', 'retrain_positive_label([model], ''{"yes": 1, "no": 0}'', null)'),
  ('retrain_risk_of', 'retrain_risk_of(0.5)'),
  ('create_churn_alert', 'create_churn_alert([model], ''select 1'')'),
  ('create_purchase_alert', 'create_purchase_alert([model], ''select 1'')'),
  ('retrain_class_alert', 'retrain_class_alert(''x'', [model], ''select 1'', 0.5, 1, null)'),
  ('claim_notifications', 'claim_notifications(''x'', 100)'),
  ('complete_notification', 'complete_notification(1)'),
  ('retrain_push_notification', 'retrain_push_notification(''x'', [model], ''{}'')'),
  ('retrain_all', 'retrain_all()'),
  ('retrain_all', 'retrain_all(array[[model]])'),
  ('retrain_all_report', 'retrain_all_report(array[[run]]::uuid[])'),
  ('retrain_run_score', '(select count(retrain_run_score(r)) from ai_training_runs r)'),
  ('retrain_record_failure', 'retrain_record_failure([model], ''x'', now(), ''x'')'),
  ('retrain_schedule_call', 'retrain_schedule_call(''pg_retrain/x'', ''0 0 * * *'', ''retrain_all()'')'),
  ('schedule_retrain_all', 'schedule_retrain_all()'),
  ('schedule_churn_alert', 'schedule_churn_alert([model], ''select 1'')'),
  ('schedule_purchase_alert', 'schedule_purchase_alert([model], ''select 1'')'),
  ('retrain_train_again', 'retrain_train_again([model], ''x'')'),
  ('retrain_config_for', 'retrain_config_for(''{}'', ''ridge'', ''xgboost'')'),
  ('retrain_follow_version', 'retrain_follow_version([model], [version], null)'),
  ('retrain_update_order', 'retrain_update_order([model], ''intent'', ''select 1'', ''x'', ''y'')'),
  ('retrain_finish_verification', 'retrain_finish_verification([version], ''{}'', ''\x00'')'),
  ('retrain_gamma_upper', 'retrain_gamma_upper(1, 1)'),
  ('retrain_get_version', 'retrain_get_version([version])'),
  ('retrain_identity_text', 'retrain_identity_text(''x'')'),
  ('retrain_if_due', 'retrain_if_due([model])'),
  ('retrain_if_due', 'retrain_if_due()'),
  ('retrain_import_item', 'retrain_import_item(''{}'')'),
  ('retrain_insert_version', 'retrain_insert_version([model], [run], ''\x00'', ''candidate'', ''{}'')'),
  ('retrain_insert_version', '(select retrain_insert_version(''tenant_a'', [run], ''\x00'', ''candidate'', ''{}'') > 0)'),
  ('retrain_interaction_by_key', 'retrain_interaction_by_key([model], ''zqmarkorder1'')'),
  ('retrain_interaction_is_valid', 'retrain_interaction_is_valid(null, null, 1, 1, 1::smallint, null, ''pending'', ''live'', null, [model])'),
  ('retrain_job_name', 'retrain_job_name(''retraining'', [model])'),
  ('retrain_judge', 'retrain_judge('' thanks '')'),
  ('retrain_known_words', 'retrain_known_words([model])'),
  ('retrain_kolmogorov_upper', 'retrain_kolmogorov_upper(1)'),
  ('retrain_label_issues', 'retrain_label_issues([model])'),
  ('retrain_lock', 'retrain_lock([model], 0)'),
  ('retrain_mark_rows', 'retrain_mark_rows([model], [run], ''infinity'')'),
  ('retrain_message_counts', 'retrain_message_counts([model], ''-infinity'')'),
  ('retrain_metric_values', 'retrain_metric_values([model], ''1 year'')'),
  ('retrain_modelfile_text', 'retrain_modelfile_text(''x'')'),
  ('retrain_new_rows', 'retrain_new_rows([model], null)'),
  ('retrain_next_version', 'retrain_next_version([model])'),
  ('retrain_normal_two_sided', 'retrain_normal_two_sided(1)'),
  ('retrain_notify', 'retrain_notify(''promoted'', [model], [version], [run])'),
  ('retrain_percent', 'retrain_percent(1, 2)'),
  ('retrain_phrases', 'retrain_phrases(''x'')'),
  ('retrain_predict_texts', 'retrain_predict_texts(''{x}'', [model], 1)'),
  ('retrain_progress', 'retrain_progress()'),
  ('retrain_policy', 'retrain_policy([model])'),
  ('retrain_prune_versions', 'retrain_prune_versions([model])'),
  ('retrain_give_again', 'retrain_give_again([model], (select source from ai_models where model_name = [model]))'),
  ('retrain_experiment_of_version', 'retrain_experiment_of_version([version])'),
  ('retrain_delivery_attempts', 'retrain_delivery_attempts()'),
  ('retrain_purge_job_runs', 'retrain_purge_job_runs()'),
  ('retrain_report_measure', 'retrain_report_measure(''{"rows": 1}'', ''rows'')'),
  ('retrain_report_number', 'retrain_report_number(''1'')'),
  ('retrain_report_table', 'retrain_report_table(''["x"]'', ''[["y"]]'', ''text'')'),
  ('retrain_requested', 'retrain_requested([model])'),
  ('retrain_require_cron', 'retrain_require_cron(''select 1'')'),
  ('retrain_require_messages', 'retrain_require_messages([model])'),
  ('retrain_refuse_level', 'retrain_refuse_level([model], ''recorder'')'),
  ('retrain_require_level', 'retrain_require_level([model], ''trainer'')'),
  ('retrain_require_model', 'retrain_require_model([model])'),
  ('retrain_review_pool', 'retrain_review_pool([model], ''margin'', 100)'),
  ('retrain_rows_query', 'retrain_rows_query([model])'),
  ('retrain_says', 'retrain_says('' x '', '' x '')'),
  ('retrain_schedule_job', 'retrain_schedule_job(''pg_retrain/x'', ''* * * * *'', ''select 1'')'),
  ('retrain_scheduled_jobs', 'retrain_scheduled_jobs()'),
  ('retrain_schema_name', 'retrain_schema_name()'),
  ('retrain_set_live', 'retrain_set_live([model], [version], ''mine'', null)'),
  ('retrain_set_live', 'retrain_set_live(''tenant_a'', [version], ''mine'', null)'),
  ('retrain_sync_access', 'retrain_sync_access(current_user::text)'),
  ('retrain_forget_lost_access', 'retrain_forget_lost_access(''tenant_of_b_zqmark'')'),
  ('retrain_system_prompt', 'retrain_system_prompt()'),
  ('retrain_take_snapshots', 'retrain_take_snapshots()'),
  ('retrain_text_key', 'retrain_text_key(''x'')'),
  ('retrain_try_lock', 'retrain_try_lock([model], 0)'),
  ('retrain_unjudged_turn', 'retrain_unjudged_turn([model], ''zqmark'', [row], ''infinity'')'),
  ('retrain_unrestricted', 'retrain_unrestricted()'),
  ('retrain_versions_trained_on', 'retrain_versions_trained_on(''shared-user'', [model])'),
  ('retrain_visible_models', 'retrain_visible_models()'),
  ('retrain_words', 'retrain_words(''x'')'),
  ('retrain_write_snapshot', 'retrain_write_snapshot(''daily'', [model], now(), now() + interval ''1 day'')'),
  ('revoke_retrain_access', 'revoke_retrain_access(''tenant_of_b_zqmark'')'),
  ('revoke_retrain_access', 'revoke_retrain_access(current_user::text, null, [model])'),
  ('rollback_model', 'rollback_model([model])'),
  ('schedule_retraining', 'schedule_retraining(p_model_name => [model])'),
  ('schedule_snapshots', 'schedule_snapshots()'),
  ('should_retrain', 'should_retrain([model])'),
  ('submit_intent_correction', 'submit_intent_correction([row], ''two'')'),
  ('train_forecast', 'train_forecast([model], ''select day as ds, 1 as y from generate_series(timestamptz ''''2026-01-01'''', ''''2026-03-01'''', ''''1 day'''') day'')'),
  ('train_intent_model', 'train_intent_model([model])'),
  ('train_intent_model', 'train_intent_model(''tenant_a'', p_config => ''{"preset": "classic"}'')'),
  ('train_intent_model', 'train_intent_model(''tenant_a'', p_config => ''{"preset": "classic"}'',
    p_source => ''select user_message as text, coalesce(correct_intent, detected_intent) as intent from ai_training_data'')'),
  ('training_report', 'training_report([run])'),
  ('unschedule_retraining', 'unschedule_retraining()'),
  ('assign_variant', 'assign_variant([model], ''unit1'')'),
  ('assign_variant', 'assign_variant([model], ''unit1'', [model])'),
  ('assign_variant', 'assign_variant(''tenant_a'', ''a new unit'')'),
  ('assign_variants', 'assign_variants([model], array[''zqmark1'', ''a new unit''])'),
  ('assign_variants', 'assign_variants(''tenant_a'', array[''unit1'', ''a new unit''])'),
  ('check_sample_ratio', 'check_sample_ratio([model])'),
  ('check_sample_ratio', 'check_sample_ratio(''tenant_a'')'),
  ('create_experiment', '(select (create_experiment(''x'', p_model_name => [model])).name)'),
  ('create_experiment', '(select (create_experiment([model], p_model_name => ''tenant_a'')).control)'),
  ('create_experiment', '(select (create_experiment(''x'', jsonb_build_array(''a'', jsonb_build_object(''name'', ''b'', ''model_version_id'', [version])),
    p_model_name => ''tenant_a'')).control)'),
  ('experiment_power', 'experiment_power(0.1, 0.1, 1000)'),
  ('experiment_report', 'experiment_report([model])'),
  ('experiment_report', 'experiment_report(''tenant_a'')'),
  ('experiment_sample_size', 'experiment_sample_size(0.1, 0.1)'),
  ('experiment_version', 'experiment_version([model], ''zqmark1'')'),
  ('get_experiment_results', 'get_experiment_results([model])'),
  ('get_experiment_results', 'get_experiment_results([model], [model])'),
  ('get_experiment_results', 'get_experiment_results(''tenant_a'')'),
  ('get_variant', 'get_variant([model], ''zqmark1'')'),
  ('record_exposure', 'record_exposure([model], ''zqmark1'')'),
  ('record_exposure', 'record_exposure(''tenant_a'', ''zqmark1'')'),
  ('record_exposure', 'record_exposure(''tenant_a'', ''unit1'', null, ''2026-01-02'')'),
  ('record_outcome', 'record_outcome([model], ''zqmark1'', ''{"zqmark": 1}'')'),
  ('record_outcome', 'record_outcome(''tenant_a'', ''unit1'', ''{"revenue": 1}'', p_idempotency_key => ''zqmark1'')'),
  ('retrain_check_fraction', 'retrain_check_fraction(''p_traffic'', 0.5, 0, 1)'),
  ('retrain_check_keys', 'retrain_check_keys(''{}'', ''x'', ''{a}'')'),
  ('retrain_check_numbers', 'retrain_check_numbers(''{"a": 1}'', ''p_outcome'', ''metric'', ''{a}'', ''{}'', false)'),
  ('retrain_check_unit', 'retrain_check_unit(''u'')'),
  ('retrain_closest_name', 'retrain_closest_name(''a'', ''{a}'')'),
  ('retrain_compare_arms', 'retrain_compare_arms(false, ''{2,2}'', ''{1,1}'', ''{1,1}'', null, null, null, 0.05, 100, 1)'),
  ('retrain_config_number', 'retrain_config_number(''1'', ''x'', 0, 1)'),
  ('retrain_experiment_bucket', 'retrain_experiment_bucket(''a'', ''b'', ''c'')'),
  ('retrain_experiment_status', 'retrain_experiment_status(retrain_get_experiment([model], null), now())'),
  ('retrain_experiment_sums', 'retrain_experiment_sums(retrain_get_experiment([model], null))'),
  ('retrain_get_experiment', 'retrain_get_experiment([model], null)'),
  ('retrain_get_experiment', 'retrain_get_experiment([model], [model])'),
  ('retrain_hash_variant', 'retrain_hash_variant(''a'', ''u'', ''{a,b}'', ''{0.5,0.5}'', 1)'),
  ('retrain_named_items', 'retrain_named_items(''["a"]'', ''p_variants'', ''x'')'),
  ('retrain_outside_experiment', 'retrain_outside_experiment(retrain_get_experiment([model], null), ''2026-01-02'')'),
  ('retrain_p_text', 'retrain_p_text(0.5)'),
  ('retrain_parse_metrics', 'retrain_parse_metrics(''["a"]'')'),
  ('retrain_parse_variants', 'retrain_parse_variants(jsonb_build_array(''a'', jsonb_build_object(''name'', ''b'', ''model_version_id'', [version])), [model])'),
  ('retrain_period', 'retrain_period(''daily'', now())'),
  ('retrain_percent_range', 'retrain_percent_range(1, 0, 2)'),
  ('retrain_refuse_name', 'retrain_refuse_name(''x'', ''a'', ''{a}'')'),
  ('retrain_sample_ratio', 'retrain_sample_ratio(''{1,1}'', ''{1,1}'')'),
  ('retrain_significant', 'retrain_significant(1)'),
  ('set_experiment_traffic', 'set_experiment_traffic([model], 0.5)'),
  ('set_experiment_traffic', '(select (set_experiment_traffic(''tenant_a'', 0.5)).traffic)'),
  ('stop_experiment', 'stop_experiment([model])'),
  ('stop_experiment', '(select (stop_experiment(''tenant_a'', ''x'')).stop_reason)'),
  ('verify_model', 'verify_model([version])');

insert into calls
select 'retrain_experiment_sums', format('retrain_experiment_sums(jsonb_populate_record(null::ai_experiments, %L))', jsonb_build_object('id', e.id, 'model_name', e.model_name, 'variants', array['a', 'b'], 'metrics', '[{"name": "x", "kind": "count", "covariate": "x"}]'::jsonb))
from ai_experiments e where e.name = 'tenant_b';

create temporary view members as
select d.classid, d.objid from pg_depend d join pg_extension e on e.oid = d.refobjid
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname = 'pg_retrain';

-- PostgreSQL itself refuses to call a trigger's function.
select is_empty($$
  select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
  where p.prorettype <> 'trigger'::regtype and p.proname not in (select function_name from calls) $$,
  'every function has a call in the list');
select is_empty($$
  select function_name from calls
  except select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid $$,
  'the list calls no function that is not there');

-- Relations are tried column by column, since a level may read some of them.
create temporary view relations as
select c.oid::regclass::text as relation, c.relkind, exists (
    select from pg_attribute a where a.attrelid = c.oid and a.attname = 'model_name' and not a.attisdropped) as by_model
from members m join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
where c.relkind in ('r', 'v', 'm', 'p', 'f', 'S');
create temporary view attributes as
select r.relation, r.relkind, r.by_model, a.attname, a.attgenerated = '' and a.attidentity <> 'a' as writable
from relations r join pg_attribute a on a.attrelid = r.relation::regclass and a.attnum > 0 and not a.attisdropped;

-- ---- trying --------------------------------------------------------------------------------------------------------------

-- All rows of tenant_b, and of the tables that belong to no model, as one digest.
create function pg_temp.digest_of_b() returns text language plpgsql as $$
declare
  v_relation record;
  v_one text;
  v_all text := '';
begin
  for v_relation in select * from relations where relkind = 'r' order by relation loop
    execute format('select md5(string_agg(md5(t::text), '''' order by md5(t::text))) from %s t %s', v_relation.relation,
      case when v_relation.by_model then 'where model_name = ''tenant_b''' else '' end) into v_one;
    v_all := v_all || v_relation.relation || v_one;
  end loop;
  return md5(v_all);
end
$$;

-- Rows that this session has written into the extension's tables, undone or not.
create function pg_temp.written() returns bigint language sql as $$
  select sum(pg_stat_get_xact_tuples_inserted(o) + pg_stat_get_xact_tuples_updated(o) + pg_stat_get_xact_tuples_deleted(o))
  from (select relation::regclass::oid as o from relations where relkind = 'r') r
$$;

-- Runs a statement as the role and undoes it. Gives what it answered, or its error with all its parts.
create function pg_temp.attempt(p_role text, p_statement text, out answer text, out context text, out state text, out writes boolean)
  language plpgsql as $$
declare
  v_digest text := current_setting('tenant.digest_of_b');
  v_written bigint := pg_temp.written();
  v_message text;
  v_detail text;
  v_hint text;
begin
  begin
    perform set_config('role', p_role, true);
    begin
      if p_statement ~ '^select' then
        execute p_statement into answer;
      else
        execute p_statement;
      end if;
      state := '00000';
    exception when others then
      get stacked diagnostics state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail,
        v_hint = pg_exception_hint, context = pg_exception_context;
      answer := concat_ws(E'\n', v_message, v_detail, v_hint);
    end;
    perform set_config('role', 'none', true);
    writes := pg_temp.written() <> v_written and pg_temp.digest_of_b() <> v_digest;
    raise exception using errcode = 'ZZ999';
  exception when sqlstate 'ZZ999' then
    null;
  end;
end
$$;
select set_config('tenant.digest_of_b', pg_temp.digest_of_b(), true);

create temporary table outcomes (role_name text, subject text, statement text, answer text, context text,
  state text, writes boolean, answer_of_nobody text, state_of_nobody text);

insert into outcomes
select k.role_name, c.function_name, s.statement, o.answer, o.context, o.state, o.writes,
  replace(replace(replace(replace(n.answer, 'tenant_n', 'tenant_b'), '987654321', v.id::text),
    '00000000-0000-0000-0000-00000000000f', '00000000-0000-0000-0000-00000000000b'),
    '00000000-0000-0000-0000-0000000000f0', '00000000-0000-0000-0000-0000000000b0'),
  n.state
from asking k
cross join calls c
cross join (select min(id) as id, (array_agg(artifact))[1] as artifact from ai_model_versions where model_name = 'tenant_b') v
cross join lateral (select replace(format('select string_agg(r::text, E''\n'') from %s r', c.call), '[artifact]', quote_literal(v.artifact))) t (template)
cross join lateral (select replace(replace(replace(replace(t.template, '[model]', '''tenant_b'''), '[version]', v.id::text),
  '[row]', '''00000000-0000-0000-0000-00000000000b'''), '[run]', '''00000000-0000-0000-0000-0000000000b0''')) s (statement)
cross join lateral (select replace(replace(replace(replace(t.template, '[model]', '''tenant_n'''), '[version]', '987654321'),
  '[row]', '''00000000-0000-0000-0000-00000000000f'''), '[run]', '''00000000-0000-0000-0000-0000000000f0''')) f (statement)
cross join lateral pg_temp.attempt(k.role_name, s.statement) o
cross join lateral pg_temp.attempt(k.role_name, f.statement) n;

-- Every column that the role may read, and every one that it may write, of every relation.
create function pg_temp.try_relations() returns void language sql as $$
  insert into outcomes (role_name, subject, statement, answer, context, state, writes)
  select k.role_name, a.relation, s.statement, o.answer, o.context, o.state, o.writes
  from asking k
  cross join lateral (
    select a.relation, a.relkind, a.by_model, min(format('t.%I', a.attname)) as first,
      string_agg(format('t.%I', a.attname), ', ') filter (
        where has_column_privilege(k.role_name, a.relation::regclass, a.attname, 'select')) as readable,
      string_agg(format('%I = t.%1$I', a.attname), ', ') filter (
        where a.writable and has_column_privilege(k.role_name, a.relation::regclass, a.attname, 'update')) as writable
    from attributes a
    group by a.relation, a.relkind, a.by_model
  ) a
  cross join lateral (
    select format('select string_agg(concat_ws('' '', %s), E''\n'') from %s t', coalesce(a.readable, a.first), a.relation)
    union all
    select format('select string_agg(concat_ws('' '', %s), E''\n'') from %s t where model_name = ''tenant_b''', a.readable, a.relation)
    where a.by_model and a.readable like '%model_name%'
    union all
    select format('update %s t set %s', a.relation, a.writable) where a.writable is not null
  ) s (statement)
  cross join lateral pg_temp.attempt(k.role_name, s.statement) o
$$;
select pg_temp.try_relations();

-- A new row that says it is tenant_b's, made from one that is; and the deletion of all.
create function pg_temp.row_of_b(p_relation text, p_by_model boolean) returns jsonb language plpgsql as $$
declare
  v_row jsonb;
begin
  execute format('select to_jsonb(t) from %s t %s limit 1', p_relation,
    case when p_by_model then 'where model_name = ''tenant_b''' else '' end) into v_row;
  return v_row;
end
$$;
insert into outcomes (role_name, subject, statement, answer, context, state, writes)
select k.role_name, r.relation, s.statement, o.answer, o.context, o.state, o.writes
from asking k
cross join relations r
cross join lateral (
  select format('delete from %s', r.relation)
  union all
  select format('insert into %s (%s) select %2$s from jsonb_populate_record(null::%1$s, %3$L)', r.relation,
    string_agg(quote_ident(a.attname), ', '), pg_temp.row_of_b(r.relation, r.by_model))
  from attributes a
  where a.relation = r.relation and a.writable and a.attname <> 'id'
) s (statement)
cross join lateral pg_temp.attempt(k.role_name, s.statement) o
where r.relkind = 'r';

-- Where views cannot run as their reader (PostgreSQL 14) their own conditions have to hold, also between rows that one tenant
-- has tied to the other's: anybody may hear of a run's id by LISTEN.
insert into ai_model_versions (model_name, version, run_id, algorithm, artifact, artifact_sha256, artifact_bytes, labels)
select 'tenant_a', 'tied', r.id, v.algorithm, v.artifact, v.artifact_sha256, v.artifact_bytes, v.labels
from ai_training_runs r, ai_model_versions v
where r.model_name = 'tenant_b' and r.confusion_matrix is not null and v.model_name = 'tenant_a' limit 1;
select promote_model(id) from ai_model_versions where version = 'tied';
insert into ai_training_runs (run_name, status, model_name, model_version_id, gate)
select 'tied', 'completed', 'tenant_a', id, '{"verdict": "rejected"}' from ai_model_versions where version = pg_temp.mark();
insert into ai_intent_corrections (training_data_id, corrected_intent, correction_notes, was_mismatch, model_name)
select id, pg_temp.mark(), pg_temp.mark(), true, 'tenant_b' from ai_training_data where model_name = 'tenant_a' and intent_correct = false;
do $$
declare
  v_view record;
begin
  if current_setting('server_version_num')::integer >= 150000 then
    for v_view in select relation from relations where relkind = 'v' loop
      execute format('alter view %s reset (security_invoker)', v_view.relation);
    end loop;
  end if;
end
$$;
select set_config('tenant.digest_of_b', pg_temp.digest_of_b(), true);
select pg_temp.try_relations();

-- ---- what must hold ------------------------------------------------------------------------------------------------------

select is_empty($$
  select r.relation from relations r
  where r.relkind = 'r' and r.by_model and pg_temp.row_of_b(r.relation, r.by_model) is null $$,
  'every table has rows of the other tenant');
select is_empty($$
  select r.relation from relations r
  cross join lateral pg_temp.attempt(current_user, format('select string_agg(t::text, E''\n'') from %s t', r.relation)) o
  where r.by_model and r.relation not in ('ai_training_progress', 'ai_access_scope')
    and concat(o.answer, o.state) !~ (pg_temp.mark() || '|' || pg_temp.number() || '|tenant_b') $$,
  'its owner sees it in every relation');
select cmp_ok((
    select count(*) from calls c
    cross join lateral pg_temp.attempt(current_user, format('select string_agg(r::text, E''\n'') from %s r',
      replace(c.call, '[model]', '''tenant_b'''))) o
    where c.call !~ '\[(version|run|row|artifact)\]' and o.answer ~ (pg_temp.mark() || '|' || pg_temp.number()))::integer,
  '>', 15, 'and in the answers of many of the calls');
select is_empty($$
  select o.role_name, o.statement, left(o.answer, 200) from outcomes o
  where concat_ws(' ', o.answer, o.context) ~ (pg_temp.mark() || '|' || pg_temp.number())
    and o.statement not like '%' || pg_temp.mark() || '%' $$,
  'nothing of the other tenant is in any answer or error');
select is_empty($$
  select o.role_name, o.statement, o.state, left(o.answer, 200), o.state_of_nobody, left(o.answer_of_nobody, 200) from outcomes o
  where o.state_of_nobody is not null and o.statement ~ 'tenant_b|00b|[0-9]{3,}'
    and (o.state, o.answer) is distinct from (o.state_of_nobody, o.answer_of_nobody) $$,
  'the other tenant''s model, versions, runs and rows answer as those that do not exist');
select is_empty($$ select o.role_name, o.statement from outcomes o where o.writes $$, 'nothing of the other tenant is written');
select is_empty($$
  select o.statement, o.state from outcomes o where o.role_name = 'tenant_stranger' and o.state <> '42501' $$,
  'who has no level reaches nothing at all');

-- A lease on another tenant's row, whose id is known, keeps that tenant from nothing.
delete from ai_review_leases;
update ai_training_data set dataset_status = 'pending' where id = '00000000-0000-0000-0000-00000000000b';
select is(o.state, '00000', 'whoever reviews one model may lease any id under its name')
from pg_temp.attempt('tenant_reviewer', $$
  insert into ai_review_leases (training_data_id, model_name, reviewer, expires_at)
  values ('00000000-0000-0000-0000-00000000000b', 'tenant_a', 'me', now() + interval '1 day') $$) o;
insert into ai_review_leases (training_data_id, model_name, reviewer, expires_at)
values ('00000000-0000-0000-0000-00000000000b', 'tenant_a', 'me', now() + interval '1 day');
set local statement_timeout = '60s';
select is(o.answer, 'true', 'the row is handed to a reviewer of its own model all the same')
from pg_temp.attempt('tenant_of_b_' || pg_temp.mark(), $$select
  bool_or(id = '00000000-0000-0000-0000-00000000000b')::text from claim_review_items('somebody', 1000, 30, 'tenant_b') $$) o;

select * from finish();
rollback;
