-- Dataset: what training reads, as rows.

create function @extschema@.get_training_dataset(
  p_min_confidence integer default 0,
  p_only_reviewed boolean default false,
  p_limit integer default 10000,
  p_model_name text default 'default'
) returns table (
    id uuid,
    user_message text,
    intent text,
    response text,
    confidence_score integer,
    category text,
    was_corrected boolean,
    was_escalated boolean,
    created_at timestamptz)
  language plpgsql stable parallel safe cost 10000 rows 10000
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_limit < 0 then
    raise exception 'p_limit is negative'
      using errcode = 'invalid_parameter_value', detail = format('The limit given is %s.', p_limit),
        hint = 'Pass null for no limit.';
  end if;
  return query
  select d.id, d.user_message, d.intent, d.response, d.confidence_score, d.category, d.was_corrected,
    d.was_escalated, d.created_at
  from @extschema@.ai_labelled_data d
  where d.model_name = p_model_name
    and coalesce(d.confidence_score, 0) >= coalesce(p_min_confidence, 0)
    and (d.reviewed or p_only_reviewed is not true)
  order by d.was_corrected desc, d.confidence_score desc nulls last, d.created_at desc, d.id
  limit p_limit;
end
$function$;

-- Gives every labelled row that has none its split: once per distinct text, stratified by intent, never moved. Rows whose
-- text was edited, or that came from another model, may bring a split that their text's other rows do not have: such a text
-- is a test text if any of its rows is one, else a training text, or else what is learnt would be measured too.
-- A row that another transaction is changing at this moment is left for the next time, as in retrain_mark_rows(): waiting for it
-- with all the others in hand could end in a deadlock. Only one that has to be moved is waited for.
-- Each intent's distinct texts, in the order of their keys, take the 20 places of the pattern in turn: 14 train,
-- 3 validation, 3 test; its first two train, so that a rare intent is learnt before it is measured.
-- Rows loaded a moment ago have no statistics, and a nested loop over them would take hours: hence the first setting.
-- Before PostgreSQL 18 a join that cannot avoid it is costed high enough to call the JIT compiler: hence the second.
create function @extschema@.retrain_assign_splits(p_model_name text) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off
  set jit = off
as $function$
declare
  c_pattern constant text[] := array[
    'train', 'train', 'test', 'train', 'validation', 'train', 'train', 'train', 'train', 'test',
    'train', 'validation', 'train', 'train', 'train', 'test', 'train', 'train', 'validation', 'train'];
  v_assigned bigint;
begin
  if not exists (
      select from @extschema@.ai_labelled_data l where l.model_name = p_model_name and l.split is null)
    and not exists (
      select
      from @extschema@.ai_training_data t
      join @extschema@.ai_labelled_data l on l.model_name = t.model_name and l.text_key = t.text_key
      -- In the order of their names, as min() takes them below: a row whose text has an earlier one is to be moved there.
      where t.model_name = p_model_name and t.split < l.split)
  then
    return 0;
  end if;

  with labelled as materialized (
    select l.id, l.text_key, l.intent, l.human, l.reviewed, l.labelled_at, l.created_at, l.split
    from @extschema@.ai_labelled_data l
    where l.model_name = p_model_name
  ), texts as materialized (
    select distinct on (l.text_key) l.text_key, l.intent
    from labelled l
    order by l.text_key, l.human desc, l.reviewed desc, l.labelled_at desc, l.created_at desc, l.id
  ), known as materialized (
    -- Any row of the text counts, labelled or not; a text that was ever a test text stays one.
    select d.text_key, min(d.split) as split
    from @extschema@.ai_training_data d
    where d.model_name = p_model_name and d.split is not null
    group by d.text_key
  ), taken as (
    select t.intent, count(*) as texts
    from texts t
    join known k on k.text_key = t.text_key
    group by t.intent
  ), fresh as (
    select t.text_key,
      c_pattern[1 + (
        coalesce(n.texts, 0) + row_number() over (partition by t.intent order by t.text_key) - 1) % 20] as split
    from texts t
    left join known k on k.text_key = t.text_key
    left join taken n on n.intent = t.intent
    where k.text_key is null
  ), decided as (
    select k.text_key, k.split from known k
    union all
    select f.text_key, f.split from fresh f
  ), free as (
    select d.id, x.split
    from @extschema@.ai_training_data d
    join labelled l on l.id = d.id and l.text_key = d.text_key
    join decided x on x.text_key = l.text_key
    where d.model_name = p_model_name and d.split is null
    for no key update of d skip locked
  )
  update @extschema@.ai_training_data d
  set split = x.split
  from (
    select f.id, f.split from free f
    union all
    select l.id, x.split from labelled l join decided x on x.text_key = l.text_key where l.split <> x.split) x
  where d.model_name = p_model_name and d.id = x.id;
  get diagnostics v_assigned = row_count;
  return v_assigned;
end
$function$;

-- The training dataset as one self-contained query, for the trainer's cursor. Ordered by text, the row that decides
-- a text's label first: a person's before a machine's, then what a person has confirmed, then the newest label. Rows without
-- a split, one that has just come or that somebody was changing when the others got theirs, are left out unless asked for. p_until:
-- rows that came later are left out, which a row's own date alone does not say: some are dated ahead.
create function @extschema@.retrain_rows_query(
  p_model_name text,
  p_unsplit boolean default false,
  p_until timestamptz default null
) returns text
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return format(
    'select d.user_message as text, d.intent, 1::pg_catalog.float8 as weight, d.split, d.created_at, d.human, d.reviewed, '
    'd.labelled_at '
    'from %s d where d.model_name operator(pg_catalog.=) %L%s%s '
    'order by d.text_key, d.human desc, d.reviewed desc, d.labelled_at desc, d.created_at desc, d.id',
    pg_typeof(null::@extschema@.ai_labelled_data), p_model_name,
    case when p_unsplit then '' else ' and d.split is not null' end,
    case when p_until is null then '' else format(' and (d.created_at operator(pg_catalog.<=) %1$L::pg_catalog.timestamptz '
      'or d.label_changed_at operator(pg_catalog.<=) %1$L::pg_catalog.timestamptz)', p_until) end);
end
$function$;
