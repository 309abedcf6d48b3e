-- An error leaves nothing behind: every function that may write is called with bad arguments, and with good ones while one of
-- the tables that it writes refuses each row; then everything is as it was, whatever the function had done before the error.
-- The catalogue says which functions those are: one without its two calls in the lists below fails the test.
begin;
set client_min_messages = error;
select no_plan();

create temporary view members as
select d.classid, d.objid from pg_depend d join pg_extension e on e.oid = d.refobjid
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname = 'pg_retrain';
create temporary view tables as
select c.oid, c.oid::regclass::text as name
from members m join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid where c.relkind = 'r';

-- Triggers come and go below: an autovacuum that has begun on one of the tables would end in a deadlock with that.
do $$
declare
  v_table record;
begin
  for v_table in select name from tables order by name loop
    execute format('lock table %s in share row exclusive mode', v_table.name);
  end loop;
end
$$;

-- ---- a database with something of everything -----------------------------------------------------------------------------

\o /dev/null
create role all_or_nothing;
insert into ai_training_data (user_message, detected_intent, user_id, conversation_id, ai_response, model_name)
select format('%s please, number %s', w.word, i), w.intent, 'somebody', 'talk ' || i, 'fine', 'm'
from generate_series(1, 30) i, (values ('order', 'one'), ('invoice', 'two')) w (word, intent);
select train_intent_model('m', p_config => jsonb_build_object('preset', 'classic', 'seed', n), p_promote => 'always')
from generate_series(1, 3) n;
select train_intent_model('m', p_config => '{"preset": "classic", "seed": 4}', p_promote => 'never');
select retrain_begin_run('m', 'full', 'half way', '{}', null, null);
close all;
update ai_models set keep_versions = 1, auto_retrain_threshold = 1 where model_name = 'm';
insert into ai_models (model_name, source, source_set_by) values ('given', 'select 1', 'all_or_nothing');
-- New rows since the trainings, some of them duplicates, and one that is out for review.
insert into ai_training_data (user_message, detected_intent, user_id, conversation_id, model_name, dataset_status)
select format('order now, number %s', i % 5), 'one', 'somebody', 'talk 1', 'm', 'pending' from generate_series(1, 10) i;
select submit_intent_correction(id, 'two') from ai_training_data where user_message = 'order please, number 7';
insert into ai_feedback (user_id, helpful, model_name) values ('somebody', true, 'm');
select retrain_push_notification('x', 'm', '{}'), claim_notifications('me', 1), retrain_push_notification('x', 'm', '{}');
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical, min_rows)
values ('samples', 'm', 'training_samples', 'above', 1000, 900, 1);
select grant_retrain_access('all_or_nothing', 'reader', 'm');
select create_experiment('e', p_metrics => '["revenue"]', p_model_name => 'm');
select assign_variants('e', '{u1,u2,somebody}'), record_exposure('e', 'u1'), record_exposure('e', 'somebody'), record_outcome('e', 'somebody', '{"revenue": 1}');
\o

