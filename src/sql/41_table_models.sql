-- Table models in C: training, prediction, explanation, import.

create function @extschema@.train_model(
  p_model_name text,
  p_task text default null,
  p_source text default null,
  p_target text default null,
  p_algorithm text default null,
  p_config jsonb default '{}',
  p_promote text default 'gate'
) returns @extschema@.ai_training_runs
  language c volatile parallel unsafe cost 1000000
  as 'MODULE_PATHNAME', 'train_model';

create function @extschema@.predict_value(
  p_model_name text,
  p_row anyelement,
  p_version_id bigint default null
) returns double precision
  language c stable parallel safe cost 500
  as 'MODULE_PATHNAME', 'predict_value';

create function @extschema@.predict_class(
  p_model_name text,
  p_row anyelement,
  p_version_id bigint default null,
  out label text,
  out probability double precision,
  out probabilities jsonb
) returns record
  language c stable parallel safe cost 1000
  as 'MODULE_PATHNAME', 'predict_class';

create function @extschema@.predict_cluster(
  p_model_name text,
  p_row anyelement,
  p_version_id bigint default null
) returns integer
  language c stable parallel safe cost 500
  as 'MODULE_PATHNAME', 'predict_cluster';

create function @extschema@.explain_prediction(
  p_model_name text,
  p_row anyelement,
  p_top integer default 10,
  p_label text default null,
  p_version_id bigint default null
) returns table (feature text, value text, contribution double precision)
  language c stable parallel safe cost 10000 rows 10
  as 'MODULE_PATHNAME', 'explain_prediction';

create function @extschema@.retrain_xgboost_artifact(
  p_model bytea,
  p_feature_names text[] default null,
  p_labels text[] default null
) returns bytea
  language c immutable parallel safe cost 10000
  as 'MODULE_PATHNAME', 'retrain_xgboost_artifact';

create function @extschema@.retrain_table_config_reference()
  returns table (
    name text, type text, default_value text, range text, algorithms text, description text, other_name text)
  language c immutable parallel safe cost 100 rows 40
  as 'MODULE_PATHNAME', 'retrain_table_config_reference';
