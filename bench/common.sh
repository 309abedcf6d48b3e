# Shared by the programs of bench/: finds the data, installs the peers and prepares a throw-away PostgreSQL. Sourced, not run.
# shellcheck shell=bash

bench_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$bench_dir")
all_datasets="clinc150 banking77"
# shellcheck disable=SC2034  # used by bench/run
spanish_datasets="assistant_skills helpdesk_glpi mtod nlpjs_support"

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

note() {
  printf '%s\n' "$*" >&2
}

# data_folder [GIVEN]: the folder with intent_en_*.csv
data_folder() {
  local folder
  for folder in "${1:-}" "${RETRAIN_DATA:-}" "$root/../shared/data" "$root/test/data"; do
    [ -n "$folder" ] || continue
    if [ -f "$folder/intent_en_banking77.csv" ]; then
      (cd "$folder" && pwd)
      return
    fi
    if [ "$folder" = "${1:-}" ] || [ "$folder" = "${RETRAIN_DATA:-}" ]; then
      die "no intent_en_banking77.csv in $folder"
    fi
  done
  die "no data folder found: give one with --data"
}

# install_peers PURPOSE: what scripts/install-packages calls peers or forecast-peers
install_peers() {
  "$root/scripts/install-packages" "$1" >&2 || note "the peers that are not installed are left out"
}

# The Python that has scikit-learn, else any: the distribution's own may not be the first in PATH.
find_python() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import sklearn' 2> /dev/null; then
      command -v "$python"
      return
    fi
  done
  command -v python3 || die "python3 is needed"
}

# prepare_files PYTHON DATA WORK [DATASETS]: the rows every contestant sees, one file per dataset
prepare_files() {
  local dataset
  for dataset in ${4:-$all_datasets}; do
    "$1" "$bench_dir/prepare.py" "$(ls "$2"/intent_*_"$dataset".csv)" "$3/$dataset"
  done
}

# start_cluster WORK [DATASETS]: a private server with the extension and the datasets; returns 1 and says why when there is
# none
start_cluster() {
  local dataset
  if [ ! -x "$root/scripts/cluster" ]; then
    note "pg_retrain is left out: scripts/cluster is missing"
    return 1
  fi
  # What is measured is what is here, and not what was installed some day.
  if [ -z "${RETRAIN_BINDIR:-}" ]; then
    RETRAIN_BINDIR=$("$root/scripts/build" "$1/build" 2> "$1/build.log") || { tail "$1/build.log" >&2; die "no build of the extension"; }
    export RETRAIN_BINDIR
  fi
  "$root/scripts/cluster" start "$1/pg" || die "the throw-away PostgreSQL did not start"
  cluster=$1/pg
  if [ "$(sql -c "select count(*) from pg_available_extensions where name = 'pg_retrain'")" != 1 ]; then
    note "pg_retrain is left out: the extension is not installed in this PostgreSQL ($(sql -c 'show server_version'));"
    note "set RETRAIN_BINDIR to the programs of one that has it, or leave it unset"
    return 1
  fi
  sql -c "create extension pg_retrain"
  for dataset in ${2:-$all_datasets}; do
    sql -c "create table $dataset (text text not null, intent text not null, split text not null)"
    sql -c "\\copy $dataset from pstdin csv header" < "$1/$dataset.csv"
    sql -c "analyze $dataset"
  done
}

# sql ...: psql on the throw-away server, unaligned, quiet, stopping at the first error
sql() {
  "$root/scripts/cluster" psql "$cluster" -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

# make_work: a temporary folder that the server's unprivileged user can enter; removed with the server at exit
make_work() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/pg_retrain_bench.XXXXXX")
  chmod 755 "$work"
  cluster=
  trap 'remove_work' EXIT
}

# stop_cluster: removes the server before the end
stop_cluster() {
  if [ -n "$cluster" ]; then "$root/scripts/cluster" destroy "$cluster" || true; fi
  cluster=
}

remove_work() {
  stop_cluster
  rm -rf "$work"
}
