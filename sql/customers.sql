-- Segments, notifications and the monthly run.
create extension pg_retrain;
\set SHOW_CONTEXT never
set timezone = 'UTC';

create table sales (order_no int, client text, day date, price numeric);
insert into sales
select 100 * c + o, 'c' || lpad(c::text, 2, '0'), date '2026-01-01' + 6 * c - 3 * o, c + o
from generate_series(1, 20) c, generate_series(1, 1 + c % 5) o;

-- purchases to scores: the last purchase is the day looked at
select * from rfm('select client as customer_id, day as purchased_at, price as amount from sales') where customer_id in ('c01', 'c14', 'c20');
select segment, count(*) from rfm('select client as customer_id, day, price from sales') group by 1 order by 1;
-- the kind of a column tells where its name does not
select count(*) from rfm('select client as customer_id, day, price from sales') a
join rfm('select price, day, client as customer_id from sales') b using (customer_id, recency_days, frequency, monetary, r, f, m, segment);
-- another day, and nothing after it
select customer_id, recency_days, frequency from rfm('select client as customer_id, day as ds, price as amount from sales', '2026-01-20') where customer_id in ('c02', 'c03', 'c20');
-- days between dates are the calendar's, also where one of them had 23 hours; those of timestamptz have 24
set timezone = 'America/Santiago';
select customer_id, recency_days from rfm($$select * from (values ('a', date '2024-09-01', 5), ('b', '2024-09-10', 7)) v (customer_id, day, amount)$$);
select kind, r.customer_id, r.recency_days
from unnest('{date,timestamp,timestamptz}'::text[]) kind,
  rfm(format($$select customer_id, day::%s as day, amount from (values ('a', '2024-09-01', 5), ('b', '2024-09-10', 7), ('c', '2024-09-12 12:00', 9)) v (customer_id, day, amount)$$, kind),
    '2024-09-12') r
order by kind, r.customer_id;
set timezone = 'UTC';
-- values that are known already
select customer_id, recency_days, frequency, monetary, segment
from rfm($$select 'k' || i as customer_id, 10 * i as recency_days, 11 - i as frequency, 100.5 * (11 - i) as monetary from generate_series(1, 10) i$$)
where customer_id in ('k1', 'k10');
-- two lines of one order are one order; a return is no purchase
select * from rfm($$select * from (values ('a', 1, date '2026-01-01', 5.0), ('a', 1, '2026-01-01', 6), ('a', 2, '2026-01-09', -4), ('b', 3, '2026-01-05', 1)) v (customer_id, order_id, ordered_at, amount)$$);
select count(*) as none from rfm('select client as customer_id, day, price from sales where false');

-- rules are rows: a user's row takes the place of the shipped one of its id, and changing a shipped one makes it the user's
update ai_segment_rules set segment = 'Campeones' where segment = 'Champions';
select shipped from ai_segment_rules where segment = 'Campeones';
insert into ai_segment_rules (priority, segment, r_max, m_min, notes) values (1, 'Recuperar', 2, 4, 'were worth much');
select segment, count(*) from rfm('select client as customer_id, day, price from sales') group by 1 order by 1;
update ai_segment_rules set enabled = false;
select count(*) from rfm('select client as customer_id, day, price from sales') where segment is null;
insert into ai_segment_rules (priority, segment, r_min) values (1, 'x', 6);
insert into ai_segment_rules (priority, segment) values (1, ' ');

