-- Metrics: numbers about the messages of a period.

create function @extschema@.retrain_check_range(p_name text, p_value integer, p_max integer) returns void
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_value is null or p_value not between 1 and p_max then
    raise exception '% is out of range', p_name
      using errcode = 'invalid_parameter_value',
        detail = format('The value given is %s.', coalesce(p_value::text, 'null')),
        hint = format('It is a whole number from 1 to %s.', p_max);
  end if;
end
$function$;

-- Percent with one decimal; null when there is nothing to divide by.
create function @extschema@.retrain_percent(p_part bigint, p_whole bigint) returns numeric
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select round(100.0 * p_part / nullif(p_whole, 0), 1)
$function$;

-- The messages of a period, counted by intent and source: a few hundred rows for any number of messages. Reads
-- ai_training_data_created_idx and, where the table has been vacuumed, nothing else.
create function @extschema@.retrain_message_counts(
  p_model_name text,
  p_from timestamptz,
  p_until timestamptz default 'infinity'
) returns table (
    intent text,
    source text,
    messages bigint,
    scored bigint,
    score_sum bigint,
    escalated bigint,
    corrected bigint,
    judged bigint,
    correct bigint,
    pending bigint,
    reviewed bigint,
    approved bigint)
  language plpgsql stable parallel safe cost 10000 rows 500
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
begin
  return query
  select d.detected_intent, d.source, count(*), count(d.confidence_score), sum(d.confidence_score),
    count(*) filter (where d.escalated),
    count(*) filter (where d.corrected_by_human),
    count(d.intent_correct),
    count(*) filter (where d.intent_correct),
    count(*) filter (where d.dataset_status = 'pending' and not d.corrected_by_human and d.intent_correct is null),
    count(*) filter (where (d.corrected_by_human or d.intent_correct is not null or d.dataset_status = 'reviewed')
      and d.dataset_status not in ('approved', 'rejected')),
    count(*) filter (where d.dataset_status = 'approved')
  from @extschema@.ai_training_data d
  where d.model_name = p_model_name and d.created_at >= p_from and d.created_at < p_until
  group by d.detected_intent, d.source;
end
$function$;

-- The intents that people corrected most often, as [{detected_intent, correct_intent, count}].
create function @extschema@.retrain_confused_intents(
  p_model_name text,
  p_from timestamptz,
  p_until timestamptz default 'infinity',
  p_limit integer default 10
) returns jsonb
  language plpgsql stable parallel safe cost 10000
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(c) order by c.count desc, c.detected_intent, c.correct_intent), '[]')
    from (
      select d.detected_intent, d.correct_intent, count(*) as count
      from @extschema@.ai_training_data d
      where d.model_name = p_model_name and d.created_at >= p_from and d.created_at < p_until
        and d.intent_correct is not null and not d.intent_correct and d.correct_intent is not null
      group by d.detected_intent, d.correct_intent
      order by count(*) desc, d.detected_intent, d.correct_intent
      limit p_limit
    ) c);
end
$function$;

create function @extschema@.get_ai_training_metrics(
  p_days integer default 30,
  p_model_name text default 'default'
) returns jsonb
  language plpgsql stable parallel safe cost 100000
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
declare
  -- A message that is dated ahead, by a clock that is wrong for example, belongs to a period that is still to come.
  v_now timestamptz := clock_timestamp();
  v_from timestamptz;
  v_metrics jsonb;
