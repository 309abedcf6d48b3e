-- Once only: what the outside is to be told: a row stays until whoever delivers it has said so.

create table @extschema@.ai_notifications (
  id bigint generated always as identity primary key,
  kind text not null check (char_length(kind) between 1 and 100),
  model_name text check (char_length(model_name) between 1 and 200),
  payload jsonb not null,
  status text not null default 'pending' check (status in ('pending', 'claimed', 'delivered', 'failed')),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null default current_user,
  claimed_by text,
  claimed_until timestamptz,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz,
  last_error text
);

create index ai_notifications_open_idx on @extschema@.ai_notifications (next_attempt_at, id)
  where status in ('pending', 'claimed');
create index ai_notifications_created_idx on @extschema@.ai_notifications (model_name, created_at desc);
