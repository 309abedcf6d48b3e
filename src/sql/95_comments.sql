-- What psql's \d+ and \df+ say. A test finds any public object without a comment.

comment on type @extschema@.ai_intent_prediction is
  'Answer of predict_intent(): one JSON object through PostgREST. Without a live version model_trained is false and '
  'the rest null.';
comment on column @extschema@.ai_intent_prediction.uncertain_reason is
  'Why the decision is UNCERTAIN: unknown_words, out_of_scope or low_confidence; else null.';
comment on column @extschema@.ai_intent_prediction.familiarity is
  'Share of known messages that look no more familiar than this one, 0 to 1. Null for corrections and for versions that '
  'cannot tell.';

comment on table @extschema@.ai_models is
  'One row per model: task, configuration and retraining policy. A model comes into being at its first use.';
comment on column @extschema@.ai_models.config is 'Hyper-parameters of the first training; p_config adds to them.';
comment on column @extschema@.ai_models.source is
  'Query of the last training; null means ai_training_data. With another target or algorithm: of the last that went live.';
comment on column @extschema@.ai_models.task is
  'What the model predicts: intent, classification, regression, clustering or forecast.';
comment on column @extschema@.ai_models.target is 'Column that a model of a table predicts; null for clusters and the others.';
comment on column @extschema@.ai_models.algorithm is
  'Algorithm of a table''s model, changed when a version of another one goes live; null: the default one.';
comment on column @extschema@.ai_models.source_set_by is
  'Who gave the source: retrain_if_due() runs it for that role alone. Kept by a trigger.';
comment on column @extschema@.ai_models.min_samples is 'Fewer labelled texts than this make a recorded failed run.';
comment on column @extschema@.ai_models.auto_retrain_threshold is 'New labelled rows that make a retraining due.';
comment on column @extschema@.ai_models.max_f1_regression is
  'Macro F1 that a new version may lose against the live one on the same test rows.';
comment on column @extschema@.ai_models.recent_window is 'Age up to which a test row counts as recent.';
comment on column @extschema@.ai_models.recent_min_rows is 'Recent test rows below which only all test rows decide.';
comment on column @extschema@.ai_models.recent_min_ratio is
  'Share of the live version''s macro F1 and accuracy that a new one must reach on recent rows.';
comment on column @extschema@.ai_models.confidence_threshold is
  'Below it the decision is UNCERTAIN; a version keeps the value of its training. Null: never uncertain.';
comment on column @extschema@.ai_models.label_source is
  'all, or reviewed: only what a person has confirmed or corrected is learnt.';
comment on column @extschema@.ai_models.human_weight is 'Weight of a row that a person corrected.';
comment on column @extschema@.ai_models.keep_versions is
  'Retired and rejected versions kept after a training; null keeps all. Live and candidate ones always stay, and those that a scheduled or running experiment serves.';
comment on column @extschema@.ai_models.enabled is 'Whether retraining by itself is on.';

comment on table @extschema@.ai_training_data is 'One row per recorded message, with its review.';
comment on column @extschema@.ai_training_data.confidence_score is 'Whole percent, 0 to 100; null is unknown.';
comment on column @extschema@.ai_training_data.intent_correct is
  'Null: not reviewed. Kept true to detected_intent and correct_intent by a trigger.';
comment on column @extschema@.ai_training_data.included_in_training_run is
  'The run that first learnt from the row in its present state.';
comment on column @extschema@.ai_training_data.model_version_id is
  'Version that predicted detected_intent; null when the application gave it. Such a row is not learnt unreviewed.';
comment on column @extschema@.ai_training_data.split is
  'train, validation or test: decided once per distinct text, at its first training with a label, and never moved.';
comment on column @extschema@.ai_training_data.quality_score is '1 (bad) to 5 (very good), from the next message.';
comment on column @extschema@.ai_training_data.idempotency_key is
  'The caller''s key of the message, unique per model: recording it again returns the first row.';
