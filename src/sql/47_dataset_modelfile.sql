-- A dataset as an Ollama Modelfile.

-- A text between three quotation marks, which end at the first three inside.
create function @extschema@.retrain_modelfile_text(p_text text) returns text
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select '"""' || regexp_replace(replace(p_text, '"""', ''''''''), '"$', '" ') || '"""'
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
