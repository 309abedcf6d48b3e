'use strict'

// Customers talk: two questions each, and a reaction to the last answer.

const { REACTIONS } = require('./dataset')

const TURNS = 2
const AT_ONCE = 4

function split (questions) {
  const conversations = []
  for (let first = 0; first < questions.length; first += TURNS) {
    const number = conversations.length
    conversations.push({
      id: `whatsapp-${number}`,
      userId: `customer-${number % 50}`,
      turns: questions.slice(first, first + TURNS),
      reaction: REACTIONS[number % REACTIONS.length]
    })
  }
  return conversations
}

// One conversation from its first message to the reaction. Gives what was recorded and how the last answer was judged.
async function hold (conversation, bot, capture, evaluation) {
  const historial = []
  const turns = []
  for (const message of conversation.turns) {
    const { prediction, reply, product } = await bot.answer(message.text)
    const id = await capture.captureInteraction(
      conversation.userId, conversation.id, message.key, message.text, reply, { historial: [...historial], ...product })
    turns.push({ id, message, prediction, reply })
    historial.push({ role: 'user', content: message.text }, { role: 'assistant', content: reply })
  }
  const verdict = await evaluation.evaluateInteraction(turns[turns.length - 1].id, conversation.reaction.text)
  return { conversation, turns, verdict }
}

// Several at a time, as customers come.
async function holdAll (conversations, bot, capture, evaluation) {
  const results = []
  const waiting = [...conversations]
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results.push(await hold(next, bot, capture, evaluation))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}

module.exports = { split, hold, holdAll }
