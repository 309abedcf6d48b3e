-- Metrics of a period, snapshots of it, and the indexes that keep them cheap.
create extension pg_retrain;
\set SHOW_CONTEXT never
set timezone = 'UTC';

-- nothing recorded: zeros and nulls, no error
select jsonb_pretty(get_ai_training_metrics());
select jsonb_pretty(get_live_metrics());
select get_live_metrics() = get_live_metrics(24, 'default') as defaults,
  get_ai_training_metrics(1, 'never seen') ->> 'total_messages' as unknown_model;

-- ten messages of today, one of forty days ago, one import, another model's
insert into ai_training_data (user_message, detected_intent, confidence_score, escalated, category, source, created_at, model_name)
select 'm' || i, case when i <= 6 then 'order' when i <= 9 then 'refund' end, (array[0, 20, 21, 40, 41, 60, 61, 100, null, 81])[i],
  i in (3, 4), case when i % 2 = 0 then 'sales' end, 'live', now(), 'default'
from generate_series(1, 10) i
union all select 'old', 'order', 50, true, null, 'live', now() - interval '40 days', 'default'
union all select 'imported', 'order', 100, false, null, 'imported', now(), 'default'
union all select 'other', 'order', 50, true, null, 'live', now(), 'b';
select submit_intent_correction(id, case user_message when 'm1' then 'order' when 'm2' then 'refund' else 'other' end) ->> 'was_mismatch' as mismatch
from ai_training_data where user_message in ('m1', 'm2', 'm10') order by user_message;
update ai_training_data set dataset_status = 'approved' where user_message = 'm3';
update ai_training_data set dataset_status = 'rejected' where user_message = 'm4';
select jsonb_pretty(get_ai_training_metrics());
select get_ai_training_metrics(60) ->> 'total_messages' as sixty_days, get_ai_training_metrics(30, 'b') ->> 'escalation_rate' as b;
select jsonb_pretty(get_live_metrics());

-- a training: what was recorded after it counts
select count(retrain_finish_run(b.run_id, '{"status": "failed", "error_message": "too few"}', null, 'gate'))
from retrain_begin_run('default', 'full', 'first', '{}', null, null) b;
select get_ai_training_metrics() #>> '{last_training_run,status}' as status, get_ai_training_metrics() ->> 'training_runs_count' as completed,
  get_live_metrics() ->> 'samples_since_last_train' as samples;
update ai_training_runs set status = 'completed';
select get_ai_training_metrics() ->> 'training_runs_count' as completed, get_live_metrics() ->> 'samples_since_last_train' as samples;
select record_interaction('after it', p_detected_intent => 'order') is not null as recorded;
select get_live_metrics() ->> 'samples_since_last_train' as samples;

-- the keys of the contract, no more and no less
select string_agg(k, ' ' order by k) from jsonb_object_keys(get_ai_training_metrics()) k;
select string_agg(k, ' ' order by k) from jsonb_object_keys(get_live_metrics()) k;

-- bad arguments
create function attempt(p_call text) returns text language plpgsql as $$
declare
  v_detail text;
  v_hint text;
begin
  execute 'select ' || p_call;
  return 'no error';
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return concat_ws(' | ', sqlstate, sqlerrm, nullif(v_detail, ''), nullif(v_hint, ''));
end
$$;
select c as call, attempt(c) as error
from unnest(array[
  'get_ai_training_metrics(0)', 'get_ai_training_metrics(-1)', 'get_ai_training_metrics(null)', 'get_ai_training_metrics(3661)',
  'get_ai_training_metrics(2147483647)', 'get_ai_training_metrics(30, null)', 'get_ai_training_metrics(30, '''')',
  'get_live_metrics(0)', 'get_live_metrics(null)', 'get_live_metrics(8785)', 'get_live_metrics(24, null)',
  'create_metrics_snapshot(''yearly'')', 'create_metrics_snapshot(null)', 'create_metrics_snapshot(''Daily'')',
  'create_metrics_snapshot(''daily'', null)', 'create_metrics_snapshot(''daily'', '''')']) c;
