#!/usr/bin/env bash
# The rules of the code base that a program can check. Prints TAP.
#
#   test/lint/walls.sh              the sources
#   test/lint/walls.sh LIBRARY.so   what the built library exports
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

checks=0
# check NAME [finding]: passes when there is no finding, else prints the findings under the check.
check() {
  checks=$((checks + 1))
  if [ -z "${2:-}" ]; then
    printf 'ok %d - %s\n' "$checks" "$1"
  else
    printf 'not ok %d - %s\n' "$checks" "$1"
    printf '%s\n' "$2" | sed 's/^/#   /'
  fi
}

sql_functions_in_c() { sed -n "s/.*'MODULE_PATHNAME', *'\([a-z_0-9]*\)'.*/\1/p" src/sql/*.sql | sort -u; }

if [ "$(basename "${1:-}")" = pg_retrain_xgboost.so ]; then
  check 'the module exports nothing but its entry points' "$(
    nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | grep -vxE 'Pg_magic_func|retrain_xgboost_api' || true)"
  needed=$(objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }')
  check 'the module names the libraries it needs' \
    "$(for library in libstdc++ libxgboost; do grep -q "^$library" <<<"$needed" || echo "not linked: $library"; done)"
  printf '1..%d\n' "$checks"
  exit 0
fi

if [ $# -gt 0 ]; then
  expected=$({
    printf '%s\n' Pg_magic_func _PG_init
    sql_functions_in_c | sed 's/.*/&\npg_finfo_&/'
  } | sort)
  exported=$(nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort)
  check 'the library exports nothing but its entry points' "$(comm -13 <(echo "$expected") <(echo "$exported"))"
  check 'every C function of the install script is in the library' "$(comm -23 <(echo "$expected") <(echo "$exported"))"
  # PostgreSQL links libstdc++ on some systems only.
  needed=$(objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }')
  check 'the library names the libraries it needs' \
    "$(for library in libstdc++ libutf8proc; do grep -q "^$library" <<<"$needed" || echo "not linked: $library"; done)"
  printf '1..%d\n' "$checks"
  exit 0
fi

# ---- headers ---------------------------------------------------------------------------------------------------------
check 'the core includes no PostgreSQL header' \
  "$(grep -rnE '#include ["<](postgres|fmgr|funcapi|miscadmin|access/|catalog/|executor/|nodes/|storage/|utils/|pg/)' src/core || true)"
check 'the module on libxgboost sees nothing of the core but the interface between them' \
  "$(grep -rnE '#include "(core|pg)/' src/xgboost | grep -v 'core/tabular/booster_api.h' || true)"
check 'the glue does not include Eigen' "$(grep -rn '#include <Eigen/' src/pg || true)"
check 'PostgreSQL headers are in extern "C"' "$(
  awk '
    FNR == 1 { inside = 0 }
    /^extern "C" \{/ { inside = 1 }
    /^\}/ { inside = 0 }
    !inside && /#include "(postgres|fmgr|funcapi|miscadmin|access\/|catalog\/|commands\/|common\/|executor\/|lib\/|mb\/|nodes\/|optimizer\/|parser\/|port\/|postmaster\/|storage\/|tcop\/|utils\/)/ {
      print FILENAME ":" FNR ": " $0
    }' src/pg/*.h src/pg/*.cpp)"

# Types of one name in two source files share the functions of the templates that they are put into: the linker keeps those of
# one of them.
check 'types of the glue have names of their own' "$(
  grep -ohE '^(struct|class|union|enum( class)?) [A-Za-z]+( final)?( : [a-z_0-9]+)? \{' src/pg/*.cpp src/pg/*.h |
    sed -E 's/^(struct|class|union|enum class|enum) ([A-Za-z]+).*/\2/' | sort | uniq -d)"

# ---- source lists ----------------------------------------------------------------------------------------------------
for part in core pg; do
  listed=$(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "src/$part/sources.list" | sort)
  present=$(cd "src/$part" && find . -name '*.cpp' | sed 's|^\./||' | sort)
  check "src/$part/sources.list names every source file" "$(comm -3 <(echo "$listed") <(echo "$present"))"
done

