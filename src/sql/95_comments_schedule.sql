-- What psql says of retraining by itself and of the dataset tools. See 95_comments.sql.

comment on function @extschema@.should_retrain(text) is
  'Whether enough labelled rows are new or changed since the last completed training: {due, reason, new_samples, '
  'threshold, ...}.';
comment on function @extschema@.retrain_if_due(text) is
  'Trains the models that are due, or the one named if it is, and returns their runs. A model that is being trained is '
  'left alone; one that fails leaves a failed run and stops no other.';
comment on function @extschema@.schedule_retraining(text, text) is
  'Lets pg_cron call retrain_if_due() on a schedule, for all models or one. Calling it again changes the schedule.';
comment on function @extschema@.schedule_snapshots() is
  'Lets pg_cron take every model''s metrics snapshots and check the alert rules, seven minutes past each hour.';
comment on function @extschema@.unschedule_retraining() is
  'Removes the current user''s jobs that schedule_retraining() and schedule_snapshots() made.';
comment on view @extschema@.ai_retraining_health is
  'One row per model: disabled, training, ok, due, failed, or due but not run for a quarter of an hour.';
comment on column @extschema@.ai_retraining_health.due_since is 'When the row came that made it due.';
comment on column @extschema@.ai_retraining_health.schedule is
  'Of the reader''s own pg_cron job for the model; null when another user or another scheduler does it.';
comment on function @extschema@.get_dataset_stats(text) is
  'Rows of a model by category, intent, status, split, quality and source, as JSON.';
comment on function @extschema@.clean_dataset(text, boolean) is
  'Rejects duplicates, empty and overlong texts (more than 5 000 characters), or with p_dry_run only counts them. One '
  'text under two intents is reported and left alone.';
comment on function @extschema@.export_training_dataset(text, integer, boolean, text, integer, text) is
  'The dataset as lines: jsonl and csv, the newest label first, or chat_jsonl (system, user, assistant, metadata), the newest '
  'message first. An empty p_system_prompt leaves the system message out.';
comment on function @extschema@.export_modelfile(text, text, integer, boolean, integer, text) is
  'An Ollama Modelfile with the best conversations as examples.';
comment on function @extschema@.import_training_dataset(text[], jsonb, text, text, boolean) is
  'Imports lines of JSON (p_lines) or one JSON array (p_items), with a report for each line. One bad line imports '
  'nothing, unless p_skip_invalid. The first line counts as the newest, as in exports.';

comment on function @extschema@.retrain_new_rows(text, timestamptz) is
  'Internal: when each labelled row that no training has seen as it now is came to be so.';
comment on function @extschema@.retrain_try_lock(text, integer) is
  'Internal: retrain_lock() without waiting.';
comment on function @extschema@.retrain_notify(text, text, bigint, uuid) is
  'Internal: NOTIFY ai_models with the names of what happened.';
comment on function @extschema@.retrain_require_cron(text) is 'Internal: refuses with what is missing of pg_cron.';
comment on function @extschema@.retrain_job_name(text, text) is 'Internal: the name of a job.';
comment on function @extschema@.retrain_scheduled_jobs() is 'Internal: the current user''s jobs; none without pg_cron.';
comment on function @extschema@.retrain_schedule_job(text, text, text) is 'Internal: creates or changes a job.';
comment on function @extschema@.retrain_purge_job_runs(interval) is
  'Internal: deletes old rows of our jobs in cron.job_run_details; a job calls it every night.';
comment on function @extschema@.retrain_schema_name() is 'Internal: the extension''s schema, quoted.';
comment on function @extschema@.retrain_take_snapshots() is 'Internal: what the job of schedule_snapshots() runs.';
comment on function @extschema@.retrain_model_source_before_write() is 'Internal: trigger of ai_models.';
comment on function @extschema@.retrain_version_after_leave() is 'Internal: trigger of ai_model_versions.';
comment on function @extschema@.retrain_version_before_insert() is 'Internal: trigger of ai_model_versions.';
comment on function @extschema@.retrain_run_source_before_write() is 'Internal: trigger of ai_training_runs.';
comment on function @extschema@.retrain_export_rows(integer, boolean, integer, text, boolean) is
  'Internal: the rows of an export.';
comment on function @extschema@.retrain_system_prompt() is 'Internal: the default of p_system_prompt.';
comment on function @extschema@.retrain_csv_field(text) is 'Internal: quotes a field of a CSV line.';
comment on function @extschema@.retrain_modelfile_text(text) is 'Internal: quotes a text of a Modelfile.';
comment on function @extschema@.retrain_import_item(jsonb) is 'Internal: one object of an import, checked.';

comment on function @extschema@.find_label_issues(text, integer) is
  'Labelled rows whose label the held-out folds of a training contradict with high confidence (confident learning), '
  'the surest first. Trains, and stores nothing.';
comment on function @extschema@.retrain_label_issues(text) is 'Internal: the issues by text, from a training.';
comment on function @extschema@.retrain_begin_label_issues(text) is 'Internal: what find_label_issues() trains from.';
comment on function @extschema@.retrain_train_again(text, text) is
  'Internal: trains a model of any task again from its stored source, for retrain_if_due() and retrain_all().';
