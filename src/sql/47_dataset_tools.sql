-- Dataset tools: numbers, cleaning, export and import.

-- The keys of the first system's statistics, then those of the third one's, then ours.
create function @extschema@.get_dataset_stats(p_model_name text default 'default') returns jsonb
  language plpgsql stable parallel safe cost 100000
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
begin
  perform @extschema@.retrain_require_model(p_model_name);
  return (
    with rows as materialized (
      select d.category, d.quality_score, d.dataset_status, d.source,
        (d.corrected_by_human or d.intent_correct is not null) as reviewed
      from @extschema@.ai_training_data d
      where d.model_name = p_model_name
    ), labelled as materialized (
      select l.intent, l.category, l.split, l.text_key, l.was_corrected, l.was_escalated, l.confidence_score
      from @extschema@.ai_labelled_data l
      where l.model_name = p_model_name
    ), intents as (
      select l.intent, count(*) as n from labelled l group by l.intent
    )
    select jsonb_build_object(
      'model_name', p_model_name,
      'total_samples', (select count(*) from labelled),
      'unique_intents', (select count(*) from intents),
      'intent_distribution', (select coalesce(jsonb_object_agg(i.intent, i.n), '{}')
        from (select i.intent, i.n from intents i order by i.n desc, i.intent limit 30) i),
      'category_distribution', (select coalesce(jsonb_object_agg(c.category, c.n), '{}')
        from (
          select l.category, count(*) as n
          from labelled l
          where l.category <> ''
          group by l.category
          order by count(*) desc, l.category
          limit 10
        ) c),
      'corrected_samples', (select count(*) filter (where l.was_corrected) from labelled l),
      'escalated_samples', (select count(*) filter (where l.was_escalated) from labelled l),
      'avg_confidence', (select round(avg(l.confidence_score), 1) from labelled l),
      'min_samples_per_intent', (select coalesce(min(i.n), 0) from intents i),
      'max_samples_per_intent', (select coalesce(max(i.n), 0) from intents i),
      'total', (select count(*) from rows),
      'byCategory', (
        select coalesce(jsonb_agg(to_jsonb(c) order by c.category, c."qualityScore"), '[]')
        from (
          select r.category, r.quality_score as "qualityScore", count(*) as _count
          from rows r
          group by r.category, r.quality_score
        ) c),
      'highQuality', (select count(*) from rows r where r.quality_score >= 4),
      'byIntent', (select coalesce(jsonb_object_agg(i.intent, i.n), '{}') from intents i),
      'byStatus', (select coalesce(jsonb_object_agg(s.dataset_status, s.n), '{}')
        from (select r.dataset_status, count(*) as n from rows r group by 1) s),
      'bySource', (select coalesce(jsonb_object_agg(s.source, s.n), '{}')
        from (select r.source, count(*) as n from rows r group by 1) s),
      'byQuality', (select coalesce(jsonb_object_agg(coalesce(s.quality_score::text, 'none'), s.n), '{}')
        from (select r.quality_score, count(*) as n from rows r group by 1) s),
      'bySplit', (select coalesce(jsonb_object_agg(coalesce(s.split, 'none'), s.n), '{}')
        from (select l.split, count(*) as n from labelled l group by 1) s),
      'reviewed', (select count(*) from rows r where r.reviewed),
      'distinct_texts', (select count(distinct l.text_key) from labelled l),
      'conflicting_texts', (
        select count(*) from (select from labelled l group by l.text_key having count(distinct l.intent) > 1) c)));
end
$function$;

-- Rejects, never deletes: empty texts, texts too long to be a message, and all but one row of a text with one intent
-- (a person's label stays before a machine's, then the newest). One text under two intents is for a person to decide.
create function @extschema@.clean_dataset(p_model_name text default 'default', p_dry_run boolean default true)
  returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off
  set jit = off
as $function$
declare
  c_longest constant integer := 5000;
  c_shown constant integer := 100;
  v_checked bigint;
  v_empty uuid[];
  v_long uuid[];
  v_duplicates uuid[];
  v_conflicts jsonb;
  v_conflicting bigint;
  v_rejected bigint := 0;
