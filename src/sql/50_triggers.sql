-- Triggers. Those that fire on INSERT only derive values, the same ones for a restored row.

create trigger ai_models_touch
  before update on @extschema@.ai_models
  for each row execute function @extschema@.retrain_touch_updated_at();

create trigger ai_models_source
  before insert or update on @extschema@.ai_models
  for each row execute function @extschema@.retrain_model_source_before_write();

create trigger ai_training_runs_source
  before insert or update of source, source_set_by, model_config on @extschema@.ai_training_runs
  for each row execute function @extschema@.retrain_run_source_before_write();

create trigger ai_training_data_derive
  before insert or update on @extschema@.ai_training_data
  for each row execute function @extschema@.retrain_training_data_before_write();

-- After the one above, whose word about intent_correct counts. A training's mark is no label.
create trigger ai_training_data_labelled
  before update on @extschema@.ai_training_data
  for each row
  when (new.correct_intent is distinct from old.correct_intent
    or new.corrected_by_human is distinct from old.corrected_by_human
    or new.intent_correct is distinct from old.intent_correct
    or new.dataset_status is distinct from old.dataset_status
      and new.dataset_status in ('reviewed', 'approved', 'rejected'))
  execute function @extschema@.retrain_check_labeller();

create trigger ai_training_data_delete
  after delete on @extschema@.ai_training_data
  referencing old table as deleted_rows
  for each statement execute function @extschema@.retrain_training_data_after_delete();

create trigger ai_training_data_truncate
  after truncate on @extschema@.ai_training_data
  for each statement execute function @extschema@.retrain_training_data_after_truncate();

create trigger ai_models_leave
  before delete or update of model_name on @extschema@.ai_models
  for each row execute function @extschema@.retrain_model_before_leave();

create trigger ai_intent_corrections_append_only
  before update or delete on @extschema@.ai_intent_corrections
  for each row execute function @extschema@.retrain_corrections_append_only();

create trigger ai_model_versions_checksums
  before insert on @extschema@.ai_model_versions
  for each row execute function @extschema@.retrain_version_before_insert();

create trigger ai_model_versions_delete
  after delete on @extschema@.ai_model_versions
  for each row when (old.is_active) execute function @extschema@.retrain_version_after_leave();

-- A promotion has closed the period before.
create trigger ai_model_versions_retire
  after update of is_active on @extschema@.ai_model_versions
  for each row when (old.is_active and not new.is_active) execute function @extschema@.retrain_version_after_leave();

-- Not on status and is_active, so that a promotion never reads the artifact.
create trigger ai_model_versions_immutable
  before update of id, model_name, version, run_id, algorithm, artifact, artifact_sha256, artifact_crc32c, artifact_bytes,
    labels, training_samples, accuracy, f1_score, confidence_threshold, metrics, training_timestamp, created_at, created_by,
    training_state
  on @extschema@.ai_model_versions
  for each row execute function @extschema@.retrain_versions_immutable();

create trigger ai_models_truncate
  after truncate on @extschema@.ai_models
  for each statement execute function @extschema@.retrain_after_truncate();

create trigger ai_model_versions_truncate
  after truncate on @extschema@.ai_model_versions
  for each statement execute function @extschema@.retrain_after_truncate();

create trigger ai_intent_corrections_truncate
  after truncate on @extschema@.ai_intent_corrections
  for each statement execute function @extschema@.retrain_after_truncate();
