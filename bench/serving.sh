#!/usr/bin/env bash
# What pg_retrain's models cost to serve: bulk scoring, single calls, the first answer of a new connection, size.
#
# usage: bench/serving.sh [--runs N] [--datasets "clinc150 banking77"] [--data FOLDER] [--cluster DIR]
# Without --cluster it makes a throw-away server; with it, the datasets and the extension must be there already.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

messages=200000    # rows of the bulk table: the test messages, repeated
connections=20     # new connections for the first answer
seconds=5          # of each pgbench run

# median: of the numbers on standard input
median() {
  sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

row() {
  printf '| %-54s | %18s |\n' "$1" "$2"
}

# train DATASET PRESET: model DATASET_PRESET
train() {
  sql -v model="$1_$2" -v config="{\"preset\": \"$2\"}" -v source="select text, intent, split from $1" -f - << 'END'
select status = 'completed' as ok, coalesce(error_message, status) as error
  from train_intent_model(:'model', p_config => :'config', p_source => :'source', p_promote => 'always') \gset
\if :ok
\else
  \warn training :model failed: :error
  select 1 / 0;
\endif
END
}

# fill DATASET: table bulk_DATASET of $messages rows
fill() {
  sql -v n="$messages" -v bulk="bulk_$1" -v dataset="$1" -f - << 'END'
set client_min_messages = warning;
drop table if exists :bulk;
create unlogged table :bulk (id int primary key, text text not null);
insert into :bulk
  select row_number() over (), text
    from (select text from :dataset where split = 'test') as t, generate_series(1, :n)
   limit :n;
vacuum analyze :bulk;
END
}

# bulk DATASET WORKERS EXPRESSION: messages per second, median of $runs
bulk() {
  local i settings
  settings="set max_parallel_workers_per_gather = $2; set max_parallel_workers = 64;
    set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;"
  if [ "$2" -gt 0 ] && [[ $(sql -c "$settings explain select count($3) from bulk_$1" || true) != *Gather* ]]; then
    printf 'no parallel plan\n'
    return
  fi
  for ((i = 0; i < runs; i++)); do
    sql -v n="$messages" -f - << END
$settings
select count($3) as warm from (select text from bulk_$1 limit 1000) as few \\gset
select clock_timestamp() as start \\gset
select count($3) as n from bulk_$1 \\gset
select round(:n / extract(epoch from clock_timestamp() - :'start'));
END
  done | median
}

# single DATASET MODEL CLIENTS: "calls/s (mean ms)" of prepared predict_intent by pgbench
single() {
  local output
  cat > "$work/predict.pgbench" << END
\\set id random(1, $messages)
select predict_intent(text, '$2', 5) from bulk_$1 where id = :id;
END
  output=$(
    set -e
    eval "$("$root/scripts/cluster" env "$cluster")"
    "$pgbench" -n -M prepared -c "$3" -j "$3" -T "$seconds" -f "$work/predict.pgbench" 2> /dev/null
  ) || { printf 'failed\n' && return; }
  awk '/^latency average/ { ms = $4 } /^tps/ { tps = $3 } END { printf "%.0f (%.3f ms)\n", tps, ms }' <<< "$output"
}

# first DATASET MODEL: milliseconds of the first and of the second prediction of a new connection, medians
first() {
  local i
  for ((i = 0; i < connections; i++)); do
    sql -v model="$2" -f - << 'END'
select clock_timestamp() as t0 \gset
select predict_intent('hello, can you tell me where my card is?', :'model') as p \gset
select clock_timestamp() as t1 \gset
select predict_intent('what is my balance', :'model') as p \gset
select 1000 * extract(epoch from timestamptz :'t1' - :'t0'), 1000 * extract(epoch from clock_timestamp() - :'t1');
END
  done > "$work/first"
  printf '%.2f, then %.2f\n' "$(cut -d '|' -f 1 "$work/first" | median)" "$(cut -d '|' -f 2 "$work/first" | median)"
}

size() {
  sql -v model="$1" -f - << 'END'
select round(artifact_bytes / 1e6, 2) || ' MB' from ai_model_versions where model_name = :'model' order by id desc limit 1;
END
}

serve() {
  local dataset=$1 preset model workers clients
  fill "$dataset"
  for preset in classic default; do
    model=${dataset}_$preset
    note "serving: $dataset, preset $preset"
    train "$dataset" "$preset" > /dev/null
    printf '\n%s, preset %s\n\n' "$dataset" "$preset"
    row "serving" "value"
    printf '|%s|%s:|\n' "$(printf '%056d' 0 | tr 0 -)" "$(printf '%019d' 0 | tr 0 -)"
    row "artifact" "$(size "$model")"
    row "classify_intent over a table, one core, messages/s" "$(bulk "$dataset" 0 "classify_intent(text, '$model')")"
    for workers in $worker_counts; do
      row "classify_intent, parallel workers: $workers, messages/s" \
        "$(bulk "$dataset" "$workers" "classify_intent(text, '$model')")"
    done
    row "predict_intent top 5 over a table, one core, messages/s" \
      "$(bulk "$dataset" 0 "(predict_intent(text, '$model', 5)).top_intents")"
    for clients in 1 2 4; do
      row "predict_intent by key, $clients connections, calls/s" "$(single "$dataset" "$model" "$clients")"
    done
    row "first prediction of a new connection, ms (of $connections)" "$(first "$dataset" "$model")"
  done
}

runs=${RUNS:-5} datasets=$all_datasets data="" given=""
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "usage: bench/serving.sh [--runs N] [--datasets LIST] [--data FOLDER] [--cluster DIR]"
  case $1 in
    --runs) runs=$2 ;;
    --datasets) datasets=$2 ;;
    --data) data=$2 ;;
    --cluster) given=$2 ;;
    *) die "unknown option $1" ;;
  esac
  shift 2
done

pgbench=$(command -v pgbench || printf '%s/pgbench' "$(pg_config --bindir)")
cores=$(nproc)
worker_counts=$((cores > 1 ? cores - 1 : 1))
if [ "$worker_counts" -lt 2 ]; then worker_counts="$worker_counts 2"; fi
make_work
if [ -n "$given" ]; then
  trap 'rm -rf "$work"' EXIT
  cluster=$given
else
  data=$(data_folder "$data")
  prepare_files "$(find_python)" "$data" "$work"
  start_cluster "$work" || exit 1
fi

for dataset in $datasets; do serve "$dataset"; done
cat << END

$messages test messages (repeated) on $cores cores, PostgreSQL $(sql -c 'show server_version'), server settings as initdb leaves them.
Bulk: median of $runs; a connection's first 1000 messages are not counted. The first prediction includes loading the
library and the model, parsing and planning, and the round trip; after the comma the second call of the same connection.
Parallel: these workers beside the leader. By key: pgbench, prepared statements, one message fetched and predicted a call.
END
