-- One role with a lower level on one model and a higher one on another: what a call lacks for a model is said, and never
-- taken for nothing to do.
create extension pg_retrain;
\set SHOW_CONTEXT never
\set VERBOSITY terse
create role regress_retrain_reads;
create role regress_retrain_records;
create role regress_retrain_trains;

\o /dev/null
select record_interaction(format('%s please, number %s', w.word, i), 'fine', w.intent, 50, m, p_user_id => 'u1')
from unnest(array['low', 'high']) m, generate_series(1, 30) i, (values ('order', 'one'), ('invoice', 'two')) w (word, intent);
insert into ai_training_data (user_message, detected_intent, model_name) select 'order please, number 7', 'one', 'low' from generate_series(1, 2);
select train_intent_model(m, p_config => '{"preset": "classic", "seed": 1}', p_promote => 'always')
from unnest(array['low', 'low', 'high']) m;
select train_model('class', 'classification', 'select n, case when n > 50 then ''yes'' else ''no'' end as churn from generate_series(1, 100) n',
  'churn', 'logistic_regression');
select create_experiment('trial', p_metrics => '["revenue"]', p_starts_at => '2026-01-01', p_model_name => 'low');
select record_interaction('a new order thing', p_model_name => 'low');
select grant_retrain_access('regress_retrain_reads', l, m)
from (values ('reader', 'low'), ('reader', 'class'), ('admin', 'high')) g (l, m);
select grant_retrain_access('regress_retrain_records', l, m)
from (values ('recorder', 'low'), ('predictor', 'class'), ('admin', 'high')) g (l, m);
select grant_retrain_access('regress_retrain_trains', 'trainer', 'low'), grant_retrain_access('regress_retrain_trains', 'admin', 'high');
\o

create table calls (place serial, call text);
insert into calls (call) values
  ('get_review_queue(5, p_model_name => ''low'')'),
  ('preview_correction([row], ''two'')'),
  ('diff_models(''low'', [version], [version])'),
  ('get_dataset_stats(''low'')'),
  ('export_training_dataset(''csv'', p_model_name => ''low'')'),
  ('model_live_at(''low'')'),
  ('should_retrain(''low'')'),
  ('get_experiment_results(''trial'')'),
  ('check_sample_ratio(''trial'')'),
  ('experiment_report(''trial'')'),
  ('record_interaction(''x'', p_model_name => ''low'')'),
  ('evaluate_interaction([row], ''thanks'')'),
  ('submit_intent_correction([row], ''two'')'),
  ('claim_review_items(''me'', 3, 30, ''low'')'),
  ('clean_dataset(''low'', false)'),
  ('import_training_dataset(array[''{"text": "x", "intent": "y"}''], p_model_name => ''low'')'),
  ('create_metrics_snapshot(''daily'', ''low'')'),
  ('promote_model([version])'),
  ('rollback_model(''low'')'),
  ('retrain_if_due(''low'')'),
  ('retrain_all(array[''high'', ''low''])'),
  ('create_experiment(''x'', p_model_name => ''low'')'),
  ('set_experiment_traffic(''trial'', 0)'),
  ('stop_experiment(''trial'')'),
  ('create_churn_alert(''class'', ''select 99 as n'')'),
  ('schedule_churn_alert(''class'', ''select 99 as n'')'),
  ('schedule_retraining(p_model_name => ''low'')'),
  ('drop_model_version([version])'),
  ('forget_user(''u1'')'),
  ('create_metrics_snapshot(''daily'', ''nowhere'')'),
  ('create_experiment(''x'', p_model_name => ''nowhere'')'),
  ('import_training_dataset(array[''{"text": "x", "intent": "y"}''], p_model_name => ''nowhere'')');

-- Each is undone.
create function told(p_role text) returns table (call text, said text) language plpgsql as $$
declare
  v_call text;
  v_version text := (select min(id) from ai_model_versions where model_name = 'low');
  v_row text := (select quote_literal(id) from ai_training_data where user_message = 'a new order thing');
begin
  for call, v_call in
    select c.call, replace(replace(c.call, '[version]', v_version), '[row]', v_row) from calls c order by c.place
  loop
    begin
      perform set_config('role', p_role, true);
      execute format('select count(x) from %s x', v_call);
      raise exception 'answered' using errcode = '00001';
    exception when others then
      said := case sqlstate when '00001' then sqlerrm else sqlstate || ' ' || sqlerrm end;
    end;
    return next;
  end loop;
end
$$;
\pset format unaligned
\pset tuples_only on
select * from told('regress_retrain_reads');
select * from told('regress_retrain_records');
select * from told('regress_retrain_trains');
-- what is not said to a role of one model: whether another one exists
set role regress_retrain_reads;
\set VERBOSITY default
select create_metrics_snapshot('daily', 'class');
select create_metrics_snapshot('daily', 'nowhere');
\set VERBOSITY terse
reset role;

-- Columns are those of all levels together: what a person says of a message is the reviewer's of its model all the same.
set role regress_retrain_records;
begin;
update ai_training_data set correct_intent = 'two', corrected_by_human = true where model_name = 'low' and user_message = 'a new order thing';
\echo :LAST_ERROR_SQLSTATE
rollback;
begin;
update ai_training_data set dataset_status = 'rejected' where model_name = 'low' and user_message = 'a new order thing';
rollback;
begin;
update ai_training_data set intent_correct = true where model_name = 'low' and user_message = 'a new order thing';
rollback;
begin;
insert into ai_training_data (user_message, correct_intent, corrected_by_human, model_name) values ('another', 'two', true, 'low');
\echo :LAST_ERROR_SQLSTATE
rollback;
begin;
insert into ai_training_data (user_message, detected_intent, dataset_status, model_name) values ('another', 'two', 'approved', 'low');
rollback;
-- the recorder's own columns, and those of the model on which it is more
update ai_training_data set quality_score = 0.5 where model_name = 'low' and user_message = 'a new order thing' returning quality_score;
insert into ai_training_data (user_message, detected_intent, model_name) values ('another', 'two', 'low') returning dataset_status;
update ai_training_data set correct_intent = 'two', corrected_by_human = true where model_name = 'high' and user_message = 'order please, number 3'
returning intent_correct;
insert into ai_training_data (user_message, correct_intent, corrected_by_human, model_name) values ('another', 'two', true, 'high')
returning corrected_by_human;
reset role;

select revoke_retrain_access(r) ->> 'revoked' from unnest(array['regress_retrain_reads', 'regress_retrain_records', 'regress_retrain_trains']) r;
drop role regress_retrain_reads, regress_retrain_records, regress_retrain_trains;
drop table calls;
drop function told;
drop extension pg_retrain;
