"""The seller credits or debits a customer by hand: an amount, a reason, and who it was. Never below zero."""

import re
from dataclasses import dataclass
from decimal import Decimal

from django.db import DatabaseError

from vmart.catalog import shop
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.kernel.money import exponent, shown_minor, to_minor
from vmart.ledger.models import ByHand, Purses
from vmart.orders import end_arrears
from vmart.orders.errors import InsufficientBalance, TokenReused

PURSES = ("cash", "gift")
AMOUNT_MAX_MINOR = 10**12
REASON_MAX = 200
KEY_MAX = 64


@dataclass(frozen=True, slots=True)
class Movement:
    """Minor units, negative for a debit; ``key`` makes a repeat known: the same one moves money once."""

    account_id: int
    amount_minor: int
    purse: str
    reason: str
    actor: Actor
    key: str


def amount_of(text: str) -> int:
    """Currency units as decimal text, exact and above zero, in minor units. Raises InvalidValue."""
    currency = shop.snapshot().currency
    places = exponent(currency)
    fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
    if not re.fullmatch(rf"[0-9]{{1,12}}{fraction}", text.strip()):
        raise InvalidValue(
            "The amount is {value}; it must be a number of {currency} above 0, with at most {places} decimals.",
            field="amount_minor", value=text[:40] or "(empty)", currency=currency, places=places,
        )  # fmt: skip
    amount_minor = to_minor(Decimal(text.strip()), places)
    if not 0 < amount_minor <= AMOUNT_MAX_MINOR:
        raise InvalidValue(
            "The amount must be above 0 and at most {most}.",
            field="amount_minor", most=shown_minor(AMOUNT_MAX_MINOR, currency),
        )  # fmt: skip
    return amount_minor


def move(wanted: Movement) -> bool:
    """Make the movement; False when this key has made it before.

    Raises InvalidValue, NotFound, InsufficientBalance where a debit asks more than lies free, TokenReused where the
    key has made another movement.
    """
    _check(wanted)
    transfer = ids.transfer_id("by_hand", wanted.account_id, wanted.key)
    currency = shop.snapshot().currency
    try:
        with db.act():
            fresh = db.call(
                "ledger_by_hand", transfer, wanted.account_id, wanted.purse, wanted.amount_minor, wanted.reason.strip(),
                wanted.actor.name, clock.now(),
            )  # fmt: skip
            if fresh:
                _tell(wanted)
            if fresh and wanted.amount_minor > 0:
                end_arrears.end(wanted.account_id)
    except DatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None or refusal[0] != "insufficient_balance":
            raise
        free, needed = (shown_minor(int(value), currency) for value in refusal[1].split("|"))
        raise InsufficientBalance(
            "{needed} cannot be taken: {free} lie free in this purse.", field="amount_minor", needed=needed, free=free
        ) from None
    if not fresh:
        _refuse_another(wanted, ByHand.objects.get(transfer_id=transfer))
    return bool(fresh)


def _tell(wanted: Movement) -> None:
    kind = "credited" if wanted.amount_minor > 0 else "debited"
    told = {"amount_minor": abs(wanted.amount_minor), "purse": wanted.purse, "why": wanted.reason.strip()}
    record.write(wanted.account_id, record.ACCOUNT, [wanted.account_id], kind, details=[told], actor=wanted.actor)


def _check(wanted: Movement) -> None:
    if wanted.purse not in PURSES:
        raise InvalidValue(
            "The purse is {value}; possible are cash and gift.", field="purse", value=wanted.purse[:20] or "(empty)"
        )
    check_reason(wanted.reason)
    check_key(wanted.key)
    if not Purses.objects.filter(account_id=wanted.account_id).exists():
        raise NotFound("There is no customer {id}.", field="account_id", id=wanted.account_id)


def check_reason(reason: str) -> None:
    """Raise InvalidValue unless there is a reason, of one line that the books can keep."""
    if not 0 < len(reason.strip()) <= REASON_MAX or not reason.strip().isprintable():
        raise InvalidValue("A reason is one line of 1 to {most} characters.", field="reason", most=REASON_MAX)


def check_key(key: str) -> None:
    """Raise InvalidValue unless it can make a repeat known."""
    if not 0 < len(key) <= KEY_MAX or not key.isprintable():
        raise InvalidValue("A key has 1 to {most} characters.", field="key", most=KEY_MAX)


def _refuse_another(wanted: Movement, made: ByHand) -> None:
    same = (made.amount_minor, made.purse, made.reason) == (wanted.amount_minor, wanted.purse, wanted.reason.strip())
    if not same:
        raise TokenReused(
            "The key {key} has made another movement of this customer's money.", field="key", key=wanted.key
        )
