'use strict'

// The conversations: requests in Spanish, of the shipped dataset. The shop has served everything but hotel guests for
// long; their requests (hospitality.*) are new, and nobody has told the model about them.

const fs = require('fs')
const path = require('path')

const DEFAULT_FILE = path.join(__dirname, '..', '..', '..', 'test', 'data', 'intent_es_assistant_skills.csv')
const NEW_TOPIC = /^hospitality\./

// What customers write after an answer, with the score and the success that the rules see in it.
const REACTIONS = [
  { text: 'perfecto, lo quiero', score: 5, success: true },
  { text: '¡me encanta!, ¿me lo guardas?', score: 5, success: true },
  { text: 'sí, dale', score: 4, success: false },
  { text: '¿me das más detalles?', score: 3, success: false },
  { text: 'no entiendo', score: 2, success: false },
  { text: 'no me gusta', score: 1, success: false }
]

// RFC 4180: fields may be quoted, quotes inside are doubled.
function parseCsv (text) {
  const records = []
  let record = []
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    if (quoted === undefined && plain === '' && end === '' && record.length === 0) break
    record.push(quoted === undefined ? plain : quoted.replace(/""/g, '"'))
    if (end !== ',') {
      records.push(record)
      record = []
    }
  }
  return records
}

function load () {
  const [header, ...records] = parseCsv(fs.readFileSync(process.env.SALES_MESSAGES || DEFAULT_FILE, 'utf8'))
  const messages = records.map((fields, number) => ({
    // Identifies the message wherever it comes from: recording it twice records it once.
    key: `skills-${number}`,
    ...Object.fromEntries(header.map((name, column) => [name, fields[column]]))
  }))
  const isNew = (message) => NEW_TOPIC.test(message.intent)
  return {
    isNew,
    // Labelled before there was a model.
    history: messages.filter((message) => message.split === 'train' && !isNew(message)),
    // What customers ask the bot; the intent is what a reviewer will say.
    questions: messages.filter((message) => message.split === 'val' || (message.split === 'train' && isNew(message))),
    // Never recorded: what the versions are measured on.
    heldOut: messages.filter((message) => message.split === 'test')
  }
}

module.exports = { load, REACTIONS }