begin
  perform @extschema@.retrain_check_range('p_days', p_days, 3660);
  perform @extschema@.retrain_check_model_name(p_model_name);
  v_from := v_now - make_interval(days => p_days);

  with counts as materialized (
    select c.* from @extschema@.retrain_message_counts(p_model_name, v_from, v_now) c
  ), totals as (
    select
      coalesce(sum(c.messages), 0)::bigint as samples,
      coalesce(sum(c.pending), 0)::bigint as pending,
      coalesce(sum(c.reviewed), 0)::bigint as reviewed,
      coalesce(sum(c.approved), 0)::bigint as approved,
      coalesce(sum(c.corrected), 0)::bigint as corrected,
      coalesce(sum(c.judged - c.correct), 0)::bigint as mismatches
    from counts c
  ), live as (
    select
      coalesce(sum(c.messages), 0)::bigint as messages,
      coalesce(sum(c.escalated), 0)::bigint as escalated,
      coalesce(sum(c.corrected), 0)::bigint as corrected,
      coalesce(sum(c.judged), 0)::bigint as judged,
      coalesce(sum(c.correct), 0)::bigint as correct,
      round(sum(c.score_sum) / nullif(sum(c.scored), 0), 1) as avg_confidence
    from counts c
    where c.source = 'live'
  )
  select jsonb_build_object(
    'total_training_samples', t.samples,
    -- Without the messages whose text somebody has rejected, as in v_pending_review. They are counted text by text: the
    -- index of the period has no texts, and few are rejected.
    'pending_review', t.pending - (
      select coalesce(sum(w.messages), 0)::bigint
      from (
        select distinct x.text_key
        from @extschema@.ai_training_data x
        where x.model_name = p_model_name and x.dataset_status = 'rejected' and x.duplicate_of is null) r
      cross join lateral (
        select count(*) as messages
        from @extschema@.ai_training_data d
        where d.text_key = r.text_key and d.model_name is not distinct from p_model_name
          and d.created_at >= v_from and d.created_at < v_now
          and d.dataset_status = 'pending' and not d.corrected_by_human and d.intent_correct is null) w),
    'reviewed', t.reviewed,
    'approved', t.approved,
    'human_corrections', t.corrected,
    'intent_mismatches', t.mismatches,
    'avg_confidence', l.avg_confidence,
    'escalation_rate', @extschema@.retrain_percent(l.escalated, l.messages),
    'intent_accuracy', @extschema@.retrain_percent(l.correct, l.judged),
    'total_messages', l.messages,
    'ai_resolved', l.messages - l.escalated,
    'escalated', l.escalated,
    'correction_rate', @extschema@.retrain_percent(l.corrected, l.messages),
    'top_intents', (
      select coalesce(jsonb_object_agg(i.intent, i.messages), '{}')
      from (
        select c.intent, c.messages
        from counts c
        where c.source = 'live' and c.intent is not null
        order by c.messages desc, c.intent
        limit 10
      ) i),
    'top_misclassified', (
      select coalesce(jsonb_agg(to_jsonb(i) order by i.count desc, i.intent), '[]')
      from (
        select c.intent, sum(c.judged - c.correct) as count, sum(c.judged) as reviewed,
          @extschema@.retrain_percent(sum(c.judged - c.correct)::bigint, sum(c.judged)::bigint) as error_rate
        from counts c
        where c.intent is not null
        group by c.intent
        having sum(c.judged - c.correct) > 0
        order by 2 desc, c.intent
        limit 10
      ) i))
  into v_metrics
  from totals t, live l;

  return v_metrics || jsonb_build_object(
    'corrections_by_category', (
      select coalesce(jsonb_agg(to_jsonb(t) order by t.count desc, t.category, t.intent), '[]')
      from (
        select d.category, coalesce(d.correct_intent, d.detected_intent) as intent, count(*) as count
        from @extschema@.ai_training_data d
        where d.model_name = p_model_name and d.created_at >= v_from and d.created_at < v_now
          and d.intent_correct is not null and d.corrected_by_human
        group by 1, 2
        order by 3 desc, 1, 2
        limit 20
      ) t),
    'top_confused_intents', @extschema@.retrain_confused_intents(p_model_name, v_from, v_now),
    'last_training_run', (
      select jsonb_build_object('id', r.id, 'run_name', r.run_name, 'status', r.status,
        'intent_accuracy', r.intent_accuracy, 'intent_f1_score', r.intent_f1_score,
        'training_samples', r.training_samples, 'completed_at', r.completed_at, 'deployed', r.deployed)
      from @extschema@.ai_training_runs r
      where r.model_name = p_model_name
      order by r.created_at desc
      limit 1),
    'training_runs_count', (
      select count(*)
      from @extschema@.ai_training_runs r
      where r.model_name = p_model_name and r.created_at >= v_from and r.status = 'completed'));
