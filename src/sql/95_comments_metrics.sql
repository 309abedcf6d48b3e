-- See 95_comments.sql.

comment on table @extschema@.ai_metrics_snapshots is
  'Metrics of a period, as create_metrics_snapshot() found them: one row for each model, type and start. Rates are '
  'percent.';
comment on column @extschema@.ai_metrics_snapshots.total_messages is
  'Live messages; imported and synthetic rows are not counted.';
comment on column @extschema@.ai_metrics_snapshots.ai_resolved is 'Messages neither escalated nor blocked.';
comment on column @extschema@.ai_metrics_snapshots.blocked is 'Messages whose context says {"blocked": true}.';
comment on column @extschema@.ai_metrics_snapshots.intent_accuracy is
  'Percent of the reviewed messages that were right.';
comment on column @extschema@.ai_metrics_snapshots.helpful_count is 'Of ai_feedback: what users said was helpful.';
comment on column @extschema@.ai_metrics_snapshots.avg_resolution_time_seconds is
  'From the first to the last message of a conversation within the period, over those that did not escalate.';
comment on column @extschema@.ai_metrics_snapshots.first_contact_resolution_rate is
  'Percent of conversations with one message in the period and no escalation.';
comment on column @extschema@.ai_metrics_snapshots.created_at is 'When the numbers were last computed.';

comment on table @extschema@.ai_alert_rules is
  'Targets of metrics. A rule of a model wins over one for all models (model_name null) of the same name, a rule of '
  'yours over one that ships. Changing one that ships makes it yours; enabled = false turns a rule off.';
comment on column @extschema@.ai_alert_rules.metric is
  'intent_accuracy and f1_score from 0 to 1; escalation_rate, misclassified_rate, correction_rate in percent of the '
  'messages; avg_confidence from 0 to 100; training_samples of the live version.';
comment on column @extschema@.ai_alert_rules.direction is 'Whether the value should be above or below the target.';
comment on column @extschema@.ai_alert_rules.target is
  'Beyond it is ok; between it and critical, both included, is a warning.';
comment on column @extschema@.ai_alert_rules.critical is 'On the wrong side of it is critical.';
comment on column @extschema@.ai_alert_rules.period is 'How far back the messages reach that are measured.';
comment on column @extschema@.ai_alert_rules.min_rows is 'Messages below which the data is insufficient.';
comment on column @extschema@.ai_alert_rules.shipped is 'Came with the extension and was never changed: not in a dump.';

comment on table @extschema@.ai_alerts is 'Changes of state, each recorded once by check_alerts().';
comment on column @extschema@.ai_alerts.previous_id is 'The change before this one of the same model and rule, 0 for the first.';
comment on column @extschema@.ai_alerts.sample_rows is 'Messages, or test rows, that the value rests on.';

comment on function @extschema@.get_ai_training_metrics(integer, text) is
  'Numbers of the rows recorded in the last p_days days: the review, rates in percent, intents, confusions, the last '
  'training. Messages and rates are about live rows, samples about all. Null is a rate of nothing.';
comment on function @extschema@.get_live_metrics(integer, text) is
  'Numbers of the live messages of the last p_hours hours. samples_since_last_train stops counting at 100000.';
comment on function @extschema@.create_metrics_snapshot(text, text) is
  'Stores the metrics of the hour, day, week (from Monday) or month that now is in, in the session''s time zone, over '
  'those stored before, and completes earlier snapshots that were taken before their period ended.';
comment on function @extschema@.check_alerts() is
  'Compares every model with its rules, records changes of state in ai_alerts and notifies the channel ai_alerts. '
  'Too few rows change nothing.';
comment on function @extschema@.detect_drift(text, interval, interval) is
  'Whether the live messages of the last p_window differ from those of the p_baseline before: new words, intents, '
  'confidence. drift: p_adjusted (Holm) below 0.01 and an effect that matters, and a notification on the channel '
  'ai_models; insufficient: fewer than 50 messages.';
comment on function @extschema@.retrain_drift(text, interval, interval) is 'Internal: behind detect_drift().';

comment on view @extschema@.ai_metrics_timeseries is 'The snapshots as series, one for each model and period_type.';
comment on view @extschema@.ai_intent_distribution is 'Live messages of the last 30 days by day and detected intent.';
comment on view @extschema@.ai_confidence_distribution is 'Live messages of the last 30 days by day and confidence.';
comment on view @extschema@.ai_confusion_matrix is
  'The live version on the test rows of its training: what they are and what it said.';
comment on view @extschema@.ai_misclassified is 'Messages whose detected intent a person found wrong.';
comment on view @extschema@.ai_training_history is 'Runs with their numbers, verdict and reason.';
comment on view @extschema@.ai_model_events is
  'Promotions, rollbacks, rejected versions, failed trainings and alerts, for annotations.';
comment on view @extschema@.ai_review_backlog is 'What waits for a reviewer, by the day it came in, over 30 days.';
comment on view @extschema@.ai_metric_health is
  'Every rule for every model, measured now: ok, warning, critical or insufficient data.';

comment on function @extschema@.retrain_check_range(text, integer, integer) is
  'Internal: refuses an argument that is not from 1 to a maximum.';
comment on function @extschema@.retrain_percent(bigint, bigint) is 'Internal: percent with one decimal.';
comment on function @extschema@.retrain_message_counts(text, timestamptz, timestamptz) is
  'Internal: the messages of a period, counted by intent and source.';
comment on function @extschema@.retrain_confused_intents(text, timestamptz, timestamptz, integer) is
  'Internal: the most frequent corrections of a period.';
comment on function @extschema@.retrain_period(text, timestamptz) is
  'Internal: the period that a time is in.';
comment on function @extschema@.retrain_write_snapshot(text, text, timestamptz, timestamptz) is
  'Internal: computes and stores one snapshot.';
comment on function @extschema@.retrain_metric_values(text, interval) is
  'Internal: the values that rules are about.';
comment on function @extschema@.retrain_alert_rule_before_update() is 'Internal: trigger of ai_alert_rules.';
comment on function @extschema@.retrain_gamma_upper(double precision, double precision) is
  'Internal: upper tail of the gamma distribution, Q(a, x).';
comment on function @extschema@.retrain_chi_square_upper(double precision, integer) is
  'Internal: upper tail of chi-square.';
comment on function @extschema@.retrain_normal_two_sided(double precision) is
  'Internal: both tails of the standard normal distribution.';
comment on function @extschema@.retrain_kolmogorov_upper(double precision) is
  'Internal: upper tail of Kolmogorov''s distribution.';
