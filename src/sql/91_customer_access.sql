-- Row-level security of segments, risk levels and notifications. See 90_access.sql.

alter table @extschema@.ai_segment_rules enable row level security;
alter table @extschema@.ai_risk_levels enable row level security;
alter table @extschema@.ai_notifications enable row level security;

-- Rules hold nobody's data and serve every model, as those of 91_review_access.sql do.
create policy ai_segment_rules_select on @extschema@.ai_segment_rules for select
  using (exists (select from @extschema@.ai_access_scope s where s.level in ('reader', 'predictor')));
create policy ai_segment_rules_write on @extschema@.ai_segment_rules for all
  using (exists (select from @extschema@.ai_access_scope s where s.level = 'admin' and s.model_name is null));
create policy ai_risk_levels_select on @extschema@.ai_risk_levels for select
  using (exists (select from @extschema@.ai_access_scope s where s.level in ('reader', 'predictor')));
create policy ai_risk_levels_write on @extschema@.ai_risk_levels for all
  using (exists (select from @extschema@.ai_access_scope s where s.level = 'admin' and s.model_name is null));

-- A notification of no model is about several: only who may train all models writes or delivers it.
create policy ai_notifications_all on @extschema@.ai_notifications for all
  using (exists (
    select from @extschema@.ai_access_scope s
    where s.level = 'trainer' and (s.model_name is null or s.model_name = ai_notifications.model_name)));
