-- Drift: the tests against known values, three kinds of drift, none, and too little.
create extension pg_retrain;
\set SHOW_CONTEXT never
\set VERBOSITY terse

-- distributions against published and exact values
select x, df, round(retrain_chi_square_upper(x, df)::numeric, 10) as upper_tail
from (values (0.0::float8, 1), (3.841458820694124, 1), (6.634896601021213, 1), (5.991464547107979, 2), (18.307038053275146, 10),
  (124.342113404004, 100), (100, 100), (0.001, 100), (1e6, 3)) v (x, df);
-- two degrees of freedom: exp(-x / 2); four: (1 + x / 2) exp(-x / 2)
select max(abs(retrain_chi_square_upper(x, 2) / exp(-x / 2) - 1)) < 1e-12 as two,
  max(abs(retrain_chi_square_upper(x, 4) / ((1 + x / 2) * exp(-x / 2)) - 1)) < 1e-12 as four
from (select i * 0.37::float8 as x from generate_series(8, 400) i) v;
select max(abs(retrain_chi_square_upper(x, 2) - exp(-x / 2))) < 1e-12 as near_zero from (select i * 0.01::float8 as x from generate_series(1, 800) i) v;
select z, round(retrain_normal_two_sided(z)::numeric, 12) as both_tails
from (values (0::float8), (1), (-1), (1.959963984540054), (2.5758293035489004), (6), (40)) v (z);
select l, round(retrain_kolmogorov_upper(l)::numeric, 9) as upper_tail
from (values (0::float8), (0.1), (0.2), (0.5), (1.0), (1.1799999999), (1.18), (1.2238478702), (1.3580986393), (1.6276236115), (3), (17), (100)) v (l);
select retrain_gamma_upper(0, 1);
select retrain_gamma_upper(1, -1);
select retrain_gamma_upper(1, 'Infinity'), retrain_gamma_upper(5, 2000), retrain_gamma_upper(2000, 5);

-- nothing, and too little
select aspect, test, verdict, p_value, p_adjusted, window_rows, baseline_rows from detect_drift();
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at)
select 'word' || i % 7 || ' and word' || i % 5, 'i' || i % 3, i % 101, now() - interval '20 days' from generate_series(1, 400) i;
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at)
select 'word' || i % 7 || ' and word' || i % 5, 'i' || i % 3, i % 101, now() - interval '1 day' from generate_series(1, 49) i;
select aspect, verdict, p_value, window_rows, baseline_rows from detect_drift();

-- the same traffic
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at)
select 'word' || i % 7 || ' and word' || i % 5, 'i' || i % 3, i % 101, now() - interval '1 day' from generate_series(50, 400) i;
select aspect, test, verdict, round(effect::numeric, 4) as effect, round(p_value::numeric, 4) as p, round(p_adjusted::numeric, 4) as adjusted, window_rows, baseline_rows
from detect_drift();
select aspect, detail from detect_drift();

-- one aspect after the other; what is not live does not count
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at, source)
select 'nothing like it', 'other', 0, now() - interval '1 day', 'imported' from generate_series(1, 500) i;
select aspect from detect_drift() where verdict = 'drift';
begin;
update ai_training_data set user_message = 'unheard ' || user_message where created_at > now() - interval '2 days' and confidence_score < 20;
select aspect, round(effect::numeric, 4) as effect, p_value < 1e-12 as tiny, p_adjusted = least(1, 3 * p_value) as times_three, detail from detect_drift() where verdict = 'drift';
rollback;
begin;
update ai_training_data set detected_intent = 'i0' where created_at > now() - interval '2 days' and detected_intent = 'i1';
select aspect, round(effect::numeric, 4) as effect, p_value < 1e-12 as tiny, detail from detect_drift() where verdict = 'drift';
rollback;
begin;
update ai_training_data set confidence_score = confidence_score / 2 where created_at > now() - interval '2 days';
select aspect, round(effect::numeric, 4) as effect, p_value < 1e-12 as tiny, detail from detect_drift() where verdict = 'drift';
rollback;
-- Holm: the smallest p times three, the next times two
begin;
update ai_training_data set detected_intent = 'i0' where created_at > now() - interval '2 days' and detected_intent = 'i1' and confidence_score < 30;
update ai_training_data set confidence_score = confidence_score * 9 / 10 where created_at > now() - interval '2 days';
select aspect, round(p_value::numeric, 6) as p, round(p_adjusted::numeric, 6) as adjusted, round((p_adjusted / p_value)::numeric, 4) as factor, verdict
from detect_drift() order by p_value;
rollback;

-- a single message of a new intent is none, many are
begin;
insert into ai_training_data (user_message, detected_intent, model_name, created_at)
select 'x', case when i <= 0.6 * n then 'often' when i < n then 'seldom' else 'new' end, 'sparse', now() - age * interval '1 day'
from (values (50, 1), (6000, 10)) s (n, age), generate_series(1, n) i;
select verdict, round(p_value::numeric, 4) as p, detail ->> 'degrees_of_freedom' as df from detect_drift('sparse') where aspect = 'labels';
update ai_training_data set detected_intent = 'seldom' where model_name = 'sparse' and detected_intent = 'new';
update ai_training_data set detected_intent = 'new'
where id in (select id from ai_training_data where model_name = 'sparse' and created_at > now() - interval '7 days' and detected_intent = 'seldom' limit 6);
select verdict, p_value < 1e-9 as tiny, detail ->> 'degrees_of_freedom' as df from detect_drift('sparse') where aspect = 'labels';
update ai_training_data set detected_intent = 'often' where model_name = 'sparse' and detected_intent = 'seldom';
select verdict, p_value < 1e-9 as tiny, detail ->> 'degrees_of_freedom' as df from detect_drift('sparse') where aspect = 'labels';
rollback;

-- one label, no confidence, no words
insert into ai_training_data (user_message, detected_intent, model_name, created_at)
select '', 'only', 'plain', now() - i * interval '1 hour' from generate_series(1, 400) i;
select aspect, verdict, statistic, p_value, window_rows, baseline_rows from detect_drift('plain');
-- other windows
select aspect, verdict, window_rows, baseline_rows from detect_drift('plain', '2 days', '3 days') where aspect = 'labels';
-- what is dated ahead is not of late
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, created_at)
select 'new words ' || i, 'another', 10, 'plain', now() + i * interval '1 hour' from generate_series(1, 400) i;
select aspect, verdict, window_rows, baseline_rows from detect_drift('plain', '2 days', '3 days');
-- texts that could hurt
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, created_at)
select case i % 4 when 0 then repeat('long ', 20000) when 1 then '😀 مرحبا' when 2 then E'a\\b''"%' else '¿qué?' end, repeat('i', 1024), 50, 'odd', now() - i * interval '1 hour'
from generate_series(1, 400) i;
select aspect, verdict from detect_drift('odd');

-- bad arguments
select detect_drift(null);
\echo :LAST_ERROR_SQLSTATE
select detect_drift('default', null);
\echo :LAST_ERROR_SQLSTATE
select detect_drift('default', '0');
\echo :LAST_ERROR_SQLSTATE
select detect_drift('default', '-1 day');
\echo :LAST_ERROR_SQLSTATE
select detect_drift('default', '7 days', null);
\echo :LAST_ERROR_SQLSTATE
select detect_drift('default', '7 days', '-1 day');
\echo :LAST_ERROR_SQLSTATE
select detect_drift('default', '11 years');
\echo :LAST_ERROR_SQLSTATE
select detect_drift('default', '7 days', '1000000 years');
\echo :LAST_ERROR_SQLSTATE
drop extension pg_retrain;