select attempt('record_interaction(''x'', p_detected_intent => repeat(''i'', 1025))') as too_long_for_an_intent;
select attempt('record_interaction(''x'', p_detected_intent => (select string_agg(md5(i::text), '''') from generate_series(1, 32) i), '
  || 'p_model_name => repeat(''😀'', 200))') as longest_names;
delete from ai_training_data where user_message = 'x';

-- snapshots: one for each model, type and start; the same one again
select create_metrics_snapshot() as first \gset
select create_metrics_snapshot() = :'first' as same_row;
select create_metrics_snapshot('hourly') is not null as hourly, create_metrics_snapshot('weekly') is not null as weekly,
  create_metrics_snapshot('monthly') is not null as monthly, create_metrics_snapshot('daily', 'b') is not null as b;
select model_name, period_type, count(*) from ai_metrics_snapshots group by 1, 2 order by 1, 2;
select period_type, period_end - period_start as length
from ai_metrics_snapshots where period_type not in ('monthly') and model_name = 'default' order by 1;
select bool_and(period_start = date_trunc(case period_type when 'hourly' then 'hour' when 'daily' then 'day' when 'weekly' then 'week'
  else 'month' end, now())) as aligned, bool_and(now() >= period_start and now() < period_end) as around_now from ai_metrics_snapshots;
select total_messages, ai_resolved, escalated, blocked, intent_accuracy, avg_confidence, escalation_rate, avg_escalation_confidence,
  human_corrections, correction_rate, helpful_rate
from ai_metrics_snapshots where period_type = 'daily' and model_name = 'default';
select metrics_by_category, metrics_by_intent, top_misclassified_intents
from ai_metrics_snapshots where period_type = 'daily' and model_name = 'default';

-- it follows what has changed since
insert into ai_training_data (user_message, detected_intent, conversation_id, response_time_ms, context, created_at, escalated)
select 'c' || i, 'order', 'c' || least(i, 3), 100 * i, case when i = 1 then '{"blocked": true}'::jsonb end,
  now(), i = 2 from generate_series(1, 3) i;
insert into ai_feedback (helpful) values (true), (true), (false), (null);
select create_metrics_snapshot() = :'first' as same_row;
select total_messages, ai_resolved, escalated, blocked, avg_response_time_ms, helpful_count, not_helpful_count, helpful_rate,
  avg_resolution_time_seconds, first_contact_resolution_rate
from ai_metrics_snapshots where id = :'first';

-- one taken before its period ended is completed by the next, and then left alone
insert into ai_metrics_snapshots (period_start, period_end, period_type, created_at)
select d, d + interval '1 day', 'daily', d + interval '12 hours'
from (select date_trunc('day', now() - interval '40 days') as d) x;
select create_metrics_snapshot() = :'first' as same_row;
select total_messages, created_at >= period_end as complete from ai_metrics_snapshots where period_start < now() - interval '35 days';
update ai_metrics_snapshots set total_messages = 77 where period_start < now() - interval '35 days';
select create_metrics_snapshot() = :'first' as same_row;
select total_messages from ai_metrics_snapshots where period_start < now() - interval '35 days';

-- the day is that of the session
set timezone = 'Asia/Kolkata';
select create_metrics_snapshot('monthly', 'kolkata') is not null as made;
select period_start = date_trunc('month', now()) as local_month from ai_metrics_snapshots where model_name = 'kolkata';
set timezone = 'UTC';

-- an answer that somebody has confirmed waits no more
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name)
values ('one', 'x', 50, 'confirmed'), ('two', 'x', 50, 'confirmed'), ('three', 'x', 50, 'confirmed');
update ai_training_data set intent_correct = true where model_name = 'confirmed' and user_message = 'one';
update ai_training_data set intent_correct = false where model_name = 'confirmed' and user_message = 'two';
select m -> 'pending_review' as pending_review, m -> 'reviewed' as reviewed from get_ai_training_metrics(30, 'confirmed') m;
select pending, pending_uncertain, reviewed from ai_review_backlog where model_name = 'confirmed';
select user_message from v_pending_review where model_name = 'confirmed';

-- nor does one whose text somebody has rejected; a duplicate that clean_dataset() has rejected says nothing of its text
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, created_at)
select m, 'x', c, 'refused', now() - c * interval '1 second'
from (values ('spam', 10), ('Spam', 20), ('SPAM', 30), ('hola', 40), ('Hola', 50), ('adiós', 80)) v (m, c);
update ai_training_data set dataset_status = 'rejected' where model_name = 'refused' and user_message = 'Spam';
select clean_dataset('refused', false) ->> 'duplicates' as duplicates;
select user_message, dataset_status from ai_training_data where model_name = 'refused' order by confidence_score;
select array_agg(user_message order by confidence_score) as waiting from v_pending_review where model_name = 'refused';
select get_ai_training_metrics(30, 'refused') -> 'pending_review' as pending_review;
select sum(pending) as pending, sum(pending_uncertain) as pending_uncertain,
  min(oldest_pending) = (select min(created_at) from v_pending_review v where v.model_name = 'refused') as oldest
from ai_review_backlog where model_name = 'refused';

-- a message that is dated ahead is in no period that ends now
insert into ai_training_data (user_message, detected_intent, correct_intent, confidence_score, escalated, model_name, created_at)
values ('now', 'x', null, 80, false, 'ahead', now()), ('later', 'y', 'z', 10, true, 'ahead', now() + interval '1 hour'),
  ('much later', 'y', 'z', 10, true, 'ahead', now() + interval '70 years');
select m -> 'total_training_samples' as samples, m -> 'total_messages' as messages, m -> 'avg_confidence' as confidence,
  m -> 'top_confused_intents' as confused, m -> 'corrections_by_category' as corrections, m -> 'top_intents' as intents
from get_ai_training_metrics(30, 'ahead') m;
select m -> 'total_messages' as messages, m -> 'escalation_rate' as escalation_rate, m -> 'intent_distribution' as intents,
  m #> '{confidence_distribution,0-20}' as unsure
from get_live_metrics(24, 'ahead') m;
select metric, value, sample_rows from retrain_metric_values('ahead', '7 days') where sample_rows > 0 order by metric;
select intent, total_samples from v_intent_performance where model_name = 'ahead';
select intent, messages from ai_intent_distribution where model_name = 'ahead';
select bucket, messages from ai_confidence_distribution where model_name = 'ahead';
select pending, reviewed, corrected from ai_review_backlog where model_name = 'ahead';
select get_live_metrics(24, 'ahead') -> 'samples_since_last_train' as samples;
begin;
select record_interaction('of this transaction', p_model_name => 'own', p_detected_intent => 'x') is not null as recorded;
select messages from ai_intent_distribution where model_name = 'own';
rollback;

-- clocks that skip midnight or show it twice: every moment is in one period, and periods touch
set timezone = 'America/Santiago';
select * from retrain_period('daily', '2020-09-06 15:00');
select * from retrain_period('daily', '2020-04-04 23:30-04');
set timezone = 'America/Havana';
select * from retrain_period('daily', '2020-11-01 00:30-04');
select * from retrain_period('monthly', '2020-11-01 00:30-04');
select * from retrain_period('hourly', '2020-11-01 00:30-04');
set timezone = 'UTC';
create function seams(p_zone text) returns table (period_type text, holes bigint) language plpgsql as $$
begin
  perform set_config('timezone', p_zone, true);
  return query
  select t.type, count(*) filter (where p.period_start is distinct from p.last_end and p.period_start <> p.last_start
    or t.at < p.period_start or t.at >= p.period_end)
  from (
    select u.type, s.at
    from unnest('{hourly,daily,weekly,monthly}'::text[]) u (type),
      generate_series('2022-01-01 00:30Z'::timestamptz, '2023-02-01', case u.type when 'hourly' then interval '1 hour' else '30 minutes' end) s (at)
  ) t,
  lateral (
    select n.period_start, n.period_end, l.period_start as last_start, l.period_end as last_end
    from retrain_period(t.type, t.at) n, retrain_period(t.type, t.at - interval '30 minutes') l
  ) p
  group by t.type;
end
$$;
select z, sum(holes) as holes from unnest('{America/Mexico_City,America/Santiago,America/Havana,Asia/Kathmandu,Europe/Madrid,Asia/Beirut}'::text[]) z, seams(z)
group by z order by z;
drop function seams;
set timezone = 'UTC';

-- plans: a period is read from its index alone, however many rows the table has
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at, model_name, intent_correct)
select 'm' || i, 'intent_' || i % 20, i % 101, now() - (i % 365) * interval '1 day', 'big', case when i % 50 = 0 then i % 100 = 0 end
from generate_series(1, 20000) i;
insert into ai_training_runs (run_name, status, model_name, started_at) values ('of yesterday', 'completed', 'big', now() - interval '1 day');
vacuum analyze ai_training_data;
create function plan_of(p_query text) returns setof text language plpgsql as $$
declare
  v_line text;
begin
  for v_line in execute 'explain (costs off) ' || p_query loop
    if v_line ~ 'Scan' then
      return next regexp_replace(btrim(v_line, ' ->'), '^(Parallel )', '');
    end if;
  end loop;
end
$$;
-- what retrain_message_counts() runs
select plan_of($$select d.detected_intent, d.source, count(*), count(d.confidence_score), sum(d.confidence_score),
  count(*) filter (where d.escalated), count(*) filter (where d.corrected_by_human), count(d.intent_correct),
  count(*) filter (where d.dataset_status = 'pending')
  from ai_training_data d where d.model_name = 'big' and d.created_at >= now() - interval '30 days' and d.created_at < 'infinity'
  group by 1, 2$$);
select plan_of($$select count(*) from (select from ai_training_data d
  where d.model_name = 'big' and d.created_at >= now() - interval '1 day' limit 100000) s$$);
set enable_bitmapscan = off;
select plan_of($$select d.detected_intent, d.correct_intent, count(*) from ai_training_data d
  where d.model_name = 'big' and d.created_at >= now() - interval '30 days' and d.created_at < 'infinity'
  and d.intent_correct is not null and not d.intent_correct and d.correct_intent is not null group by 1, 2$$);
reset enable_bitmapscan;
-- the functions themselves: pages read, against those of the table
create function pages_read(p_query text) returns bigint language plpgsql as $$
declare
  v_plan json;
begin
  execute 'explain (analyze, buffers, format json) ' || p_query into v_plan;
  return (v_plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (v_plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
end
$$;
select get_live_metrics(24, 'big') ->> 'total_messages' as day, get_ai_training_metrics(30, 'big') ->> 'total_messages' as month;
select c as call, pages_read('select ' || c) < pg_relation_size('ai_training_data') / 8192 / 2 as reads_less_than_half_the_table
from unnest(array['get_live_metrics(24, ''big'')', 'get_ai_training_metrics(30, ''big'')']) c;

drop function attempt, plan_of, pages_read;
drop extension pg_retrain;
