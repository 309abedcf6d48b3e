-- See bench/experiments. psql variables: experiments, units.
-- Each draw names all the loops around it, "0 * (u + e + arm)": one that did not would be drawn once and used again.
create extension pg_retrain;
set jit = off;
set work_mem = '256MB';
create table measured (place serial, what text, value text, wanted text);
create function percent(p_part bigint, p_whole bigint) returns text language sql as $$ select round(100.0 * p_part / p_whole, 2) || ' %' $$;

-- ---- A/A tests at a fixed horizon: 1 000 units each, of three kinds ----
select setseed(0.1) \g /dev/null
create temporary table fixed as
with arms as (
  select k.kind, e, arm, count(*)::double precision as n, avg(d.y) as mean, regr_syy(d.y, 0) as m2
  from (values ('normal'), ('revenue'), ('binary')) k (kind)
  cross join generate_series(1, :experiments) e
  cross join generate_series(1, 2) arm
  cross join generate_series(1, 500) u
  cross join lateral (
    select case k.kind
      when 'normal' then sqrt(-2 * ln(1 - random() + 0 * (u + e + arm))) * cos(2 * pi() * random())
      when 'revenue' then case when random() + 0 * (u + e + arm) < 0.1 then -20 * ln(1 - random()) else 0 end
      else (random() + 0 * (u + e + arm) < 0.1)::integer end as y) d
  group by k.kind, e, arm
)
select a.kind, a.e, c.p_value
from (
  select kind, e, array_agg(n order by arm) as n, array_agg(mean order by arm) as mean, array_agg(m2 order by arm) as m2
  from arms group by kind, e) a
cross join lateral retrain_compare_arms(a.kind = 'binary', a.n, a.mean, a.m2, null, null, null, 0.05, 1000, 1) c
where c.arm = 2;
insert into measured (what, value, wanted)
select format('false positives, one look, α = 5 %%, %s', kind), percent(count(*) filter (where p_value < 0.05), count(*)), '4–6 %'
from fixed group by kind order by kind;

-- ---- A/A tests looked at on each of 28 days, 100 units a day ----
select setseed(0.2) \g /dev/null
create temporary table daily as
select e, day, arm, count(*)::double precision as n, sum(d.y) as s, sum(d.y * d.y) as q
from generate_series(1, :experiments) e
cross join generate_series(1, 28) day
cross join generate_series(1, 2) arm
cross join generate_series(1, 50) u
cross join lateral (select sqrt(-2 * ln(1 - random() + 0 * (u + e + arm + day))) * cos(2 * pi() * random()) as y) d
group by e, day, arm;
create temporary table peeks as
with sums as (
  select e, day, arm, sum(n) over w as n, sum(s) over w as s, sum(q) over w as q
  from daily window w as (partition by e, arm order by day)
)
select a.e, a.day, c.p_value, c.sequential_p_value
from (
  select e, day, array_agg(n order by arm) as n, array_agg(s / n order by arm) as mean, array_agg(q - s * s / n order by arm) as m2
  from sums group by e, day) a
cross join lateral retrain_compare_arms(false, a.n, a.mean, a.m2, null, null, null, 0.05, 2800, 1) c
where c.arm = 2;
insert into measured (what, value, wanted)
select 'false positives, looked at on 28 days, always valid',
  percent(count(*) filter (where p < 0.05), count(*)), '≤ 5 %' from (select e, min(sequential_p_value) as p from peeks group by e) x;
insert into measured (what, value, wanted)
select 'the same with the ordinary p-value: what it saves you from',
  percent(count(*) filter (where p < 0.05), count(*)), '' from (select e, min(p_value) as p from peeks group by e) x;

-- ---- sample ratio: 1 000 units by their hash, each experiment with its own salt ----
insert into measured (what, value, wanted)
select 'false alarms of the sample ratio check', percent(count(*) filter (where (r.ratio).p_value < 0.001), count(*)), '≤ 0.2 %'
from (
  select e, retrain_sample_ratio(array[count(*) filter (where v.variant = 'a'), count(*) filter (where v.variant = 'b')]::double precision[],
    '{0.5,0.5}') as ratio
  from generate_series(1, :experiments) e
  cross join generate_series(1, 1000) u
  cross join lateral retrain_hash_variant('salt ' || e, 'unit ' || u, '{a,b}', '{0.5,0.5}', 1) v (variant)
  group by e) r;

-- ---- power: simulated against computed; d = 0.5 with 64 units each is Cohen's 80 % ----
select setseed(0.3) \g /dev/null
insert into measured (what, value, wanted)
select 'found of an effect of d = 0.5 with 64 units each', percent(count(*) filter (where c.p_value < 0.05), count(*)),
  round(100 * experiment_power(1, 0.5, 64, 1)::numeric, 2) || ' % computed'
