-- The month that bench/simulated_month plays, as functions in a schema of their own: what arrives each day, what is
-- reviewed, and what has to be true each evening. No clock is set: a training is due by the number of labelled rows that
-- are new, and a month that takes a minute lies within the gate's recent window as a real one does.

create extension pg_retrain;
create schema month;

-- ---- what is known beforehand ----------------------------------------------------------------------------------------

-- intent is the truth, label what the application says on recording the message.
create table month.message (
  place integer primary key,
  text text not null,
  intent text not null,
  label text not null,
  day integer not null,
  id uuid unique);

-- Messages with clean labels that no training sees.
create table month.exam (text text not null, intent text not null);

-- Lines of an import gone wrong.
create table month.poison (place integer primary key, text text not null, label text not null);

create table month.corpus (text text not null, intent text not null, split text not null);

-- The same number in [0, 1) for the same words, on every machine.
create function month.chance(variadic p_of text[]) returns double precision
  language sql immutable
  return ('x' || substr(md5(array_to_string(p_of, chr(31))), 1, 8))::bit(32)::bigint / 4294967296.0;

-- Weekdays (the month begins on a Monday) bring the full traffic, the days of a weekend a quarter of it.
create function month.traffic(p_day integer) returns double precision
  language sql immutable
  return case when p_day % 7 in (6, 0) then 0.25 else 1 end;

-- Deals the corpus over the days: the split train in an order that the seed decides, a share p_noise of its labels wrong.
create function month.deal(p_seed text, p_days integer, p_noise double precision) returns void
  language plpgsql
as $function$
begin
  insert into month.message (place, text, intent, label, day)
  with shuffled as (
    select c.text, c.intent,
      row_number() over (order by month.chance('order', p_seed, c.text, c.intent), c.text) as place,
      row_number() over (order by month.chance('noise', p_seed, c.text, c.intent), c.text) as noise_place,
      count(*) over () as n
    from month.corpus c
    where c.split = 'train' and c.intent <> 'oos'
  ), intents as (
    select i.intent, row_number() over (order by i.intent) - 1 as k, count(*) over () as n
    from (select distinct s.intent from shuffled s) i
  ), days as (
    select d.day, sum(month.traffic(d.day)) over (order by d.day) / sum(month.traffic(d.day)) over () as until
    from generate_series(1, p_days) d (day)
  )
  select s.place, s.text, s.intent,
    case when s.noise_place <= p_noise * s.n then o.intent else s.intent end,
    (select min(d.day) from days d where s.place <= d.until * s.n + 0.5)
  from shuffled s
  join intents i on i.intent = s.intent
  -- any other intent
  join intents o on o.k = (i.k + 1 + floor(month.chance('wrong', p_seed, s.text) * (i.n - 1))::bigint) % i.n;

  insert into month.exam select c.text, c.intent from month.corpus c where c.split = 'test' and c.intent <> 'oos';

  -- The column of labels has slipped by one line against that of the texts.
  insert into month.poison
  select s.place, s.text, coalesce(lead(s.intent) over (order by s.place), first_value(s.intent) over (order by s.place))
  from (
    select c.text, c.intent, row_number() over (order by month.chance('import', p_seed, c.text, c.intent), c.text) as place
    from month.corpus c
    where c.split = 'val' and c.intent <> 'oos') s;
end
$function$;

-- ---- what happens ----------------------------------------------------------------------------------------------------

-- Our own account of what no training has seen as it is now. should_retrain() has to agree with it every evening.
create table month.unseen (id uuid primary key);

create table month.evening (
  day integer primary key,
  recorded integer not null,       -- messages until this evening
  reviewed integer not null,       -- reviews until this evening
  wrong_found integer not null,    -- those that changed the label
  wrong_left integer not null,     -- messages that are recorded under a wrong label still
  due boolean not null,
  verdict text,                    -- of the training, if there was one
  live_version bigint,
  accuracy double precision,
  macro_f1 double precision);

create function month.record_messages(p_day integer) returns bigint
  language plpgsql
as $function$
declare
  v_recorded bigint;
begin
  with recorded as materialized (
    select m.place, record_interaction(m.text, p_detected_intent => m.label) as id
    from (select * from month.message m where m.day = p_day order by m.place) m
  ), known as (
    update month.message m set id = r.id from recorded r where m.place = r.place
  ), counted as (
    insert into month.unseen select r.id from recorded r
  )
  select count(*) into v_recorded from recorded;
  return v_recorded;
end
$function$;

-- The reviewer's day: the first p_count messages of the queue, each with the right answer.
create function month.review(p_strategy text, p_count integer, p_seed text) returns integer
  language plpgsql
as $function$
declare
  v_ids uuid[];
  v_done integer;
begin
  case p_strategy
    when 'none' then v_ids := '{}';
    when 'random' then
      select array_agg(q.id) into v_ids
      from (
        select v.id
        from v_pending_review v
        order by month.chance('random', p_seed, v.user_message), v.id
        limit p_count) q;
    else
      select array_agg(q.id) into v_ids from get_review_queue(p_count, p_strategy) q;
  end case;
  with corrected as (
    select m.id, submit_intent_correction(m.id, m.intent) as answer
    from month.message m
    where m.id = any (v_ids)
  ), counted as (
    insert into month.unseen select c.id from corrected c where c.answer ->> 'success' = 'true'
    on conflict do nothing
  )
  select count(*) filter (where c.answer ->> 'success' = 'true') into v_done from corrected c;
  if v_done <> cardinality(v_ids) then
    raise exception '% of % reviews were taken', v_done, cardinality(v_ids);
  end if;
  return v_done;
