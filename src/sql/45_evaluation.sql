-- Evaluation: what a message is about, and what it says of the answer before it.

-- The category of a message by ai_category_rules, from its words.
create function @extschema@.retrain_categorise(p_words text) returns text
  language c stable strict parallel safe cost 200
  as 'MODULE_PATHNAME', 'retrain_categorise';

-- What the next message says of an answer, by ai_quality_rules, from its words. No rule: neutral, and no success.
create function @extschema@.retrain_judge(
  p_words text,
  out quality_score smallint,
  out was_successful boolean)
  language c stable strict parallel safe cost 200
  as 'MODULE_PATHNAME', 'retrain_judge';

-- The rows that record_interaction() looks for.
create function @extschema@.retrain_interaction_by_key(p_model_name text, p_idempotency_key text) returns uuid
  language c stable strict parallel restricted cost 10
  as 'MODULE_PATHNAME', 'retrain_interaction_by_key';

create function @extschema@.retrain_unjudged_turn(
  p_model_name text,
  p_conversation_id text,
  p_id uuid,
  p_created_at timestamptz
) returns uuid
  language c stable strict parallel restricted cost 10
  as 'MODULE_PATHNAME', 'retrain_unjudged_turn';

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
    perform @extschema@.retrain_require_level(d.model_name, 'recorder')
    from @extschema@.ai_training_data d
    where d.id = p_training_data_id;
    if found then
      raise exception 'the answer was not evaluated'
        using errcode = 'object_not_in_prerequisite_state',
          detail = 'A trigger on ai_training_data left out the update.',
          hint = 'Look at the triggers of ai_training_data that the application has added.';
    end if;
    return jsonb_build_object('success', false, 'error', 'Training data not found');
  end if;
  return jsonb_build_object(
    'quality_score', v_verdict.quality_score, 'was_successful', v_verdict.was_successful);
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

create function @extschema@.retrain_prompt_before_write() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if tg_op = 'INSERT' then
    -- Where nothing is said: a row that is restored keeps what it says.
    new.activated_at := coalesce(new.activated_at, new.created_at, clock_timestamp());
  elsif new.is_active then
    new.activated_at := clock_timestamp();
    new.deactivated_at := null;
  else
    new.deactivated_at := clock_timestamp();
  end if;
  return new;
end
$function$;
