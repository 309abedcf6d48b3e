-- Experiments: what happened to a unit.

-- Numbers by name, each name known: {"revenue": 12.5, "converted": true} as {"revenue": 12.5, "converted": 1}.
-- p_binary: the names whose values are 0 or 1. p_nulls: null is accepted and left out.
create function @extschema@.retrain_check_numbers(
  p_values jsonb,
  p_argument text,
  p_what text,
  p_known text[],
  p_binary text[],
  p_nulls boolean
) returns jsonb
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_item record;
  v_numbers jsonb := '{}';
begin
  if jsonb_typeof(p_values) is distinct from 'object' or p_values = '{}' then
    raise exception '% is not an object with values', p_argument
      using errcode = 'invalid_parameter_value', detail = format('The value given is %s.', left(coalesce(p_values::text, 'null'), 200)),
        hint = format('For example: {"%s": 1}', p_known[1]);
  end if;
  for v_item in select o.key, o.value, jsonb_typeof(o.value) as type from jsonb_each(p_values) o loop
    if v_item.key <> all (p_known) then
      perform @extschema@.retrain_refuse_name(format('there is no %s "%s"', p_what, left(v_item.key, 100)), v_item.key, p_known);
    end if;
    continue when p_nulls and v_item.type = 'null';
    if v_item.type = 'boolean' then
      v_item.value := case v_item.value when 'true' then '1' else '0' end;
    elsif v_item.key = any (p_binary) and v_item.value not in ('0', '1') then
      raise exception '"%" is neither true nor false', v_item.key
        using errcode = 'invalid_parameter_value', detail = format('The value given is %s.', left(v_item.value::text, 200)),
          hint = 'A binary metric takes true, false, 1 or 0; declare it as continuous for other numbers.';
    elsif v_item.type <> 'number' or abs(v_item.value::numeric) > 1e15 then
      raise exception '"%" is not a number in its range', v_item.key
        using errcode = 'invalid_parameter_value', detail = format('The value given is %s.', left(v_item.value::text, 200)),
          hint = 'It is a number from -1e15 to 1e15, true or false.';
    end if;
    v_numbers := v_numbers || jsonb_build_object(v_item.key, v_item.value);
  end loop;
  return v_numbers;
end
$function$;

-- When something happened, and why it cannot be taken into the experiment; null when it can.
create function @extschema@.retrain_outside_experiment(p_experiment @extschema@.ai_experiments, p_occurred_at timestamptz)
  returns text
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_occurred_at > clock_timestamp() or not isfinite(p_occurred_at) then
    raise exception 'p_occurred_at is not a time in the past' using errcode = 'invalid_parameter_value',
      detail = format('The time given is %s.', p_occurred_at), hint = 'Leave it out for now.';
  end if;
  return case @extschema@.retrain_experiment_status(p_experiment, p_occurred_at)
    when 'running' then null
    when 'scheduled' then 'the experiment had not started'
    else 'the experiment was over' end;
end
$function$;

create function @extschema@.record_exposure(
  p_experiment text,
  p_unit_id text,
  p_covariates jsonb default null,
  p_occurred_at timestamptz default null,
  p_model_name text default null
) returns jsonb
  language plpgsql volatile parallel unsafe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_at timestamptz := coalesce(p_occurred_at, clock_timestamp());
  v_outside text;
  v_variant text;
  v_first timestamptz;
  v_covariates jsonb;
begin
  perform @extschema@.retrain_check_unit(p_unit_id);
  if p_covariates is not null and p_covariates not in ('null', '{}') then
    v_covariates := nullif(@extschema@.retrain_check_numbers(p_covariates, 'p_covariates', 'covariate',
      array(select distinct m.value ->> 'covariate' from jsonb_array_elements(v_experiment.metrics) m order by 1), '{}', true), '{}');
  end if;
  v_outside := @extschema@.retrain_outside_experiment(v_experiment, v_at);
  if v_outside is not null then
    return jsonb_build_object('recorded', false, 'reason', v_outside);
  end if;
  select a.variant, x.exposed_at into v_variant, v_first
  from @extschema@.ai_experiment_assignments a
  left join @extschema@.ai_experiment_exposures x
    on x.experiment_id = a.experiment_id and x.unit_id = a.unit_id and x.model_name = a.model_name
  where a.experiment_id = v_experiment.id and a.unit_id = p_unit_id and a.model_name = v_experiment.model_name;
  if v_variant is null then
    raise exception 'unit "%" was never assigned in experiment "%"', left(p_unit_id, 100), v_experiment.name
      using errcode = 'invalid_parameter_value',
        hint = 'Call assign_variant() first, and record the exposure of units that it gives a variant.';
  end if;
  -- A second exposure changes nothing and writes nothing, unless it was the first in truth.
  if v_first is null or v_at < v_first then
    -- An earlier one brings what was known before it, and without that leaves what is stored. A recorder may not read it.
    if v_covariates is null then
      insert into @extschema@.ai_experiment_exposures as x (experiment_id, unit_id, variant, exposed_at, model_name)
      values (v_experiment.id, p_unit_id, v_variant, v_at, v_experiment.model_name)
      on conflict (experiment_id, unit_id, model_name)
      do update set exposed_at = excluded.exposed_at where excluded.exposed_at < x.exposed_at;
    else
      insert into @extschema@.ai_experiment_exposures as x (experiment_id, unit_id, variant, exposed_at, covariates, model_name)
      values (v_experiment.id, p_unit_id, v_variant, v_at, v_covariates, v_experiment.model_name)
      on conflict (experiment_id, unit_id, model_name)
      do update set exposed_at = excluded.exposed_at, covariates = v_covariates where excluded.exposed_at < x.exposed_at;
    end if;
    v_first := v_at;
  end if;
  return jsonb_build_object('recorded', true, 'variant', v_variant, 'exposed_at', v_first);
