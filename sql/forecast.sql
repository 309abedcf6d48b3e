-- Forecasts: series in, next values with intervals out; gaps, limits, holidays, regressors, short series, the gate, errors.
create extension pg_retrain;
set timezone = 'UTC';
set datestyle = 'ISO';
\set SHOW_CONTEXT never

-- Two shops by month: a trend, a season, and noise that repeats.
create table monthly as
select shop, (date '2015-01-01' + n * interval '1 month')::date as day,
  round((100 * s + 2 * n + 20 * s * (array[0, 1, 3, 2, 0, -1, -3, -2, 0, 2, -1, -1])[n % 12 + 1] / 3.0
    + (n * 7919 + s * 31) % 11 - 5)::numeric, 2) as amount
from (values (1, 'norte'), (2, 'sur')) as shops (s, shop), generate_series(0, 83) n;

select status, training_samples, test_samples, deployed, gate ->> 'rule' as rule, task, warnings
from train_forecast('ventas', 'select day as ds, amount as y, shop as series from monthly');
select metrics ->> 'series' as series, metrics ->> 'horizon' as horizon, metrics -> 'frequencies' as frequencies,
  (metrics ->> 'mase')::real < 1 as beats_seasonal_naive, (metrics ->> 'smape')::real between 0.1 and 10 as smape,
  (metrics ->> 'rmse')::real between 1 and 20 as rmse, metrics -> 'coverage' ? '0.8' and metrics -> 'coverage' ? '0.95' as coverage,
  jsonb_array_length(metrics -> 'per_series') as per_series
from ai_training_runs where model_name = 'ventas';

-- The calendar goes on; each level is a row; the wider interval holds the narrower.
select series, ds::date, level, round(yhat::numeric / 5) * 5 as about, yhat_lower < yhat and yhat < yhat_upper as inside
from forecast('ventas', 3);
select bool_and(w.yhat_lower < n.yhat_lower and w.yhat_upper > n.yhat_upper and w.yhat = n.yhat) as nested, count(*)
from forecast('ventas', 36, '{0.95}') w join forecast('ventas', 36, '{0.5}') n using (series, ds);
-- One series, other levels, no level.
select series, ds::date, level from forecast('ventas', 2, '{0.9}', 'sur');
select series, ds::date, level, yhat_lower, yhat_upper from forecast('ventas', 2, '{}', 'sur');
select count(*) from forecast('ventas', 10000, '{0.8}', 'norte');
-- The same values, the same bytes.
select deployed, gate ->> 'rule' as rule from train_forecast('ventas');
select count(distinct artifact_sha256), count(*) from ai_model_versions where model_name = 'ventas';

-- The last day of each month stays the last day.
select status from train_forecast('ends', $$
  select (date '2019-02-01' + n * interval '1 month' - interval '1 day')::date as ds, 10 + n % 3 as y from generate_series(0, 35) n $$);
select ds::date from forecast('ends', 4, '{0.8}');

-- Dates come back as dates in whatever zone the session has; instants are instants.
set timezone = 'America/Bogota';
select ds::date, ds::time from forecast('ends', 2, '{0.8}');
select status from train_forecast('hours', $$
  select timestamptz '2024-03-09 00:00:00+00' + n * interval '1 hour' as ds, 5 + (n % 24) as y from generate_series(0, 335) n $$);
select ds at time zone 'UTC' as ds, round(yhat::numeric) as yhat from forecast('hours', 3, '{0.8}');
-- Days of a zone with daylight saving start at midnight there, whoever asks.
set timezone = 'Europe/Madrid';
select status from train_forecast('days', $$
  select ds, 5 as y from generate_series(timestamptz '2024-02-20', timestamptz '2024-03-29', interval '1 day') ds $$);
set timezone = 'UTC';
select ds at time zone 'Europe/Madrid' as ds from forecast('days', 3, '{0.8}');