end
$function$;

create function @extschema@.get_live_metrics(
  p_hours integer default 24,
  p_model_name text default 'default'
) returns jsonb
  language plpgsql stable parallel safe cost 10000
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
declare
  v_now timestamptz := clock_timestamp();
  v_from timestamptz;
  v_metrics jsonb;
  v_buckets jsonb;
  v_labels text[];
  v_trained timestamptz;
begin
  perform @extschema@.retrain_check_range('p_hours', p_hours, 8784);
  perform @extschema@.retrain_check_model_name(p_model_name);
  v_from := v_now - make_interval(hours => p_hours);

  select v.labels into v_labels
  from @extschema@.ai_model_versions v
  where v.model_name = p_model_name and v.is_active;
  select r.started_at into v_trained
  from @extschema@.ai_training_runs r
  where r.model_name = p_model_name and r.status = 'completed'
  order by r.created_at desc
  limit 1;

  select jsonb_build_object(
    '0-20', count(*) filter (where d.confidence_score between 0 and 20),
    '21-40', count(*) filter (where d.confidence_score between 21 and 40),
    '41-60', count(*) filter (where d.confidence_score between 41 and 60),
    '61-80', count(*) filter (where d.confidence_score between 61 and 80),
    '81-100', count(*) filter (where d.confidence_score between 81 and 100))
  into v_buckets
  from @extschema@.ai_training_data d
  where d.model_name = p_model_name and d.created_at >= v_from and d.created_at < v_now and d.source = 'live';

  with counts as materialized (
    select c.*
    from @extschema@.retrain_message_counts(p_model_name, v_from, v_now) c
    where c.source = 'live'
  ), totals as (
    select
      coalesce(sum(c.messages), 0)::bigint as messages,
      coalesce(sum(c.escalated), 0)::bigint as escalated,
      round(sum(c.score_sum) / nullif(sum(c.scored), 0), 1) as avg_confidence
    from counts c
  )
  select jsonb_build_object(
    'period_hours', p_hours,
    'total_messages', t.messages,
    'ai_resolved', t.messages - t.escalated,
    'escalated', t.escalated,
    'avg_confidence', coalesce(t.avg_confidence, 0),
    'escalation_rate', coalesce(@extschema@.retrain_percent(t.escalated, t.messages), 0),
    'intent_distribution', (
      select coalesce(jsonb_object_agg(i.intent, i.messages), '{}')
      from (
        select coalesce(c.intent, 'unknown') as intent, sum(c.messages) as messages from counts c group by 1
      ) i))
  into v_metrics
  from totals t;

  return v_metrics || jsonb_build_object(
    'confidence_distribution', v_buckets,
    -- Nobody needs it more exactly, and without any training it would count the whole table.
    'samples_since_last_train', (
      select count(*)
      from (
        select
        from @extschema@.ai_training_data d
        where d.model_name = p_model_name and d.created_at >= coalesce(v_trained, '-infinity') and d.created_at < v_now
        -- The order keeps it on the index: without one, a small model in a large table would be looked for in all of it.
        order by d.created_at desc
        limit 100000
      ) s),
    'model_trained', v_labels is not null,
    'model_intents', coalesce(cardinality(v_labels), 0));
end
$function$;

-- Computes one snapshot and stores it over the former one of that period.
create function @extschema@.retrain_write_snapshot(
  p_period_type text,
  p_model_name text,
  p_from timestamptz,
  p_until timestamptz
) returns uuid
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
declare
  v_new @extschema@.ai_metrics_snapshots;
  v_id uuid;
