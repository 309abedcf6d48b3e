-- Models that XGBoost trained elsewhere, served here.

-- A candidate version of the model, which comes into being if need be: promote_model() makes it live.
create function @extschema@.import_xgboost_model(
  p_model bytea,
  p_model_name text,
  p_feature_names text[] default null,
  p_labels text[] default null,
  p_target text default null
) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_artifact bytea;
  v_task text;
begin
  perform @extschema@.retrain_check_model_name(p_model_name);
  v_artifact := @extschema@.retrain_xgboost_artifact(p_model, p_feature_names, p_labels);
  v_task := @extschema@.retrain_artifact_info(v_artifact) ->> 'task';
  insert into @extschema@.ai_models (model_name, task, target, algorithm)
  values (p_model_name, v_task, p_target, 'xgboost')
  on conflict do nothing;
  if not exists (select from @extschema@.ai_models m where m.model_name = p_model_name and m.task = v_task) then
    raise exception 'model "%" is not of the task %', p_model_name, v_task
      using errcode = 'invalid_parameter_value', hint = 'Choose another model name.';
  end if;
  return @extschema@.import_model(v_artifact, p_model_name);
end
$function$;