-- Days without a row: unknown, or zero up to the last day of all series.
create table sales as
select p.product, date '2024-01-01' + n as day, 10 + n % 7 as units
from generate_series(0, 99) n, (values ('a'), ('b')) as p (product)
where n % 7 not in (5, 6) and (p.product = 'a' or n < 60);
select status, jsonb_path_query_array(warnings, '$[*].code') as warnings
from train_forecast('open', 'select day as ds, units as y, product as series from sales');
select series, min(ds)::date as first, round(min(yhat))::integer >= 9 as never_closed from forecast('open', 14, '{0.8}') group by 1 order by 1;
select status, warnings
from train_forecast('closed', 'select day as ds, units as y, product as series from sales', '{"gaps": "zero", "min_value": 0}');
select series, min(ds)::date as first, min(yhat) >= 0 as floor, min(yhat_lower) >= 0 as floor_of_interval
from forecast('closed', 14) group by 1 order by 1;
select round(yhat) as sunday from forecast('closed', 14, '{0.8}', 'a') where extract(isodow from ds) = 7;
select status from train_forecast('capped', 'select day as ds, units as y, product as series from sales', '{"max_value": 11}');
select max(yhat) = 11 as ceiling, max(yhat_upper) = 11 as ceiling_of_interval from forecast('capped', 9);
-- a bound beyond all values of a series is a warning
select status, w ->> 'code' as code, w ->> 'series' as series, w ->> 'example' as example
from train_forecast('floored', 'select day as ds, units + case product when ''b'' then 100 else 0 end as y, product as series from sales',
  '{"min_value": 50}') r, jsonb_array_elements(r.warnings) w
where w ->> 'code' = 'out_of_bounds';
select status, w ->> 'message' as message
from train_forecast('lowered', 'select day as ds, units as y from sales where product = ''a''', '{"max_value": 9}') r,
  jsonb_array_elements(r.warnings) w
where w ->> 'code' = 'out_of_bounds';

-- Several values in a step.
select train_forecast('twice', 'select day as ds, units as y from sales');
select status from train_forecast('twice', 'select day as ds, units as y from sales', '{"duplicates": "sum"}');
select status from train_forecast('twice_mean', 'select day as ds, units as y from sales', '{"duplicates": "mean"}');

-- Four days are no month: a last step that the source ends within is left out where rows are added up.
create table tills as
select date '2023-01-01' + n as ds, s as series, 10 + n % 7 as y
from generate_series(0, 520) n, unnest('{a,b,gone}'::text[]) s where s <> 'gone' or n < 490;
select status, w ->> 'code' as code, w ->> 'series' as series
from train_forecast('tills', 'select * from tills', '{"frequency": "monthly", "duplicates": "sum"}') r, jsonb_array_elements(r.warnings) w
where w ->> 'code' <> 'short_for_season';
select series, ds::date, yhat > 250 as whole from forecast('tills', 1, '{}') where series <> 'gone' order by 1;
select f.series, f.ds::date from forecast('tills', 1, '{}', 'gone') f;
-- zeros for a series without a row in that step are not learnt either
select status, w ->> 'code' as code, w ->> 'series' as series
from train_forecast('tills_zero', 'select * from tills where series <> ''b'' or ds < ''2024-06-01''', '{"frequency": "monthly", "duplicates": "sum", "gaps": "zero"}') r,
  jsonb_array_elements(r.warnings) w
where w ->> 'code' = 'unfinished_step';
select series, ds::date, yhat > 250 as whole from forecast('tills_zero', 1, '{}') where series <> 'gone' order by 1;
-- nor is a first step that the source comes into on its twentieth day; one series begins later, whatever the day
select status, w ->> 'code' as code, w ->> 'series' as series
from train_forecast('late', 'select * from tills where ds >= date ''2023-01-20'' + (series = ''b'')::int * 60 and ds < ''2024-05-01''', '{"frequency": "monthly", "duplicates": "sum", "season_length": 1}') r,
  jsonb_array_elements(r.warnings) w