comment on column @extschema@.ai_training_data.text_key is
  'Identity of the message''s normalised text: texts that differ in case, accents or spacing alone share it.';
comment on column @extschema@.ai_training_data.duplicate_of is
  'The row that clean_dataset() kept when it rejected this one; null where the row itself was rejected.';

comment on table @extschema@.ai_training_runs is 'One row per training: numbers, verdict, reason.';
comment on column @extschema@.ai_training_runs.intent_accuracy is 'Share of the test rows that are right, 0 to 1.';
comment on column @extschema@.ai_training_runs.intent_precision is 'Macro precision on the test rows, 0 to 1.';
comment on column @extschema@.ai_training_runs.intent_recall is 'Macro recall on the test rows, 0 to 1.';
comment on column @extschema@.ai_training_runs.intent_f1_score is 'Macro F1 on the test rows, 0 to 1.';
comment on column @extschema@.ai_training_runs.avg_confidence is 'Mean confidence on the test rows, 0 to 1.';
comment on column @extschema@.ai_training_runs.baseline_intent_accuracy is
  'The live version''s accuracy on the same rows; null when there was none.';
comment on column @extschema@.ai_training_runs.baseline_avg_confidence is
  'The live version''s mean confidence on the same rows.';
comment on column @extschema@.ai_training_runs.baseline_f1_score is 'The live version''s macro F1 on the same rows.';
comment on column @extschema@.ai_training_runs.escalation_rate is
  'Always null: test rows are not escalated; ai_metrics_snapshots has the rate. Kept for applications.';
comment on column @extschema@.ai_training_runs.baseline_escalation_rate is 'Always null, as escalation_rate is. Kept for applications.';
comment on column @extschema@.ai_training_runs.response_quality_score is
  'Always null: a training judges intents, no answers. Kept for applications.';
comment on column @extschema@.ai_training_runs.duration_seconds is 'From the call to its end, in seconds.';
comment on column @extschema@.ai_training_runs.model_file_path is
  'Always null: models are rows. Kept for applications.';
comment on column @extschema@.ai_training_runs.dataset_file_path is 'Always null. Kept for applications.';
comment on column @extschema@.ai_training_runs.report_file_path is
  'Always null: training_report(id) writes the report. Kept for applications.';
comment on column @extschema@.ai_training_runs.model_config is 'The whole configuration that was used.';
comment on column @extschema@.ai_training_runs.model_version_id is 'The version the run made; null when it failed.';
comment on column @extschema@.ai_training_runs.deployed is 'Whether that version went live with the run.';
comment on column @extschema@.ai_training_runs.gate is
  'Rule, verdict, reason, and both versions'' numbers on the same rows.';
comment on column @extschema@.ai_training_runs.misclassified is 'Test rows that the new version got wrong (a sample).';
comment on column @extschema@.ai_training_runs.baseline_version_id is 'The version that was live when the run began.';
comment on column @extschema@.ai_training_runs.task is 'The model''s task: intent, classification, regression, clustering, forecast.';
comment on column @extschema@.ai_training_runs.metrics is
  'What was measured on rows that the training did not see; keys by task, as docs say.';
comment on column @extschema@.ai_training_runs.source_set_by is
  'Who gave the source and the holidays: verify_model() runs them for that role alone. Kept by a trigger.';
comment on column @extschema@.ai_training_runs.warnings is
  'What a person should look at, an array of {code, message, ...}: a column that gives the target away, shares without effect, intents not learnt.';
comment on column @extschema@.ai_training_runs.source is 'The query the rows came from; null means ai_training_data.';

comment on table @extschema@.ai_intent_corrections is
  'Every correction ever submitted, append-only; deleting the training row deletes its corrections.';
comment on column @extschema@.ai_intent_corrections.was_mismatch is 'Whether the correction changed the intent.';
comment on column @extschema@.ai_intent_corrections.confidence_at_detection is
  'The row''s confidence_score when the correction came.';

comment on table @extschema@.ai_model_versions is
  'Every version of every model, with its bytes. Immutable but for status; exactly one live version per model.';
