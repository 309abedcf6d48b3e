-- Row-level security of the metrics' tables. See 90_access.sql, whose loop has closed them to PUBLIC.

alter table @extschema@.ai_metrics_snapshots enable row level security;
alter table @extschema@.ai_alert_rules enable row level security;
alter table @extschema@.ai_alerts enable row level security;

create policy ai_metrics_snapshots_select on @extschema@.ai_metrics_snapshots for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_metrics_snapshots_insert on @extschema@.ai_metrics_snapshots for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_metrics_snapshots_update on @extschema@.ai_metrics_snapshots for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_metrics_snapshots_delete on @extschema@.ai_metrics_snapshots for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

-- A rule for all models is everybody's to read and belongs to those who train all models.
create policy ai_alert_rules_select on @extschema@.ai_alert_rules for select
  using (model_name is null or model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_alert_rules_insert on @extschema@.ai_alert_rules for insert
  with check (not shipped and exists (
    select from @extschema@.ai_access_scope s
    where s.level = 'trainer' and (s.model_name is null or s.model_name = ai_alert_rules.model_name)));
create policy ai_alert_rules_update on @extschema@.ai_alert_rules for update
  using (exists (
    select from @extschema@.ai_access_scope s
    where s.level = 'trainer' and (s.model_name is null or s.model_name = ai_alert_rules.model_name)));
create policy ai_alert_rules_delete on @extschema@.ai_alert_rules for delete
  using (not shipped and exists (
    select from @extschema@.ai_access_scope s
    where s.level = 'trainer' and (s.model_name is null or s.model_name = ai_alert_rules.model_name)));

create policy ai_alerts_select on @extschema@.ai_alerts for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_alerts_insert on @extschema@.ai_alerts for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_alerts_delete on @extschema@.ai_alerts for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));
