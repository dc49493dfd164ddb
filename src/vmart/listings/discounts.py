"""An account's discount: what holds, what begins with the next full hour, and all that it has had."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from vmart.catalog import shop
from vmart.customers import discounts
from vmart.customers.models import Discount
from vmart.kernel import clock
from vmart.kernel.money import CONTEXT
from vmart.listings import at_a_glance
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.orders.discount import percent_off
from vmart.pricing import books


@dataclass(frozen=True, slots=True)
class Held:
    """``factor``: the part of list prices that is paid now.

    ``coming``: what is set and does not hold yet, the soonest first: one, or two in the last minute of an hour. What
    ``can_be_withdrawn`` is the last of it.
    """

    factor: Decimal
    coming: Sequence[Discount]
    can_be_withdrawn: bool

    @property
    def is_any(self) -> bool:
        """Whether other than list prices are paid now, or are to be."""
        return self.factor != discounts.WHOLE or bool(self.coming)

    @property
    def percent_off(self) -> str:
        return percent_off(self.factor)

    @property
    def last(self) -> Discount | None:
        """What is to come after all that is set."""
        return self.coming[-1] if self.coming else None


@dataclass(frozen=True, slots=True)
class Hour:
    """What an hour of all that is in use costs the account now, and with another discount; exact currency units."""

    now: Decimal
    then: Decimal


def held(account_id: int) -> Held:
    """What holds now and what is to come. One query."""
    now = clock.now()
    latest = list(Discount.objects.filter(account_id=account_id).order_by("-from_at")[:3])  # two at most are to come
    coming = [row for row in reversed(latest) if row.from_at > now]
    holds = next((row.factor.normalize() for row in latest if row.from_at <= now), discounts.WHOLE)
    return Held(holds, coming, any(row.from_at >= begins() for row in coming))


def begins() -> dt.datetime:
    """From when on holds what is set now."""
    return discounts.begins(clock.now())


def of_account(account_id: int, before: str = "") -> Page[Discount]:
    """All of them, the latest first: a page. One query."""
    key = number(before)
    own = Discount.objects.filter(account_id=account_id).order_by("-id")
    rows = list((own.filter(id__lt=key) if key is not None else own)[: PAGE + 1])
    return cut(rows, lambda row: row.pk, first=key is None)


def hour(account_id: int, factor: Decimal, then: Decimal) -> Hour | None:
    """An hour of the account at ``factor`` of list prices and at ``then`` of them; None while a price is missing."""
    now = clock.now()
    listed = at_a_glance.per_hour_by(account_id, books.current_book(shop.snapshot().generation, now), now)
    if listed is None:
        return None
    with localcontext(CONTEXT):
        return Hour(listed * factor, listed * then)