comment on column @extschema@.ai_model_versions.artifact is 'The model itself; at most 256 MB.';
comment on column @extschema@.ai_model_versions.artifact_sha256 is 'SHA-256 of the artifact, lower-case hexadecimal.';
comment on column @extschema@.ai_model_versions.artifact_crc32c is
  'CRC-32C in the artifact''s header, checked whenever a connection loads it; null: the SHA-256 is checked instead, slower.';
comment on column @extschema@.ai_model_versions.training_state is
  'What an incremental training that starts from this version needs, with hashes of the texts it learnt from; null when imported.';
comment on column @extschema@.ai_model_versions.run_id is 'The run that made it; null when it was imported.';
comment on column @extschema@.ai_model_versions.accuracy is 'On the test rows of its training; null without any.';
comment on column @extschema@.ai_model_versions.f1_score is 'Macro F1 on the same rows.';
comment on column @extschema@.ai_model_versions.confidence_threshold is 'Below it the decision is UNCERTAIN.';
comment on column @extschema@.ai_model_versions.status is
  'candidate (never live), live, retired (was live), rejected (the gate said no; promote_model() still may).';

comment on table @extschema@.ai_model_deployments is
  'Which version was live from when to when, by whom and why. Periods of a model never overlap.';
comment on column @extschema@.ai_model_deployments.version_id is
  'May name a version that has been dropped since; ids are never used again.';
comment on column @extschema@.ai_model_deployments.live_until is 'Null: still live.';
comment on column @extschema@.ai_model_deployments.kind is 'training, promotion (by hand) or rollback.';

comment on table @extschema@.ai_access_grants is
  'Who may do what: written by grant_retrain_access() and revoke_retrain_access().';
comment on column @extschema@.ai_access_grants.model_name is 'Null: every model, also those to come.';

comment on view @extschema@.ai_access_scope is
  'The models and levels of the current user; model_name null stands for models to come.';
comment on view @extschema@.ai_labelled_data is
  'The rows a model learns from, with the label it learns. Excluded: rejected rows, the intents unknown and UNCERTAIN, rows '
  'marked wrong without a right answer, and the model''s own unconfirmed guesses.';
comment on view @extschema@.ai_model_metadata is 'The versions without their bytes.';
comment on view @extschema@.ai_training_progress is 'Trainings at work now, readable from any session.';

comment on function @extschema@.record_interaction(
  text, text, text, integer, text, text, text, text, text, text, boolean, text, text, integer, text, text, jsonb, text,
  text) is
  'Records one message durably and returns its id. Without an intent it asks the live version. The same '
  'p_idempotency_key twice returns the first id. An empty intent, category, conversation or key is none.';
comment on function @extschema@.submit_intent_correction(uuid, text, text, boolean, text, uuid) is
  'Records what a message''s intent really is. From then on predict_intent() answers that text with it.';
comment on function @extschema@.get_training_dataset(integer, boolean, integer, text) is
  'The labelled rows of a model: corrected first, then the most confident, then the newest.';
comment on function @extschema@.train_intent_model(text, text, text, jsonb, text, text) is
  'Trains a version on ai_training_data or on p_source, compares it with the live one on the same test rows and, if '
  'p_promote (gate, always, never) lets it, makes it live in this transaction.';
comment on function @extschema@.verify_model(bigint) is
  'Trains a version of a model of any task again from its rows, configuration and seed, and compares the bytes. Nothing is stored.';
comment on function @extschema@.predict_intent(text, text, integer, bigint, real[]) is
  'The intent of a message with its confidence and the p_top best intents; writes nothing, runs on a standby.';
comment on function @extschema@.predict_intents(text[], text, integer, bigint) is
  'predict_intent() of many messages, in their order.';
comment on function @extschema@.classify_intent(text, text, real[]) is
  'The intent alone, for bulk SQL: the same answer as predicted_intent.';
