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
  v_checked bigint;
  v_empty uuid[];
  v_long uuid[];
  v_duplicates uuid[];
  v_kept uuid[];
  v_conflicts jsonb;
  v_conflicting bigint;
  v_rejected bigint := 0;
begin
  perform @extschema@.retrain_require_messages(p_model_name);
  if p_dry_run is null then
    raise exception 'p_dry_run is null'
      using errcode = 'invalid_parameter_value', hint = 'Pass false to reject the rows, true to see them first.';
  end if;

  with labelled as (
    select l.id, l.human, l.reviewed, l.labelled_at, l.created_at, l.text_key, l.intent,
      case
        when l.text_key = @extschema@.retrain_text_key('') then 'empty'
        when char_length(l.user_message) > c_longest then 'long'
      end as fault
    from @extschema@.ai_labelled_data l
    where l.model_name = p_model_name
  ), ranked as (
    select l.*, row_number() over w as place, first_value(l.id) over w as kept
    from labelled l
    window w as (
      partition by l.fault, l.text_key, l.intent
      order by l.human desc, l.reviewed desc, l.labelled_at desc, l.created_at desc, l.id)
  )
  select count(*), coalesce(array_agg(r.id) filter (where r.fault = 'empty'), '{}'),
    coalesce(array_agg(r.id) filter (where r.fault = 'long'), '{}'),
    coalesce(array_agg(r.id order by r.id) filter (where r.fault is null and r.place > 1), '{}'),
    array_agg(r.kept order by r.id) filter (where r.fault is null and r.place > 1)
  into v_checked, v_empty, v_long, v_duplicates, v_kept
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
    perform @extschema@.retrain_require_level(p_model_name, 'reviewer');
    update @extschema@.ai_training_data d
    set dataset_status = 'rejected', duplicate_of = x.kept
    from (
      select u.id, null::uuid from unnest(v_empty || v_long) u (id)
      union all
      select u.id, u.kept from unnest(v_duplicates, v_kept) u (id, kept)
    ) x (id, kept)
    where d.model_name = p_model_name and d.id = x.id;
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
