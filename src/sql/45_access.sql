-- Access levels. One table says what each level opens: retrain_access_map(). Row-level security does the rest.

-- Whether row-level security spares the current user: the owner, a superuser, a role that bypasses it.
create function @extschema@.retrain_unrestricted() returns boolean
  language sql stable parallel safe cost 10
  set search_path = pg_catalog, pg_temp
as $function$
  select not row_security_active(t.typrelid)
  from pg_type t
  where t.oid = pg_typeof(null::@extschema@.ai_models)
$function$;

-- For C: the models whose rows the current user may read, or null for all.
create function @extschema@.retrain_visible_models() returns text[]
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if @extschema@.retrain_unrestricted() then
    return null;
  end if;
  return array(select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader');
end
$function$;

-- What each level opens. A level includes others (see ai_access_scope), so each line names the lowest ones that need
-- it; a line without a level is for the owner alone. Every function and relation of the extension has a line: a test
-- compares. "columns" null means all of them.
create function @extschema@.retrain_access_map()
  returns table (kind text, object_name name, privilege text, columns text[], levels text[])
  language sql immutable parallel safe rows 100
  set search_path = pg_catalog, pg_temp
as $function$
  values
    -- prediction
    ('function', 'predict_intent'::name, 'execute', null::text[], array['predictor']),
    ('function', 'predict_intents', 'execute', null, array['predictor']),
    ('function', 'classify_intent', 'execute', null, array['predictor']),
    ('function', 'explain_intent', 'execute', null, array['predictor']),
    ('function', 'forecast', 'execute', null, array['predictor']),
    ('function', 'retrain_text_key', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_interaction_is_valid', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_identity_text', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_cache_stats', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_shared_cache_stats', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_config_reference', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_forecast_reference', 'execute', null, array['predictor', 'reader']),
    ('table', 'ai_model_versions', 'select', array['id', 'model_name', 'version', 'artifact', 'artifact_sha256',
      'artifact_crc32c', 'artifact_bytes', 'labels', 'confidence_threshold', 'is_active', 'status'], array['predictor']),
    ('table', 'ai_models', 'select', array['model_name', 'task', 'confidence_threshold', 'enabled'],
      array['predictor']),

    -- reading
    ('function', 'get_training_dataset', 'execute', null, array['reader']),
    ('function', 'model_live_at', 'execute', null, array['reader']),
    ('function', 'training_report', 'execute', null, array['reader']),
    ('function', 'retrain_report_table', 'execute', null, array['reader']),
    ('function', 'retrain_report_number', 'execute', null, array['reader']),
    ('function', 'retrain_progress', 'execute', null, array['reader']),
    ('function', 'retrain_artifact_info', 'execute', null, array['reader']),
    ('function', 'retrain_artifact_checksum', 'execute', null, array['reader']),
    ('function', 'retrain_require_model', 'execute', null, array['reader']),
    ('function', 'get_review_queue', 'execute', null, array['reader']),
    ('function', 'preview_correction', 'execute', null, array['reader']),
    ('function', 'diff_models', 'execute', null, array['reader']),
    ('function', 'retrain_known_words', 'execute', null, array['reader']),
    ('function', 'retrain_review_pool', 'execute', null, array['reader']),
    ('function', 'retrain_require_messages', 'execute', null, array['reader']),
    ('function', 'retrain_check_count', 'execute', null, array['reader']),
    ('function', 'retrain_requested', 'execute', null, array['reader']),
    ('function', 'retrain_versions_trained_on', 'execute', null, array['reader']),
    ('function', 'retrain_words', 'execute', null, array['reader']),
    ('function', 'retrain_phrases', 'execute', null, array['reader']),
    ('function', 'retrain_says', 'execute', null, array['reader']),
    ('table', 'v_pending_review', 'select', null, array['reader']),
    ('table', 'v_classification_errors', 'select', null, array['reader']),
    ('table', 'v_intent_performance', 'select', null, array['reader']),
    ('table', 'ai_quality_rules', 'select', null, array['reader']),
    ('table', 'ai_category_rules', 'select', null, array['reader']),
    ('table', 'ai_feedback', 'select', null, array['reader']),
    ('table', 'ai_prompt_versions', 'select', null, array['reader']),
    ('table', 'ai_forgotten_users', 'select', null, array['reader']),
    ('table', 'ai_retrain_requests', 'select', null, array['reader']),
    ('function', 'get_ai_training_metrics', 'execute', null, array['reader']),
    ('function', 'get_live_metrics', 'execute', null, array['reader']),
    ('function', 'detect_drift', 'execute', null, array['reader']),
    ('function', 'retrain_drift', 'execute', null, array['reader']),
    ('function', 'retrain_notify', 'execute', null, array['reader']),
    ('function', 'retrain_check_range', 'execute', null, array['reader']),
    ('function', 'retrain_check_model_name', 'execute', null, array['reader']),
    ('function', 'retrain_percent', 'execute', null, array['reader']),
    ('function', 'retrain_message_counts', 'execute', null, array['reader']),
    ('function', 'retrain_confused_intents', 'execute', null, array['reader']),
    ('function', 'retrain_metric_values', 'execute', null, array['reader']),
    ('function', 'retrain_gamma_upper', 'execute', null, array['reader']),
    ('function', 'retrain_chi_square_upper', 'execute', null, array['reader']),
    ('function', 'retrain_normal_two_sided', 'execute', null, array['reader']),
    ('function', 'retrain_kolmogorov_upper', 'execute', null, array['reader']),
    ('table', 'ai_metrics_snapshots', 'select', null, array['reader']),
    ('table', 'ai_alert_rules', 'select', null, array['reader']),
    ('table', 'ai_alerts', 'select', null, array['reader']),
    ('table', 'ai_metrics_timeseries', 'select', null, array['reader']),
    ('table', 'ai_intent_distribution', 'select', null, array['reader']),
    ('table', 'ai_confidence_distribution', 'select', null, array['reader']),
    ('table', 'ai_confusion_matrix', 'select', null, array['reader']),
    ('table', 'ai_misclassified', 'select', null, array['reader']),
    ('table', 'ai_training_history', 'select', null, array['reader']),
    ('table', 'ai_model_events', 'select', null, array['reader']),
    ('table', 'ai_review_backlog', 'select', null, array['reader']),
    ('table', 'ai_metric_health', 'select', null, array['reader']),
    ('function', 'should_retrain', 'execute', null, array['reader']),
    ('function', 'get_dataset_stats', 'execute', null, array['reader']),
    ('function', 'export_training_dataset', 'execute', null, array['reader']),
    ('function', 'export_modelfile', 'execute', null, array['reader']),
    ('function', 'retrain_new_rows', 'execute', null, array['reader']),
    ('function', 'retrain_job_name', 'execute', null, array['reader']),
    ('function', 'retrain_scheduled_jobs', 'execute', null, array['reader']),
    ('function', 'retrain_export_rows', 'execute', null, array['reader']),
    ('function', 'retrain_csv_field', 'execute', null, array['reader']),
    ('function', 'retrain_system_prompt', 'execute', null, array['reader']),
    ('function', 'retrain_modelfile_text', 'execute', null, array['reader']),
    ('table', 'ai_retraining_health', 'select', null, array['reader']),
    ('table', 'ai_models', 'select', null, array['reader']),
    ('table', 'ai_training_data', 'select', null, array['reader']),
    ('table', 'ai_training_runs', 'select', null, array['reader']),
    ('table', 'ai_intent_corrections', 'select', null, array['reader']),
    ('table', 'ai_model_versions', 'select', array['id', 'model_name', 'version', 'run_id', 'algorithm',
      'artifact_sha256', 'artifact_crc32c', 'artifact_bytes', 'labels', 'training_samples', 'accuracy', 'f1_score',
      'confidence_threshold', 'metrics', 'training_timestamp', 'is_active', 'status', 'created_at', 'created_by'],
      array['reader']),
    ('table', 'ai_model_deployments', 'select', null, array['reader']),
    ('table', 'ai_labelled_data', 'select', null, array['reader']),
    ('table', 'ai_model_metadata', 'select', null, array['reader']),
    ('table', 'ai_training_progress', 'select', null, array['reader']),

    -- recording
    ('function', 'record_interaction', 'execute', null, array['recorder']),
    ('function', 'evaluate_interaction', 'execute', null, array['recorder']),
    ('function', 'retrain_words', 'execute', null, array['recorder']),
    ('function', 'retrain_says', 'execute', null, array['recorder']),
    ('function', 'retrain_categorise', 'execute', null, array['recorder']),
    ('function', 'retrain_judge', 'execute', null, array['recorder']),
    ('function', 'retrain_interaction_by_key', 'execute', null, array['recorder']),
    ('function', 'retrain_unjudged_turn', 'execute', null, array['recorder']),
    ('table', 'ai_quality_rules', 'select', null, array['recorder']),
    ('table', 'ai_category_rules', 'select', null, array['recorder']),
    ('table', 'ai_feedback', 'insert', null, array['recorder']),
    ('function', 'retrain_ensure_model', 'execute', null, array['recorder']),
    ('function', 'retrain_check_model_name', 'execute', null, array['recorder']),
    ('table', 'ai_models', 'insert', array['model_name'], array['recorder']),
    ('table', 'ai_training_data', 'insert', null, array['recorder']),
    ('table', 'ai_training_data', 'select', array['id', 'model_name', 'idempotency_key', 'conversation_id',
      'created_at', 'evaluated_at'], array['recorder']),
    ('table', 'ai_training_data', 'update', array['quality_score', 'was_successful', 'user_feedback', 'evaluated_at'],
      array['recorder']),

    -- review
    ('function', 'submit_intent_correction', 'execute', null, array['reviewer']),
    ('function', 'clean_dataset', 'execute', null, array['reviewer']),
    ('function', 'find_label_issues', 'execute', null, array['reviewer']),
    ('function', 'retrain_label_issues', 'execute', null, array['reviewer']),
    ('function', 'retrain_begin_label_issues', 'execute', null, array['reviewer']),
    ('function', 'retrain_rows_query', 'execute', null, array['reviewer']),
    ('function', 'claim_review_items', 'execute', null, array['reviewer']),
    ('table', 'ai_review_leases', 'select', null, array['reviewer']),
    ('table', 'ai_review_leases', 'insert', null, array['reviewer']),
    ('table', 'ai_review_leases', 'update', null, array['reviewer']),
    ('table', 'ai_review_leases', 'delete', null, array['reviewer']),
    ('table', 'ai_intent_corrections', 'insert', null, array['reviewer']),
    ('table', 'ai_training_data', 'update', array['correct_intent', 'correct_response', 'corrected_by_human',
      'corrected_by', 'corrected_at', 'intent_correct', 'response_correct', 'escalated', 'escalation_reason',
      'category', 'clarity_score', 'completeness_score', 'matched_keywords', 'dataset_status', 'quality_score',
      'was_successful', 'user_feedback', 'evaluated_at'], array['reviewer']),

    -- training and the registry
    ('function', 'train_intent_model', 'execute', null, array['trainer']),
    ('function', 'train_forecast', 'execute', null, array['trainer']),
    ('function', 'retrain_check_stored_holidays', 'execute', null, array['trainer']),
    ('function', 'verify_model', 'execute', null, array['trainer']),
    ('function', 'promote_model', 'execute', null, array['trainer']),
    ('function', 'rollback_model', 'execute', null, array['trainer']),
    ('function', 'export_model', 'execute', null, array['trainer']),
    ('function', 'import_model', 'execute', null, array['trainer']),
    ('function', 'retrain_begin_verification', 'execute', null, array['trainer']),
    ('function', 'retrain_finish_verification', 'execute', null, array['trainer']),
    ('function', 'retrain_begin_run', 'execute', null, array['trainer']),
    ('function', 'retrain_finish_run', 'execute', null, array['trainer']),
    ('function', 'retrain_update_order', 'execute', null, array['trainer']),
    ('function', 'retrain_train_again', 'execute', null, array['trainer']),
    ('function', 'retrain_assign_splits', 'execute', null, array['trainer']),
    ('function', 'retrain_mark_rows', 'execute', null, array['trainer']),
    ('function', 'retrain_rows_query', 'execute', null, array['trainer']),
    ('function', 'retrain_lock', 'execute', null, array['trainer']),
    ('function', 'retrain_next_version', 'execute', null, array['trainer']),
    ('function', 'retrain_insert_version', 'execute', null, array['trainer']),
    ('function', 'retrain_set_live', 'execute', null, array['trainer']),
    ('function', 'retrain_prune_versions', 'execute', null, array['trainer']),
    ('function', 'retrain_get_version', 'execute', null, array['trainer']),
    ('function', 'retrain_if_due', 'execute', null, array['trainer']),
    ('function', 'schedule_retraining', 'execute', null, array['trainer']),
    ('function', 'schedule_snapshots', 'execute', null, array['trainer']),
    ('function', 'unschedule_retraining', 'execute', null, array['trainer']),
    ('function', 'import_training_dataset', 'execute', null, array['trainer']),
    ('function', 'retrain_import_item', 'execute', null, array['trainer']),
    ('function', 'retrain_try_lock', 'execute', null, array['trainer']),
    ('function', 'retrain_require_cron', 'execute', null, array['trainer']),
    ('function', 'retrain_schedule_job', 'execute', null, array['trainer']),
    ('function', 'retrain_purge_job_runs', 'execute', null, array['trainer']),
    ('function', 'retrain_schema_name', 'execute', null, array['trainer']),
    ('function', 'retrain_take_snapshots', 'execute', null, array['trainer']),
    ('function', 'create_metrics_snapshot', 'execute', null, array['trainer']),
    ('function', 'check_alerts', 'execute', null, array['trainer']),
    ('function', 'retrain_write_snapshot', 'execute', null, array['trainer']),
    ('table', 'ai_metrics_snapshots', 'insert', null, array['trainer']),
    ('table', 'ai_metrics_snapshots', 'update', null, array['trainer']),
    ('table', 'ai_alert_rules', 'insert', null, array['trainer']),
    ('table', 'ai_alert_rules', 'update', null, array['trainer']),
    ('table', 'ai_alert_rules', 'delete', null, array['trainer']),
    ('table', 'ai_alerts', 'insert', null, array['trainer']),
    ('table', 'ai_models', 'insert', null, array['trainer']),
    ('table', 'ai_models', 'update', array['config', 'source', 'min_samples', 'auto_retrain_threshold',
      'max_f1_regression', 'recent_window', 'recent_min_rows', 'recent_min_ratio', 'confidence_threshold',
      'label_source', 'human_weight', 'keep_versions', 'enabled'], array['trainer']),
    ('table', 'ai_training_data', 'update', array['split', 'included_in_training_run'], array['trainer']),
    ('table', 'ai_training_runs', 'insert', null, array['trainer']),
    ('table', 'ai_training_runs', 'update', null, array['trainer']),
    ('table', 'ai_model_versions', 'insert', null, array['trainer']),
    ('table', 'ai_model_versions', 'select', array['training_state'], array['trainer']),
    ('table', 'ai_model_versions', 'update', array['status', 'is_active'], array['trainer']),
    ('table', 'ai_model_versions', 'delete', null, array['trainer']),
    ('table', 'ai_model_deployments', 'insert', null, array['trainer']),
    ('table', 'ai_model_deployments', 'update', array['live_until'], array['trainer']),

    -- tables
    ('function', 'predict_value', 'execute', null, array['predictor']),
    ('function', 'predict_class', 'execute', null, array['predictor']),
    ('function', 'predict_cluster', 'execute', null, array['predictor']),
    ('function', 'explain_prediction', 'execute', null, array['predictor']),
    ('function', 'train_model', 'execute', null, array['trainer']),
    ('function', 'import_xgboost_model', 'execute', null, array['trainer']),
    ('function', 'retrain_xgboost_artifact', 'execute', null, array['trainer']),
    ('function', 'retrain_table_config_reference', 'execute', null, array['predictor', 'reader']),

    -- customers, notifications, the monthly run
    ('function', 'rfm', 'execute', null, array['predictor', 'reader']),
    ('function', 'churn_risk', 'execute', null, array['predictor']),
    ('function', 'retrain_positive_label', 'execute', null, array['predictor']),
    ('function', 'retrain_risk_of', 'execute', null, array['predictor']),
    ('table', 'ai_segment_rules', 'select', null, array['predictor', 'reader']),
    ('table', 'ai_risk_levels', 'select', null, array['predictor', 'reader']),
    ('table', 'ai_segment_rules', 'insert', null, array['admin']),
    ('table', 'ai_segment_rules', 'update', null, array['admin']),
    ('table', 'ai_segment_rules', 'delete', null, array['admin']),
    ('table', 'ai_risk_levels', 'insert', null, array['admin']),
    ('table', 'ai_risk_levels', 'update', null, array['admin']),
    ('table', 'ai_risk_levels', 'delete', null, array['admin']),
    ('table', 'ai_notifications', 'select', null, array['trainer']),
    ('table', 'ai_notifications', 'insert', null, array['trainer']),
    ('table', 'ai_notifications', 'update', null, array['trainer']),
    ('table', 'ai_notifications', 'delete', null, array['admin']),
    ('function', 'create_churn_alert', 'execute', null, array['trainer']),
    ('function', 'create_purchase_alert', 'execute', null, array['trainer']),
    ('function', 'claim_notifications', 'execute', null, array['trainer']),
    ('function', 'complete_notification', 'execute', null, array['trainer']),
    ('function', 'retrain_all', 'execute', null, array['trainer']),
    ('function', 'schedule_retrain_all', 'execute', null, array['trainer']),
    ('function', 'schedule_churn_alert', 'execute', null, array['trainer']),
    ('function', 'schedule_purchase_alert', 'execute', null, array['trainer']),
    ('function', 'retrain_push_notification', 'execute', null, array['trainer']),
    ('function', 'retrain_class_alert', 'execute', null, array['trainer']),
    ('function', 'retrain_run_score', 'execute', null, array['reader']),
    ('function', 'retrain_all_report', 'execute', null, array['reader']),
    ('function', 'retrain_schedule_call', 'execute', null, array['trainer']),
    ('function', 'retrain_record_failure', 'execute', null, array['trainer']),

    -- administration
    ('function', 'drop_model_version', 'execute', null, array['admin']),
    ('function', 'forget_user', 'execute', null, array['admin']),
    ('table', 'ai_feedback', 'update', null, array['admin']),
    ('table', 'ai_feedback', 'delete', null, array['admin']),
    ('table', 'ai_forgotten_users', 'insert', null, array['admin']),
    ('table', 'ai_retrain_requests', 'insert', null, array['trainer']),
    ('table', 'ai_quality_rules', 'insert', null, array['admin']),
    ('table', 'ai_quality_rules', 'update', null, array['admin']),
    ('table', 'ai_quality_rules', 'delete', null, array['admin']),
    ('table', 'ai_category_rules', 'insert', null, array['admin']),
    ('table', 'ai_category_rules', 'update', null, array['admin']),
    ('table', 'ai_category_rules', 'delete', null, array['admin']),
    ('table', 'ai_prompt_versions', 'insert', null, array['trainer']),
    ('table', 'ai_prompt_versions', 'update', null, array['trainer']),
    ('table', 'ai_prompt_versions', 'delete', null, array['trainer']),
    ('function', 'grant_retrain_access', 'execute', null, array['admin']),
    ('function', 'revoke_retrain_access', 'execute', null, array['admin']),
    ('function', 'retrain_sync_access', 'execute', null, array['admin']),
    ('table', 'ai_access_grants', 'select', null, array['admin']),
    ('table', 'ai_access_grants', 'insert', array['role_name', 'level', 'model_name'], array['admin']),
    ('table', 'ai_access_grants', 'delete', null, array['admin']),
    ('table', 'ai_models', 'delete', null, array['admin']),
    ('table', 'ai_training_data', 'update', null, array['admin']),
    ('table', 'ai_training_data', 'delete', null, array['admin']),
    ('table', 'ai_training_runs', 'delete', null, array['admin']),
    ('table', 'ai_metrics_snapshots', 'delete', null, array['admin']),
    ('table', 'ai_alerts', 'delete', null, array['admin']),
    ('table', 'ai_model_deployments', 'delete', null, array['admin']),

    -- experiments
    ('function', 'get_variant', 'execute', null, array['predictor', 'reader']),
    ('function', 'experiment_version', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_get_experiment', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_experiment_status', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_check_unit', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_experiment_bucket', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_hash_variant', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_closest_name', 'execute', null, array['predictor', 'reader']),
    ('function', 'retrain_refuse_name', 'execute', null, array['predictor', 'reader']),
    ('function', 'experiment_power', 'execute', null, array['predictor', 'reader']),
    ('function', 'experiment_sample_size', 'execute', null, array['predictor', 'reader']),
    ('function', 'get_experiment_results', 'execute', null, array['reader']),
    ('function', 'check_sample_ratio', 'execute', null, array['reader']),
    ('function', 'experiment_report', 'execute', null, array['reader']),
    ('function', 'retrain_compare_arms', 'execute', null, array['reader']),
    ('function', 'retrain_sample_ratio', 'execute', null, array['reader']),
    ('function', 'retrain_experiment_sums', 'execute', null, array['reader']),
    ('function', 'retrain_significant', 'execute', null, array['reader']),
    ('function', 'retrain_percent_range', 'execute', null, array['reader']),
    ('function', 'retrain_p_text', 'execute', null, array['reader']),
    ('function', 'assign_variant', 'execute', null, array['recorder']),
    ('function', 'assign_variants', 'execute', null, array['recorder']),
    ('function', 'record_exposure', 'execute', null, array['recorder']),
    ('function', 'record_outcome', 'execute', null, array['recorder']),
    ('function', 'retrain_check_numbers', 'execute', null, array['recorder']),
    ('function', 'retrain_outside_experiment', 'execute', null, array['recorder']),
    ('function', 'create_experiment', 'execute', null, array['trainer']),
    ('function', 'stop_experiment', 'execute', null, array['trainer']),
    ('function', 'set_experiment_traffic', 'execute', null, array['trainer']),
    ('function', 'retrain_config_number', 'execute', null, array['trainer']),
    ('function', 'retrain_check_keys', 'execute', null, array['trainer']),
    ('function', 'retrain_named_items', 'execute', null, array['trainer']),
    ('function', 'retrain_parse_variants', 'execute', null, array['trainer']),
    ('function', 'retrain_parse_metrics', 'execute', null, array['trainer']),
    ('function', 'retrain_check_fraction', 'execute', null, array['trainer']),
    ('table', 'ai_experiments', 'select', null, array['predictor', 'reader']),
    ('table', 'ai_experiments', 'insert', null, array['trainer']),
    ('table', 'ai_experiments', 'update', array['traffic', 'ends_at', 'stopped_at', 'stop_reason', 'description'], array['trainer']),
    ('table', 'ai_experiments', 'delete', null, array['admin']),
    ('table', 'ai_experiment_assignments', 'select', null, array['predictor', 'reader']),
    ('table', 'ai_experiment_assignments', 'insert', null, array['recorder']),
    ('table', 'ai_experiment_assignments', 'delete', null, array['admin']),
    ('table', 'ai_experiment_exposures', 'select', null, array['reader']),
    ('table', 'ai_experiment_exposures', 'select', array['experiment_id', 'unit_id', 'model_name', 'exposed_at'], array['recorder']),
    ('table', 'ai_experiment_exposures', 'insert', null, array['recorder']),
    ('table', 'ai_experiment_exposures', 'update', array['exposed_at'], array['recorder']),
    ('table', 'ai_experiment_exposures', 'delete', null, array['admin']),
    ('table', 'ai_experiment_outcomes', 'select', null, array['reader']),
    ('table', 'ai_experiment_outcomes', 'select', array['experiment_id', 'idempotency_key', 'model_name'], array['recorder']),
    ('table', 'ai_experiment_outcomes', 'insert', null, array['recorder']),
    ('table', 'ai_experiment_outcomes', 'delete', null, array['admin']),

    -- what row-level security and the views themselves stand on
    ('function', 'retrain_unrestricted', 'execute', null, array['reader', 'predictor']),
    ('function', 'retrain_visible_models', 'execute', null, array['reader', 'predictor']),
    ('function', 'retrain_access_map', 'execute', null, array['reader', 'predictor']),
    ('table', 'ai_access_scope', 'select', null, array['reader', 'predictor']),

    -- fired by triggers, which ask nobody for the right
    ('function', 'retrain_training_data_before_write', 'execute', null, '{}'),
    ('function', 'retrain_training_data_after_delete', 'execute', null, '{}'),
    ('function', 'retrain_shipped_rule_before_change', 'execute', null, '{}'),
    ('function', 'retrain_prompt_before_update', 'execute', null, '{}'),
    ('function', 'retrain_model_before_delete', 'execute', null, '{}'),
    ('function', 'retrain_experiments_after_delete', 'execute', null, '{}'),
    ('function', 'retrain_alert_rule_before_update', 'execute', null, '{}'),
    ('function', 'retrain_model_source_before_write', 'execute', null, '{}'),
    ('function', 'retrain_touch_updated_at', 'execute', null, '{}'),
    ('function', 'retrain_corrections_append_only', 'execute', null, '{}'),
    ('function', 'retrain_versions_immutable', 'execute', null, '{}')
$function$;

-- Makes a role's rights on the extension's objects what its rows in ai_access_grants say, no more and no less.
-- SECURITY DEFINER, since only the owner may grant. It takes no wish from its caller: it acts on the table alone, and
-- row-level security decides who may write which row there.
create function @extschema@.retrain_sync_access(p_role text) returns void
  language plpgsql volatile parallel unsafe security definer
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_schema oid;
  v_owner oid;
  v_levels text[];
  v_object record;
begin
  select c.relnamespace, c.relowner into v_schema, v_owner
  from pg_class c
  where c.reltype = pg_typeof(null::@extschema@.ai_models);
  if not exists (select from pg_roles r where r.rolname = p_role and r.oid <> v_owner) then
    return;
  end if;
  -- Two at once would update the same catalog rows.
  perform @extschema@.retrain_lock('', 2);

  select array_agg(distinct i.level) into v_levels
  from @extschema@.ai_access_grants g
  cross join lateral (
    select unnest(
      case g.level
        when 'recorder' then array['recorder', 'predictor']
        when 'reviewer' then array['reviewer', 'recorder', 'predictor', 'reader']
        when 'trainer' then array['trainer', 'reviewer', 'recorder', 'predictor', 'reader']
        when 'admin' then array['admin', 'trainer', 'reviewer', 'recorder', 'predictor', 'reader']
        else array[g.level] end)
  ) i (level)
  where g.role_name = p_role;

  for v_object in
    select distinct
      case m.kind when 'function' then 'function ' || p.oid::regprocedure else 'table ' || c.oid::regclass end as name
    from @extschema@.retrain_access_map() m
    left join pg_proc p on m.kind = 'function' and p.proname = m.object_name and p.pronamespace = v_schema
    left join pg_class c on m.kind = 'table' and c.relname = m.object_name and c.relnamespace = v_schema
  loop
    execute format('revoke all on %s from %I', v_object.name, p_role);
  end loop;

  for v_object in
    select m.privilege,
      (select string_agg(quote_ident(x.name), ', ') from unnest(m.columns) x (name)) as columns,
      case m.kind when 'function' then 'function ' || p.oid::regprocedure else 'table ' || c.oid::regclass end as name
    from @extschema@.retrain_access_map() m
    left join pg_proc p on m.kind = 'function' and p.proname = m.object_name and p.pronamespace = v_schema
    left join pg_class c on m.kind = 'table' and c.relname = m.object_name and c.relnamespace = v_schema
    where m.levels && v_levels
  loop
    execute format('grant %s on %s to %I',
      v_object.privilege || coalesce(' (' || v_object.columns || ')', ''), v_object.name, p_role);
  end loop;

  if v_levels is not null and not has_schema_privilege(p_role, v_schema, 'usage') then
    execute format('grant usage on schema %s to %I', v_schema::regnamespace, p_role);
  elsif v_levels is null and exists (
    select
    from pg_namespace n
    cross join lateral aclexplode(n.nspacl) x
    join pg_roles r on r.oid = x.grantee
    where n.oid = v_schema and n.nspowner = v_owner and r.rolname = p_role)
  then
    execute format('revoke usage on schema %s from %I', v_schema::regnamespace, p_role);
  end if;
end
$function$;

create function @extschema@.grant_retrain_access(
  p_role text,
  p_level text,
  p_model_name text default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_level is null or p_level not in ('reader', 'predictor', 'recorder', 'reviewer', 'trainer', 'admin') then
    raise exception 'p_level is not a known level'
      using errcode = 'invalid_parameter_value', detail = format('The level given is "%s".', p_level),
        hint = 'Use reader, predictor, recorder, reviewer, trainer or admin.';
  end if;
  if not exists (select from pg_roles r where r.rolname = p_role) then
    raise exception 'role "%" does not exist', coalesce(p_role, 'null') using errcode = 'undefined_object';
  end if;
  if p_model_name is not null then
    perform @extschema@.retrain_check_model_name(p_model_name);
  end if;
  insert into @extschema@.ai_access_grants (role_name, level, model_name)
  values (p_role::name, p_level, p_model_name)
  on conflict do nothing;
  perform @extschema@.retrain_sync_access(p_role);
  return jsonb_build_object('success', true, 'role', p_role, 'level', p_level, 'model_name', p_model_name);
end
$function$;

create function @extschema@.revoke_retrain_access(
  p_role text,
  p_level text default null,
  p_model_name text default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_revoked bigint;
begin
  if p_role is null then
    raise exception 'p_role is null' using errcode = 'invalid_parameter_value';
  end if;
  if p_level not in ('reader', 'predictor', 'recorder', 'reviewer', 'trainer', 'admin') then
    raise exception 'p_level is not a known level'
      using errcode = 'invalid_parameter_value', detail = format('The level given is "%s".', p_level),
        hint = 'Use reader, predictor, recorder, reviewer, trainer or admin, or leave it out for all.';
  end if;
  delete from @extschema@.ai_access_grants g
  where g.role_name = p_role::name
    and (p_level is null or g.level = p_level)
    and (p_model_name is null or g.model_name = p_model_name);
  get diagnostics v_revoked = row_count;
  perform @extschema@.retrain_sync_access(p_role);
  return jsonb_build_object('success', true, 'role', p_role, 'revoked', v_revoked);
end
$function$;
