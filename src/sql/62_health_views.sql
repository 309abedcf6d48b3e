-- What retraining by itself is doing, one row per model. See 60_views.sql.

-- A model that has been due for a quarter of an hour and is not being trained has been forgotten by its scheduler.
create view @extschema@.ai_retraining_health with (security_barrier = true) as
select
  m.model_name,
  case
    when not m.enabled then 'disabled'
    when t.training then 'training'
    when (n.verdict ->> 'due')::boolean
      and (n.verdict ->> 'due_since')::timestamptz < pg_catalog.clock_timestamp() - interval '15 minutes'
      then 'due but not run'
    when (n.verdict ->> 'due')::boolean then 'due'
    when r.status = 'failed' then 'failed'
    else 'ok'
  end as status,
  (n.verdict ->> 'due')::boolean as due,
  (n.verdict ->> 'due_since')::timestamptz as due_since,
  n.verdict ->> 'reason' as reason,
  (n.verdict ->> 'new_samples')::bigint as new_samples,
  m.auto_retrain_threshold as threshold,
  t.training,
  r.created_at as last_run_at,
  r.status as last_run_status,
  r.deployed as last_run_deployed,
  r.error_message as last_error,
  (n.verdict ->> 'last_trained_at')::timestamptz as last_trained_at,
  j.schedule
from @extschema@.ai_models m
cross join lateral (select @extschema@.should_retrain(m.model_name) as verdict) n
cross join lateral (
  select exists (
    select
    from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
      and (l.classid::bigint << 32 | l.objid::bigint)
        -- retrain_lock(m.model_name, 3): cleaning a dataset and forgetting a user hold the lock of a training, too.
        = pg_catalog.hashtextextended(m.model_name, 8243122563478712323)
  ) as training
) t
left join lateral (
  select o.created_at, o.status, o.deployed, o.error_message
  from @extschema@.ai_training_runs o
  where o.model_name = m.model_name
  order by o.created_at desc, o.id
  limit 1
) r on true
left join lateral (
  -- The model's own job before the one for all models.
  select s.schedule
  from @extschema@.retrain_scheduled_jobs() s
  where s.active and s.job_name in (
    @extschema@.retrain_job_name('retraining', m.model_name), @extschema@.retrain_job_name('retraining', null))
  order by pg_catalog.length(s.job_name) desc
  limit 1
) j on true
where (select @extschema@.retrain_unrestricted())
  or m.model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader'));
