-- Experiments: their definition and their life.

-- An error that names what was given and, where close, what was meant.
create function @extschema@.retrain_refuse_name(p_message text, p_name text, p_known text[]) returns void
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_meant text := @extschema@.retrain_closest_name(p_name, p_known);
begin
  raise exception '%', p_message
    using errcode = 'invalid_parameter_value',
      detail = format('Known are: %s.', coalesce((select string_agg(k, ', ') from unnest(p_known) k), 'none')),
      hint = coalesce('Did you mean "' || v_meant || '"?', 'Use one of the known names.');
end
$function$;

-- The experiment of a name. A name that several visible models use needs p_model_name.
create function @extschema@.retrain_get_experiment(p_experiment text, p_model_name text)
  returns @extschema@.ai_experiments
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments;
  v_other @extschema@.ai_experiments;
  v_meant text;
begin
  for v_other in
    select e.* from @extschema@.ai_experiments e
    where e.name = p_experiment and (p_model_name is null or e.model_name = p_model_name)
    limit 2
  loop
    if v_experiment.id is not null then
      raise exception 'several models have an experiment "%"', p_experiment
        using errcode = 'invalid_parameter_value',
          detail = format('Two of them are "%s" and "%s".', v_experiment.model_name, v_other.model_name),
          hint = 'Pass p_model_name.';
    end if;
    v_experiment := v_other;
  end loop;
  if v_experiment.id is null then
    if p_experiment is null then
      raise exception 'p_experiment is null'
        using errcode = 'invalid_parameter_value', hint = 'Pass the name of an experiment.';
    end if;
    v_meant := @extschema@.retrain_closest_name(p_experiment, array(
      select e.name from @extschema@.ai_experiments e
      where p_model_name is null or e.model_name = p_model_name
      order by e.id desc
      limit 1000));
    raise exception 'experiment "%" does not exist', p_experiment
      using errcode = 'undefined_object',
        hint = coalesce('Did you mean "' || v_meant || '"?', 'create_experiment() makes one; ai_experiments lists them.');
  end if;
  return v_experiment;
end
$function$;

create function @extschema@.retrain_experiment_status(p_experiment @extschema@.ai_experiments, p_at timestamptz)
  returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select case
    when p_experiment.stopped_at <= p_at then 'stopped'
    when p_experiment.ends_at <= p_at then 'ended'
    when p_experiment.starts_at > p_at then 'scheduled'
    else 'running' end
$function$;

create function @extschema@.retrain_check_unit(p_unit_id text) returns void
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_unit_id is null or char_length(p_unit_id) not between 1 and 500 then
    raise exception 'a unit''s id has 1 to 500 characters'
      using errcode = 'invalid_parameter_value',
        detail = case when p_unit_id is null then 'The id given is null.'
          else format('The id given has %s characters.', char_length(p_unit_id)) end,
        hint = 'Pass what stays the same for a person or thing: a customer''s number, a session''s key.';
  end if;
end
$function$;

-- ---- definition ----------------------------------------------------------------------------------------------------

-- A number of the configuration as double precision, or an error that names it.
create function @extschema@.retrain_config_number(p_value jsonb, p_name text, p_low double precision, p_high double precision)
  returns double precision
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  -- As numeric first: a number beyond double precision is an error of another kind.
  if jsonb_typeof(p_value) is distinct from 'number'
    or (p_value::numeric < p_low::numeric or p_value::numeric > p_high::numeric)
  then
    raise exception '% is not a number in its range', p_name
      using errcode = 'invalid_parameter_value', detail = format('The value given is %s.', left(coalesce(p_value::text, 'null'), 200)),
        hint = format('It is a number from %s to %s.', p_low, p_high);
  end if;
  return p_value::double precision;
end
$function$;

-- The keys of an object, each of them known.
create function @extschema@.retrain_check_keys(p_object jsonb, p_what text, p_known text[]) returns void
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_key text;
begin
  for v_key in select k.key from jsonb_object_keys(p_object) k (key) loop
    if v_key <> all (p_known) then
      perform @extschema@.retrain_refuse_name(format('%s has an unknown key "%s"', p_what, left(v_key, 100)), v_key, p_known);
    end if;
  end loop;
