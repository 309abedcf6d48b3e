-- Evaluation: what a message is about, and what it says of the answer before it.

-- The category of a message by ai_category_rules, from its words.
create function @extschema@.retrain_categorise(p_words text) returns text
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return coalesce((
    select r.category
    from @extschema@.ai_category_rules r
    where r.enabled
      and @extschema@.retrain_says(p_words, r.phrases)
      and not (r.shipped and exists (
        select from @extschema@.ai_category_rules u where u.id = r.id and not u.shipped))
    order by r.priority, r.id
    limit 1), 'general');
end
$function$;

-- What the next message says of an answer, by ai_quality_rules, from its words. No rule: neutral, and no success.
create function @extschema@.retrain_judge(
  p_words text,
  out quality_score smallint,
  out was_successful boolean)
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_rule record;
begin
  for v_rule in
    select r.quality_score as score, r.was_successful as success
    from @extschema@.ai_quality_rules r
    where r.enabled
      and @extschema@.retrain_says(p_words, r.phrases)
      and not (r.shipped and exists (
        select from @extschema@.ai_quality_rules u where u.id = r.id and not u.shipped))
    order by r.priority, r.id
  loop
    quality_score := coalesce(quality_score, v_rule.score);
    was_successful := coalesce(was_successful, v_rule.success);
  end loop;
  quality_score := coalesce(quality_score, 3);
  was_successful := coalesce(was_successful, false);
end
$function$;

create function @extschema@.evaluate_interaction(
  p_training_data_id uuid,
  p_next_user_message text
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_verdict record;
  v_id uuid;
begin
  if p_next_user_message is null then
    raise exception 'p_next_user_message is null'
      using errcode = 'invalid_parameter_value', hint = 'Pass the text that the user wrote after the answer.';
  end if;
  v_verdict := @extschema@.retrain_judge(@extschema@.retrain_words(p_next_user_message));
  update @extschema@.ai_training_data d
  set quality_score = v_verdict.quality_score,
    was_successful = v_verdict.was_successful,
    user_feedback = p_next_user_message,
    evaluated_at = clock_timestamp()
  where d.id = p_training_data_id
  returning d.id into v_id;
  if v_id is null then
    return jsonb_build_object('success', false, 'error', 'Training data not found');
  end if;
  return jsonb_build_object(
    'quality_score', v_verdict.quality_score, 'was_successful', v_verdict.was_successful);
end
$function$;

-- Evaluates the turn before p_id in its conversation, unless that has been done. A row that somebody else is changing at
-- this moment is left alone: recording a message waits for nobody.
create function @extschema@.retrain_evaluate_previous(
  p_model_name text,
  p_conversation_id text,
  p_id uuid,
  p_created_at timestamptz,
  p_message text,
  p_words text
) returns boolean
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_previous record;
  v_verdict record;
begin
  select d.id, d.evaluated_at into v_previous
  from @extschema@.ai_training_data d
  where d.model_name = p_model_name
    and d.conversation_id = p_conversation_id
    and d.created_at <= p_created_at
    and d.id <> p_id
  order by d.created_at desc
  limit 1;
  if not found or v_previous.evaluated_at is not null then
    return false;
  end if;
  v_verdict := @extschema@.retrain_judge(p_words);
  update @extschema@.ai_training_data d
  set quality_score = v_verdict.quality_score,
    was_successful = v_verdict.was_successful,
    user_feedback = p_message,
    evaluated_at = clock_timestamp()
  where d.id = (
    select l.id
    from @extschema@.ai_training_data l
    where l.id = v_previous.id and l.evaluated_at is null
    for update skip locked);
  return found;
end
$function$;

-- A changed rule is the user's own, so that a dump carries the change; see 31_rules.sql.
create function @extschema@.retrain_shipped_rule_before_change() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_replaced boolean;
begin
  if tg_op = 'DELETE' then
    raise exception 'rule % is shipped', old.id
      using errcode = 'object_not_in_prerequisite_state', detail = 'The next restore would bring it back.',
        hint = 'Switch it off: set enabled = false.';
  end if;
  execute format('select exists (select from %I.%I r where r.id = $1 and not r.shipped)', tg_table_schema, tg_table_name)
    into v_replaced using old.id;
  if v_replaced then
    return null;
  end if;
  new.shipped := false;
  return new;
end
$function$;

create function @extschema@.retrain_prompt_before_update() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if new.is_active then
    new.activated_at := clock_timestamp();
    new.deactivated_at := null;
  else
    new.deactivated_at := clock_timestamp();
  end if;
  return new;
end
$function$;
