-- A shop's machine learning in one file: segments, churn, demand, delivery times, prices, the monthly retraining, alerts and an
-- experiment, on public data (data/README.md).
--
--   cd examples/retail && psql -X -v ON_ERROR_STOP=1 -f retail.sql      in a database of its own
--
-- It ends with the checks that it claims; a claim that does not hold is an error.

set client_min_messages = warning;
do $$
begin
  if to_regclass('shop.invoices') is not null then
    raise exception 'the example has been run in this database' using hint = 'Take a new one: createdb retail2.';
  end if;
end
$$;
create extension if not exists pg_retrain;
create schema if not exists shop;
set search_path = shop, public;

-- ---- 1. the shop's own tables ---------------------------------------------------------------------------------------
create table invoices (invoice_no text, customer_id text, country text, invoice_ts timestamp, amount numeric);
create table subscribers (
  customer_id text, gender text, senior_citizen int, partner text, dependents text, tenure int, phone_service text,
  multiple_lines text, internet_service text, online_security text, online_backup text, device_protection text,
  tech_support text, streaming_tv text, streaming_movies text, contract text, paperless_billing text, payment_method text,
  monthly_charges numeric, total_charges numeric, churn text);
create table houses (
  neighborhood text, bldg_type text, house_style text, overall_cond text, year_built int, year_remod_add int, lot_area int,
  total_bsmt_sf int, first_flr_sf int, gr_liv_area int, full_bath int, garage_cars int, sale_price int);
create table deliveries (
  hour numeric, day text, distance numeric, item_01 int, item_02 int, item_03 int, item_04 int, item_05 int, item_06 int,
  item_07 int, item_08 int, item_09 int, item_10 int, item_11 int, item_12 int, item_13 int, item_14 int, item_15 int,
  item_16 int, item_17 int, item_18 int, item_19 int, item_20 int, item_21 int, item_22 int, item_23 int, item_24 int,
  item_25 int, item_26 int, item_27 int, time_to_delivery numeric);
\copy invoices from 'data/invoices.csv' csv header
\copy subscribers from 'data/telco_churn.csv' csv header
\copy houses from 'data/houses.csv' csv header
\copy deliveries from 'data/deliveries.csv' csv header
analyze;

-- ---- 2. segments: rules over scores, and groups that are found ------------------------------------------------------
create or replace view customer_segments as
select * from rfm('select customer_id, invoice_ts as purchased_at, amount, invoice_no from shop.invoices');

select segment, count(*) as customers, round(avg(recency_days)) as recency_days, round(avg(frequency), 1) as frequency,
  round(sum(monetary)) as total_value
from customer_segments group by segment order by total_value desc;

select run.status, run.metrics ->> 'silhouette' as silhouette
from train_model('segmentos', 'clustering',
  'select ln(1 + recency_days) as recency, ln(1 + frequency) as frequency, ln(1 + greatest(monetary, 0)) as monetary from shop.customer_segments',
  p_algorithm => 'kmeans', p_config => '{"k": 4}') run;

-- ---- 3. churn: what is known on a day, and what the customer did after it -------------------------------------------
-- Recency is a feature and not the label: the label is the ninety days that follow.
create or replace function customers_on(p_day timestamp)
  returns table (customer_id text, recency_days int, frequency bigint, monetary float8, r int, f int, m int,
    days_known int, last_amount numeric)
  stable language sql set search_path = shop, public as $$
  select c.customer_id, c.recency_days, c.frequency, c.monetary, c.r, c.f, c.m, h.days_known, h.last_amount
  from rfm('select customer_id, invoice_ts as purchased_at, amount, invoice_no from shop.invoices', p_day) c
  join lateral (
    select (p_day::date - min(i.invoice_ts)::date) as days_known,
      (array_agg(i.amount order by i.invoice_ts desc))[1] as last_amount
    from invoices i where i.customer_id = c.customer_id and i.invoice_ts <= p_day) h on true
