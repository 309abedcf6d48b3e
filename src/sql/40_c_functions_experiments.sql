-- Functions in C: the statistics of experiments (src/core/stats).

-- One row for each arm; the arrays have one element for each. What is not defined is null.
create function @extschema@.retrain_compare_arms(
  p_binary boolean,
  p_n double precision[],
  p_mean double precision[],
  p_squares double precision[],
  p_covariate_mean double precision[],
  p_covariate_squares double precision[],
  p_comoment double precision[],
  p_alpha double precision,
  p_planned_units double precision,
  p_control integer
) returns table (
    arm integer,
    stddev double precision,
    difference double precision,
    difference_low double precision,
    difference_high double precision,
    uplift double precision,
    ci_low double precision,
    ci_high double precision,
    p_value double precision,
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
    final_p_value double precision,
    final_low double precision,
    final_high double precision)
  language c immutable parallel safe cost 1000 rows 2
  as 'MODULE_PATHNAME', 'retrain_compare_arms';

create function @extschema@.retrain_sample_ratio(
  p_counts double precision[],
  p_weights double precision[],
  out chi_square double precision,
  out df double precision,
  out p_value double precision,
  out sequential_p_value double precision
) returns record
  language c immutable strict parallel safe cost 100
  as 'MODULE_PATHNAME', 'retrain_sample_ratio';

create function @extschema@.experiment_power(
  p_baseline double precision,
  p_uplift double precision,
  p_units bigint,
  p_stddev double precision default null,
  p_alpha double precision default 0.05,
  p_treatment_ratio double precision default 1
) returns double precision
  language c immutable parallel safe cost 1000
  as 'MODULE_PATHNAME', 'experiment_power';

create function @extschema@.experiment_sample_size(
  p_baseline double precision,
  p_uplift double precision,
  p_stddev double precision default null,
  p_power double precision default 0.8,
  p_alpha double precision default 0.05,
  p_treatment_ratio double precision default 1
) returns bigint
  language c immutable parallel safe cost 10000
  as 'MODULE_PATHNAME', 'experiment_sample_size';

create function @extschema@.retrain_closest_name(p_word text, p_names text[]) returns text
  language c immutable strict parallel safe cost 100
  as 'MODULE_PATHNAME', 'retrain_closest_name';

-- A number in [0, 1) from the first 52 bits of SHA-256 of "salt:purpose:unit" in UTF-8: any program can compute it.
create function @extschema@.retrain_experiment_bucket(p_salt text, p_purpose text, p_unit_id text) returns double precision
  language c immutable strict parallel safe cost 50
  as 'MODULE_PATHNAME', 'retrain_experiment_bucket';

-- The variant by hash alone, null outside the traffic.
create function @extschema@.retrain_hash_variant(
  p_salt text,
  p_unit_id text,
  p_variants text[],
  p_weights double precision[],
  p_traffic double precision
) returns text
  language c immutable strict parallel safe cost 100
  as 'MODULE_PATHNAME', 'retrain_hash_variant';
