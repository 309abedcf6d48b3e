-- Review: which messages a person should look at next, who looks at which, and what a correction would change.

create function @extschema@.retrain_check_count(p_name text, p_value integer, p_least integer, p_most integer)
  returns void
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_value is null or p_value not between p_least and p_most then
    raise exception '% is out of range', p_name
      using errcode = 'invalid_parameter_value',
        detail = format('The number given is %s.', coalesce(p_value::text, 'null')),
        hint = format('It is a whole number from %s to %s.', p_least, p_most);
  end if;
end
$function$;

-- The words of the labelled texts, for the strategy novelty; the newest 50 000 rows stand for all.
create function @extschema@.retrain_known_words(p_model_name text) returns setof text
  language plpgsql stable parallel safe cost 100000 rows 10000
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return query
  select distinct w.word
  from (
    select l.user_message
    from @extschema@.ai_labelled_data l
    where l.model_name = p_model_name and (l.human or l.reviewed)
    order by l.created_at desc
    limit 50000) l
  cross join lateral unnest(string_to_array(btrim(@extschema@.retrain_words(l.user_message)), ' ')) w (word)
  where w.word <> '';
end
$function$;

-- The messages that a strategy weighs, each text once: nobody reviews a text twice. Those that wait for a review, the
-- least confident or the newest. For the two strategies that doubt stored intents also the newest that were learnt
-- before anybody had looked: a training takes them out of v_pending_review with whatever intent they have. A text that
-- a person has corrected is settled: its other rows teach nothing any more.
create function @extschema@.retrain_review_pool(p_model_name text, p_strategy text, p_limit integer)
  returns table (id uuid, user_message text)
  language plpgsql stable parallel safe cost 10000 rows 10000
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return query
  with waiting as (
    -- The order that an index has; the one that does not apply gives no row.
    (select v.id, v.user_message, v.confidence_score, v.created_at
    from @extschema@.v_pending_review v
    where v.model_name = p_model_name and p_strategy not in ('disagreement', 'novelty')
    order by v.confidence_score asc nulls first, v.created_at desc
    limit p_limit)
    union all
    (select v.id, v.user_message, null, v.created_at
    from @extschema@.v_pending_review v
    where v.model_name = p_model_name and p_strategy in ('disagreement', 'novelty')
    order by v.created_at desc
    limit p_limit)
  ), learnt as (
    select d.id, d.user_message, case p_strategy when 'margin' then d.confidence_score end as confidence_score, d.created_at
    from @extschema@.ai_training_data d
    where d.model_name = p_model_name and p_strategy in ('margin', 'disagreement')
      and d.dataset_status = 'used_in_training' and not d.corrected_by_human and d.intent_correct is null
      and not exists (
        select from @extschema@.ai_training_data r
        where r.text_key = d.text_key and r.model_name is not distinct from d.model_name
          and (r.dataset_status = 'rejected' and r.duplicate_of is null
            or r.corrected_by_human and r.correct_intent is not null)
        offset 0)
    order by d.created_at desc
    limit p_limit
  ), placed as (
    select c.id, c.user_message, @extschema@.retrain_text_key(c.user_message) as text_key,
      row_number() over (order by c.confidence_score asc nulls first, c.created_at desc) as place
    from (select * from waiting union all select * from learnt) c
  )
  select f.id, f.user_message
  from (select distinct on (p.text_key) p.id, p.user_message, p.place from placed p order by p.text_key, p.place) f
  order by f.place;
end
$function$;

create function @extschema@.get_review_queue(
  p_limit integer default 20,
  p_strategy text default 'least_confidence',
  p_model_name text default 'default'
) returns table (
    id uuid,
    user_message text,
    detected_intent text,
    ai_response text,
    confidence_score integer,
    category text,
    created_at timestamptz,
    predicted_intent text,
    predicted_confidence real,
    score double precision)
  language plpgsql stable parallel safe cost 100000 rows 20
  set search_path = pg_catalog, pg_temp
as $function$
declare
  -- Of a long backlog the strategies weigh this many messages: the least confident, or the newest.
  c_pool constant integer := 20000;
  -- Intents whose probability is looked at one by one. The rest enter the entropy as one; where the stored intent is
  -- among the rest, its probability counts as 0.
  c_top constant integer := case p_strategy when 'entropy' then 50 when 'margin' then 10 else 1 end;
  v_pool integer := c_pool;
  v_ids uuid[];
  v_messages text[];
  v_labels text[];
  v_unscored text;
