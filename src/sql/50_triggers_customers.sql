-- Triggers of the tables of segments and risk levels. None fires on INSERT.

create trigger ai_segment_rules_shipped
  before update or delete on @extschema@.ai_segment_rules
  for each row when (old.shipped) execute function @extschema@.retrain_shipped_rule_before_change();

create trigger ai_risk_levels_shipped
  before update or delete on @extschema@.ai_risk_levels
  for each row when (old.shipped) execute function @extschema@.retrain_shipped_rule_before_change();

create trigger ai_segment_rules_truncate
  before truncate on @extschema@.ai_segment_rules
  for each statement execute function @extschema@.retrain_shipped_rules_before_truncate();

create trigger ai_risk_levels_truncate
  before truncate on @extschema@.ai_risk_levels
  for each statement execute function @extschema@.retrain_shipped_rules_before_truncate();