end
$function$;

create function @extschema@.record_outcome(
  p_experiment text,
  p_unit_id text,
  p_outcome jsonb,
  p_occurred_at timestamptz default null,
  p_idempotency_key text default null,
  p_model_name text default null
) returns jsonb
  language plpgsql volatile parallel unsafe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_at timestamptz := coalesce(p_occurred_at, clock_timestamp());
  v_outcome jsonb;
  v_outside text;
  v_variant text;
  v_exposed timestamptz;
  v_known text[];
  v_binary text[];
  v_unit text;
  v_duplicate boolean := false;
begin
  perform @extschema@.retrain_check_unit(p_unit_id);
  select array_agg(m.value ->> 'name' order by m.place),
    coalesce(array_agg(m.value ->> 'name') filter (where m.value ->> 'kind' = 'binary'), '{}')
  into v_known, v_binary
  from jsonb_array_elements(v_experiment.metrics) with ordinality m (value, place);
  v_outcome := @extschema@.retrain_check_numbers(p_outcome, 'p_outcome', 'metric', v_known, v_binary, false);
  if char_length(p_idempotency_key) not between 1 and 500 then
    raise exception 'p_idempotency_key has 1 to 500 characters'
      using errcode = 'invalid_parameter_value', detail = format('It has %s.', char_length(p_idempotency_key)),
        hint = 'Pass what names the event where it comes from, an order''s number for example, or null.';
  end if;
  v_outside := @extschema@.retrain_outside_experiment(v_experiment, v_at);
  -- What was recorded in time is also recorded when the retry comes after the end.
  if v_outside is not null and not exists (
    select from @extschema@.ai_experiment_outcomes o
    where o.experiment_id = v_experiment.id and o.idempotency_key = p_idempotency_key
      and o.model_name = v_experiment.model_name)
  then
    return jsonb_build_object('recorded', false, 'counted', false, 'reason', v_outside);
  end if;
  select a.variant, x.exposed_at into v_variant, v_exposed
  from @extschema@.ai_experiment_assignments a
  left join @extschema@.ai_experiment_exposures x
    on x.experiment_id = a.experiment_id and x.unit_id = a.unit_id and x.model_name = a.model_name
  where a.experiment_id = v_experiment.id and a.unit_id = p_unit_id and a.model_name = v_experiment.model_name;
  if v_variant is null then
    return jsonb_build_object('recorded', false, 'counted', false, 'reason', 'the unit is not in the experiment');
  end if;
  if v_outside is null then
    insert into @extschema@.ai_experiment_outcomes (experiment_id, unit_id, outcome, occurred_at, idempotency_key, model_name)
    values (v_experiment.id, p_unit_id, v_outcome, v_at, p_idempotency_key, v_experiment.model_name)
    on conflict (experiment_id, idempotency_key, model_name) where idempotency_key is not null do nothing;
    v_duplicate := not found;
  else
    v_duplicate := true;
  end if;
  if v_duplicate then
    -- The answer is about the outcome that is stored: its unit and time, not those of this call.
    select o.unit_id, o.occurred_at into v_unit, v_at
    from @extschema@.ai_experiment_outcomes o
    where o.experiment_id = v_experiment.id and o.idempotency_key = p_idempotency_key
      and o.model_name = v_experiment.model_name;
    if v_unit is null then
      raise exception 'the outcome was not recorded'
        using errcode = 'object_not_in_prerequisite_state', detail = 'A trigger on ai_experiment_outcomes left out the row.',
          hint = 'Look at the triggers of ai_experiment_outcomes that the application has added.';
    end if;
    if v_unit <> p_unit_id then
      return jsonb_build_object('recorded', false, 'counted', false, 'variant', v_variant, 'duplicate', true,
        'reason', 'the key is that of another unit''s outcome');
    end if;
  end if;
  return jsonb_strip_nulls(jsonb_build_object('recorded', true, 'counted', coalesce(v_exposed <= v_at, false),
    'variant', v_variant, 'duplicate', case when v_duplicate then true end,
    'reason', case when v_exposed is null then 'the unit has not been exposed'
      when v_exposed > v_at then 'the outcome came before the exposure' end));
end
$function$;