begin
  perform @extschema@.retrain_check_count('p_limit', p_limit, 0, 10000);
  if p_strategy is null or p_strategy not in ('least_confidence', 'margin', 'entropy', 'disagreement', 'novelty') then
    raise exception 'p_strategy is not a known strategy'
      using errcode = 'invalid_parameter_value',
        detail = format('The strategy given is %s.', coalesce('"' || p_strategy || '"', 'null')),
        hint = 'Use least_confidence, margin, entropy, disagreement or novelty.';
  end if;
  perform @extschema@.retrain_require_messages(p_model_name);

  if p_strategy = 'least_confidence' then
    v_pool := 10 * p_limit + 100;
  end if;
  loop
    select array_agg(w.id order by w.place), array_agg(w.user_message order by w.place)
    into v_ids, v_messages
    from @extschema@.retrain_review_pool(p_model_name, p_strategy, v_pool) with ordinality w (id, user_message, place);
    -- One text that came a thousand times may be all that was looked at: the others are further down.
    exit when p_strategy <> 'least_confidence' or cardinality(v_ids) >= p_limit
      or v_pool > (
        select count(*)
        from (select from @extschema@.v_pending_review v where v.model_name = p_model_name limit v_pool) c);
    v_pool := least(10 * v_pool::bigint, 2147483647);
  end loop;
  if v_ids is null then
    return;
  end if;
  -- A live version is asked, and a reader may not read its bytes.
  if exists (select from @extschema@.ai_model_versions v where v.model_name = p_model_name and v.is_active) then
    perform @extschema@.retrain_require_level(p_model_name, 'predictor');
  end if;
  if p_strategy = 'least_confidence' then
    v_ids := v_ids[1:p_limit];
    v_messages := v_messages[1:p_limit];
  end if;
  if p_strategy = 'margin' then
    select v.labels into v_labels
    from @extschema@.ai_model_versions v
    where v.model_name = p_model_name and v.is_active;
  end if;
  -- Without predictions the other strategies still have an order; this one would find that nothing disagrees.
  if p_strategy = 'disagreement' then
    select p.model_version into v_unscored
    from @extschema@.ai_model_versions v
    -- A version that is named answers by itself, whatever has been said of the text.
    cross join lateral @extschema@.retrain_predict_texts(v_messages[1:1], p_model_name, 0, v.id) p
    where v.model_name = p_model_name and v.is_active and p.predicted_intent is null;
    if found then
      raise exception 'the strategy disagreement needs predictions of recorded messages'
        using errcode = 'feature_not_supported',
          detail = format('Version %s takes an embedding of each message; recorded messages have none.', v_unscored),
          hint = 'Use least_confidence or novelty.';
    end if;
  end if;

  return query
  with scored as (
    select v_ids[p.place] as id, p.predicted_intent, p.confidence, p.place,
      case p_strategy
        -- The lead of the best intent: a wide one is a sure answer. Where another intent is stored, one that the model
        -- could have given, there is no lead but a deficit: what the stored one's probability lacks.
        when 'margin' then case
          when d.detected_intent <> p.predicted_intent and d.detected_intent = any (v_labels)
              and p.decision_source = 'model'
            then coalesce((p.top_intents ->> d.detected_intent)::float8, 0) - 1
          else (p.top_intents ->> p.predicted_intent)::float8 - (
            select coalesce(max(t.value::float8), 0)
            from jsonb_each_text(p.top_intents - p.predicted_intent) t) end
        when 'entropy' then (
          select -sum(t.p * ln(t.p)) - case when sum(t.p) < 0.999999 then (1 - sum(t.p)) * ln(1 - sum(t.p)) else 0 end
          from (select e.value::float8 as p from jsonb_each_text(p.top_intents) e) t
          where t.p > 0)
        when 'least_confidence' then d.confidence_score
        when 'disagreement' then p.confidence
        -- Without a word nothing in it is new.
        else coalesce(n.share, 0) end as value
    from @extschema@.retrain_predict_texts(v_messages, p_model_name, c_top) with ordinality as
      p (message, predicted_intent, confidence, top_intents, decision, is_uncertain, model_version, model_trained,
        decision_source, uncertain_reason, familiarity, place)
    join @extschema@.ai_training_data d on d.id = v_ids[p.place]
    left join (
      select w.place, avg((k.word is null)::integer)::float8 as share
      from (
        select m.place, u.word
        from unnest(v_messages) with ordinality as m (message, place)
        cross join lateral unnest(string_to_array(btrim(@extschema@.retrain_words(m.message)), ' ')) u (word)
        where p_strategy = 'novelty') w
      left join (
        select k.word from @extschema@.retrain_known_words(p_model_name) k (word) where p_strategy = 'novelty') k
        on k.word = w.word
      group by w.place) n on n.place = p.place
    where p_strategy <> 'disagreement' or p.predicted_intent <> d.detected_intent
  )
  select d.id, d.user_message, d.detected_intent, d.ai_response, d.confidence_score, d.category, d.created_at,
    s.predicted_intent, s.confidence, s.value
  from scored s
  join @extschema@.ai_training_data d on d.id = s.id
  order by
    -- without a live version, or with one that needs embeddings, nothing is known: everything is equally uncertain
    case when p_strategy in ('margin', 'least_confidence') then s.value end asc nulls first,
    case when p_strategy in ('entropy', 'novelty') then s.value end desc nulls first,
    case when p_strategy = 'disagreement' then s.value end desc nulls last,
    s.place
  limit p_limit;