-- All rows of the extension's tables, and who may do what with its objects.
create function pg_temp.digests() returns table (name text, digest text) language plpgsql as $$
begin
  for name in select t.name from tables t order by 1 loop
    execute format('select md5(string_agg(md5(t::text), '''' order by md5(t::text))) from %s t', name) into digest;
    return next;
  end loop;
  name := 'rights';
  select md5(string_agg(concat(r.id, r.acl), ',' order by r.id)) into digest
  from (
    select 'f' || p.oid as id, p.proacl as acl from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
    union all
    select 'c' || c.oid, c.relacl from members m join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
    union all
    select concat('a', a.attrelid, ' ', a.attnum), a.attacl
    from members m join pg_attribute a on m.classid = 'pg_class'::regclass and a.attrelid = m.objid
    union all
    select 'n' || n.oid, n.nspacl from pg_namespace n
  ) r;
  return next;
end
$$;
create temporary table before_all as select * from pg_temp.digests();
create temporary table locks_before as
select classid, objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();
create function pg_temp.differences() returns text language sql as $$
  select concat_ws('; ',
    (select string_agg(d.name, ', ' order by d.name) from pg_temp.digests() d join before_all b using (name)
     where d.digest is distinct from b.digest),
    (select 'open cursors: ' || string_agg(c.name, ', ') from pg_cursors c),
    (select 'locks held: ' || count(*) from pg_locks l
     where l.locktype = 'advisory' and l.pid = pg_backend_pid()
       and (l.classid, l.objid) not in (select classid, objid from locks_before) having count(*) > 0))
$$;

-- ---- the calls -----------------------------------------------------------------------------------------------------------

create function pg_temp.version(p_place integer) returns bigint language sql as $$
  select id from ai_model_versions where model_name = 'm' order by id offset p_place - 1 limit 1 $$;
create function pg_temp.half_way() returns uuid language sql as $$
  select id from ai_training_runs where run_name = 'half way' $$;
create function pg_temp.a_row() returns uuid language sql as $$
  select id from ai_training_data where user_message = 'order please, number 3' $$;
create function pg_temp.artifact() returns bytea language sql as $$
  select artifact from ai_model_versions where id = pg_temp.version(1) $$;

-- A good call writes what the function can write; one of a function that has nothing to write here is null.
create temporary table good (function_name text, call text);
insert into good values
  ('assign_variant', 'assign_variant(''e'', ''a new one'')'),
  ('assign_variants', 'assign_variants(''e'', array[''u1'', ''a new one''])'),
  ('create_experiment', 'create_experiment(''another'', p_model_name => ''new'')'),
  ('record_exposure', 'record_exposure(''e'', ''u2'')'),
  ('record_outcome', 'record_outcome(''e'', ''u1'', ''{"revenue": 1}'')'),
  ('set_experiment_traffic', 'set_experiment_traffic(''e'', 0.5)'),
  ('stop_experiment', 'stop_experiment(''e'')'),
  ('check_alerts', 'check_alerts()'),
  ('claim_review_items', 'claim_review_items(''me'', 5, 30, ''m'')'),
  ('clean_dataset', 'clean_dataset(''m'', false)'),
  ('create_metrics_snapshot', 'create_metrics_snapshot(''daily'', ''new'')'),
  ('detect_drift', null),
  ('drop_model_version', 'drop_model_version(pg_temp.version(1))'),
  ('evaluate_interaction', 'evaluate_interaction(pg_temp.a_row(), ''gracias'')'),
  ('find_label_issues', null),
  ('forget_user', 'forget_user(''somebody'')'),
  ('grant_retrain_access', 'grant_retrain_access(''all_or_nothing'', ''trainer'', ''m'')'),
  ('import_model', 'import_model(pg_temp.artifact(), ''new'')'),
  ('import_training_dataset', 'import_training_dataset(array[''{"text": "x", "intent": "y"}''], p_model_name => ''new'')'),
  ('promote_model', 'promote_model(pg_temp.version(1))'),
  ('record_interaction', 'record_interaction(''gracias'', p_detected_intent => ''one'', p_model_name => ''new'')'),
  ('record_interaction', 'record_interaction(''gracias'', p_model_name => ''m'', p_conversation_id => ''talk 1'')'),
  ('retrain_assign_splits', 'retrain_assign_splits(''m'')'),
  ('retrain_begin_run', 'retrain_begin_run(''m'', ''full'', null, ''{}'', null, null)'),
  ('retrain_begin_run', 'retrain_begin_run(''new'', ''full'', null, ''{}'', ''select 1'', null)'),
  ('retrain_cache_stats', null),
  ('retrain_shared_cache_stats', null),
  ('retrain_adopt_models', null),
  ('retrain_ensure_model', 'retrain_ensure_model(''new'')'),
  ('retrain_finish_run', 'retrain_finish_run(pg_temp.half_way(), ''{"status": "completed"}'', pg_temp.artifact(), ''always'')'),
  ('retrain_if_due', 'retrain_if_due()'),
  ('retrain_train_again', 'retrain_train_again(''m'', ''again'')'),
  ('retrain_all', 'retrain_all()'),
  ('retrain_record_failure', 'retrain_record_failure(''m'', ''x'', now(), ''x'')'),
  ('retrain_push_notification', 'retrain_push_notification(''x'', ''m'', ''{}'')'),
  ('claim_notifications', 'claim_notifications(''x'')'),
  ('complete_notification', 'complete_notification((select min(id) from ai_notifications))'),
  ('create_churn_alert', null),
  ('create_purchase_alert', null),
  ('retrain_class_alert', null),
  ('retrain_schedule_call', null),
  ('schedule_retrain_all', null),
  ('schedule_churn_alert', null),
  ('schedule_purchase_alert', null),
  ('retrain_config_for', null),
  ('retrain_follow_version', null),
  ('retrain_update_order', 'retrain_update_order(''m'', ''intent'', ''select 1'', ''x'', ''y'')'),
  ('retrain_insert_version', 'retrain_insert_version(''m'', null, pg_temp.artifact(), ''candidate'', ''{}'')'),
  ('retrain_label_issues', null),
  ('retrain_lock', null),
  ('retrain_mark_rows', 'retrain_mark_rows(''m'', pg_temp.half_way(), ''infinity'')'),
  ('retrain_next_version', null),
  ('retrain_notify', null),
  ('retrain_progress', null),
  ('retrain_give_again', 'retrain_give_again(''given'', ''select 1'')'),
  ('retrain_prune_versions', 'retrain_prune_versions(''m'')'),
  ('retrain_purge_job_runs', null),
  ('retrain_schedule_job', null),
  ('retrain_set_live', 'retrain_set_live(''m'', pg_temp.version(1), ''test'', null)'),
  ('retrain_sync_access', null),
  ('retrain_forget_lost_access', null),
  ('retrain_take_snapshots', 'retrain_take_snapshots()'),
  ('retrain_try_lock', null),
  ('retrain_write_snapshot', 'retrain_write_snapshot(''daily'', ''m'', now(), now() + interval ''1 day'')'),
  ('revoke_retrain_access', 'revoke_retrain_access(''all_or_nothing'')'),
  ('rollback_model', 'rollback_model(''m'')'),
  ('schedule_retraining', null),
  ('schedule_snapshots', null),
  ('submit_intent_correction', 'submit_intent_correction(pg_temp.a_row(), ''two'')'),
  ('train_forecast', 'train_forecast(''sales'', ''select timestamptz ''''2026-01-01'''' + i * interval ''''1 day'''' as ds, i % 7 as y
    from generate_series(1, 60) i'')'),
  ('train_intent_model', 'train_intent_model(''m'', p_promote => ''always'')'),
  ('train_intent_model', 'train_intent_model(''new'', p_promote => ''always'', p_config => ''{"preset": "classic"}'',
    p_source => ''select user_message as text, detected_intent as intent from ai_training_data'')'),
  ('train_model', 'train_model(''new'', ''regression'', ''select n, 2 * n as y from generate_series(1, 30) n'', ''y'', ''ridge'')'),
  ('import_xgboost_model', format('import_xgboost_model(convert_to(%L, ''UTF8''), ''new'')', '{"learner": {"feature_names": ["x"], "gradient_booster": {"model": {"tree_info": [0], "trees": [{"left_children": [-1], "right_children": [-1], "split_indices": [0], "split_conditions": [1], "default_left": [0], "sum_hessian": [1], "loss_changes": [0]}]}, "name": "gbtree"}, "learner_model_param": {"base_score": "0", "num_class": "0", "num_feature": "1"}, "objective": {"name": "reg:squarederror"}}}')),
  ('unschedule_retraining', null),
  ('verify_model', null);

-- A bad call ends in an error. One of a function that takes nothing that could be wrong is null.
create temporary table bad (function_name text, call text);
insert into bad values
  ('assign_variant', 'assign_variant(''e'', null)'),
  ('assign_variant', 'assign_variant(''nothing'', ''u'')'),
  ('assign_variants', 'assign_variants(''e'', array[''a new one'', null])'),
  ('create_experiment', 'create_experiment(''another'', p_metrics => ''[]'', p_model_name => ''new'')'),
  ('create_experiment', 'create_experiment(''another'', p_traffic => 2, p_model_name => ''new'')'),
  ('create_experiment', 'create_experiment(''e'', p_model_name => ''m'')'),
  ('record_exposure', 'record_exposure(''e'', ''never assigned'')'),
  ('record_exposure', 'record_exposure(''e'', ''u2'', ''{"revenue": "x"}'')'),
  ('record_outcome', 'record_outcome(''e'', ''u1'', ''{"revenues": 1}'')'),
  ('record_outcome', 'record_outcome(''e'', ''u1'', ''{"revenue": 1e400}'')'),
  ('set_experiment_traffic', 'set_experiment_traffic(''e'', 2)'),
  ('stop_experiment', 'stop_experiment(''nothing'')'),
  ('check_alerts', null),
  ('claim_review_items', 'claim_review_items('' '', 5, 30, ''m'')'),
  ('claim_review_items', 'claim_review_items(''me'', -1, 30, ''m'')'),
  ('claim_review_items', 'claim_review_items(''me'', 5, 0, ''m'')'),
  ('claim_review_items', 'claim_review_items(''me'', 5, 30, ''nobody'')'),
  ('clean_dataset', 'clean_dataset(''nobody'', false)'),
  ('clean_dataset', 'clean_dataset(''m'', null)'),
  ('create_metrics_snapshot', 'create_metrics_snapshot(''yearly'', ''m'')'),
  ('create_metrics_snapshot', 'create_metrics_snapshot(''daily'', '''')'),
  ('detect_drift', 'detect_drift(''m'', ''0'')'),
  ('drop_model_version', 'drop_model_version(0)'),
  ('drop_model_version', 'drop_model_version(null)'),
  ('drop_model_version', 'drop_model_version(pg_temp.version(3))'),
  ('evaluate_interaction', 'evaluate_interaction(pg_temp.a_row(), null)'),
  ('find_label_issues', 'find_label_issues(''m'', -1)'),
  ('find_label_issues', 'find_label_issues(''nobody'')'),
  ('forget_user', 'forget_user('' '')'),
  ('grant_retrain_access', 'grant_retrain_access(''all_or_nothing'', ''boss'')'),
  ('grant_retrain_access', 'grant_retrain_access(''a role that is not there'', ''reader'')'),
  ('import_model', 'import_model(null, ''new'')'),
  ('import_model', 'import_model(''\x00'', ''new'')'),
  ('import_model', 'import_model(set_byte(pg_temp.artifact(), 100, 255 - get_byte(pg_temp.artifact(), 100)), ''new'')'),
  ('import_training_dataset', 'import_training_dataset(p_model_name => ''new'')'),
  ('import_training_dataset', 'import_training_dataset(array[''{"text": "x", "intent": "y"}''], p_model_name => ''new'', p_source => ''x'')'),
  ('promote_model', 'promote_model(0)'),
  ('record_interaction', 'record_interaction(null, p_model_name => ''new'')'),
  ('record_interaction', 'record_interaction(''x'', p_confidence_score => 101, p_model_name => ''new'')'),
  ('record_interaction', 'record_interaction(''x'', p_model_name => '''')'),
  ('record_interaction', 'record_interaction(''x'', p_detected_intent => repeat(''x'', 1025), p_model_name => ''new'')'),
  ('retrain_assign_splits', null),
  ('retrain_begin_run', 'retrain_begin_run(''new'', ''half'', null, ''{}'', null, null)'),
  ('retrain_begin_run', 'retrain_begin_run(''new'', ''full'', null, ''[]'', null, null)'),
  ('retrain_cache_stats', null),
  ('retrain_shared_cache_stats', null),
  ('retrain_adopt_models', null),
  ('retrain_ensure_model', 'retrain_ensure_model(null)'),
  ('retrain_finish_run', 'retrain_finish_run(pg_temp.half_way(), ''{"status": "completed"}'', null, ''always'')'),
  ('retrain_train_again', 'retrain_train_again(''nobody'', ''again'')'),
  ('retrain_all', 'retrain_all(array[''nobody''])'),
  ('retrain_record_failure', null),
  ('retrain_push_notification', 'retrain_push_notification(null, null, ''{}'')'),
  ('retrain_push_notification', 'retrain_push_notification(''x'', null, null)'),
  ('claim_notifications', 'claim_notifications(null)'),
  ('claim_notifications', 'claim_notifications(''x'', -1)'),
  ('complete_notification', null),
  ('create_churn_alert', 'create_churn_alert(''m'', null)'),
  ('create_purchase_alert', 'create_purchase_alert(''m'', ''select 1'', p_limit => 0)'),
  ('retrain_class_alert', 'retrain_class_alert(''x'', ''nobody'', ''select 1'', 0.5, 1, null)'),
  ('retrain_schedule_call', 'retrain_schedule_call(''x'', null, ''retrain_all()'')'),
  ('schedule_retrain_all', 'schedule_retrain_all('''')'),
  ('schedule_churn_alert', 'schedule_churn_alert(''nobody'', ''select 1'')'),
  ('schedule_purchase_alert', 'schedule_purchase_alert(''nobody'', ''select 1'')'),
  ('retrain_update_order', null),
  ('retrain_follow_version', null),
  ('retrain_finish_run', 'retrain_finish_run(pg_temp.half_way(), ''{"status": "started"}'', null, ''never'')'),
  ('retrain_finish_run', 'retrain_finish_run(pg_temp.half_way(), ''{"status": "completed"}'', pg_temp.artifact(), ''perhaps'')'),
  ('retrain_finish_run', 'retrain_finish_run(gen_random_uuid(), ''{"status": "failed"}'', null, ''never'')'),
  ('retrain_if_due', 'retrain_if_due(''nobody'')'),
  ('retrain_insert_version', 'retrain_insert_version(''m'', null, null, ''candidate'', ''{}'')'),
  ('retrain_insert_version', 'retrain_insert_version(''m'', null, ''\x00'', ''new'', ''{}'')'),
  ('retrain_label_issues', 'retrain_label_issues(''nobody'')'),
  ('retrain_lock', null),
  ('retrain_mark_rows', null),
  ('retrain_next_version', null),
  ('retrain_notify', 'retrain_notify(repeat(''x'', 8000), ''m'', null)'),
  ('retrain_progress', null),
  ('retrain_give_again', null),
  ('retrain_prune_versions', null),
  ('retrain_purge_job_runs', null),
  ('retrain_schedule_job', 'retrain_schedule_job(''pg_retrain/x'', ''never'', ''select 1'')'),
  ('retrain_set_live', 'retrain_set_live(''m'', 0, ''test'', null)'),
  ('retrain_set_live', 'retrain_set_live(''m'', pg_temp.version(1), ''test'', null, ''accident'')'),
  ('retrain_sync_access', null),
  ('retrain_forget_lost_access', null),
  ('retrain_take_snapshots', null),
  ('retrain_try_lock', null),
  ('retrain_write_snapshot', 'retrain_write_snapshot(''yearly'', ''m'', now(), now() + interval ''1 day'')'),
  ('retrain_write_snapshot', 'retrain_write_snapshot(''daily'', ''m'', now(), now())'),
  ('revoke_retrain_access', 'revoke_retrain_access(null)'),
  ('revoke_retrain_access', 'revoke_retrain_access(''all_or_nothing'', ''boss'')'),
  ('rollback_model', 'rollback_model(''m'', 0)'),
  ('rollback_model', 'rollback_model(''m'', 1000)'),
  ('rollback_model', 'rollback_model(''nobody'')'),
  ('schedule_retraining', 'schedule_retraining('' '')'),
  ('schedule_retraining', 'schedule_retraining(p_model_name => ''nobody'')'),
  ('schedule_snapshots', null),
  ('submit_intent_correction', 'submit_intent_correction(pg_temp.a_row(), '' '')'),
  ('train_forecast', 'train_forecast(''sales'')'),
  ('train_forecast', 'train_forecast(''sales'', ''select now() as ds, 1 as y'', ''{"horizont": 3}'')'),
  ('train_forecast', 'train_forecast(''m'', ''select now() as ds, 1 as y'')'),
  ('train_forecast', 'train_forecast(''sales'', ''select now() - i * interval ''''1 day'''' as ds, 1 / (i - 50) as y from generate_series(1, 60) i'')'),
  ('train_model', 'train_model(''new'')'),
  ('train_model', 'train_model(''new'', ''prophecy'', ''select 1 as y'', ''y'')'),
  ('train_model', 'train_model(''new'', ''regression'', ''select 1 as y'')'),
  ('train_model', 'train_model(''new'', ''regression'', ''select 1 as y'', ''y'')'),
  ('train_model', 'train_model(''new'', ''regression'', ''select 1 as x, 1 as y'', ''y'', ''ridge'', ''{"alpa": 1}'')'),
  ('train_model', 'train_model(''new'', ''regression'', ''select 1 as x, 1 / 0 as y'', ''y'', ''ridge'')'),
  ('import_xgboost_model', 'import_xgboost_model(''\x7b'', ''new'')'),
  ('import_xgboost_model', 'import_xgboost_model(null, ''new'')'),
  ('train_intent_model', 'train_intent_model(''new'', p_promote => ''perhaps'')'),
  ('train_intent_model', 'train_intent_model(''new'', p_config => ''{"max_feature": 3}'')'),
  ('train_intent_model', 'train_intent_model(''new'', p_run_type => ''half'')'),
  ('train_intent_model', 'train_intent_model(''new'', p_source => ''select 1 as x'')'),
  ('train_intent_model', 'train_intent_model(''new'', p_source => ''select n / (n - 300) || '''' x'''' as text, ''''i'''' || n % 2 as intent
    from generate_series(1, 600) n'')'),
  ('train_intent_model', 'train_intent_model(''m'', p_source => ''delete from ai_training_data returning user_message as text, detected_intent as intent'')'),
  ('unschedule_retraining', null),
  ('verify_model', 'verify_model(0)');

