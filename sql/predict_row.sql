-- predict_value, predict_class, predict_cluster, explain_prediction: any row, any order of its columns.
create extension pg_retrain;
\set SHOW_CONTEXT never

create table houses as
select n as house_id, 50 + (n * 37) % 100 as area, n % 3 = 0 as garden, (array['Ames', 'Boone', 'Nevada'])[1 + n % 3] as town,
  timestamp '2024-01-01' + n * interval '1 day' as sold, (1000 * (50 + (n * 37) % 100) + case when n % 3 = 0 then 20000 else 0 end)::float8 as price
from generate_series(1, 400) n;
select status from train_model('price', 'regression', 'select area, garden, town, sold, price from houses', 'price', 'ridge', '{"alpha": 0.001}');
select status from train_model('town', 'classification', 'select area, garden, price, town from houses', 'town', 'logistic_regression');
select status from train_model('good', 'classification', 'select area, town, price, garden from houses', 'garden', 'logistic_regression');
select status from train_model('groups', 'clustering', 'select area, price from houses', p_config => '{"k": 3}');

-- The row itself, with the target in it or not, in any order, or as JSON.
select house_id, round(predict_value('price', h)) as predicted, price from houses h order by house_id limit 3;
select bool_and(predict_value('price', h) = predict_value('price', r)) as any_order
from houses h, lateral (select h.town, h.sold, h.house_id, 'x' as noise, h.garden, h.area) r;
select bool_and(predict_value('price', h) = predict_value('price', to_jsonb(h))) as json,
  bool_and(predict_value('price', h) = predict_value('price', to_json(h))) as old_json
from houses h;
select round(predict_value('price', '{"area": 100, "garden": true, "town": "Ames", "sold": "2024-06-01"}'::jsonb)::numeric, -3) as value;
create type house as (area integer, garden boolean, town text, sold date);
select round(predict_value('price', row(100, true, 'Ames', '2024-06-01')::house)::numeric, -3) as value;
-- Several rows in one statement have several shapes.
select round(predict_value('price', r)::numeric, -3) as value
from (select 100::numeric as area, false as garden, 'Ames'::varchar as town, date '2024-06-01' as sold) r
union all
select round(predict_value('price', r)::numeric, -3) from (select date '2024-06-01' as sold, 'Ames'::text as town, 100::smallint as area, false as garden) r;

-- Null and new values have answers.
select predict_value('price', null::house) is null as of_null;
select round(predict_value('price', r)::numeric, -3) as value
from (values (null::integer, true, 'Ames', null::date), (100, null, 'Utopia', '2024-06-01'), (100, true, null, '2024-06-01')) r (area, garden, town, sold);
select predict_value('price', r) between 0 and 1e6 as of_infinity from (select 'Infinity'::float8 as area, true as garden, 'Ames' as town, 'infinity'::date as sold) r;

select (predict_class('town', h)).label as label, count(*) > 0 as some from houses h group by 1 order by 1;
select bool_and(abs(p.total - 1) < 0.00001) as sums, bool_and(c.probability = (select max(value::float8) from jsonb_each_text(c.probabilities))
  or abs(c.probability - (select max(value::float8) from jsonb_each_text(c.probabilities))) < 0.000001) as best_first
from houses h, predict_class('town', h) c, lateral (select sum(value::float8) as total from jsonb_each_text(c.probabilities)) p;
select predict_cluster('groups', h) as cluster, count(*) > 0 as some from houses h group by 1 order by 1;

-- Contributions and base add up to the value, or to the margin.
select bool_and(abs(predict_value('price', h) - e.total) < 1e-6 * abs(e.total)) as adds_up
from houses h, lateral (select sum(contribution) as total from explain_prediction('price', h, 100)) e;
select feature, value, round(contribution::numeric, -3) as contribution from explain_prediction('price',
  '{"area": 149, "garden": true, "town": "Ames", "sold": "2024-06-01"}'::jsonb, 2);
select bool_and(abs(c.probability - exp(t.total) / (exp(t.total) + exp(o.total))) < 1e-9) as two_labels
from houses h, predict_class('good', h) c,
  lateral (select sum(contribution) / 2 as total from explain_prediction('good', h, 100)) t,
  lateral (select sum(contribution) / 2 as total from explain_prediction('good', h, 100, case c.label when 'true' then 'false' else 'true' end)) o;
select feature is not null as explained, contribution >= 0 as nearer from houses h, explain_prediction('groups', h, 1) where house_id = 1;

select feature, value from explain_prediction('price', '{"area": 149, "garden": true, "town": "Ames", "sold": "2024-06-01 08:30"}'::jsonb, 4) order by 1;
select value from explain_prediction('price', '{"area": 149, "garden": true, "town": "Ames", "sold": "1969-12-31"}'::jsonb, 4) where feature = 'sold';

-- A time in JSON is the one that it says, whatever the session's zone; without a zone it is UTC, as in a timestamp.
select status from train_model('hours', 'regression',
  'select timestamptz ''2024-01-01 00:00+00'' + n * interval ''1 hour'' as at, (n % 24)::float8 as hour from generate_series(1, 600) n', 'hour', 'ridge');