end
$function$;

create function @extschema@.claim_review_items(
  p_reviewer text,
  p_limit integer default 20,
  p_minutes integer default 30,
  p_model_name text default 'default'
) returns table (
    id uuid,
    user_message text,
    detected_intent text,
    ai_response text,
    confidence_score integer,
    category text,
    created_at timestamptz,
    leased_until timestamptz)
  language plpgsql volatile parallel unsafe rows 20
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_at timestamptz := clock_timestamp();
  v_until timestamptz;
  v_candidates uuid[];
  v_claimed uuid[];
begin
  if btrim(p_reviewer) = '' or p_reviewer is null then
    raise exception 'p_reviewer is missing'
      using errcode = 'invalid_parameter_value',
        detail = case when p_reviewer is null then 'The name given is null.' else 'The name given is blank.' end,
        hint = 'Pass a name or an id that is the reviewer''s alone.';
  end if;
  perform @extschema@.retrain_check_count('p_limit', p_limit, 0, 10000);
  perform @extschema@.retrain_check_count('p_minutes', p_minutes, 1, 10080);
  perform @extschema@.retrain_require_messages(p_model_name);
  perform @extschema@.retrain_require_level(p_model_name, 'reviewer');
  v_until := v_at + make_interval(mins => p_minutes);

  -- Leases whose message has been reviewed. Those that have run out are left for the next claim to take over: were they
  -- deleted here, nobody else could claim their messages before this transaction has ended.
  delete from @extschema@.ai_review_leases l
  where l.model_name = p_model_name and l.training_data_id in (
    select o.training_data_id
    from @extschema@.ai_review_leases o
    left join @extschema@.ai_training_data d on d.id = o.training_data_id
    where o.model_name = p_model_name
      and (d.id is null or d.dataset_status <> 'pending' or d.corrected_by_human or d.intent_correct is not null)
    for update of o skip locked);

  -- What the reviewer holds comes first and is held on: asking again after a reload loses nothing.
  with held as (
    select l.training_data_id
    from @extschema@.ai_review_leases l
    where l.model_name = p_model_name and l.reviewer = p_reviewer and l.expires_at > v_at
      -- Not the view: its order keeps it apart, so that it would be computed anew for every lease.
      and exists (
        select from @extschema@.ai_training_data d
        where d.id = l.training_data_id and d.model_name is not distinct from l.model_name and d.dataset_status = 'pending'
          and not d.corrected_by_human and d.intent_correct is null
          and not exists (
            select from @extschema@.ai_training_data r
            where r.text_key = d.text_key and r.model_name is not distinct from d.model_name
              and r.dataset_status = 'rejected' and r.duplicate_of is null
            offset 0)
        offset 0)
    order by l.leased_at
    limit p_limit
    for update of l skip locked
  ), kept as (
    update @extschema@.ai_review_leases l
    set expires_at = v_until
    from held h
    where l.model_name = p_model_name and l.training_data_id = h.training_data_id
    returning l.training_data_id
  )
  select coalesce(array_agg(k.training_data_id), '{}') into v_claimed from kept k;

  -- Rows that another claim has locked are passed over. One that was claimed and committed since this statement began
  -- loses its lease to nobody: the upsert finds it held, and the next round looks further with new eyes.
  while cardinality(v_claimed) < p_limit loop
    select array_agg(c.id) into v_candidates
    from (
      select d.id
      from @extschema@.ai_training_data d
      where d.model_name = p_model_name
        and d.dataset_status = 'pending'
        and not d.corrected_by_human
        and d.intent_correct is null
        and not exists (
          select from @extschema@.ai_training_data r
          where r.text_key = d.text_key and r.model_name is not distinct from d.model_name
            and r.dataset_status = 'rejected' and r.duplicate_of is null
          offset 0)
        and not exists (
          select from @extschema@.ai_review_leases l
          where l.training_data_id = d.id and l.model_name is not distinct from d.model_name and l.expires_at > v_at
          offset 0)
      order by d.confidence_score asc nulls first, d.created_at desc
      limit p_limit - cardinality(v_claimed)
      for update of d skip locked) c;
    exit when v_candidates is null;
    with taken as (
      insert into @extschema@.ai_review_leases (training_data_id, model_name, reviewer, leased_at, expires_at)
      select c.id, p_model_name, p_reviewer, v_at, v_until
      from unnest(v_candidates) c (id)
      on conflict (training_data_id, model_name) do update
      set reviewer = excluded.reviewer, leased_at = excluded.leased_at, expires_at = excluded.expires_at
      where ai_review_leases.expires_at <= v_at
      returning ai_review_leases.training_data_id
    )
    select v_claimed || coalesce(array_agg(t.training_data_id), '{}') into v_claimed from taken t;
  end loop;

  return query
  select d.id, d.user_message, d.detected_intent, d.ai_response, d.confidence_score, d.category, d.created_at, v_until
  from @extschema@.ai_training_data d
  where d.id = any (v_claimed)
  order by d.confidence_score asc nulls first, d.created_at desc;
