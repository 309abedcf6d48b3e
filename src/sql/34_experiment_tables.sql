-- Once only: experiments. See 30_tables.sql for what holds of every table.
--
-- What a unit may do is written once each, in the order in which it happens: assigned (ai_experiment_assignments),
-- exposed (ai_experiment_exposures: the units that are analysed), then any number of outcomes. The model's name is part
-- of every key: a row under another model's experiment counts for nothing and stands in nobody's way.

create table @extschema@.ai_experiments (
  id bigint generated always as identity primary key,
  name text not null check (char_length(name) between 1 and 200),
  description text,
  variants text[] not null check (cardinality(variants) between 2 and 50),
  weights double precision[] not null check (cardinality(weights) = cardinality(variants)),
  control text not null check (control = any (variants)),
  version_ids bigint[] not null check (cardinality(version_ids) = cardinality(variants)),
  metrics jsonb not null check (jsonb_typeof(metrics) = 'array'),
  starts_at timestamptz not null,
  ends_at timestamptz,
  stopped_at timestamptz,
  stop_reason text,
  traffic double precision not null default 1 check (traffic >= 0 and traffic <= 1),
  salt text not null,
  alpha double precision not null default 0.05 check (alpha > 0 and alpha < 0.5),
  planned_units bigint not null default 10000 check (planned_units >= 100),
  created_by text not null default current_user,
  created_at timestamptz not null default clock_timestamp(),
  model_name text not null default 'default' check (char_length(model_name) between 1 and 200),
  constraint ai_experiments_name_key unique (name, model_name),
  constraint ai_experiments_period_check check (ends_at > starts_at)
);

create index ai_experiments_model_idx on @extschema@.ai_experiments (model_name, created_at desc);

-- Bytes order units: no collation's version can ever part an index from its rows.
create table @extschema@.ai_experiment_assignments (
  experiment_id bigint not null,
  unit_id text collate "C" not null check (char_length(unit_id) between 1 and 500),
  variant text not null,
  assigned_at timestamptz not null default clock_timestamp(),
  model_name text not null check (char_length(model_name) between 1 and 200),
  primary key (experiment_id, unit_id, model_name)
);

create table @extschema@.ai_experiment_exposures (
  experiment_id bigint not null,
  unit_id text collate "C" not null check (char_length(unit_id) between 1 and 500),
  variant text not null,
  exposed_at timestamptz not null default clock_timestamp(),
  covariates jsonb check (jsonb_typeof(covariates) = 'object'),
  model_name text not null check (char_length(model_name) between 1 and 200),
  primary key (experiment_id, unit_id, model_name),
  -- what record_exposure() stores: results of an experiment with one other value could not be computed
  constraint ai_experiment_exposures_numbers_check
    check (not jsonb_path_exists(covariates, 'strict $.* ? (@.type() != "number" || @ > 1e15 || @ < -1e15)'))
);

create table @extschema@.ai_experiment_outcomes (
  id bigint generated always as identity primary key,
  experiment_id bigint not null,
  unit_id text collate "C" not null check (char_length(unit_id) between 1 and 500),
  outcome jsonb not null check (jsonb_typeof(outcome) = 'object'),
  occurred_at timestamptz not null default clock_timestamp(),
  idempotency_key text check (char_length(idempotency_key) between 1 and 500),
  model_name text not null check (char_length(model_name) between 1 and 200),
  -- as of exposures
  constraint ai_experiment_outcomes_numbers_check
    check (not jsonb_path_exists(outcome, 'strict $.* ? (@.type() != "number" || @ > 1e15 || @ < -1e15)'))
);

create index ai_experiment_outcomes_unit_idx on @extschema@.ai_experiment_outcomes (experiment_id, unit_id);
create unique index ai_experiment_outcomes_key on @extschema@.ai_experiment_outcomes
  (experiment_id, idempotency_key, model_name) where idempotency_key is not null;
