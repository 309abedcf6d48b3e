-- Label issues: swapped labels are found, nothing is stored.
create extension pg_retrain;
\set SHOW_CONTEXT never

insert into ai_training_data (user_message, detected_intent, created_at)
select format('%s number %s', w, n), i, timestamptz '2026-01-01' + n * interval '1 minute'
from (values ('money back please', 'refund'), ('my password is wrong', 'login'), ('where is my parcel', 'delivery')) t (w, i),
  generate_series(1, 40) n;
select retrain_ensure_model('default');
select count(*) from find_label_issues();
update ai_training_data set detected_intent = 'refund' where user_message in ('my password is wrong number 3', 'where is my parcel number 7');
update ai_training_data set correct_intent = 'login', corrected_by_human = true where user_message = 'money back please number 9';
-- the same text twice, one of them labelled as wrongly
insert into ai_training_data (user_message, detected_intent, created_at) values
  ('MY PASSWORD is wrong number 3', 'refund', '2026-01-02'), ('the only one of its kind', 'other', '2026-01-03');
select user_message, intent, suggested_intent, confidence > intent_confidence as surer, confidence between 0.4 and 1 as probable,
  was_corrected, split
from find_label_issues() order by 1;
select count(*) from find_label_issues(p_limit => 1);

-- test rows take part as well, and the model's own configuration is used; nothing is stored
select status from train_intent_model(p_promote => 'never');
select count(distinct user_message) from find_label_issues();
update ai_models set config = '{"classifier": "logistic_regression", "calibration": "none"}';
select count(distinct user_message) from find_label_issues();
update ai_models set config = '{"preset": "classic"}';
select count(distinct user_message) from find_label_issues();
select (select count(*) from ai_training_runs) as runs, (select count(*) from ai_model_versions) as versions;

-- what cannot be
select find_label_issues('nobody');
\echo :LAST_ERROR_SQLSTATE
select find_label_issues(null);
\echo :LAST_ERROR_SQLSTATE
select find_label_issues(p_limit => -1);
\echo :LAST_ERROR_SQLSTATE
update ai_models set config = '{"c": 0}';
select find_label_issues();
\echo :LAST_ERROR_SQLSTATE
select retrain_ensure_model('empty');
select find_label_issues('empty');
\echo :LAST_ERROR_SQLSTATE
update ai_models set config = '{}';
set pg_retrain.training_memory = '1MB';
\set VERBOSITY sqlstate
insert into ai_training_data (user_message, detected_intent, model_name)
select md5(n::text) || ' ' || md5((n + 1)::text), 'i' || n % 50, 'large' from generate_series(1, 3000) n;
select retrain_ensure_model('large');
select find_label_issues('large');
reset pg_retrain.training_memory;

-- a reviewer of one model
create role regress_retrain_l;
select grant_retrain_access('regress_retrain_l', 'reviewer', 'default') ->> 'success' as ok;
set role regress_retrain_l;
select count(distinct user_message) from find_label_issues();
select find_label_issues('large');
reset role;
select revoke_retrain_access('regress_retrain_l') ->> 'success' as ok;
drop role regress_retrain_l;
drop extension pg_retrain;
