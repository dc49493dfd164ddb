"""What the engine's refusals become: a sentence for the customer, its own words for the seller, tried again or not."""

from typing import Any

import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import IncusError
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.refusals import said


@pytest.mark.parametrize(
    ("code", "text", "sentence", "transient"),
    [
        (400, "Failed creating: write /rootfs: no space left on device", "The host's storage is full.", False),
        (400, "Network not found", "The private network was just being made anew.", True),
        (400, "Invalid limits.cpu", "The compute engine refused the request.", False),
        (500, "Failed to run: nft -f -: exit status 1", "The compute engine refused the request.", True),
        (500, "Unpack failed: exit status 1", "The host could not unpack the system.", False),
        (503, "Daemon is shutting down", "The compute engine refused the request.", True),
    ],
)
def test_a_refusal_is_said(code: int, text: str, sentence: str, *, transient: bool) -> None:
    told = said(IncusError(code, text))
    assert (told.sentence, told.detail, told.transient) == (sentence, text, transient)


@pytest.mark.parametrize("verb", ["ensure_password", "ensure_ssh_keys", "ensure_hostname"])
def test_a_virtual_machine_that_is_off_cannot_be_reached_into(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    engine = IncusEngine({"deployment": "d", "socket": "/nonexistent"})
    monkeypatch.setattr(engine, "_ours", lambda name: {"status": "Stopped", "type": "virtual-machine"})
    asked: dict[str, Any] = {
        "ensure_password": lambda: engine.ensure_password("ins-1", "root", "$6$s$h"),
        "ensure_ssh_keys": lambda: engine.ensure_ssh_keys("ins-1", "root", [], [], passwords=True),
        "ensure_hostname": lambda: engine.ensure_hostname("ins-1", "web-2"),
    }
    with pytest.raises(EngineError) as refusal:
        asked[verb]()
    assert (refusal.value.sentence, refusal.value.transient) == (
        "A virtual machine has to run for its system to be changed.", False,
    )  # fmt: skip