select is_empty(format($$
  select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
  where p.provolatile = 'v' and p.prorettype <> 'trigger'::regtype and p.proname not in (select function_name from %I) $$, x),
  'every function that may write has a call in the list of ' || x || ' ones') from unnest(array['good', 'bad']) x;
select is_empty(format($$
  select function_name from %I
  except select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid $$, x),
  'the list of ' || x || ' calls names no function that is not there') from unnest(array['good', 'bad']) x;

-- ---- trying --------------------------------------------------------------------------------------------------------------

create function pg_temp.refuse() returns trigger language plpgsql as $$
begin
  raise exception 'refused by %', tg_relid::regclass using errcode = 'ZZ001';
end
$$;

-- Runs a call, then undoes it. p_refusing names a table that refuses every change at the end of its statement. Gives the
-- error, what differs when it has been caught, and which tables were written.
create function pg_temp.attempt(p_call text, p_refusing text, out state text, out message text, out differs text, out wrote text[])
  language plpgsql as $$
declare
  v_before jsonb;
begin
  select jsonb_object_agg(t.name,
      pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid) + pg_stat_get_xact_tuples_deleted(oid))
  into v_before from tables t;
  begin
    if p_refusing is not null then
      execute format('create trigger zz_refuse after insert or update or delete on %s for each row execute function pg_temp.refuse()',
        p_refusing);
    end if;
    begin
      execute 'select count(*) from ' || p_call;
      state := '00000';
    exception when others then
      get stacked diagnostics state = returned_sqlstate, message = message_text;
    end;
    differs := pg_temp.differences();
    select array_agg(t.name order by t.name) into wrote from tables t
    where (v_before ->> t.name)::bigint <>
      pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid) + pg_stat_get_xact_tuples_deleted(oid);
    raise exception using errcode = 'ZZ999';
  exception when sqlstate 'ZZ999' then
    null;
  end;
