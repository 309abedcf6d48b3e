-- A dataset from lines of text.

-- One object of an import as (text, intent, ...), or what is wrong with it. Known are the lines that the exports write,
-- and flat objects with the names of get_training_dataset() or of the table itself, where what a person said comes first.
create function @extschema@.retrain_import_item(
  p_item jsonb,
  out user_message text,
  out intent text,
  out response text,
  out category text,
  out product_name text,
  out confidence_score integer,
  out quality_score integer,
  out corrected boolean,
  out escalated boolean,
  out rejected boolean,
  out error text)
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_metadata jsonb := p_item -> 'metadata';
  v_confidence text;
  v_quality text;
  v_flag text;
  v_name text;
begin
  if jsonb_typeof(p_item) is distinct from 'object' then
    error := format('not an object but %s', coalesce(jsonb_typeof(p_item), 'null'));
    return;
  end if;
  if p_item ? 'messages' then
    if jsonb_typeof(p_item -> 'messages') <> 'array' then
      error := '"messages" is not an array';
      return;
    end if;
    select m.value ->> 'content' into user_message
    from jsonb_array_elements(p_item -> 'messages') with ordinality m (value, place)
    where m.value ->> 'role' = 'user' order by m.place limit 1;
    select m.value ->> 'content' into response
    from jsonb_array_elements(p_item -> 'messages') with ordinality m (value, place)
    where m.value ->> 'role' = 'assistant' order by m.place limit 1;
  else
    user_message := coalesce(p_item ->> 'user_message', p_item ->> 'text');
    response := coalesce(p_item ->> 'response', p_item ->> 'correct_response', p_item ->> 'ai_response');
  end if;
  -- As a correction is read: an intent of nothing but blanks is none.
  intent := nullif(btrim(coalesce(p_item ->> 'intent', p_item ->> 'label', p_item ->> 'correct_intent',
    case when p_item -> 'intent_correct' is distinct from 'false' then p_item ->> 'detected_intent' end,
    v_metadata ->> 'intent'), E' \t\r\n'), '');
  if @extschema@.retrain_identity_text(intent) = '' then
    intent := null;
  end if;
  category := nullif(coalesce(p_item ->> 'category', v_metadata ->> 'category'), '');
  product_name := coalesce(p_item ->> 'product_name', v_metadata ->> 'productName');
  v_confidence := coalesce(p_item ->> 'confidence_score', p_item ->> 'confidence');
  v_quality := coalesce(p_item ->> 'quality_score', v_metadata ->> 'qualityScore');

  foreach v_name in array array['text', 'user_message', 'intent', 'label', 'correct_intent', 'detected_intent', 'response',
    'correct_response', 'ai_response', 'category', 'product_name']
  loop
    if error is null and jsonb_typeof(p_item -> v_name) in ('object', 'array') then
      error := format('"%s" is not text but %s', v_name, jsonb_typeof(p_item -> v_name));
    end if;
  end loop;
  if error is null and jsonb_typeof(p_item -> 'messages') = 'array' then
    select format('"content" of a message is not text but %s', jsonb_typeof(m.value -> 'content')) into error
    from jsonb_array_elements(p_item -> 'messages') with ordinality m (value, place)
    where m.value ->> 'role' in ('user', 'assistant') and jsonb_typeof(m.value -> 'content') in ('object', 'array')
    order by m.place limit 1;
  end if;
  foreach v_name in array array['intent', 'category', 'productName'] loop
    if error is null and jsonb_typeof(v_metadata -> v_name) in ('object', 'array') then
      error := format('"%s" of the metadata is not text but %s', v_name, jsonb_typeof(v_metadata -> v_name));
    end if;
  end loop;
  if error is not null then
    return;
  end if;

  if user_message is null or btrim(user_message, E' \t\r\n') = '' then
    error := 'no text of a user';
  elsif intent is null and response is null then
    error := 'neither an intent nor a response';
  elsif intent in ('unknown', 'UNCERTAIN') then
    error := format('the intent is "%s"', intent);
  elsif octet_length(intent) > 1024 then
    error := 'the intent has more than 1024 bytes';
  elsif v_confidence !~ '^([0-9]{1,2}|100)([.]0+)?$' then
    error := '"confidence" is not a whole number from 0 to 100';
  elsif v_quality !~ '^[1-5]$' then
    error := '"quality_score" is not a whole number from 1 to 5';
  end if;
  foreach v_flag in array array['was_corrected', 'was_escalated', 'corrected_by_human', 'escalated'] loop
    if error is null and p_item ? v_flag and jsonb_typeof(p_item -> v_flag) not in ('boolean', 'null') then
      error := format('"%s" is not true or false', v_flag);
    end if;
  end loop;
  if error is null then
    confidence_score := round(v_confidence::numeric)::integer;
    quality_score := v_quality::integer;
    corrected := coalesce((p_item ->> 'was_corrected')::boolean,
      (p_item ->> 'corrected_by_human')::boolean and p_item ->> 'correct_intent' is not null, false);
    escalated := coalesce((p_item ->> 'was_escalated')::boolean, (p_item ->> 'escalated')::boolean, false);
    -- A duplicate's text is none that was rejected.
    rejected := p_item ->> 'dataset_status' is not distinct from 'rejected' and p_item ->> 'duplicate_of' is null;
  end if;
end
$function$;

