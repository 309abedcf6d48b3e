-- Descriptions of rules, evaluation, review and forgetting.

comment on table @extschema@.ai_quality_rules is
  'What the next message says of an answer: the lowest priority that matches decides, for score and success apart.';
comment on column @extschema@.ai_quality_rules.pattern is
  'Phrases separated by "|"; "*" ends a word that may go on, or stands for any one word. Case, accents, punctuation: no '
  'matter.';
comment on column @extschema@.ai_quality_rules.quality_score is '1 (bad) to 5 (very good); null leaves it to others.';
comment on column @extschema@.ai_quality_rules.was_successful is 'Whether a sale is near; null leaves it to others.';
comment on column @extschema@.ai_quality_rules.shipped is
  'Comes with the extension and is not dumped. Changing such a rule makes it yours; yours wins over a shipped one of '
  'its id.';
comment on column @extschema@.ai_quality_rules.phrases is 'The pattern as it is compared.';

comment on table @extschema@.ai_category_rules is
  'The category of a message that is recorded without one: the lowest priority that matches decides, else general.';
comment on column @extschema@.ai_category_rules.pattern is
  'Phrases separated by "|"; "*" ends a word that may go on, or stands for any one word. Case, accents, punctuation: no '
  'matter.';
comment on column @extschema@.ai_category_rules.shipped is
  'Comes with the extension and is not dumped. Changing such a rule makes it yours; yours wins over a shipped one of '
  'its id.';
comment on column @extschema@.ai_category_rules.phrases is 'The pattern as it is compared.';

comment on table @extschema@.ai_feedback is 'What users said of an answer: helpful or not, a rating, words.';
comment on column @extschema@.ai_feedback.training_data_id is 'The message it is about; null when that was deleted.';
comment on table @extschema@.ai_prompt_versions is
  'Versions of a prompt; at most one active for each model, checked when a statement ends.';
comment on table @extschema@.ai_review_leases is
  'Who is reviewing which message until when: written by claim_review_items().';
comment on table @extschema@.ai_forgotten_users is
  'Receipts of forget_user(): what was deleted and which versions had learnt from it. The person is a digest.';
comment on column @extschema@.ai_forgotten_users.user_digest is 'SHA-256 of the user_id, lower-case hexadecimal.';
comment on column @extschema@.ai_forgotten_users.version_ids is 'The versions trained on the person''s messages.';
comment on table @extschema@.ai_retrain_requests is
  'Trainings asked for; one is open until a training of its model has begun after it and completed.';

comment on view @extschema@.v_pending_review is
  'Messages that nobody has reviewed: unknown confidence first, then the lowest. A text once rejected stays away.';
comment on view @extschema@.v_classification_errors is 'Messages whose intent was wrong, the newest first.';
comment on view @extschema@.v_intent_performance is
  'Each intent in the last 30 days: messages, right and wrong, accuracy in percent.';

comment on function @extschema@.evaluate_interaction(uuid, text) is
  'Judges an answer by the message that came after it, by ai_quality_rules, and stores score and success.';
comment on function @extschema@.get_review_queue(integer, text, text) is
  'The messages to review next by least_confidence, margin, entropy, disagreement (with the live version) or novelty.';
comment on function @extschema@.claim_review_items(text, integer, integer, text) is
  'Leases the next messages to a reviewer for p_minutes; two reviewers never hold the same one. What the reviewer holds '
  'comes first.';
comment on function @extschema@.preview_correction(uuid, text) is
  'What submit_intent_correction() would change: the answer, other rows of the text, contradicting corrections.';
comment on function @extschema@.diff_models(text, bigint, bigint, integer) is
  'The newest p_limit messages that two versions answer differently, and which one agrees with the reviewers.';
comment on function @extschema@.forget_user(text) is
  'Deletes a person''s messages, feedback and part in experiments, names the versions trained on them, asks for a '
  'training without them, and returns a receipt.';

comment on function @extschema@.retrain_words(text) is 'The words of a text as rules compare them, between spaces.';
comment on function @extschema@.retrain_phrases(text) is
  'The normal form of a rule''s pattern; a pattern that means nothing is an error.';
comment on function @extschema@.retrain_says(text, text) is
  'Whether words of retrain_words() have one of the phrases of retrain_phrases().';
comment on function @extschema@.retrain_interaction_by_key(text, text) is
  'Internal: the row that has an idempotency key, for those who may record or read the model.';
comment on function @extschema@.retrain_unjudged_turn(text, text, uuid, timestamptz) is
  'Internal: the turn before a message, unless it has been evaluated.';
comment on function @extschema@.retrain_categorise(text) is 'Internal: the category of words by ai_category_rules.';
comment on function @extschema@.retrain_judge(text) is 'Internal: score and success of words by ai_quality_rules.';
comment on function @extschema@.retrain_check_count(text, integer, integer, integer) is
  'Internal: refuses a number that is out of range.';
comment on function @extschema@.retrain_require_messages(text) is
  'Internal: refuses a model that has neither a row of its own nor messages.';
comment on function @extschema@.retrain_policy(text) is
  'Internal: a model''s row, or of a model that is messages only the one that its first training makes.';
comment on function @extschema@.retrain_predict_texts(text[], text, integer, bigint) is
  'Internal: predict_intents() that answers null where the version needs an embedding.';
comment on function @extschema@.retrain_known_words(text) is 'Internal: the words of a model''s reviewed texts.';
comment on function @extschema@.retrain_review_pool(text, text, integer) is
  'Internal: the messages that a review strategy weighs, each text once.';
comment on function @extschema@.retrain_requested(text) is
  'Internal: why a training has been asked for and not been done yet.';
comment on function @extschema@.retrain_versions_trained_on(text, text) is
  'Internal: the versions that may have learnt from a user''s messages.';
comment on function @extschema@.retrain_shipped_rule_before_change() is 'Internal: trigger of the tables of rules.';
comment on function @extschema@.retrain_prompt_before_write() is 'Internal: trigger of ai_prompt_versions.';