end
$function$;

create function @extschema@.preview_correction(p_training_data_id uuid, p_correct_intent text) returns jsonb
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_row @extschema@.ai_training_data;
  v_intent text := btrim(p_correct_intent, E' \t\r\n');
  v_now record;
  v_same record;
  v_known bigint;
  v_in_model boolean;
begin
  if v_intent is null or @extschema@.retrain_identity_text(v_intent) = '' then
    raise exception 'p_correct_intent is missing'
      using errcode = 'invalid_parameter_value',
        detail = case when p_correct_intent is null then 'The intent given is null.'
          else 'The intent given is blank.' end,
        hint = 'Pass the intent that the message really has.';
  end if;
  select d.* into v_row from @extschema@.ai_training_data d where d.id = p_training_data_id;
  if not found then
    return jsonb_build_object('success', false, 'error', 'Training data not found');
  end if;
  perform @extschema@.retrain_require_level(v_row.model_name, 'reader');
  if exists (select from @extschema@.ai_model_versions v where v.model_name = v_row.model_name and v.is_active) then
    perform @extschema@.retrain_require_level(v_row.model_name, 'predictor');
  end if;

  select p.predicted_intent, p.confidence, p.decision_source, p.model_version into v_now
  from @extschema@.retrain_predict_texts(array[v_row.user_message], v_row.model_name, 1) p;
  select count(*) as messages,
    count(*) filter (where d.corrected_by_human and d.correct_intent <> v_intent) as contradicted,
    jsonb_agg(distinct d.correct_intent)
      filter (where d.corrected_by_human and d.correct_intent <> v_intent) as other_intents
  into v_same
  from @extschema@.ai_training_data d
  where d.model_name = v_row.model_name and d.text_key = v_row.text_key and d.id <> v_row.id
    and d.dataset_status <> 'rejected';
  select count(distinct l.text_key) into v_known
  from @extschema@.ai_labelled_data l
  where l.model_name = v_row.model_name and l.intent = v_intent;
  select v_intent = any (v.labels) into v_in_model
  from @extschema@.ai_model_versions v
  where v.model_name = v_row.model_name and v.is_active;

  return jsonb_build_object(
    'success', true,
    'training_data_id', v_row.id,
    'user_message', v_row.user_message,
    'original_intent', v_row.detected_intent,
    'correct_intent', v_intent,
    'was_mismatch', v_row.detected_intent is distinct from v_intent,
    'current_prediction', v_now.predicted_intent,
    'current_confidence', v_now.confidence,
    'current_source', v_now.decision_source,
    'model_version', v_now.model_version,
    -- A text is answered with its correction at once, but only by a model that answers at all.
    'answer_changes', v_now.model_version is not null and v_now.predicted_intent is distinct from v_intent,
    'same_text_messages', v_same.messages,
    'contradicts', v_same.contradicted,
    'contradicted_intents', coalesce(v_same.other_intents, '[]'),
    'known_examples', v_known,
    'intent_in_live_model', coalesce(v_in_model, false),
    'split', v_row.split);
