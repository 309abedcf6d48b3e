-- Capture: one durable row per interaction.

create function @extschema@.retrain_check_model_name(p_model_name text) returns void
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_model_name is null or char_length(p_model_name) not between 1 and 200 then
    raise exception 'a model name has 1 to 200 characters'
      using errcode = 'invalid_parameter_value',
        detail = case when p_model_name is null then 'The name given is null.'
          else format('The name given has %s characters.', char_length(p_model_name)) end,
        hint = 'Pass p_model_name, or leave it out for the model "default".';
  end if;
end
$function$;

-- Refuses a model on which the current user's levels are not enough, as the policies of the tables would, which would say less.
create function @extschema@.retrain_require_level(p_model_name text, p_level text) returns void
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if @extschema@.retrain_unrestricted() or exists (
    select from @extschema@.ai_access_scope s
    where s.level = p_level and (s.model_name is null or s.model_name = p_model_name))
  then
    return;
  end if;
  raise exception 'level % on model "%" is missing', p_level, coalesce(p_model_name, 'null')
    using errcode = 'insufficient_privilege',
      detail = coalesce(format('%I has it on ', current_user) || (
        select string_agg(distinct format('"%s"', s.model_name), ', ')
        from @extschema@.ai_access_scope s
        where s.level = p_level) || '.', format('%I has it on no model.', current_user)),
      hint = format('Ask an administrator for grant_retrain_access(%L, %L, %L), or pass another p_model_name.',
        current_user, p_level, p_model_name);
end
$function$;

-- A label that a person gives is a reviewer's of that model: columns are granted for all models at once, and a recorder of one
-- that is a reviewer of another has them.
create function @extschema@.retrain_check_labeller() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform @extschema@.retrain_require_level(new.model_name, 'reviewer');
  return new;
end
$function$;

-- The end of a policy's condition: what nothing before it has allowed is refused with the words above. True of no row.
create function @extschema@.retrain_refuse_level(p_model_name text, p_level text) returns boolean
  language plpgsql stable parallel safe cost 10000
  set search_path = pg_catalog, pg_temp
as $function$
begin
  perform @extschema@.retrain_require_level(p_model_name, p_level);
  return false;
end
$function$;

-- Creates the model's row at its first use. No conflict target and no RETURNING: both would ask a role for the right
-- to read a row that its grants only show once it exists.
create function @extschema@.retrain_ensure_model(p_model_name text) returns void
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if not exists (select from @extschema@.ai_models m where m.model_name = p_model_name) then
    perform @extschema@.retrain_check_model_name(p_model_name);
    perform @extschema@.retrain_require_level(p_model_name, 'recorder');
    insert into @extschema@.ai_models (model_name) values (p_model_name) on conflict do nothing;
  end if;
end
$function$;

-- Models whose messages came by an ordinary INSERT: no trigger makes their rows, since a restore would then find them there
-- before its own. One look at an index for each model.
create function @extschema@.retrain_adopt_models() returns void
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  insert into @extschema@.ai_models (model_name)
  with recursive names (model_name) as (
    (select d.model_name from @extschema@.ai_training_data d order by d.model_name limit 1)
    union all
    select (
      select d.model_name
      from @extschema@.ai_training_data d
      where d.model_name > n.model_name
      order by d.model_name
      limit 1)
    from names n
    where n.model_name is not null)
  select n.model_name
  from names n
  where n.model_name is not null
    and not exists (select from @extschema@.ai_models m where m.model_name = n.model_name)
  on conflict do nothing;
end
$function$;

create function @extschema@.record_interaction(
  p_user_message text,
  p_ai_response text default null,
  p_detected_intent text default null,
  p_confidence_score integer default null,
  p_model_name text default 'default',
  p_conversation_id text default null,
  p_message_id text default null,
  p_user_id text default null,
  p_session_id text default null,
  p_category text default null,
  p_escalated boolean default false,
  p_escalation_reason text default null,
  p_response_source text default null,
  p_response_time_ms integer default null,
  p_product_id text default null,
  p_product_name text default null,
  p_context jsonb default null,
  p_source text default 'live',
  p_idempotency_key text default null
) returns uuid
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  c_blank constant text := E' \t\r\n';
  v_id uuid;
  -- Many applications have '' where nothing is known. It names no intent, no category, and above all no message and no
  -- conversation: as a key it would swallow every message but the first, and strangers would judge each other's answers.
  -- An intent is none either when nothing of it can be seen, such as a no-break space.
  v_intent text := case when @extschema@.retrain_identity_text(p_detected_intent) <> '' then p_detected_intent end;
  v_category text := case when btrim(p_category, c_blank) <> '' then p_category end;
  v_conversation_id text := case when btrim(p_conversation_id, c_blank) <> '' then p_conversation_id end;
  v_key text := case when btrim(p_idempotency_key, c_blank) <> '' then p_idempotency_key end;
  v_confidence integer := p_confidence_score;
  v_created_at timestamptz;
  v_words text;
  v_predicted @extschema@.ai_intent_prediction;
