-- The gate: who goes live. Training rows differ between the runs, test rows do not.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- p_wrong of the intents are learnt the wrong way round; test rows are always right
create function train(p_wrong text[], p_promote text default 'gate', p_test text default 'test', p_model text default 'm')
returns ai_training_runs language sql as $$
  select train_intent_model(p_model, p_promote => p_promote, p_source => format($q$
    select format('%%s please, number %%s', i, n) as text,
      case when n <= 20 and i = any (%L::text[]) then translate(i, 'abcd', 'badc') else i end as intent,
      case when n <= 20 then 'train' else %L end as split,
      case when i in ('a1', 'b1') then now() else now() - interval '1 year' end as created_at
    from unnest('{a1,b1,c1,d1}'::text[]) i, generate_series(1, 30) n $q$, p_wrong, p_test));
$$;
create view registry as
select row_number() over (order by v.id) as number, v.status, v.is_active, v.f1_score = 1 as perfect
from ai_model_versions v where v.model_name = 'm';

-- the first version goes live whatever it is worth
select status, deployed, gate ->> 'verdict' as verdict, gate ->> 'rule' as rule, gate ->> 'reason' as reason,
  gate -> 'live' as live, baseline_f1_score, improvement
from train('{}') \gx
-- an equal one passes; both were measured on the same rows
select deployed, gate ->> 'rule' as rule, gate #> '{candidate,rows}' as rows, gate -> 'candidate' = gate -> 'live' as same_numbers,
  test_samples, intent_f1_score, baseline_f1_score, intent_accuracy, baseline_intent_accuracy, improvement
from train('{}') \gx
select classify_intent('a1 please', 'm') as answer, model_version as live from predict_intent('a1 please', 'm') \gset

-- a worse one is rejected and kept, the live one stays
select status, deployed, gate ->> 'verdict' as verdict, gate ->> 'rule' as rule, (gate ->> 'promote')::boolean as promote,
  gate ->> 'reason' ~ '^macro-F1 0\.\d+ on 40 test rows is below 0\.9500, the live version''s 1\.0000 less 0\.0500$' as reason,
  intent_f1_score < baseline_f1_score as worse, (improvement ->> 'f1_score')::float8 < 0 as negative,
  jsonb_array_length(misclassified) = 20 as wrong_rows, misclassified #>> '{0,true_intent}' in ('a1', 'b1') as wrong_intents
from train('{a1,b1}') \gx
select * from registry;
select model_version = :'live' as live_stays from predict_intent('a1 please', 'm');
select predicted_intent = :'answer' as same from predict_intent('a1 please', 'm');
select p.predicted_intent = translate(:'answer', 'ab', 'ba') as rejected_still_answers
from predict_intent('a1 please', 'm', p_version_id => (select max(id) from ai_model_versions)) p;

-- a person may overrule the gate
select promote_model(max(id), 'we know') ->> 'success' as success from ai_model_versions where status = 'rejected';
select * from registry;
select predicted_intent = translate(:'answer', 'ab', 'ba') as worse_one_answers from predict_intent('a1 please', 'm');
select rollback_model('m') ->> 'version' = :'live' as back;

-- always and never
select deployed, gate ->> 'verdict' as verdict from train('{a1,b1}', 'never');
select * from registry;
select deployed, gate ->> 'verdict' as verdict from train('{a1,b1}', 'always');
select * from registry;
select reason from ai_model_deployments order by live_from desc limit 1;
select rollback_model('m') ->> 'version' = :'live' as back;
select train('{}', 'perhaps');
\echo :LAST_ERROR_SQLSTATE
select train('{}', null);

-- the policy is the model's
update ai_models set max_f1_regression = 0.9, recent_min_rows = 1000 where model_name = 'm';
select deployed, gate ->> 'rule' as rule from train('{a1,b1}');
select rollback_model('m') ->> 'version' = :'live' as back;

-- recent rows have a rule of their own: a1 and b1 are recent
update ai_models set recent_min_rows = 10 where model_name = 'm';
select deployed, gate ->> 'rule' as rule, gate #> '{recent,candidate,rows}' as recent_rows,
  (gate #>> '{recent,live,accuracy}')::float8 = 1 as live_was_right, (gate #>> '{recent,candidate,accuracy}')::float8 = 0 as candidate_was_wrong,
  gate ->> 'reason' ~ '^macro-F1 0\.0000 on 20 test rows of the recent window is below 0\.9500' as reason
from train('{a1,b1}') \gx
select deployed, gate ->> 'rule' as rule from train('{c1,d1}');
select rollback_model('m') ->> 'version' = :'live' as back;
update ai_models set recent_min_rows = 21 where model_name = 'm';
select deployed, gate ->> 'rule' as too_few_recent_rows from train('{a1,b1}');
select rollback_model('m') ->> 'version' = :'live' as back;
\set VERBOSITY terse
update ai_models set recent_window = '7000 years' where model_name = 'm';
\set VERBOSITY default
update ai_models set recent_min_rows = 10, recent_window = '2 years' where model_name = 'm';
select gate #> '{recent,candidate,rows}' as recent_rows from train('{a1,b1}', 'never');

-- without test rows a first version may go live, a later one may not
select deployed, gate ->> 'rule' as rule from train('{}', 'gate', 'train', 'untested');
select deployed, gate ->> 'rule' as rule, gate ->> 'reason' as reason from train('{}', 'gate', 'train', 'untested');
-- what was not measured is null, not 0
select gate #> '{candidate,rows}' as rows, gate #> '{candidate,f1_score}' as f1_score, gate #> '{candidate,log_loss}' as log_loss,
  gate #> '{recent,candidate,accuracy}' as recent_accuracy
from train('{}', 'gate', 'train', 'untested');
select deployed from train('{}', 'always', 'train', 'untested');

-- an intent that the new version no longer knows counts against it
update ai_models set max_f1_regression = 0.05, recent_min_rows = 1000 where model_name = 'm';
select deployed, gate ->> 'rule' as rule, total_intents from train_intent_model('m', p_source => $$
  select format('%s please, number %s', i, n) as text, i as intent, case when n <= 20 then 'train' else 'test' end as split
  from unnest('{a1,b1,c1,d1}'::text[]) i, generate_series(1, 30) n
  where i <> 'd1' or n > 20 $$);

-- a live version whose bytes are damaged: an error for who asks it, no obstacle for the next one (without its checksum, or
-- a server with shared memory would answer from the intact bytes it holds)
alter table ai_model_versions disable trigger ai_model_versions_immutable;
update ai_model_versions set artifact = set_byte(artifact, 100, 255 - get_byte(artifact, 100)), artifact_crc32c = null
where is_active and model_name = 'm';
alter table ai_model_versions enable trigger ai_model_versions_immutable;
\c -
\set VERBOSITY sqlstate
select predict_intent('a1 please', 'm');
select record_interaction('a1 please', p_model_name => 'm') is not null as recorded_all_the_same;
\set VERBOSITY default
select deployed, gate ->> 'rule' as rule, baseline_f1_score is null as not_compared from train('{}');
select predicted_intent from predict_intent('a1 please', 'm');

drop view registry;
drop function train;
drop extension pg_retrain;