begin
  v_new.total_messages := 0;

  with messages as materialized (
    select d.category, d.detected_intent, d.correct_intent, d.confidence_score, d.escalated, d.intent_correct,
      d.corrected_by_human, d.response_time_ms, d.context @> '{"blocked": true}' as blocked
    from @extschema@.ai_training_data d
    where d.model_name = p_model_name and d.created_at >= p_from and d.created_at < p_until and d.source = 'live'
  )
  select count(*), count(*) filter (where not m.escalated and m.blocked is not true),
    count(*) filter (where m.escalated), count(*) filter (where m.blocked),
    @extschema@.retrain_percent(count(*) filter (where m.intent_correct), count(m.intent_correct)),
    round(avg(m.confidence_score), 1), round(avg(m.response_time_ms), 0),
    @extschema@.retrain_percent(count(*) filter (where m.escalated), count(*)),
    round(avg(m.confidence_score) filter (where m.escalated), 1),
    count(*) filter (where m.corrected_by_human),
    @extschema@.retrain_percent(count(*) filter (where m.corrected_by_human), count(*)),
    (select coalesce(jsonb_agg(to_jsonb(t) order by t.total desc, t.category), '[]')
     from (
       select c.category, count(*) as total, count(*) filter (where c.escalated) as escalated,
         round(avg(c.confidence_score), 1) as avg_confidence,
         count(*) filter (where c.intent_correct) as correct,
         count(*) filter (where not c.intent_correct) as incorrect
       from messages c
       group by c.category
     ) t),
    (select coalesce(jsonb_agg(to_jsonb(t) order by t.total desc, t.intent), '[]')
     from (
       select coalesce(c.correct_intent, c.detected_intent) as intent, count(*) as total,
         round(avg(c.confidence_score), 1) as avg_confidence,
         count(*) filter (where c.intent_correct) as correct,
         count(*) filter (where not c.intent_correct) as incorrect
       from messages c
       group by 1
     ) t)
  into v_new.total_messages, v_new.ai_resolved, v_new.escalated, v_new.blocked, v_new.intent_accuracy,
    v_new.avg_confidence, v_new.avg_response_time_ms, v_new.escalation_rate, v_new.avg_escalation_confidence,
    v_new.human_corrections, v_new.correction_rate, v_new.metrics_by_category, v_new.metrics_by_intent
  from messages m;

  v_new.top_misclassified_intents := @extschema@.retrain_confused_intents(p_model_name, p_from, p_until);

  select count(*) filter (where f.helpful), count(*) filter (where not f.helpful)
  into v_new.helpful_count, v_new.not_helpful_count
  from @extschema@.ai_feedback f
  where f.model_name = p_model_name and f.created_at >= p_from and f.created_at < p_until;
  v_new.helpful_rate := @extschema@.retrain_percent(
    v_new.helpful_count, v_new.helpful_count + v_new.not_helpful_count);

  -- Of a conversation that reaches over the edge only the messages within count; resolved is one that did not escalate.
  with conversations as (
    select count(*) as messages, bool_or(d.escalated) as escalated,
      extract(epoch from max(d.created_at) - min(d.created_at)) as seconds
    from @extschema@.ai_training_data d
    where d.model_name = p_model_name and d.created_at >= p_from and d.created_at < p_until and d.source = 'live'
      and d.conversation_id is not null
    group by d.conversation_id
  )
  select round(avg(c.seconds) filter (where not c.escalated), 1),
    @extschema@.retrain_percent(count(*) filter (where c.messages = 1 and not c.escalated), count(*))
  into v_new.avg_resolution_time_seconds, v_new.first_contact_resolution_rate
  from conversations c;

  insert into @extschema@.ai_metrics_snapshots as s (
    period_start, period_end, period_type, total_messages, ai_resolved, escalated, blocked, intent_accuracy,
    avg_confidence, avg_response_time_ms, helpful_count, not_helpful_count, helpful_rate, escalation_rate,
    avg_escalation_confidence, human_corrections, correction_rate, metrics_by_category, metrics_by_intent,
    top_misclassified_intents, avg_resolution_time_seconds, first_contact_resolution_rate, model_name)
  values (
    p_from, p_until, p_period_type, v_new.total_messages, v_new.ai_resolved, v_new.escalated, v_new.blocked,
    v_new.intent_accuracy, v_new.avg_confidence, v_new.avg_response_time_ms, v_new.helpful_count,
    v_new.not_helpful_count, v_new.helpful_rate, v_new.escalation_rate, v_new.avg_escalation_confidence,
    v_new.human_corrections, v_new.correction_rate, v_new.metrics_by_category, v_new.metrics_by_intent,
    v_new.top_misclassified_intents, v_new.avg_resolution_time_seconds, v_new.first_contact_resolution_rate,
    p_model_name)
  on conflict (model_name, period_type, period_start) do update
  set period_end = excluded.period_end,
    total_messages = excluded.total_messages,
    ai_resolved = excluded.ai_resolved,
    escalated = excluded.escalated,
    blocked = excluded.blocked,
    intent_accuracy = excluded.intent_accuracy,
    avg_confidence = excluded.avg_confidence,
    avg_response_time_ms = excluded.avg_response_time_ms,
    helpful_count = excluded.helpful_count,
    not_helpful_count = excluded.not_helpful_count,
    helpful_rate = excluded.helpful_rate,
    escalation_rate = excluded.escalation_rate,
    avg_escalation_confidence = excluded.avg_escalation_confidence,
    human_corrections = excluded.human_corrections,
    correction_rate = excluded.correction_rate,
    metrics_by_category = excluded.metrics_by_category,
    metrics_by_intent = excluded.metrics_by_intent,
    top_misclassified_intents = excluded.top_misclassified_intents,
    avg_resolution_time_seconds = excluded.avg_resolution_time_seconds,
    first_contact_resolution_rate = excluded.first_contact_resolution_rate,
    created_at = excluded.created_at
  returning s.id into v_id;
  return v_id;
