-- TRUNCATE of a table that others depend on: followed through as DELETE is, or refused as it is.
create extension pg_retrain;
create function refused(p_command text) returns table (state text, message text, detail text, hint text) language plpgsql as $$
begin
  execute p_command;
exception when others then
  get stacked diagnostics state = returned_sqlstate, message = message_text, detail = pg_exception_detail,
    hint = pg_exception_hint;
  return next;
end
$$;
select count(record_interaction('message ' || n, p_detected_intent => 'intent ' || n % 2)) as recorded from generate_series(1, 40) n;
select status, deployed from train_intent_model();
select (create_experiment('greeting')).name;
select count(assign_variant('greeting', 'u' || n)) as units from generate_series(1, 3) n;
select count(record_exposure('greeting', 'u' || n)) as exposures from generate_series(1, 3) n;
select record_outcome('greeting', 'u1', '{"conversion": true}') ->> 'recorded' as recorded;
select submit_intent_correction(id, 'intent 7') ->> 'success' as corrected from ai_training_data where user_message = 'message 1';

-- models stay with their versions and experiments
select * from refused('truncate ai_models');
begin;
truncate ai_model_versions;
select * from refused('truncate ai_models');
rollback;
begin;
truncate ai_models, ai_model_versions, ai_experiments;
select count(*) as models from ai_models;
rollback;

-- what was live is live no longer
begin;
truncate ai_model_versions;
select count(*) as live from model_live_at();
select live_until > live_from as closed from ai_model_deployments;
select (predict_intent('message 3')).model_trained;
select status, deployed from train_intent_model();
select count(*) as live from model_live_at();
rollback;

-- an id that history tells of is no other version's
select max(id) as newest from ai_model_metadata \gset
begin;
truncate ai_model_versions restart identity;
select count(*) from train_intent_model('another', p_source => 'select user_message as text, detected_intent as intent from ai_training_data');
select min(id) > :newest as its_own from ai_model_metadata;
rollback;

-- an experiment that gets an old one's number has nothing of it
begin;
truncate ai_experiments restart identity;
select (create_experiment('farewell')).name;
select (select count(*) from ai_experiment_assignments) as assignments, (select count(*) from ai_experiment_exposures) as exposures,
  (select count(*) from ai_experiment_outcomes) as outcomes;
rollback;

-- corrections leave with their messages only
select * from refused('truncate ai_intent_corrections');
select count(*) as corrections from ai_intent_corrections;
begin;
truncate ai_training_data, ai_intent_corrections;
rollback;

-- shipped rules stay
select t.name, r.* from unnest(array['ai_quality_rules', 'ai_category_rules', 'ai_segment_rules', 'ai_risk_levels']) t (name),
  refused('truncate ' || t.name) r;
select count(*) > 0 as rules from ai_quality_rules;

-- a role that may truncate one table sees to all the rows, though it sees none of them
create role regress_truncates;
grant truncate on ai_experiments to regress_truncates;
begin;
set local role regress_truncates;
truncate ai_experiments;
reset role;
select count(*) as outcomes from ai_experiment_outcomes;
rollback;
drop owned by regress_truncates;
drop role regress_truncates;
drop function refused;
drop extension pg_retrain;
