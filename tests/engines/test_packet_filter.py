"""Given a packet filter, then no answer of it is taken for no bytes, and what is closed in it stays closed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus import firewall, links
from vmart.engines.incus.firewall import Firewall
from vmart.engines.incus.host import names_of_deployment


def _answers(monkeypatch: pytest.MonkeyPatch, returncode: int, stderr: str) -> Firewall:
    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, returncode, "", stderr)

    monkeypatch.setattr(firewall, "run", run)
    return Firewall(names_of_deployment("counts"))


def test_without_a_table_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _answers(monkeypatch, 1, "Error: No such file or directory\n").counts() == {}


def test_an_error_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    filter_ = _answers(monkeypatch, 1, "netlink: Error: cache initialization failed: Interrupted system call\n")
    with pytest.raises(EngineError, match="cache initialization failed") as refusal:
        filter_.counts()
    assert (refusal.value.sentence, refusal.value.transient) == ("The packet filter does not answer.", True)


def test_a_host_that_is_closed_for_others_is_not_opened_by_who_does_not_know_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a host that was told to forward, when a process makes the table anew that does not see that it was."""
    scripts: list[str] = []

    def run(command: list[str], *, text: str = "", **_: Any) -> "subprocess.CompletedProcess[str]":
        scripts.append(text)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(firewall, "run", run)
    monkeypatch.setattr(links, "TOLD", tmp_path / "told")
    filter_ = Firewall(names_of_deployment("closed"))
    for told in (True, False):
        links.TOLD.touch() if told else links.TOLD.unlink()
        filter_.ensure_base()
    said = [[line for line in script.splitlines() if " others" in line] for script in scripts]
    table = f"inet {names_of_deployment('closed').table}"
    made = f"add chain {table} others {{ type filter hook forward priority -10; policy accept; }}"
    assert said[1] == [made]
    assert (said[0][:2], said[0][-1]) == ([made, f"flush chain {table} others"], f"add rule {table} others drop")
