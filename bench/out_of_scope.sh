#!/usr/bin/env bash
# CLINC150 trained without its out-of-scope rows: are those told from the others, and at what price?
#
# usage: bench/out_of_scope.sh [--data FOLDER]
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

data=""
if [ "${1:-}" = --data ] && [ $# -eq 2 ]; then data=$2; elif [ $# -ne 0 ]; then die "usage: bench/out_of_scope.sh [--data FOLDER]"; fi
data=$(data_folder "$data")
make_work
prepare_files "$(find_python)" "$data" "$work" clinc150
start_cluster "$work" clinc150 || exit 1
sql -c 'create table everything (text text, intent text, split text)'
sql -c '\copy everything from pstdin csv header' < "$data/intent_en_clinc150.csv"
printf '| %-10s | %6s | %12s | %32s | %22s |\n|---|--:|--:|--:|--:|\n' preset AUROC 'oos recall' 'in-scope, UNCERTAIN counted wrong' 'in-scope, first answer'
for preset in classic default; do
  sql -F ' | ' -v preset="$preset" -f - << 'END' | sed 's/^/| /; s/$/ |/'
-- its own validation rows set the limit, as a user's would
select 1 / (deployed)::int as ok from train_intent_model(:'preset', p_config => jsonb_build_object('preset', :'preset', 'out_of_scope', true),
  p_source => $$select text, intent, case split when 'val' then 'validation' else split end as split from everything where intent <> 'oos'$$,
  p_promote => 'always') \gset
with scored as (
  select e.intent, p.predicted_intent, p.decision, p.familiarity
  from everything e cross join lateral predict_intent(e.text, :'preset', 1) p
  where e.split = 'test'
), ranked as (
  select *, rank() over (order by familiarity) + (count(*) over (partition by familiarity) - 1) / 2.0 as place from scored
)
select :'preset', round(((sum(place) filter (where intent <> 'oos') - i * (i + 1) / 2.0) / (i * o))::numeric, 4),
  round(100 * avg((decision = 'UNCERTAIN')::int) filter (where intent = 'oos'), 1) || ' %',
  round(100 * avg((decision = intent)::int) filter (where intent <> 'oos'), 1) || ' %',
  round(100 * avg((predicted_intent = intent)::int) filter (where intent <> 'oos'), 1) || ' %'
from ranked cross join (select count(*) filter (where intent <> 'oos') as i, count(*) filter (where intent = 'oos') as o from scored) n
group by i, o;
END
done
printf '\n4 500 test messages of 150 intents and 1 000 out-of-scope ones; one limit for each version, learnt from its own rows.\n'