end
$function$;

-- Names with something about each: an array of names or of objects with a name, or an object by name. Objects have no
-- order of their own, so theirs is that of the names.
create function @extschema@.retrain_named_items(p_items jsonb, p_argument text, p_example text)
  returns table (place bigint, name text, item jsonb)
  language plpgsql immutable parallel safe rows 5
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_seen text[] := '{}';
begin
  if p_items is null or jsonb_typeof(p_items) not in ('array', 'object') or p_items in ('[]', '{}') then
    raise exception '% is not a list of names', p_argument
      using errcode = 'invalid_parameter_value', detail = format('The value given is %s.', left(coalesce(p_items::text, 'null'), 200)),
        hint = 'For example: ' || p_example;
  end if;
  for place, name, item in
    select e.place, case jsonb_typeof(e.value) when 'string' then e.value #>> '{}' when 'object' then e.value ->> 'name' end,
      case jsonb_typeof(e.value) when 'object' then e.value else '{}' end
    from jsonb_array_elements(case jsonb_typeof(p_items) when 'array' then p_items else '[]' end)
      with ordinality e (value, place)
    union all
    select row_number() over (order by o.key collate "C"), o.key, o.value
    from jsonb_each(case jsonb_typeof(p_items) when 'object' then p_items else '{}' end) o (key, value)
    order by 1
  loop
    if name is null or btrim(name) = '' or char_length(name) > 100 then
      raise exception '% has an element without a name', p_argument
        using errcode = 'invalid_parameter_value', detail = format('It is number %s.', place),
          hint = 'A name has 1 to 100 characters. For example: ' || p_example;
    end if;
    if name = any (v_seen) then
      raise exception '% has the name "%" twice', p_argument, name
        using errcode = 'invalid_parameter_value', hint = 'Give each its own name.';
    end if;
    v_seen := v_seen || name;
    return next;
  end loop;
end
$function$;

-- Names, shares that add up to 1, the control, the versions of models.
create function @extschema@.retrain_parse_variants(
  p_variants jsonb,
  p_model_name text,
  out variants text[],
  out weights double precision[],
  out control text,
  out version_ids bigint[])
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_example constant text := '["control", "treatment"] or [{"name": "control", "weight": 0.9}, {"name": "new", "weight": 0.1}]';
  v_item record;
  v_weighted integer := 0;
  v_total double precision;
  v_version bigint;
  v_number double precision;
  v_model text;
