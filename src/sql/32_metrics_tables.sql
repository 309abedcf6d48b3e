-- Once only: metrics, their targets, alerts. See 30_tables.sql for what holds of every table.

create table @extschema@.ai_metrics_snapshots (
  id uuid primary key default gen_random_uuid(),
  period_start timestamptz not null,
  period_end timestamptz not null,
  period_type text not null check (period_type in ('hourly', 'daily', 'weekly', 'monthly')),
  total_messages integer not null default 0,
  ai_resolved integer not null default 0,
  escalated integer not null default 0,
  blocked integer not null default 0,
  intent_accuracy real,
  avg_confidence real,
  avg_response_time_ms real,
  helpful_count integer not null default 0,
  not_helpful_count integer not null default 0,
  helpful_rate real,
  escalation_rate real,
  avg_escalation_confidence real,
  human_corrections integer not null default 0,
  correction_rate real,
  metrics_by_category jsonb,
  metrics_by_intent jsonb,
  top_misclassified_intents jsonb,
  avg_resolution_time_seconds real,
  first_contact_resolution_rate real,
  created_at timestamptz not null default clock_timestamp(),
  model_name text not null default 'default' check (char_length(model_name) between 1 and 200),
  constraint ai_metrics_snapshots_period_check check (period_end > period_start),
  constraint ai_metrics_snapshots_key unique (model_name, period_type, period_start)
);

-- The targets that ship are marked and stay out of dumps: CREATE EXTENSION brings them back. Changing one makes it the
-- user's own, which a dump carries; a user's row wins over the shipped one of the same name.
create table @extschema@.ai_alert_rules (
  rule_name text not null check (char_length(rule_name) between 1 and 100),
  model_name text check (char_length(model_name) between 1 and 200),
  metric text not null check (metric in (
    'intent_accuracy', 'escalation_rate', 'avg_confidence', 'f1_score', 'training_samples', 'misclassified_rate',
    'correction_rate')),
  direction text not null check (direction in ('above', 'below')),
  target double precision not null check (target not in ('NaN', 'Infinity', '-Infinity')),
  critical double precision not null check (critical not in ('NaN', 'Infinity', '-Infinity')),
  period interval not null default '7 days' check (period > interval '0' and period <= interval '1000 years'),
  min_rows integer not null default 20 check (min_rows >= 1),
  enabled boolean not null default true,
  shipped boolean not null default false,
  constraint ai_alert_rules_order_check check (
    case direction when 'above' then critical <= target else critical >= target end)
);

create unique index ai_alert_rules_key
  on @extschema@.ai_alert_rules (rule_name, coalesce(model_name, ''), shipped);
-- An index of an expression names no row to a subscriber, and in a publication no rule could be changed.
alter table @extschema@.ai_alert_rules replica identity full;

insert into @extschema@.ai_alert_rules (rule_name, metric, direction, target, critical, shipped)
values
  ('intent_accuracy', 'intent_accuracy', 'above', 0.85, 0.70, true),
  ('escalation_rate', 'escalation_rate', 'below', 15, 30, true),
  ('avg_confidence', 'avg_confidence', 'above', 75, 60, true),
  ('f1_score', 'f1_score', 'above', 0.85, 0.70, true),
  ('training_samples', 'training_samples', 'above', 100, 20, true),
  ('misclassified_rate', 'misclassified_rate', 'below', 5, 15, true);

create table @extschema@.ai_alerts (
  id bigint generated always as identity primary key,
  model_name text not null check (char_length(model_name) between 1 and 200),
  rule_name text not null,
  metric text not null,
  status text not null check (status in ('ok', 'warning', 'critical')),
  previous_status text not null check (previous_status in ('ok', 'warning', 'critical')),
  value double precision,
  direction text not null,
  target double precision not null,
  critical double precision not null,
  sample_rows bigint not null,
  message text not null,
  created_at timestamptz not null default clock_timestamp(),
  previous_id bigint,
  constraint ai_alerts_change_check check (status <> previous_status),
  -- One change follows another: what a transaction with an old snapshot would record a second time finds its place taken.
  constraint ai_alerts_once_key unique (model_name, rule_name, previous_id)
);

create index ai_alerts_state_idx on @extschema@.ai_alerts (model_name, rule_name, id desc);
create index ai_alerts_created_idx on @extschema@.ai_alerts (model_name, created_at desc);

-- What a person has looked at: a small part of the messages. The flags are keys, so that the texts of the others are
-- not read.
create index ai_training_data_reviewed_idx
  on @extschema@.ai_training_data (model_name, created_at desc, intent_correct, corrected_by_human)
  where intent_correct is not null;

-- For the dashboards' views when they are read for all models at once: the latest days of everybody. A few kB, since
-- messages come in by time, and next to nothing on an insert.
create index ai_training_data_time_idx on @extschema@.ai_training_data using brin (created_at) with (pages_per_range = 32);
