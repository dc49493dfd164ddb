# Sourced by setup: OpenTofu and Tencent's provider, unmodified, for tests/clients/test_terraform.py (ADR 0070).
# tests/clients/terraform/programs.txt -> $PROGRAMS/terraform-HASH/PROGRAM, with build/terraform leading to it.
#   bin/setup --terraform                                         modules by the module proxy
#   VMART_TERRAFORM_PROVIDER=CLONE bin/setup --terraform          the provider out of a clone of its repository

PINS=$ROOT/tests/clients/terraform/programs.txt

terraform_folder() { # as root beside the environments, which come and go
  local name
  name=terraform-$(sha256sum <"$PINS" | cut -c1-12)
  if is_root; then echo "$PROGRAMS/$name"; else echo "$ROOT/build/$name"; fi
}

find_terraform() { # build/terraform leads to what was built once, if it was
  local folder
  folder=$(terraform_folder)
  [ -d "$folder" ] || return 0
  mkdir -p "$ROOT/build"
  ln -sfn "$folder" "$ROOT/build/terraform"
}

terraform_programs() {
  local go folder name module version sum package commit archive
  go=$(sed -n 's/^go //p' "$PINS")
  folder=$(terraform_folder)
  command -v go >/dev/null || fail "Terraform's programs need a Go toolchain of any version: install one"
  mkdir -p "$folder"
  find_terraform
  while read -r name module version sum package commit archive; do
    case "$name" in '' | '#'* | go) continue ;; esac
    [ -x "$folder/$name" ] || built_program || fail "$name could not be built"
    say "$name $version is in place"
  done <"$PINS"
}

built_program() { # one line of the list, in a copy of its own: go install refuses a module with a replace
  local work with=-mod=readonly
  work=$(mktemp -d "$folder/.build-XXXXXX")
  local -x GOTOOLCHAIN=$go GOWORK=off CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -buildvcs=false -trimpath"
  say "$name $version"
  program_source "$work/source" || { rm -rf "$work"; return 1; }
  say "building $name, which takes minutes"
  (cd "$work/source" && measured go build "$with" -ldflags='-s -w' -o "$work/$name" "$package") || { rm -rf "$work"; return 1; }
  chmod 755 "$work/$name"
  mv "$work/$name" "$folder/$name"
  rm -rf "$work"
}

program_source() { # folder; sets `with`. go.sum has the checksums of what it needs; a clone brings that along
  local told
  if told=$(cd "$folder" && GOFLAGS=-mod=mod go mod download -json "$module@$version" 2>"$LOG"); then
    said "$told" Sum | grep -qxF "$sum" || { printf 'vmart: %s %s is not %s\n' "$module" "$version" "$sum" >&2; return 1; }
    cp -r "$(said "$told" Dir)" "$1" && chmod -R u+w "$1"
    return
  fi
  [ -n "$commit" ] || { said "$told" Error >&2; return 1; }
  [ -n "${VMART_TERRAFORM_PROVIDER:-}" ] || {
    said "$told" Error >&2
    printf 'vmart: the module proxy does not have %s: name a clone of its repository by VMART_TERRAFORM_PROVIDER\n' "$module" >&2
    return 1
  }
  git -C "$VMART_TERRAFORM_PROVIDER" archive --format=tar "$commit" >"$1.tar" || return 1
  echo "$archive  $1.tar" | sha256sum --check --strict --quiet >&2 || return 1
  with=-mod=vendor
  mkdir "$1" && tar -xf "$1.tar" -C "$1" && rm "$1.tar"
}

said() { "$ENV/bin/python" -c 'import json, sys; print(json.loads(sys.argv[1] or "{}").get(sys.argv[2], ""))' "$1" "$2"; }

measured() { # runs it, then says its time and the largest process's memory
  "$ENV/bin/python" - "$@" <<'PY'
import resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(
    f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor,"
    f" {used.ru_maxrss / 1024**2:.1f} GiB the largest process", file=sys.stderr,
)
sys.exit(code)
PY
}