end
$function$;

create function @extschema@.diff_models(
  p_model_name text,
  p_version_a bigint,
  p_version_b bigint,
  p_limit integer default 1000
) returns table (
    id uuid,
    user_message text,
    known_intent text,
    intent_a text,
    confidence_a real,
    intent_b text,
    confidence_b real,
    better text)
  language plpgsql stable parallel safe cost 100000 rows 100
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_ids uuid[];
  v_messages text[];
  v_known text[];
  v_unscored text;
begin
  perform @extschema@.retrain_require_messages(p_model_name);
  if p_version_a is null or p_version_b is null then
    raise exception '% is null', case when p_version_a is null then 'p_version_a' else 'p_version_b' end
      using errcode = 'invalid_parameter_value', hint = 'Pass two ids of ai_model_metadata.';
  end if;
  perform @extschema@.retrain_check_count('p_limit', p_limit, 0, 1000000);
  perform @extschema@.retrain_require_level(p_model_name, 'predictor');

  -- The newest messages, each text once, with what a person has said of it.
  select array_agg(m.id order by m.created_at desc), array_agg(m.user_message order by m.created_at desc),
    array_agg(m.known order by m.created_at desc)
  into v_ids, v_messages, v_known
  from (
    select distinct on (d.text_key) d.id, d.user_message, d.created_at,
      case when d.corrected is not null then d.correct_intent
        when d.intent_correct then d.detected_intent end as known
    from (
      select n.*, nullif(btrim(n.correct_intent, E' \t\r\n'), '') as corrected
      from @extschema@.ai_training_data n
      where n.model_name = p_model_name and n.dataset_status <> 'rejected'
      order by n.created_at desc
      limit p_limit) d
    -- The last word of a person is what is known of a text, in the order of predict_intent()'s corrections and of a training.
    order by d.text_key, d.corrected_by_human and d.corrected is not null desc, d.intent_correct is true desc,
      case when d.corrected_by_human and d.corrected is not null then coalesce(d.corrected_at, d.created_at)
        else d.created_at end desc,
      d.created_at desc, d.corrected collate "C" desc nulls last) m;

  select p.model_version into v_unscored
  from unnest(array[p_version_a, p_version_b]) v (id)
  cross join lateral @extschema@.retrain_predict_texts(v_messages[1:1], p_model_name, 0, v.id) p
  where p.predicted_intent is null
  limit 1;
  if found then
    raise exception 'the versions cannot be compared over recorded messages'
      using errcode = 'feature_not_supported',
        detail = format('Version %s takes an embedding of each message; recorded messages have none.', v_unscored),
        hint = 'Compare what predict_intent() gives with p_version_id and p_embedding over your table of embeddings.';
  end if;

  return query
  select v_ids[a.place], a.message, v_known[a.place], a.intent, a.confidence, b.intent, b.confidence,
    case v_known[a.place] when a.intent then 'a' when b.intent then 'b' end
  from @extschema@.predict_intents(coalesce(v_messages, '{}'), p_model_name, 1, p_version_a) with ordinality as
    a (message, intent, confidence, top, decision, uncertain, version, trained, source, reason, familiarity, place)
  join @extschema@.predict_intents(coalesce(v_messages, '{}'), p_model_name, 1, p_version_b) with ordinality as
    b (message, intent, confidence, top, decision, uncertain, version, trained, source, reason, familiarity, place)
    on b.place = a.place
  where a.intent is distinct from b.intent
  order by greatest(a.confidence, b.confidence) desc, a.place;
end
$function$;
