'use strict'

// 1. Capture: question, answer and context of every turn, one durable row each.

class TrainingCaptureService {
  constructor (role, model) {
    this.role = role
    this.model = model
  }

  // No category: the category rules decide. No intent: the live version predicts, and its guess is not learnt before
  // somebody has looked at it.
  captureInteraction (userId, conversationId, key, userMessage, botResponse, context = {}) {
    return this.role.value(
      `select record_interaction($1, $2, p_model_name => $3, p_user_id => $4, p_conversation_id => $5,
         p_product_id => $6, p_product_name => $7, p_category => $8, p_context => $9, p_response_source => 'local_model',
         p_message_id => $10, p_idempotency_key => $10)`,
      [userMessage, botResponse, this.model, userId, conversationId, context.productId, context.productName,
        // An array has to become JSON here: pg would make a PostgreSQL array of it.
        context.category, JSON.stringify({ historial: context.historial || [] }), key])
  }

  // Messages with the intents they were filed under, in one statement: all of them or none.
  async importHistory (messages) {
    await this.role.rows(
      `select record_interaction(m.text, p_detected_intent => m.intent, p_confidence_score => 100,
         p_model_name => $1, p_response_source => 'faq', p_source => 'imported', p_idempotency_key => m.key)
       from jsonb_to_recordset($2) as m (key text, text text, intent text)`,
      [this.model, JSON.stringify(messages)])
  }

  // What is stored of these messages: an interrupted run goes on where it stopped.
  async recorded (messages) {
    const rows = await this.role.rows(
      `select idempotency_key as key, evaluated_at is not null as evaluated
       from ai_training_data where model_name = $1 and idempotency_key = any ($2)`,
      [this.model, messages.map((message) => message.key)])
    return new Map(rows.map((row) => [row.key, row.evaluated]))
  }
}

module.exports = { TrainingCaptureService }