where w ->> 'code' = 'begun_step';
select warnings from train_forecast('late', 'select * from tills where ds >= ''2023-01-20'' and ds < ''2024-05-01''', '{"frequency": "monthly", "duplicates": "mean", "season_length": 1}', p_promote => 'always');
-- a month that has ended, one row a month, a mean: nothing is left out
select warnings from train_forecast('whole', 'select * from tills where ds < ''2024-05-01''', '{"frequency": "monthly", "duplicates": "sum", "season_length": 1}');
select ds::date from forecast('whole', 1, '{}', 'a');
select warnings from train_forecast('whole', 'select date_trunc(''month'', ds) as ds, series, sum(y) as y from tills group by 1, 2', '{"frequency": "monthly", "duplicates": "sum", "season_length": 1}', p_promote => 'always');
select ds::date from forecast('whole', 1, '{}', 'a');
select warnings from train_forecast('whole', 'select * from tills', '{"frequency": "monthly", "duplicates": "mean", "season_length": 1}', p_promote => 'always');
select ds::date, yhat between 11 and 15 as mean from forecast('whole', 1, '{}', 'a');

-- Series that teach little: a stated fallback each.
create table odd (series text, ds timestamp, y float8);
insert into odd select 'one', '2024-01-01', 7;
insert into odd select 'two', d, 1 from generate_series(date '2024-01-01', '2024-01-02', '1 day') d;
insert into odd select 'three', date '2024-01-01' + n, n from generate_series(0, 2) n;
insert into odd select 'constant', date '2024-01-01' + n, 3 from generate_series(0, 40) n;
insert into odd select 'zero', date '2024-01-01' + n, 0 from generate_series(0, 40) n;
insert into odd select 'null', date '2024-01-01' + n, null from generate_series(0, 40) n;
insert into odd select 'mostly zero', date '2024-01-01' + n, case when n % 9 = 0 then 4 else 0 end from generate_series(0, 80) n;
insert into odd select 'uneven', timestamp '2024-01-01 08:00' + n * interval '1 day' + (n * n % 7) * interval '37 minutes', n % 5 from generate_series(0, 60) n;
insert into odd select 'daily', date '2024-01-01' + n, 10 + n % 7 from generate_series(0, 80) n;
select w ->> 'code' as code, w ->> 'series' as series, w ->> 'example' as example
from train_forecast('odd', 'select * from odd') r, jsonb_array_elements(r.warnings) w;
select series, ds, round(yhat::numeric, 1) as yhat, yhat_lower is null as no_interval from forecast('odd', 1, '{0.8}') order by 1;
select p ->> 'series' as series, p ->> 'method' as method
from ai_training_runs r, jsonb_array_elements(r.metrics -> 'per_series') p
where model_name = 'odd' and p ->> 'series' in ('constant', 'one', 'mostly zero') order by 1;

-- Holidays, and a regressor whose future is told or goes on.
create table feast (ds date, holiday text);
insert into feast select date '2022-12-25' + n * 365, 'christmas' from generate_series(0, 3) n union all select date '2023-06-24' + n * 60, 'fair' from generate_series(0, 12) n;
create table days as
select date '2022-11-01' + n as ds, 50 + 3 * (n % 7) + 8 * (n * 5 % 4) + case when f.ds is not null then 200 else 0 end as y, n * 5 % 4 as promotion
from generate_series(0, 820) n left join feast f on f.ds = date '2022-11-01' + n;
select status from train_forecast('feasts', 'select ds, y from days where ds < date ''2024-12-01''',
  '{"holidays": "feast", "horizon": 28}');
select round(max(yhat) filter (where ds::date in (select ds from feast)) - avg(yhat) filter (where ds::date not in (select ds from feast))) > 100 as holiday
from forecast('feasts', 60, '{0.8}');
-- The effect of a holiday is all there, although methods that know of no holidays forecast noisy values as well.
create table noisy as
select date '2022-11-01' + n as ds, 100 + (n * 7919 + n * n % 1009 * 31) % 41 / 2.0 + case when f.ds is not null then 60 else 0 end as y
from generate_series(0, 760) n left join feast f on f.ds = date '2022-11-01' + n;
select status, metrics #> '{used_methods,ets}' as smoothed from train_forecast('noisy', 'select * from noisy', '{"holidays": "feast"}');
select round(avg(yhat) filter (where ds::date in (select ds from feast)) - avg(yhat) filter (where ds::date not in (select ds from feast))) between 50 and 70 as effect
from forecast('noisy', 60, '{}');
select status, metrics #> '{used_methods,ets}' as smoothed
from train_forecast('noisy weeks', 'select date_trunc(''week'', ds) as ds, sum(y) as y from noisy where ds >= ''2022-11-07'' and ds < ''2024-11-25'' group by 1', '{"holidays": "feast"}');
select round(avg(yhat) filter (where is_feast) - avg(yhat) filter (where not is_feast)) between 40 and 80 as effect
from (select yhat, exists (select from feast f where f.ds >= w.ds and f.ds < w.ds + interval '7 days') as is_feast from forecast('noisy weeks', 12, '{}') w) x;
select status from train_forecast('promoted', 'select ds, y, promotion from days where ds < date ''2024-12-01''',
  '{"holidays": "select ds, holiday from feast", "regressors": ["promotion"], "methods": ["regression"]}');