begin
  variants := '{}';
  weights := '{}';
  version_ids := '{}';
  for v_item in select * from @extschema@.retrain_named_items(p_variants, 'p_variants', c_example) loop
    if jsonb_typeof(v_item.item) = 'number' then
      v_item.item := jsonb_build_object('weight', v_item.item);
    elsif jsonb_typeof(v_item.item) <> 'object' then
      raise exception 'variant "%" is neither a weight nor an object', v_item.name
        using errcode = 'invalid_parameter_value', detail = format('It is %s.', left(v_item.item::text, 200)),
          hint = 'For example: ' || c_example;
    end if;
    perform @extschema@.retrain_check_keys(v_item.item, format('variant "%s"', v_item.name),
      array['name', 'weight', 'model_version_id', 'is_control', 'description']);
    variants := variants || v_item.name;

    if v_item.item ? 'weight' then
      v_weighted := v_weighted + 1;
      if jsonb_typeof(v_item.item -> 'weight') = 'number' and (v_item.item -> 'weight')::numeric <= 0 then
        raise exception 'the weight of variant "%" is not above 0', v_item.name
          using errcode = 'invalid_parameter_value', detail = format('It is %s.', left(v_item.item ->> 'weight', 100)),
            hint = 'Leave out a variant that nobody shall get.';
      end if;
      weights := weights || @extschema@.retrain_config_number(v_item.item -> 'weight',
        format('the weight of variant "%s"', v_item.name), 1e-6, 1e6);
    else
      weights := weights || 1::double precision;
    end if;

    v_version := null;
    if jsonb_typeof(v_item.item -> 'model_version_id') <> 'null' then
      v_number := @extschema@.retrain_config_number(v_item.item -> 'model_version_id',
        format('the model_version_id of variant "%s"', v_item.name), 1, 9e15);
      v_version := v_number::bigint;
      if v_version <> v_number then
        raise exception 'the model_version_id of variant "%" is not a whole number', v_item.name
          using errcode = 'invalid_parameter_value', detail = format('The value given is %s.', v_number),
            hint = 'ai_model_metadata lists the versions with their ids.';
      end if;
      select v.model_name into v_model from @extschema@.ai_model_versions v where v.id = v_version;
      if v_model is distinct from p_model_name then
        raise exception 'model "%" has no version %', p_model_name, v_version
          using errcode = 'undefined_object', detail = format('Variant "%s" names it.', v_item.name),
            hint = 'ai_model_metadata lists the versions; p_model_name says which model the experiment belongs to.';
      end if;
    end if;
    version_ids := version_ids || v_version;

    if v_item.item ? 'is_control' and jsonb_typeof(v_item.item -> 'is_control') <> 'boolean' then
      raise exception 'is_control of variant "%" is not true or false', v_item.name
        using errcode = 'invalid_parameter_value',
          detail = format('It is %s.', left((v_item.item -> 'is_control')::text, 200)),
          hint = 'Write true or false without quotes, or leave it out for false.';
    end if;
    if (v_item.item -> 'is_control')::boolean then
      if control is not null then
        raise exception 'two variants are the control' using errcode = 'invalid_parameter_value',
          detail = format('They are "%s" and "%s".', control, v_item.name), hint = 'The others are compared with one.';
      end if;
      control := v_item.name;
    end if;
  end loop;
  if cardinality(variants) not between 2 and 50 then
    raise exception 'an experiment has 2 to 50 variants' using errcode = 'invalid_parameter_value',
      detail = format('p_variants has %s.', cardinality(variants)), hint = 'For example: ' || c_example;
  end if;
  if v_weighted not in (0, cardinality(variants)) then
    raise exception 'some variants have a weight and some have none' using errcode = 'invalid_parameter_value',
      hint = 'Give all of them a weight, or none.';
  end if;
  select sum(w) into v_total from unnest(weights) w;
  weights := array(select w / v_total from unnest(weights) with ordinality x (w, place) order by x.place);
  control := coalesce(control, case when 'control' = any (variants) then 'control' else variants[1] end);
end
$function$;

-- Every metric as an object with all its keys.
create function @extschema@.retrain_parse_metrics(p_metrics jsonb) returns jsonb
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_example constant text := '[{"name": "conversion", "kind": "binary"}, {"name": "returns", "guardrail": true, "goal": "decrease", "max_regression": 0.05}]';
  v_item record;
  v_kind text;
  v_goal text;
  v_guardrail boolean;
  v_regression double precision;
  v_metrics jsonb := '[]';
