-- Customers: segments by recency, frequency and monetary value, and the risk that one leaves.

create function @extschema@.rfm(p_source text, p_as_of timestamptz default null)
  returns table (
    customer_id text,
    recency_days integer,
    frequency bigint,
    monetary double precision,
    r integer,
    f integer,
    m integer,
    segment text)
  language c stable parallel unsafe cost 100000 rows 1000
  as 'MODULE_PATHNAME', 'rfm';

create type @extschema@.ai_churn_risk as (
  probability real,
  risk_level text,
  days_until_action integer,
  is_high_risk boolean,
  recommendation text
);

-- The label of a model of two classes that stands for "yes". Error 22023 when nothing tells which.
create function @extschema@.retrain_positive_label(p_model_name text, p_probabilities jsonb, p_positive text)
  returns text
  language plpgsql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_label text;
begin
  if p_positive is not null then
    if p_probabilities ? p_positive then
      return p_positive;
    end if;
    raise exception 'model "%" does not know the class "%"', p_model_name, p_positive
      using errcode = 'invalid_parameter_value',
        detail = format('Its classes are %s.', (select string_agg(k, ', ' order by k) from jsonb_object_keys(p_probabilities) k)),
        hint = 'Pass p_positive as the model''s source writes it.';
  end if;
  -- As the identity of a text, without accents: lower() knows no accented letter in a database of the locale C.
  select min(k) into v_label
  from jsonb_object_keys(p_probabilities) k
  where @extschema@.retrain_identity_text(k)
    in ('true', 't', '1', 'yes', 'y', 'si', 's', 'churn', 'churned', 'abandono', 'baja')
  having count(*) = 1;
  if found and (select count(*) from jsonb_object_keys(p_probabilities)) = 2 then
    return v_label;
  end if;
  raise exception 'it is not known which class of model "%" is the one that leaves', p_model_name
    using errcode = 'invalid_parameter_value',
      detail = format('Its classes are %s.', (select string_agg(k, ', ' order by k) from jsonb_object_keys(p_probabilities) k)),
      hint = 'Pass p_positive.';
end
$function$;

-- The level of a probability, by the rows of ai_risk_levels.
create function @extschema@.retrain_risk_of(p_probability real) returns @extschema@.ai_churn_risk
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_risk @extschema@.ai_churn_risk;
begin
  v_risk.probability := p_probability;
  select l.risk_level, l.days_until_action, l.is_high_risk, l.recommendation
  into v_risk.risk_level, v_risk.days_until_action, v_risk.is_high_risk, v_risk.recommendation
  from @extschema@.ai_risk_levels l
  where l.enabled and l.min_probability <= p_probability
    and not (l.shipped and exists (
      select from @extschema@.ai_risk_levels o where o.id = l.id and not o.shipped))
  order by l.min_probability desc, l.id
  limit 1;
  return v_risk;
end
$function$;

create function @extschema@.churn_risk(p_model_name text, p_row anyelement, p_positive text default null)
  returns @extschema@.ai_churn_risk
  language plpgsql stable parallel safe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_probabilities jsonb;
begin
  select c.probabilities into v_probabilities from @extschema@.predict_class(p_model_name, p_row) c;
  if v_probabilities is null then
    return null;
  end if;
  return @extschema@.retrain_risk_of(
    (v_probabilities ->> @extschema@.retrain_positive_label(p_model_name, v_probabilities, p_positive))::real);
end
$function$;
