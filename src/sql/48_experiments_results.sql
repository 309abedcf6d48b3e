-- Experiments: what came of it.
--
-- The units analysed are those that were exposed, one row each, in the variant they were assigned to: what somebody did who
-- never met the difference only adds noise. Of a unit's outcomes since its exposure, a binary metric takes the largest, the
-- others the sum; none is 0.

-- Units of each variant, and whether they are as many as the weights say. An alarm (p < 0.001) means that the results
-- cannot be trusted: units were lost or counted twice on one side.
create function @extschema@.check_sample_ratio(p_experiment text, p_model_name text default null)
  returns table (
    population text,
    variant text,
    expected_share double precision,
    units bigint,
    expected_units double precision,
    chi_square double precision,
    p_value double precision,
    sequential_p_value double precision,
    mismatch boolean)
  language plpgsql stable parallel safe cost 100000 rows 4
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
begin
  perform @extschema@.retrain_require_level(v_experiment.model_name, 'reader');
  return query
  with counted as (
    select 'assigned' as population, a.variant, count(*) as units
    from @extschema@.ai_experiment_assignments a
    where a.experiment_id = v_experiment.id and a.model_name = v_experiment.model_name
    group by a.variant
    union all
    select 'exposed', x.variant, count(*)
    from @extschema@.ai_experiment_exposures x
    where x.experiment_id = v_experiment.id and x.model_name = v_experiment.model_name
    group by x.variant
  ), arms as (
    select p.population, v.variant, v.place, v_experiment.weights[v.place] as weight, coalesce(c.units, 0) as units
    from (values ('assigned'), ('exposed')) p (population)
    cross join unnest(v_experiment.variants) with ordinality v (variant, place)
    left join counted c on c.population = p.population and c.variant = v.variant
  ), tested as (
    select a.population, sum(a.units)::double precision as total,
      @extschema@.retrain_sample_ratio(array_agg(a.units::double precision order by a.place), v_experiment.weights) as ratio
    from arms a
    group by a.population
  )
  select a.population, a.variant, a.weight, a.units, a.weight * t.total, (t.ratio).chi_square, (t.ratio).p_value,
    (t.ratio).sequential_p_value, coalesce((t.ratio).p_value < 0.001, false)
  from arms a
  join tested t on t.population = a.population
  order by a.population, a.place;
end
$function$;

-- Sums of every metric in every variant: one scan of the exposures and one of the outcomes, however many metrics there are.
-- numbers: for each metric in turn mean and m2 of the values, mean and m2 of the covariate, their co-moment.
-- has_covariate: whether any unit has the metric's covariate. Units without it get the mean, which leaves them as they are.
create function @extschema@.retrain_experiment_sums(p_experiment @extschema@.ai_experiments)
  returns table (place bigint, variant text, n bigint, numbers double precision[], has_covariate boolean[])
  language plpgsql stable parallel safe cost 1000000 rows 2
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
declare
  v_metric record;
  v_means text[];
  v_inner text[];
  v_outer text[];
  v_covariates double precision[];
