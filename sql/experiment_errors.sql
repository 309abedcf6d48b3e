-- Experiments: what is refused, and what the error says.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- names and times
select create_experiment(null);
select create_experiment('');
select create_experiment('  ');
select create_experiment(repeat('x', 201));
select create_experiment('e', p_starts_at => '2026-02-02', p_ends_at => '2026-02-01');
select create_experiment('e', p_starts_at => '2026-02-02', p_ends_at => '2026-02-02');
\set VERBOSITY terse
select create_experiment('e', p_ends_at => 'infinity');
\set VERBOSITY default
select create_experiment('e', p_starts_at => '-infinity', p_ends_at => '2026-02-01');
select create_experiment('e', p_model_name => '');
select create_experiment('e', p_salt => '');
select create_experiment('e', p_traffic => 1.5);
select create_experiment('e', p_traffic => -0.1);
select create_experiment('e', p_traffic => 'NaN');
select create_experiment('e', p_traffic => null);
select create_experiment('e', p_alpha => 0);
select create_experiment('e', p_alpha => 0.5);
select create_experiment('e', p_planned_units => 99);

-- variants
select create_experiment('e', null);
select create_experiment('e', '"control"');
select create_experiment('e', '[]');
select create_experiment('e', '{}');
select create_experiment('e', '["control"]');
select create_experiment('e', '{"control": 1}');
select create_experiment('e', '["control", "control"]');
select create_experiment('e', '["control", ""]');
select create_experiment('e', '["control", 7]');
select create_experiment('e', '["control", {"weight": 1}]');
select create_experiment('e', format('["control", "%s"]', repeat('x', 101))::jsonb);
select create_experiment('e', '{"control": 0.5, "treatment": 0}');
select create_experiment('e', '{"control": 0.5, "treatment": -1}');
select create_experiment('e', '{"control": 0, "treatment": 0}');
select create_experiment('e', '{"control": 0.5, "treatment": "NaN"}');
select create_experiment('e', '{"control": 0.5, "treatment": 1e400}');
select create_experiment('e', '{"control": 0.5, "treatment": 1e-300}');
select create_experiment('e', '{"control": 0.5, "treatment": [1]}');
select create_experiment('e', '{"control": 0.5, "treatment": null}');
select create_experiment('e', '[{"name": "control", "weight": "half"}, {"name": "treatment", "weight": 0.5}]');
select create_experiment('e', '[{"name": "control", "weight": 0.5}, "treatment"]');
select create_experiment('e', '[{"name": "control", "wheight": 0.5}, "treatment"]');
select create_experiment('e', '[{"name": "a", "is_control": true}, {"name": "b", "is_control": true}]');
select create_experiment('e', '[{"name": "a", "is_control": 1}, {"name": "b"}]');
select create_experiment('e', '[{"name": "a", "model_version_id": 12345}, {"name": "b"}]');
select create_experiment('e', '[{"name": "a", "model_version_id": "v1"}, {"name": "b"}]');
select create_experiment('e', '[{"name": "a", "model_version_id": 1.9}, {"name": "b"}]');
select create_experiment('e', (select jsonb_agg('v' || i) from generate_series(1, 51) i));

-- metrics
select create_experiment('e', p_metrics => null);
select create_experiment('e', p_metrics => '[]');
select create_experiment('e', p_metrics => '3');
select create_experiment('e', p_metrics => '["a", "a"]');
select create_experiment('e', p_metrics => '[null]');
select create_experiment('e', p_metrics => '{"revenue": 3}');
select create_experiment('e', p_metrics => '{"revenue": "continous"}');
select create_experiment('e', p_metrics => '[{"name": "revenue", "kind": "money"}]');
select create_experiment('e', p_metrics => '[{"name": "revenue", "gaol": "increase"}]');
select create_experiment('e', p_metrics => '[{"name": "revenue", "goal": "up"}]');
select create_experiment('e', p_metrics => '[{"name": "revenue", "guardrail": "yes"}]');
select create_experiment('e', p_metrics => '[{"name": "revenue", "max_regression": 0.1}]');
select create_experiment('e', p_metrics => '[{"name": "revenue", "guardrail": true, "max_regression": -0.1}]');
select create_experiment('e', p_metrics => '[{"name": "revenue", "covariate": 3}]');
select create_experiment('e', p_metrics => (select jsonb_agg('m' || i) from generate_series(1, 51) i));
select count(*) from ai_experiments;

-- there is none of that name
select (create_experiment('checkout', p_metrics => '[{"name": "conversion", "kind": "binary"}, "revenue"]')).name;
select create_experiment('checkout');
select assign_variant('chekout', 'u');
select assign_variant('something else', 'u');
select assign_variant(null, 'u');
select assign_variant('checkout', 'u', 'other model');
select assign_variants('chekout', '{u}');
select get_variant('chekout', 'u');
select experiment_version('chekout', 'control');
select record_exposure('chekout', 'u');
select record_outcome('chekout', 'u', '{"revenue": 1}');
select * from get_experiment_results('chekout');
select * from check_sample_ratio('chekout');
select experiment_report('chekout');
select stop_experiment('chekout');
select set_experiment_traffic('chekout', 1);
select (create_experiment('checkout', p_model_name => 'other model')).name;
select assign_variant('checkout', 'u');
select assign_variant('checkout', 'u', 'default') is not null as assigned;