$$;
create table churn_examples as
select c.*, d.day, not exists (
  select from invoices i
  where i.customer_id = c.customer_id and i.amount > 0 and i.invoice_ts > d.day and i.invoice_ts <= d.day + interval '90 days') as churned
from (values (timestamp '2011-06-10'), ('2011-07-10'), ('2011-08-10'), ('2011-09-10')) d (day), customers_on(d.day) c;
create table purchase_examples as
select c.*, d.day, exists (
  select from invoices i
  where i.customer_id = c.customer_id and i.amount > 0 and i.invoice_ts > d.day and i.invoice_ts <= d.day + interval '7 days') as buys
from (values (timestamp '2011-09-04'), ('2011-09-18'), ('2011-10-02'), ('2011-10-16'), ('2011-10-30'), ('2011-11-13')) d (day), customers_on(d.day) c;

-- One customer is in several rows: all of them on one side of the split.
select run.status, run.metrics ->> 'auc' as auc, run.warnings
from train_model('churn', 'classification', 'select customer_id, recency_days, frequency, monetary, days_known, last_amount, churned from shop.churn_examples',
  'churned', 'xgboost', '{"split": {"by": "customer_id"}}') run;
select run.status, run.metrics ->> 'auc' as auc
from train_model('recompra', 'classification', 'select customer_id, recency_days, frequency, monetary, days_known, last_amount, buys from shop.purchase_examples',
  'buys', 'xgboost', '{"split": {"by": "customer_id"}}') run;
select run.status, run.metrics ->> 'auc' as auc
from train_model('bajas', 'classification', 'select * from shop.subscribers', 'churn', 'xgboost', '{"exclude": ["customer_id"]}') run;

select c.customer_id, (churn_risk('churn', c)).*
from customers_on('2011-12-09') c order by 2 desc, 1 limit 5;
select feature, value, round(contribution::numeric, 3) as contribution
from (select * from customers_on('2011-12-09') order by customer_id limit 1) c, explain_prediction('churn', c);

-- ---- 4. demand and revenue of the next thirty days ------------------------------------------------------------------
create or replace view daily_sales as
select v.series, i.invoice_ts::date as ds, sum(v.y) as y
from invoices i
cross join lateral (values ('pedidos', 1::numeric), ('ingresos', i.amount)) v (series, y)
where i.amount > 0
group by 1, 2;
select run.status, run.metrics ->> 'mase' as mase
from train_forecast('demanda', 'select ds, y, series from shop.daily_sales', '{"gaps": "zero", "min_value": 0}') run;
select series, ds::date, round(yhat) as yhat, round(yhat_lower) as low, round(yhat_upper) as high
from forecast('demanda', 30) where level > 0.9 order by series, ds limit 5;

-- ---- 5. delivery time of a route, price of a house ------------------------------------------------------------------
select run.status, run.metrics ->> 'rmse' as rmse
from train_model('rutas', 'regression', 'select * from shop.deliveries', 'time_to_delivery', 'random_forest') run;
select run.status, run.metrics ->> 'r2' as r2
from train_model('precios', 'regression', 'select * from shop.houses', 'sale_price', 'ridge') run;
select h.neighborhood, h.sale_price, round(predict_value('precios', h)) as suggested,
  round(0.85 * predict_value('precios', h)) as low, round(1.15 * predict_value('precios', h)) as high
from houses h order by h.sale_price limit 3;

-- ---- 6. the first of the month, at two: everything again, one report ------------------------------------------------
select retrain_all() as report;

-- ---- 7. days 1 and 15: who is leaving; Mondays at eight: who is about to buy -----------------------------------------
select create_churn_alert('churn', $$select * from shop.customers_on('2011-12-09')$$) is not null as churn_alert,
  create_purchase_alert('recompra', $$select * from shop.customers_on('2011-12-09')$$) is not null as purchase_alert;