end
$function$;

-- Somebody imports messages as reviewed ones.
create function month.import_poison() returns jsonb
  language plpgsql
as $function$
declare
  v_report jsonb;
begin
  select import_training_dataset(p_lines => array_agg(
    jsonb_build_object('text', p.text, 'intent', p.label, 'was_corrected', true)::text order by p.place))
  into v_report
  from month.poison p;
  insert into month.unseen select d.id from ai_training_data d where d.source = 'imported';
  return v_report - 'report';
end
$function$;

-- The import is found out and taken back.
create function month.repair() returns bigint
  language plpgsql
as $function$
declare
  v_rejected bigint;
begin
  update ai_training_data set dataset_status = 'rejected' where source = 'imported';
  get diagnostics v_rejected = row_count;
  delete from month.unseen u using ai_training_data d where d.id = u.id and d.source = 'imported';
  return v_rejected;
end
$function$;

-- ---- what has to be true ---------------------------------------------------------------------------------------------

create function month.expect(p_what text, p_is anyelement, p_should_be anyelement) returns void
  language plpgsql
as $function$
begin
  if p_is is distinct from p_should_be then
    raise exception '%: % where % was expected', p_what, coalesce(p_is::text, 'null'), coalesce(p_should_be::text, 'null');
  end if;
end
$function$;

-- Asks whether a training is due, calls retrain_if_due() in any case, and compares both with our own account.
create function month.retrain(p_day integer) returns month.evening
  language plpgsql
as $function$
declare
  v_unseen bigint := (select count(*) from month.unseen);
  v_threshold integer := (select m.auto_retrain_threshold from ai_models m where m.model_name = 'default');
  v_due boolean := v_unseen >= v_threshold;
  v_live bigint := (select v.id from ai_model_metadata v where v.is_active);
  v_runs bigint := (select count(*) from ai_training_runs);
  v_asked jsonb := should_retrain();
  v_run ai_training_runs;
  v_evening month.evening;
begin
  perform month.expect('new samples', (v_asked ->> 'new_samples')::bigint, v_unseen);
  perform month.expect('due', (v_asked ->> 'due')::boolean, v_due);
  perform month.expect('reason', v_asked ->> 'reason', case
    when not v_due then format('%s new samples, a training is due at %s', v_unseen, v_threshold)
    when v_runs = 0 then format('%s labelled samples and no training yet', v_unseen)
    else format('%s new samples since the last training', v_unseen) end);

  select r.* into v_run from retrain_if_due() r;
  perform month.expect('trainings', (select count(*) from ai_training_runs), v_runs + v_due::integer);
  if v_due then
    perform month.expect('status', v_run.status, 'completed');
    truncate month.unseen;
  end if;
  perform month.expect('the live version', (select v.id from ai_model_metadata v where v.is_active),
    case when v_run.deployed then v_run.model_version_id else v_live end);
  perform month.expect('due after the training', (should_retrain() ->> 'due')::boolean, false);

  v_evening.day := p_day;
  v_evening.due := v_due;
  v_evening.verdict := v_run.gate ->> 'verdict';
  select v.id into v_evening.live_version from ai_model_metadata v where v.is_active;
  select count(*), count(*) filter (where d.corrected_by_human),
    count(*) filter (where d.corrected_by_human and m.label <> m.intent),
    count(*) filter (where coalesce(d.correct_intent, d.detected_intent) <> m.intent)
  into v_evening.recorded, v_evening.reviewed, v_evening.wrong_found, v_evening.wrong_left
  from month.message m
  join ai_training_data d on d.id = m.id;

  with answers as materialized (
    select e.intent, coalesce(classify_intent(e.text), '') as answer from month.exam e
  ), intents as (
    select i.intent, count(*) filter (where a.intent = i.intent) as truth,
      count(*) filter (where a.answer = i.intent) as answered,
      count(*) filter (where a.intent = i.intent and a.answer = i.intent) as both
    from (select a.intent from answers a union select a.answer from answers a where a.answer <> '') i (intent)
    join answers a on a.intent = i.intent or a.answer = i.intent
    group by i.intent
  )
  select (select avg((a.answer = a.intent)::integer) from answers a), avg(2.0 * i.both / (i.truth + i.answered))
  into v_evening.accuracy, v_evening.macro_f1
  from intents i;
  insert into month.evening select v_evening.*;
  return v_evening;
end
$function$;

create function month.expect_poison_rejected(p_day integer) returns void
  language plpgsql
as $function$
declare
  v_poisoned month.evening := (select e from month.evening e where e.day = p_day);
  v_repaired month.evening := (select e from month.evening e where e.day = p_day + 1);
begin
  perform month.expect('verdict on the poisoned training', v_poisoned.verdict, 'rejected');
  perform month.expect('live version of the poisoned day', v_poisoned.live_version,
    (select e.live_version from month.evening e where e.day = p_day - 1));
  perform month.expect('verdict after the repair', v_repaired.verdict, 'promoted');
end
$function$;

-- What listeners of ai_models were told, in this order.
create table month.heard (place integer generated always as identity, payload jsonb not null);

create function month.expect_notifications() returns void
  language plpgsql
as $function$
begin
  perform month.expect('notifications',
    (select jsonb_agg(jsonb_build_array(h.payload -> 'event', h.payload -> 'version_id') order by h.place) from month.heard h),
    (select jsonb_agg(jsonb_build_array(r.gate -> 'verdict', r.model_version_id) order by r.created_at)
     from ai_training_runs r));
end
$function$;
