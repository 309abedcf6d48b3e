-- See 50_triggers.sql.

create trigger ai_experiments_delete
  after delete on @extschema@.ai_experiments
  referencing old table as deleted_rows
  for each statement execute function @extschema@.retrain_experiments_after_delete();

create trigger ai_experiments_truncate
  after truncate on @extschema@.ai_experiments
  for each statement execute function @extschema@.retrain_after_truncate();
