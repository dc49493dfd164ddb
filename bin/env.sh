# Sourced by the commands beside it: where the programs and the source live, and how to say things.
# Sets ROOT (the clone), ENV (the virtual environment), SRC (where Python reads vmart from).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
PROGRAMS=${VMART_PROGRAMS:-/opt/vmart} # as root: environments, and copies of clones in private folders
STARTED=${EPOCHREALTIME/[.,]/}

say() { # progress with the seconds since the command began
  local ms=$(((${EPOCHREALTIME/[.,]/} - STARTED) / 1000))
  printf '[%4d.%d s] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

fail() {
  printf 'vmart: %s\n' "$*" >&2
  exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Every user can pass through all folders above $1 and read it.
readable_by_all() {
  local place
  place=$(readlink -f "$1") || return 1
  [ -d "$place" ] || { [ $((0$(stat -c %a "$place") & 4)) -ne 0 ] || return 1; place=$(dirname "$place"); }
  while :; do
    [ $((0$(stat -c %a "$place") & 1)) -ne 0 ] || return 1
    [ "$place" = / ] && return 0
    place=$(dirname "$place")
  done
}

# A Python >= 3.11; as root one that the unprivileged users of web and worker can read too.
find_python() {
  local candidate path
  for candidate in ${VMART_PYTHON:-} /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
    path=$(command -v "$candidate") || continue
    "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    path=$("$path" -c 'import os, sys; print(os.path.realpath(sys.executable))') || continue
    if is_root && ! readable_by_all "$path"; then continue; fi
    echo "$path"
    return 0
  done
  return 1
}

# The environment's folder for a requirements file: as root under $PROGRAMS (decision 9), by contents.
environment_folder() { # base|dev
  if is_root; then
    echo "$PROGRAMS/env-$(requirements_hash "$1" | cut -c1-12)"
  else
    echo "$ROOT/.venv"
  fi
}

requirements_hash() { # base|dev
  { cat "$ROOT/requirements/$1.txt"; readlink -f "$(command -v "${VMART_PYTHON:-/usr/bin/python3}" || echo none)"; uname -m; } |
    sha256sum | cut -c1-64
}

# Sets ENV to the environment to use: $VMART_ENV as it is, the one with the test tools when it is there.
find_environment() { # base|dev
  local kind
  if [ -n "${VMART_ENV:-}" ]; then
    ENV=$VMART_ENV
    return 0
  fi
  for kind in dev "$1"; do
    [ "$1" = dev ] && [ "$kind" != dev ] && continue
    ENV=$(environment_folder "$kind")
    [ "$(cat "$ENV/.vmart-$kind" 2>/dev/null)" = "$(requirements_hash "$kind")" ] && return 0
  done
  ENV=$(environment_folder "$1")
  return 1
}

# Sets SRC: the clone, or the copy of it where the clone lies in a private folder.
find_source() {
  if is_root && ! readable_by_all "$ROOT"; then
    SRC=$PROGRAMS/clone-$(printf %s "$ROOT" | sha256sum | cut -c1-12)
  else
    SRC=$ROOT
  fi
}
