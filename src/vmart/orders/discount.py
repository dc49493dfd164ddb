"""A discount of one customer, as the seller says it: so many percent off every list price, from the next full hour on.

What is kept is the part that the account pays (``customers.discounts``), under the account's lock: of two at once the
last one holds, and both are told.
"""

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

    The factor that holds now withdraws what was set. False when nothing changes. The reason is shown to the customer.
    Raises InvalidValue, NotFound, NotPermitted.
    """
    check_reason(reason)
    discounts.check(factor)
    with locked(account_id):
        now, why = clock.now(), reason.strip()
        held, coming = discounts.factor(account_id, now), discounts.to_come(account_id, now)
        if coming and (coming.factor, coming.reason) == (factor, why):
            return False
        if not discounts.keep(account_id, factor, why, actor.name, now):
            return False
        if factor == held:
            assert coming is not None
            return _withdrawn(account_id, coming.factor, held, actor, why)
        begins = discounts.begins(now)
        before = {"percent_off": percent_off(coming.factor if coming else held)}
        after = {"percent_off": percent_off(factor), "from_at": begins.isoformat()}
        return told(account_id, "discount", before, after, actor, why=why)


def withdraw(account_id: int, actor: Actor) -> bool:
    """Let what was set for the next full hour never begin; False where nothing is. Raises NotFound, NotPermitted."""
    with locked(account_id):
        now = clock.now()
        coming = discounts.withdraw(account_id, now)
        if coming is None:
            return False
        return _withdrawn(account_id, coming.factor, discounts.factor(account_id, now), actor, "")


def _withdrawn(account_id: int, was: Decimal, holds: Decimal, actor: Actor, why: str) -> bool:
    before, after = {"percent_off": percent_off(was)}, {"percent_off": percent_off(holds)}
    return told(account_id, "discount_withdrawn", before, after, actor, **({"why": why} if why else {}))
