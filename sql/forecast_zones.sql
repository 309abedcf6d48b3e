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

-- A training from another session keeps the zone: months go on at midnight there, and a query that makes days of instants
-- makes the same ones.
set timezone = 'Europe/Madrid';
create table instants as select (date '2019-01-01' + make_interval(months => n))::timestamptz as ds, 1000 + 100 * (n % 12) as y from generate_series(0, 80) n;
select status from train_forecast('months', 'select * from instants');
select status from train_forecast('dates', 'select ds::date as ds, y from instants');
set timezone = 'UTC';
select status from train_forecast('months', p_promote => 'always');
select status from train_forecast('dates', p_promote => 'always');
select current_setting('timezone') as zone, count(distinct v.artifact_sha256) as artifacts, count(distinct r.dataset_filters ->> 'time_zone') as zones
from ai_model_versions v join ai_training_runs r on r.id = v.run_id where v.model_name in ('months', 'dates') group by v.model_name;
select ds at time zone 'Europe/Madrid' as month from forecast('months', 2, '{}');
select verify_model(id) ->> 'matches' as matches from ai_model_metadata where model_name in ('months', 'dates') and is_active;
-- a source is of the zone of who gives it
select status from train_forecast('months', 'select * from instants', p_promote => 'always');
select r.dataset_filters ->> 'time_zone' as zone from ai_training_runs r where model_name = 'months' order by started_at;
drop extension pg_retrain cascade;
reset timezone;
drop function promoted;
drop table promoted, promoted_hours, instants;
