-- Row-level security of the experiments' tables. See 90_access.sql, whose loop has closed them to PUBLIC.

alter table @extschema@.ai_experiments enable row level security;
alter table @extschema@.ai_experiment_assignments enable row level security;
alter table @extschema@.ai_experiment_exposures enable row level security;
alter table @extschema@.ai_experiment_outcomes enable row level security;

create policy ai_experiments_select on @extschema@.ai_experiments for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level in ('reader', 'predictor'))));
create policy ai_experiments_insert on @extschema@.ai_experiments for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_experiments_update on @extschema@.ai_experiments for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_experiments_delete on @extschema@.ai_experiments for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_experiment_assignments_select on @extschema@.ai_experiment_assignments for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level in ('reader', 'predictor'))));
create policy ai_experiment_assignments_insert on @extschema@.ai_experiment_assignments for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'recorder')));
create policy ai_experiment_assignments_delete on @extschema@.ai_experiment_assignments for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_experiment_exposures_select on @extschema@.ai_experiment_exposures for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level in ('reader', 'recorder'))));
create policy ai_experiment_exposures_insert on @extschema@.ai_experiment_exposures for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'recorder')));
create policy ai_experiment_exposures_update on @extschema@.ai_experiment_exposures for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'recorder')));
create policy ai_experiment_exposures_delete on @extschema@.ai_experiment_exposures for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_experiment_outcomes_select on @extschema@.ai_experiment_outcomes for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level in ('reader', 'recorder'))));
create policy ai_experiment_outcomes_insert on @extschema@.ai_experiment_outcomes for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'recorder')));
create policy ai_experiment_outcomes_delete on @extschema@.ai_experiment_outcomes for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));
