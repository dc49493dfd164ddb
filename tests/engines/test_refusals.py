"""What the engine's refusals become: a sentence for the customer, its own words for the seller, tried again or not."""

import pytest

from vmart.engines.incus.client import IncusError
from vmart.engines.incus.driver import IncusEngine


@pytest.mark.parametrize(
    ("code", "text", "sentence", "transient"),
    [
        (400, "Failed creating: write /rootfs: no space left on device", "The host's storage is full.", False),
        (400, "Network not found", "The private network was just being made anew.", True),
        (400, "Invalid limits.cpu", "The compute engine refused the request.", False),
        (500, "Failed to run: nft -f -: exit status 1", "The compute engine refused the request.", True),
        (503, "Daemon is shutting down", "The compute engine refused the request.", True),
    ],
)
def test_a_refusal_is_said(code: int, text: str, sentence: str, *, transient: bool) -> None:
    said = IncusEngine._said(IncusError(code, text))
    assert (said.sentence, said.detail, said.transient) == (sentence, text, transient)
