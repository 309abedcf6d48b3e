-- The report of a training run, for people.

-- A table from a JSON array of column names and a JSON array of rows: a markdown table or aligned plain text.
create function @extschema@.retrain_report_table(p_header jsonb, p_rows jsonb, p_format text) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  with cells as (
    select r.place as row_place, c.place as column_place,
      -- A message is text, whoever wrote it: no HTML, no link and no picture on the page that shows the report.
      translate(
        case when p_format = 'markdown'
          then regexp_replace(coalesce(c.cell, '-'), E'([|[\\\\]|<(?=[[:alpha:]/!?]))', E'\\\\\\1', 'g')
          else coalesce(c.cell, '-') end, E'\n\r\t', '   ') as cell
    from (
      select 0::bigint as place, p_header as line
      union all
      select x.place, x.line from jsonb_array_elements(p_rows) with ordinality as x (line, place)
    ) r
    cross join lateral jsonb_array_elements_text(r.line) with ordinality as c (cell, place)
  ), widths as (
    select c.column_place, max(char_length(c.cell)) as width from cells c group by c.column_place
  ), lines as (
    select c.row_place,
      case when p_format = 'markdown'
        then '| ' || string_agg(c.cell, ' | ' order by c.column_place) || ' |'
        else rtrim(string_agg(rpad(c.cell, w.width), '  ' order by c.column_place)) end as line,
      case when p_format = 'markdown'
        then '|' || string_agg('---|', '' order by c.column_place)
        else string_agg(repeat('-', w.width), '  ' order by c.column_place) end as rule
    from cells c
    join widths w on w.column_place = c.column_place
    group by c.row_place
  )
  select string_agg(case when l.row_place = 0 then l.line || E'\n' || l.rule else l.line end, E'\n'
    order by l.row_place)
  from lines l
$function$;