from (
  select e, array_agg(n order by arm) as n, array_agg(mean order by arm) as mean, array_agg(m2 order by arm) as m2
  from (
    select e, arm, count(*)::double precision as n, avg(d.y) as mean, regr_syy(d.y, 0) as m2
    from generate_series(1, :experiments) e
    cross join generate_series(1, 2) arm
    cross join generate_series(1, 64) u
    cross join lateral (select sqrt(-2 * ln(1 - random() + 0 * (u + e + arm))) * cos(2 * pi() * random()) + 0.5 * arm as y) d
    group by e, arm) x
  group by e) a
cross join lateral retrain_compare_arms(false, a.n, a.mean, a.m2, null, null, null, 0.05, 128, 1) c
where c.arm = 2
group by ();

-- ---- volume ----
select id from create_experiment('big', '{"control": 0.5, "a": 0.3, "b": 0.2}', '[{"name": "bought", "kind": "binary"}, "revenue"]', p_salt => 'big') \gset
select clock_timestamp() as started \gset
select count(*) as assigned from assign_variants('big', array(select 'customer ' || i from generate_series(1, :units) i)) \gset
insert into measured (what, value, wanted)
select format('assigning %s units in one call', to_char(:units, 'FM999G999G999')), round(extract(epoch from clock_timestamp() - :'started'), 1) || ' s', '';
insert into measured (what, value, wanted)
select 'largest distance of a variant from its share', round(100 * max(abs(units::numeric / total - expected_share::numeric)), 3) || ' points', '≤ 0.2'
from (select *, sum(units) over () as total from check_sample_ratio('big') where population = 'assigned') x;
insert into ai_experiment_exposures (experiment_id, unit_id, variant, model_name)
select experiment_id, unit_id, variant, model_name from ai_experiment_assignments where experiment_id = :id;
insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, model_name)
select experiment_id, unit_id, jsonb_build_object('bought', 1, 'revenue', (random() * 100)::numeric(6,2)), model_name
from ai_experiment_assignments where experiment_id = :id and random() < 0.3;
vacuum analyze ai_experiment_exposures;
vacuum analyze ai_experiment_outcomes;
reset work_mem;
create procedure take_times(p_what text, p_call text) language plpgsql as $$
declare
  v_seconds numeric[];
  v_started timestamptz;
begin
  for v_i in 1 .. 5 loop
    v_started := clock_timestamp();
    execute p_call;
    v_seconds := v_seconds || round(extract(epoch from clock_timestamp() - v_started), 2);
  end loop;
  insert into measured (what, value, wanted)
  select p_what, percentile_disc(0.5) within group (order by s) || ' s (' || min(s) || '–' || max(s) || ')', '' from unnest(v_seconds) s;
end
$$;
call take_times('results over them: 2 metrics, 3 variants', 'select count(*) from get_experiment_results(''big'')');
call take_times('check_sample_ratio over them', 'select count(*) from check_sample_ratio(''big'')');
call take_times('10 000 × assign_variant', 'select count(assign_variant(''big'', ''x'' || random())) from generate_series(1, 10000) i');
call take_times('10 000 × record_exposure', 'select count(record_exposure(''big'', ''customer '' || i)) from generate_series(1, 10000) i');
call take_times('10 000 × record_outcome', 'select count(record_outcome(''big'', ''customer '' || i, ''{"revenue": 1}'')) from generate_series(1, 10000) i');

-- ---- real data: 20 000 impressions, bandit against random ----
select id from create_experiment('bandit', '["random", "bts"]', '[{"name": "click", "kind": "binary"}]', '2019-11-24 00:00+00',
  '2019-12-01 00:00+00') \gset
create table impressions (variant text, shown_at timestamptz, position integer, click integer, id integer generated always as identity);
\copy impressions (variant, shown_at, position, click) from 'test/data/ab_open_bandit_men.csv' with (format csv, header)
insert into ai_experiment_assignments (experiment_id, unit_id, variant, assigned_at, model_name)
select :id, id, variant, shown_at, 'default' from impressions;
insert into ai_experiment_exposures (experiment_id, unit_id, variant, exposed_at, model_name)
select :id, id, variant, shown_at, 'default' from impressions;
insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, occurred_at, model_name)
select :id, id, '{"click": 1}', shown_at, 'default' from impressions where click = 1;
insert into measured (what, value, wanted)
select 'Open Bandit: clicks of the bandit against random', format('+%s %% (%s to %s), p = %s', round(100 * uplift), round(100 * ci_low),
  round(100 * ci_high), round(p_value::numeric, 4)), 'prop.test: p = 0.0315'
from get_experiment_results('bandit') where not is_control;

\pset format unaligned
\pset tuples_only on
select '| | measured | wanted |' union all select '|---|--:|--:|';
select format('| %s | %s | %s |', what, value, wanted) from measured order by place;
