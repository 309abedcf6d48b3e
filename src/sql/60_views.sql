-- Views. Each one names the models its reader may see: on PostgreSQL 14 a view reads with its owner's rights, and the
-- tables' own policies would not hold behind it. From 15 on the views are security_invoker as well (90_access.sql).
-- security_barrier: no function in a reader's own WHERE is shown a row before that condition.
-- Tables are joined by the model's name besides the id: an id of another model's row is easily written into one's own.

-- Which models the current user may use at which level; model_name null stands for models that do not exist yet.
-- It must stay a view of its owner: it answers who may see a table from tables that its reader may not see.
create view @extschema@.ai_access_scope with (security_barrier = true) as
select s.model_name, i.level
from @extschema@.ai_access_grants g
join pg_catalog.pg_roles r on r.rolname = g.role_name
join (
  values
    ('reader', 'reader'),
    ('predictor', 'predictor'),
    ('recorder', 'recorder'), ('recorder', 'predictor'),
    ('reviewer', 'reviewer'), ('reviewer', 'recorder'), ('reviewer', 'predictor'), ('reviewer', 'reader'),
    ('trainer', 'trainer'), ('trainer', 'reviewer'), ('trainer', 'recorder'), ('trainer', 'predictor'),
    ('trainer', 'reader'),
    ('admin', 'admin'), ('admin', 'trainer'), ('admin', 'reviewer'), ('admin', 'recorder'), ('admin', 'predictor'),
    ('admin', 'reader')
) i (held, level) on i.held = g.level
cross join lateral (
  select g.model_name
  union all
  select m.model_name from @extschema@.ai_models m where g.model_name is null
  union all
  select 'default' where g.model_name is null
) s (model_name)
where pg_catalog.pg_has_role(r.oid, 'usage');

-- The rows a model learns from, with the label it learns.
create view @extschema@.ai_labelled_data with (security_barrier = true) as
select
  d.id,
  d.model_name,
  d.user_message,
  coalesce(d.correct_intent, d.detected_intent) as intent,
  coalesce(d.correct_response, d.ai_response) as response,
  d.confidence_score,
  d.category,
  d.corrected_by_human as was_corrected,
  d.escalated as was_escalated,
  d.created_at,
  d.updated_at,
  d.text_key,
  d.split,
  d.corrected_by_human and d.correct_intent is not null as human,
  d.corrected_by_human or d.intent_correct is not null or d.dataset_status in ('reviewed', 'approved') as reviewed,
  d.intent_correct,
  d.dataset_status,
  d.included_in_training_run,
  d.corrected_at,
  d.label_changed_at,
  -- When the label was given, as far as that is known: a person's later word counts, whichever message it is about.
  case when d.corrected_by_human and d.correct_intent is not null then coalesce(d.corrected_at, d.created_at)
    else d.created_at end as labelled_at
from @extschema@.ai_training_data d
left join @extschema@.ai_models m on m.model_name = d.model_name
where d.dataset_status <> 'rejected'
  -- "UNCERTAIN" is what a decision says when there is none: applications record decisions.
  and coalesce(d.correct_intent, d.detected_intent) not in ('unknown', 'UNCERTAIN')
  and pg_catalog.btrim(coalesce(d.correct_intent, d.detected_intent), E' \t\r\n') <> ''
  -- marked wrong, and nobody has said what is right
  and (d.correct_intent is not null or d.intent_correct is distinct from false)
  -- the model's own guess, which nobody has confirmed
  and (d.model_version_id is null or d.intent_correct is not null or d.dataset_status in ('reviewed', 'approved'))
  and (m.label_source is distinct from 'reviewed'
    or d.corrected_by_human or d.intent_correct is not null or d.dataset_status in ('reviewed', 'approved'))
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')));

create view @extschema@.ai_model_metadata with (security_barrier = true) as
select
  v.version,
  v.accuracy,
  v.f1_score,
  v.is_active,
  v.training_timestamp,
  v.metrics,
  v.model_name,
  v.confidence_threshold,
  v.status,
  v.created_at,
  v.id,
  v.run_id,
  v.algorithm,
  v.labels,
  v.training_samples,
  v.artifact_sha256,
  v.artifact_bytes,
  v.created_by
from @extschema@.ai_model_versions v
where (select @extschema@.retrain_unrestricted())
  or v.model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader'));

create view @extschema@.ai_training_progress with (security_barrier = true) as
select p.pid, p.model_name, p.phase, p.done, p.total, p.percent, p.started_at
from @extschema@.retrain_progress() p
where (select @extschema@.retrain_unrestricted())
  or p.model_name = any (array(
    select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader'));