-- Whole numbers as they are, others with four decimals; what these would not show, in few digits.
create function @extschema@.retrain_report_number(p_number jsonb) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select case jsonb_typeof(p_number)
    when 'number' then (
      select case
        when abs(n.x) >= 1e15 then btrim(to_char(n.x, '9.99999EEEE'))
        when n.x % 1 = 0 and abs(n.x) > 1 then round(n.x)::text
        when n.x <> 0 and abs(n.x) < 0.00005 then btrim(to_char(n.x, '9.999EEEE'))
        else round(n.x, 4)::text end
      from (select (p_number #>> '{}')::numeric) n (x))
    when 'null' then null
    else p_number #>> '{}' end
$function$;

-- One of the measures over some rows. Of no rows nothing is known but that.
create function @extschema@.retrain_report_measure(p_measures jsonb, p_key text) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select case
    when p_key = 'rows' then p_measures ->> p_key
    when p_measures -> 'rows' is distinct from '0' then @extschema@.retrain_report_number(p_measures -> p_key) end
$function$;

create function @extschema@.training_report(p_run_id uuid, p_format text default 'markdown') returns text
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_run @extschema@.ai_training_runs;
  v_version text;
  v_live boolean;
  v_metrics jsonb;
  v_rows jsonb;
  v_parts text[];
  v_heading text := case p_format when 'markdown' then E'## %s\n\n' else E'%s\n\n' end;
begin
  if p_format is null or p_format not in ('markdown', 'text') then
    raise exception 'p_format is not a known format'
      using errcode = 'invalid_parameter_value', detail = format('The format given is %s.', coalesce('"' || p_format || '"', 'null')),
        hint = 'Use markdown or text.';
  end if;
  select r.* into v_run from @extschema@.ai_training_runs r where r.id = p_run_id;
  if not found then
    raise exception 'training run % does not exist', coalesce(p_run_id::text, 'null')
      using errcode = 'undefined_object', hint = 'The table ai_training_runs lists the runs.';
  end if;
  select v.version, v.is_active, v.metrics into v_version, v_live, v_metrics
  from @extschema@.ai_model_versions v
  where v.id = v_run.model_version_id;

  v_parts := array[
    case p_format when 'markdown' then '# ' else '' end || 'Training report: ' || regexp_replace(v_run.run_name, '[[:space:]]+', ' ', 'g'),
    @extschema@.retrain_report_table('["", "value"]', jsonb_build_array(
      jsonb_build_array('model', v_run.model_name),
      jsonb_build_array('version', v_version),
      jsonb_build_array('status', v_run.status),
      -- Now, whatever has become of it since.
      jsonb_build_array('live', case
        when v_live then 'yes'
        when v_run.deployed then 'no longer, it went live with this run'
        else 'no' end),
      jsonb_build_array('type', v_run.run_type),
      jsonb_build_array('started', to_char(v_run.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
      jsonb_build_array('seconds', round(v_run.duration_seconds::numeric, 2)),
      jsonb_build_array('training rows', v_run.training_samples),
      jsonb_build_array('validation rows', v_run.validation_samples),
      jsonb_build_array('test rows', v_run.test_samples),
      jsonb_build_array('intents', v_run.total_intents),
      jsonb_build_array('triggered by', v_run.triggered_by)), p_format)];
  if v_run.error_message is not null then
    v_parts := v_parts || (format(v_heading, 'Why it failed') || v_run.error_message);
  end if;
  if jsonb_typeof(v_run.warnings) = 'array' and v_run.warnings <> '[]' then
    v_parts := v_parts || (format(v_heading, 'Warnings') || (
      select string_agg('- ' || coalesce(w.value ->> 'message', w.value #>> '{}')
        || coalesce(' (' || (w.value ->> 'series') || ' series)', ''), E'\n' order by w.place)
      from jsonb_array_elements(v_run.warnings) with ordinality w (value, place)));
  end if;

  if v_run.intent_accuracy is not null or v_run.intent_f1_score is not null then
    select jsonb_agg(jsonb_build_array(
        m.label, @extschema@.retrain_report_number(to_jsonb(m.candidate)),
        @extschema@.retrain_report_number(to_jsonb(m.live)),
        case when m.live is not null then to_char(m.candidate - m.live, 'SG0.0000') end) order by m.place)
    into v_rows
    from (values
      (1, 'accuracy', v_run.intent_accuracy, v_run.baseline_intent_accuracy),
      (2, 'macro F1', v_run.intent_f1_score, v_run.baseline_f1_score),
      (3, 'macro precision', v_run.intent_precision, null),
      (4, 'macro recall', v_run.intent_recall, null),
      (5, 'mean confidence', v_run.avg_confidence, v_run.baseline_avg_confidence)
    ) m (place, label, candidate, live)
    where m.candidate is not null or m.live is not null;
    v_parts := v_parts || (format(v_heading, 'On the test rows')
      || @extschema@.retrain_report_table('["", "this version", "live version", "difference"]', v_rows, p_format));
  end if;

  -- What is decided and what is left UNCERTAIN, where the version was told to leave anything.
  select jsonb_agg(jsonb_build_array(d.label,
      case when d.is_count then d.value #>> '{}' else @extschema@.retrain_report_number(d.value) end) order by d.place) into v_rows
  from (values
    (1, 'target precision', v_metrics #> '{target_precision,target}', false),
    (2, 'reached on unseen rows', v_metrics #> '{target_precision,reached}', false),
    (3, 'confidence threshold', v_metrics #> '{target_precision,threshold}', false),
    (4, 'unseen rows decided', v_metrics #> '{target_precision,coverage}', false),
    (5, 'unseen rows decided right', v_metrics #> '{target_precision,precision}', false),
    (6, 'known messages that may be out of scope', v_metrics #> '{out_of_scope,share}', false),
    (7, 'test rows decided', v_metrics #> '{decisions,coverage}', false),
    (8, 'test rows decided right', v_metrics #> '{decisions,precision}', false),
    (9, 'test rows of low confidence', v_metrics #> '{decisions,low_confidence}', true),
    (10, 'test rows out of scope', v_metrics #> '{decisions,out_of_scope}', true)
  ) d (place, label, value, is_count)
  where jsonb_typeof(d.value) <> 'null';
  if v_rows is not null then
    v_parts := v_parts || (format(v_heading, 'Decisions')
      || @extschema@.retrain_report_table('["", "value"]', v_rows, p_format)
      || case when v_metrics #> '{target_precision,reached}' = 'false'
        then E'\n\nNo threshold reaches the target precision: only answers with confidence 1 are decided.' else '' end);
  end if;

  if v_run.gate is not null then
    v_parts := v_parts || (format(v_heading, 'Gate')
      || 'Verdict: ' || case when (v_run.gate ->> 'promote')::boolean then 'promote' else 'do not promote' end
      || E'\nOutcome: ' || case when v_run.deployed then 'put live' else 'not put live' end
      || coalesce(' (p_promote => ' || (v_run.gate ->> 'p_promote') || ')', '')
      || coalesce(E'\nRule: ' || (v_run.gate ->> 'rule'), '')
      || coalesce(E'\nReason: ' || (v_run.gate ->> 'reason'), ''));
    -- Both versions' numbers, on all shared test rows and on the recent ones.
    select jsonb_agg(jsonb_build_array(g.rows_of, k.key,
        @extschema@.retrain_report_measure(g.candidate, k.key),
        @extschema@.retrain_report_measure(g.live, k.key)) order by g.place, k.key)
    into v_rows
    from (values
      (1, 'all', v_run.gate -> 'candidate', v_run.gate -> 'live'),
      (2, 'recent', v_run.gate #> '{recent,candidate}', v_run.gate #> '{recent,live}')
    ) g (place, rows_of, candidate, live)
    cross join lateral (
      select jsonb_object_keys(case when jsonb_typeof(g.candidate) = 'object' then g.candidate else '{}' end)
      union
      select jsonb_object_keys(case when jsonb_typeof(g.live) = 'object' then g.live else '{}' end)
    ) k (key)
    where jsonb_typeof(coalesce(g.candidate -> k.key, g.live -> k.key)) in ('number', 'string');
    if v_rows is not null then
      v_parts := v_parts || @extschema@.retrain_report_table(
        '["test rows", "measure", "this version", "live version"]', v_rows, p_format);
    end if;
  end if;

  if jsonb_typeof(v_run.per_intent_metrics) = 'object' then
    select jsonb_agg(jsonb_build_array(i.key,
        @extschema@.retrain_report_number(i.value -> 'precision'),
        @extschema@.retrain_report_number(i.value -> 'recall'),
        @extschema@.retrain_report_number(i.f1),
        i.value ->> 'support') order by (i.f1 #>> '{}')::numeric, i.key)
    into v_rows
    from (
      select e.key, e.value, coalesce(e.value -> 'f1', e.value -> 'f1_score') as f1
      from jsonb_each(v_run.per_intent_metrics) e
      where jsonb_typeof(e.value) = 'object'
    ) i;
    if v_rows is not null then
      v_parts := v_parts || (format(v_heading, 'Intents, worst first') || @extschema@.retrain_report_table(
        '["intent", "precision", "recall", "F1", "rows"]', v_rows, p_format));
    end if;
  end if;

  if jsonb_typeof(v_run.confusion_matrix) = 'object' then
    select jsonb_agg(jsonb_build_array(c.actual, c.predicted, c.rows) order by c.rows desc, c.actual, c.predicted)
    into v_rows
    from (
      select a.key as actual, p.key as predicted, (p.value #>> '{}')::bigint as rows
      from jsonb_each(v_run.confusion_matrix) a
      cross join lateral jsonb_each(case when jsonb_typeof(a.value) = 'object' then a.value else '{}' end) p
      where a.key <> p.key and jsonb_typeof(p.value) = 'number' and (p.value #>> '{}')::numeric > 0
      order by 3 desc, 1, 2
      limit 20
    ) c;
    if v_rows is not null then
      v_parts := v_parts || (format(v_heading, 'Most confused intents') || @extschema@.retrain_report_table(
        '["intent", "predicted as", "rows"]', v_rows, p_format));
    end if;
  end if;

  if jsonb_typeof(v_run.misclassified) = 'array' then
    select jsonb_agg(jsonb_build_array(
        left(coalesce(s.sample ->> 'text', s.sample ->> 'user_message'), 100),
        coalesce(s.sample ->> 'true_intent', s.sample ->> 'intent'),
        s.sample ->> 'predicted_intent',
        @extschema@.retrain_report_number(s.sample -> 'confidence')) order by s.place)
    into v_rows
    from jsonb_array_elements(v_run.misclassified) with ordinality as s (sample, place)
    where s.place <= 20 and jsonb_typeof(s.sample) = 'object';
    if v_rows is not null then
      v_parts := v_parts || (format(v_heading, 'Misclassified test rows') || @extschema@.retrain_report_table(
        '["message", "intent", "predicted as", "confidence"]', v_rows, p_format));
    end if;
  end if;

  if v_run.model_config is not null then
    v_parts := v_parts || (format(v_heading, 'Configuration')
      || case p_format when 'markdown' then E'```json\n' || jsonb_pretty(v_run.model_config) || E'\n```'
        else jsonb_pretty(v_run.model_config) end);
  end if;
  return array_to_string(v_parts, E'\n\n') || E'\n';
end
$function$;
