"""A component that is charged by the hour, changed while its machine is there (billing-rules, section 1).

An hour of the dearer one is set aside from the request on. The new one is charged from the second in which it is in
force, the old one until then.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.money import exponent
from vmart.orders import agreed, holds
from vmart.orders.agreed import New
from vmart.orders.errors import InsufficientBalance
from vmart.orders.live_cost import open_hours_minor
from vmart.orders.things import Thing
from vmart.orders.without_charge import STOP_CHARGING
from vmart.pricing import books
from vmart.pricing.errors import NoPrice
from vmart.pricing.hour import price_version, rate_per_hour
from vmart.pricing.priced import Term
from vmart.pricing.rules import hold_minor


@dataclass(frozen=True, slots=True)
class Hours:
    """All that a bundle is charged an hour at tier 1, now and then, exact; and what is set aside, in minor units."""

    hourly_now: Decimal
    hourly: Decimal
    hold_now_minor: int
    hold_minor: int


def hour_of(account_id: int, term: Term) -> Decimal:
    """What so much at this price key costs the account an hour at today's price, at tier 1. Raises NoPrice."""
    component, key, quantity = term
    rates = price_version(books.own_book(account_id, shop.snapshot().generation)).rates
    if key not in rates:
        raise NoPrice("The book has no price any more for {component}.", component=component)
    return rate_per_hour(rates[key], quantity)


def reckoned(things: Sequence[Thing], more: Sequence[Decimal]) -> list[Hours]:
    """What each bundle is charged with so much more an hour."""
    places, now = exponent(shop.snapshot().currency), _hourly(things)
    found = []
    for thing, extra in zip(things, more, strict=True):
        before, then = now[thing.id], now[thing.id] + extra
        found.append(Hours(before, then, hold_minor([before], places), hold_minor([then], places)))
    return found


def _hourly(things: Sequence[Thing]) -> dict[int, Decimal]:
    """What each bundle is charged an hour now: of one that is off without charge, what is charged on."""
    off = [thing.id for thing in things if _is_paused(thing)]
    on = [thing.id for thing in things if thing.id not in off]
    found = holds.hourly(on) | (holds.hourly(off, paused=True) if off else {})
    return {bundle: exact or Decimal(0) for bundle, exact in found.items()}


def _is_paused(thing: Thing) -> bool:
    """Only a machine is off without charge."""
    return isinstance(thing, Instance) and thing.stop_charging_mode == STOP_CHARGING


def set_aside(thing: Thing, hours: Hours, what: str) -> None:
    """An hour of the dearer one while the change to ``what`` is under way. Raises InsufficientBalance."""
    if hours.hold_minor <= hours.hold_now_minor:
        return
    with holds.or_refuse(lambda available, needed: InsufficientBalance(
        "One hour of {id} at {what} is set aside: {needed} are needed and {available} are available.",
        id=thing.public_id, what=what, needed=needed, available=available,
    )):  # fmt: skip
        holds.take([thing.subscription], [hours.hold_minor])


def more(thing: Thing, new: New) -> Decimal:
    """What it costs an hour more than what is agreed; less than 0 where it costs less."""
    return hour_of(thing.account_id, new.term) - hour_of(thing.account_id, agreed.had(new))


def in_force(thing: Thing, new: New) -> None:
    """From this second on ``new`` is what is charged of its component. Belongs into the act."""
    agreed.agree(new)
    at = db.call("metering_instant", clock.now())
    db.call("metering_end_each", [new.subscription_id], [new.term[0]], at)
    paused = [thing.id] if _is_paused(thing) else []
    db.call("metering_start", [thing.id], paused, at)
    hold_what_it_asks(thing)


def hold_what_it_asks(thing: Thing) -> None:
    """The hold falls to an hour of what is agreed now; it may be of the dearer one. Belongs into the act."""
    paused = _is_paused(thing)
    holds.shrink([thing.subscription], [holds.hour_minor([thing.id], paused=paused)[thing.id]])


def hold_what_was_used(things: Sequence[Thing], until: dt.datetime) -> None:
    """Nothing of them is charged by the hour any more: each hold falls to what its open hours have cost ``until`` then.

    They are of one account. Where nobody can say, the hold stays. Belongs into the act.
    """
    held = [thing for thing in things if thing.subscription.hold_id]
    if not held:
        return
    used = open_hours_minor(held[0].account_id, [thing.id for thing in held], until)
    holds.shrink([thing.subscription for thing in held], [used[thing.id] for thing in held])
