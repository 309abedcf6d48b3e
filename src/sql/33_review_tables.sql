-- Once only: feedback, prompts, leases of the review queue, what was forgotten. See 30_tables.sql for what holds of every
-- table.

create table @extschema@.ai_feedback (
  id uuid primary key default gen_random_uuid(),
  message_id text,
  user_id text,
  helpful boolean,
  feedback_text text,
  rating smallint check (rating between 1 and 5),
  feedback_type text,
  conversation_id text,
  user_message text,
  agent_response text,
  created_at timestamptz not null default clock_timestamp(),
  training_data_id uuid,
  model_name text not null default 'default' check (char_length(model_name) between 1 and 200)
);

create index ai_feedback_created_idx on @extschema@.ai_feedback (model_name, created_at desc);
create index ai_feedback_data_idx on @extschema@.ai_feedback (training_data_id) where training_data_id is not null;
create index ai_feedback_user_idx on @extschema@.ai_feedback (user_id) where user_id is not null;

-- The exclusion is checked when a statement ends, so that one UPDATE may pass the part from one prompt to the next.
create table @extschema@.ai_prompt_versions (
  id uuid primary key default gen_random_uuid(),
  version integer not null check (version >= 1),
  prompt_template text not null,
  few_shot_examples jsonb,
  intent_accuracy real,
  avg_confidence real,
  escalation_rate real,
  is_active boolean not null default false,
  activated_at timestamptz,
  deactivated_at timestamptz,
  notes text,
  created_by uuid,
  created_at timestamptz not null default clock_timestamp(),
  model_name text not null default 'default' check (char_length(model_name) between 1 and 200),
  constraint ai_prompt_versions_version_key unique (model_name, version),
  constraint ai_prompt_versions_one_active exclude using btree (model_name with =) where (is_active)
    deferrable initially immediate
);

-- The model is part of the key: a lease of another model's row, which the row's own reviewers do not see, keeps them from
-- nothing.
create table @extschema@.ai_review_leases (
  training_data_id uuid not null,
  model_name text not null check (char_length(model_name) between 1 and 200),
  reviewer text not null check (btrim(reviewer) <> ''),
  leased_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (training_data_id, model_name)
);

create index ai_review_leases_reviewer_idx on @extschema@.ai_review_leases (model_name, reviewer);

-- One row per model that forgot somebody. The person is a digest: the proof must not be what had to be forgotten.
create table @extschema@.ai_forgotten_users (
  id bigint generated always as identity primary key,
  receipt_id uuid not null,
  model_name text not null check (char_length(model_name) between 1 and 200),
  user_digest text not null check (user_digest ~ '^[0-9a-f]{64}$'),
  messages bigint not null,
  corrections bigint not null,
  feedback bigint not null,
  version_ids bigint[] not null,
  live_version_affected boolean not null,
  requested_by text not null default current_user,
  created_at timestamptz not null default clock_timestamp()
);

create index ai_forgotten_users_model_idx on @extschema@.ai_forgotten_users (model_name, created_at desc);

-- A text that was rejected once does not come back for review. A duplicate was rejected for another row's sake: its text is
-- as good as before. Searches by text name the model with "is not distinct from" and end in "offset 0": of a model that is not in
-- the statistics yet the planner expects one row, takes every way of finding its rows for as cheap as any, and would look at all
-- of them for each. So the text is all that it can search by, row by row.
create index ai_training_data_rejected_idx on @extschema@.ai_training_data (text_key, model_name)
  where dataset_status = 'rejected' and duplicate_of is null;

-- The duplicates of a row, which may come back when it is deleted.
create index ai_training_data_duplicate_idx on @extschema@.ai_training_data (duplicate_of) where duplicate_of is not null;

-- A training that somebody or something asked for. It is open until a training of the model has begun after it and
-- completed.
create table @extschema@.ai_retrain_requests (
  id bigint generated always as identity primary key,
  model_name text not null check (char_length(model_name) between 1 and 200),
  reason text not null,
  requested_by text not null default current_user,
  requested_at timestamptz not null default clock_timestamp()
);

create index ai_retrain_requests_model_idx on @extschema@.ai_retrain_requests (model_name, requested_at desc);