select round((avg(yhat) filter (where mod(ds::date - date '2022-11-01', 4) = 3) - avg(yhat) filter (where mod(ds::date - date '2022-11-01', 4) = 0))::numeric / 8) as promotion
from forecast('promoted', 28, '{0.8}', p_regressors => 'select ds, promotion from days');
select count(distinct round(yhat)) <= 10 as goes_on from forecast('promoted', 28, '{0.8}');

-- Also where the regression itself may not be one of the methods; what has no effect is a warning.
select status, metrics -> 'used_methods' as methods, warnings from train_forecast('smoothed', 'select * from noisy', '{"holidays": "feast", "methods": "ets"}');
select round(avg(yhat) filter (where ds::date in (select ds from feast)) - avg(yhat) filter (where ds::date not in (select ds from feast))) between 50 and 70 as effect
from forecast('smoothed', 60, '{}');
select status, w ->> 'code' as code
from train_forecast('few', 'select ds, y from noisy where ds < ''2022-11-18''', '{"holidays": "feast"}') r, jsonb_array_elements(r.warnings) w;
select status, w ->> 'code' as code
from train_forecast('few', 'select ds, y * (y > 115)::int as y from noisy', '{"holidays": "feast", "methods": ["intermittent", "ets"]}') r, jsonb_array_elements(r.warnings) w;
select status, warnings from train_forecast('few', 'select ds, y * (y > 115)::int as y from noisy', '{"holidays": "feast"}');

-- What a regressor varies by counts, however far from zero it lies; one that never varied has no effect.
create table prices as
select date '2022-11-01' + n as ds, 50 + 3 * (n % 7) + n * 5 % 4 + n % 3 * 20 as y, 5000 + n % 3 as price, 9 as constant from generate_series(0, 760) n;
create function priced(p_config jsonb, p_price int, p_constant int) returns numeric language plpgsql as $$
begin
  perform train_forecast('priced', 'select * from prices', p_config, p_promote => 'always');
  return (select round(avg(yhat)::numeric / 4) from forecast('priced', 28, '{}', p_regressors => format(
    'select date ''2024-12-01'' + n as ds, %s as price, %s as constant from generate_series(0, 27) n', p_price, p_constant)));
end $$;
select priced('{"regressors": ["price", "constant"]}', 5002, 9) - priced('{"regressors": ["price", "constant"]}', 5000, 9) as of_price,
  priced('{"regressors": ["price", "constant"]}', 5000, 900) - priced('{"regressors": ["price", "constant"]}', 5000, 9) as of_constant;

-- The gate: the same held-out values, both configurations.
select deployed, gate ->> 'rule' as rule, gate -> 'live' ? 'mase' as live from train_forecast('ventas', p_config => '{"methods": "naive"}');
select deployed, gate ->> 'rule' as rule from train_forecast('ventas', p_config => '{"methods": "naive"}', p_promote => 'always');
select deployed, gate ->> 'rule' as rule from train_forecast('ventas', p_run_name => 'better');
insert into monthly select shop, (date '2022-01-01' + n * interval '1 month')::date, 150 + n from generate_series(0, 3) n, (values ('norte'), ('sur')) s (shop);
select deployed, gate ->> 'rule' as rule, gate #>> '{live_since_training,values}' as since from train_forecast('ventas');
select rollback_model('ventas') is not null as rolled_back;
select ds::date from forecast('ventas', 1, '{0.8}', 'sur');
select ds::date from forecast('ventas', 1, '{0.8}', 'sur', p_version_id => (select max(id) from ai_model_versions where model_name = 'ventas'));