-- what is wrong is said
select rfm(null);
select rfm('select 1 as x');
select rfm('select client as customer_id, price from sales');
select rfm('select client as customer_id, day, day as other_day, price from sales');
select rfm('select client as customer_id, day from sales');
select rfm('select client as customer_id, day, price::text as amount from sales');
select rfm('select client as customer_id, day, null::numeric as amount from sales');
select rfm('select client as customer_id, day, ''NaN''::float8 as amount from sales');
select rfm('select client as customer_id, ''infinity''::timestamp as day, price from sales');
\echo :LAST_ERROR_SQLSTATE
select rfm($$select 'a' as customer_id, -1 as recency_days, 1 as frequency, 1 as monetary$$);
select rfm($$select 'a' as customer_id, 1 as recency_days, 1 as frequency, 1 as monetary from generate_series(1, 2)$$);
select rfm($$select 'a' as customer_id, 1 as recency_days, 0.2 as frequency, 1 as monetary$$);
\echo :LAST_ERROR_SQLSTATE
select rfm('select 1; select 2');
select rfm('delete from sales returning client as customer_id, day, price');
select rfm('select * from nowhere');

-- levels of risk are rows
select p, (retrain_risk_of(p::real)).* from unnest(array[0, 0.29, 0.3, 0.5, 0.71, 1]) p;
update ai_risk_levels set risk_level = 'urgente', min_probability = 0.9 where risk_level = 'crítico';
select p, (retrain_risk_of(p::real)).risk_level from unnest(array[0.71, 0.95]) p;
select retrain_positive_label('m', '{"Yes": 0.2, "No": 0.8}', null), retrain_positive_label('m', '{"0": 0.2, "1": 0.8}', null),
  retrain_positive_label('m', '{"stays": 0.2, "goes": 0.8}', 'goes'), retrain_positive_label('m', '{"sí": 0.2, "no": 0.8}', null);
select retrain_positive_label('m', jsonb_build_object(E'SI\u0301', 0.2, 'NO', 0.8), null) = E'SI\u0301' as decomposed;
select retrain_positive_label('m', '{"-1": 0.2, "1": 0.8}', null), retrain_positive_label('m', '{"Baja ": 0.2, "alta": 0.8}', null);
select retrain_positive_label('m', '{"yes": 0.2, "churn": 0.8}', null);
select retrain_positive_label('m', '{"stays": 0.2, "goes": 0.8}', null);
select retrain_positive_label('m', '{"stays": 0.2, "goes": 0.8}', 'leaves');

-- a notification is delivered at least once, and two workers never hold the same one
select retrain_push_notification('test', null, jsonb_build_object('n', i)) from generate_series(1, 3) i;
select id, status, attempts, claimed_by from claim_notifications('one', 2);
select id, status, claimed_by from claim_notifications('two');
select complete_notification(1), complete_notification(2, 'no route'), complete_notification(99);
select id, status, last_error, next_attempt_at > clock_timestamp() as waits from ai_notifications order by id;
update ai_notifications set next_attempt_at = now() where id = 2;
update ai_notifications set claimed_until = now() - interval '1 second' where id = 3;
select id, attempts, claimed_by from claim_notifications('three');
update ai_notifications set attempts = 10 where id = 2;
select complete_notification(2, 'still none'), complete_notification(3);
select count(*) as open from claim_notifications('four');
-- nor does it come back for ever when the worker dies each time before it says what came of it
select retrain_push_notification('test', null, '{"n": 4}') as id;
do $$ begin
  for i in 1 .. 10 loop
    perform claim_notifications('mortal');
    update ai_notifications set claimed_until = now() - interval '1 second' where id = 4;
  end loop;
end $$;
select retrain_push_notification('test', null, '{"n": 5}') as id;
select id, attempts from claim_notifications('four', 1);
select complete_notification(5) ->> 'status' as status;
select status, attempts, last_error from ai_notifications where id = 4;
select claim_notifications(null);
select claim_notifications('x', 0);
select claim_notifications('x', 1, 0);

-- the monthly run: one report over all models, failures included
insert into ai_training_data (user_message, detected_intent, model_name)
select format('mensaje %s de %s', i, w), w, 'talk' from generate_series(1, 20) i, unnest(array['pagos', 'envíos']) w;
select retrain_ensure_model('talk');
insert into ai_models (model_name, source) values ('broken', 'select * from nowhere'), ('empty', null);
select regexp_replace(regexp_replace(regexp_replace(retrain_all(), '\d{4}-\d\d-\d\d \d\d:\d\d', '<time>'),
  '\d+\.\d(?= seconds| \|\n)', '<s>', 'g'), '[0-9a-f]{8}-[0-9a-f-]{27}', '<run>', 'g') as report;
