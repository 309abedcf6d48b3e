-- See 50_triggers.sql.

create trigger ai_models_source
  before insert or update on @extschema@.ai_models
  for each row execute function @extschema@.retrain_model_source_before_write();
