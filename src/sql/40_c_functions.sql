-- Functions in C: training, prediction, inspection.

create function @extschema@.train_intent_model(
  p_model_name text default 'default',
  p_run_type text default 'full',
  p_run_name text default null,
  p_config jsonb default '{}',
  p_source text default null,
  p_promote text default 'gate'
) returns @extschema@.ai_training_runs
  language c volatile parallel unsafe cost 1000000
  as 'MODULE_PATHNAME', 'train_intent_model';

create function @extschema@.verify_model(p_version_id bigint) returns jsonb
  language c volatile parallel unsafe cost 1000000
  as 'MODULE_PATHNAME', 'verify_model';

create function @extschema@.predict_intent(
  p_message text,
  p_model_name text default 'default',
  p_top integer default 5,
  p_version_id bigint default null,
  p_embedding real[] default null
) returns @extschema@.ai_intent_prediction
  language c stable parallel safe cost 1000
  as 'MODULE_PATHNAME', 'predict_intent';

create function @extschema@.predict_intents(
  p_messages text[],
  p_model_name text default 'default',
  p_top integer default 5,
  p_version_id bigint default null
) returns setof @extschema@.ai_intent_prediction
  language c stable parallel safe cost 10000 rows 100
  as 'MODULE_PATHNAME', 'predict_intents';

-- predict_intents() of recorded messages, which have no embeddings: a version that needs one is no error, its answers
-- are null unless a person has corrected the text.
create function @extschema@.retrain_predict_texts(
  p_messages text[],
  p_model_name text,
  p_top integer,
  p_version_id bigint default null
) returns setof @extschema@.ai_intent_prediction
  language c stable parallel safe cost 10000 rows 100
  as 'MODULE_PATHNAME', 'retrain_predict_texts';

create function @extschema@.classify_intent(
  p_message text,
  p_model_name text default 'default',
  p_embedding real[] default null
) returns text
  language c stable parallel safe cost 500
  as 'MODULE_PATHNAME', 'classify_intent';

create function @extschema@.explain_intent(
  p_message text,
  p_model_name text default 'default',
  p_intent text default null,
  p_top integer default 10,
  p_version_id bigint default null,
  p_embedding real[] default null
) returns table (feature text, kind text, tfidf real, weight real, contribution double precision)
  language c stable parallel safe cost 1000 rows 10
  as 'MODULE_PATHNAME', 'explain_intent';

create function @extschema@.retrain_shared_cache_stats(
  out entries integer, out bytes bigint, out capacity bigint, out pins bigint
) returns record
  language c volatile parallel safe
  as 'MODULE_PATHNAME', 'retrain_shared_cache_stats';

create function @extschema@.retrain_artifact_checksum(p_artifact bytea) returns bigint
  language c immutable strict parallel safe
  as 'MODULE_PATHNAME', 'retrain_artifact_checksum';

create function @extschema@.retrain_artifact_info(p_artifact bytea) returns jsonb
  language c immutable strict parallel safe cost 1000
  as 'MODULE_PATHNAME', 'retrain_artifact_info';

create function @extschema@.retrain_progress()
  returns table (
    pid integer,
    model_name text,
    phase text,
    done bigint,
    total bigint,
    percent real,
    started_at timestamptz)
  language c volatile parallel restricted cost 100 rows 5
  as 'MODULE_PATHNAME', 'retrain_progress';

create function @extschema@.retrain_cache_stats(
  out entries integer,
  out bytes bigint,
  out hits bigint,
  out misses bigint,
  out evictions bigint)
  language c volatile parallel restricted cost 10
  as 'MODULE_PATHNAME', 'retrain_cache_stats';

create function @extschema@.retrain_config_reference()
  returns table (name text, type text, default_value text, range text, description text)
  language c immutable parallel safe cost 100 rows 30
  as 'MODULE_PATHNAME', 'retrain_config_reference';
