-- Triggers of the rules and prompts. On INSERT only the time fires at which a prompt became active, which a restored row has.

create trigger ai_quality_rules_shipped
  before update or delete on @extschema@.ai_quality_rules
  for each row when (old.shipped) execute function @extschema@.retrain_shipped_rule_before_change();

create trigger ai_category_rules_shipped
  before update or delete on @extschema@.ai_category_rules
  for each row when (old.shipped) execute function @extschema@.retrain_shipped_rule_before_change();

create trigger ai_prompt_versions_activate_new
  before insert on @extschema@.ai_prompt_versions
  for each row when (new.is_active and new.activated_at is null)
  execute function @extschema@.retrain_prompt_before_write();

create trigger ai_prompt_versions_activate
  before update on @extschema@.ai_prompt_versions
  for each row when (old.is_active is distinct from new.is_active)
  execute function @extschema@.retrain_prompt_before_write();

create trigger ai_quality_rules_truncate
  before truncate on @extschema@.ai_quality_rules
  for each statement execute function @extschema@.retrain_shipped_rules_before_truncate();

create trigger ai_category_rules_truncate
  before truncate on @extschema@.ai_category_rules
  for each statement execute function @extschema@.retrain_shipped_rules_before_truncate();