begin
  for v_metric in
    select m.place, m.value ->> 'name' as name, m.value ->> 'kind' as kind, m.value ->> 'covariate' as covariate
    from jsonb_array_elements(p_experiment.metrics) with ordinality m (value, place)
    order by m.place
  loop
    v_means := v_means || format('avg((x.covariates -> %L)::double precision)', v_metric.covariate);
    v_inner := v_inner || format('coalesce(%s((o.outcome -> %L)::double precision), 0) as y%s, coalesce((x.covariates -> %L)::double precision, ($3)[%s], 0) as x%s',
      case v_metric.kind when 'binary' then 'max' else 'sum' end, v_metric.name, v_metric.place, v_metric.covariate,
      v_metric.place, v_metric.place);
    v_outer := v_outer || format('regr_avgy(y%1$s, x%1$s), regr_syy(y%1$s, x%1$s), regr_avgx(y%1$s, x%1$s), regr_sxx(y%1$s, x%1$s), regr_sxy(y%1$s, x%1$s)',
      v_metric.place);
  end loop;
  execute 'select array[' || array_to_string(v_means, ', ') || ']
    from @extschema@.ai_experiment_exposures x
    where x.experiment_id = $1 and x.model_name = $2 and x.covariates is not null'
    into v_covariates using p_experiment.id, p_experiment.model_name;
  return query execute 'select v.place, v.variant, coalesce(s.n, 0), s.numbers,
      array(select c.mean is not null from unnest($3) with ordinality c (mean, place) order by c.place)
    from unnest($4) with ordinality v (variant, place)
    left join (
      select u.variant, count(*) as n, array[' || array_to_string(v_outer, ', ') || '] as numbers
      from (
        select x.variant, ' || array_to_string(v_inner, ', ') || '
        from @extschema@.ai_experiment_exposures x
        left join @extschema@.ai_experiment_outcomes o
          on o.experiment_id = $1 and o.model_name = $2 and o.unit_id = x.unit_id
          and o.occurred_at >= x.exposed_at and o.occurred_at < $5
        where x.experiment_id = $1 and x.model_name = $2
        group by x.experiment_id, x.unit_id, x.model_name
      ) u
      group by u.variant
    ) s on s.variant = v.variant'
    using p_experiment.id, p_experiment.model_name, v_covariates, p_experiment.variants,
      coalesce(least(p_experiment.stopped_at, p_experiment.ends_at), 'infinity');
end
$function$;

create function @extschema@.get_experiment_results(p_experiment text, p_model_name text default null)
  returns table (
    metric text,
    variant text,
    n bigint,
    mean double precision,
    stddev double precision,
    uplift double precision,
    ci_low double precision,
    ci_high double precision,
    p_value double precision,
    is_control boolean,
    difference double precision,
    difference_low double precision,
    difference_high double precision,
    sequential_p_value double precision,
    sequential_low double precision,
    sequential_high double precision,
    cuped_mean double precision,
    cuped_uplift double precision,
    cuped_ci_low double precision,
    cuped_ci_high double precision,
    cuped_p_value double precision,
    variance_reduction double precision,
    detectable_uplift double precision,
    p_adjusted double precision,
    guardrail_status text,
    srm_p_value double precision,
    verdict text)
  language plpgsql stable parallel safe cost 1000000 rows 4
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_srm constant double precision := 0.001;
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  -- The number of units was not chosen by looking at results only when the planned end has come.
  v_planned_end boolean := @extschema@.retrain_experiment_status(v_experiment, clock_timestamp()) = 'ended';
  v_control integer := array_position(v_experiment.variants, v_experiment.control);
  v_srm double precision;
