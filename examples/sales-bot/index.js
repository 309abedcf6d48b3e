#!/usr/bin/env node
'use strict'

// The whole loop: conversations, evaluation, review, correction, retraining, better answers, dataset, metrics.
//
// Exit status: 0 when every claim held, 1 when one did not, 2 when the database said no.

const fs = require('fs')
const path = require('path')

const { connect, explain, SQLSTATE } = require('./lib/db')
const { load } = require('./lib/dataset')
const { Bot } = require('./lib/bot')
const { Checks } = require('./lib/checks')
const conversations = require('./lib/conversations')
const { ModelWatcher } = require('./lib/model-watcher')
const { ReviewDesk } = require('./lib/review')
const { Trainer } = require('./lib/training')
const { TrainingCaptureService } = require('./lib/training-capture-service')
const { TrainingDatasetGenerator } = require('./lib/training-dataset-generator')
const { TrainingEvaluationService } = require('./lib/training-evaluation-service')

const MODEL = 'sales'
const DAYS = 3650
const OUTPUT = process.env.SALES_OUTPUT || path.join(__dirname, 'training-data')

const percent = (share) => `${(100 * share).toFixed(1)} %`
const shareOf = (hits) => hits.filter(Boolean).length / hits.length

async function run (db, watcher, checks) {
  const data = load()
  const bot = new Bot(db.bot, MODEL)
  const capture = new TrainingCaptureService(db.bot, MODEL)
  const evaluation = new TrainingEvaluationService(db.bot)
  const desk = new ReviewDesk(db.reviewer, MODEL)
  const trainer = new Trainer(db.trainer, MODEL)
  const generator = new TrainingDatasetGenerator(db.reviewer, MODEL, OUTPUT)
  const metrics = () => db.reviewer.value('select get_ai_training_metrics($1, $2)', [DAYS, MODEL])

  console.log('0. Who may do what')
  for (const role of [db.bot, db.reviewer, db.trainer]) {
    checks.equal(`${role.user} is no superuser`, await role.value('show is_superuser'), 'off')
  }
  checks.equal('the bot may not train',
    await db.bot.refusal('select train_intent_model($1)', [MODEL]), SQLSTATE.NOT_ALLOWED)
  checks.equal('the bot may not correct',
    await db.bot.refusal("select submit_intent_correction(gen_random_uuid(), 'x')"), SQLSTATE.NOT_ALLOWED)
  checks.equal('a source of answers that is none is refused',
    await db.bot.refusal("select record_interaction('hola', p_response_source => 'whatsapp', p_model_name => $1)", [MODEL]),
    SQLSTATE.BAD_ARGUMENT)

  console.log(`1. History (${data.history.length} messages)`)
  await capture.importHistory(data.history)
  await desk.approveHistory()
  checks.equal('messages filed and approved', await desk.history(), data.history.length)

  let live = await trainer.liveVersion()
  const firstTime = live === undefined
  if (firstTime) {
    checks.equal('without a version the bot has no idea',
      (await bot.predict('reserva una sala')).predicted_intent, null)
    const result = await trainer.train('first')
    checks.true('training completed and live', result.status === 'completed' && result.deployed, result)
    live = await trainer.liveVersion()
    const { event, version } = await watcher.next()
    checks.equal('the bot is told', { event, version }, { event: 'promoted', version: live.version })
  }
  const liveBefore = live
  const [firstVersion] = await trainer.versions()

  console.log(`2. Conversations (${data.questions.length} messages)`)
  const before = await metrics()
  const recorded = await capture.recorded(data.questions)
  const open = conversations.split(data.questions).filter(({ turns }) => !recorded.get(turns[turns.length - 1].key))
  const held = await conversations.holdAll(open, bot, capture, evaluation)
  const turns = held.flatMap((conversation) => conversation.turns)
  const fresh = turns.filter(({ message }) => !recorded.has(message.key))
  console.log(`  ${held.length} conversations, ${fresh.length} new messages`)
  if (fresh.length > 0) {
    const last = held[held.length - 1]
    const again = await conversations.hold(last.conversation, bot, capture, evaluation)
    checks.equal('messages that are sent twice are the same rows',
      again.turns.map(({ id }) => id), last.turns.map(({ id }) => id))
  }
  const afterTalk = await metrics()
  checks.equal('messages counted', afterTalk.total_messages, data.questions.length)
  checks.equal('new messages counted', afterTalk.total_messages - before.total_messages, fresh.length)

  console.log('3. Evaluation')
  const misjudged = held.filter(({ conversation: { reaction }, verdict }) =>
    verdict.quality_score !== reaction.score || verdict.was_successful !== reaction.success)
  checks.equal('reactions judged otherwise than they are meant',
    misjudged.map(({ conversation, verdict }) => [conversation.reaction.text, verdict]), [])
  checks.equal('answers that nothing was said of', await db.reviewer.value(
    "select count(*)::int from ai_training_data where model_name = $1 and source = 'live' and quality_score is null",
    [MODEL]), 0)
  const context = await db.reviewer.value(
    'select context from ai_training_data where model_name = $1 and message_id = $2', [MODEL, data.questions[1].key])
  checks.equal('the context is what was said before', context.historial[0].content, data.questions[0].text)

  console.log('4. Review')
  const wrong = fresh.find(({ message, prediction }) => data.isNew(message) && prediction.predicted_intent !== message.intent)
  let mismatches = 0
  if (wrong) {
    checks.equal('before its correction the model answers',
      (await bot.predict(wrong.message.text)).decision_source, 'model')
    checks.equal('the correction says what it replaced',
      await desk.correct(wrong.id, wrong.message.intent, 'Enseguida avisamos a recepción.'), {
        success: true,
        was_mismatch: true,
        original_intent: wrong.prediction.predicted_intent,
        correct_intent: wrong.message.intent
      })
    mismatches++
  } else if (firstTime) {
    checks.true('the first version does not know the new topics', false)
  }
  // Two reviewers at once: nobody gets what the other one holds.
  const intents = new Map(data.questions.map((message) => [message.text, message.intent]))
  const reviews = await Promise.all(['ana', 'benito'].map((reviewer) => desk.workOff(reviewer, intents)))
  const ids = reviews.flatMap((review) => review.ids)
  mismatches += reviews.reduce((sum, review) => sum + review.mismatches, 0)
  console.log(`  ${reviews.map((review) => review.reviewed).join(' and ')} reviewed, ${mismatches} were wrong`)
  checks.equal('messages that both reviewers got', ids.length - new Set(ids).size, 0)

  const corrected = data.questions.find(data.isNew)
  const answer = await bot.predict(corrected.text)
  checks.equal('a corrected message is answered right at once',
    [answer.predicted_intent, answer.confidence, answer.decision_source], [corrected.intent, 1, 'correction'])
  checks.equal('with the same live version', (await trainer.liveVersion()).version, liveBefore.version)

  const reviewed = await metrics()
  checks.equal('corrections counted', reviewed.human_corrections, data.questions.length)
  checks.equal('mismatches counted', reviewed.intent_mismatches, before.intent_mismatches + mismatches)
  checks.equal('nothing waits for review', reviewed.pending_review, 0)

  console.log('5. The model retrains itself')
  const due = await trainer.shouldRetrain()
  console.log(`  ${due.reason}`)
  checks.equal('due when there is enough to learn', due.due, due.new_samples >= due.threshold)
  if (fresh.length > 0) checks.true('the corrections are enough', due.due, due)
  const runs = await trainer.retrainIfDue()
  checks.equal('trainings', runs.length, Number(due.due))
  live = await trainer.liveVersion()
  for (const result of runs) {
    checks.true('the new version went live', result.status === 'completed' && result.deployed, result)
    checks.true('the live version changed', live.version !== liveBefore.version, live.version)
    const { event, version } = await watcher.next()
    checks.equal('the bot is told', { event, version }, { event: 'promoted', version: live.version })
    console.log(`  ${result.reason}`)
  }

  console.log(`6. Better answers (${data.heldOut.length} messages that no version has seen)`)
  const share = {}
  for (const [name, version] of [['first', firstVersion], ['live', live]]) {
    const hits = await trainer.hits(version.id, data.heldOut)
    share[name] = {
      all: shareOf(hits),
      fresh: shareOf(hits.filter((_, place) => data.isNew(data.heldOut[place]))),
      known: shareOf(hits.filter((_, place) => !data.isNew(data.heldOut[place])))
    }
    console.log(`  ${name} version ${version.version}: all topics ${percent(share[name].all)}, ` +
      `new topics ${percent(share[name].fresh)}, known topics ${percent(share[name].known)}`)
  }
  checks.true('more messages are understood', share.live.all > share.first.all)
  checks.true('the new topics are learnt', share.first.fresh === 0 && share.live.fresh > 0.6)
  checks.true('the known ones are not forgotten', share.live.known > share.first.known - 0.05)

  console.log('7. The dataset for a language model')
  const stats = await generator.getDatasetStats()
  const lines = fs.readFileSync(await generator.generateDataset(), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line))
  console.log(`  ${JSON.stringify({ total: stats.total, highQuality: stats.highQuality })}`)
  checks.equal('interactions in all', stats.total, data.history.length + data.questions.length)
  checks.equal('of them by category', stats.byCategory.reduce((sum, group) => sum + group._count, 0), stats.total)
  checks.equal('examples of high quality', lines.length, Math.min(stats.highQuality, 1000))
  checks.true('every example is a conversation with a good answer', lines.every(({ messages, metadata }) =>
    messages.map(({ role }) => role).join() === 'system,user,assistant' && metadata.qualityScore >= 4 &&
    'category' in metadata && 'productName' in metadata))
  checks.true('the Modelfile is for Ollama',
    fs.readFileSync(await generator.generateModelfile(), 'utf8').startsWith('FROM llama3.1:8b\n'))

  console.log('8. Metrics')
  const shown = await db.reviewer.value('select get_live_metrics($1, $2)', [24, MODEL])
  const { total_messages: total, ai_resolved: resolved, model_trained: trained, model_intents: known } = shown
  console.log(`  ${JSON.stringify({ total, resolved, trained, known, since: shown.samples_since_last_train })}`)
  checks.equal('messages answered and handed over add up', resolved + shown.escalated, total)
  checks.equal('the live version knows every topic',
    { trained, known }, { trained: true, known: new Set(data.heldOut.map(({ intent }) => intent)).size })
  checks.equal('messages since the last training', shown.samples_since_last_train, 0)
}

async function main () {
  const checks = new Checks()
  const db = connect()
  const watcher = new ModelWatcher(MODEL)
  try {
    await watcher.start()
    await run(db, watcher, checks)
  } catch (error) {
    // What is not from the database or the network is a mistake of ours.
    if (error.code === undefined) throw error
    console.error(`error ${explain(error)}`)
    return 2
  } finally {
    await watcher.stop()
    await db.close()
  }
  console.log(checks.summary())
  return checks.failed > 0 ? 1 : 0
}

main().then((status) => { process.exitCode = status })
