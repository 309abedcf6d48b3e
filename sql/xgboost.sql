-- Boosted trees and random forests of the optional module; expected/xgboost_1.out is what a server without it says.
create extension pg_retrain;
\set SHOW_CONTEXT never

create table wines as
select n, (n * 7919) % 1000 / 100.0 as acid, case when n % 11 = 0 then null else (n * 104729) % 997 / 100.0 end as sugar,
  (array['red', 'white', 'rosé'])[1 + n % 3] as colour from generate_series(1, 1200) n;
alter table wines add price float8, add good text;
update wines set price = case when acid > 5 then 10 else 2 end * case colour when 'red' then 2 else 1 end + coalesce(sugar, 3) + n % 7 / 10.0,
  good = case when (acid > 5) <> (colour = 'red') then 'yes' else 'no' end;

select status, round((metrics #>> '{test,r2}')::numeric, 2) > 0.95 as learnt
from train_model('price', 'regression', 'select acid, sugar, colour, price from wines', 'price', 'xgboost');
-- An interaction that no linear model has, several classes, categories in all encodings.
select status, intent_accuracy > 0.98 as learnt
from train_model('good', 'classification', 'select acid, sugar, colour, good from wines', 'good', 'xgboost', '{"n_estimators": 20, "max_depth": 3}');
select status, intent_accuracy > 0.9 as learnt
from train_model('forest', 'classification', 'select acid, sugar, colour, good from wines', 'good', 'random_forest', '{"n_estimators": 20}');
select status, intent_accuracy > 0.9 as learnt
from train_model('band', 'classification', 'select acid, colour, sugar, width_bucket(price, 0, 40, 5)::text as band from wines', 'band', 'xgboost',
  '{"encoding": "native"}');
select status, round((metrics #>> '{test,r2}')::numeric, 2) > 0.95 as learnt
from train_model('forest_price', 'regression', 'select acid, sugar, colour, price from wines', 'price', 'random_forest',
  '{"n_estimators": 20, "encoding": "ordinal"}');
select status, (metrics -> 'trees')::integer < 500 as stopped_early
from train_model('early', 'regression', 'select acid, sugar, colour, price from wines', 'price', 'xgboost',
  '{"n_estimators": 500, "early_stopping_rounds": 5, "tree_method": "exact", "importance": "permutation"}');
select metrics ->> 'importance_by' as kind, metrics #>> '{feature_importance,0,column}' as first
from ai_training_runs where model_name in ('price', 'early') order by model_name;
-- A key by either name: that of the call replaces the model's own, another algorithm takes it over, both at once are refused.
select model_config -> 'learning_rate' as rate, model_config -> 'n_estimators' as trees
from train_model('named', 'classification', 'select acid, sugar, colour, good from wines', 'good', 'xgboost',
  '{"learning_rate": 0.1, "num_boost_round": 3}');
select model_config -> 'learning_rate' as rate, model_config -> 'n_estimators' as trees
from train_model('named', p_config => '{"eta": 0.5}');
select train_model('named', p_config => '{"eta": 0.5, "learning_rate": 0.5}');
select model_config -> 'n_estimators' as trees from train_model('named', p_algorithm => 'random_forest');
select name, other_name from retrain_table_config_reference() where other_name is not null;
-- The same bytes on one thread and on two.
set pg_retrain.max_threads = 1;
select status from train_model('good');
select status from train_model('forest');
reset pg_retrain.max_threads;
select model_name, count(distinct artifact_sha256) as artifacts, count(*) as versions
from ai_model_versions where model_name in ('good', 'forest') group by 1 order by 1;

select bool_and((p.label = 'yes') = (p.probability = (p.probabilities ->> 'yes')::float8 or abs(p.probability - (p.probabilities ->> 'yes')::float8) < 1e-6)) as consistent
from wines w, predict_class('good', w) p;
-- Contributions add up to the value.
select bool_and(abs(e.total - predict_value('price', w)) < 1e-3) as adds_up
from (select * from wines limit 50) w, lateral (select sum(contribution) as total from explain_prediction('price', w, 100)) e;
select bool_and(abs(e.total - predict_value('forest_price', w)) < 1e-3) as adds_up
from (select * from wines limit 5) w, lateral (select sum(contribution) as total from explain_prediction('forest_price', w, 100)) e;
-- The library has not touched the processor's rounding.
select 1e-310::float8;
-- Of three columns a forest tries two at each split, not one.
create table additive as
select (n * 7919) % 1009 / 1009.0 as a, (n * 104729) % 997 / 997.0 as b, (n * 31337) % 991 / 991.0 as c from generate_series(1, 2000) n;
select status, (metrics #>> '{test,r2}')::numeric > 0.97 as learnt
from train_model('three', 'regression', 'select a, b, c, 5 * a + 3 * sin(9 * b) + 2 * c as y from additive', 'y', 'random_forest');

-- Targets of any size that single precision holds are learnt alike; limits in units of the target go with them.
create table sizes as select n % 50 as a, n % 7 as b, n % 50 + n % 7 as y from generate_series(1, 600) n;
select algorithm, size, status, round((metrics #>> '{test,r2}')::numeric, 2) >= 0.95 as learnt
from unnest('{xgboost,random_forest}'::text[]) algorithm, unnest('{1e-28,1e-6,1e-3,1e17,1e36}'::text[]) size,
  train_model('sizes_' || algorithm, 'regression', format('select a, b, y * %s::float8 as y from sizes', size), 'y', algorithm);
select size, round((metrics #>> '{test,r2}')::numeric, 1) as r2
from unnest('{1e-12,1e-6}'::float8[]) size,
  train_model('limits', 'regression', format('select a, b, y * %s::float8 as y from sizes', size), 'y', 'xgboost',
    jsonb_build_object('max_delta_step', size * 4, 'reg_alpha', size * 400, 'gamma', size * size * 5000, 'n_estimators', 20));
select train_model('sizes', 'regression', 'select a, b, y * 1e37::float8 as far from sizes order by a, b', 'far', 'xgboost');
select train_model('sizes', 'regression', 'select a, b, y * 1e-40::float8 as near from sizes', 'near', 'random_forest');

-- Versions of trees are trained again and compared, by one thread or more, without the module not at all.
set pg_retrain.max_threads = 1;
select model_name, count(*) as versions, count(*) filter (where (verify_model(id) -> 'matches')::boolean) as matching
from ai_model_versions where model_name in ('price', 'good', 'forest', 'band', 'forest_price', 'early', 'named') group by 1 order by model_name collate "C";
reset pg_retrain.max_threads;
select model_version_id as plain from train_model('plain', 'regression', 'select a, b, y from sizes', 'y', 'ridge') \gset
begin;
set local session_replication_role = replica;
update ai_model_versions set algorithm = 'random_forest' where id = :plain;
update ai_training_runs set model_config = '{"n_estimators": 2}' where model_name = 'plain';
select verify_model(:plain) ->> 'reason' as reason;
rollback;

-- A trial of another algorithm leaves the model its own, with its hyper-parameters, until it goes live.
select status, deployed from train_model('trial', 'regression', 'select a, b, y from sizes', 'y', 'ridge', '{"alpha": 3, "exclude": ["b"]}');
select status, deployed, model_config -> 'alpha' as alpha, model_config -> 'exclude' as exclude
from train_model('trial', p_algorithm => 'random_forest', p_config => '{"n_estimators": 5}', p_promote => 'never');
select algorithm, config from ai_models where model_name = 'trial';
select promote_model(max(id)) ->> 'success' as promoted from ai_model_versions where model_name = 'trial';
select algorithm, config from ai_models where model_name = 'trial';
select rollback_model('trial') ->> 'success' as rolled_back;
select algorithm, config from ai_models where model_name = 'trial';
-- The default algorithm stays the default one.
select status, deployed from train_model('trial default', 'regression', 'select a, b, y from sizes', 'y', p_config => '{"n_estimators": 5}');
select status, deployed from train_model('trial default', p_promote => 'always');
select algorithm from ai_models where model_name = 'trial default';

-- A model that XGBoost saved, in JSON: one tree of one split, and null goes right.
select import_xgboost_model(convert_to('{"learner": {"feature_names": ["acid", "sugar"], "gradient_booster": {"name": "gbtree", "model": {"tree_info": [0],
  "trees": [{"left_children": [1, -1, -1], "right_children": [2, -1, -1], "split_indices": [0, 0, 0], "split_conditions": [5, -1, 1],
  "default_left": [0, 0, 0], "sum_hessian": [4, 3, 1], "loss_changes": [2, 0, 0]}]}},
  "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2"}, "objective": {"name": "reg:squarederror"}}}', 'UTF8'),
  'imported', p_target => 'price') > 0 as imported;
select promote_model(max(id)) ->> 'success' as live from ai_model_versions where model_name = 'imported';
select task, target, algorithm from ai_models where model_name = 'imported';
select acid, predict_value('imported', r) as value from (values (4.9, 1), (5, 1), (null, 1)) r (acid, sugar);
select * from explain_prediction('imported', '{"acid": 1, "sugar": 0}'::jsonb);
select import_xgboost_model('not a model', 'imported');
select import_xgboost_model('{"learner": {}}', 'imported');
select import_xgboost_model('{"learner": {"gradient_booster": {"name": "gblinear"}, "learner_model_param": {"base_score": "0", "num_feature": "1"},
  "objective": {"name": "reg:squarederror"}}}', 'imported');
select import_xgboost_model('{"learner": {"objective": {"name": "survival:aft"}, "learner_model_param": {}}}', 'imported');

drop extension pg_retrain cascade;
drop table wines, additive, sizes;
