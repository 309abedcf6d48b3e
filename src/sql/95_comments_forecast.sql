comment on function @extschema@.train_forecast(text, text, jsonb, text, text) is
  'Trains a forecast of every series that p_source gives (ds, y and optionally series), chooses and combines methods by backtest, calibrates intervals and, if p_promote (gate, always, never) lets it, makes the version live in this transaction.';
comment on function @extschema@.forecast(text, integer, real[], text, text, bigint) is
  'The next p_horizon steps of every series of a forecast model, or of p_series: one row for each step and level, with the interval that holds so large a share of values. p_regressors is a query that tells the future of regressors.';
comment on function @extschema@.retrain_forecast_reference() is
  'The keys of train_forecast''s p_config: type, default, accepted range and meaning.';
comment on function @extschema@.retrain_check_stored_holidays(text, jsonb) is
  'Internal: refuses to run holidays that another role has stored with a model.';
