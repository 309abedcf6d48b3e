'use strict'

// Claims that are checked: each one is printed, and those that fail are counted.

const { isDeepStrictEqual } = require('util')

class Checks {
  constructor () {
    this.passed = 0
    this.failed = 0
  }

  true (claim, holds, seen) {
    if (holds) {
      this.passed++
      console.log(`  ok       ${claim}`)
    } else {
      this.failed++
      console.log(`  MISMATCH ${claim}${seen === undefined ? '' : `: ${JSON.stringify(seen)}`}`)
    }
  }

  equal (claim, found, expected) {
    this.true(`${claim}: ${JSON.stringify(expected)}`, isDeepStrictEqual(found, expected), { found })
  }

  summary () {
    return `${this.passed} checks passed, ${this.failed} failed`
  }
}

module.exports = { Checks }