-- Series that repeat themselves have no scaled error.
create table alike as select date '2024-01-01' + n as ds, s as series, 5 + n % 7 as y from generate_series(0, 99) n, unnest('{a,b}'::text[]) s;
select deployed, gate ->> 'rule' as rule, metrics -> 'mase' as mase from train_forecast('alike', 'select * from alike');
select deployed, gate ->> 'rule' as rule, gate ->> 'reason' as reason from train_forecast('alike');
select deployed, gate ->> 'rule' as rule, gate ->> 'reason' as reason from train_forecast('alike', p_config => '{"min_value": 0}');
select deployed, gate ->> 'rule' as rule from train_forecast('alike', p_config => '{"methods": "naive"}');

-- Nothing to learn from: a failed run, the live version stays.
select status, error_message, deployed from train_forecast('ventas', 'select day as ds, amount as y, shop as series from monthly where false');
select status, error_message from train_forecast('nothing', 'select day as ds, null::float8 as y from monthly');
select count(*) from forecast('ventas', 1, '{0.8}');
select forecast('nothing', 1);

-- Bad arguments.
select forecast('ventas', 0);
select forecast('ventas', -1);
select forecast('ventas', null);
select forecast('ventas', 100000);
select forecast('ventas', 3, '{1.5}');
select forecast('ventas', 3, '{0.9991}');
select count(*) from forecast('ventas', 3, '{0.999, 0.001}');
select forecast('ventas', 3, array[null]::real[]);
select forecast('ventas', 3, p_series => 'este');
select forecast('ends', 3, p_series => 'este');
select forecast('nobody', 3);
select forecast(null, 3);
select forecast('ventas', 3, p_regressors => 'select 1');
select forecast('promoted', 3, p_regressors => 'select 1 as x');
select forecast('promoted', 3, p_regressors => 'delete from days');
select forecast('promoted', 3, p_regressors => 'select date ''2024-12-01'' as ds, ''-Infinity''::float8 as promotion');
select train_forecast('bad', 'select ds, y, case when ds > ''2024-01-01'' then ''Infinity''::float8 end as promotion from days order by ds', '{"regressors": ["promotion"]}');
select forecast('ventas', 3, p_version_id => 0);
select status from train_forecast('centuries', 'select date ''2000-01-01'' + n * interval ''100 years'' as ds, n as y from generate_series(0, 5) n');
select forecast('centuries', 10000);
select train_forecast('never');
select train_forecast('bad', 'select 1 as x');
select train_forecast('bad', 'select current_date as ds');
select train_forecast('bad', 'select 1 as ds, 2 as y');
select train_forecast('bad', 'select current_date as ds, true as y');
select train_forecast('bad', 'select current_date as ds, 2::money as y');
select train_forecast('bad', 'select null::date as ds, 2 as y');
select train_forecast('bad', 'select ''infinity''::date as ds, 2 as y');
select train_forecast('bad', 'select date ''2024-02-29'' as ds, ''infinity''::float8 as y');
select train_forecast('bad', 'select date ''2024-02-29'' as ds, 1e101 as y');
-- The largest values are learnt, promoted and read.
select status from train_forecast('high', 'select date ''2024-01-01'' + n as ds, (n % 7 + n) * 1e28 as y from generate_series(0, 80) n');
select count(yhat) as forecasts, count(yhat_upper) as bounds from forecast('high', 7);
select train_forecast('bad', 'select current_date as ds, 1 as y, null::text as series');
select train_forecast('bad', 'select current_date as ds, 1 as y, repeat(''x'', 2000) as series');
select train_forecast('bad', 'delete from monthly returning day as ds, amount as y');
select train_forecast('bad', 'select current_date as ds, 1 as y', p_promote => 'maybe');
select train_forecast('bad', 'select current_date as ds, 1 as y', '[]');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"horizonte": 3}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"horizon": 0.5}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"horizon": 0}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"horizon": 100000}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"frequency": "fortnightly"}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"gaps": "none"}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"methods": ["prophet"]}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"methods": []}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"min_value": 3, "max_value": 2}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"regressors": ["price"]}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"regressors": ["y"]}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"holidays": "no_such_table"}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"holidays": "pg_class"}');
select train_forecast('bad', 'select current_date as ds, 1 as y', '{"holidays": "select 1 as ds, 2 as holiday"}');
select train_forecast('', 'select current_date as ds, 1 as y');
select train_intent_model('ventas');
select predict_intent('hola', 'ventas');
set pg_retrain.training_memory = '1MB';
select train_forecast('large', 'select timestamp ''2024-01-01'' + n * interval ''1 hour'' as ds, 1 as y from generate_series(1, 200000) n');
reset pg_retrain.training_memory;
select count(*) from ai_models where model_name in ('bad', 'large', 'never');

