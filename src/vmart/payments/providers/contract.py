"""What a card provider is to the shop: six verbs, in one file a provider.

To add one: a class here-beside with ``@card_provider``, a line in ``providers/__init__.py``, and its
stand-in in ``tests/payments/test_contract.py``. Raw card numbers reach neither us nor this contract.
"""

import datetime as dt
import enum
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from vmart.kernel import db

VERBS = ("create", "look_up", "cancel", "refund", "look_up_refund", "paid_since")


class Status(enum.StrEnum):
    """Where the money is. ``UNKNOWN``: no answer, or one that does not tell; asked again, never paid again."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Charge:
    """What is asked, in whole minor units. ``token`` names it for ever (the idempotency key), ``deployment`` who asks;

    ``reference`` is the provider's id.
    """

    token: str
    amount_minor: int
    currency: str
    reference: str = ""
    deployment: str = ""

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError(f"an amount is in whole minor units, not {self.amount_minor!r}")


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back by the charge it came by: whole minor units, at most what is left of that charge.

    ``token`` names it for ever (the idempotency key). ``charge`` is the provider's id of the charge, ``reference`` its
    id of this refund, "" before it has told one. ``deployment`` is who asks.
    """

    token: str
    amount_minor: int
    currency: str
    charge: str
    reference: str = ""
    deployment: str = ""

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError(f"an amount is in whole minor units, not {self.amount_minor!r}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider says of a charge, or of a refund.

    ``amount_minor`` and ``currency`` are what it took or gave back, told with SUCCEEDED. ``reason``: why it failed, or
    why a pending charge needs another card (for the customer). ``page`` is what the page needs to go on.
    """

    status: Status
    reference: str = ""
    amount_minor: int | None = None
    currency: str = ""
    reason: str = ""
    page: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A provider's message about what has our ``token``, which ``deployment`` asked for ("" unknown).

    ``refund_of``: it is about a refund of this charge, by the provider's id; "" where it is about a charge.
    """

    token: str
    outcome: Outcome
    deployment: str = ""
    refund_of: str = ""


def printable(text: str) -> str:
    """What a provider says, as a column can keep it: JSON may hold characters that are none."""
    return "".join(character if character.isprintable() else " " for character in text)


class WebhookRefused(Exception):
    """A message that is not the provider's, is too old, or cannot be read."""


class WebhookUnreadable(Exception):
    """A message that is the provider's, and about something of ours, and has values that it should not have."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(why)
        self.reference = reference


class NoAnswer(Exception):
    """The provider did not tell, for now."""

    transient = True


class CardProvider(Protocol):
    """``VERBS`` talk to the provider, outside any transaction only.

    All but ``paid_since`` raise nothing for what a provider may answer: a lost answer is the outcome UNKNOWN.
    ``refund_takes``: a sentence, to be translated, of when the card has what was given back.
    """

    name: str
    refund_takes: str

    def step_minor(self, currency: str) -> int:
        """What amounts in the currency are multiples of, in minor units: 1, 10 or 100."""
        ...

    def prepare(self, token: str, method: str) -> str:
        """The reference the charge will have, where the provider lets us choose it, else "".

        ``method`` is what the form sent beside the amount. Raises UnknownCard for one that it does not take.
        """
        ...

    def create(self, charge: Charge) -> Outcome:
        """Ask for the money. A repeat with the same token is the same charge."""
        ...

    def look_up(self, charge: Charge) -> Outcome:
        """How it stands: by its reference, or by its token when the answer that told the reference was lost."""
        ...

    def cancel(self, charge: Charge) -> Outcome:
        """End a charge that waits for its customer: FAILED, and it can succeed no more; or how it stands instead."""
        ...

    def refund(self, refund: Refund) -> Outcome:
        """Give money back by the charge. A repeat with the same token is the same refund, whenever it comes.

        SUCCEEDED: the provider has sent it. A bank may send it back later: then a message or a look says FAILED.
        """
        ...

    def look_up_refund(self, refund: Refund) -> Outcome:
        """How it stands: by its reference, or by its token; one that was never asked for is asked for now."""
        ...

    def paid_since(self, since: dt.datetime) -> "Sequence[Event | WebhookUnreadable]":
        """What its messages told of paid charges and of refunds begun since ``since`` (wall time). Raises NoAnswer."""
        ...

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        """A message's event, signature checked; None when it is about nothing of ours.

        Raises WebhookRefused, WebhookUnreadable.
        """
        ...


ProviderT = TypeVar("ProviderT")


def card_provider(cls: type[ProviderT]) -> type[ProviderT]:
    """Class decorator of every provider: what talks to it refuses to run while a transaction is open."""
    for name in VERBS:
        setattr(cls, name, _outside_transaction(cls.__dict__[name]))
    return cls


def _outside_transaction(verb: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verb)
    def checked(*arguments: Any, **named: Any) -> Any:
        if db.in_transaction():
            raise RuntimeError(f"{verb.__qualname__} was called inside a transaction")
        return verb(*arguments, **named)

    return checked
