-- Comments of the functions and tables for customers, notifications and the monthly run.

comment on function @extschema@.rfm(text, timestamptz) is
  'Customers by recency, frequency and monetary value, scored 1 to 5, with the segment that ai_segment_rules names. p_source gives customer_id, a time and an amount (optionally order_id), or customer_id, recency_days, frequency, monetary. p_as_of: the day looked at; null means the last purchase.';
comment on function @extschema@.churn_risk(text, anyelement, text) is
  'How likely a row''s customer leaves, by a model of two classes, with the level of ai_risk_levels: (probability, risk_level, days_until_action, is_high_risk, recommendation). p_positive: the class that leaves, where its name does not tell.';
comment on type @extschema@.ai_churn_risk is
  'Result of churn_risk(): probability 0 to 1, and the row of ai_risk_levels that it reaches.';
comment on table @extschema@.ai_segment_rules is
  'How rfm() names segments: the lowest priority whose bounds of r, f and m (1 to 5, inclusive) hold. Rows with shipped = true come with the extension; a changed one is the user''s.';
comment on table @extschema@.ai_risk_levels is
  'Levels of churn_risk(): the highest min_probability that is reached. Four are shipped, in Spanish.';
comment on table @extschema@.ai_notifications is
  'What is to be told outside: alerts of customers and retraining reports, kept until complete_notification(). LISTEN ai_notifications tells of new ones.';
comment on function @extschema@.create_churn_alert(text, text, real, integer, text) is
  'Looks at a query''s rows and leaves one notification with those that leave with at least p_min_probability, the most probable first; null when there are none.';
comment on function @extschema@.create_purchase_alert(text, text, real, integer, text) is
  'The same for customers who are likely to buy: the p_limit most probable of at least p_min_probability.';
comment on function @extschema@.claim_notifications(text, integer, integer, text) is
  'Hands undelivered notifications to a worker for p_minutes; no two workers get the same one.';
comment on function @extschema@.complete_notification(bigint, text) is
  'Says that a claimed notification was delivered, or why not: then it comes back later, ten times at most.';
comment on function @extschema@.retrain_all(text[]) is
  'Trains every model the caller may train, or those named, and gives one Markdown report over all; also left in ai_notifications.';
comment on function @extschema@.schedule_retrain_all(text) is
  'Lets pg_cron run retrain_all(), by default on the first of each month at 02:00 in cron''s time zone.';
comment on function @extschema@.schedule_churn_alert(text, text, text, real, text) is
  'Lets pg_cron run create_churn_alert(), by default on days 1 and 15 at 08:00.';
comment on function @extschema@.schedule_purchase_alert(text, text, text, real, text) is
  'Lets pg_cron run create_purchase_alert(), by default on Mondays at 08:00.';
comment on function @extschema@.retrain_positive_label(text, jsonb, text) is
  'Internal: which class of a model of two stands for yes.';
comment on function @extschema@.retrain_risk_of(real) is 'Internal: the level of a probability.';
comment on function @extschema@.retrain_delivery_attempts() is 'Internal: how often a worker may try a notification.';
comment on function @extschema@.retrain_push_notification(text, text, jsonb) is 'Internal: writes a notification.';
comment on function @extschema@.retrain_class_alert(text, text, text, real, integer, text) is
  'Internal: what the alerts of customers share.';
comment on function @extschema@.retrain_run_score(@extschema@.ai_training_runs) is
  'Internal: what a run is judged by, by task.';
comment on function @extschema@.retrain_all_report(uuid[]) is 'Internal: the report of retrain_all().';
comment on function @extschema@.retrain_schedule_call(text, text, text) is 'Internal: one job that calls a function.';
comment on function @extschema@.retrain_record_failure(text, text, timestamptz, text) is
  'Internal: the failed run of a training that ended in an error.';
