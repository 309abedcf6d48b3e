-- Values of columns that could be taken for others: padded texts, empty names of classes, no numbers, long numbers.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- char(n) is read without the blanks that fill it up, as its cast to text: in training, in rows and in JSON.
create table shops as
select n, (array['centro', 'sur', 'norte'])[1 + n % 3]::char(10) as shop, date '2026-01-01' + n / 3 as day,
  (case when n % 3 = 0 then 'yes' else 'no' end)::char(5) as open, n % 3 * 10 + n * 7919 % 11 as sales,
  (case when n % 10 < 7 then 'train' when n % 10 < 8 then 'validation' else 'test' end)::char(12) as split
from generate_series(1, 300) n;
select status, training_samples from train_model('sales', 'regression', 'select shop, sales, split from shops', 'sales', 'ridge');
select count(distinct predict_value('sales', s)) as different,
  bool_and(predict_value('sales', s) = predict_value('sales', jsonb_build_object('shop', rtrim(s.shop)))
    and predict_value('sales', s) = predict_value('sales', t)) as alike
from shops s, lateral (select s.shop::text as shop) t;
select status from train_model('open', 'classification', 'select sales, open from shops', 'open', 'logistic_regression');
select labels from ai_model_versions where model_name = 'open';
select (churn_risk('open', s, 'yes')).risk_level is not null as known from shops s limit 1;
select status from train_forecast('shops', 'select day as ds, sales as y, shop as series from shops');
select series, count(*) from forecast('shops', 2, '{}', 'sur') group by series;
select count(*) from rfm('select shop as customer_id, day as purchased_at, sales + 1 as amount from shops') r join shops s on s.shop = r.customer_id;
select status, training_samples from train_intent_model('said', p_source =>
  'select shop || '' '' || n as text, shop as intent, split from shops', p_config => '{"preset": "classic"}', p_promote => 'always');

-- A class whose name is empty: the same rows in any order give the same bytes.
create table plans as select n % 5 as a, n * 7919 % 13 as b, (array['', 'x', 'y'])[1 + (n % 5 + n * 7919 % 13) % 3] as plan from generate_series(1, 300) n;
select status from train_model('plan 1', 'classification', 'select * from plans order by plan, a, b', 'plan', 'logistic_regression');
select status from train_model('plan 2', 'classification', 'select * from plans order by plan desc, b, a', 'plan', 'logistic_regression');
select count(*) as versions, count(distinct artifact_sha256) as different from ai_model_versions where model_name like 'plan _';

-- No number as a time is the oldest, as null is: it puts no other row out of order.
create table visits as select case when n % 10 = 0 then 'NaN' else n::float8 end as at, n % 7 as a, n % 7 * 2 + n % 3 as v from generate_series(1, 1000) n;
select training_samples, validation_samples, test_samples
from train_model('visits', 'regression', 'select * from visits order by v, a, at', 'v', 'ridge', '{"split": {"by_time": "at"}}');

-- Names that are numbers of 2^53 or more would be rounded: two could be one.
create table items as select 9007199254740992 + n % 2 as item, n % 2 * 3 + n % 5 as a, n % 3 as v from generate_series(1, 100) n;
select train_model('item', 'classification', 'select * from items', 'item', 'logistic_regression');
select train_model('item', 'regression', 'select * from items', 'v', 'ridge', '{"categorical": ["item"]}');
select status from train_model('item', 'classification', 'select item::text, a from items', 'item', 'logistic_regression');
select labels from ai_model_versions where model_name = 'item';

-- More texts than are told apart are not said to be different in every row.
select w ->> 'code' as code, w ->> 'message' as message
from train_model('many', 'regression', 'select ''key '' || n % 100001 as key, n % 7 as a, n % 7 + n % 3 as v from generate_series(1, 200002) n', 'v', 'ridge') r,
  jsonb_array_elements(r.warnings) w;

drop extension pg_retrain;
drop table shops, plans, visits, items;