begin
  for v_item in select * from @extschema@.retrain_named_items(p_metrics, 'p_metrics', c_example) loop
    if jsonb_typeof(v_item.item) = 'string' then
      v_item.item := jsonb_build_object('kind', v_item.item);
    elsif jsonb_typeof(v_item.item) <> 'object' then
      raise exception 'metric "%" is neither a kind nor an object', v_item.name
        using errcode = 'invalid_parameter_value', detail = format('It is %s.', left(v_item.item::text, 200)),
          hint = 'For example: ' || c_example;
    end if;
    perform @extschema@.retrain_check_keys(v_item.item, format('metric "%s"', v_item.name),
      array['name', 'kind', 'goal', 'guardrail', 'max_regression', 'covariate', 'description']);
    v_kind := coalesce(v_item.item ->> 'kind', 'continuous');
    if v_kind not in ('binary', 'continuous', 'count') then
      perform @extschema@.retrain_refuse_name(format('the kind of metric "%s" is not known', v_item.name), left(v_kind, 100),
        array['binary', 'continuous', 'count']);
    end if;
    v_goal := coalesce(v_item.item ->> 'goal', 'increase');
    if v_goal not in ('increase', 'decrease') then
      perform @extschema@.retrain_refuse_name(format('the goal of metric "%s" is not known', v_item.name), left(v_goal, 100),
        array['increase', 'decrease']);
    end if;
    if jsonb_typeof(coalesce(v_item.item -> 'guardrail', 'false')) <> 'boolean' then
      raise exception 'guardrail of metric "%" is not true or false', v_item.name
        using errcode = 'invalid_parameter_value',
          detail = format('It is %s.', left((v_item.item -> 'guardrail')::text, 200)),
          hint = 'Write true or false without quotes, or leave it out for false.';
    end if;
    v_guardrail := coalesce((v_item.item -> 'guardrail')::boolean, false);
    v_regression := 0;
    if v_item.item ? 'max_regression' then
      if not v_guardrail then
        raise exception 'metric "%" has a max_regression and is no guardrail', v_item.name
          using errcode = 'invalid_parameter_value', hint = 'Add "guardrail": true.';
      end if;
      v_regression := @extschema@.retrain_config_number(v_item.item -> 'max_regression',
        format('max_regression of metric "%s"', v_item.name), 0, 10);
    end if;
    if jsonb_typeof(coalesce(v_item.item -> 'covariate', '"x"')) <> 'string' or v_item.item ->> 'covariate' = '' then
      raise exception 'covariate of metric "%" is not a name', v_item.name using errcode = 'invalid_parameter_value',
        hint = 'It is the key in p_covariates of record_exposure(); without it, the metric''s own name.';
    end if;
    v_metrics := v_metrics || jsonb_build_object('name', v_item.name, 'kind', v_kind, 'goal', v_goal, 'guardrail', v_guardrail,
      'max_regression', v_regression, 'covariate', coalesce(v_item.item ->> 'covariate', v_item.name));
  end loop;
  if jsonb_array_length(v_metrics) > 50 then
    raise exception 'an experiment has 1 to 50 metrics' using errcode = 'invalid_parameter_value',
      detail = format('p_metrics has %s.', jsonb_array_length(v_metrics));
  end if;
  return v_metrics;
end
$function$;

create function @extschema@.create_experiment(
  p_name text,
  p_variants jsonb default '["control", "treatment"]',
  p_metrics jsonb default '[{"name": "conversion", "kind": "binary"}]',
  p_starts_at timestamptz default null,
  p_ends_at timestamptz default null,
  p_salt text default null,
  p_traffic double precision default 1,
  p_alpha double precision default 0.05,
  p_planned_units bigint default null,
  p_description text default null,
  p_model_name text default 'default'
) returns @extschema@.ai_experiments
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments;
  v_starts_at timestamptz := coalesce(p_starts_at, clock_timestamp());
  v_parsed record;
