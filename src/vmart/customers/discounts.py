"""Discounts of customers: the part of list prices that an account pays, by the full hour from which it holds.

A discount begins with the next full hour: what an hour costs is one price, and no hour that has begun is dearer than
it was shown.
"""

import datetime as dt
from collections.abc import Collection
from decimal import Decimal

from vmart.customers.models import Account, Discount
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, NotFound

WHOLE = Decimal(1)
PLACES = 4  # of a factor
_LEAST = Decimal(1).scaleb(-PLACES)


def factor(account_id: int, at: dt.datetime | None = None) -> Decimal:
    """What part of list prices the account pays at ``at`` (business time; now): 0 to 1."""
    row = Discount.objects.filter(account_id=account_id, from_at__lte=at or clock.now()).order_by("-from_at").first()
    return row.factor.normalize() if row else WHOLE


def factors(account_ids: Collection[int], at: dt.datetime | None = None) -> dict[int, Decimal]:
    """The same of those accounts that do not pay all of it."""
    found = Discount.objects.filter(account_id__in=account_ids, from_at__lte=at or clock.now())
    held = found.order_by("account_id", "-from_at").distinct("account_id").values_list("account_id", "factor")
    return {account: factor.normalize() for account, factor in held if factor != WHOLE}


def of(account_id: int) -> list[Discount]:
    """All that an account has had and is to have, the newest first."""
    return list(Discount.objects.filter(account_id=account_id).order_by("-from_at"))


def to_come(account_id: int, at: dt.datetime | None = None) -> Discount | None:
    """What is set for the next full hour and does not hold yet at ``at`` (business time; now)."""
    return Discount.objects.filter(account_id=account_id, from_at__gt=at or clock.now()).first()


def begins(at: dt.datetime) -> dt.datetime:
    """From when on holds what is set at ``at``: the next full hour."""
    return clock.hour_start(at) + clock.HOUR


def check(wanted: Decimal) -> None:
    """Raise InvalidValue unless it is a part of list prices."""
    if not (wanted.is_finite() and 0 <= wanted <= WHOLE and wanted == wanted.quantize(_LEAST)):
        raise InvalidValue("A discount is a part of list prices from 0 to 1, to four places.", field="factor")


def withdraw(account_id: int, at: dt.datetime) -> Discount | None:
    """Take back what does not hold yet at ``at``; what it was. Belongs into the act, which holds the account's lock."""
    db.require_transaction()
    coming = to_come(account_id, at)
    Discount.objects.filter(account_id=account_id, from_at__gt=at).delete()
    return coming


def keep(account_id: int, wanted: Decimal, reason: str, by: str, at: dt.datetime | None = None) -> bool:
    """From the next full hour on the account pays ``wanted`` of list prices, and what was set for that hour is not.

    False where that changes nothing. Belongs into the act, which holds the account's lock.

    Raises InvalidValue, NotFound.
    """
    db.require_transaction()
    check(wanted)
    if not Account.objects.filter(pk=account_id).exists():
        raise NotFound("There is no customer {id}.", field="account_id", id=account_id)
    now = at or clock.now()
    withdrawn, _ = Discount.objects.filter(account_id=account_id, from_at__gt=now).delete()
    if factor(account_id, now) == wanted:
        return withdrawn > 0
    Discount.objects.create(
        account_id=account_id, from_at=begins(now), factor=wanted, reason=reason, by=by, created_at=now
    )
    return True
