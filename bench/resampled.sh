#!/usr/bin/env bash
# The Spanish sets dealt into training and test many times, beside scikit-learn on the same splits: accuracy and calibration.
#
# usage: bench/resampled.sh [--splits N] [--dataset NAME] [--data FOLDER]
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

splits=40 datasets="assistant_skills helpdesk_glpi nlpjs_support" data=""
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value"
  case $1 in
    --splits) splits=$2 ;;
    --dataset) datasets=$2 ;;
    --data) data=$2 ;;
    *) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,4p' >&2 && exit 2 ;;
  esac
  shift 2
done
[[ $splits =~ ^[1-9][0-9]+$ ]] || die "--splits takes a number of two digits or more, not '$splits'"

data=$(data_folder "$data")
install_peers peers
python=$(find_python)
"$python" -c 'import sklearn' 2> /dev/null || die "scikit-learn is needed: python3-sklearn in Debian and Ubuntu"
export PYTHONDONTWRITEBYTECODE=1
make_work
prepare_files "$python" "$data" "$work" "$datasets"
start_cluster "$work" "$datasets" || exit 1
"$python" "$bench_dir/resampled.py" --work "$work" --splits "$splits" --datasets "${datasets// /,}" \
  --psql "$root/scripts/cluster" --cluster "$cluster"
