-- Results of experiments: numbers against R 4.2.2 (t.test, prop.test), verdicts, guardrails, CUPED, sample ratio, report.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- Units come with their variants, as from an experiment that was run elsewhere.
create function put(p_experiment text, p_unit text, p_variant text, p_outcome jsonb, p_covariates jsonb default null) returns void
language sql as $$
  insert into ai_experiment_assignments (experiment_id, unit_id, variant, model_name)
  select id, p_unit, p_variant, model_name from ai_experiments where name = p_experiment;
  insert into ai_experiment_exposures (experiment_id, unit_id, variant, exposed_at, covariates, model_name)
  select id, p_unit, p_variant, starts_at, p_covariates, model_name from ai_experiments where name = p_experiment;
  insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, occurred_at, model_name)
  select id, p_unit, p_outcome, starts_at + interval '1 minute', model_name from ai_experiments
  where name = p_experiment and p_outcome is not null;
$$;
create function short(p double precision) returns numeric language sql as $$ select round(p::numeric, 6) $$;

-- ---- nobody, and hardly anybody ----
select (create_experiment('empty')).name;
select metric, variant, n, mean, p_value, srm_p_value, verdict from get_experiment_results('empty');
select population, variant, expected_share, units, p_value, mismatch from check_sample_ratio('empty');
select experiment_report('empty') ~ 'Nobody has been exposed yet' as says_so;
select put('empty', 'a', 'control', '{"conversion": 1}'), put('empty', 'b', 'treatment', '{"conversion": 0}');
select metric, variant, n, mean, stddev, uplift, ci_low, p_value, verdict from get_experiment_results('empty');

-- Too few units for a test of CUPED: the report has no line about it.
select (create_experiment('first day', p_metrics => '["revenue"]')).name;
select put('first day', 'a', 'control', '{"revenue": 1}', '{"revenue": 2}'), put('first day', 'b', 'treatment', '{"revenue": 3}', '{"revenue": 1}');
select experiment_report('first day') ~ 'CUPED' as says_something;

-- ---- Welch: t.test(new, old), t = 1.959006, df = 7.03056 ----
select (create_experiment('screws', '["old", "new"]', '["length"]', '2026-01-01', '2026-01-31')).name;
select put('screws', v.variant || i, v.variant, jsonb_build_object('length', v.x[i]))
from (values ('new', array[30.02, 29.99, 30.11, 29.97, 30.01, 29.99]), ('old', array[29.89, 29.93, 29.72, 29.98, 30.02, 29.98])) v (variant, x),
  generate_series(1, 6) i
\g /dev/null
select variant, n, short(mean) as mean, short(stddev) as stddev, short(difference) as difference, short(difference_low) as low,
  short(difference_high) as high, short(p_value) as p, is_control, verdict
from get_experiment_results('screws');
select short(uplift) as uplift, short(ci_low) as low, short(ci_high) as high, sequential_p_value from get_experiment_results('screws')
where not is_control;

-- ---- two proportions: prop.test(c(120, 156), c(2400, 2350), correct = FALSE), p = 0.01581715 ----
select (create_experiment('form', p_starts_at => '2026-01-01', p_ends_at => '2026-01-31')).name;
select put('form', 'c' || i, 'control', jsonb_build_object('conversion', (i <= 120)::integer)) from generate_series(1, 2400) i
\g /dev/null
select put('form', 't' || i, 'treatment', case when i <= 156 then '{"conversion": 1}'::jsonb end) from generate_series(1, 2350) i
\g /dev/null
select variant, n, short(mean) as mean, short(uplift) as uplift, short(ci_low) as low, short(ci_high) as high, short(p_value) as p,
  short(p_adjusted) as adjusted, short(sequential_p_value) as always, short(srm_p_value) as srm, verdict
from get_experiment_results('form');
-- while it runs the always-valid p-value decides, and that is not there yet
update ai_experiments set ends_at = null where name = 'form';
select variant, short(sequential_p_value) as always, verdict from get_experiment_results('form') where not is_control;
select (stop_experiment('form')).stopped_at is not null as stopped;
select verdict from get_experiment_results('form') where not is_control;

-- ---- several outcomes of one unit: the largest of a binary metric, else the sum; before the exposure: nothing ----
select (create_experiment('several', p_metrics => '[{"name": "bought", "kind": "binary"}, "revenue", {"name": "visits", "kind": "count"}]',
  p_starts_at => '2026-01-01')).name;
