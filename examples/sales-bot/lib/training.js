'use strict'

// Training, and what the versions are worth on messages that none of them has seen.

class Trainer {
  constructor (role, model) {
    this.role = role
    this.model = model
  }

  // All versions, the oldest first.
  versions () {
    return this.role.rows(
      'select id, version, is_active from ai_model_metadata where model_name = $1 order by id', [this.model])
  }

  async liveVersion () {
    return (await this.versions()).find((version) => version.is_active)
  }

  train (runName) {
    return this.role.row(
      'select status, deployed, training_samples, error_message from train_intent_model($1, p_run_name => $2)',
      [this.model, runName])
  }

  shouldRetrain () {
    return this.role.value('select should_retrain($1)', [this.model])
  }

  retrainIfDue () {
    return this.role.rows(
      "select status, deployed, gate ->> 'reason' as reason, error_message from retrain_if_due($1)", [this.model])
  }

  // For each message whether a version finds its intent. Corrections are left aside: the version itself answers.
  async hits (versionId, messages) {
    const rows = await this.role.rows(
      'select predicted_intent from predict_intents($1, $2, p_top => 1, p_version_id => $3)',
      [messages.map((message) => message.text), this.model, versionId])
    return rows.map((row, place) => row.predicted_intent === messages[place].intent)
  }
}

module.exports = { Trainer }