end
$function$;

-- The hour, day, week from Monday or month that a time is in, by the clocks of the session's time zone. Where they skip
-- midnight a day begins when they go on, and where they show it twice, the first time: days touch and never overlap.
create function @extschema@.retrain_period(
  p_period_type text,
  p_at timestamptz,
  out period_start timestamptz,
  out period_end timestamptz)
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_unit text := case p_period_type when 'hourly' then 'hour' when 'daily' then 'day' when 'weekly' then 'week'
    when 'monthly' then 'month' end;
  v_first timestamp := date_trunc(v_unit, p_at::timestamp);
  v_next timestamp := v_first + ('1 ' || v_unit)::interval;
begin
  if v_unit = 'hour' then
    period_start := date_trunc(v_unit, p_at);
    period_end := period_start + interval '1 hour';
    return;
  end if;
  period_start := v_first::timestamptz;
  period_end := v_next::timestamptz;
  -- Of a time that comes twice, the cast takes the second.
  if (period_start - interval '1 hour')::timestamp = v_first then
    period_start := period_start - interval '1 hour';
  end if;
  if (period_end - interval '1 hour')::timestamp = v_next then
    period_end := period_end - interval '1 hour';
  end if;
end
$function$;

-- Stores the snapshot of the period that now is in, and brings earlier ones to their end that were taken before it.
-- Periods begin at the hour, day, Monday or month of the session's time zone.
create function @extschema@.create_metrics_snapshot(
  p_period_type text default 'daily',
  p_model_name text default 'default'
) returns uuid
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_start timestamptz;
  v_end timestamptz;
  v_open record;
begin
  if p_period_type is null or p_period_type not in ('hourly', 'daily', 'weekly', 'monthly') then
    raise exception 'p_period_type is not a known period'
      using errcode = 'invalid_parameter_value',
        detail = format('The period given is %s.', coalesce('"' || p_period_type || '"', 'null')),
        hint = 'Use hourly, daily, weekly or monthly.';
  end if;
  perform @extschema@.retrain_check_model_name(p_model_name);
  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  perform @extschema@.retrain_ensure_model(p_model_name);
  select p.period_start, p.period_end into v_start, v_end
  from @extschema@.retrain_period(p_period_type, clock_timestamp()) p;
  for v_open in
    select s.period_start, s.period_end
    from @extschema@.ai_metrics_snapshots s
    where s.model_name = p_model_name and s.period_type = p_period_type and s.created_at < s.period_end
      and s.period_start <> v_start and s.period_end <= clock_timestamp()
    order by s.period_start
  loop
    perform @extschema@.retrain_write_snapshot(p_period_type, p_model_name, v_open.period_start, v_open.period_end);
  end loop;
  return @extschema@.retrain_write_snapshot(p_period_type, p_model_name, v_start, v_end);
end
$function$;
