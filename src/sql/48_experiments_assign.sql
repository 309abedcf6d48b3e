-- Experiments: who gets which variant.

create function @extschema@.assign_variant(p_experiment text, p_unit_id text, p_model_name text default null) returns text
  language plpgsql volatile parallel unsafe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_now timestamptz := clock_timestamp();
  v_variant text;
  v_first text;
begin
  perform @extschema@.retrain_check_unit(p_unit_id);
  if @extschema@.retrain_experiment_status(v_experiment, v_now) <> 'running' then
    return null;
  end if;
  select a.variant into v_variant
  from @extschema@.ai_experiment_assignments a
  where a.experiment_id = v_experiment.id and a.unit_id = p_unit_id and a.model_name = v_experiment.model_name;
  if found then
    return v_variant;
  end if;
  v_variant := @extschema@.retrain_hash_variant(
    v_experiment.salt, p_unit_id, v_experiment.variants, v_experiment.weights, v_experiment.traffic);
  if v_variant is null then
    return null;
  end if;
  insert into @extschema@.ai_experiment_assignments (experiment_id, unit_id, variant, assigned_at, model_name)
  values (v_experiment.id, p_unit_id, v_variant, v_now, v_experiment.model_name)
  on conflict (experiment_id, unit_id, model_name) do nothing;
  if not found then
    -- Somebody else was first; what was written counts.
    select a.variant into v_first
    from @extschema@.ai_experiment_assignments a
    where a.experiment_id = v_experiment.id and a.unit_id = p_unit_id and a.model_name = v_experiment.model_name;
  end if;
  return coalesce(v_first, v_variant);
end
$function$;

-- Many units in one statement. Sorted, so that two callers with the same units cannot wait for each other.
create function @extschema@.assign_variants(p_experiment text, p_unit_ids text[], p_model_name text default null)
  returns table (unit_id text, variant text)
  language plpgsql volatile parallel unsafe cost 10000 rows 1000
  set search_path = pg_catalog, pg_temp
as $function$
#variable_conflict use_column
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_now timestamptz := clock_timestamp();
  v_running boolean := @extschema@.retrain_experiment_status(v_experiment, v_now) = 'running';
begin
  if p_unit_ids is null then
    raise exception 'p_unit_ids is null' using errcode = 'invalid_parameter_value', hint = 'Pass an array of units'' ids.';
  end if;
  perform @extschema@.retrain_check_unit(u.id)
  from unnest(p_unit_ids) u (id)
  where u.id is null or char_length(u.id) not between 1 and 500
  limit 1;
  if v_running then
    insert into @extschema@.ai_experiment_assignments (experiment_id, unit_id, variant, assigned_at, model_name)
    select v_experiment.id, u.id, h.variant, v_now, v_experiment.model_name
    from (select distinct x.id collate "C" as id from unnest(p_unit_ids) x (id)) u
    cross join lateral @extschema@.retrain_hash_variant(
      v_experiment.salt, u.id, v_experiment.variants, v_experiment.weights, v_experiment.traffic) h (variant)
    where h.variant is not null
    order by u.id
    on conflict (experiment_id, unit_id, model_name) do nothing;
  end if;
  return query
  select u.id, case when v_running then a.variant end
  from unnest(p_unit_ids) with ordinality u (id, place)
  left join @extschema@.ai_experiment_assignments a
    on a.experiment_id = v_experiment.id and a.unit_id = u.id and a.model_name = v_experiment.model_name
  order by u.place;
end
$function$;

-- What assign_variant() would give, without writing: for a replica, and for looking.
create function @extschema@.get_variant(p_experiment text, p_unit_id text, p_model_name text default null) returns text
  language plpgsql stable parallel safe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_variant text;
begin
  perform @extschema@.retrain_check_unit(p_unit_id);
  if @extschema@.retrain_experiment_status(v_experiment, clock_timestamp()) <> 'running' then
    return null;
  end if;
  select a.variant into v_variant
  from @extschema@.ai_experiment_assignments a
  where a.experiment_id = v_experiment.id and a.unit_id = p_unit_id and a.model_name = v_experiment.model_name;
  return coalesce(v_variant, @extschema@.retrain_hash_variant(
    v_experiment.salt, p_unit_id, v_experiment.variants, v_experiment.weights, v_experiment.traffic));
end
$function$;

-- The version of a variant that is one: predict_intent(message, p_version_id => experiment_version(e, assign_variant(e, u))).
create function @extschema@.experiment_version(p_experiment text, p_variant text, p_model_name text default null)
  returns bigint
  language plpgsql stable parallel safe cost 500
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_place integer := array_position(v_experiment.variants, p_variant);
begin
  if p_variant is not null and v_place is null then
    perform @extschema@.retrain_refuse_name(
      format('experiment "%s" has no variant "%s"', v_experiment.name, left(p_variant, 100)), p_variant, v_experiment.variants);
  end if;
  return v_experiment.version_ids[v_place];
end
$function$;

create function @extschema@.retrain_experiments_after_delete() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  delete from @extschema@.ai_experiment_assignments a using deleted_rows d
  where a.experiment_id = d.id and a.model_name = d.model_name;
  delete from @extschema@.ai_experiment_exposures x using deleted_rows d
  where x.experiment_id = d.id and x.model_name = d.model_name;
  delete from @extschema@.ai_experiment_outcomes o using deleted_rows d
  where o.experiment_id = d.id and o.model_name = d.model_name;
  return null;
end
$function$;
