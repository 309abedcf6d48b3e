#!/usr/bin/env bash
# Runs the SQL blocks of Markdown documents: each document in a fresh database, its blocks in order in one session, from
# the top of the checkout. Prints TAP, one check a block. Reaches the server through PGHOST, PGPORT, PGUSER.
#
#   test/docs/run_sql_blocks.sh DOCUMENT.md...
#
# A line directly before a block changes what is expected of it:
#   <!-- sql: error -->           the block has to fail
#   <!-- sql: not run, why -->    the block is left out
# A document that does not create the extension itself finds it created.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
psql=(psql -X -q -v VERBOSITY=terse)
checks=0
database=retrain_docs

for document in "$@"; do
  # The same lines at the same places, with everything but SQL left empty: psql's line numbers are the document's.
  # blocks: first line, last line, expectation.
  awk -v blocks="$work/blocks" '
    BEGIN { printf "" > blocks }
    !inside && /^ *```sql *$/ {
      inside = 1; first = NR + 1
      expected = before ~ /<!-- sql: error -->/ ? "error" : before ~ /<!-- sql: not run/ ? "skip" : "success"
      print ""; next
    }
    inside && /^ *``` *$/ { inside = 0; print first, NR - 1, expected > blocks; print ""; before = ""; next }
    inside { print expected == "skip" ? "" : $0; next }
    { print ""; if ($0 !~ /^ *$/) before = $0 }' "$document" >"$work/document.sql"
  [ -s "$work/blocks" ] || continue

  "${psql[@]}" -d postgres -c "set client_min_messages = warning" -c "drop database if exists $database with (force)" \
    -c "create database $database"
  if ! grep -qi 'create extension.*pg_retrain' "$work/document.sql"; then
    "${psql[@]}" -d "$database" -c 'create extension pg_retrain'
  fi
  status=0
  PGOPTIONS='-c statement_timeout=300s -c client_min_messages=warning' "${psql[@]}" -d "$database" \
    -f "$work/document.sql" >"$work/out" 2>"$work/err" || status=$?

  while read -r first last expected; do
    [ "$expected" != skip ] || continue
    checks=$((checks + 1))
    errors=$(awk -F: -v first="$first" -v last="$last" '
      /^psql:/ { here = $3 >= first && $3 <= last && /(ERROR|FATAL|PANIC|error):|invalid command/ } here' "$work/err")
    verdict='not ok'
    if [ "$expected" = error ] && [ -n "$errors" ]; then verdict=ok; fi
    if [ "$expected" = success ] && [ -z "$errors" ]; then verdict=ok; fi
    printf '%s %d - %s lines %d-%d\n' "$verdict" "$checks" "$document" "$first" "$last"
    if [ "$verdict" != ok ]; then
      printf '%s\n' "${errors:-no error was raised}" | sed "s|^psql:$work/document.sql|$document|; s/^/#   /"
    fi
  done <"$work/blocks"
  if [ "$status" -ne 0 ]; then
    checks=$((checks + 1))
    printf 'not ok %d - %s ran to its end\n' "$checks" "$document"
    tail -n 3 "$work/err" | sed 's/^/#   /'
  fi
  "${psql[@]}" -d postgres -c "drop database if exists $database with (force)"
done
printf '1..%d\n' "$checks"
