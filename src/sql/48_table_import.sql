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
  v_version_id bigint;
begin
  perform @extschema@.retrain_check_model_name(p_model_name);
  v_version_id := @extschema@.import_model(
    @extschema@.retrain_xgboost_artifact(p_model, p_feature_names, p_labels), p_model_name);
  update @extschema@.ai_models m
  set target = p_target
  where m.model_name = p_model_name and m.target is null and p_target is not null;
  return v_version_id;
end
$function$;
