-- Once only: the tables. Columns of the systems this replaces come first, in their order, then ours.
-- No foreign keys: an extension's constraints exist before its data comes back, and pg_restore -j loads tables in any
-- order (an archive does not record which table's rows need which). The functions write no row without its parent, and
-- triggers that fire on DELETE alone (50_triggers.sql) keep it there.
-- Rows are stamped by the clock, not by their transaction's start: "the newest" is right inside a transaction too.

create table @extschema@.ai_models (
  model_name text primary key check (char_length(model_name) between 1 and 200),
  task text not null default 'intent' check (
    task in ('intent', 'classification', 'regression', 'clustering', 'forecast')),
  config jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
  source text,
  min_samples integer not null default 20 check (min_samples >= 1),
  auto_retrain_threshold integer not null default 100 check (auto_retrain_threshold >= 1),
  max_f1_regression real not null default 0.05 check (max_f1_regression between 0 and 1),
  recent_window interval not null default '30 days' check (
    recent_window > interval '0' and recent_window <= interval '1000 years'),
  recent_min_rows integer not null default 10 check (recent_min_rows >= 1),
  recent_min_ratio real not null default 0.95 check (recent_min_ratio between 0 and 1),
  confidence_threshold real check (confidence_threshold between 0 and 1),
  label_source text not null default 'all' check (label_source in ('all', 'reviewed')),
  human_weight real not null default 2 check (human_weight > 0 and human_weight <= 1000),
  keep_versions integer check (keep_versions >= 1),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  source_set_by name,
  target text,
  algorithm text
);

create table @extschema@.ai_training_data (
  id uuid not null default gen_random_uuid(),
  user_message text not null,
  detected_intent text,
  ai_response text,
  confidence_score integer,
  correct_intent text,
  correct_response text,
  corrected_by_human boolean not null default false,
  corrected_by uuid,
  corrected_at timestamptz,
  intent_correct boolean,
  response_correct boolean,
  escalated boolean not null default false,
  escalation_reason text,
  conversation_id text,
  message_id text,
  user_id text,
  session_id text,
  category text,
  clarity_score real,
  completeness_score real,
  matched_keywords text[],
  response_time_ms integer,
  response_source text,
  dataset_status text not null default 'pending',
  included_in_training_run uuid,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  model_name text not null default 'default',
  model_version_id bigint,
  source text not null default 'live',
  split text,
  quality_score smallint,
  was_successful boolean,
  user_feedback text,
  evaluated_at timestamptz,
  product_id text,
  product_name text,
  context jsonb,
  idempotency_key text,
  label_changed_at timestamptz not null default clock_timestamp(),
  text_key uuid generated always as (@extschema@.retrain_text_key(user_message)) stored,
  duplicate_of uuid,
  constraint ai_training_data_idempotency_key unique (model_name, idempotency_key),
  -- One call for all: see pg/interaction_check.cpp.
  constraint ai_training_data_values_check check (@extschema@.retrain_interaction_is_valid(
    detected_intent, correct_intent, confidence_score, response_time_ms, quality_score, response_source, dataset_status,
    source, split, model_name))
) with (fillfactor = 85);

-- Metrics of a period are read from this index alone.
create index ai_training_data_created_idx on @extschema@.ai_training_data (model_name, created_at desc)
  include (detected_intent, confidence_score, source, dataset_status, escalated, intent_correct, corrected_by_human);

-- A person's correction of a text: predict_intent() scans this one itself, in exactly this order of columns.
create index ai_training_data_correction_idx on @extschema@.ai_training_data (model_name, text_key)
  where corrected_by_human and correct_intent is not null and dataset_status <> 'rejected';

-- What no training has learnt yet: should_retrain() counts it. No index has a column that judging an answer changes, so
-- that the update stays inside the row's page (HOT).
create index ai_training_data_new_idx on @extschema@.ai_training_data (model_name, split, label_changed_at)
  where included_in_training_run is null
    and (model_version_id is null or intent_correct is not null or dataset_status in ('reviewed', 'approved'));

create index ai_training_data_corrected_idx on @extschema@.ai_training_data (model_name, corrected_at)
  where corrected_at is not null;

-- The text first: an index that began with the model would look as good as the right one for every search within a model,
-- as long as the table has no statistics.
create index ai_training_data_text_idx on @extschema@.ai_training_data (text_key, model_name);

create index ai_training_data_conversation_idx
  on @extschema@.ai_training_data (model_name, conversation_id, created_at desc)
  where conversation_id is not null;

-- Review order: unknown confidence first, then the lowest; the model is filtered inside the index.
create index ai_training_data_review_idx
  on @extschema@.ai_training_data (confidence_score asc nulls first, created_at desc, model_name)
  where dataset_status = 'pending' and not corrected_by_human;

create table @extschema@.ai_training_runs (
  id uuid primary key default gen_random_uuid(),
  run_name text not null,
  run_type text not null default 'full' check (run_type in ('full', 'incremental', 'intent_only')),
  status text not null default 'pending' check (
    status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  training_samples integer,
  validation_samples integer,
  test_samples integer,
  total_intents integer,
  baseline_intent_accuracy real,
  baseline_escalation_rate real,
  baseline_avg_confidence real,
  intent_accuracy real,
  intent_precision real,
  intent_recall real,
  intent_f1_score real,
  escalation_rate real,
  avg_confidence real,
  response_quality_score real,
  per_intent_metrics jsonb,
  confusion_matrix jsonb,
  model_config jsonb,
  dataset_filters jsonb,
  model_file_path text,
  dataset_file_path text,
  report_file_path text,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  triggered_by text,
  model_name text not null default 'default' check (char_length(model_name) between 1 and 200),
  model_version_id bigint,
  baseline_f1_score real,
  deployed boolean not null default false,
  gate jsonb,
  improvement jsonb,
  misclassified jsonb,
  duration_seconds real,
  error_message text,
  baseline_version_id bigint,
  source text,
  task text not null default 'intent',
  metrics jsonb,
  warnings jsonb,
  source_set_by name
);

create index ai_training_runs_created_idx on @extschema@.ai_training_runs (model_name, created_at desc);

create table @extschema@.ai_intent_corrections (
  id uuid primary key default gen_random_uuid(),
  training_data_id uuid not null,
  original_intent text,
  corrected_intent text not null,
  original_response text,
  corrected_response text,
  correction_notes text,
  should_have_escalated boolean not null default false,
  corrected_by uuid,
  confidence_at_detection integer,
  user_message text,
  created_at timestamptz not null default clock_timestamp(),
  was_mismatch boolean not null,
  model_name text not null default 'default' check (char_length(model_name) between 1 and 200)
);

create index ai_intent_corrections_data_idx on @extschema@.ai_intent_corrections (training_data_id);
create index ai_intent_corrections_created_idx on @extschema@.ai_intent_corrections (model_name, created_at desc);

create table @extschema@.ai_model_versions (
  id bigint generated always as identity primary key,
  model_name text not null check (char_length(model_name) between 1 and 200),
  version text not null,
  run_id uuid,
  algorithm text not null,
  artifact bytea not null,
  artifact_sha256 text not null check (artifact_sha256 ~ '^[0-9a-f]{64}$'),
  artifact_crc32c bigint check (artifact_crc32c between 0 and 4294967295),
  artifact_bytes bigint not null,
  labels text[] not null,
  training_samples integer,
  accuracy real,
  f1_score real,
  confidence_threshold real,
  metrics jsonb not null default '{}',
  training_timestamp timestamptz not null default now(),
  is_active boolean not null default false,
  status text not null default 'candidate' check (status in ('candidate', 'live', 'retired', 'rejected')),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null default current_user,
  training_state bytea,
  unique (model_name, version),
  constraint ai_model_versions_live_check check (is_active = (status = 'live')),
  constraint ai_model_versions_artifact_check check (
    artifact_bytes = octet_length(artifact) and artifact_bytes <= 268435456)
);

-- Already dense bytes; beyond 512 MB a bytea can be stored but no longer dumped, hence the limit far below.
alter table @extschema@.ai_model_versions alter column artifact set storage external;
alter table @extschema@.ai_model_versions alter column training_state set storage external;

create unique index ai_model_versions_live_idx on @extschema@.ai_model_versions (model_name) where is_active;
create index ai_model_versions_run_idx on @extschema@.ai_model_versions (run_id);

-- The name's hash stands for the name in the exclusion, since text has no range and no GiST class of its own.
create table @extschema@.ai_model_deployments (
  id bigint generated always as identity primary key,
  model_name text not null check (char_length(model_name) between 1 and 200),
  version_id bigint not null,
  version text not null,
  live_from timestamptz not null,
  live_until timestamptz check (live_until > live_from),
  deployed_by text not null default current_user,
  reason text,
  kind text not null default 'promotion' check (kind in ('training', 'promotion', 'rollback')),
  constraint ai_model_deployments_no_overlap exclude using gist (
    int8range(hashtextextended(model_name, 0) >> 1, hashtextextended(model_name, 0) >> 1, '[]') with &&,
    tstzrange(live_from, live_until) with &&)
);

create index ai_model_deployments_history_idx on @extschema@.ai_model_deployments (model_name, live_from desc);

create table @extschema@.ai_access_grants (
  id bigint generated always as identity primary key,
  role_name name not null,
  level text not null check (level in ('reader', 'predictor', 'recorder', 'reviewer', 'trainer', 'admin')),
  model_name text check (char_length(model_name) between 1 and 200),
  granted_by name not null default current_user,
  granted_at timestamptz not null default now()
);

create unique index ai_access_grants_key
  on @extschema@.ai_access_grants (role_name, level, coalesce(model_name, ''));