-- Lines of JSON, or one array of objects (or of lines). All of them or none, unless told to leave out the bad ones.
create function @extschema@.import_training_dataset(
  p_lines text[] default null,
  p_items jsonb default null,
  p_model_name text default 'default',
  p_source text default 'imported',
  p_skip_invalid boolean default false
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_entry record;
  v_item jsonb;
  v_row record;
  v_rows jsonb := '[]';
  v_report jsonb[] := '{}';
  v_good jsonb[] := '{}';
  v_imported uuid[];
  v_invalid integer := 0;
  v_error text;
begin
  perform @extschema@.retrain_check_model_name(p_model_name);
  if (p_lines is null) = (p_items is null) then
    raise exception 'p_lines or p_items has to be given, and not both'
      using errcode = 'invalid_parameter_value',
        hint = 'Pass lines of JSON as p_lines, or one JSON array as p_items.';
  end if;
  if jsonb_typeof(p_items) <> 'array' then
    raise exception 'p_items is not a JSON array'
      using errcode = 'invalid_parameter_value', detail = format('It is of type %s.', jsonb_typeof(p_items)),
        hint = 'For example: [{"text": "where is my order", "intent": "order_status"}]';
  end if;
  if p_source is null or p_source not in ('live', 'imported', 'synthetic') then
    raise exception 'p_source is not a known source'
      using errcode = 'invalid_parameter_value',
        detail = format('The source given is %s.', coalesce('"' || p_source || '"', 'null')),
        hint = 'Use live, imported or synthetic.';
  end if;

  for v_entry in
    select l.line, l.place, null::jsonb as item
    from unnest(p_lines) with ordinality l (line, place)
    union all
    select case jsonb_typeof(i.item) when 'string' then i.item #>> '{}' end, i.place, i.item
    from jsonb_array_elements(p_items) with ordinality i (item, place)
    order by 2
  loop
    v_item := v_entry.item;
    v_error := null;
    -- Files of Windows begin with a byte order mark.
    if v_entry.place = 1 and getdatabaseencoding() = 'UTF8' then
      v_entry.line := case when ascii(v_entry.line) = 65279 then substr(v_entry.line, 2) else v_entry.line end;
    end if;
    -- The empty line at a file's end is none.
    continue when v_entry.line ~ '^[[:space:]]*$';
    if v_entry.line is not null then
      begin
        v_item := v_entry.line::jsonb;
      exception when data_exception or program_limit_exceeded or statement_too_complex then
        v_error := 'not JSON: ' || sqlerrm;
      end;
    end if;
    if v_error is null then
      v_row := @extschema@.retrain_import_item(v_item);
      v_error := v_row.error;
    end if;
    if v_error is not null then
      v_invalid := v_invalid + 1;
      v_report := v_report || jsonb_build_object('line', v_entry.place, 'status', 'invalid', 'error', v_error);
    else
      v_good := v_good || (to_jsonb(v_row) || jsonb_build_object('line', v_entry.place, 'id', gen_random_uuid()));
    end if;
  end loop;

  if v_invalid = 0 or p_skip_invalid is true then
    if cardinality(v_good) > 0 then
      perform @extschema@.retrain_require_level(p_model_name, 'trainer');
      perform @extschema@.retrain_ensure_model(p_model_name);
    end if;
    -- A trigger of the application may leave rows out: what is there afterwards was imported.
    with imported as (
      insert into @extschema@.ai_training_data (
        id, user_message, ai_response, detected_intent, correct_intent, corrected_by_human, corrected_at, confidence_score,
        category, product_name, quality_score, escalated, source, model_name, dataset_status)
      select x.id, x.user_message, x.response, x.intent, case when x.corrected then x.intent end,
        x.corrected and x.intent is not null, case when x.corrected and x.intent is not null then clock_timestamp() end,
        x.confidence_score, x.category, x.product_name, x.quality_score, x.escalated, p_source, p_model_name,
        case when x.rejected then 'rejected' when x.corrected and x.intent is not null then 'reviewed' else 'pending' end
      from unnest(v_good) g (item)
      cross join lateral jsonb_to_record(g.item) x (id uuid, user_message text, intent text, response text, category text,
        product_name text, confidence_score integer, quality_score integer, corrected boolean, escalated boolean, rejected boolean)
      -- The last line first: lines carry no time, exports begin with the newest, and of several labels of one text the row
      -- that is stamped last is the newest.
      order by (g.item ->> 'line')::integer desc
      returning ai_training_data.id
    )
    select coalesce(array_agg(i.id), '{}') into v_imported from imported i;
    select v_report || coalesce(array_agg(jsonb_build_object('line', (g.item ->> 'line')::integer, 'status',
        case when i.id is not null then 'imported' else 'left out by a trigger' end)
      order by (g.item ->> 'line')::integer), '{}')
    into v_report
    from unnest(v_good) g (item)
    left join unnest(v_imported) i (id) on i.id = (g.item ->> 'id')::uuid;
  else
    select v_report || coalesce(array_agg(
      jsonb_build_object('line', (g.item ->> 'line')::integer, 'status', 'not imported')
      order by (g.item ->> 'line')::integer), '{}')
    into v_report
    from unnest(v_good) g (item);
    v_imported := '{}';
  end if;
  select coalesce(jsonb_agg(r.line order by (r.line ->> 'line')::integer), '[]') into v_rows
  from unnest(v_report) r (line);
  return jsonb_build_object(
    'success', v_invalid = 0 or p_skip_invalid is true,
    'model_name', p_model_name,
    'lines', jsonb_array_length(v_rows),
    'imported', cardinality(v_imported),
    'invalid', v_invalid,
    'report', v_rows);
end
$function$;
