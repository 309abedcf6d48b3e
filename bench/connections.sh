#!/usr/bin/env bash
# What a new connection costs that predicts: its first prediction over a warm one, and the memory of 200 of them.
#
# usage: bench/connections.sh [--connections N] [--runs N] [--data FOLDER]
# Memory: private bytes of all backends after one prediction each, less those of as many backends that called length().
# Each with the library preloaded and without.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

connections=200 runs=${RUNS:-25} data=""
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value"
  case $1 in
    --connections) connections=$2 ;;
    --runs) runs=$2 ;;
    --data) data=$2 ;;
    *) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,7p' >&2 && exit 2 ;;
  esac
  shift 2
done

data=$(data_folder "$data")
make_work
prepare_files "$(find_python)" "$data" "$work" clinc150
start_cluster "$work" clinc150 || exit 1
for preset in classic default; do
  sql -c "select 1 / (deployed)::int from train_intent_model('$preset', p_config => '{\"preset\": \"$preset\"}', p_source => 'select * from clinc150', p_promote => 'always')" > "$work/trained"
done

median() {
  sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# first MODEL: milliseconds of the first prediction of a new connection less those of its tenth
first() {
  local i
  for ((i = 0; i < runs; i++)); do
    sql -f - << END
select clock_timestamp() as t0 \\gset
select predict_intent('hello, can you tell me where my card is?', '$1') as p \\gset
select clock_timestamp() as t1 \\gset
$(for _ in 1 2 3 4 5 6 7 8; do echo "select predict_intent('what is my balance', '$1') as p \\gset"; done)
select clock_timestamp() as t2 \\gset
select predict_intent('what is my balance today', '$1') as p \\gset
select 1000 * (extract(epoch from timestamptz :'t1' - :'t0') - extract(epoch from clock_timestamp() - :'t2'));
END
  done | median
}

# memory QUERY: private megabytes of $connections backends that each ran it
memory() {
  local pgbench clients
  pgbench=$(command -v pgbench || printf '%s/pgbench' "$(pg_config --bindir)")
  printf '%s\nselect pg_sleep(1000);\n' "$1" > "$work/hold.sql"
  (
    eval "$("$root/scripts/cluster" env "$cluster")"
    exec "$pgbench" -n -c "$connections" -j 1 -t 1 -f "$work/hold.sql" > /dev/null 2>&1
  ) &
  clients=$!
  until [ "$(sql -c "select count(*) from pg_stat_activity where query like 'select pg_sleep%'")" = "$connections" ]; do
    kill -0 "$clients" 2> /dev/null || die "pgbench did not keep $connections connections"
  done
  for pid in $(sql -c "select pid from pg_stat_activity where query like 'select pg_sleep%'"); do
    awk '/^Private_(Clean|Dirty)/ { kb += $2 } END { print kb }' "/proc/$pid/smaps_rollup"
  done | awk '{ kb += $1 } END { printf "%.1f\n", kb / 1024 }'
  sql -c "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like 'select pg_sleep%'" > /dev/null
  wait "$clients" || true
}

# measure LIBRARIES: starts the server with these preloaded and writes one value a line
measure() {
  local base preset used
  "$root/scripts/cluster" start "$cluster" -c "max_connections=$((connections + 20))" -c "shared_preload_libraries=$1" ||
    die "the throw-away PostgreSQL did not start again"
  base=$(memory 'select length(version());')
  for preset in classic default; do
    printf '%.2f ms\n' "$(first "$preset")"
    used=$(memory "select predict_intent('how do i transfer money', '$preset');")
    awk "BEGIN { printf \"%.1f MB\\n\", $used - $base }"
  done
  # What the server's own memory holds is there once it is written to; dynamic memory is taken whole.
  sql -c "select round((case when '$1' = '' then capacity else bytes end) / 1e6, 1) || ' MB' from retrain_shared_cache_stats()"
}

names=()
for preset in classic default; do
  size=$(sql -c "select round(artifact_bytes / 1e6, 2) from ai_model_versions where model_name = '$preset'")
  names+=("$preset ($size MB): first prediction over a warm one" "$preset: memory that $connections predicting connections add")
done
names+=("their shared memory, for both models")
mapfile -t preloaded < <(measure pg_retrain)
mapfile -t loaded < <(measure '')
[ "${#preloaded[@]}:${#loaded[@]}" = 5:5 ] || die "the connections were not measured"
printf '| %-58s | %10s | %10s |\n|---|--:|--:|\n' "new connections" preloaded "not"
for i in "${!names[@]}"; do printf '| %-58s | %10s | %10s |\n' "${names[i]}" "${preloaded[i]}" "${loaded[i]}"; done
printf '\nCLINC150, 150 intents; first prediction: median of %s new connections, the loading of the library included where it is\nnot preloaded; memory: private bytes of the backends less those of as many that called length().\n' "$runs"
