# Shared by scripts/*, quickstart, run-tests and bench. Source it from bash after setting -euo pipefail.
#
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Everything that the scripts make, but for build/, is under this directory.
export LOCAL=${RETRAIN_LOCAL:-$ROOT/.local}
export LC_ALL=C.UTF-8
umask 022

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
  exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }
have() { command -v "$1" >/dev/null 2>&1; }
cpu_count() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1; }

# ---- the unprivileged user -------------------------------------------------------------------------------------------

# The user that servers run as: ourselves, or for root, whom PostgreSQL refuses, postgres or nobody.
server_user() {
  if ! is_root; then
    id -un
  elif id postgres >/dev/null 2>&1; then
    echo postgres
  else
    echo nobody
  fi
}

# Runs a command as the server's user, in a directory that everybody may enter. Paths have to be absolute.
as_server_user() {
  if ! is_root; then
    (cd / && exec "$@")
    return
  fi
  local user
  user=$(server_user)
  (cd / && exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \
    env HOME=/nonexistent USER="$user" LOGNAME="$user" "$@")
}

# A directory of ours that the server's user can reach: the one asked for, or, where a parent is closed to that user (a
# checkout under /root), one in /var/tmp whose name is kept in the file "home" of the one asked for.
reachable_dir() {
  local wanted=$1 home
  mkdir -p "$wanted"
  if as_server_user test -r "$wanted" -a -x "$wanted" 2>/dev/null; then
    (cd "$wanted" && pwd -P)
    return
  fi
  if [ -f "$wanted/home" ]; then
    home=$(cat "$wanted/home")
    if [ -d "$home" ] && [ -O "$home" ]; then
      printf '%s\n' "$home"
      return
    fi
  fi
  home=$(mktemp -d /var/tmp/pg_retrain.XXXXXX)
  chmod 755 "$home"
  printf '%s\n' "$home" >"$wanted/home"
  warn "$(server_user) cannot enter $wanted: its server files are in $home"
  printf '%s\n' "$home"
}

# ---- PostgreSQL ------------------------------------------------------------------------------------------------------

OLDEST_MAJOR=14
NEWEST_MAJOR=18

# Prints the pg_config to build with: $PG_CONFIG, or the newest supported installation that has a server, else the
# pg_config in PATH. Fails, silently, when there is none that has a server and its build files.
find_pg_config() {
  local candidate major best='' best_major=0
  if [ -n "${PG_CONFIG:-}" ]; then
    command -v "$PG_CONFIG"
    return
  fi
  for candidate in /usr/lib/postgresql/*/bin/pg_config /usr/pgsql-*/bin/pg_config "$(command -v pg_config || true)"; do
    [ -x "$candidate" ] || continue
    [ -e "$("$candidate" --pgxs)" ] || continue
    [ -x "$("$candidate" --bindir)/postgres" ] || continue
    major=$(pg_major "$candidate")
    if [ "$major" -gt "$best_major" ] && [ "$major" -ge "$OLDEST_MAJOR" ] && [ "$major" -le "$NEWEST_MAJOR" ]; then
      best=$candidate best_major=$major
    fi
  done
  [ -n "$best" ] && printf '%s\n' "$best"
}

pg_major() { "$1" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'; }

# Prints a directory of programs whose PostgreSQL is a private twin of the installed one: the programs are copies,
# everything else is linked, and PostgreSQL finds its library and share directories relative to its programs. What is
# installed there is seen by no other server on the machine, and nobody's rights are needed.
#   private_postgres DIRECTORY PG_CONFIG
private_postgres() {
  local dir=$1 pg_config=$2 bindir sharedir pkglibdir stamp
  bindir=$("$pg_config" --bindir) sharedir=$("$pg_config" --sharedir) pkglibdir=$("$pg_config" --pkglibdir)
  stamp="$("$pg_config" --version) $bindir $(stat -c %Y "$bindir/postgres")"
  if [ "$(cat "$dir/made-from" 2>/dev/null || true)" != "$stamp" ]; then
    rm -rf "$dir"
    mkdir -p "$dir$bindir" "$dir$sharedir/extension" "$dir$pkglibdir"
    cp -L "$bindir"/* "$dir$bindir/"
    ln -s "$pkglibdir"/* "$dir$pkglibdir/"
    find "$sharedir" -mindepth 1 -maxdepth 1 ! -name extension -exec ln -s -t "$dir$sharedir" {} +
    find "$sharedir/extension" -mindepth 1 -maxdepth 1 -exec ln -s -t "$dir$sharedir/extension" {} +
    # An extension that the system has already is not ours to write through a link.
    find "$dir$sharedir/extension" "$dir$pkglibdir" -name 'pg_retrain*' -exec rm {} +
    printf '%s\n' "$stamp" >"$dir/made-from"
  fi
  printf '%s\n' "$dir$bindir"
}

# One digest of everything that a build depends on.
source_digest() {
  (cd "$ROOT" && find Makefile pg_retrain.control src -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum |
    cut -c1-16
}

# ---- progress --------------------------------------------------------------------------------------------------------

CHILD=
# Ends what run_quietly() has started, with everything that it started in turn.
kill_child() {
  if [ -n "$CHILD" ] && kill -- "-$CHILD" 2>/dev/null; then
    wait "$CHILD" 2>/dev/null || true
  fi
  CHILD=
}

# run_quietly LABEL LOG COMMAND...: output goes to the log; the time that has passed is shown meanwhile.
run_quietly() {
  local label=$1 log=$2 status=0 start=$SECONDS shown=0 elapsed
  shift 2
  set -m # a process group of its own, which can be ended as a whole
  "$@" >"$log" 2>&1 </dev/null &
  CHILD=$!
  set +m
  while kill -0 "$CHILD" 2>/dev/null; do
    sleep 0.2
    elapsed=$((SECONDS - start))
    if [ -t 1 ]; then
      printf '\r  %s  %d s ' "$label" "$elapsed"
    elif [ $((elapsed - shown)) -ge 20 ]; then
      shown=$elapsed
      say "  $label: $elapsed s so far"
    fi
  done
  wait "$CHILD" || status=$?
  CHILD=
  [ ! -t 1 ] || printf '\r\033[K'
  return "$status"
}
