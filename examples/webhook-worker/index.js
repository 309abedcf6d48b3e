#!/usr/bin/env node
'use strict'

// Delivers what pg_retrain leaves in ai_notifications to a webhook, each at least once.
//
//   WEBHOOK_URL      where to POST                     WEBHOOK_SECRET   signs the body (optional)
//   --once           deliver what is open and end
//
// Exit status: 0 when --once delivered all it had, 1 when a delivery failed, 2 when the database said no.

const crypto = require('crypto')
const http = require('http')
const https = require('https')
const os = require('os')
const { Client } = require('pg')

const WORKER = `${os.hostname()}:${process.pid}`
const TIMEOUT_MS = 30000
const BATCH = 10
// Notifications that come back after a failure announce themselves to nobody: look now and then as well.
const LOOK_AGAIN_MS = 60000

function settings () {
  const address = process.env.WEBHOOK_URL
  if (!address) throw new Error('WEBHOOK_URL is not set: where is the webhook?')
  return { address: new URL(address), secret: process.env.WEBHOOK_SECRET, once: process.argv.includes('--once') }
}

// Resolves on a status of 2xx; rejects with one line that says why not.
function post ({ address, secret }, notification) {
  const body = JSON.stringify({
    id: notification.id, kind: notification.kind, model_name: notification.model_name, created_at: notification.created_at,
    payload: notification.payload
  })
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    // The receiver may get a notification twice, and tells it by its number.
    'Idempotency-Key': String(notification.id)
  }
  if (secret) headers['X-Signature-256'] = 'sha256=' + crypto.createHmac('sha256', secret).update(body).digest('hex')
  return new Promise((resolve, reject) => {
    const client = address.protocol === 'https:' ? https : http
    const request = client.request(address, { method: 'POST', headers, timeout: TIMEOUT_MS }, (response) => {
      response.resume()
      response.on('end', () => response.statusCode >= 200 && response.statusCode < 300
        ? resolve()
        : reject(new Error(`the webhook answered ${response.statusCode}`)))
    })
    request.on('timeout', () => request.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)))
    request.on('error', reject)
    request.end(body)
  })
}

// Delivers everything that is open; the number of failures.
async function deliver (database, where) {
  let failures = 0
  for (;;) {
    const { rows } = await database.query('select * from claim_notifications($1, $2)', [WORKER, BATCH])
    if (rows.length === 0) return failures
    for (const notification of rows) {
      let error = null
      try {
        await post(where, notification)
        console.log(`delivered ${notification.id} ${notification.kind}`)
      } catch (failure) {
        error = failure.message
        failures += 1
        console.error(`not delivered ${notification.id} ${notification.kind}: ${error}`)
      }
      await database.query('select complete_notification($1, $2)', [notification.id, error])
    }
  }
}

async function main () {
  const where = settings()
  const database = new Client({ application_name: 'webhook-worker' })
  await database.connect()
  if (where.once) {
    const failures = await deliver(database, where)
    await database.end()
    return failures === 0 ? 0 : 1
  }
  // Deliveries one after the other: what arrives meanwhile is seen by the round after it.
  let wanted = true
  let wake = () => {}
  const look = () => { wanted = true; wake() }
  const ended = new Promise((resolve, reject) => {
    database.on('error', reject)
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve)
  })
  database.on('notification', look)
  await database.query('listen ai_notifications')
  const timer = setInterval(look, LOOK_AGAIN_MS)
  let over = false
  const stop = ended.finally(() => { over = true; wake() })
  while (!over) {
    if (wanted) {
      wanted = false
      await deliver(database, where)
    } else {
      await new Promise((resolve) => { wake = resolve })
    }
  }
  clearInterval(timer)
  await stop
  await database.end()
  return 0
}

main().then((status) => { process.exitCode = status }, (error) => {
  console.error(error.code ? `error ${error.code}: ${error.message}` : error.message)
  process.exitCode = 2
})
