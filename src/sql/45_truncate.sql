-- TRUNCATE, which fires no trigger of rows, keeps what DELETE keeps. After it and not before, so that tables that are emptied
-- in one statement are all empty by then.

-- SECURITY DEFINER: who may truncate a table need not see every row of those that depend on it.
create function @extschema@.retrain_after_truncate() returns trigger
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_known bigint;
begin
  if tg_table_name = 'ai_models' then
    if exists (select from @extschema@.ai_model_versions) then
      raise exception 'there still are versions of models'
        using errcode = 'dependent_objects_still_exist', hint = 'Truncate ai_model_versions in the same statement.';
    end if;
    if exists (select from @extschema@.ai_experiments) then
      raise exception 'there still are experiments of models'
        using errcode = 'dependent_objects_still_exist', hint = 'Truncate ai_experiments in the same statement.';
    end if;
  elsif tg_table_name = 'ai_model_versions' then
    update @extschema@.ai_model_deployments d
    set live_until = greatest(clock_timestamp(), d.live_from + interval '1 microsecond')
    where d.live_until is null;
    -- With RESTART IDENTITY other versions would get the ids that history, messages and experiments know.
    select max(k.id) into v_known
    from (
      select max(d.version_id) from @extschema@.ai_model_deployments d
      union all
      select max(greatest(r.model_version_id, r.baseline_version_id)) from @extschema@.ai_training_runs r
      union all
      select max(d.model_version_id) from @extschema@.ai_training_data d
      union all
      select max(i.id) from @extschema@.ai_experiments e cross join lateral unnest(e.version_ids) i (id)
      union all
      select max(i.id) from @extschema@.ai_forgotten_users u cross join lateral unnest(u.version_ids) i (id)
    ) k (id);
    perform setval('@extschema@.ai_model_versions_id_seq', v_known)
    from @extschema@.ai_model_versions_id_seq q
    where v_known >= q.last_value + q.is_called::integer;
  elsif tg_table_name = 'ai_experiments' then
    delete from @extschema@.ai_experiment_assignments;
    delete from @extschema@.ai_experiment_exposures;
    delete from @extschema@.ai_experiment_outcomes;
  elsif tg_table_name = 'ai_intent_corrections' and exists (select from @extschema@.ai_training_data) then
    raise exception 'corrections are append-only'
      using errcode = 'object_not_in_prerequisite_state', detail = 'An attempt was made to truncate them.',
        hint = 'Deleting the training row deletes its corrections too.';
  end if;
  return null;
end
$function$;

create function @extschema@.retrain_shipped_rules_before_truncate() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  raise exception 'rules that are shipped cannot be deleted'
    using errcode = 'object_not_in_prerequisite_state', detail = format('They are in %s.', tg_table_name),
      hint = 'Switch them off: set enabled = false. Delete your own where not shipped.';
end
$function$;
