'use strict'

// 2. Evaluation: what the customer's next message says of the answer. A message in the same conversation evaluates the
// one before it by itself; this is for reactions that are not recorded as messages.

class TrainingEvaluationService {
  constructor (role) {
    this.role = role
  }

  evaluateInteraction (trainingDataId, nextUserMessage) {
    return this.role.value('select evaluate_interaction($1, $2)', [trainingDataId, nextUserMessage])
  }
}

module.exports = { TrainingEvaluationService }