begin
  perform @extschema@.retrain_require_level(v_experiment.model_name, 'reader');
  return query
  with sums as materialized (
    select * from @extschema@.retrain_experiment_sums(v_experiment)
  ), ratio as (
    select (@extschema@.retrain_sample_ratio(array_agg(s.n::double precision order by s.place), v_experiment.weights)).p_value as p
    from sums s
  ), metrics as (
    select m.place, m.value ->> 'name' as name, m.value ->> 'kind' as kind, m.value ->> 'goal' as goal,
      (m.value -> 'guardrail')::boolean as guardrail, (m.value -> 'max_regression')::double precision as max_regression,
      array_agg(s.n::double precision order by s.place) as n,
      array_agg(coalesce(s.numbers[5 * m.place - 4], 0) order by s.place) as mean,
      array_agg(coalesce(s.numbers[5 * m.place - 3], 0) order by s.place) as m2,
      array_agg(coalesce(s.numbers[5 * m.place - 2], 0) order by s.place) as x_mean,
      array_agg(coalesce(s.numbers[5 * m.place - 1], 0) order by s.place) as x_m2,
      array_agg(coalesce(s.numbers[5 * m.place], 0) order by s.place) as cxy,
      bool_or(s.has_covariate[m.place]) as has_covariate
    from jsonb_array_elements(v_experiment.metrics) with ordinality m (value, place)
    cross join sums s
    group by m.place, m.value
  ), arms as (
    select m.place, m.name, m.kind, m.goal, m.guardrail, m.max_regression, c.*, s.variant as variant_name,
      c.arm = v_control as control, s.n as units, case when s.n > 0 then m.mean[c.arm] end as arm_mean,
      case when v_planned_end then c.final_p_value else c.sequential_p_value end as p,
      case when v_planned_end then c.final_low else c.sequential_low end as low,
      case when v_planned_end then c.final_high else c.sequential_high end as high,
      coalesce(c.cuped_mean - first_value(c.cuped_mean) over metric_arms, c.difference)
        * case m.goal when 'decrease' then -1 else 1 end as gain,
      -- Where fewer than five units are expected on one side, no approximation of the binomial holds.
      m.kind = 'binary' and least(s.n, m.n[v_control]) * least(o.mean, 1 - o.mean) < 5 as too_few
    from metrics m
    cross join lateral (
      select sum(q.n * q.mean) / nullif(sum(q.n), 0) as mean from unnest(m.n, m.mean) q (n, mean)
    ) o
    cross join lateral @extschema@.retrain_compare_arms(m.kind = 'binary', m.n, m.mean, m.m2,
      case when m.has_covariate then m.x_mean end, case when m.has_covariate then m.x_m2 end,
      case when m.has_covariate then m.cxy end, v_experiment.alpha, v_experiment.planned_units, v_control) c
    join sums s on s.place = c.arm
    window metric_arms as (partition by m.place order by c.arm = v_control desc)
  ), judged as (
    select a.*, not a.control and not a.guardrail and not coalesce(a.too_few, true) and a.p is not null as tested
    from arms a
  ), ranked as (
    select j.*, row_number() over (partition by j.tested order by j.p, j.place, j.arm) as r,
      count(*) filter (where j.tested) over () as tests
    from judged j
  ), adjusted as (
    -- Holm (1979), over all variants and metrics that are not guardrails.
    select r.*, case when r.tested then
      least(1, max((r.tests - r.r + 1) * r.p) over (partition by r.tested order by r.r)) end as p_holm
    from ranked r
  ), guarded as (
    select a.*, case
        when a.control or not a.guardrail then null
        when a.low is null or a.high is null or coalesce(a.too_few, true) then 'unclear'
        when a.goal = 'increase' and a.low > -a.max_regression or a.goal = 'decrease' and a.high < a.max_regression then 'ok'
        when a.goal = 'increase' and a.high < -a.max_regression or a.goal = 'decrease' and a.low > a.max_regression
        then 'violated'
        else 'unclear' end as guard
    from adjusted a
  )
  select g.name, g.variant_name, g.units, g.arm_mean, g.stddev, g.uplift, g.ci_low, g.ci_high, g.p_value, g.control,
    g.difference, g.difference_low, g.difference_high, g.sequential_p_value, g.sequential_low, g.sequential_high,
    g.cuped_mean, g.cuped_uplift, g.cuped_ci_low, g.cuped_ci_high, g.cuped_p_value, g.variance_reduction,
    g.detectable_uplift, g.p_holm, g.guard, r.p,
    case
      when g.control then 'control'
      when r.p < c_srm then 'sample ratio mismatch'
      when g.guardrail then 'guardrail ' || g.guard
      when not g.tested then 'insufficient data'
      when g.p_holm >= v_experiment.alpha then 'inconclusive'
      when g.gain > 0 then 'better'
      else 'worse' end
  from guarded g, ratio r
  order by g.place, not g.control, g.arm;
end
$function$;

-- A number for people, in four significant digits.
create function @extschema@.retrain_significant(p_number double precision, p_digits integer default 4) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select case when p_number = 0 then '0' when p_number is not null then
    trim_scale(round(p_number::numeric, least(15, greatest(0, p_digits - 1 - floor(log(abs(p_number)))::integer))))::text end
$function$;

create function @extschema@.retrain_percent_range(p_value double precision, p_low double precision, p_high double precision)
  returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select to_char(p_value * 100, 'FMSG9999990.00') || ' %' ||
    coalesce(' (' || to_char(p_low * 100, 'FMSG9999990.00') || ' to ' || to_char(p_high * 100, 'FMSG9999990.00') || ')', '')
  where abs(p_value) < 10000 and coalesce(abs(p_low) < 10000 and abs(p_high) < 10000, true)
