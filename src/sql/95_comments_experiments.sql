-- What psql says of experiments. See 95_comments.sql.

comment on table @extschema@.ai_experiments is
  'Experiments: variants with their shares, metrics, time, salt. What was recorded belongs to this definition, so only '
  'traffic, end and description may change.';
comment on column @extschema@.ai_experiments.variants is 'In the order in which hashes are divided.';
comment on column @extschema@.ai_experiments.weights is 'The share of each variant; they add up to 1.';
comment on column @extschema@.ai_experiments.control is 'The variant that the others are compared with.';
comment on column @extschema@.ai_experiments.version_ids is 'The model version of each variant, or null.';
comment on column @extschema@.ai_experiments.metrics is
  'The first one is the primary metric. name, kind, goal, guardrail, max_regression, covariate of each.';
comment on column @extschema@.ai_experiments.traffic is
  'Share of units that take part. More of it lets units in and moves none; less keeps those that are in.';
comment on column @extschema@.ai_experiments.salt is 'Experiments with one salt divide the same units in the same way.';
comment on column @extschema@.ai_experiments.alpha is 'The rate of false discoveries that is accepted.';
comment on column @extschema@.ai_experiments.planned_units is
  'Units of two variants together at which the always-valid interval is narrowest.';
comment on table @extschema@.ai_experiment_assignments is
  'Which unit got which variant: one row for each, never changed.';
comment on table @extschema@.ai_experiment_exposures is
  'Which unit met its variant, and when first: the units that are analysed.';
comment on column @extschema@.ai_experiment_exposures.covariates is
  'Numbers known before the experiment, by name, for CUPED.';
comment on table @extschema@.ai_experiment_outcomes is 'What units did: one row for each call of record_outcome().';

comment on function @extschema@.create_experiment(text, jsonb, jsonb, timestamptz, timestamptz, text, double precision,
  double precision, bigint, text, text) is
  'Defines an experiment. Variants are names, or objects with name, weight, model_version_id, is_control; metrics are '
  'names, or objects with name, kind (binary, continuous, count), goal, guardrail, max_regression, covariate.';
comment on function @extschema@.assign_variant(text, text, text) is
  'The variant of a unit, the same at every call; null when the unit takes no part or the experiment is not running.';
comment on function @extschema@.assign_variants(text, text[], text) is
  'assign_variant() of many units in one statement, in their order.';
comment on function @extschema@.get_variant(text, text, text) is
  'What assign_variant() would give, without writing: works on replicas.';
comment on function @extschema@.experiment_version(text, text, text) is
  'The model version of a variant, for p_version_id; null (the live version) for a variant without one, and for null.';
comment on function @extschema@.record_exposure(text, text, jsonb, timestamptz, text) is
  'Records that a unit met its variant. The first exposure counts; p_covariates are numbers known before it, for CUPED.';
comment on function @extschema@.record_outcome(text, text, jsonb, timestamptz, text, text) is
  'Records what a unit did, as numbers by metric. Counted from the exposure on: binary metrics take the largest, others '
  'the sum. The same p_idempotency_key twice counts once.';
comment on function @extschema@.get_experiment_results(text, text) is
  'Every metric of every variant against the control: uplift with interval and p-value, the always-valid ones, CUPED, '
  'guardrails, sample ratio, verdict.';
comment on function @extschema@.check_sample_ratio(text, text) is
  'Units assigned and exposed against the weights, by the chi-square test. mismatch (p < 0.001): do not trust the results.';
comment on function @extschema@.experiment_report(text, text) is 'The results as Markdown.';
comment on function @extschema@.stop_experiment(text, text, text) is
  'Ends an experiment now. What has been recorded stays and can be analysed.';
comment on function @extschema@.set_experiment_traffic(text, double precision, text) is
  'Changes the share of units that take part; nobody who is in changes the variant.';
comment on function @extschema@.experiment_power(double precision, double precision, bigint, double precision,
  double precision, double precision) is
  'The probability of finding a relative uplift with p_units in the control and p_treatment_ratio times as many in the '
  'treatment: of a mean when p_stddev is given, of a share when not.';
comment on function @extschema@.experiment_sample_size(double precision, double precision, double precision,
  double precision, double precision, double precision) is
  'The units that the control needs for finding a relative uplift with p_power: of a mean when p_stddev is given, of a '
  'share when not.';

comment on function @extschema@.retrain_compare_arms(boolean, double precision[], double precision[], double precision[],
  double precision[], double precision[], double precision[], double precision, double precision, integer) is
  'Internal: the statistics of one metric, one row for each arm.';
comment on function @extschema@.retrain_sample_ratio(double precision[], double precision[]) is
  'Internal: the test of counts against weights.';
comment on function @extschema@.retrain_closest_name(text, text[]) is 'Internal: the name that a misspelt one may have meant.';
comment on function @extschema@.retrain_refuse_name(text, text, text[]) is 'Internal: refuses an unknown name.';
comment on function @extschema@.retrain_get_experiment(text, text) is 'Internal: the experiment of a name.';
comment on function @extschema@.retrain_experiment_status(@extschema@.ai_experiments, timestamptz) is
  'Internal: scheduled, running, ended or stopped.';
comment on function @extschema@.retrain_check_unit(text) is 'Internal: refuses what is no unit''s id.';
comment on function @extschema@.retrain_config_number(jsonb, text, double precision, double precision) is
  'Internal: a number of a configuration, in its range.';
comment on function @extschema@.retrain_check_keys(jsonb, text, text[]) is 'Internal: refuses unknown keys.';
comment on function @extschema@.retrain_named_items(jsonb, text, text) is 'Internal: a list of names with something about each.';
comment on function @extschema@.retrain_parse_variants(jsonb, text) is 'Internal: p_variants, checked.';
comment on function @extschema@.retrain_parse_metrics(jsonb) is 'Internal: p_metrics, checked.';
comment on function @extschema@.retrain_check_fraction(text, double precision, double precision, double precision) is
  'Internal: refuses a number that is out of range.';
comment on function @extschema@.retrain_experiment_bucket(text, text, text) is
  'Internal: a number in [0, 1) for a unit, from SHA-256 of "salt:purpose:unit".';
comment on function @extschema@.retrain_hash_variant(text, text, text[], double precision[], double precision) is
  'Internal: the variant of a unit by hash.';
comment on function @extschema@.retrain_check_numbers(jsonb, text, text, text[], text[], boolean) is
  'Internal: numbers by name, checked.';
comment on function @extschema@.retrain_outside_experiment(@extschema@.ai_experiments, timestamptz) is
  'Internal: why something that happened then is not part of the experiment.';
comment on function @extschema@.retrain_experiment_sums(@extschema@.ai_experiments) is
  'Internal: the sums of every metric in every variant.';
comment on function @extschema@.retrain_significant(double precision, integer) is 'Internal: a number in few digits.';
comment on function @extschema@.retrain_p_text(double precision) is 'Internal: a p-value for people.';
comment on function @extschema@.retrain_percent_range(double precision, double precision, double precision) is
  'Internal: a percentage with its interval.';
comment on function @extschema@.retrain_experiments_after_delete() is 'Internal: trigger of ai_experiments.';