begin
  if p_name is null or btrim(p_name) = '' or char_length(p_name) > 200 then
    raise exception 'the name of an experiment has 1 to 200 characters'
      using errcode = 'invalid_parameter_value',
        detail = case when p_name is null then 'The name given is null.'
          else format('The name given has %s characters.', char_length(btrim(p_name))) end;
  end if;
  perform @extschema@.retrain_check_model_name(p_model_name);
  if not isfinite(v_starts_at) or not isfinite(p_ends_at) then
    raise exception 'an experiment has no infinite times' using errcode = 'invalid_parameter_value',
      detail = format('p_starts_at is %s, p_ends_at is %s.', v_starts_at, coalesce(p_ends_at::text, 'null')),
      hint = 'Leave p_ends_at out where the end is not known.';
  end if;
  if p_ends_at <= v_starts_at then
    raise exception 'the experiment ends before it starts' using errcode = 'invalid_parameter_value',
      detail = format('It starts at %s and ends at %s.', v_starts_at, p_ends_at),
      hint = 'p_ends_at is later than p_starts_at, which is now when it is left out.';
  end if;
  perform @extschema@.retrain_check_fraction('p_traffic', p_traffic, 0, 1);
  perform @extschema@.retrain_check_fraction('p_alpha', p_alpha, 0.000001, 0.4);
  if p_planned_units < 100 then
    raise exception 'p_planned_units is out of range' using errcode = 'invalid_parameter_value',
      detail = format('The number given is %s.', p_planned_units),
      hint = 'It is at least 100; experiment_sample_size() says how many units an effect needs.';
  end if;
  if p_salt = '' or char_length(p_salt) > 500 then
    raise exception 'p_salt has 1 to 500 characters' using errcode = 'invalid_parameter_value',
      hint = 'Leave it out for a random one. Experiments with one salt divide the same units in the same way.';
  end if;

  select * into v_parsed from @extschema@.retrain_parse_variants(p_variants, p_model_name);
  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  perform @extschema@.retrain_ensure_model(p_model_name);
  begin
    insert into @extschema@.ai_experiments (name, description, variants, weights, control, version_ids, metrics, starts_at,
      ends_at, traffic, salt, alpha, planned_units, model_name)
    values (p_name, p_description, v_parsed.variants, v_parsed.weights, v_parsed.control, v_parsed.version_ids,
      @extschema@.retrain_parse_metrics(p_metrics), v_starts_at, p_ends_at, p_traffic,
      coalesce(p_salt, gen_random_uuid()::text), p_alpha, coalesce(p_planned_units, 10000), p_model_name)
    returning * into v_experiment;
  exception when unique_violation then
    raise exception 'model "%" already has an experiment "%"', p_model_name, p_name
      using errcode = 'duplicate_object',
        hint = 'Choose another name: what an experiment has recorded belongs to its definition.';
  end;
  return v_experiment;
end
$function$;

create function @extschema@.retrain_check_fraction(
  p_argument text,
  p_value double precision,
  p_low double precision,
  p_high double precision
) returns void
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_value is null or not (p_value >= p_low and p_value <= p_high) then
    raise exception '% is out of range', p_argument using errcode = 'invalid_parameter_value',
      detail = format('The value given is %s.', coalesce(p_value::text, 'null')),
      hint = format('It is a number from %s to %s.', p_low::text, p_high::text);
  end if;
end
$function$;

create function @extschema@.stop_experiment(
  p_experiment text,
  p_reason text default null,
  p_model_name text default null
) returns @extschema@.ai_experiments
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_stopped @extschema@.ai_experiments;
begin
  perform @extschema@.retrain_require_level(v_experiment.model_name, 'trainer');
  -- Of several at once the first stops it; the others wait here, then find it stopped.
  update @extschema@.ai_experiments e
  set stopped_at = clock_timestamp(), stop_reason = p_reason
  where e.id = v_experiment.id
    and @extschema@.retrain_experiment_status(e, clock_timestamp()) in ('scheduled', 'running')
  returning * into v_stopped;
  if not found then
    v_experiment := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
    raise exception 'experiment "%" is over already', v_experiment.name
      using errcode = 'object_not_in_prerequisite_state',
        detail = format('It %s at %s.', @extschema@.retrain_experiment_status(v_experiment, clock_timestamp()),
          coalesce(v_experiment.stopped_at, v_experiment.ends_at)),
        hint = 'get_experiment_results() says what came of it; create_experiment() begins another one.';
  end if;
  return v_stopped;
end
$function$;

create function @extschema@.set_experiment_traffic(
  p_experiment text,
  p_traffic double precision,
  p_model_name text default null
) returns @extschema@.ai_experiments
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
begin
  perform @extschema@.retrain_check_fraction('p_traffic', p_traffic, 0, 1);
  perform @extschema@.retrain_require_level(v_experiment.model_name, 'trainer');
  update @extschema@.ai_experiments e
  set traffic = p_traffic
  where e.id = v_experiment.id
  returning * into v_experiment;
  return v_experiment;
end
$function$;
