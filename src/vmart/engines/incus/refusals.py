"""What the server refuses, in sentences for customers; its own words go to the seller."""

from typing import NamedTuple

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import IncusError
from vmart.engines.incus.room import DELETE_FILES, DISK_FULL

NO_NETWORK = "network not found"
QUOTA = "disk quota"


class Refusal(NamedTuple):
    """A server's refusal that has ``sign`` in its words, as the customer is told of it."""

    sign: str
    sentence: str
    transient: bool
    helps: str = ""


_KNOWN = (
    Refusal(sign="no space left", sentence="The host's storage is full.", transient=False),
    Refusal(sign="unpack failed", sentence="The host could not unpack the system.", transient=False),
    Refusal(sign=QUOTA, sentence=DISK_FULL, transient=False, helps=DELETE_FILES),
    Refusal(sign="already in use", sentence="An address of the machine is in use.", transient=False),
    Refusal(sign="alias", sentence="The image is not ready in this zone.", transient=True),
    Refusal(sign="offline", sentence="The host does not answer.", transient=True),
    Refusal(sign=NO_NETWORK, sentence="The private network was just being made anew.", transient=True),
)


def said(error: IncusError) -> EngineError:
    """The server's refusal as the customer is told of it."""
    for refusal in _KNOWN:
        if refusal.sign in error.text.lower():
            helps = refusal.helps
            return EngineError(refusal.sentence, transient=refusal.transient, detail=error.text, helps=helps)
    return error