-- The stored bytes are hostile.
set session_replication_role = replica;
update ai_model_versions set artifact = set_byte(artifact, 2000, get_byte(artifact, 2000) # 1),
  artifact_sha256 = encode(sha256(set_byte(artifact, 2000, get_byte(artifact, 2000) # 1)), 'hex') where model_name = 'ends';
reset session_replication_role;
\set VERBOSITY terse
select forecast('ends', 1);
\set VERBOSITY default
-- a version leaves the database and comes back under another name, which cannot be trained again to compare
select promote_model(import_model(export_model(min(id)), 'ventas copiadas')) ->> 'success' as served from ai_model_versions where model_name = 'ventas';
select task from ai_models where model_name = 'ventas copiadas';
select count(*) from forecast('ventas copiadas', 3);
select import_model(export_model(min(id)), 'intents') from ai_model_versions where model_name = 'ventas' and retrain_ensure_model('intents') is not null;
\set VERBOSITY terse
select verify_model(min(id)) from ai_model_versions where model_name = 'ventas copiadas';
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
-- Trained again, with its holidays and regressors, from rows in any order, on the clock of its session, and nothing is stored.
set timezone = 'Europe/Madrid';
create table visits as
select s as shop, timestamptz '2026-01-01 00:00 Europe/Madrid' + n * interval '1 day' as at, 50 + n % 7 + length(s) + case when n % 30 = 5 then 20 else 0 end as y,
  n % 4 as price
from generate_series(0, 200) n, unnest('{norte,sur}'::text[]) s order by n, s;
create table closed as select date '2026-01-06' + 30 * n as ds, 'closed'::text as holiday from generate_series(0, 9) n;
select model_version_id as zoned from train_forecast('zoned', 'select at as ds, y, price, shop as series from visits',
  '{"holidays": "closed", "regressors": ["price"], "horizon": 7}') \gset
select model_version_id as days from train_forecast('days', 'select at::date as ds, y, price from visits',
  '{"duplicates": "sum", "regressors": ["price"], "methods": ["regression"], "gaps": "zero", "min_value": 0, "frequency": "daily"}') \gset
set timezone = 'America/Lima';
create temporary table kept as
select (select array_agg(r order by r) from ai_training_runs r) as runs, (select array_agg(m order by m) from ai_models m) as models,
  (select string_agg((id, status, is_active)::text, ' ' order by id) from ai_model_versions) as versions;
alter table visits rename to visits_in_order;
create table visits as select * from visits_in_order order by price desc, shop desc, at;
select verify_model(id) ->> 'matches' as matches, verify_model(id) ->> 'reason' as reason from unnest(array[:zoned, :days]) id;
select current_setting('timezone') as zone,
  runs = (select array_agg(r order by r) from ai_training_runs r) as runs, models = (select array_agg(m order by m) from ai_models m) as models,
  versions = (select string_agg((id, status, is_active)::text, ' ' order by id) from ai_model_versions) as versions from kept;
begin;
insert into closed values ('2026-05-01', 'closed');
select verify_model(id) ->> 'reason' as reason from unnest(array[:zoned, :days]) id;
delete from visits;
select verify_model(:zoned) ->> 'matches' as matches, verify_model(:zoned) ->> 'reason' as reason;
drop table closed;
select verify_model(:zoned);
rollback;
reset timezone;
drop table visits, visits_in_order, closed;
drop extension pg_retrain cascade;
