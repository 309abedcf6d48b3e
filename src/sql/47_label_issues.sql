-- Label issues: rows whose label a training that did not see them contradicts.

-- Every labelled row takes part in the folds, whatever its split: nothing is stored, so no test row is learnt.
create function @extschema@.retrain_begin_label_issues(
  p_model_name text,
  out model_name text,
  out effective_config jsonb,
  out rows_query text,
  out human_weight real)
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  model_name := p_model_name;
  select m.config, m.human_weight into effective_config, human_weight
  from @extschema@.retrain_policy(p_model_name) m;
  rows_query := format(
    'select q.text, q.intent, q.weight, ''train''::pg_catalog.text as split, q.created_at, q.human, q.reviewed, '
    'q.labelled_at from (%s) q',
    @extschema@.retrain_rows_query(p_model_name, true));
end
$function$;

create function @extschema@.retrain_label_issues(p_model_name text)
  returns table (
    text_key uuid,
    given_intent text,
    suggested_intent text,
    given_probability real,
    suggested_probability real)
  language c volatile parallel unsafe cost 1000000 rows 100
  as 'MODULE_PATHNAME', 'retrain_label_issues';

create function @extschema@.find_label_issues(p_model_name text default 'default', p_limit integer default 100)
  returns table (
    id uuid,
    user_message text,
    intent text,
    suggested_intent text,
    confidence real,
    intent_confidence real,
    was_corrected boolean,
    split text,
    created_at timestamptz)
  language plpgsql volatile parallel unsafe cost 1000000 rows 100
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
declare
  v_keys uuid[];
  v_given text[];
  v_suggested text[];
  v_given_probability real[];
  v_suggested_probability real[];
begin
  if p_limit < 0 then
    raise exception 'p_limit is negative'
      using errcode = 'invalid_parameter_value', detail = format('The limit given is %s.', p_limit),
        hint = 'Pass null for no limit.';
  end if;
  -- By itself, so that the training happens, and may fail, whatever the rows below are.
  select array_agg(i.text_key), array_agg(i.given_intent), array_agg(i.suggested_intent),
    array_agg(i.given_probability), array_agg(i.suggested_probability)
  into v_keys, v_given, v_suggested, v_given_probability, v_suggested_probability
  from @extschema@.retrain_label_issues(p_model_name) i;
  return query
  select l.id, l.user_message, l.intent, i.suggested_intent, i.suggested_probability, i.given_probability,
    l.was_corrected, l.split, l.created_at
  from unnest(v_keys, v_given, v_suggested, v_given_probability, v_suggested_probability)
    i (text_key, given_intent, suggested_intent, given_probability, suggested_probability)
  join @extschema@.ai_labelled_data l
    on l.model_name = p_model_name and l.text_key = i.text_key and l.intent = i.given_intent
  order by i.suggested_probability - i.given_probability desc, l.user_message collate "C", l.created_at, l.id
  limit p_limit;
end
$function$;