begin
  perform @extschema@.retrain_require_model(p_model_name);
  if p_dry_run is null then
    raise exception 'p_dry_run is null'
      using errcode = 'invalid_parameter_value', hint = 'Pass false to reject the rows, true to see them first.';
  end if;

  with labelled as (
    select l.id, l.human, l.reviewed, l.created_at, l.text_key, l.intent,
      case
        when @extschema@.retrain_identity_text(l.user_message) = '' then 'empty'
        when char_length(l.user_message) > c_longest then 'long'
      end as fault
    from @extschema@.ai_labelled_data l
    where l.model_name = p_model_name
  ), ranked as (
    select l.*, row_number() over (
      partition by l.fault, l.text_key, l.intent
      order by l.human desc, l.reviewed desc, l.created_at desc, l.id) as place
    from labelled l
  )
  select count(*), coalesce(array_agg(r.id) filter (where r.fault = 'empty'), '{}'),
    coalesce(array_agg(r.id) filter (where r.fault = 'long'), '{}'),
    coalesce(array_agg(r.id) filter (where r.fault is null and r.place > 1), '{}')
  into v_checked, v_empty, v_long, v_duplicates
  from ranked r;

  with conflicts as (
    select l.text_key, min(left(l.user_message, 300)) as text,
      jsonb_agg(distinct l.intent) as intents, jsonb_agg(l.id order by l.created_at, l.id) as ids
    from @extschema@.ai_labelled_data l
    where l.model_name = p_model_name
    group by l.text_key
    having count(distinct l.intent) > 1
  )
  select count(*), coalesce(jsonb_agg(jsonb_build_object('text', c.text, 'intents', c.intents, 'ids', c.ids)
    order by c.text) filter (where c.place <= c_shown), '[]')
  into v_conflicting, v_conflicts
  from (select c.*, row_number() over (order by c.text, c.text_key) as place from conflicts c) c;

  if not p_dry_run then
    update @extschema@.ai_training_data d
    set dataset_status = 'rejected'
    where d.model_name = p_model_name and d.id = any (v_empty || v_long || v_duplicates);
    get diagnostics v_rejected = row_count;
  end if;
  return jsonb_build_object(
    'model_name', p_model_name,
    'dry_run', p_dry_run,
    'checked', v_checked,
    'duplicates', cardinality(v_duplicates),
    'empty', cardinality(v_empty),
    'too_long', cardinality(v_long),
    'removed', v_rejected,
    'remaining', v_checked - v_rejected,
    'conflicting_texts', v_conflicting,
    'conflicts', v_conflicts);
end
$function$;

-- What the exports below take, the newest first.
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
  perform @extschema@.retrain_require_model(p_model_name);
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
  select row_number() over (order by d.created_at desc, d.id), d.user_message, l.intent, a.response, d.category,
    d.confidence_score, d.corrected_by_human, d.escalated, d.product_name, d.quality_score
  from @extschema@.ai_training_data d
  left join @extschema@.ai_labelled_data l on l.id = d.id and l.model_name = p_model_name
  cross join lateral (select coalesce(d.correct_response, d.ai_response)) a (response)
  where d.model_name = p_model_name
    and d.user_message ~ '\S'
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
    when p_value ~ '[",\r\n]' then '"' || replace(p_value, '"', '""') || '"'
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

-- A text between three quotation marks, which end at the first three inside.
create function @extschema@.retrain_modelfile_text(p_text text) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select '"""' || regexp_replace(replace(p_text, '"""', E'\'\'\''), '"$', '" ') || '"""'
$function$;

-- An Ollama Modelfile: the system prompt, the sampling parameters, and the best conversations as MESSAGE examples.
-- Training lines are no ADAPTER, which is a file of weights: chat_jsonl is what a fine-tuning reads.
create function @extschema@.export_modelfile(
  p_base_model text default 'llama3.1:8b',
  p_system_prompt text default null,
  p_min_quality integer default 4,
  p_only_reviewed boolean default false,
  p_limit integer default 20,
  p_model_name text default 'default'
) returns text
  language plpgsql stable parallel safe cost 10000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_prompt text := coalesce(p_system_prompt, @extschema@.retrain_system_prompt());
  v_examples text;
begin
  if p_base_model is null or p_base_model !~ '^[A-Za-z0-9._:/@-]{1,200}$' then
    raise exception 'p_base_model is not the name of a model'
      using errcode = 'invalid_parameter_value',
        detail = format('The name given is %s.', coalesce('"' || p_base_model || '"', 'null')),
        hint = 'Pass a name that Ollama knows, for example llama3.1:8b.';
  end if;
  select string_agg(format(E'MESSAGE user %s\nMESSAGE assistant %s\n',
    @extschema@.retrain_modelfile_text(r.user_message), @extschema@.retrain_modelfile_text(r.response)), ''
    order by r.place)
  into v_examples
  from @extschema@.retrain_export_rows(p_min_quality, p_only_reviewed, p_limit, p_model_name, true) r;
  return concat(
    format(E'FROM %s\n\n', p_base_model),
    case when v_prompt <> '' then format(E'SYSTEM %s\n\n', @extschema@.retrain_modelfile_text(v_prompt)) end,
    E'PARAMETER temperature 0.7\nPARAMETER top_p 0.9\nPARAMETER top_k 40\n',
    E'\n' || v_examples);
