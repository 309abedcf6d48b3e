'use strict'

// People look at the least certain messages and say what they really are.

const BATCH = 50

class ReviewDesk {
  constructor (role, model) {
    this.role = role
    this.model = model
  }

  // The history was filed by people: it needs no second look.
  approveHistory () {
    return this.role.rows(
      `update ai_training_data set dataset_status = 'approved'
       where model_name = $1 and source = 'imported' and dataset_status = 'pending' returning id`, [this.model])
  }

  // Approved messages, whether a training has used them or not.
  history () {
    return this.role.value(
      "select count(*)::int from ai_training_data where model_name = $1 and source = 'imported' and intent_correct",
      [this.model])
  }

  correct (id, intent, response) {
    return this.role.value('select submit_intent_correction($1, $2, $3)', [id, intent, response])
  }

  // The next messages, which nobody else gets meanwhile.
  claim (reviewer) {
    return this.role.rows(
      'select id, user_message from claim_review_items($1, $2, p_model_name => $3)', [reviewer, BATCH, this.model])
  }

  // One reviewer's day: batches until nothing is left that the person can tell. Here the dataset's label is what the
  // person knows.
  async workOff (reviewer, intents) {
    const counts = { reviewed: 0, mismatches: 0, ids: [] }
    const known = async () => (await this.claim(reviewer)).filter((item) => intents.has(item.user_message))
    for (let batch = await known(); batch.length > 0; batch = await known()) {
      for (const { id, user_message: message } of batch) {
        const verdict = await this.correct(id, intents.get(message))
        if (!verdict.success) throw new Error(verdict.error)
        counts.reviewed++
        counts.mismatches += Number(verdict.was_mismatch)
        counts.ids.push(id)
      }
    }
    return counts
  }
}

module.exports = { ReviewDesk }
