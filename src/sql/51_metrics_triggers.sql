-- See 50_triggers.sql.

create trigger ai_alert_rules_own
  before update on @extschema@.ai_alert_rules
  for each row execute function @extschema@.retrain_alert_rule_before_update();
