-- Comments on table models.

comment on function @extschema@.train_model(text, text, text, text, text, jsonb, text) is
  'Trains a model of any query''s rows: classification or regression of p_target, or clustering. p_algorithm: xgboost, random_forest, logistic_regression, ridge, kmeans; null chooses. What is null is as it was last time. p_promote: gate, always or never.';
comment on function @extschema@.predict_value(text, anyelement, bigint) is
  'The number that a regression model predicts for a row, or for a JSON object: predict_value(''price'', h) from houses h.';
comment on function @extschema@.predict_class(text, anyelement, bigint) is
  'The most probable class of a row, its probability, and the probabilities of all classes.';
comment on function @extschema@.predict_cluster(text, anyelement, bigint) is
  'The number of a row''s cluster; clusters keep their numbers when the model is trained again.';
comment on function @extschema@.explain_prediction(text, anyelement, integer, text, bigint) is
  'What each column of a row adds to the prediction, the largest first; contributions and base add up to the value, or to the margin of the class (p_label; null: the predicted one). Clusters: how much nearer the column brings the row to its cluster than to the next.';
comment on function @extschema@.import_xgboost_model(bytea, text, text[], text[], text) is
  'Adds a model that XGBoost saved (.json or .ubj) as a candidate version and returns its id; promote_model() makes it live. p_feature_names: its matrix''s columns, where the file does not say; p_labels: its classes in the order of their numbers.';
comment on function @extschema@.retrain_xgboost_artifact(bytea, text[], text[]) is
  'The artifact of a model that XGBoost saved, checked; import_xgboost_model() stores it.';
comment on function @extschema@.retrain_table_config_reference() is
  'Every hyper-parameter of train_model()''s p_config: name, type, defaults, range, algorithms, meaning, and what else it may be called.';
