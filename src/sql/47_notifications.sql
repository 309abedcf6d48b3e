-- Notifications: written in the transaction that found something out, delivered by a worker outside, at least once.

-- Writes one and tells those who LISTEN to ai_notifications, once it is committed. Anybody may listen: names alone.
create function @extschema@.retrain_push_notification(p_kind text, p_model_name text, p_payload jsonb) returns bigint
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_id bigint;
begin
  insert into @extschema@.ai_notifications (kind, model_name, payload)
  values (p_kind, p_model_name, p_payload)
  returning id into v_id;
  perform pg_notify('ai_notifications',
    jsonb_build_object('id', v_id, 'kind', p_kind, 'model_name', p_model_name)::text);
  return v_id;
end
$function$;

-- How often a worker may try one.
create function @extschema@.retrain_delivery_attempts() returns integer
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select 10
$function$;

-- Hands the oldest undelivered ones to a worker; no two workers have the same one as long as the claim lasts.
create function @extschema@.claim_notifications(
  p_worker text,
  p_limit integer default 10,
  p_minutes integer default 5,
  p_kind text default null
) returns setof @extschema@.ai_notifications
  language plpgsql volatile parallel unsafe rows 10
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_worker is null or btrim(p_worker) = '' then
    raise exception 'p_worker is missing'
      using errcode = 'invalid_parameter_value', hint = 'Name the worker, for example by its host and process.';
  end if;
  perform @extschema@.retrain_check_count('p_limit', p_limit, 1, 1000);
  perform @extschema@.retrain_check_count('p_minutes', p_minutes, 1, 1440);
  -- One whose worker has died every time would otherwise come back for ever.
  update @extschema@.ai_notifications n
  set status = 'failed', claimed_until = null,
    last_error = format('claimed %s times, last by "%s", which did not say what came of it', n.attempts, n.claimed_by)
  where n.id in (
    select o.id
    from @extschema@.ai_notifications o
    where o.status = 'claimed' and o.claimed_until < clock_timestamp()
      and o.attempts >= @extschema@.retrain_delivery_attempts()
    for update skip locked);
  return query
  update @extschema@.ai_notifications n
  set status = 'claimed', claimed_by = p_worker, attempts = n.attempts + 1,
    claimed_until = clock_timestamp() + make_interval(mins => p_minutes)
  where n.id in (
    select o.id
    from @extschema@.ai_notifications o
    where (o.status = 'pending' and o.next_attempt_at <= clock_timestamp()
        or o.status = 'claimed' and o.claimed_until < clock_timestamp()
          and o.attempts < @extschema@.retrain_delivery_attempts())
      and (p_kind is null or o.kind = p_kind)
    order by o.id
    limit p_limit
    for update skip locked)
  returning n.*;
end
$function$;

-- Says that a claimed one was delivered, or why not: then it comes back after a minute, two, four ... a day, ten times.
create function @extschema@.complete_notification(p_id bigint, p_error text default null) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_row @extschema@.ai_notifications;
begin
  update @extschema@.ai_notifications n
  set status = case when p_error is null then 'delivered' when n.attempts >= @extschema@.retrain_delivery_attempts() then 'failed' else 'pending' end,
    delivered_at = case when p_error is null then clock_timestamp() end,
    last_error = p_error,
    claimed_until = null,
    next_attempt_at = clock_timestamp() + least(interval '1 minute' * 2 ^ least(n.attempts - 1, 20), interval '1 day')
  where n.id = p_id and n.status = 'claimed'
  returning n.* into v_row;
  if not found then
    return jsonb_build_object('success', false, 'error', 'Notification is not claimed');
  end if;
  return jsonb_build_object('success', true, 'id', p_id, 'status', v_row.status, 'attempts', v_row.attempts);
end
$function$;

