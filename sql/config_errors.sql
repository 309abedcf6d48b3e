-- Hyper-parameters that cannot be: each error names the key, what was given, what is accepted, and what may be meant.
create extension pg_retrain;
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

create function attempt(p_config jsonb) returns text language plpgsql as $$
declare
  v_message text;
  v_detail text;
  v_hint text;
begin
  perform train_intent_model('m', p_config => p_config);
  return 'accepted';
exception when others then
  get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return concat_ws(E'\n  ', format('%s %s', sqlstate, v_message), v_detail, v_hint);
end
$$;

\echo unknown keys
select attempt('{"max_feature": 10}');
select attempt('{"C": 1}');
select attempt('{"ngram_range": [1, 2]}');
select attempt(jsonb_build_object(repeat('x', 1000), 1));
select attempt('{"min_samples": 5}');
select attempt('{"Auto_Retrain_Threshold": 5}');
select bool_and(attempt(jsonb_build_object(attname, null)) ~ 'it is a column of ai_models') from pg_attribute
where attrelid = 'ai_models'::regclass and attnum > 0
  and attname not in ('model_name', 'task', 'config', 'source', 'source_set_by', 'target', 'algorithm', 'created_at', 'updated_at');
do $$ begin perform train_forecast('f', 'select date ''2026-01-01'' + n as ds, n as y from generate_series(1, 40) n', '{"max_f1_regression": 1}');
exception when others then raise notice '%', sqlerrm; end $$;

\echo not an object
select attempt('[]');
select attempt('1');
select attempt('"classic"');
select attempt(null);

\echo wrong values, one for each key
select attempt('{"preset": "best"}');
select attempt('{"preset": null}');
select attempt('{"classifier": "svm"}');
select attempt('{"c": 0}');
select attempt('{"c": -1}');
select attempt('{"c": 1e7}');
select attempt('{"c": "1"}');
select attempt('{"class_weight": "equal"}');
select attempt('{"word_ngrams": [2, 1]}');
select attempt('{"word_ngrams": [1, 6]}');
select attempt('{"word_ngrams": [1, 2, 3]}');
select attempt('{"char_ngrams": [0, 3]}');
select attempt('{"char_ngrams": [1.5, 3]}');
select attempt('{"char_ngrams": ["1", "3"]}');
select attempt('{"min_df": -1}');
select attempt('{"min_df": 1.5}');
select attempt('{"max_df": 0}');
select attempt('{"max_df": true}');
select attempt('{"max_features": -1}');
select attempt('{"max_features": 10000001}');
select attempt('{"sublinear_tf": 1}');
select attempt('{"strip_accents": "french"}');
select attempt('{"text_stats": "yes"}');
select attempt('{"calibration": "isotonic"}');
select attempt('{"folds": 1}');
select attempt('{"folds": 21}');
select attempt('{"seed": -1}');
select attempt('{"seed": 0.5}');
select attempt('{"split": [0.5, 0.5]}');
select attempt('{"split": [0.5, 0.4, 0.4]}');
select attempt('{"split": [0, 0.5, 0.5]}');
select attempt('{"split": {"train": 1}}');
select attempt('{"folds": {"a": [1, {"b": 2}]}}');
select attempt(jsonb_build_object('preset', repeat('y', 1000)));

\echo nothing left to learn from
select attempt('{"word_ngrams": null, "char_ngrams": null}');

\echo all right, at the edges of the ranges
select attempt('{"preset": "classic", "classifier": "logistic_regression", "c": 1e6, "class_weight": null}');
select attempt('{"word_ngrams": [5, 5], "char_ngrams": [1, 8], "min_df": 0.5, "max_df": 2, "max_features": 10000000}');
select attempt('{"word_ngrams": false, "char_ngrams": [0, 0], "text_stats": true, "strip_accents": false}');
select attempt('{"strip_accents": true, "calibration": "none", "folds": 20, "seed": 9007199254740991, "split": [1, 0, 0]}');
select attempt('{"classifier": "linear_svc"}');

\echo a refused configuration leaves nothing behind, an accepted one stays with the model
delete from ai_training_runs;
delete from ai_models;
select attempt('{"c": -1}') ~ '^22023';
select count(*) from ai_models;
select count(*) from ai_training_runs;
select status, model_config -> 'c', model_config -> 'folds' from train_intent_model('m', p_config => '{"c": 2}');
select status, model_config -> 'c', model_config -> 'folds' from train_intent_model('m', p_config => '{"folds": 3}');
select config from ai_models;
\echo keys that do not go together, some of them stored with the model
update ai_models set config = '{"calibration": "sigmoid"}';
select attempt('{"preset": "accurate"}');
select attempt('{"preset": "accurate", "calibration": "sigmoid"}');
select attempt('{"preset": "accurate", "calibration": "softmax", "networks": 0}');
update ai_models set config = '{"preset": "classic"}';
select attempt('{"networks": 1}');
select attempt('{"word_ngrams": null}');
update ai_models set config = '{"char_ngrams": null, "word_ngrams": null, "text_stats": true}';
select attempt('{"text_stats": false}');
update ai_models set config = '{"c": 2}';
update ai_models set config = '{"c": "high"}';
select attempt('{}') ~ '^22023 invalid value for configuration key "c"';
select attempt('{"c": 1}');

\echo what the presets are
select name, type, default_value from retrain_config_reference();
select key, value from jsonb_each((train_intent_model('classic', p_config => '{"preset": "classic"}')).model_config) order by key;

drop function attempt;
drop extension pg_retrain;
