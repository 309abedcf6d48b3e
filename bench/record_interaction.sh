#!/usr/bin/env bash
# How many messages a second record_interaction() stores, prediction, category and evaluation included.
#
# usage: bench/record_interaction.sh [--clients N] [--seconds N] [--cluster DIR]
# Without --cluster it makes a throw-away server; with it, the extension must be installed there already.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
clients=8
seconds=10
cluster=
while [ $# -gt 0 ]; do
  case $1 in
    --clients) clients=$2 ;;
    --seconds) seconds=$2 ;;
    --cluster) cluster=$2 ;;
    *) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,5p' >&2 && exit 2 ;;
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
  "$root/scripts/cluster" start "$cluster" -c synchronous_commit=off
fi
eval "$("$root/scripts/cluster" env "$cluster")"
psql -Xq -c 'drop database if exists retrain_bench' -c 'create database retrain_bench'
export PGDATABASE=retrain_bench
psql -Xq -v ON_ERROR_STOP=1 <<'SQL'
create extension pg_retrain;
insert into ai_training_data (user_message, detected_intent, source)
select format('%s %s', w, n), i, 'imported'
from (values ('dónde está mi pedido', 'pedido'), ('el paquete no llega', 'pedido'), ('necesito la factura', 'factura'),
  ('me cobraron dos veces', 'factura'), ('quiero devolver la camisa', 'devolución'), ('la talla no me queda', 'devolución'),
  ('hola buenas', 'saludo'), ('gracias', 'saludo')) x (w, i), generate_series(1, 200) n;
select 1 / (deployed)::integer as trained from train_intent_model() \gset
alter database retrain_bench set synchronous_commit = off;
vacuum analyze;
SQL
pgbench -n -M prepared -c "$clients" -j 2 -T "$seconds" -f "$root/bench/record_interaction.sql" | grep -E 'latency average|tps|failed'
psql -XAt -F ': ' -c "select 'rows, predicted, with a category, evaluated', concat_ws(', ', count(*), count(model_version_id),
  count(category), count(evaluated_at)) from ai_training_data where source = 'live'"
psql -Xq -d postgres -c 'drop database retrain_bench'