select put('several', 'a', 'control', '{"bought": 1, "revenue": 5, "visits": 1}'), put('several', 'b', 'treatment', null);
insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, occurred_at, model_name)
select e.id, o.unit, o.outcome::jsonb, e.starts_at + o.later, e.model_name
from ai_experiments e, (values
  ('a', '{"bought": 1, "revenue": 7.5}', interval '1 day'), ('a', '{"visits": 2}', '2 days'),
  ('a', '{"bought": 0, "revenue": 100}', '-1 day'), ('a', '{"visits": 1000}', '1000 years'),
  ('b', '{"bought": 0}', '1 day'), ('nobody', '{"revenue": 999}', '1 day')) o (unit, outcome, later)
where e.name = 'several';
update ai_experiments set ends_at = '2026-02-01' where name = 'several';
select metric, variant, n, mean from get_experiment_results('several');
-- rows of another model under this experiment's number count for nothing
insert into ai_experiment_exposures (experiment_id, unit_id, variant, model_name)
select id, 'foreign', 'control', 'other model' from ai_experiments where name = 'several';
insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, model_name)
select id, 'a', '{"revenue": 1e6}', 'other model' from ai_experiments where name = 'several';
select metric, variant, n, mean from get_experiment_results('several') where metric = 'revenue';

-- ---- metrics named like SQL ----
select (create_experiment('names', p_metrics => '["a''b", "c\"d", "%s", "$1", "ñ"]', p_starts_at => '2026-01-01')).name;
select put('names', 'a', 'control', '{"a''b": 1, "c\"d": 2, "%s": 3, "$1": 4, "ñ": 5}'), put('names', 'b', 'treatment', null);
select metric, mean from get_experiment_results('names') where is_control;

-- ---- CUPED: what was known before explains most of it ----
select (create_experiment('cuped', p_metrics => '[{"name": "revenue", "covariate": "revenue_before"}, "orders"]', p_starts_at => '2026-01-01',
  p_ends_at => '2026-01-31')).name;
select put('cuped', v.variant || i, v.variant, jsonb_build_object('revenue', v.y[i], 'orders', 1), jsonb_build_object('revenue_before', v.x[i]))
from (values ('control', array[3, 5, 4, 8, 10, 2], array[1, 2, 2, 4, 5, 0]), ('treatment', array[6, 5, 9, 12, 4], array[2, 1, 4, 5, 1])) v (variant, y, x),
  generate_series(1, 6) i
where v.y[i] is not null
\g /dev/null
-- NumPy's least squares: 5.538706, 6.953553, 0.972481
select metric, variant, mean, short(cuped_mean) as cuped, short(variance_reduction) as reduction, short(p_value) as p,
  short(cuped_p_value) as cuped_p, verdict
from get_experiment_results('cuped');
-- a unit without the covariate gets the mean: its value stays
select put('cuped', 'c7', 'control', '{"revenue": 5}');
select variant, n, short(cuped_mean) as cuped, short(variance_reduction) as reduction from get_experiment_results('cuped') where metric = 'revenue';

-- ---- verdicts, with Holm over variants and metrics ----
select (create_experiment('verdicts', '["control", "good", "bad", "same", "rare"]',
  '[{"name": "revenue"}, {"name": "complaints", "kind": "count", "goal": "decrease"}]', '2026-01-01', '2026-01-31')).name;
select put('verdicts', v.variant || i, v.variant, jsonb_build_object('revenue', 10 + i % 7 + v.shift, 'complaints', greatest(0, i % 5 + v.shift)))
from (values ('control', 0, 400), ('good', 1, 400), ('bad', -1, 400), ('same', 0, 400), ('rare', 0, 1)) v (variant, shift, n),
  generate_series(1, v.n) i
\g /dev/null
update ai_experiments set weights = '{0.2498,0.2498,0.2498,0.2498,0.0008}' where name = 'verdicts';
select metric, variant, n, short(uplift) as uplift, short(p_value) as p, short(p_adjusted) as adjusted, verdict from get_experiment_results('verdicts');

-- ---- a small variant that has seen no buyer yet: Welch believes its variance of 0, the verdict does not ----
select (create_experiment('small', '{"control": 0.95, "treatment": 0.05}', '["revenue"]', '2026-01-01', '2026-01-31')).name;
select put('small', 'c' || i, 'control', case when i % 10 = 0 then jsonb_build_object('revenue', i % 50) end) from generate_series(1, 950) i
\g /dev/null
select put('small', 't' || i, 'treatment', null) from generate_series(1, 50) i
\g /dev/null
select variant, n, short(mean) as mean, short(p_value) as p, short(p_adjusted) as adjusted, short(sequential_p_value) as always, verdict
from get_experiment_results('small');

