-- A dataset as lines of text.

-- What the exports below take, the newest first: chats by their message, a classifier's rows by their label, since of several
-- of one text the newest is learnt.
create function @extschema@.retrain_export_rows(
  p_min_quality integer,
  p_only_reviewed boolean,
  p_limit integer,
  p_model_name text,
  p_need_response boolean
) returns table (
    place bigint,
    user_message text,
    intent text,
    response text,
    category text,
    confidence_score integer,
    was_corrected boolean,
    was_escalated boolean,
    product_name text,
    quality_score smallint)
  language plpgsql stable parallel safe cost 10000 rows 10000
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off
  set jit = off
as $function$
begin
  perform @extschema@.retrain_require_messages(p_model_name);
  if p_min_quality not between 1 and 5 then
    raise exception 'p_min_quality is out of range'
      using errcode = 'invalid_parameter_value', detail = format('The score given is %s.', p_min_quality),
        hint = 'It is a whole number from 1 to 5; null takes every row.';
  end if;
  if p_limit < 0 then
    raise exception 'p_limit is negative'
      using errcode = 'invalid_parameter_value', detail = format('The limit given is %s.', p_limit),
        hint = 'Pass null for no limit.';
  end if;
  return query
  select row_number() over (
      order by case when not p_need_response then l.labelled_at end desc, d.created_at desc, d.id),
    d.user_message, l.intent, a.response, d.category,
    d.confidence_score, d.corrected_by_human, d.escalated, d.product_name, d.quality_score
  from @extschema@.ai_training_data d
  left join @extschema@.ai_labelled_data l on l.id = d.id and l.model_name = p_model_name
  cross join lateral (select coalesce(d.correct_response, d.ai_response)) a (response)
  where d.model_name = p_model_name
    and d.user_message ~ '[^[:space:]]'
    and (p_min_quality is null or d.quality_score >= p_min_quality)
    and (p_only_reviewed is not true
      or d.corrected_by_human or d.intent_correct is not null or d.dataset_status in ('reviewed', 'approved'))
    -- A chat needs an answer and no intent, a classifier's row an intent and no answer.
    and case when p_need_response
      then btrim(a.response) <> '' and d.dataset_status <> 'rejected'
        and (d.correct_response is not null or d.response_correct is distinct from false)
      else l.id is not null end
  order by 1
  limit p_limit;
end
$function$;

-- The system message of chat lines where the caller gives none: the third system's, without its shop's name.
create function @extschema@.retrain_system_prompt() returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select 'Eres un asistente de ventas experto. Respondes de manera natural, amigable y profesional.'
$function$;

-- As Python's csv.writer quotes: only what has to be.
create function @extschema@.retrain_csv_field(p_value text) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select case
    when p_value is null then ''
    when p_value ~ E'[",\r\n]' then '"' || replace(p_value, '"', '""') || '"'
    else p_value end
$function$;

-- One line per row of the result: jsonl and csv (with its header) as the first system wrote them, chat_jsonl as the
-- third one did.
create function @extschema@.export_training_dataset(
  p_format text default 'jsonl',
  p_min_quality integer default null,
  p_only_reviewed boolean default false,
  p_system_prompt text default null,
  p_limit integer default null,
  p_model_name text default 'default'
) returns setof text
  language plpgsql stable parallel safe cost 10000 rows 10000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_prompt text := coalesce(p_system_prompt, @extschema@.retrain_system_prompt());
begin
  if p_format is null or p_format not in ('jsonl', 'chat_jsonl', 'csv') then
    raise exception 'p_format is not a known format'
      using errcode = 'invalid_parameter_value',
        detail = format('The format given is %s.', coalesce('"' || p_format || '"', 'null')),
        hint = 'Use jsonl, chat_jsonl or csv.';
  end if;
  if p_format = 'chat_jsonl' then
    return query
    select format('{"messages":[%s{"role":"user","content":%s},{"role":"assistant","content":%s}],'
      '"metadata":{"category":%s,"productName":%s,"qualityScore":%s}}',
      case when v_prompt = '' then '' else format('{"role":"system","content":%s},', to_json(v_prompt)) end,
      to_json(r.user_message), to_json(r.response), coalesce(to_json(r.category)::text, 'null'),
      coalesce(to_json(r.product_name)::text, 'null'), coalesce(r.quality_score::text, 'null'))
    from @extschema@.retrain_export_rows(p_min_quality, p_only_reviewed, p_limit, p_model_name, true) r
    order by r.place;
  elsif p_format = 'jsonl' then
    return query
    select format('{"messages": [{"role": "user", "content": %s}, {"role": "assistant", "content": %s}], "intent": %s, '
      '"category": %s, "confidence": %s, "was_corrected": %s}',
      to_json(r.user_message), to_json(coalesce(r.response, '')), to_json(r.intent), to_json(coalesce(r.category, '')),
      coalesce(r.confidence_score, 0), to_json(r.was_corrected))
    from @extschema@.retrain_export_rows(p_min_quality, p_only_reviewed, p_limit, p_model_name, false) r
    order by r.place;
  else
    return query
    select x.line
    from (
      select 0 as place, 'user_message,intent,response,category,confidence,was_corrected,was_escalated' as line
      union all
      select r.place, concat_ws(',', @extschema@.retrain_csv_field(r.user_message),
        @extschema@.retrain_csv_field(r.intent), @extschema@.retrain_csv_field(r.response),
        @extschema@.retrain_csv_field(r.category), coalesce(r.confidence_score, 0),
        initcap(r.was_corrected::text), initcap(r.was_escalated::text))
      from @extschema@.retrain_export_rows(p_min_quality, p_only_reviewed, p_limit, p_model_name, false) r
    ) x
    order by x.place;
  end if;
end
$function$;
