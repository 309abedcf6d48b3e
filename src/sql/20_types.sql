-- Once only: what the tables themselves need.

create function @extschema@.retrain_text_key(p_text text) returns uuid
  language c immutable strict parallel safe cost 10
  as 'MODULE_PATHNAME', 'retrain_text_key';

create function @extschema@.retrain_identity_text(p_text text) returns text
  language c immutable strict parallel safe cost 10
  as 'MODULE_PATHNAME', 'retrain_identity_text';

create function @extschema@.retrain_interaction_is_valid(
  p_detected_intent text,
  p_correct_intent text,
  p_confidence_score integer,
  p_response_time_ms integer,
  p_quality_score smallint,
  p_response_source text,
  p_dataset_status text,
  p_source text,
  p_split text,
  p_model_name text
) returns boolean
  language c immutable parallel safe
  as 'MODULE_PATHNAME', 'retrain_interaction_is_valid';

create type @extschema@.ai_intent_prediction as (
  message text,
  predicted_intent text,
  confidence real,
  top_intents jsonb,
  decision text,
  is_uncertain boolean,
  model_version text,
  model_trained boolean,
  decision_source text,
  uncertain_reason text,
  familiarity real
);
