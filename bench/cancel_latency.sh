#!/usr/bin/env bash
# How long after its statement_timeout a training ends: 200 timeouts spread over the whole training of CLINC150.
#
#   bench/cancel_latency.sh [--runs N]
#
# The timer that statement_timeout sets raises the same signal as pg_cancel_backend(); what is measured is the wall time of
# the statement less the timeout, in milliseconds, rolling back included.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

runs=200
[ "${1:-}" = --runs ] && runs=$2

work=$(mktemp -d "${TMPDIR:-/tmp}/pg_retrain_cancel.XXXXXX")
cleanup() {
  "$root/scripts/cluster" destroy "$work/cluster" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
"$root/scripts/cluster" start "$work/cluster"
sql() { "$root/scripts/cluster" psql "$work/cluster" -XqAt "$@"; }

data=$(data_folder "")
sql -c "create extension pg_retrain" -c "create table clinc150 (text text, intent text, split text)"
sql -c "\\copy clinc150 from stdin csv header" <"$data/intent_en_clinc150.csv"
train="select status from train_intent_model('m', p_promote => 'never', p_source => 'select text, intent, split from clinc150')"
whole=$(sql -c '\timing on' -c "$train" -c "$train" | sed -n 's/^Time: \([0-9]*\).*/\1/p' | tail -n 1)

{
  printf '%s\n' '\timing on'
  for ((i = 1; i <= runs; ++i)); do
    limit=$((1 + whole * i / runs))
    printf '%s\n' "set statement_timeout = $limit;" "\\echo limit $limit" "$train;" 'set statement_timeout = 0;'
  done
} >"$work/storm.sql"
sql -f "$work/storm.sql" 2>&1 | awk '
  /^limit / { limit = $2; cancelled = 0; next }
  /canceling statement due to statement timeout/ { cancelled = 1; next }
  /^Time: / && cancelled { print $2 - limit; cancelled = 0 }' | sort -n >"$work/latency"
awk -v whole="$whole" '
  { value[NR] = $1 }
  END {
    if (NR == 0) { print "no training was cancelled"; exit 1 }
    printf "training %d ms; %d cancelled: median %.1f ms, 99 %% %.1f ms, largest %.1f ms\n",
      whole, NR, value[int((NR + 1) / 2)], value[int(NR * 0.99 + 0.5)], value[NR]
  }' "$work/latency"
