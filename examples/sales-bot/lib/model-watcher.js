'use strict'

// Tells at once when another version goes live: pg_retrain notifies the channel ai_models when a transaction that
// promotes, rejects or rolls back commits.

const { listener } = require('./db')

const PATIENCE_MS = 60000

class ModelWatcher {
  constructor (model) {
    this.model = model
    this.events = []
    this.waiting = null
  }

  async start () {
    this.client = listener()
    this.client.on('error', (error) => this.waiting?.reject(error))
    this.client.on('notification', ({ payload }) => this.receive(JSON.parse(payload)))
    await this.client.connect()
    await this.client.query('listen ai_models')
  }

  receive (event) {
    if (event.model_name !== this.model) return
    this.events.push(event)
    this.waiting?.resolve()
  }

  // The next event of this model, waiting for it if it has not come yet.
  async next () {
    if (this.events.length === 0) {
      let timer
      await new Promise((resolve, reject) => {
        this.waiting = { resolve, reject }
        timer = setTimeout(() => reject(new Error(`no news of model "${this.model}" in ${PATIENCE_MS} ms`)), PATIENCE_MS)
      }).finally(() => {
        clearTimeout(timer)
        this.waiting = null
      })
    }
    return this.events.shift()
  }

  async stop () {
    await this.client?.end()
  }
}

module.exports = { ModelWatcher }
