#!/usr/bin/env bash
# An incremental training after one new row in a hundred, beside a full one of the same rows: time and answers.
#
# usage: bench/incremental.sh [--runs N] [--data FOLDER]
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

runs=${RUNS:-5} data=""
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value"
  case $1 in
    --runs) runs=$2 ;;
    --data) data=$2 ;;
    *) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,4p' >&2 && exit 2 ;;
  esac
  shift 2
done

data=$(data_folder "$data")
make_work
prepare_files "$(find_python)" "$data" "$work"
start_cluster "$work" || exit 1
printf '| %-30s | %8s | %11s | %13s | %13s | %22s | %10s | %12s | %11s |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n' 'training' 'full s' \
  'incremental' '% of full' 'nothing new %' '% the same answers' 'two full %' '% right full' 'incremental'
for dataset in $all_datasets; do
  for config in '{"preset": "classic"}' '{"preset": "default"}' '{"preset": "default", "tune": true}' '{"preset": "accurate"}' \
    '{"preset": "classic", "classifier": "logistic_regression"}'; do
    name=$(tr -d '{}":' <<< "${config#*: }")
    for ((run = 0; run < runs; run++)); do
      sql -v dataset="$dataset" -v config="$config" -v run="$run" -f - << 'END'
load 'pg_retrain';
-- a training row in a hundred is new, in every run another one
create or replace temporary view known as select text, intent, split from :dataset
where split = 'test' or abs(hashtext(text)) % 100 <> :run;
create or replace temporary view everything as select text, intent, split from :dataset;
select 1 / (deployed)::int as ok, model_version_id as before from train_intent_model('m', p_config => :'config',
  p_source => 'select * from known', p_promote => 'always') \gset
select clock_timestamp() as t0 \gset
select model_version_id as full from train_intent_model('m', p_source => 'select * from everything', p_promote => 'never',
  p_config => :'config') \gset
select clock_timestamp() as t1 \gset
select model_version_id as incremental from train_intent_model('m', 'incremental', p_source => 'select * from everything',
  p_promote => 'never', p_config => :'config') \gset
select clock_timestamp() as t2 \gset
select status from train_intent_model('m', 'incremental', p_source => 'select * from known', p_promote => 'never',
  p_config => :'config') \gset
select clock_timestamp() as t3 \gset
select extract(epoch from timestamptz :'t1' - :'t0'), extract(epoch from timestamptz :'t2' - :'t1'), avg((f = i)::int),
  avg((f = b)::int), avg((f = intent)::int), avg((i = intent)::int), extract(epoch from timestamptz :'t3' - :'t2')
from (select intent, (predict_intent(text, 'm', 1, :full)).predicted_intent as f,
    (predict_intent(text, 'm', 1, :incremental)).predicted_intent as i,
    (predict_intent(text, 'm', 1, :before)).predicted_intent as b
  from :dataset where split = 'test' offset 0) answers;
END
    done | sort -g -t '|' | awk -F '|' -v name="$dataset, $name" '
      { full[NR] = $1; part[NR] = $2; ratio[NR] = 100 * $2 / $1; same[NR] = 100 * $3; two[NR] = 100 * $4
        right_full[NR] = 100 * $5; right[NR] = 100 * $6; nothing[NR] = 100 * $7 / $1 }
      function median(v,   i, j, t) {
        for (i = 1; i <= NR; i++) for (j = i + 1; j <= NR; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
        return NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
      }
      END { f = median(full); p = median(part); r = median(ratio); s = median(same)
        printf "| %-30s | %8.3f | %11.3f | %2.0f (%.0f to %.0f) | %13.0f | %.2f (%.2f to %.2f) | %10.2f | %12.2f | %11.2f |\n",
          name, f, p, r, ratio[1], ratio[NR], median(nothing), s, same[1], same[NR], median(two), median(right_full), median(right) }'
  done
done
printf '\nBoth through SQL, the reading and scoring of the same rows included; median of %s runs, each with other new rows.\n' "$runs"
printf 'Nothing new: an incremental run of the same rows as the live version, as a share of the full run: reading, weighing, looking at\n'
printf 'all rows once, scoring and storing.\n'
printf 'Two full: the answers that the full run has in common with the one before the new rows.\n'
