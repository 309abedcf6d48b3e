-- Corrections: a person's word about one row.

create function @extschema@.submit_intent_correction(
  p_training_data_id uuid,
  p_correct_intent text,
  p_correct_response text default null,
  p_should_escalate boolean default false,
  p_notes text default null,
  p_corrector_id uuid default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_row @extschema@.ai_training_data;
  v_intent text := btrim(p_correct_intent, E' \t\r\n');
  -- A form that was left empty says nothing of the answer.
  v_response text := case when btrim(p_correct_response, E' \t\r\n') <> '' then p_correct_response end;
  v_mismatch boolean;
begin
  -- Of nothing but blanks, which Unicode has many of.
  if v_intent is null or @extschema@.retrain_identity_text(v_intent) = '' then
    raise exception 'p_correct_intent is missing'
      using errcode = 'invalid_parameter_value',
        detail = case when p_correct_intent is null then 'The intent given is null.'
          else 'The intent given is blank.' end,
        hint = 'Pass the intent that the message really has.';
  end if;
  if octet_length(v_intent) > 1024 then
    raise exception 'p_correct_intent is too long'
      using errcode = 'invalid_parameter_value',
        detail = format('It has %s bytes.', octet_length(v_intent)),
        hint = 'An intent has at most 1024 bytes; notes have a place of their own, p_notes.';
  end if;

  select d.* into v_row
  from @extschema@.ai_training_data d
  where d.id = p_training_data_id
  for update;
  if not found then
    -- A row that may be read and not changed is none that is not there.
    perform @extschema@.retrain_require_level(d.model_name, 'reviewer')
    from @extschema@.ai_training_data d
    where d.id = p_training_data_id;
    return jsonb_build_object('success', false, 'error', 'Training data not found');
  end if;
  perform @extschema@.retrain_require_level(v_row.model_name, 'reviewer');
  v_mismatch := v_row.detected_intent is distinct from v_intent;

  insert into @extschema@.ai_intent_corrections (
    training_data_id, original_intent, corrected_intent, original_response, corrected_response, correction_notes,
    should_have_escalated, corrected_by, confidence_at_detection, user_message, was_mismatch, model_name)
  values (
    v_row.id, v_row.detected_intent, v_intent, v_row.ai_response, v_response, p_notes,
    coalesce(p_should_escalate, false), p_corrector_id, v_row.confidence_score, v_row.user_message, v_mismatch,
    v_row.model_name);

  update @extschema@.ai_training_data d
  set correct_intent = v_intent,
    correct_response = coalesce(v_response, d.correct_response),
    response_correct = case when v_response is null then d.response_correct
      else v_response is not distinct from d.ai_response end,
    corrected_by_human = true,
    corrected_by = p_corrector_id,
    corrected_at = clock_timestamp(),
    escalated = d.escalated or coalesce(p_should_escalate, false),
    dataset_status = 'reviewed'
  where d.id = v_row.id;
  if not found then
    raise exception 'the message was not corrected'
      using errcode = 'object_not_in_prerequisite_state',
        detail = 'A trigger on ai_training_data left out the update.',
        hint = 'Look at the triggers of ai_training_data that the application has added.';
  end if;

  return jsonb_build_object(
    'success', true,
    'was_mismatch', v_mismatch,
    'original_intent', v_row.detected_intent,
    'correct_intent', v_intent);
end
$function$;

-- Corrections are history. They leave only with the row they are about.
create function @extschema@.retrain_corrections_append_only() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if tg_op = 'DELETE'
    and not exists (select from @extschema@.ai_training_data d where d.id = old.training_data_id)
  then
    return old;
  end if;
  raise exception 'corrections are append-only'
    using errcode = 'object_not_in_prerequisite_state',
      detail = format('An attempt was made to %s correction %s.', lower(tg_op), old.id),
      hint = 'Submit another correction; deleting the training row deletes its corrections too.';
end
$function$;

-- What belongs to deleted rows leaves with them; feedback stays, without its row. Of the duplicates that clean_dataset() has
-- rejected for a deleted row's sake the best one takes its place, in the order of clean_dataset(), and the others become its
-- duplicates. SECURITY DEFINER, since no level may delete corrections by itself.
create function @extschema@.retrain_training_data_after_delete() returns trigger
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_orphans uuid[];
begin
  delete from @extschema@.ai_intent_corrections c
  using deleted_rows d
  where c.training_data_id = d.id;
  delete from @extschema@.ai_review_leases l
  using deleted_rows d
  where l.training_data_id = d.id;
  update @extschema@.ai_feedback f
  set training_data_id = null
  from deleted_rows d
  where f.training_data_id = d.id;

  select array_agg(x.id) into v_orphans
  from @extschema@.ai_training_data x
  join deleted_rows d on d.id = x.duplicate_of and d.model_name = x.model_name
  where x.duplicate_of is not null and x.dataset_status = 'rejected';
  if v_orphans is not null then
    with recursive chain (id, gone, up, refused) as (
      select x.id, d.id, d.duplicate_of, d.dataset_status = 'rejected' and d.duplicate_of is null
      from @extschema@.ai_training_data x
      join deleted_rows d on d.id = x.duplicate_of
      where x.id = any (v_orphans)
      union
      -- The row that was kept may have been another's duplicate itself by then.
      select c.id, d.id, d.duplicate_of, d.dataset_status = 'rejected' and d.duplicate_of is null
      from chain c
      join deleted_rows d on d.id = c.up
    ), placed as (
      select x.id, c.refused, k.id as kept, row_number() over w as place, first_value(x.id) over w as first_id
      from chain c
      join @extschema@.ai_training_data x on x.id = c.id
      left join @extschema@.ai_training_data k on k.id = c.up
      where not exists (select from deleted_rows d where d.id = c.up)
      window w as (
        partition by c.gone, x.text_key, coalesce(x.correct_intent, x.detected_intent)
        order by x.correct_intent is not null or x.intent_correct is distinct from false desc,
          x.corrected_by_human and x.correct_intent is not null desc,
          x.corrected_by_human or x.intent_correct is not null desc,
          case when x.corrected_by_human and x.correct_intent is not null then coalesce(x.corrected_at, x.created_at)
            else x.created_at end desc,
          x.created_at desc, x.id)
    )
    update @extschema@.ai_training_data x
    set
      dataset_status = case
        when p.refused or p.kept is not null or p.place > 1 then x.dataset_status
        when x.corrected_by_human or x.intent_correct is not null then 'reviewed'
        else 'pending' end,
      -- A row that was rejected for its own sake leaves that to its duplicates: the text does not come back.
      duplicate_of = case when p.refused then null when p.kept is not null then p.kept when p.place > 1 then p.first_id end
    from placed p
    where x.id = p.id;
  end if;
  return null;
end
$function$;

-- The same for all rows at once.
create function @extschema@.retrain_training_data_after_truncate() returns trigger
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $function$
begin
  delete from @extschema@.ai_intent_corrections;
  delete from @extschema@.ai_review_leases;
  update @extschema@.ai_feedback f set training_data_id = null where f.training_data_id is not null;
  return null;
end
$function$;