comment on function @extschema@.explain_intent(text, text, text, integer, bigint, real[]) is
  'What speaks for and against an intent: features with their weights; contributions and bias add up to the margin. '
  'A model with networks is linear around a message: its weights and bias are those of this message.';
comment on function @extschema@.promote_model(bigint, text) is 'Makes a version the live one.';
comment on function @extschema@.rollback_model(text, integer) is
  'Returns to the version that was live p_steps before. A second rollback goes further back, not forth.';
comment on function @extschema@.model_live_at(text, timestamptz) is
  'Which version was live at p_at (null: now), and until when. No row when none was.';
comment on function @extschema@.drop_model_version(bigint) is 'Deletes a version that is not live and that no experiment serves.';
comment on function @extschema@.export_model(bigint) is 'The bytes of a version, for import_model() elsewhere.';
comment on function @extschema@.import_model(bytea, text) is
  'Adds exported bytes as a candidate version, after checking them, and returns its id. promote_model() makes it live.';
comment on function @extschema@.training_report(uuid, text) is
  'The report of a run as markdown or text: numbers, warnings, gate, intents worst first, confusions, samples, configuration.';
comment on function @extschema@.grant_retrain_access(text, text, text) is
  'Opens a level (reader, predictor, recorder, reviewer, trainer, admin) to a role, for one model or for all. A '
  'role''s columns are the union of its levels: give different levels on different models to different roles.';
comment on function @extschema@.revoke_retrain_access(text, text, text) is
  'Takes back what grant_retrain_access() opened: one level or all, for one model or for all.';

comment on function @extschema@.retrain_config_reference() is
  'Every hyper-parameter of p_config: name, type, default, range, meaning.';
comment on function @extschema@.retrain_cache_stats() is 'This session''s cache of decoded models.';
comment on function @extschema@.retrain_progress() is 'Internal: behind the view ai_training_progress.';
comment on function @extschema@.retrain_shared_cache_stats() is
  'Models that all connections of the server share: how many, their bytes, the room for them (0: this server has none), and by how many connections they are held.';
comment on function @extschema@.retrain_artifact_checksum(bytea) is
  'The CRC-32C that an artifact''s header states, unchecked; null for bytes that are no artifact.';
comment on function @extschema@.retrain_artifact_info(bytea) is
  'Checks the bytes of a model and tells what is in them; damaged bytes are an error (XX001).';
comment on function @extschema@.retrain_interaction_is_valid(text, text, integer, integer, smallint, text, text, text, text, text) is
  'The check of ai_training_data''s values: true, or error 23514 that names the column and what it accepts.';
comment on function @extschema@.retrain_text_key(text) is 'Identity of a text: a digest of retrain_identity_text().';
comment on function @extschema@.retrain_identity_text(text) is 'The normalised text that texts are compared by.';
comment on function @extschema@.retrain_access_map() is
  'What each access level opens: object, privilege, columns, and the lowest levels that have it.';
comment on function @extschema@.retrain_unrestricted() is
  'Internal: whether row-level security spares the current user.';
comment on function @extschema@.retrain_visible_models() is
  'Internal: the models whose rows the current user may read; null means all.';
comment on function @extschema@.retrain_forget_lost_access(text) is
  'Internal: forgets the levels of a role that has none of their rights any more.';
comment on function @extschema@.retrain_sync_access(text) is
  'Internal: makes a role''s rights on the extension what its rows in ai_access_grants say.';
comment on function @extschema@.retrain_check_model_name(text) is 'Internal: refuses a name that is no model name.';
comment on function @extschema@.retrain_adopt_models() is
  'Internal: creates the rows of models whose messages came by an ordinary INSERT.';
comment on function @extschema@.retrain_require_level(text, text) is
  'Internal: refuses a model on which the current user''s levels are not enough.';
comment on function @extschema@.retrain_refuse_level(text, text) is
  'Internal: the same as the end of a policy''s condition.';
