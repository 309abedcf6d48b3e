-- Forecasts: training and asking for them.

create function @extschema@.train_forecast(
  p_model_name text,
  p_source text default null,
  p_config jsonb default '{}',
  p_promote text default 'gate',
  p_run_name text default null
) returns @extschema@.ai_training_runs
  language c volatile parallel unsafe cost 1000000
  as 'MODULE_PATHNAME', 'train_forecast';

create function @extschema@.forecast(
  p_model_name text,
  p_horizon integer,
  p_levels real[] default '{0.8,0.95}',
  p_series text default null,
  p_regressors text default null,
  p_version_id bigint default null
) returns table (
  series text,
  ds timestamptz,
  yhat double precision,
  level real,
  yhat_lower double precision,
  yhat_upper double precision)
  language c stable parallel safe cost 10000 rows 1000
  as 'MODULE_PATHNAME', 'forecast';

create function @extschema@.retrain_forecast_reference()
  returns table (name text, type text, default_value text, range text, description text)
  language c immutable parallel safe rows 20
  as 'MODULE_PATHNAME', 'retrain_forecast_reference';

-- The holidays of a model are a query, and a query runs for the role that gave it: another role that trains the model
-- gives its own, or none.
create function @extschema@.retrain_check_stored_holidays(p_model_name text, p_config jsonb) returns void
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_giver name;
begin
  if coalesce(p_config ? 'holidays', false) then
    return;
  end if;
  select m.source_set_by into v_giver
  from @extschema@.ai_models m
  where m.model_name = p_model_name and coalesce(m.config ->> 'holidays', '') <> ''
    and m.source_set_by is distinct from current_user;
  if found then
    raise exception 'the holidays of model "%" were given by another role', p_model_name
      using errcode = 'insufficient_privilege',
        detail = format('They were given by %s.', coalesce(format('role "%s"', v_giver), 'an unknown role')),
        hint = 'Pass "holidays" in p_config, null for none: a query runs for the role that gives it.';
  end if;
end
$function$;
