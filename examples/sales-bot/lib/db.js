'use strict'

// Connections: one pool for each role of setup.sql, server and database from the usual PG* variables. Passwords come from
// ~/.pgpass or PGPASSWORD.

const { Pool, Client } = require('pg')

const APPLICATION = 'sales-bot'

const SQLSTATE = {
  NOT_ALLOWED: '42501',
  BAD_ARGUMENT: '22023',
  NO_SUCH_TABLE: '42P01',
  NO_SUCH_FUNCTION: '42883',
  NO_SUCH_ROLE: '28000'
}

// Worth another try: serialization failure, deadlock, a server that goes down or comes up, a connection that was lost.
const RETRYABLE = new Set(['40001', '40P01', '57P01', '57P02', '57P03', '08000', '08003', '08006', 'ECONNRESET', 'EPIPE'])
const ATTEMPTS = 3

const ROLES = {
  bot: process.env.SALES_BOT_USER || 'sales_bot',
  reviewer: process.env.SALES_REVIEWER_USER || 'sales_reviewer',
  trainer: process.env.SALES_TRAINER_USER || 'sales_trainer'
}

class Role {
  constructor (user) {
    this.user = user
    this.pool = new Pool({ user, application_name: APPLICATION, max: 4 })
    // A connection that breaks while nobody uses it is replaced at the next query.
    this.pool.on('error', (error) => console.error(`idle connection of ${user}: ${error.message}`))
  }

  // Every call of this application is safe to repeat.
  async rows (text, values = []) {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.pool.query(text, values)).rows
      } catch (error) {
        if (attempt === ATTEMPTS || !RETRYABLE.has(error.code)) throw error
      }
    }
  }

  async row (text, values) {
    return (await this.rows(text, values))[0]
  }

  // The only column of the only row. jsonb arrives as a JavaScript value.
  async value (text, values) {
    return Object.values(await this.row(text, values))[0]
  }

  // The SQLSTATE that a statement is refused with, or null when it runs.
  async refusal (text, values) {
    try {
      await this.rows(text, values)
      return null
    } catch (error) {
      return error.code
    }
  }

  close () {
    return this.pool.end()
  }
}

function connect () {
  const roles = Object.fromEntries(Object.entries(ROLES).map(([name, user]) => [name, new Role(user)]))
  const close = () => Promise.all(Object.values(roles).map((role) => role.close()))
  return { ...roles, close }
}

// What the server says, for the person who has to act on it.
function explain (error) {
  const parts = [`${error.code}: ${error.message}`, error.detail]
  const notSetUp = [SQLSTATE.NO_SUCH_TABLE, SQLSTATE.NO_SUCH_FUNCTION, SQLSTATE.NO_SUCH_ROLE].includes(error.code)
  parts.push(notSetUp ? 'Has setup.sql been run in this database?' : error.hint)
  return parts.filter(Boolean).join('\n  ')
}

// A connection that listens needs one of its own: a pool would hand it out.
const listener = () => new Client({ user: ROLES.bot, application_name: APPLICATION })

module.exports = { connect, explain, listener, ROLES, SQLSTATE }
