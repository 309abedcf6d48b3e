-- What a model that is not of intents is trained from: kept by its trainings and followed by what goes live.

-- What was set for an algorithm and means something for another, too: not every key of that name does.
create function @extschema@.retrain_config_for(p_config jsonb, p_former text, p_algorithm text) returns jsonb
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select case when p_algorithm <> p_former then (
    select coalesce(jsonb_object_agg(c.key, c.value), '{}')
    from jsonb_each(p_config) c
    join @extschema@.retrain_table_config_reference() k on c.key in (k.name, k.other_name)
    where k.algorithms = 'all' or string_to_array(k.algorithms, ', ') @> array[p_algorithm, p_former])
    else p_config end
$function$;

-- A table's model is trained again as its live version was: when one of another target or algorithm goes live, whether a
-- training or a person has promoted it, the model takes both over, and the version's query where the same role gave it.
create function @extschema@.retrain_follow_version(p_model_name text, p_version_id bigint, p_former_id bigint)
  returns void
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_model @extschema@.ai_models;
  v_version record;
begin
  select m.* into v_model from @extschema@.ai_models m where m.model_name = p_model_name;
  select v.algorithm, v.metrics ->> 'target' as target, f.algorithm as former, r.source, r.source_set_by into v_version
  from @extschema@.ai_model_versions v
  left join @extschema@.ai_model_versions f on f.id = p_former_id
  left join @extschema@.ai_training_runs r on r.id = v.run_id and r.model_name = v.model_name
  where v.id = p_version_id;
  -- No algorithm stored stands for the default one, which the version before it had.
  if v_model.task is null or v_model.task not in ('classification', 'regression', 'clustering')
    or coalesce(v_version.target, v_model.target) is not distinct from v_model.target
      and v_version.algorithm = coalesce(v_model.algorithm, v_version.former, v_version.algorithm)
  then
    return;
  end if;
  -- A training that has changed the row holds it to its end: a promotion waits for none.
  perform from @extschema@.ai_models m where m.model_name = p_model_name for no key update skip locked;
  if not found then
    raise warning 'model "%" keeps its target and algorithm', p_model_name
      using errcode = 'lock_not_available',
        detail = format('Another session is changing its row of ai_models; the version that is live now has the %salgorithm %s.',
          'target ' || v_version.target || ' and the ', v_version.algorithm),
        hint = 'Set target, algorithm and source in ai_models when that session is done.';
    return;
  end if;
  if v_version.source <> v_model.source and v_version.source_set_by is distinct from current_user then
    raise warning 'model "%" keeps its query', p_model_name
      using errcode = 'insufficient_privilege',
        detail = format('That of the version that is live now was given by %s.',
          coalesce(format('role "%s"', v_version.source_set_by), 'an unknown role')),
        hint = 'Pass p_source at the next training: a query runs for the role that gives it.';
  end if;
  update @extschema@.ai_models m
  set target = coalesce(v_version.target, m.target),
    algorithm = v_version.algorithm,
    config = @extschema@.retrain_config_for(m.config, coalesce(m.algorithm, v_version.former), v_version.algorithm),
    source = case when v_version.source_set_by = current_user then v_version.source else m.source end
  where m.model_name = p_model_name;
end
$function$;

-- Where another role gave the very same query: it is forgotten, with that role's holidays, so that writing it makes the caller
-- the one who gave it.
create function @extschema@.retrain_give_again(p_model_name text, p_source text) returns void
  language sql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
  update @extschema@.ai_models m
  set source = null, config = m.config - 'holidays'
  where m.model_name = p_model_name and m.source = p_source and m.source_set_by is distinct from current_user
$function$;

-- What a model that is not of intents is trained from, as its next training says it: null keeps what is stored. A source
-- that another role gave is never run in its place. A model that has never been trained takes the task asked for. Another
-- target or algorithm than the live version's is stored when a version of it goes live, its query with it.
create function @extschema@.retrain_update_order(
  p_model_name text,
  p_task text,
  p_source text,
  p_target text,
  p_algorithm text
) returns void
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_model @extschema@.ai_models;
begin
  select m.* into v_model from @extschema@.ai_models m where m.model_name = p_model_name for update;
  -- Nothing has come of the name yet: it was never used, or for trainings that failed.
  if v_model.task <> p_task
    and not exists (select from @extschema@.ai_model_versions v where v.model_name = p_model_name)
    and (v_model.task <> 'intent' or v_model.source is null
      and not exists (select from @extschema@.ai_training_runs r where r.model_name = p_model_name)
      and not exists (select from @extschema@.ai_training_data d where d.model_name = p_model_name))
  then
    if v_model.task <> 'intent' then
      update @extschema@.ai_models m
      set target = null, algorithm = null, config = '{}'
      where m.model_name = p_model_name;
    end if;
    v_model.task := p_task;
  end if;
  if v_model.task <> p_task then
    return;  -- the caller says so
  end if;
  if p_source is null and v_model.source is not null and v_model.source_set_by is distinct from current_user then
    raise exception 'the source of model "%" was given by another role', p_model_name
      using errcode = 'insufficient_privilege', detail = format('It was given by %s.', coalesce(
        format('role "%s"', v_model.source_set_by), 'an unknown role')),
        hint = 'Pass p_source: a query runs for the role that gives it.';
  end if;
  if p_task in ('classification', 'regression', 'clustering') and exists (
    select from @extschema@.ai_model_versions v
    where v.model_name = p_model_name and v.is_active
      and (coalesce(p_target, v_model.target) is distinct from v_model.target
        or p_algorithm <> coalesce(v_model.algorithm, v.algorithm)))
  then
    return;
  end if;
  -- What was set for another algorithm is not meant for this one, even where it has a key of that name.
  if p_algorithm <> v_model.algorithm then
    update @extschema@.ai_models m
    set config = @extschema@.retrain_config_for(m.config, m.algorithm, p_algorithm)
    where m.model_name = p_model_name;
  end if;
  perform @extschema@.retrain_give_again(p_model_name, p_source);
  update @extschema@.ai_models m
  set task = v_model.task,
    source = coalesce(p_source, m.source),
    -- Another role's holidays do not stay beside this role's source.
    config = case when p_source is not null and p_source is distinct from m.source
        and m.source_set_by is distinct from current_user
      then m.config - 'holidays' else m.config end,
    target = coalesce(p_target, m.target),
    algorithm = coalesce(p_algorithm, m.algorithm)
  where m.model_name = p_model_name
    and (m.task, coalesce(p_source, m.source), coalesce(p_target, m.target), coalesce(p_algorithm, m.algorithm))
      is distinct from (v_model.task, m.source, m.target, m.algorithm);
end
$function$;