-- units
select assign_variant('checkout', null, 'default');
select assign_variant('checkout', '', 'default');
select assign_variant('checkout', repeat('x', 501), 'default');
select assign_variants('checkout', null, 'default');
select assign_variants('checkout', array['a', null], 'default');
select get_variant('checkout', null, 'default');
select record_exposure('checkout', null, p_model_name => 'default');
select record_outcome('checkout', null, '{"revenue": 1}', p_model_name => 'default');
select record_exposure('checkout', 'never assigned', p_model_name => 'default');
select experiment_version('checkout', 'tretment', 'default');

-- covariates and outcomes
select record_exposure('checkout', 'u', '[1]', p_model_name => 'default');
select record_exposure('checkout', 'u', '{"revenu": 1}', p_model_name => 'default');
select record_exposure('checkout', 'u', '{"revenue": "12"}', p_model_name => 'default');
select record_exposure('checkout', 'u', '{"revenue": 1e400}', p_model_name => 'default');
select record_exposure('checkout', 'u', p_occurred_at => 'infinity', p_model_name => 'default');
\set VERBOSITY terse
select record_exposure('checkout', 'u', p_occurred_at => now() + interval '1 day', p_model_name => 'default');
\set VERBOSITY default
select record_outcome('checkout', 'u', null, p_model_name => 'default');
select record_outcome('checkout', 'u', '{}', p_model_name => 'default');
select record_outcome('checkout', 'u', '3', p_model_name => 'default');
select record_outcome('checkout', 'u', '["revenue"]', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenu": 3}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": null}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": "3"}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": "Infinity"}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": 1e400}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": -1e16}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": {"amount": 3}}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"conversion": 2}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"conversion": 0.5}', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": 1}', p_occurred_at => '-infinity', p_model_name => 'default');
select record_outcome('checkout', 'u', '{"revenue": 1}', p_idempotency_key => '', p_model_name => 'default');

-- ends
select set_experiment_traffic('checkout', 2, 'default');
select set_experiment_traffic('checkout', null, 'default');
select (stop_experiment('checkout', 'enough', 'default')).stop_reason;
\set VERBOSITY terse
select stop_experiment('checkout', 'again', 'default');
do $$
declare
  v_hint text;
begin
  perform stop_experiment('checkout', 'again', 'default');
exception when object_not_in_prerequisite_state then
  get stacked diagnostics v_hint = pg_exception_hint;
  raise notice '%', v_hint;
end
$$;
\set VERBOSITY default

-- power
select experiment_power(null, 0.1, 100);
select experiment_power(0.1, null, 100);
select experiment_power(0.1, 0, 100);
select experiment_power(0, 0.1, 100);
select experiment_power(1, 0.1, 100);
select experiment_power(0.5, 1.5, 100);
select experiment_power(0, 0.1, 100, 1);
select experiment_power(0.1, 0.1, null);
select experiment_power(0.1, 0.1, 1);
select experiment_power(0.1, 0.1, 100, 0);
select experiment_power(0.1, 0.1, 100, -1);
select experiment_power(0.1, 0.1, 100, 'NaN');
select experiment_power(0.1, 0.1, 100, 'Infinity');
select experiment_power('NaN', 0.1, 100);
select experiment_power(0.1, 0.1, 100, p_alpha => 0);
select experiment_power(0.1, 0.1, 100, p_alpha => 1);
select experiment_power(0.1, 0.1, 100, p_treatment_ratio => 0);
select experiment_sample_size(0.1, 0.1, p_power => 1);
select experiment_sample_size(0.1, 0.1, p_power => 0);
select experiment_sample_size(0.1, 1e-9);
select experiment_sample_size(0.1, 'Infinity');

-- rows of an experiment that was run elsewhere: a value that is no number would end every report
\set VERBOSITY terse
insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, model_name) values (1, 'u', '{"sold": true}', 'default');
insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, model_name) values (1, 'u', '{"sold": "1"}', 'default');
insert into ai_experiment_outcomes (experiment_id, unit_id, outcome, model_name) values (1, 'u', '{"sold": 1, "revenue": 1e16}', 'default');
insert into ai_experiment_exposures (experiment_id, unit_id, variant, covariates, model_name) values (1, 'u', 'a', '{"age": [3]}', 'default');
\set VERBOSITY default

-- nothing was left behind
select count(*) from ai_experiment_assignments;
select count(*) from ai_experiment_exposures;
select count(*) from ai_experiment_outcomes;

-- the internal ones do not trust their callers either
select * from retrain_compare_arms(true, '{1,2}', '{1}', '{1,2}', null, null, null, 0.05, 100, 1);
select * from retrain_compare_arms(true, '{1,2}', '{1,null}', '{1,2}', null, null, null, 0.05, 100, 1);
select * from retrain_compare_arms(true, '{1,2}', '{1,2}', '{1,2}', null, null, null, 0.05, 100, 3);
select * from retrain_compare_arms(true, null, '{1,2}', '{1,2}', null, null, null, 0.05, 100, 1);
select * from retrain_compare_arms(true, '{1,2}', '{1,2}', '{1,2}', null, null, null, 2, 100, 1);
select * from retrain_sample_ratio('{1,2}', '{1}');
select * from retrain_sample_ratio('{}', '{}');
drop extension pg_retrain;