end
$$;

create temporary table bad_outcomes as
select b.function_name, b.call, o.* from bad b cross join lateral pg_temp.attempt(b.call, null) o where b.call is not null;
select is_empty($$ select call from bad_outcomes where state = '00000' $$, 'every bad call is an error');
select is_empty($$ select call, differs from bad_outcomes where differs <> '' $$, 'no bad call leaves anything');

create temporary table good_outcomes as
select g.function_name, g.call, o.* from good g cross join lateral pg_temp.attempt(g.call, null) o where g.call is not null;
select is_empty($$ select call, state, message from good_outcomes where state <> '00000' $$, 'every good call works');
select is_empty($$ select call from good_outcomes where wrote is null $$, 'every good call writes');

create temporary table refused as
select g.function_name, g.call, t.name, o.state, o.message, o.differs
from good_outcomes g cross join lateral unnest(g.wrote) t (name) cross join lateral pg_temp.attempt(g.call, t.name) o;
-- Three functions go on after the error of one part, each part in a block of its own: what failed leaves nothing of itself.
select is_empty($$
  select call, name, state, differs from refused
  where function_name not in ('retrain_if_due', 'retrain_all', 'retrain_take_snapshots') and (state <> 'ZZ001' or differs <> '') $$,
  'a call that fails at any of its tables leaves nothing');
select is_empty($$
  select name, state, differs from refused
  where function_name = 'retrain_take_snapshots'
    and (state <> '00000' or differs !~ case name when 'ai_alerts' then '^ai_metrics_snapshots(;|$)' else '^ai_alerts(;|$)' end) $$,
  'snapshots and alerts fail apart');
select is_empty($$
  select name, state, differs from refused
  where function_name = 'retrain_if_due'
    and case name when 'ai_training_runs' then state <> 'ZZ001' or differs <> '' else state <> '00000' or differs !~ '^ai_training_runs(;|$)' end $$,
  'a scheduled training that fails leaves its failed run and nothing else');
select is_empty($$
  select name, state, differs from refused
  where function_name = 'retrain_all'
    and case when name in ('ai_training_runs', 'ai_notifications') then state <> 'ZZ001' or differs <> ''
      else state <> '00000' or differs !~ '^ai_notifications, ai_training_runs(;|$)' end $$,
  'the monthly run goes on after a model that fails, which leaves its failed run, and ends with its report');
select * from finish();
rollback;