comment on function @extschema@.retrain_ensure_model(text) is 'Internal: creates a model''s row at its first use.';
comment on function @extschema@.retrain_require_model(text) is 'Internal: refuses a model that does not exist.';
comment on function @extschema@.retrain_get_version(bigint) is 'Internal: a version''s model and name, or an error.';
comment on function @extschema@.retrain_lock(text, integer) is
  'Internal: a model''s advisory lock to the end of the transaction (0 training or cleaning, 1 registry, 2 access, 3 training).';
comment on function @extschema@.retrain_begin_run(text, text, text, jsonb, text, text, text, text, text) is
  'Internal: opens a training run of any task; the training functions call it.';
comment on function @extschema@.retrain_update_order(text, text, text, text, text) is
  'Internal: keeps what a model of a table or a forecast is trained from.';
comment on function @extschema@.retrain_config_for(jsonb, text, text) is
  'Internal: the keys of a configuration that another algorithm has, too.';
comment on function @extschema@.retrain_follow_version(text, bigint, bigint) is
  'Internal: gives a table''s model the target and algorithm of the version that went live.';
comment on function @extschema@.retrain_finish_run(uuid, jsonb, bytea, text, bytea) is
  'Internal: closes a training run and registers its version; the training functions call it.';
comment on function @extschema@.retrain_begin_verification(bigint) is
  'Internal: what verify_model() trains a version again from.';
comment on function @extschema@.retrain_finish_verification(bigint, jsonb, bytea) is
  'Internal: the verdict of verify_model().';
comment on function @extschema@.retrain_assign_splits(text) is
  'Internal: gives labelled rows without a split theirs.';
comment on function @extschema@.retrain_mark_rows(text, uuid, timestamptz) is
  'Internal: marks the rows that a run learnt from.';
comment on function @extschema@.retrain_rows_query(text, boolean, timestamptz) is 'Internal: the training dataset of a model as a query.';
comment on function @extschema@.retrain_next_version(text) is 'Internal: an unused version name.';
comment on function @extschema@.retrain_insert_version(text, uuid, bytea, text, jsonb, bytea) is
  'Internal: adds a version.';
comment on function @extschema@.retrain_set_live(text, bigint, text, text, text) is
  'Internal: makes a version live and writes the history.';
comment on function @extschema@.retrain_give_again(text, text) is
  'Internal: forgets a query that another role gave, before the caller gives the same one.';
comment on function @extschema@.retrain_prune_versions(text) is 'Internal: applies keep_versions.';
comment on function @extschema@.retrain_experiment_of_version(bigint) is
  'Internal: an experiment that serves a version and is not over; null: none does.';
comment on function @extschema@.retrain_report_table(jsonb, jsonb, text) is 'Internal: a table of training_report().';
comment on function @extschema@.retrain_report_measure(jsonb, text) is 'Internal: a measure of training_report().';
comment on function @extschema@.retrain_report_number(jsonb) is 'Internal: a number of training_report().';
comment on function @extschema@.retrain_training_data_before_write() is 'Internal: trigger of ai_training_data.';
comment on function @extschema@.retrain_check_labeller() is
  'Internal: trigger of ai_training_data; a person''s label is given by a reviewer of its model.';
comment on function @extschema@.retrain_training_data_after_delete() is 'Internal: trigger of ai_training_data.';
comment on function @extschema@.retrain_training_data_after_truncate() is 'Internal: trigger of ai_training_data.';
comment on function @extschema@.retrain_after_truncate() is 'Internal: trigger of tables that others depend on.';
comment on function @extschema@.retrain_shipped_rules_before_truncate() is 'Internal: trigger of tables with shipped rules.';
comment on function @extschema@.retrain_model_before_leave() is 'Internal: trigger of ai_models.';
comment on function @extschema@.retrain_touch_updated_at() is 'Internal: trigger of ai_models.';
comment on function @extschema@.retrain_corrections_append_only() is 'Internal: trigger of ai_intent_corrections.';
comment on function @extschema@.retrain_versions_immutable() is 'Internal: trigger of ai_model_versions.';
