-- A model by its name: whether there is one, and what is asked of it.

create function @extschema@.retrain_require_model(p_model_name text) returns void
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if not exists (select from @extschema@.ai_models m where m.model_name = p_model_name) then
    raise exception 'model "%" does not exist', coalesce(p_model_name, 'null')
      using errcode = 'undefined_object', hint = 'A model comes into being at its first record_interaction() or training.';
  end if;
  -- Whoever may predict or record sees that the model is there; without its rows all counts would be 0.
  perform @extschema@.retrain_require_level(p_model_name, 'reader');
end
$function$;

-- Refuses a model that is unknown altogether. Rows that were inserted by hand may be all there is of one.
create function @extschema@.retrain_require_messages(p_model_name text) returns void
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if not exists (select from @extschema@.ai_training_data d where d.model_name = p_model_name) then
    perform @extschema@.retrain_require_model(p_model_name);
  else
    perform @extschema@.retrain_require_level(p_model_name, 'reader');
  end if;
end
$function$;

-- A model's row; of a model that is nothing but messages yet, the row that its first training will make, as far as
-- should_retrain() and find_label_issues() ask: the columns' defaults.
create function @extschema@.retrain_policy(p_model_name text) returns @extschema@.ai_models
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_model @extschema@.ai_models;
begin
  select m.* into v_model from @extschema@.ai_models m where m.model_name = p_model_name;
  if not found then
    perform @extschema@.retrain_require_messages(p_model_name);
    v_model.model_name := p_model_name;
    v_model.task := 'intent';
    v_model.config := '{}';
    v_model.min_samples := 20;
    v_model.auto_retrain_threshold := 100;
    v_model.label_source := 'all';
    v_model.human_weight := 2;
    v_model.enabled := true;
  else
    perform @extschema@.retrain_require_level(p_model_name, 'reader');
  end if;
  return v_model;
end
$function$;
