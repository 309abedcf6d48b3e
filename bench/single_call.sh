#!/usr/bin/env bash
# What a call of predict_intent() costs beside the cheapest call there is, select length($1): prepared statements, one
# connection, in turns.
#
# usage: bench/single_call.sh [--runs N] [--seconds N] [--data FOLDER]
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

runs=${RUNS:-9} seconds=1 data=""
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value"
  case $1 in
    --runs) runs=$2 ;;
    --seconds) seconds=$2 ;;
    --data) data=$2 ;;
    *) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,5p' >&2 && exit 2 ;;
  esac
  shift 2
done

data=$(data_folder "$data")
make_work
prepare_files "$(find_python)" "$data" "$work" clinc150
start_cluster "$work" clinc150 || exit 1
sql -c "select 1 / (deployed)::int from train_intent_model('m', p_config => '{\"preset\": \"classic\"}', p_source => 'select * from clinc150', p_promote => 'always')" > "$work/trained"
pgbench=$(command -v pgbench || printf '%s/pgbench' "$(pg_config --bindir)")
printf 'select length(:message);\n' > "$work/length.sql"
printf "select classify_intent(:message, 'm');\n" > "$work/classify.sql"
printf "select predict_intent(:message, 'm');\n" > "$work/predict.sql"
printf "select predict_intent(:message, 'm', 1);\n" > "$work/predict1.sql"

eval "$("$root/scripts/cluster" env "$cluster")"
rate() {
  "$pgbench" -n -M prepared -c 1 -T "$seconds" -D message='how do i transfer money to my savings account' -f "$work/$1.sql" \
    2> /dev/null | awk '/^tps/ { print $3 }'
}
for ((run = 0; run < runs; run++)); do
  note "run $((run + 1)) of $runs"
  printf '%s %s %s %s\n' "$(rate length)" "$(rate classify)" "$(rate predict)" "$(rate predict1)"
done > "$work/rates"

# column N of the runs: median (minimum to maximum) of it, and of its ratio to the first column
summary() {
  awk -v n="$1" -v name="$2" '
    { rate[NR] = $n; ratio[NR] = 100 * $n / $1 }
    function median(v,   i, j, t) {
      for (i = 1; i <= NR; i++) for (j = i + 1; j <= NR; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
      return NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
    }
    END { m = median(rate); r = median(ratio)
      printf "| %-40s | %8.0f | %8.0f (%.0f to %.0f) |\n", name, m, r, ratio[1], ratio[NR] }' "$work/rates"
}
printf '| %-40s | %8s | %s |\n|---|--:|--:|\n' 'prepared, one connection' 'calls/s' '% of length'
# shellcheck disable=SC2016  # as SQL writes it
summary 1 'select length($1)'
# shellcheck disable=SC2016
summary 2 'select classify_intent($1, ...)'
# shellcheck disable=SC2016
summary 3 'select predict_intent($1, ...)'
# shellcheck disable=SC2016
summary 4 'select predict_intent($1, ..., p_top => 1)'
printf '\nCLINC150, preset classic; median of %s runs of %s s in turns, in brackets the extremes of the ratio.\n' "$runs" "$seconds"