set timezone = 'America/New_York';
select bool_and(predict_value('hours', r) = predict_value('hours', to_jsonb(r))) as same
from (select timestamptz '2024-02-01' + n * interval '1 hour' as at from generate_series(1, 24) n) r;
select predict_value('hours', '{"at": "2024-02-01 06:00+06"}'::jsonb) = predict_value('hours', '{"at": "2024-02-01 00:00"}'::jsonb) as of_zone,
  predict_value('hours', '{"at": "2024-02-01 06:00+06"}'::jsonb) <> predict_value('hours', '{"at": "2024-02-01 06:00+00"}'::jsonb) as apart;
select predict_value('hours', '{"at": "yesterday noon or so"}'::jsonb);
\echo :LAST_ERROR_SQLSTATE
show timezone;
reset timezone;
-- Of an interval or a time of day JSON has a text; the model learnt seconds, and the refusal says so.
create table visits as select make_interval(mins => n % 90) as stay, time '09:00' + n % 500 * interval '1 minute' as at, 3.0 * (n % 90) + n % 500 as spent from generate_series(1, 300) n;
select status from train_model('visits', 'regression', 'select * from visits', 'spent', 'ridge');
select predict_value('visits', to_jsonb(v)) from visits v limit 1;
select count(*) as different
from visits v
where predict_value('visits', to_jsonb(v) || jsonb_build_object('stay', extract(epoch from stay), 'at', extract(epoch from at))) <> predict_value('visits', v);

-- Numbers that are names serve as numbers and as texts.
select status from train_model('area', 'regression', 'select area, case town when ''Ames'' then 50010 else 50036 end as zip from houses', 'area', 'ridge', '{"categorical": ["zip"]}');
select predict_value('area', '{"zip": 50010}'::jsonb) = predict_value('area', '{"zip": "50010"}'::jsonb) as same,
  predict_value('area', '{"zip": 50010}'::jsonb) = predict_value('area', r) as same_of_row from (select '50010'::text as zip) r;

-- A version by its number; the live one after a promotion; in a function that keeps its call sites.
select status, deployed from train_model('price', p_config => '{"alpha": 1e9}', p_promote => 'never');
select count(distinct round(predict_value('price', h, v.id))) as versions_answer_apart
from (select * from houses limit 1) h, ai_model_versions v where v.model_name = 'price';
create function ask(out was float8, out is_now float8) language plpgsql as $$
declare
  v_row houses;
begin
  select * into v_row from houses where house_id = 1;
  for i in 1 .. 2 loop
    is_now := predict_value('price', v_row);
    was := coalesce(was, is_now);
    perform promote_model((select max(id) from ai_model_versions where model_name = 'price'));
    alter table houses add column extra integer default 1;
    alter table houses drop column extra;
  end loop;
end
$$;
begin;
select was <> is_now as changed from ask();
rollback;

-- Errors name the column.
select predict_value('price', r) from (select 1 as area, true as garden, 'x' as town) r;
select predict_value('price', r) from (select 'large' as area, true as garden, 'x' as town, now() as sold) r;
select predict_value('price', r) from (select 1 as area, true as garden, 'x' as town, 5 as sold) r;
select predict_value('price', r) from (select 1 as area, 'yes'::text as garden, 'x' as town, now() as sold) r;
select predict_value('price', '{"area": "large", "garden": true, "town": "Ames", "sold": "2024-06-01"}'::jsonb);
select predict_value('price', '{"area": 1, "garden": true, "town": "Ames"}'::jsonb);
select predict_value('price', '{"area": 1, "garden": true, "town": "Ames", "sold": "some day"}'::jsonb);
select predict_value('price', r) from (select 1 as area, true as garden, 28001 as town, now() as sold) r;
select predict_value('price', '{"area": 1, "garden": true, "town": 28001, "sold": "2024-06-01"}'::jsonb);
select predict_value('price', '[1]'::jsonb);
select predict_value('price', 5);
select predict_value('town', h) from houses h limit 1;
select predict_class('price', h) from houses h limit 1;
select predict_cluster('price', h) from houses h limit 1;
select predict_value('nobody', h) from houses h limit 1;
select predict_value(null, h) from houses h limit 1;
select predict_value('price', h, 0) from houses h limit 1;
select predict_value('price', h, 999999) from houses h limit 1;
select * from explain_prediction('town', (select h from houses h limit 1), 5, 'Utopia');
select * from explain_prediction('town', (select h from houses h limit 1), 0);
select predict_intent('hello', 'price');
-- The same answers from a model that was exported and imported.
select promote_model(import_model(export_model(v.id), 'copy')) ->> 'success' as imported
from ai_model_versions v where v.model_name = 'town';
select bool_and((predict_class('town', h)) = (predict_class('copy', h))) as same from houses h;
select task, target from ai_models where model_name = 'copy';
select import_model(export_model(v.id), 'price') from ai_model_versions v where v.model_name = 'town';
-- Parallel workers have the same answers.
set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; set max_parallel_workers_per_gather = 2;
create table sums as select sum(predict_value('price', h)) as parallel from houses h;
set max_parallel_workers_per_gather = 0;
select abs(parallel - (select sum(predict_value('price', h)) from houses h)) < 1e-3 as same from sums;

drop extension pg_retrain cascade;
drop table houses, sums;
drop function ask;
drop type house;
