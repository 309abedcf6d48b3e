-- Forecasts of instants: days and months of the zone that a model keeps, whatever zone the session has that asks or trains again.
create extension pg_retrain;
set datestyle = 'ISO';
\set SHOW_CONTEXT never

-- Regressors of the future are those of the model's days.
set timezone = 'Europe/Madrid';
create table promoted as
select (date '2025-01-01' + n)::timestamptz as ds, 100 + n % 7 * 3 + 50 * (n * 7919 % 11 = 0)::int + n * 31 % 5 as y, (n * 7919 % 11 = 0)::int as promo
from generate_series(0, 299) n;
create table promoted_hours as
select timestamptz '2025-10-01' + n * interval '1 hour' as ds, 100 + n % 24 + 50 * (n * 7919 % 11 = 0)::int as y, (n * 7919 % 11 = 0)::int as promo
from generate_series(0, 599) n;
select status from train_forecast('days', 'select * from promoted', '{"regressors": ["promo"]}');
select status from train_forecast('hours', 'select * from promoted_hours', '{"regressors": ["promo"]}');
set timezone = 'UTC';
-- the one promotion of the plan, given as instants, timestamps and dates
create function promoted(p_model text, p_step interval, p_type text) returns text language sql as $$
  select (ds at time zone 'Europe/Madrid')::text
  from forecast(p_model, 35, '{}', p_regressors => format($q$
    select %s as ds, (k = 30)::int as promo
    from generate_series(0, 60) k, lateral (select timestamp '2025-10-25' + k * interval '%s') p (at) $q$,
    case p_type when 'timestamptz' then 'at at time zone ''Europe/Madrid''' else 'at::' || p_type end, p_step))
  order by yhat desc limit 1
$$;
select t, promoted('days', '1 day', t) as day from unnest('{timestamptz,timestamp,date}'::text[]) t;
select t, promoted('hours', '1 hour', t) as hour from unnest('{timestamptz,timestamp}'::text[]) t;
set timezone = 'Asia/Tokyo';
select t, promoted('days', '1 day', t) as day from unnest('{timestamptz,timestamp,date}'::text[]) t;
select t, promoted('hours', '1 hour', t) as hour from unnest('{timestamptz,timestamp}'::text[]) t;
drop extension pg_retrain cascade;