# ---- SQL -------------------------------------------------------------------------------------------------------------
check 'install modules create, they never replace' \
  "$(grep -niE 'create[[:space:]]+or[[:space:]]+replace|create[[:space:]]+([a-z]+[[:space:]]+)+if[[:space:]]+not[[:space:]]+exists' src/sql/*.sql || true)"
# The server reads the install script in the database's encoding, whatever that is, and takes messages of the glue to be in it.
check 'the install modules and the glue are ASCII' "$(LC_ALL=C grep -rnP '[^\x00-\x7F]' src/sql src/pg || true)"
check 'a backslash is in an E string, whatever standard_conforming_strings says' "$(
  grep -nvE '^\\echo|^[[:space:]]*--' src/sql/*.sql | sed -E "s/E'[^']*'//g" | grep '[\\]' || true)"
check 'every function in SQL or PL/pgSQL pins its search_path' "$(
  awk '
    FNR == 1 { inside = 0 }
    tolower($0) ~ /^create (function|procedure) / { inside = 1; name = $3; sub(/\(.*/, "", name); line = FNR; language = ""; pinned = 0 }
    inside {
      text = tolower($0)
      if (match(text, /language [a-z]+/)) language = substr(text, RSTART + 9, RLENGTH - 9)
      if (text ~ /set search_path = pg_catalog, pg_temp/) pinned = 1
      if (text ~ /\$[a-z_]*\$/ || text ~ /module_pathname/ || text ~ /;$/) {
        if (language != "c" && !pinned) print FILENAME ":" line ": " name
        inside = 0
      }
    }' src/sql/*.sql)"
check 'the functions with the rights of their owner are the ones that 90_access.sql gives a reason for' "$(
  diff <(sed -n '/^-- SECURITY DEFINER functions/,/^-- [^ ]/s/^--   \([a-z_]*\)\( .*\)\{0,1\}$/\1/p' src/sql/90_access.sql | grep . | sort) <(
    awk '
      tolower($0) ~ /^create (function|procedure) / { name = $3; sub(/\(.*/, "", name); sub(/.*\./, "", name) }
      tolower($0) ~ /^[^-]*security definer/ { print name }' src/sql/*.sql | sort) || true)"

# ---- versions --------------------------------------------------------------------------------------------------------
version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" pg_retrain.control)
check "META.json says version $version" "$(sed -n 's/^ *"version": "\(.*\)",*$/\1/p' META.json | grep -v '^1\.0\.0$' | grep -vxF "$version" || true)"
check "CHANGELOG.md begins with version $version" "$(
  newest=$(sed -n 's/^## \([0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
  [ "$newest" = "$version" ] || echo "its newest version is $newest")"
check "README.md names no other version" \
  "$([ ! -f README.md ] || grep -noE 'pg_retrain[- ]+v?[0-9]+\.[0-9]+\.[0-9]+' README.md | grep -vF "$version" || true)"

# ---- data ------------------------------------------------------------------------------------------------------------
check 'every dataset has its licence beside it' "$(
  for data in test/data/*.csv; do
    name=$(basename "$data" .csv)
    [ -s "test/data/LICENSE.$name" ] || echo "test/data/LICENSE.$name is missing"
  done)"

# ---- documents -------------------------------------------------------------------------------------------------------
# Names with capitals stand for any: test/unit/NAME_test.cpp.
check 'the files that the documents name are there' "$(
  # shellcheck disable=SC2016 # the backquotes are Markdown's
  for page in README.md CONTRIBUTING.md docs/*.md examples/*/README.md; do
    { grep -oE '`(test|src|core|pg|sql|docs|bench|scripts|examples|dashboards)/[a-z0-9_./*-]+`' "$page" || true; } | tr -d '`' |
      while IFS= read -r named; do
        compgen -G "$named*" >/dev/null || compgen -G "src/$named*" >/dev/null || [ "$named" = src/sql/upgrade ] ||
          echo "$page: $named"
      done
    { grep -oE '\]\([^)#:]+' "$page" || true; } | cut -c 3- |
      while IFS= read -r linked; do
        [ "$linked" = https ] || [ -e "$(dirname "$page")/$linked" ] || echo "$page: $linked"
      done
  done)"

printf '1..%d\n' "$checks"
