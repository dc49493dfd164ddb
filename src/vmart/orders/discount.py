"""A discount of one customer, as the seller says it: so many percent off every list price, from a full hour on.

What is kept is the part that the account pays (``customers.discounts``), under the account's lock: of two at once the
last one holds, and both are told.
"""

import datetime as dt
import re
from decimal import Decimal

from vmart.customers import discounts
from vmart.events.actor import Actor
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue
from vmart.orders.by_hand import check_reason
from vmart.orders.standing import locked, told

_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")
_ALL = 100


def factor_of(percent: str) -> Decimal:
    """What part is paid with so many percent off (decimal text, 0 to 100, two places). Raises InvalidValue."""
    text = percent.strip()
    if not _PERCENT.fullmatch(text) or Decimal(text) > _ALL:
        raise InvalidValue(
            "The discount is {value}; it must be a number of percent from 0 to {most}, with at most {places} decimals.",
            field="factor", value=text[:40] or "(empty)", most=_ALL, places=discounts.PLACES - 2,
        )  # fmt: skip
    return 1 - Decimal(text) / _ALL


def percent_off(factor: Decimal) -> str:
    """The same as decimal text, without zeros at its end."""
    return format(((1 - factor) * _ALL).normalize(), "f")


def set_factor(account_id: int, factor: Decimal, reason: str, actor: Actor) -> bool:
    """From the next full hour on the account pays ``factor`` (0 to 1) of list prices, instead of what was set for it.

    What holds by then anyway withdraws what was set. False when it is so by then already. The reason is shown to the
    customer. Raises InvalidValue, NotFound, NotPermitted.
    """
    check_reason(reason)
    discounts.check(factor)
    with locked(account_id):
        now, why = clock.now(), reason.strip()
        was = _at_its_hour(account_id, now)
        return discounts.keep(account_id, factor, why, actor.name, now) and _told(account_id, was, now, actor, why)


def withdraw(account_id: int, actor: Actor) -> bool:
    """Let what was set for the next full hour never begin; False where nothing is. Raises NotFound, NotPermitted."""
    with locked(account_id):
        now = clock.now()
        was = _at_its_hour(account_id, now)
        return discounts.withdraw(account_id, now) and _told(account_id, was, now, actor)


def _at_its_hour(account_id: int, now: dt.datetime) -> Decimal:
    """What is paid when that begins which is set now."""
    return discounts.planned(account_id, discounts.begins(now))


def _told(account_id: int, was: Decimal, now: dt.datetime, actor: Actor, why: str = "") -> bool:
    before, after = {"percent_off": percent_off(was)}, {"percent_off": percent_off(_at_its_hour(account_id, now))}
    more = {"why": why} if why else {}
    if set_now := discounts.replaceable(account_id, now):
        return told(account_id, "discount", before, after | {"from_at": set_now.from_at.isoformat()}, actor, **more)
    return told(account_id, "discount_withdrawn", before, after, actor, **more)