select kind, payload ->> 'looked_at' as looked_at, payload ->> 'found' as found, payload ->> 'total_value' as total_value,
  payload #>> '{rows,0,probability}' as first
from ai_notifications where kind <> 'retrain_report' order by id;
-- With pg_cron these three are jobs:
--   select schedule_retrain_all();
--   select schedule_churn_alert('churn', 'select * from shop.customers_on(localtimestamp)');
--   select schedule_purchase_alert('recompra', 'select * from shop.customers_on(localtimestamp)');

-- ---- 8. do the prices of the model earn more? -----------------------------------------------------------------------
select create_experiment('precios dinámicos', '["fijos", "modelo"]',
  '[{"name": "revenue", "goal": "increase"}, {"name": "churned", "kind": "binary", "goal": "decrease", "guardrail": true}]') is not null as created;
select count(assign_variant('precios dinámicos', customer_id)) as assigned,
  count(record_exposure('precios dinámicos', customer_id)) as exposed from (select distinct customer_id from invoices) c;
-- Nothing differs between the two: this is an A/A test on what the customers really spent in November.
select count(record_outcome('precios dinámicos', c.customer_id,
  jsonb_build_object('revenue', coalesce(s.amount, 0), 'churned', s.amount is null))) as recorded
from (select distinct customer_id from invoices) c
left join (select customer_id, sum(amount) as amount from invoices where invoice_ts >= '2011-11-01' group by 1) s using (customer_id);
select metric, variant, n, round(mean::numeric, 2) as mean, round(p_value::numeric, 2) as p_value
from get_experiment_results('precios dinámicos') order by metric, variant;
select experiment_report('precios dinámicos') as report;

-- ---- what was claimed -----------------------------------------------------------------------------------------------
do $$
declare
  v_claim record;
begin
  for v_claim in
    select * from (values
      ('every customer with a purchase has a segment', (select count(*) = count(segment) and count(*) > 1000 from customer_segments)),
      ('seven models are live', (select count(*) = 7 from ai_model_versions where is_active)),
      ('every model was trained twice', (select count(*) = 14 and bool_and(status = 'completed') from ai_training_runs)),
      ('four groups of customers, numbered as before the retraining', (
        select count(distinct predict_cluster('segmentos', x)) = 4
          and bool_and(predict_cluster('segmentos', x) = predict_cluster('segmentos', x, (select min(id) from ai_model_versions where model_name = 'segmentos')))
        from (select ln(1 + recency_days) as recency, ln(1 + frequency) as frequency, ln(1 + greatest(monetary, 0)) as monetary from customer_segments) x)),
      ('churn is foreseen, and not with 100 %', (
        select (metrics ->> 'auc')::float between 0.65 and 0.95 from ai_training_runs where model_name = 'churn' order by created_at limit 1)),
      ('subscribers that leave are told apart', (
        select (metrics ->> 'auc')::float between 0.72 and 0.95 from ai_training_runs where model_name = 'bajas' order by created_at limit 1)),
      ('delivery times within four minutes', (
        select (metrics ->> 'rmse')::float < 4 from ai_training_runs where model_name = 'rutas' order by created_at limit 1)),
      ('prices: three quarters of the variance', (
        select (metrics ->> 'r2')::float > 0.75 from ai_training_runs where model_name = 'precios' order by created_at limit 1)),
      ('thirty days of two series, none below zero', (
        select count(*) = 60 and min(yhat_lower) >= 0 from forecast('demanda', 30, '{0.95}'))),
      ('alerts and report wait for the worker', (select count(distinct kind) = 3 from ai_notifications where status = 'pending')),
      ('the experiment finds nothing where there is nothing', (
        select bool_and(p_value > 0.001) from get_experiment_results('precios dinámicos') where p_value is not null))
    ) c (claim, holds)
  loop
    if v_claim.holds is not true then
      raise exception 'it does not hold that: %', v_claim.claim;
    end if;
  end loop;
end
$$;
select 'every claim holds' as result;