-- ---- guardrails: may be a tenth worse ----
select (create_experiment('guardrails', '["control", "fine", "slow", "awful"]',
  '["revenue", {"name": "seconds", "goal": "decrease", "guardrail": true, "max_regression": 0.1},
    {"name": "visits", "kind": "count", "guardrail": true, "max_regression": 0.1}]', '2026-01-01', '2026-01-31')).name;
select put('guardrails', v.variant || i, v.variant,
  jsonb_build_object('revenue', i % 10, 'seconds', 100 + i % 20 + v.seconds, 'visits', 50 + i % 9 - v.visits))
from (values ('control', 0, 0), ('fine', 1, 0), ('slow', 10, 5), ('awful', 30, 20)) v (variant, seconds, visits), generate_series(1, 200) i
\g /dev/null
select metric, variant, short(uplift) as uplift, short(ci_low) as low, short(ci_high) as high, guardrail_status, p_adjusted, verdict
from get_experiment_results('guardrails') where metric <> 'revenue' and not is_control;

-- ---- sample ratio ----
select (create_experiment('ratio', p_starts_at => '2026-01-01', p_ends_at => '2026-01-31')).name;
select put('ratio', 'c' || i, 'control', jsonb_build_object('conversion', i % 2)) from generate_series(1, 4800) i
\g /dev/null
select put('ratio', 't' || i, 'treatment', '{"conversion": 1}') from generate_series(1, 5200) i
\g /dev/null
select population, variant, expected_share, units, expected_units, chi_square, short(p_value) as p, sequential_p_value < 0.01 as sequential, mismatch
from check_sample_ratio('ratio');
select variant, short(srm_p_value) as srm, verdict from get_experiment_results('ratio');
select experiment_report('ratio') ~ '\*\*Sample ratio mismatch\*\* \(p: < 0.0001\)' as says_so;
-- a half of the weight may be any: 48 to 52 is what was asked for
update ai_experiments set weights = '{0.48,0.52}' where name = 'ratio';
select variant, srm_p_value, verdict from get_experiment_results('ratio');

-- ---- nothing to divide by, nothing that varies ----
select (create_experiment('degenerate', p_metrics => '["zero", "constant", {"name": "all", "kind": "binary"}, {"name": "none", "kind": "binary"}]',
  p_starts_at => '2026-01-01', p_ends_at => '2026-01-31')).name;
select put('degenerate', v.variant || i, v.variant, jsonb_build_object('zero', case v.variant when 'control' then 0 else i end, 'constant', 3, 'all', 1))
from (values ('control'), ('treatment')) v (variant), generate_series(1, 50) i
\g /dev/null
select metric, variant, mean, short(difference) as difference, uplift, ci_low, short(p_value) as p, verdict from get_experiment_results('degenerate');

-- ---- nobody here, everybody there: no variance in either variant, and as clear as a result can be ----
select (create_experiment('all_or_nothing', p_metrics => '[{"name": "bought", "kind": "binary"}]', p_starts_at => '2026-01-01')).name;
select put('all_or_nothing', 'c' || i, 'control', null), put('all_or_nothing', 't' || i, 'treatment', '{"bought": 1}')
from generate_series(1, 100) i
\g /dev/null
select variant, mean, short(p_value) as p, short(sequential_p_value) as always, verdict from get_experiment_results('all_or_nothing');
-- both alike: nothing to tell
update ai_experiment_outcomes o set outcome = '{"bought": 0}' from ai_experiments e where e.id = o.experiment_id and e.name = 'all_or_nothing';
select variant, mean, short(p_value) as p, sequential_p_value as always, verdict from get_experiment_results('all_or_nothing');

-- ---- the report ----
update ai_experiments set starts_at = '2026-01-01 12:00+00', ends_at = '2026-01-31 12:00+00', description = 'A shorter form' where name = 'guardrails';
\pset format unaligned
select experiment_report('guardrails');
select experiment_report('cuped');
-- a name is of one line
select (create_experiment(E'two\nlines', E'["control", "treat\\nment"]', p_metrics => E'["reve\\nnue"]',
  p_starts_at => '2026-01-01', p_ends_at => '2026-01-31')).name is not null as created;
select put(E'two\nlines', i::text, (array['control', E'treat\nment'])[1 + i % 2], jsonb_build_object(E'reve\nnue', i % 7))
from generate_series(1, 40) i
\g /dev/null
select line from string_to_table(experiment_report(E'two\nlines'), E'\n') line where line ~ 'two|lines|ment|reve|nue';
drop extension pg_retrain cascade;
