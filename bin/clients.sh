# Sourced by setup --dev: a customer's program in each language that has an SDK, for tests/clients/test_other_sdks.py,
# and programs of others on it: Cloud Custodian, Tencent's MCP server (test_custodian.py, test_mcp_server.py).
# tests/clients/programs/<language> -> build/clients/<language>/run, or `why`, a sentence that says why there is none.

client_programs() {
  [ "$KIND" = dev ] || return 0
  client_program go "$(command -v go || true)"
  client_program java "$(command -v javac >/dev/null && command -v mvn || true)"
  client_program node "$(command -v node || true)"
  client_program custodian "$ENV/bin/python"
  client_program mcp "$ENV/bin/python"
}

client_program() { # language, its toolchain here
  local source=$ROOT/tests/clients/programs/$1 built=$ROOT/build/clients/$1 wanted
  wanted=$(cat "$source"/* "$ROOT/bin/clients.sh" | sha256sum | cut -c1-64)-$2
  [ "$(cat "$built/made" 2>/dev/null)" = "$wanted" ] && return 0
  say "client program in $1"
  mkdir -p "$ROOT/build/clients"
  local new
  new=$(mktemp -d "$ROOT/build/clients/.$1-XXXXXX")
  cp "$source"/* "$new"
  echo "$wanted" >"$new/made"
  (cd "$new" && "program_in_$1" "$2") || { rm -rf "$new"; fail "the client program in $1 could not be made"; }
  chmod -R go+rX "$new"
  rm -rf "$built"
  mv "$new" "$built"
}

without() { # this language is left out: why, and whether another setup may find it otherwise
  echo "$1" >why
  say "$1: its tests are skipped"
  [ "${2:-}" = for_now ] && rm made
  return 0
}

runs() { # the program's command line, beside its files
  printf '#!/bin/sh\ncd "$(dirname "$0")" && exec %s "$@"\n' "$1" >run
  chmod 755 run
}

told() { "$@" >"$LOG" 2>&1 || { cat "$LOG" >&2; return 1; }; }

program_in_go() {
  [ -n "$1" ] || { without "there is no Go toolchain on this machine"; return; }
  export GOWORK=off GOFLAGS=-buildvcs=false
  go mod download >"$LOG" 2>&1 || # go.sum has the checksums
    { ! grep 'checksum mismatch' "$LOG" >&2 && without "the Go SDK could not be downloaded" for_now; return; }
  told go build -mod=readonly -o machine . && runs ./machine
}

program_in_java() {
  [ -n "$1" ] || { without "there is no JDK with Maven on this machine"; return; }
  mvn -q -B dependency:copy-dependencies -DoutputDirectory=jars >"$LOG" 2>&1 ||
    { without "the Java SDK could not be downloaded" for_now; return; }
  (cd jars && told sha256sum --check --strict --quiet ../jars.sha256 && [ "$(ls | wc -l)" -eq "$(wc -l <../jars.sha256)" ]) ||
    return 1 # one that is not listed counts as well
  told javac -d . -cp 'jars/*' Machine.java && runs "java -XX:TieredStopAtLevel=1 -cp '.:jars/*' Machine"
}

program_in_node() {
  npm_command
  told "${NPM[@]}" "${NPM_CI[@]}" && runs "'$(command -v node)' machine.mjs"
}

program_in_custodian() { python_program "$1" "Cloud Custodian" "-m c7n.cli"; }

program_in_mcp() { python_program "$1" "Tencent's MCP server" "-c 'from mcp_server_cvm import main; main()'"; }

python_program() { # Python, what it is, how it begins; its packages lie beside it, apart from those of the shop
  "$1" -m pip install -q --no-input --disable-pip-version-check --no-deps --no-compile --require-hashes \
    --only-binary :all: --target packages -r requirements.txt >"$LOG" 2>&1 ||
    { ! grep 'DO NOT MATCH THE HASHES' "$LOG" >&2 && without "$2 could not be installed" for_now; return; }
  runs "env PYTHONPATH=packages '$1' -S $3"
}
