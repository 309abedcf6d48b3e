-- train_model: what is learnt, what is told, what is refused.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- Houses: numbers, booleans, texts, dates and nulls as they come.
create table houses as
select n as house_id,
  case when n % 17 = 0 then null else 50 + (n * 37) % 100 end as area,
  n % 3 = 0 as garden,
  case when n % 23 = 0 then null else (array['Ames', 'Boone', 'Nevada'])[1 + n % 3 * n % 3] end as town,
  date '2024-01-01' + n as sold,
  'key ' || n as reference,
  7 as constant,
  null::integer as nothing,
  '{}'::jsonb as payload,
  (1000 * (50 + (n * 37) % 100) + case when n % 3 = 0 then 20000 else 0 end + (n * 7919) % 500)::numeric as price
from generate_series(1, 600) n;

select status, error_message, training_samples, validation_samples, test_samples, task, deployed,
  round((metrics #>> '{test,r2}')::numeric, 2) as r2, gate ->> 'rule' as rule
from train_model('price', 'regression', 'select * from houses', 'price', 'ridge');
select w ->> 'code' as code, w ->> 'column' as "column", w ->> 'message' as message
from ai_training_runs r, jsonb_array_elements(r.warnings) w
where r.model_name = 'price';
select metrics -> 'columns' as columns, metrics #>> '{feature_importance,0,column}' as first from ai_training_runs where model_name = 'price';
select task, source, target, algorithm from ai_models where model_name = 'price';

-- Again, from what is stored: the same rows, the same bytes, no worse than the live version.
select status, deployed, gate ->> 'rule' as rule from train_model('price');
select count(distinct artifact_sha256) as artifacts, count(*) as versions from ai_model_versions where model_name = 'price';
-- Worse: rejected, and the live version stays.
select status, deployed, gate ->> 'rule' as rule, gate ->> 'promote' as promote
from train_model('price', p_config => '{"exclude": ["area"]}');
-- Rows that the live version cannot judge.
select status, deployed, gate ->> 'rule' as rule, gate ->> 'reason' as reason
from train_model('price', p_source => 'select area as size, town, price from houses');
select status, deployed from train_model('price', p_source => 'select area as size, town, price from houses', p_promote => 'always');

-- Classification.
select status, task, total_intents, round(intent_accuracy::numeric, 2) as accuracy, round((metrics #>> '{test,auc}')::numeric, 2) as auc
from train_model('garden', 'classification', 'select area, town, garden from houses', 'garden', 'logistic_regression');
select labels, algorithm from ai_model_versions where model_name = 'garden';
-- A column that gives the target away.
select w ->> 'code' as code, w ->> 'column' as "column"
from train_model('leak', 'classification', 'select area, case when garden then 1.5 else 0.2 end as hedge, garden from houses', 'garden',
  'logistic_regression') r, jsonb_array_elements(r.warnings) w;
select w ->> 'code' as code, w ->> 'column' as "column"
from train_model('leak_value', 'regression', 'select town, price * 2 as twice, price from houses', 'price', 'ridge') r,
  jsonb_array_elements(r.warnings) w;

-- Clusters: as many as the data has, with numbers that stay.
create table points as
select n, (n % 3) * 10 + sin(n) as x, case n % 3 when 2 then 10 else 0 end + cos(n) as y from generate_series(1, 300) n;
select status, metrics -> 'k' as k, metrics -> 'sizes' as sizes, round((metrics #>> '{test,silhouette}')::numeric, 1) as silhouette
from train_model('segments', 'clustering', 'select x, y from points');
create table before as select n, predict_cluster('segments', p) as cluster from points p;
insert into points select n, (n % 3) * 10 + sin(n), case n % 3 when 2 then 10 else 0 end + cos(n) from generate_series(301, 700) n where n % 3 > 0;
select status, deployed, gate ->> 'rule' as rule from train_model('segments');
select count(*) filter (where b.cluster <> predict_cluster('segments', p)) as moved, count(*) as points
from points p join before b using (n);

-- Versions are trained again and compared, on any number of threads, with rows in any order; nothing is stored.
create temporary table kept as
select (select array_agg(r order by r) from ai_training_runs r) as runs, (select array_agg(m order by m) from ai_models m) as models,
  (select string_agg((id, status, is_active)::text, ' ' order by id) from ai_model_versions) as versions;
alter table houses rename to houses_in_order;
create table houses as select * from houses_in_order order by town, house_id desc;
set pg_retrain.max_threads = 1;
select id, model_name, algorithm, (verify_model(id) ->> 'matches')::boolean as matches, verify_model(id) ->> 'reason' as reason
from ai_model_versions order by id;
reset pg_retrain.max_threads;
select runs = (select array_agg(r order by r) from ai_training_runs r) as runs, models = (select array_agg(m order by m) from ai_models m) as models,
  versions = (select string_agg((id, status, is_active)::text, ' ' order by id) from ai_model_versions) as versions from kept;
drop table houses_in_order;
select min(id) as price from ai_model_versions where model_name = 'price' \gset
begin;
-- The model's row may say something else by now.
update ai_models set target = 'area', algorithm = 'kmeans', config = '{"alpha": 50}' where model_name = 'price';
select verify_model(:price) -> 'matches' as matches;
update houses set price = price + 1 where house_id = 9;
select verify_model(:price) -> 'matches' as matches, verify_model(:price) ->> 'reason' as reason;
delete from houses where house_id > 9;
select verify_model(:price) -> 'matches' as matches, verify_model(:price) ->> 'reason' as reason;
alter table houses drop price;
\set VERBOSITY terse
select verify_model(:price);
rollback;
-- Imported, without its query, or without the version whose numbers its clusters keep.
begin;
select verify_model(import_model(export_model(:price), 'moved'));
rollback;
begin;
update ai_training_runs set source = null where model_name = 'price';
select verify_model(:price);
rollback;
\set VERBOSITY default
begin;
select promote_model(max(id)) ->> 'success' as promoted, drop_model_version(min(id)) is not null as dropped, max(id) as later
from ai_model_versions where model_name = 'segments' \gset
select verify_model(:later);
\echo :LAST_ERROR_SQLSTATE
rollback;

-- Splits.
select training_samples, validation_samples, test_samples
from train_model('given', 'regression',
  'select area, price, case when house_id % 10 = 0 then ''test'' else ''train'' end as split from houses', 'price', 'ridge');
select training_samples, validation_samples, test_samples
from train_model('by_time', 'regression', 'select area, sold, price from houses', 'price', 'ridge', '{"split": {"by_time": "sold"}}');
select training_samples % 6 as of_groups_of_six, test_samples > 0 as tested
from train_model('by_group', 'regression', 'select area, house_id / 6 as grp, price from houses where house_id between 6 and 599', 'price', 'ridge',
  '{"split": {"by": "grp"}}');

-- Runs that fail say why, and are no errors.
select status, error_message from train_model('few', 'regression', 'select n, n * 2 as y from generate_series(1, 19) n', 'y', 'ridge');
select status, error_message from train_model('few', 'regression', 'select 1 as n, 1 as y where false', 'y', 'ridge');
select status, error_message from train_model('one', 'classification', 'select n, ''same'' as y from generate_series(1, 100) n', 'y', 'logistic_regression');
select status, error_message from train_model('nothing', 'regression', 'select 1 as n, m as y from generate_series(1, 100) m', 'y', 'ridge');
select status, error_message from train_model('nulls', 'regression', 'select n, null::numeric as y from generate_series(1, 100) n', 'y', 'ridge');
select status, w ->> 'code' as code, w ->> 'message' as message
from train_model('absent', 'classification',
  'select n, case when n < 50 then ''a'' when n < 100 then ''b'' else ''c'' end as y,
     case when n < 100 then ''train'' else ''test'' end as split from generate_series(1, 120) n', 'y', 'logistic_regression') r,
  jsonb_array_elements(r.warnings) w;
-- Ten thousand texts: bounded, and told.
select status, metrics -> 'features' as features, w ->> 'code' as code, w ->> 'message' as message
from train_model('many', 'regression',
  'select ''text '' || n % 10000 as t, n % 7 as x, n % 7 as y from generate_series(1, 30000) n', 'y', 'ridge') r,
  jsonb_array_elements(r.warnings) w where w ->> 'column' = 't';

-- Columns that say nothing, whatever their type, and texts beyond counting: every task goes on without, and tells.
create table ugly as
select n, sin(n) as x, n % 5 as y, 7 as constant, true as yes, 'same' as word, date '2024-01-01' as day, null::float8 as nothing,
  null::text as no_word, null::date as no_day, null::boolean as no_answer, 'text ' || n % 10000 as many, (n % 3)::text as label,
  case when n % 10 = 0 then 'test' else 'train' end as split
from generate_series(1, 20000) n;
select r.status, r.task, r.metrics -> 'columns' as columns, r.metrics -> 'features' as features
from (values ('regression', 'y', 'ridge', '{}'::jsonb), ('classification', 'label', 'logistic_regression', '{}'), ('clustering', null, 'kmeans', '{"k": 3}'))
  t (task, target, algorithm, config), lateral train_model('ugly ' || t.task, t.task,
  'select x, constant, yes, word, day, nothing, no_word, no_day, no_answer, many' || coalesce(', split, ' || t.target, '') || ' from ugly', t.target, t.algorithm, t.config) r;
select w ->> 'code' as code, w ->> 'column' as "column", count(*) as tasks
from ai_training_runs r, jsonb_array_elements(r.warnings) w where r.model_name like 'ugly %' group by 1, 2 order by 1, 2;
select predict_value('ugly regression', u) is not null as value, (predict_class('ugly classification', u)).probability between 0 and 1 as probability,
  predict_cluster('ugly clustering', u) between 1 and 3 as cluster
from (select x, constant, yes, word, day, nothing, no_word, no_day, no_answer, 'never seen' as many from ugly limit 1) u;
-- Rows that nothing tells apart are in one part of the split together, which may not be that of the training.
select status, error_message from train_model('equal', 'regression', 'select y, constant, nothing from ugly', 'y', 'ridge');
select status, error_message from train_model('equal classes', 'classification', 'select label, constant, nothing from ugly', 'label', 'logistic_regression');
select status, error_message from train_model('equal points', 'clustering', 'select constant, nothing from ugly');
select status, error_message from train_model('equal', 'regression', 'select x, y, word from ugly', 'y', 'ridge', '{"split": {"by": "word"}}');
-- A target that one part of the rows lacks.
select status, error_message, deployed, gate ->> 'rule' as rule from train_model('unmeasured', 'regression',
  'select x, case when split = ''train'' then y end as y, split from ugly', 'y', 'ridge');
select status, error_message from train_model('untaught', 'regression', 'select x, case when split = ''test'' then y end as y, split from ugly', 'y', 'ridge');
select status, error_message from train_model('untaught classes', 'classification', 'select x, case when split = ''test'' then label end as label, split from ugly',
  'label', 'logistic_regression');
select status, error_message, jsonb_path_query_array(warnings, '$[*].code') as warnings from train_model('untaught classes', 'classification',
  'select x, case when split = ''test'' then label else ''one'' end as label, split from ugly', 'label', 'logistic_regression');
-- Infinite values and those that are as good as, in each task.
select train_model('bad', 'classification', 'select case when n = 9 then ''Infinity''::float8 else x end as x, label from ugly order by n', 'label', 'logistic_regression');
select train_model('bad', 'clustering', 'select case when n = 9 then ''-Infinity''::float8 else x end as x, y from ugly order by n');
select train_model('bad', 'clustering', 'select case when n = 9 then ''Infinity''::numeric else n end as x, y from ugly order by n');
select train_model('bad', 'regression', 'select case when n = 9 then ''infinity''::date else day + n end as day, y from ugly order by n', 'y', 'ridge');
select train_model('bad', 'regression', 'select x, y * 1e300 as y from ugly order by n', 'y', 'ridge');
select train_model('bad', 'classification', 'select case when n = 9 then ''infinity''::date else day + n % 2 end as day, x from ugly order by n', 'day', 'logistic_regression');
-- Ten thousand classes.
select train_model('bad', 'classification', 'select x, many from ugly order by n', 'many', 'logistic_regression');

-- More clusters than there are different rows.
select status, metrics -> 'sizes' as sizes, w ->> 'code' as code, w ->> 'message' as message
from train_model('two kinds', 'clustering', 'select n % 2 as x, ''train'' as split from generate_series(1, 100) n', null, 'kmeans', '{"k": 4}') r, jsonb_array_elements(r.warnings) w;
-- Classes that are days are spelt as days.
select status from train_model('day', 'classification', 'select x, date ''2024-02-28'' + n % 2 as day, split from ugly', 'day', 'logistic_regression');
select labels from ai_model_versions where model_name = 'day';
-- Another algorithm: what was set for the one before is not meant for it, what is said of the rows is.
select status from train_model('switch', 'regression', 'select * from houses', 'price', 'ridge', '{"alpha": 7, "exclude": ["reference"], "split": [0.8, 0, 0.2]}');
update ai_models set algorithm = 'xgboost', config = config || '{"max_depth": 3, "n_estimators": 5, "lambda": 2}' where model_name = 'switch';
select status, model_config -> 'alpha' as alpha, model_config -> 'exclude' as exclude from train_model('switch', p_algorithm => 'ridge');
select algorithm, config from ai_models where model_name = 'switch';
-- What is trained again is what is live: target, algorithm and their query stay until a version of others goes live.
create view steady as select target, algorithm, source, config from ai_models where model_name = 'steady';
select status, deployed from train_model('steady', 'regression', 'select area, garden, price from houses', 'price', 'ridge', '{"alpha": 3}');
select status, deployed, metrics ->> 'target' as target, model_version_id as other
from train_model('steady', p_source => 'select garden, town, area from houses', p_target => 'area', p_promote => 'never') \gset
select :'status' as status, :'deployed' as deployed, :'target' as target;
select * from steady;
select status, deployed, metrics ->> 'target' as target from train_model('steady');
-- refused, or failed
select status, deployed from train_model('steady', p_source => 'select house_id, garden, area from houses', p_target => 'area');
select status, deployed from train_model('steady', p_source => 'select garden, area from houses limit 5', p_target => 'area');
select * from steady;
-- by hand, and back
select promote_model(:other) ->> 'success' as promoted;
select * from steady;
select status, metrics ->> 'target' as target from train_model('steady', p_promote => 'never');
select rollback_model('steady') ->> 'success' as rolled_back;
select * from steady;
select status, deployed, metrics ->> 'target' as target from train_model('steady');
-- by a training
select status, deployed from train_model('steady', p_source => 'select garden, town, area from houses', p_target => 'area', p_promote => 'always');
select * from steady;
-- another query alone is stored as it is given
select status, deployed from train_model('steady', p_source => 'select garden, area from houses', p_promote => 'never');
select * from steady;
-- a query that another role gave does not become the promoting role's
create role regress_retrain_steady;
select grant_retrain_access('regress_retrain_steady', 'trainer', 'steady') ->> 'success' as granted;
alter view steady owner to regress_retrain_steady;
set role regress_retrain_steady;
\set VERBOSITY terse
select rollback_model('steady') ->> 'success' as rolled_back;
\set VERBOSITY default
select * from steady;
reset role;
select source_set_by = current_user as mine from ai_models where model_name = 'steady';
drop view steady;
select revoke_retrain_access('regress_retrain_steady') ->> 'success' as revoked;
drop role regress_retrain_steady;
-- A name for which every training has failed is free for another task; one that has versions is not.
select status, error_message from train_model('second thought', 'classification', 'select area, 1 as price from houses', 'price', 'logistic_regression', '{"c": 2}');
select status, task, model_config -> 'alpha' as alpha from train_model('second thought', 'regression', 'select area, price from houses', 'price', 'ridge');
select task, target, algorithm from ai_models where model_name = 'second thought';
select train_model('second thought', 'clustering', 'select area, price from houses');

-- Errors name what is wrong.
select train_model('price', 'regression', 'select area, ''Infinity''::float8 as price from houses', 'price', 'ridge');
select train_model('bad', 'regression', 'select case when house_id = 42 then ''-Infinity''::float8 else area end as area, price from houses order by house_id',
  'price', 'ridge');
select train_model('bad', 'regression', 'select * from houses', 'prize', 'ridge');
select train_model('bad', 'regression', 'select * from houses', 'town', 'ridge');
select train_model('bad', 'regression', 'select * from houses', null, 'ridge');
select train_model('bad', 'clustering', 'select * from houses', 'price');
select train_model('bad', 'regression', 'select * from houses', 'price', 'kmeans');
select train_model('bad', 'regression', 'select * from houses', 'price', 'riddle');
select train_model('bad', 'prophecy', 'select * from houses', 'price');
select train_model('bad', null, 'select * from houses', 'price');
select train_model('bad', 'regression', null, 'price');
select train_model('bad', 'regression', 'delete from houses', 'price', 'ridge');
select train_model('bad', 'regression', 'select price from houses', 'price', 'ridge');
select train_model('bad', 'regression', 'select *, area from houses', 'price', 'ridge');
select train_model('bad', 'regression', 'select *, ''half'' as split from houses', 'price', 'ridge');
select train_model('bad', 'regression', 'select * from houses', 'price', 'ridge', '{"alfa": 2}');
select train_model('bad', 'regression', 'select * from houses', 'price', 'ridge', '{"alpha": "2"}');
select train_model('bad', 'regression', 'select * from houses', 'price', 'ridge', '{"k": 2}');
select train_model('bad', 'regression', 'select * from houses', 'price', 'ridge', '{"split": {"by": "street"}}');
select train_model('bad', 'regression', 'select * from houses', 'price', 'ridge', '{"split": {"by_time": "town"}}');
select train_model('bad', 'regression', 'select * from houses', 'price', 'ridge', '{"split": [0.9, 0.2, 0.1]}');
select train_model('bad', 'regression', 'select * from houses', 'price', 'ridge', '[]');
select train_model('garden', 'regression', 'select * from houses', 'price', 'ridge');
select train_model('price', p_promote => 'perhaps');
select train_intent_model('price');
set pg_retrain.training_memory = '1MB';
select train_model('bad', 'regression', 'select n, n * pi() as x, sqrt(n) as z, n as y from generate_series(1, 100000) n', 'y', 'ridge');
reset pg_retrain.training_memory;
select count(*) as models_from_errors from ai_models where model_name = 'bad';

-- a boolean or a date is no number that is a name
select train_model('flags', 'classification', 'select i % 7 as x, i % 3 = 0 as flag, i % 5 = 0 as y from generate_series(1, 300) i', 'y',
  'logistic_regression', '{"categorical": ["flag"]}');
\echo :LAST_ERROR_SQLSTATE
-- clusters keep their numbers, also when one of them goes past the others
create table moved as select i % 3 as g, (array[0, 10, 20])[1 + i % 3] + (i % 97) / 100.0 as a from generate_series(1, 600) i;
select status from train_model('moved', 'clustering', 'select a from moved', null, 'kmeans', '{"k": 3}', 'always');
create table numbers as select distinct g, predict_cluster('moved', jsonb_build_object('a', a)) as number from moved;
update moved set a = a + 30 where g = 0;
select status from train_model('moved', p_promote => 'always');
select count(distinct n.number) as clusters, bool_and(predict_cluster('moved', jsonb_build_object('a', m.a)) = n.number) as kept
from moved m join numbers n using (g);
drop table moved, numbers;

-- a column more, or one left out: the rows stay where they were, so that the live version meets no row that it has learnt from
create table dealt as
select i, retrain_experiment_bucket('a', '', i::text) as a, retrain_experiment_bucket('b', '', i::text) as b,
  retrain_experiment_bucket('c', '', i::text) as c, 10 * retrain_experiment_bucket('a', '', i::text)
    + 4 * retrain_experiment_bucket('c', '', i::text) + 6 * retrain_experiment_bucket('noise', '', i::text) as y
from generate_series(1, 1500) i;
create view dealt_runs as select dataset_filters -> 'dealt_by' as dealt_by, gate ->> 'rule' as rule,
  round((gate #>> '{live,rmse}')::numeric, 4) = round((
    select (v.metrics #>> '{test,rmse}')::numeric from ai_model_versions v where v.id = r.baseline_version_id), 4) as as_when_it_was_trained
from ai_training_runs r where model_name = 'dealt' order by created_at desc limit 1;
select deployed from train_model('dealt', 'regression', 'select a, b, y from dealt', 'y', 'ridge');
select deployed from train_model('dealt', 'regression', 'select a, b, c, y from dealt', 'y', 'ridge');
select * from dealt_runs;
select deployed from train_model('dealt', 'regression', 'select a, b, c, y from dealt', 'y', 'ridge', '{"exclude": ["b"]}');
select * from dealt_runs;
select deployed, gate ->> 'reason' as reason from train_model('dealt', 'regression', 'select a, c, y from dealt', 'y', 'ridge');
select * from dealt_runs;
select bool_and((verify_model(id) ->> 'matches')::boolean) as all_match from ai_model_metadata where model_name = 'dealt';
-- nor is it compared on rows of another split, unless the test takes no more of them from the same end
select deployed, gate ->> 'rule' as rule from train_model('shares', 'regression', 'select a, b, y, i % 300 as g from dealt', 'y', 'ridge', '{"split": [0.8, 0, 0.2], "exclude": ["g"]}');
select deployed, gate ->> 'reason' as reason from train_model('shares', p_config => '{"split": [0.6, 0.1, 0.3]}');
select deployed, gate ->> 'reason' as reason from train_model('shares', p_config => '{"split": {"by": "g"}}');
select deployed, gate ->> 'rule' as rule from train_model('shares', p_config => '{"split": [0.5, 0.4, 0.1]}');
-- a column of names that is left out is still what the live version knows it as
select deployed from train_model('names', 'regression', 'select i % 5 as shop, a, i % 5 * 3 + a as y from dealt', 'y', 'ridge', '{"categorical": ["shop"]}');
select gate ->> 'rule' as rule, (gate #>> '{live,rmse}')::float8 < 0.2 as live_is_as_good_as_before
from train_model('names', p_config => '{"categorical": ["shop"], "exclude": ["shop"]}');
-- a column of two values cannot share out rows that others tell apart
select deployed from train_model('halves', 'regression', 'select i % 2 as half, y from dealt', 'y', 'ridge', p_promote => 'always');
select deployed, gate ->> 'reason' as reason from train_model('halves', 'regression', 'select i % 2 as half, a, y from dealt', 'y', 'ridge');
drop view dealt_runs;
drop table dealt;

drop extension pg_retrain cascade;
drop table houses, points, before, ugly;
