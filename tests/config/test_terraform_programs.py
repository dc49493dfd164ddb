"""Given the list of Terraform's programs, when setup builds them, then each is what the list pins, or nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_RUN = """
. bin/env.sh; . bin/terraform.sh
ROOT=$1 PROGRAMS=$1/programs PINS=$1/programs.txt ENV=$2 LOG=$1/log
terraform_programs
"""
_GO = """#!/bin/sh
echo "$GOTOOLCHAIN $*" >>"{folder}/asked"
case "$1" in
  mod) cat "{folder}/told"; grep -q Sum "{folder}/told" ;;
  build) cp main.go "$5" ;;
esac
"""
_LINE = "go go1.2.3\ntofu example.test/tofu v1 h1:right ./cmd/tofu{clone}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a Go that tells what is put into ``told``, and a module that it has "downloaded"."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "main.go").write_text("made of the module")
    (tmp_path / "bin" / "go").write_text(_GO.format(folder=tmp_path))
    (tmp_path / "bin" / "go").chmod(0o755)
    (tmp_path / "programs.txt").write_text(_LINE.format(clone=""))
    return tmp_path


def _build(folder: Path, told: dict[str, str], **variables: str) -> "subprocess.CompletedProcess[str]":
    (folder / "told").write_text(json.dumps(told))
    paths = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _RUN, "bash", folder, sys.prefix], cwd=ROOT, capture_output=True, text=True,
        check=False, env=os.environ | {"PATH": paths} | variables,
    )  # fmt: skip


def _right(folder: Path) -> dict[str, str]:
    return {"Sum": "h1:right", "Dir": str(folder / "module")}


def test_it_is_built_once_and_what_it_took_is_said(folder: Path) -> None:
    for _ in range(2):
        done = _build(folder, _right(folder))
        assert (done.returncode, "tofu v1 is in place" in done.stderr) == (0, True), done.stderr
    assert (folder / "build" / "terraform" / "tofu").read_text() == "made of the module"
    asked = (folder / "asked").read_text()
    assert asked.count("go1.2.3 build -mod=readonly -ldflags=-s -w -o ") == 1
    assert [left.name for left in (folder / "build" / "terraform").resolve().iterdir()] == ["tofu"]
    assert "GiB the largest process" in _build(_emptied(folder), _right(folder)).stderr


def _emptied(folder: Path) -> Path:
    (folder / "build" / "terraform" / "tofu").unlink()
    return folder


def test_another_content_than_is_pinned_is_not_built(folder: Path) -> None:
    done = _build(folder, _right(folder) | {"Sum": "h1:wrong"})
    assert (done.returncode, "example.test/tofu v1 is not h1:right" in done.stderr) == (1, True), done.stderr
    assert list((folder / "build" / "terraform").iterdir()) == []


def test_what_the_proxy_refuses_is_said(folder: Path) -> None:
    done = _build(folder, {"Error": "403 Forbidden"})
    assert (done.returncode, "403 Forbidden" in done.stderr) == (1, True)
    assert "tofu could not be built" in done.stderr


@pytest.mark.parametrize("how", ["right", "wrong", "unnamed"])
def test_it_is_taken_from_a_clone_at_its_commit(folder: Path, how: str) -> None:
    clone = folder / "clone"

    def git(*words: str) -> bytes:
        named = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "init.defaultBranch=main"]
        return subprocess.run(["git", "-C", clone, *named, *words], check=True, capture_output=True).stdout

    clone.mkdir()
    git("init")
    (clone / "main.go").write_text("made of the clone")
    git("add", ".")
    git("commit", "-m", "one")
    commit = git("rev-parse", "HEAD").decode().strip()
    archive = git("archive", "--format=tar", commit)
    checksum = subprocess.run(["sha256sum"], input=archive, check=True, capture_output=True).stdout.decode()[:64]
    pinned = "0" * 64 if how == "wrong" else checksum
    (folder / "programs.txt").write_text(_LINE.format(clone=f" {commit} {pinned}"))
    named = {} if how == "unnamed" else {"VMART_TERRAFORM_PROVIDER": str(clone)}
    done = _build(folder, {"Error": "403 Forbidden"}, **named)
    if how == "right":
        assert done.returncode == 0, done.stderr
        assert (folder / "build" / "terraform" / "tofu").read_text() == "made of the clone"
        assert "build -mod=vendor" in (folder / "asked").read_text()
        return
    assert (done.returncode, list((folder / "build" / "terraform").iterdir())) == (1, []), done.stderr
    assert ("name a clone of its repository by VMART_TERRAFORM_PROVIDER" in done.stderr) == (how == "unnamed")