-- Rows of a query whose class is probable enough, the most probable first, as one notification; null when there are none.
-- Names in the query mean what they mean in a new connection.
create function @extschema@.retrain_class_alert(
  p_kind text,
  p_model_name text,
  p_source text,
  p_min_probability real,
  p_limit integer,
  p_positive text
) returns bigint
  language plpgsql volatile parallel unsafe cost 100000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_query text;
  v_rows jsonb[];
  v_probabilities jsonb[];
  v_positive text;
  v_probability real;
  v_found jsonb[] := '{}';
  v_risk @extschema@.ai_churn_risk;
begin
  perform @extschema@.retrain_require_model(p_model_name);
  perform @extschema@.retrain_require_level(p_model_name, 'trainer');
  perform @extschema@.retrain_check_count('p_limit', p_limit, 1, 100000);
  if p_source is null then
    raise exception 'p_source must not be null'
      using errcode = 'invalid_parameter_value', hint = 'Pass a query of the rows to look at.';
  end if;
  if p_min_probability is null or not p_min_probability between 0 and 1 then
    raise exception 'p_min_probability is out of range'
      using errcode = 'invalid_parameter_value', detail = format('given %s, accepted: 0 to 1', coalesce(p_min_probability::text, 'null'));
  end if;
  -- The model is given the rows as they are: JSON has no intervals, and no dates.
  v_query := format($query$
    select pg_catalog.array_agg(pg_catalog.to_jsonb(retrain_row.*)), pg_catalog.array_agg(retrain_class.probabilities)
    from (%s
    ) retrain_row, lateral @extschema@.predict_class($1, retrain_row.*) retrain_class$query$,
    rtrim(p_source, E'; \t\r\n'));
  -- Names in the source are the caller's; those of this function are not.
  perform set_config('search_path', (select s.reset_val from pg_settings s where s.name = 'search_path'), true);
  execute v_query into v_rows, v_probabilities using p_model_name;
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  for i in 1 .. coalesce(cardinality(v_rows), 0) loop
    continue when v_probabilities[i] is null;
    v_positive := coalesce(v_positive,
      @extschema@.retrain_positive_label(p_model_name, v_probabilities[i], p_positive));
    v_probability := (v_probabilities[i] ->> v_positive)::real;
    continue when v_probability < p_min_probability;
    v_risk := @extschema@.retrain_risk_of(v_probability);
    v_found := v_found || jsonb_build_object('row', v_rows[i], 'probability', round(v_probability::numeric, 4),
      'risk_level', v_risk.risk_level, 'days_until_action', v_risk.days_until_action,
      'recommendation', v_risk.recommendation);
  end loop;
  if v_found = '{}' then
    return null;
  end if;
  return @extschema@.retrain_push_notification(p_kind, p_model_name, jsonb_build_object(
    'model_name', p_model_name,
    'looked_at', cardinality(v_rows),
    'found', cardinality(v_found),
    'min_probability', p_min_probability,
    'total_value', (
      select round(sum((e.value #>> '{row,monetary}')::numeric), 2)
      from unnest(v_found) e (value)
      where jsonb_typeof(e.value #> '{row,monetary}') = 'number'),
    'rows', (
      select jsonb_agg(t.value order by t.place)
      from (
        select e.value, row_number() over (
          order by (e.value ->> 'probability')::numeric desc, e.value ->> 'row') as place
        from unnest(v_found) e (value)) t
      where t.place <= p_limit)));
end
$function$;

create function @extschema@.create_churn_alert(
  p_model_name text,
  p_source text,
  p_min_probability real default 0.7,
  p_limit integer default 1000,
  p_positive text default null
) returns bigint
  language plpgsql volatile parallel unsafe cost 100000
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return @extschema@.retrain_class_alert('churn_alert', p_model_name, p_source, p_min_probability, p_limit, p_positive);
end
$function$;

create function @extschema@.create_purchase_alert(
  p_model_name text,
  p_source text,
  p_min_probability real default 0.4,
  p_limit integer default 50,
  p_positive text default null
) returns bigint
  language plpgsql volatile parallel unsafe cost 100000
  set search_path = pg_catalog, pg_temp
as $function$
begin
  return @extschema@.retrain_class_alert(
    'purchase_alert', p_model_name, p_source, p_min_probability, p_limit, p_positive);
end
$function$;
