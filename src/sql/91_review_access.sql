-- Row-level security of the tables of rules, feedback, prompts and review. See 90_access.sql.

alter table @extschema@.ai_quality_rules enable row level security;
alter table @extschema@.ai_category_rules enable row level security;
alter table @extschema@.ai_feedback enable row level security;
alter table @extschema@.ai_prompt_versions enable row level security;
alter table @extschema@.ai_review_leases enable row level security;
alter table @extschema@.ai_forgotten_users enable row level security;
alter table @extschema@.ai_retrain_requests enable row level security;

-- Rules hold nobody's data and serve every model: who records or reads any model reads them, who administers all of them
-- writes them.
create policy ai_quality_rules_select on @extschema@.ai_quality_rules for select
  using (exists (select from @extschema@.ai_access_scope s where s.level in ('reader', 'recorder')));
create policy ai_quality_rules_write on @extschema@.ai_quality_rules for all
  using (exists (select from @extschema@.ai_access_scope s where s.level = 'admin' and s.model_name is null));
create policy ai_category_rules_select on @extschema@.ai_category_rules for select
  using (exists (select from @extschema@.ai_access_scope s where s.level in ('reader', 'recorder')));
create policy ai_category_rules_write on @extschema@.ai_category_rules for all
  using (exists (select from @extschema@.ai_access_scope s where s.level = 'admin' and s.model_name is null));

create policy ai_feedback_select on @extschema@.ai_feedback for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_feedback_insert on @extschema@.ai_feedback for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'recorder')));
create policy ai_feedback_update on @extschema@.ai_feedback for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));
create policy ai_feedback_delete on @extschema@.ai_feedback for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_prompt_versions_select on @extschema@.ai_prompt_versions for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_prompt_versions_write on @extschema@.ai_prompt_versions for all
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));

create policy ai_review_leases_all on @extschema@.ai_review_leases for all
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reviewer')));

create policy ai_forgotten_users_select on @extschema@.ai_forgotten_users for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_forgotten_users_insert on @extschema@.ai_forgotten_users for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_retrain_requests_select on @extschema@.ai_retrain_requests for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_retrain_requests_insert on @extschema@.ai_retrain_requests for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));

-- A recorder writes the verdict on its conversations' turns; its columns keep it from writing anything else.
create policy ai_training_data_evaluate on @extschema@.ai_training_data for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'recorder')));
