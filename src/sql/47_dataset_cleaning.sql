-- Cleaning a dataset: what is no use for training is rejected.

-- Rejects, never deletes: empty texts, texts too long to be a message, and all but one row of a text with one intent
-- (a person's label stays before a machine's, then a confirmed one, then the newest). One text under two intents is for a
-- person to decide.
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
  c_tries constant integer := 100;
  v_checked bigint;
  v_empty bigint;
  v_long bigint;
  v_duplicates bigint;
  v_ids uuid[];
  v_seen timestamptz[];
  v_kept uuid[];
  v_kept_seen timestamptz[];
  v_unchanged uuid[];
  v_busy uuid;
  v_conflicts jsonb;
  v_conflicting bigint;
  v_rejected bigint := 0;
begin
  perform @extschema@.retrain_require_messages(p_model_name);
  if p_dry_run is null then
    raise exception 'p_dry_run is null'
      using errcode = 'invalid_parameter_value', hint = 'Pass false to reject the rows, true to see them first.';
  end if;
  if not p_dry_run then
    perform @extschema@.retrain_require_level(p_model_name, 'reviewer');
    -- A training writes the same rows in another order.
    perform @extschema@.retrain_lock(p_model_name, 0);
  end if;

  with labelled as (
    select l.id, l.human, l.reviewed, l.labelled_at, l.created_at, l.text_key, l.intent, l.label_changed_at,
      case
        when l.text_key = @extschema@.retrain_text_key('') then 'empty'
        when char_length(l.user_message) > c_longest then 'long'
      end as fault
    from @extschema@.ai_labelled_data l
    where l.model_name = p_model_name
  ), ranked as (
    select l.*, row_number() over w as place, first_value(l.id) over w as first_id,
      first_value(l.label_changed_at) over w as first_seen
    from labelled l
    window w as (
      partition by l.fault, l.text_key, l.intent
      order by l.human desc, l.reviewed desc, l.labelled_at desc, l.created_at desc, l.id)
  ), judged as (
    select r.*, r.fault is not null or r.place > 1 as rejected,
      case when r.fault is null then r.first_id end as kept, case when r.fault is null then r.first_seen end as kept_seen
    from ranked r
  )
  select count(*), count(*) filter (where j.fault = 'empty'), count(*) filter (where j.fault = 'long'),
    count(*) filter (where j.fault is null and j.rejected),
    array_agg(j.id order by j.id) filter (where j.rejected),
    array_agg(j.label_changed_at order by j.id) filter (where j.rejected),
    array_agg(j.kept order by j.id) filter (where j.rejected),
    array_agg(j.kept_seen order by j.id) filter (where j.rejected)
  into v_checked, v_empty, v_long, v_duplicates, v_ids, v_seen, v_kept, v_kept_seen
  from judged j;

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
    -- All rows are held at once or none: whoever is waited for while others are held may be waiting for one of those. A raised
    -- RT000 gives back what a block holds.
    for v_try in 1 .. c_tries loop
      begin
        with free as (
          select d.id
          from @extschema@.ai_training_data d
          where d.model_name = p_model_name and d.id = any (v_ids || v_kept)
          for no key update of d skip locked
        )
        select d.id into v_busy
        from @extschema@.ai_training_data d
        where d.model_name = p_model_name and d.id = any (v_ids || v_kept)
          and not exists (select from free f where f.id = d.id)
        limit 1;
        exit when v_busy is null;
        raise exception using errcode = 'RT000';
      exception when sqlstate 'RT000' then
        null;
      end;
      begin
        perform from @extschema@.ai_training_data d where d.model_name = p_model_name and d.id = v_busy for no key update;
        raise exception using errcode = 'RT000';
      exception when sqlstate 'RT000' then
        null;
      end;
    end loop;
    -- Others go on working. A row that somebody has corrected since it was read is nobody's duplicate, nor are those of a
    -- row that is no longer what it was, or gone: they stay for the next time.
    select array_agg(k.id) into v_unchanged
    from (
      select d.id, d.label_changed_at
      from @extschema@.ai_training_data d
      where d.model_name = p_model_name and d.id in (select u.id from unnest(v_kept) u (id))
      order by d.id
      for share of d
    ) k
    join (select distinct u.id, u.seen from unnest(v_kept, v_kept_seen) u (id, seen)) s
      on s.id = k.id and s.seen = k.label_changed_at;
    update @extschema@.ai_training_data d
    set dataset_status = 'rejected', duplicate_of = x.kept
    from unnest(v_ids, v_seen, v_kept) x (id, seen, kept)
    left join unnest(v_unchanged) u (id) on u.id = x.kept
    where d.model_name = p_model_name and d.id = x.id and d.label_changed_at = x.seen
      and (x.kept is null or u.id is not null);
    get diagnostics v_rejected = row_count;
  end if;
  return jsonb_build_object(
    'model_name', p_model_name,
    'dry_run', p_dry_run,
    'checked', v_checked,
    'duplicates', v_duplicates,
    'empty', v_empty,
    'too_long', v_long,
    'removed', v_rejected,
    'remaining', v_checked - v_rejected,
    'conflicting_texts', v_conflicting,
    'conflicts', v_conflicts);
end
$function$;
