-- Access: nothing for PUBLIC, row-level security by model and level.
--
-- SECURITY DEFINER functions, each with its reason. Everything else runs as its caller.
--   retrain_sync_access   only the owner may GRANT; it acts on the rows of ai_access_grants and on nothing its caller
--                         says, and row-level security decides who may write those rows.
--   retrain_forget_lost_access
--                         levels that have no effect any more may be on models that the caller cannot see.
--   retrain_training_data_after_delete
--                         corrections leave with their row, though no level may delete them; only the trigger runs it.
--   retrain_training_data_after_truncate
--                         the same for all rows.
--   retrain_after_truncate
--                         what depends on the rows of a whole table may be rows that the caller cannot see.
-- Views that read with their owner's rights (not security_invoker), each with its reason.
--   ai_access_scope       it tells a user its own grants, from tables that user may not read; it names the user itself.

alter table @extschema@.ai_models enable row level security;
alter table @extschema@.ai_training_data enable row level security;
alter table @extschema@.ai_training_runs enable row level security;
alter table @extschema@.ai_intent_corrections enable row level security;
alter table @extschema@.ai_model_versions enable row level security;
alter table @extschema@.ai_model_deployments enable row level security;
alter table @extschema@.ai_access_grants enable row level security;

-- The array is computed once per query, before the scan, so the comparison can use an index that starts with the name.

create policy ai_models_select on @extschema@.ai_models for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level in ('reader', 'predictor'))));
-- A new model is one that no grant can list yet: a grant on all models (null) covers it.
create policy ai_models_insert on @extschema@.ai_models for insert
  with check (exists (
    select from @extschema@.ai_access_scope s
    where s.level = 'recorder' and (s.model_name is null or s.model_name = ai_models.model_name)));
create policy ai_models_update on @extschema@.ai_models for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_models_delete on @extschema@.ai_models for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_training_data_select on @extschema@.ai_training_data for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level in ('reader', 'recorder'))));
create policy ai_training_data_insert on @extschema@.ai_training_data for insert
  with check ((model_name = any (array(
        select s.model_name from @extschema@.ai_access_scope s where s.level = 'recorder'))
      or @extschema@.retrain_refuse_level(model_name, 'recorder'))
    -- A label that a person gives: retrain_check_labeller() says why that is not left to the columns.
    and (correct_intent is null and not corrected_by_human and intent_correct is null
        and dataset_status not in ('reviewed', 'approved', 'rejected')
      or model_name = any (array(
        select s.model_name from @extschema@.ai_access_scope s where s.level = 'reviewer'))
      or @extschema@.retrain_refuse_level(model_name, 'reviewer')));
create policy ai_training_data_update on @extschema@.ai_training_data for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reviewer')));
create policy ai_training_data_delete on @extschema@.ai_training_data for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_training_runs_select on @extschema@.ai_training_runs for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_training_runs_insert on @extschema@.ai_training_runs for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_training_runs_update on @extschema@.ai_training_runs for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_training_runs_delete on @extschema@.ai_training_runs for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

create policy ai_intent_corrections_select on @extschema@.ai_intent_corrections for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_intent_corrections_insert on @extschema@.ai_intent_corrections for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reviewer')));

create policy ai_model_versions_select on @extschema@.ai_model_versions for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level in ('reader', 'predictor'))));
create policy ai_model_versions_insert on @extschema@.ai_model_versions for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_model_versions_update on @extschema@.ai_model_versions for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
-- What keep_versions may delete, which whoever trains applies, and who is admin the rest.
create policy ai_model_versions_delete on @extschema@.ai_model_versions for delete
  using (not is_active
    and model_name = any (array(
      select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer'))
    and (status in ('retired', 'rejected')
      or model_name = any (array(
        select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin'))));

create policy ai_model_deployments_select on @extschema@.ai_model_deployments for select
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));
create policy ai_model_deployments_insert on @extschema@.ai_model_deployments for insert
  with check (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_model_deployments_update on @extschema@.ai_model_deployments for update
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'trainer')));
create policy ai_model_deployments_delete on @extschema@.ai_model_deployments for delete
  using (model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'admin')));

-- An administrator of one model grants that model; one of all models, everything.
create policy ai_access_grants_all on @extschema@.ai_access_grants for all
  using (exists (
    select from @extschema@.ai_access_scope s
    where s.level = 'admin' and (s.model_name is null or s.model_name = ai_access_grants.model_name)));

do $do$
declare
  v_object record;
begin
  for v_object in
    select d.classid, d.objid, c.relname, c.relkind
    from pg_depend d
    join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_retrain'
    left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
    where d.refclassid = 'pg_extension'::regclass
      and d.deptype = 'e'
      and (d.classid = 'pg_proc'::regclass or c.relkind in ('r', 'v', 'S'))
  loop
    if v_object.classid = 'pg_proc'::regclass then
      execute format('revoke all on function %s from public', v_object.objid::regprocedure);
    else
      execute format('revoke all on table %s from public', v_object.objid::regclass);
    end if;
    if v_object.relkind = 'v' and v_object.relname <> 'ai_access_scope'
      and current_setting('server_version_num')::integer >= 150000
    then
      execute format('alter view %s set (security_invoker = true)', v_object.objid::regclass);
    end if;
  end loop;
end
$do$;
