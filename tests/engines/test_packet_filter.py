"""Given a packet filter, when it is asked for its counters, then no answer is never taken for no bytes."""

import subprocess
from typing import Any

import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus import firewall
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