$function$;

create function @extschema@.retrain_p_text(p_value double precision) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select case when p_value < 0.0001 then '< 0.0001' else @extschema@.retrain_significant(p_value, 2) end
$function$;

create function @extschema@.experiment_report(p_experiment text, p_model_name text default null) returns text
  language plpgsql stable parallel safe cost 1000000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_experiment @extschema@.ai_experiments := @extschema@.retrain_get_experiment(p_experiment, p_model_name);
  v_status text := @extschema@.retrain_experiment_status(v_experiment, clock_timestamp());
  v_fixed boolean := v_status = 'ended';
  v_results jsonb;
  v_ratio jsonb;
  v_metric record;
  v_rows jsonb;
  v_parts text[];
  v_notes text[];
  v_cuped text;
begin
  perform @extschema@.retrain_require_level(v_experiment.model_name, 'reader');
  select coalesce(jsonb_agg(to_jsonb(r) || jsonb_build_object('place', r.place) order by r.place), '[]') into v_results
  from (
    select x.*, row_number() over () as place
    from @extschema@.get_experiment_results(v_experiment.name, v_experiment.model_name) x
  ) r;
  select jsonb_agg(to_jsonb(r) order by array_position(v_experiment.variants, r.variant)) into v_ratio
  from @extschema@.check_sample_ratio(v_experiment.name, v_experiment.model_name) r;

  v_parts := array[
    '# Experiment: ' || translate(v_experiment.name, E'\n\r\t', '   '),
    @extschema@.retrain_report_table('["", "value"]', (
      select jsonb_agg(jsonb_build_array(f.label, f.value) order by f.place)
      from (values
        (1, 'description', v_experiment.description),
        (2, 'status', v_status || coalesce(': ' || case when v_status = 'stopped' then v_experiment.stop_reason end, '')),
        (3, 'started', to_char(v_experiment.starts_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')),
        (4, 'ends', to_char(least(v_experiment.stopped_at, v_experiment.ends_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')),
        (5, 'traffic', @extschema@.retrain_significant(v_experiment.traffic * 100) || ' %'),
        (6, 'error rate', @extschema@.retrain_significant(v_experiment.alpha * 100) || ' %'),
        (7, 'decided by', case when v_fixed then 'the p-value at the planned end'
          else 'the always-valid p-value, which may be looked at any time' end)
      ) f (place, label, value)
      where f.value is not null), 'markdown')];

  select jsonb_agg(jsonb_build_array(a ->> 'variant', @extschema@.retrain_significant((a ->> 'expected_share')::double precision * 100) || ' %',
      a ->> 'units', e ->> 'units',
      v_experiment.version_ids[array_position(v_experiment.variants, a ->> 'variant')])
    order by array_position(v_experiment.variants, a ->> 'variant'))
  into v_rows
  from jsonb_array_elements(v_ratio) a
  join jsonb_array_elements(v_ratio) e on e ->> 'variant' = a ->> 'variant' and e ->> 'population' = 'exposed'
  where a ->> 'population' = 'assigned';
  v_parts := v_parts || (E'## Units\n\n' || @extschema@.retrain_report_table(
    '["variant", "expected", "assigned", "exposed", "model version"]', v_rows, 'markdown'));
  v_parts := v_parts || (
    select case
        when e ->> 'p_value' is null then 'Nobody has been exposed yet.'
        when (e ->> 'mismatch')::boolean or (a ->> 'mismatch')::boolean
        then format('**Sample ratio mismatch** (p: %s): the variants do not have the units that they should have. Find out which '
          || 'ones are missing or counted twice before reading on.',
          @extschema@.retrain_p_text(least((e ->> 'p_value')::double precision, (a ->> 'p_value')::double precision)))
        else format('The variants have as many units as they should (p: %s).',
          @extschema@.retrain_p_text((e ->> 'p_value')::double precision)) end
    from jsonb_array_elements(v_ratio) e, jsonb_array_elements(v_ratio) a
    where e ->> 'population' = 'exposed' and a ->> 'population' = 'assigned'
    limit 1);

  for v_metric in
    select m.place, m.value ->> 'name' as name, m.value ->> 'kind' as kind, m.value ->> 'goal' as goal,
      (m.value -> 'guardrail')::boolean as guardrail, (m.value -> 'max_regression')::double precision as max_regression
    from jsonb_array_elements(v_experiment.metrics) with ordinality m (value, place)
    order by m.place
  loop
    select jsonb_agg(jsonb_build_array(r.variant, r.n,
        case when v_metric.kind = 'binary' then @extschema@.retrain_significant(r.mean * 100) || ' %'
          else @extschema@.retrain_significant(r.mean) end,
        @extschema@.retrain_percent_range(r.uplift, r.ci_low, r.ci_high),
        @extschema@.retrain_p_text(r.p_value),
        @extschema@.retrain_percent_range(r.uplift_always, r.sequential_low, r.sequential_high),
        @extschema@.retrain_p_text(r.sequential_p_value), r.verdict) order by r.place)
    into v_rows
    from (
      select *, case when sequential_low is not null then coalesce(cuped_uplift, uplift) end as uplift_always
      from jsonb_to_recordset(v_results) as x (place bigint, metric text, variant text, n bigint, mean double precision,
        uplift double precision, ci_low double precision, ci_high double precision, p_value double precision,
        sequential_p_value double precision, sequential_low double precision, sequential_high double precision,
        cuped_uplift double precision, verdict text)
    ) r
    where r.metric = v_metric.name;
    v_parts := v_parts || (format(E'## %s\n\n', translate(v_metric.name, E'\n\r\t', '   ')) || case when v_metric.guardrail
        then format(E'Guardrail: may be %s %% worse (goal: %s).\n\n', @extschema@.retrain_significant(v_metric.max_regression * 100), v_metric.goal)
        when v_metric.place = 1 then format(E'Primary metric (goal: %s).\n\n', v_metric.goal)
        else format(E'Goal: %s.\n\n', v_metric.goal) end
      || @extschema@.retrain_report_table(
        '["variant", "units", "mean", "uplift", "p", "uplift, always valid", "p, always valid", "verdict"]', v_rows, 'markdown'));
    select string_agg(format('%s: %s by CUPED, p: %s, %s %% of the variance explained by what was known before.',
        translate(r.variant, E'\n\r\t', '   '),
        @extschema@.retrain_percent_range(r.cuped_uplift, r.cuped_ci_low, r.cuped_ci_high),
        @extschema@.retrain_p_text(r.cuped_p_value), round((100 * r.variance_reduction)::numeric)), E'\n' order by r.place)
    into v_cuped
    from jsonb_to_recordset(v_results) as r (place bigint, metric text, variant text, cuped_uplift double precision,
      cuped_ci_low double precision, cuped_ci_high double precision, cuped_p_value double precision, variance_reduction double precision)
    where r.metric = v_metric.name and r.cuped_p_value is not null;
    if v_cuped is not null then
      v_parts := v_parts || v_cuped;
    end if;
  end loop;

  -- A name begins no line of its own, as in the tables.
  select array_agg(translate(format('- %s, %s: %s', r.metric, r.variant, r.verdict || coalesce(' (' || nullif(concat_ws('; ',
      'p, corrected: ' || @extschema@.retrain_p_text(r.p_adjusted),
      @extschema@.retrain_significant(r.detectable_uplift * 100, 2) || ' % would be found four times in five'), '') || ')',
      '')), E'\n\r\t', '   ')
    order by r.place)
  into v_notes
  from (
    select x.place, x.metric, x.variant, x.verdict, x.p_adjusted,
      case when x.verdict = 'inconclusive' and x.detectable_uplift < 100 then x.detectable_uplift end as detectable_uplift
    from jsonb_to_recordset(v_results) as x (place bigint, metric text, variant text, verdict text, p_adjusted double precision,
      detectable_uplift double precision)
    where x.verdict <> 'control'
  ) r;
  v_parts := v_parts || (E'## Conclusion\n\n' || coalesce(array_to_string(v_notes, E'\n'), '-'));
  return array_to_string(v_parts, E'\n\n') || E'\n';
end
$function$;
