"""Discounts of customers: the part of list prices that an account pays, by the full hour from which it holds.

A discount begins with a full hour: what an hour costs is one price, and no hour that has begun is dearer than it was
shown. What is set less than ``_AHEAD`` before the hour begins with the one after it, so that no process has looked
before it is there: what holds in an hour that has begun never changes, and is kept in mind.
"""

import datetime as dt
import functools
from collections.abc import Callable, Collection
from decimal import Decimal

from vmart.customers.models import Account, Discount
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, NotFound

WHOLE = Decimal(1)
PLACES = 4  # of a factor
_LEAST = Decimal(1).scaleb(-PLACES)
_AHEAD = dt.timedelta(minutes=1)
_FEW = 8  # accounts whose parts are asked for one by one: each is kept in mind


def factor(account_id: int, at: dt.datetime | None = None) -> Decimal:
    """What part of list prices the account pays at ``at`` (business time, not to come; now): 0 to 1."""
    return next((part for _, part in _begun(account_id, clock.hour_start(at or clock.now()))), WHOLE)


@functools.lru_cache(maxsize=10_000)
def _begun(account_id: int, hour: dt.datetime) -> tuple[tuple[dt.datetime, Decimal], ...]:
    """From when on it has paid which part, the latest first, as of an hour that has begun."""
    rows = Discount.objects.filter(account_id=account_id, from_at__lte=hour).order_by("-from_at")
    return tuple((row.from_at, row.factor.normalize()) for row in rows)


def forget() -> None:
    """Drop what is kept in mind: another database, or a test's end."""
    _begun.cache_clear()


def factors(account_ids: Collection[int]) -> dict[int, Decimal]:
    """What part each of the accounts pays now."""
    if len(account_ids) <= _FEW:
        return {account: factor(account) for account in account_ids}
    found = Discount.objects.filter(account_id__in=account_ids, from_at__lte=clock.now())
    held = found.order_by("account_id", "-from_at").distinct("account_id").values_list("account_id", "factor")
    return dict.fromkeys(account_ids, WHOLE) | {account: part.normalize() for account, part in held}


def by_hour(account_id: int) -> Callable[[dt.datetime], Decimal]:
    """What part the account pays in the hour that begins at an instant, which is not to come."""
    begun = _begun(account_id, clock.hour_start(clock.now()))
    return lambda at: next((part for from_at, part in begun if from_at <= at), WHOLE)


def planned(account_id: int, at: dt.datetime) -> Decimal:
    """What part it is to pay at an instant to come, as it is set now."""
    row = Discount.objects.filter(account_id=account_id, from_at__lte=at).order_by("-from_at").first()
    return row.factor.normalize() if row else WHOLE


def of(account_id: int) -> list[Discount]:
    """All that an account has had and is to have, the newest first."""
    return list(Discount.objects.filter(account_id=account_id).order_by("-from_at"))


def begins(at: dt.datetime) -> dt.datetime:
    """From when on holds what is set at ``at``: a full hour, ``_AHEAD`` away at least."""
    return clock.hour_start(at + _AHEAD) + clock.HOUR


def to_come(account_id: int, at: dt.datetime | None = None) -> Discount | None:
    """What is set for a full hour to come and does not hold yet at ``at`` (business time; now)."""
    return Discount.objects.filter(account_id=account_id, from_at__gt=at or clock.now()).order_by("from_at").first()


def replaceable(account_id: int, at: dt.datetime) -> Discount | None:
    """What ``keep`` and ``withdraw`` take back at ``at``: what begins no sooner than what is set then."""
    return Discount.objects.filter(account_id=account_id, from_at__gte=begins(at)).first()


def check(wanted: Decimal) -> None:
    """Raise InvalidValue unless it is a part of list prices."""
    if not (wanted.is_finite() and 0 <= wanted <= WHOLE and wanted == wanted.quantize(_LEAST)):
        raise InvalidValue("A discount is a part of list prices from 0 to 1, to four places.", field="factor")


def withdraw(account_id: int, at: dt.datetime) -> bool:
    """Take back what is ``replaceable`` at ``at``; False where nothing is.

    Belongs into the act, which holds the account's lock.
    """
    db.require_transaction()
    withdrawn, _ = Discount.objects.filter(account_id=account_id, from_at__gte=begins(at)).delete()
    return withdrawn > 0


def keep(account_id: int, wanted: Decimal, reason: str, by: str, at: dt.datetime | None = None) -> bool:
    """From a full hour to come on the account pays ``wanted`` of list prices, and what was set for one is not.

    False where that changes nothing. Belongs into the act, which holds the account's lock.

    Raises InvalidValue, NotFound.
    """
    db.require_transaction()
    check(wanted)
    if not Account.objects.filter(pk=account_id).exists():
        raise NotFound("There is no customer {id}.", field="account_id", id=account_id)
    now = at or clock.now()
    from_at = begins(now)
    if planned(account_id, from_at) == wanted:
        return False
    withdraw(account_id, now)
    if planned(account_id, from_at) != wanted:
        Discount.objects.create(
            account_id=account_id, from_at=from_at, factor=wanted, reason=reason, by=by, created_at=now
        )
    return True