select model_name, task, status, run_name ~ '^retrain_all_\d{8}_\d{6}$' as named from ai_training_runs order by model_name;
select payload ->> 'report' ~ '^# Retraining report' as report, jsonb_array_length(payload -> 'runs') as runs from ai_notifications where kind = 'retrain_report';
select retrain_all(array['talk']) ~ '1 models: 1 trained' as one;
select retrain_all(array['nobody']);
-- a number that no smaller type holds is in the report as well
select count(*) from train_model('large', 'regression', 'select n, n % 5 as a, n % 7 * 1e90::double precision as y from generate_series(1, 300) n', 'y', 'ridge');
select retrain_all(array['large']) ~ '\| rmse \d.\d+e\+90 \|' as large;
-- who may train one model only leaves a report of that one
create table steps as select n, n % 5 as a, n % 5 * 2 as y from generate_series(1, 200) n;
create role regress_retrain_one;
grant select on steps to regress_retrain_one;
select count(*) from train_model('one', 'regression', 'select * from steps', 'y', 'ridge');
select grant_retrain_access('regress_retrain_one', 'trainer', 'one') ->> 'success' as granted;
set role regress_retrain_one;
select status from train_model('one', 'regression', 'select a, y from steps', 'y', 'ridge');
select retrain_all() ~ '1 models: 1 trained' as one;
select kind, model_name, payload ->> 'report' ~ '1 models: 1 trained' as report, jsonb_array_length(payload -> 'runs') as runs from ai_notifications;
reset role;
select revoke_retrain_access('regress_retrain_one') ->> 'success' as revoked;
drop owned by regress_retrain_one;
drop role regress_retrain_one;
drop table steps;
select schedule_retrain_all();
select schedule_retrain_all('');
select schedule_churn_alert('nobody', 'select 1');
select create_churn_alert('nobody', 'select 1');
select create_churn_alert('talk', null);
select create_churn_alert('talk', 'select 1', 1.5);
select create_churn_alert('talk', 'select 1', null);
-- the query ends as people end their queries
select status from train_model('goes', 'classification', 'select n, n % 7 as calls, n > 100 as goes from generate_series(1, 200) n', 'goes', 'logistic_regression');
select create_churn_alert('goes', E'select 190 as n, 1 as calls union all select 5, 1;\n') is not null as alerted;
select create_churn_alert('goes', 'select 190 as n, 1 as calls -- the last one') is not null as alerted;
-- names in it are the caller's to find, those around it are not
create function format(text, text) returns text language plpgsql as $$
begin
  raise notice 'this format() runs as the caller';
  return pg_catalog.format($1, $2);
end $$;
select create_churn_alert('goes', 'select 190 as n, 1 as calls') is not null as alerted;
drop function format(text, text);
select payload -> 'looked_at' as looked_at, payload -> 'found' as found from ai_notifications where model_name = 'goes' order by id;
-- columns that JSON has no type for
select status from train_model('idle', 'classification', 'select n * interval ''1 day'' as idle, time ''08:00'' + n % 9 * interval ''1 hour'' as at, date ''2026-01-01'' + n % 5 as day,
  n > 100 as goes from generate_series(1, 200) n', 'goes', 'logistic_regression');
select create_churn_alert('idle', 'select n * interval ''1 day'' as idle, time ''09:30'' as at, date ''2026-01-03'' as day, n as retrain_row from generate_series(20, 190, 170) n') is not null as alerted;
select payload #> '{rows,0,row}' as row, jsonb_array_length(payload -> 'rows') as rows from ai_notifications where model_name = 'idle';
select create_purchase_alert('talk', 'select 1', p_limit => 0);
drop extension pg_retrain cascade;
drop table sales;
