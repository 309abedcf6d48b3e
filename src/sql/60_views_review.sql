-- Views of review, with the columns of the systems this replaces first. 60_views.sql says why each one names the models
-- its reader may see. There is no table of users here: user_username and corrected_by_username are the ids as stored.

-- The first page comes from ai_training_data_review_idx in its order.
create view @extschema@.v_pending_review with (security_barrier = true) as
select
  d.id,
  d.user_message,
  d.detected_intent,
  d.correct_intent,
  d.ai_response,
  d.confidence_score,
  d.category,
  d.escalated,
  d.intent_correct,
  d.dataset_status,
  d.created_at,
  d.user_id as user_username,
  d.model_name,
  d.conversation_id,
  d.quality_score,
  d.was_successful,
  d.user_feedback
from @extschema@.ai_training_data d
where d.dataset_status = 'pending'
  and not d.corrected_by_human
  and d.intent_correct is null
  and not exists (
    select from @extschema@.ai_training_data r
    where r.text_key = d.text_key and r.model_name is not distinct from d.model_name
      and r.dataset_status = 'rejected' and r.duplicate_of is null
    offset 0)
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')))
order by d.confidence_score asc nulls first, d.created_at desc;

create view @extschema@.v_classification_errors with (security_barrier = true) as
select
  d.id,
  d.user_message,
  d.detected_intent as ai_said,
  d.correct_intent as should_be,
  d.confidence_score,
  d.ai_response,
  d.correct_response,
  d.category,
  d.created_at,
  c.correction_notes,
  d.corrected_by::text as corrected_by_username,
  d.model_name,
  d.corrected_at
from @extschema@.ai_training_data d
left join lateral (
  -- A row corrected twice is still one error.
  select i.correction_notes
  from @extschema@.ai_intent_corrections i
  where i.training_data_id = d.id and i.model_name = d.model_name
  order by i.created_at desc
  limit 1
) c on true
-- in the words of the index of what somebody has looked at
where d.intent_correct is not null
  and not d.intent_correct
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')))
order by d.created_at desc;

create view @extschema@.v_intent_performance with (security_barrier = true) as
select
  coalesce(d.correct_intent, d.detected_intent) as intent,
  count(*) as total_samples,
  count(*) filter (where d.intent_correct) as correct_classifications,
  count(*) filter (where not d.intent_correct) as misclassifications,
  round(100.0 * count(*) filter (where d.intent_correct)
    / nullif(count(*) filter (where d.intent_correct is not null), 0), 1) as accuracy,
  round(avg(d.confidence_score), 1) as avg_confidence,
  count(*) filter (where d.escalated) as escalation_count,
  count(*) filter (where d.corrected_by_human) as human_corrections,
  d.model_name
from @extschema@.ai_training_data d
where d.created_at >= now() - interval '30 days'
  -- not yet, where it is dated ahead; the transaction's time is older than what it recorded itself
  and d.created_at <= clock_timestamp()
  and ((select @extschema@.retrain_unrestricted())
    or d.model_name = any (array(
      select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader')))
group by d.model_name, coalesce(d.correct_intent, d.detected_intent)
order by count(*) desc, d.model_name, coalesce(d.correct_intent, d.detected_intent);