end
$function$;

-- One object of an import as (text, intent, …), or what is wrong with it. Known are the lines that the exports write,
-- and flat objects with the columns' names.
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
  out error text)
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_metadata jsonb := p_item -> 'metadata';
  v_confidence text;
  v_quality text;
  v_flag text;
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
    response := coalesce(p_item ->> 'response', p_item ->> 'ai_response');
  end if;
  intent := nullif(btrim(coalesce(p_item ->> 'intent', p_item ->> 'label', v_metadata ->> 'intent')), '');
  category := nullif(coalesce(p_item ->> 'category', v_metadata ->> 'category'), '');
  product_name := coalesce(p_item ->> 'product_name', v_metadata ->> 'productName');
  v_confidence := coalesce(p_item ->> 'confidence_score', p_item ->> 'confidence');
  v_quality := coalesce(p_item ->> 'quality_score', v_metadata ->> 'qualityScore');

  if user_message is null or btrim(user_message, E' \t\r\n') = '' then
    error := 'no text of a user';
  elsif intent is null and response is null then
    error := 'neither an intent nor a response';
  elsif intent = 'unknown' then
    error := 'the intent is "unknown"';
  elsif octet_length(intent) > 1024 then
    error := 'the intent has more than 1024 bytes';
  elsif v_confidence !~ '^([0-9]{1,2}|100)(\.0+)?$' then
    error := '"confidence" is not a whole number from 0 to 100';
  elsif v_quality !~ '^[1-5]$' then
    error := '"quality_score" is not a whole number from 1 to 5';
  end if;
  foreach v_flag in array array['was_corrected', 'was_escalated'] loop
    if error is null and p_item ? v_flag and jsonb_typeof(p_item -> v_flag) not in ('boolean', 'null') then
      error := format('"%s" is not true or false', v_flag);
    end if;
  end loop;
  if error is null then
    confidence_score := round(v_confidence::numeric)::integer;
    quality_score := v_quality::integer;
    corrected := coalesce((p_item ->> 'was_corrected')::boolean, false);
    escalated := coalesce((p_item ->> 'was_escalated')::boolean, false);
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
      using errcode = 'invalid_parameter_value', detail = format('It is of type %s.', jsonb_typeof(p_items));
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
    -- The empty line at a file's end is none.
    continue when v_entry.line ~ '^\s*$';
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
      v_good := v_good || (to_jsonb(v_row) || jsonb_build_object('line', v_entry.place));
    end if;
  end loop;

  if v_invalid = 0 or p_skip_invalid is true then
    if cardinality(v_good) > 0 then
      perform @extschema@.retrain_ensure_model(p_model_name);
    end if;
    insert into @extschema@.ai_training_data (
      user_message, ai_response, detected_intent, correct_intent, corrected_by_human, corrected_at, confidence_score,
      category, product_name, quality_score, escalated, source, model_name, dataset_status)
    select x.user_message, x.response, x.intent, case when x.corrected then x.intent end,
      x.corrected and x.intent is not null, case when x.corrected and x.intent is not null then clock_timestamp() end,
      x.confidence_score, x.category, x.product_name, x.quality_score, x.escalated, p_source, p_model_name,
      case when x.corrected and x.intent is not null then 'reviewed' else 'pending' end
    from unnest(v_good) g (item)
    cross join lateral jsonb_to_record(g.item) x (user_message text, intent text, response text, category text,
      product_name text, confidence_score integer, quality_score integer, corrected boolean, escalated boolean)
    order by (g.item ->> 'line')::integer;
    select v_report || coalesce(array_agg(jsonb_build_object('line', (g.item ->> 'line')::integer, 'status', 'imported')
      order by (g.item ->> 'line')::integer), '{}')
    into v_report
    from unnest(v_good) g (item);
  else
    select v_report || coalesce(array_agg(
      jsonb_build_object('line', (g.item ->> 'line')::integer, 'status', 'not imported')
      order by (g.item ->> 'line')::integer), '{}')
    into v_report
    from unnest(v_good) g (item);
    v_good := '{}';
  end if;
  select coalesce(jsonb_agg(r.line order by (r.line ->> 'line')::integer), '[]') into v_rows
  from unnest(v_report) r (line);
  return jsonb_build_object(
    'success', v_invalid = 0 or p_skip_invalid is true,
    'model_name', p_model_name,
    'lines', jsonb_array_length(v_rows),
    'imported', cardinality(v_good),
    'invalid', v_invalid,
    'report', v_rows);
end
$function$;
