-- Holidays of forecasts come from a query or from a table of any name.
create extension pg_retrain;
set timezone = 'UTC';
set datestyle = 'ISO';
\set SHOW_CONTEXT never

create schema "The Calendar";
create table selected_days as select date '2024-01-15' + 30 * n as ds, 'fair'::text as holiday from generate_series(0, 14) n;
create table within_days as select * from selected_days;
create table "My Holidays (""all"")" as select * from selected_days;
create table "The Calendar"."Días de feria" as select * from selected_days;
create table visits as
select date '2024-01-01' + n as ds, 50 + n % 5 + case when f.ds is not null then 100 else 0 end as y
from generate_series(0, 399) n left join selected_days f on f.ds = date '2024-01-01' + n;
create function fair(p_holidays text) returns date language plpgsql as $$
begin
  perform train_forecast('visits', 'select * from visits', jsonb_build_object('holidays', p_holidays), p_promote => 'always');
  return (select ds from forecast('visits', 28, '{}') order by yhat desc limit 1);
end
$$;
select h as holidays, fair(h) as fair
from unnest(array['selected_days', 'within_days', '"My Holidays (""all"")"', '"The Calendar"."Días de feria"', 'public.selected_days',
  'select * from within_days', 'Select ds,holiday from selected_days', 'with w as (table within_days) select * from w',
  'select"ds","holiday"from"selected_days"']) h;
select fair('selected days');
drop extension pg_retrain cascade;
drop table "The Calendar"."Días de feria", "My Holidays (""all"")", visits, selected_days, within_days;
drop schema "The Calendar";
drop function fair;