begin
  if p_user_message is null then
    raise exception 'p_user_message is null'
      using errcode = 'invalid_parameter_value', hint = 'Pass the text the user wrote.';
  end if;
  if octet_length(p_detected_intent) > 1024 then
    raise exception 'p_detected_intent is too long'
      using errcode = 'invalid_parameter_value',
        detail = format('It has %s bytes.', octet_length(p_detected_intent)),
        hint = 'An intent has at most 1024 bytes.';
  end if;
  -- They are keys of indexes, which take no more.
  if greatest(octet_length(v_key), octet_length(v_conversation_id)) > 1024 then
    raise exception '% is too long', case when octet_length(v_key) > 1024 then 'p_idempotency_key' else 'p_conversation_id' end
      using errcode = 'invalid_parameter_value',
        detail = format('It has %s bytes.',
          case when octet_length(v_key) > 1024 then octet_length(v_key) else octet_length(v_conversation_id) end),
        hint = 'It has at most 1024 bytes; pass a digest of what is longer.';
  end if;
  if p_confidence_score not between 0 and 100 then
    raise exception 'p_confidence_score is out of range'
      using errcode = 'invalid_parameter_value',
        detail = format('The score given is %s.', p_confidence_score),
        hint = 'It is a whole number from 0 to 100.';
  end if;
  if p_response_time_ms < 0 then
    raise exception 'p_response_time_ms is negative'
      using errcode = 'invalid_parameter_value', detail = format('The time given is %s.', p_response_time_ms);
  end if;
  if p_response_source not in ('faq', 'llm', 'local_model', 'cache', 'agent_learning', 'reasoning', 'escalation') then
    raise exception 'p_response_source is not a known source'
      using errcode = 'invalid_parameter_value',
        detail = format('The source given is "%s".', p_response_source),
        hint = 'Use faq, llm, local_model, cache, agent_learning, reasoning or escalation.';
  end if;
  if p_source is null or p_source not in ('live', 'imported', 'synthetic') then
    raise exception 'p_source is not a known source'
      using errcode = 'invalid_parameter_value',
        detail = format('The source given is %s.', coalesce('"' || p_source || '"', 'null')),
        hint = 'Use live, imported or synthetic.';
  end if;
  -- The insert below finds a key that is taken by itself; looking first only spares the work.
  if v_key is not null then
    v_id := @extschema@.retrain_interaction_by_key(p_model_name, v_key);
    if v_id is not null then
      return v_id;
    end if;
  end if;

  if v_intent is null then
    -- A model that cannot be read, or that needs an embedding, costs the guess, never the message.
    begin
      v_predicted := @extschema@.predict_intent(p_user_message, p_model_name, 1);
      if v_predicted.model_trained then
        v_intent := v_predicted.predicted_intent;
        v_confidence := coalesce(v_confidence, round(v_predicted.confidence * 100)::integer);
      end if;
    exception when data_corrupted or feature_not_supported or out_of_memory or invalid_parameter_value then
      if p_model_name is null then
        raise;
      end if;
      raise warning 'the message was recorded without a prediction'
        using errcode = sqlstate, detail = sqlerrm, hint = case sqlstate
          when '22023' then 'Pass what predict_intent() gives with p_embedding, or name an intent model in p_model_name.'
          else 'Promote another version of the model.' end;
    end;
  end if;

  -- A model that answers has its row.
  if v_predicted.model_trained is not true
    and not exists (select from @extschema@.ai_models m where m.model_name = p_model_name)
  then
    perform @extschema@.retrain_ensure_model(p_model_name);
  end if;

  if v_category is null or v_conversation_id is not null then
    v_words := @extschema@.retrain_words(p_user_message);
  end if;

  -- A second try is only needed when the row that took our key is deleted before we read it.
  for v_try in 1 .. 10 loop
    insert into @extschema@.ai_training_data (
      user_message, ai_response, detected_intent, confidence_score, model_name, model_version_id, conversation_id,
      message_id, user_id, session_id, category, escalated, escalation_reason, response_source, response_time_ms,
      product_id, product_name, context, source, idempotency_key)
    values (
      p_user_message, p_ai_response, v_intent, v_confidence, p_model_name,
      -- The version whose guess the row has.
      (select v.id from @extschema@.ai_model_versions v
        where v.model_name = p_model_name and v.version = v_predicted.model_version),
      v_conversation_id,
      p_message_id, p_user_id, p_session_id, coalesce(v_category, @extschema@.retrain_categorise(v_words)),
      coalesce(p_escalated, false), p_escalation_reason,
      p_response_source, p_response_time_ms, p_product_id, p_product_name, p_context, p_source, v_key)
    on conflict (model_name, idempotency_key) do nothing
    returning ai_training_data.id, ai_training_data.created_at into v_id, v_created_at;
    if found then
      -- The message says what its author thinks of the answer before it, unless that has been judged.
      if v_conversation_id is not null then
        -- A row that somebody else is changing at this moment is left alone: recording a message waits for nobody.
        update @extschema@.ai_training_data d
        set (quality_score, was_successful) = (
            select j.quality_score, j.was_successful from @extschema@.retrain_judge(v_words) j),
          user_feedback = p_user_message,
          evaluated_at = clock_timestamp()
        where d.id = (
          select l.id
          from @extschema@.ai_training_data l
          where l.id = @extschema@.retrain_unjudged_turn(p_model_name, v_conversation_id, v_id, v_created_at)
            and l.evaluated_at is null
          for update skip locked);
      end if;
    else
      v_id := @extschema@.retrain_interaction_by_key(p_model_name, v_key);
    end if;
    exit when v_id is not null;
  end loop;
  return v_id;
end
$function$;

-- Keeps intent_correct true to the columns, and updated_at, corrected_at and label_changed_at current.
create function @extschema@.retrain_training_data_before_write() returns trigger
  language c volatile
  as 'MODULE_PATHNAME', 'retrain_training_data_before_write';

create function @extschema@.retrain_touch_updated_at() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  new.updated_at := clock_timestamp();
  return new;
end
$function$;
