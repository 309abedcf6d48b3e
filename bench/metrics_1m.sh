#!/usr/bin/env bash
# How long the metrics, the review's first page and a snapshot take over a year of a million messages: the median of some
# runs, in milliseconds. A snapshot above 2 s is an error.
#
# usage: bench/metrics_1m.sh [--rows N] [--runs N] [--cluster DIR]
# Without --cluster it makes a throw-away server; with it, the extension must be installed there already.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
rows=1000000
runs=7
cluster=
while [ $# -gt 0 ]; do
  case $1 in
    --rows) rows=$2 ;;
    --runs) runs=$2 ;;
    --cluster) cluster=$2 ;;
    *) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,6p' >&2 && exit 2 ;;
  esac
  shift 2
done

if [ -z "$cluster" ]; then
  work=$(mktemp -d /tmp/pg_retrain_bench.XXXXXX)
  trap '"$root/scripts/cluster" destroy "$work/db" >/dev/null 2>&1; rm -rf "$work"' EXIT
  chmod 755 "$work"
  RETRAIN_BINDIR=$("$root/scripts/build" "$work/build" 2>"$work/build.log") || { tail "$work/build.log" >&2; exit 1; }
  export RETRAIN_BINDIR
  cluster=$work/db
  "$root/scripts/cluster" start "$cluster" -c synchronous_commit=off -c shared_buffers=512MB
fi
eval "$("$root/scripts/cluster" env "$cluster")"
export PGOPTIONS='-c client_min_messages=warning'
psql -Xq -c 'drop database if exists retrain_bench' -c 'create database retrain_bench'
export PGDATABASE=retrain_bench
psql -Xq -c 'create extension pg_retrain'
psql -Xq -v ON_ERROR_STOP=1 -v rows="$rows" -f "$root/test/fixtures/year_of_messages.sql" >/dev/null

# median QUERY: of its runs after a first one, which warms the caches, in one connection.
median() {
  local times
  times=$(for ((run = 0; run <= runs; run++)); do printf '%s;\n' "$1"; done | psql -X -v ON_ERROR_STOP=1 -c '\timing on' -f - |
    sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n +2)
  sort -n <<<"$times" | sed -n "$(((runs + 1) / 2))p"
}

printf '%s messages in a year, median of %s runs\n\n' "$rows" "$runs"
printf '| %-68s | %8s |\n|%s|%s|\n' query ms "$(printf -- '-%.0s' {1..70})" "$(printf -- '-%.0s' {1..9}):"
slow=
while IFS= read -r query; do
  time=$(median "$query")
  printf '| %-68s | %8.1f |\n' "$query" "$time"
  case $query in
    *create_metrics_snapshot*) awk -v t="$time" 'BEGIN { exit !(t >= 2000) }' && slow=$query ;;
  esac
done <<'SQL'
select * from v_pending_review where model_name = 'default' limit 20
select get_live_metrics(24)
select get_ai_training_metrics(30)
select * from ai_metric_health
select create_metrics_snapshot('daily')
select create_metrics_snapshot('monthly')
select * from ai_intent_distribution
select * from ai_intent_distribution where model_name = 'default'
select * from ai_confidence_distribution
select * from ai_review_backlog
SQL
psql -Xq -d postgres -c 'drop database retrain_bench'
[ -z "$slow" ] || { echo "too slow: $slow" >&2; exit 1; }
