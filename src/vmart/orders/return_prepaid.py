"""Return of what is paid ahead: the refund is quoted first, then posted; the thing goes to the bin.

Refund = paid − used value, cash and gift in the proportion in which they were paid; an upgrade gives back what was
paid for its whole days left; once per account, soon after delivery, everything (billing-rules, section 3; Tencent
213/9711). What differs by kind is a ``Kind``: of machines here, of disks in ``disks/give_back.py``.
"""

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from vmart.catalog import shop
from vmart.customers import quotas
from vmart.customers.models import Account
from vmart.instances.models import AT_REST, Instance
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import LimitExceeded
from vmart.kernel.money import exponent
from vmart.orders import agreed, isolate, lowering, term, windows
from vmart.orders import machines as m
from vmart.orders.credit import Credit, credit_all
from vmart.orders.errors import WrongState
from vmart.orders.models import Line, Order
from vmart.orders.things import Thing, end_usage, events, named_in
from vmart.policy import policy
from vmart.pricing import books, downgrade, upgrade
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.priced import BANDWIDTH_ORDER, PURCHASES, UPGRADES, Priced, Term
from vmart.pricing.quote import Quote, agreed_returnables, returnables
from vmart.pricing.rules import (
    Returnable,
    may_return_free,
    return_refund,
    split_refund,
    used_value,
    whole_months,
)
from vmart.subscriptions.models import Source, Subscription

_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class RefundQuote:
    """What a return of one thing gives back now, in minor units."""

    public_id: str
    paid_minor: int
    refund_minor: int
    cash_minor: int
    gift_minor: int
    first_free: bool
    free_days: int  # within so many days of its delivery it could be free
    by_line: tuple[tuple[int, int], ...]  # (order line, its part)


@dataclass(frozen=True, slots=True)
class EndedBandwidth:
    """Of one order line: what of its price was for bandwidth that ends now, what of that comes back, and how much gift.

    All of an upgrade was for it, so that nothing of that line is left.
    """

    line: int
    paid_minor: int
    refund_minor: int
    gift_minor: int
    is_upgrade: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """What is returned: how its account's are locked, when it may not be, and how it gets into the recycle bin.

    ``into_bin`` gets the things, the id of the request, the instant and when they are released.
    """

    lock: Callable[[int, Sequence[str]], Sequence[Any]]
    refuse: Callable[[Sequence[Any]], None]
    into_bin: Callable[[Sequence[Any], str, dt.datetime, dt.datetime], None]
    over_quota: str  # the code of a return too many


def refuse(machines: Sequence[Instance]) -> None:
    """Raise WrongMode or WrongState for machines that cannot be returned."""
    for machine in machines:
        m.refuse_postpaid(machine)
        m.refuse_state(machine, AT_REST, "UnsupportedOperation.InstanceStateShutdown")
    m.refuse_isolated(machines)  # of a term that is over nothing is left, and a return would move its end


def _into_bin(machines: Sequence[Instance], request_id: str, now: dt.datetime, release_at: dt.datetime) -> None:
    isolate.into_bin(
        machines, "TerminateInstances", request_id, source=Source.MANMADE, at=now, release_at=release_at,
        **term_ends(now),
    )  # fmt: skip
    windows.close(machines)
    lowering.withdraw(machines)


def term_ends(now: dt.datetime) -> dict[str, object]:
    """What is agreed of a term that is returned: a renewal out of the bin begins there."""
    return {"expires_at": now, "anchor_at": now, "arrears_since": None}


MACHINES = Kind(m.lock, refuse, _into_bin, "LimitExceeded.UserReturnQuota")


def quote_refund(account_id: int, public_ids: Sequence[str], kind: Kind = MACHINES) -> list[RefundQuote]:
    """What returns would give back; writes nothing. Raises what the return itself would: see ``give_back``."""
    with db.act():
        return _quoted(kind, kind.lock(account_id, public_ids), clock.now(), shop.snapshot().billing_zone)


def _quoted(kind: Kind, things: Sequence[Thing], now: dt.datetime, zone: ZoneInfo) -> list[RefundQuote]:
    kind.refuse(things)
    account = Account.objects.get(id=things[0].account_id)
    _refuse_over_quota(kind, account, things, now, zone)
    return _refunds(things, now, zone, free_used=_used_its_free(account))


def _used_its_free(account: Account) -> bool:
    return account.free_return_used_at is not None


def _refunds(things: Sequence[Thing], now: dt.datetime, zone: ZoneInfo, *, free_used: bool) -> list[RefundQuote]:
    """What each of an account's things gives back, returned together in this order: one of them is free at most."""
    numbers = [thing.id for thing in things]
    found, worth_of = _paid(numbers, now, or_ended=not free_used), _Worth(agreed.paid_ahead(numbers))
    paid = {number: [line for line in found[number] if _pays(line, now)] for number in numbers}
    for thing in things:
        if not paid[thing.id]:
            raise WrongState(
                "The term of {id} is over; nothing is left to give back.",
                field=named_in(thing), code="UnsupportedOperation.InstanceStateIsolating", id=thing.public_id,
            )  # fmt: skip
    refunds = []
    for thing in things:
        lines = paid[thing.id]
        ended = [line for line in found[thing.id] if line not in lines]
        refund = _refund(thing, lines, ended, worth_of(lines[0]), now, zone=zone, free_used=free_used)
        free_used = free_used or refund.first_free
        refunds.append(refund)
    return refunds


class _Worth:
    """What the used value of a term is counted from: what its own order priced, by the order's own prices.

    A bundle that was changed since has other terms now; what the change cost is in a line of its own.
    """

    def __init__(self, open_terms: Mapping[int, Sequence[Term]]) -> None:
        self._open_terms = open_terms
        self._book = functools.cache(lambda version, factor: books.book_by_version(version).at(factor))
        self._bought = functools.cache(self._of_purchase)
        self._priced = functools.cache(_priced)

    def __call__(self, line: Line) -> Sequence[Returnable]:
        """Without bandwidth that ended within the term: it was given back by itself."""
        ended = line.bandwidth_ended_minor is not None
        return [one for one in self._of(line) if not (ended and one.component == BANDWIDTH)]

    def _of(self, line: Line) -> Sequence[Returnable]:
        if line.order.action == "purchase":
            return self._bought(line.order)
        priced = self._priced(line.order)
        terms = priced.lines[line.number - 1].terms or self._open_terms[line.subscription_id]  # 0.1.0 kept none
        return agreed_returnables(self._book(line.order.book_version, priced.factor), terms)

    def _of_purchase(self, order: Order) -> Sequence[Returnable]:
        quoted = Quote.of(order.quote)
        return returnables(self._book(order.book_version, quoted.factor), quoted.configuration)


def _priced(order: Order) -> Priced:
    """What an order that is no purchase says; its lines are numbered from 1."""
    return Priced.of(order.quote)


def _is_upgrade(line: Line) -> bool:
    return line.order.action in UPGRADES


def _paid(numbers: Sequence[int], now: dt.datetime, *, or_ended: bool = False) -> dict[int, list[Line]]:
    """Of each bundle, what pays for now and later: the line whose period is running, renewals not begun, upgrades.

    ``or_ended``: and upgrades that do not any more: their days are over, or their bandwidth became traffic.
    """
    wanted = Q(state=Line.State.DELIVERED, period_to__gt=now)
    if or_ended:
        became_traffic = Q(state=Line.State.RETURNED, bandwidth_ended_minor__isnull=False)
        wanted |= Q(order__action__in=UPGRADES) & (Q(state=Line.State.DELIVERED) | became_traffic)
    lines: dict[int, list[Line]] = {number: [] for number in numbers}
    found = Line.objects.select_related("order").filter(wanted, subscription_id__in=numbers)
    for line in sorted(found.order_by("period_from"), key=_is_upgrade):
        lines[line.subscription_id].append(line)
    return lines


def _pays(line: Line, now: dt.datetime) -> bool:
    assert line.period_to is not None
    return line.state == Line.State.DELIVERED and line.period_to > now


def _refund(
    thing: Thing,
    lines: Sequence[Line],
    ended: Sequence[Line],
    worth: Sequence[Returnable],
    now: dt.datetime,
    *,
    zone: ZoneInfo,
    free_used: bool,
) -> RefundQuote:
    """``ended``: upgrades that are used up, of which a free return gives the rest back."""
    running = lines[0]
    assert running.period_from is not None and running.delivered_at is not None
    months, rest_s = _used(thing.subscription, running.period_from, max(now, running.period_from), zone)
    free_days = policy.at(running.order.created_at).free_return_days
    first_free = running.order.action in PURCHASES and may_return_free(
        running.delivered_at, now, days=free_days, used_before=free_used
    )
    if first_free:
        lines = [*lines, *ended]
    terms = [line for line in lines if not _is_upgrade(line)]
    refund = return_refund(
        used_value(worth, months, rest_s), *(_purses(terms) if first_free else _still_used(terms)),
        first_free=first_free,
        places=exponent(shop.snapshot().currency),
    )  # fmt: skip
    upgrades = [(line, _of_upgrade(line, now, first_free=first_free)) for line in lines if _is_upgrade(line)]
    split = [split_refund(part, *_purses([line])) for line, part in upgrades]
    return RefundQuote(
        thing.public_id, sum(_purses(lines)), refund.refund_minor + sum(part for _, part in upgrades),
        refund.cash_minor + sum(cash for cash, _ in split), refund.gift_minor + sum(gift for _, gift in split),
        first_free, free_days,
        (*_shared(terms, refund.refund_minor), *((line.id, part) for line, part in upgrades)),
    )  # fmt: skip


def _purses(lines: Sequence[Line]) -> tuple[int, int]:
    """Cash and gift that were paid and have not come back."""
    gift = sum(line.gift_left_minor for line in lines)
    return sum(line.left_minor for line in lines) - gift, gift


def _still_used(lines: Sequence[Line]) -> tuple[int, int]:
    """``_purses`` without what bandwidth that ended within the term has used up: of both in the same proportion."""
    cash, gift = _purses(lines)
    ended = ((line.bandwidth_ended_minor, line.refund_minor - line.seller_back_minor) for line in lines)
    used_up = sum(paid - back for paid, back in ended if paid is not None)
    return split_refund(max(0, cash + gift - used_up), cash, gift)


def _of_upgrade(line: Line, now: dt.datetime, *, first_free: bool) -> int:
    """What comes back of an upgrade; of one that goes with a free return, all of it.

    What the seller gave back is taken off the value of the days left, not off the price of all days.
    """
    left_minor, given_minor = sum(_purses([line])), line.seller_back_minor
    if first_free:
        return left_minor
    assert line.period_to is not None
    days = _priced(line.order).lines[line.number - 1].days
    return max(0, upgrade.return_minor(left_minor + given_minor, days, now, line.period_to) - given_minor)


def _used(subscription: Subscription, begun_at: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> tuple[int, int]:
    """Whole months by the anchor day, and seconds over, of a period that began at ``begun_at``.

    A renewal to a unified day moves the anchor: of the period before it, months count from its own start.
    """
    anchor_at = subscription.anchor_at
    if anchor_at is None or anchor_at > begun_at or whole_months(anchor_at, begun_at, zone)[1]:
        anchor_at = begun_at
    begun, _ = whole_months(anchor_at, begun_at, zone)
    months, rest_s = whole_months(anchor_at, now, zone)
    return months - begun, rest_s


def _shared(lines: Sequence[Line], refund_minor: int) -> Iterator[tuple[int, int]]:
    """(line, its part of the refund): what has not begun comes back first, the running period gives the rest."""
    for line in reversed(lines):
        part = min(refund_minor, sum(_purses([line])))
        refund_minor -= part
        yield line.id, part


def give_back(
    things: Sequence[Thing], request_id: str, *, lost_at: dt.datetime | None = None, kind: Kind = MACHINES
) -> None:
    """Return what an account has paid ahead, locked: refunds, bin and timers inside the act's transaction.

    ``lost_at``: the engine lost them then. Their value was used until then, and no quota of returns holds.

    Raises WrongMode, refusals of the state, LimitExceeded.
    """
    db.require_transaction()
    now = db.call("metering_instant", clock.now())
    zone = shop.snapshot().billing_zone
    account_id = things[0].account_id
    if lost_at is None:
        refunds = _quoted(kind, things, now, zone)
    else:
        free_used = _used_its_free(Account.objects.get(id=account_id))
        refunds = _refunds(things, lost_at, zone, free_used=free_used)
    # What the shop has lost uses up neither the account's free return nor its quota of them.
    _note_returned([part for refund in refunds for part in refund.by_line], now if lost_at is None else None)
    if lost_at is None and any(refund.first_free for refund in refunds):
        Account.objects.filter(id=account_id).update(free_return_used_at=now)
    _end(things, request_id, now, kind)
    _credit(things, refunds)  # may end the account's arrears: the things are in the bin by then and stay off
    term.forget(things)
    events(things, "returned", [{"refund_minor": refund.refund_minor} for refund in refunds])


def put_into_bin(things: Sequence[Thing], request_id: str, *, kind: Kind = MACHINES) -> None:
    """The same without a refund by rule: what has paid for them is over, and nothing more of it comes back by one.

    Timers of their terms are the caller's to forget (``forget_terms``), once what is given back has ended arrears.
    """
    db.require_transaction()
    now = db.call("metering_instant", clock.now())
    paid = _paid([thing.id for thing in things], now)
    _note_returned([(line.id, 0) for lines in paid.values() for line in lines], None)
    _end(things, request_id, now, kind)


forget_terms = term.forget


def _end(things: Sequence[Thing], request_id: str, now: dt.datetime, kind: Kind) -> None:
    end_usage(things, now)
    kind.into_bin(things, request_id, now, m.bin_until(now, shop.snapshot().billing_zone))


def _credit(things: Sequence[Thing], refunds: Sequence[RefundQuote]) -> None:
    credits = [
        Credit(
            ids.transfer_id("return", thing.id, refund.by_line[-1][0]),
            thing.id,
            refund.cash_minor,
            refund.gift_minor,
        )
        for thing, refund in zip(things, refunds, strict=True)
        if refund.refund_minor
    ]
    if credits:
        credit_all("refund", things[0].account_id, "revenue", credits)


def ordinary(things: Sequence[Thing], now: dt.datetime) -> list[RefundQuote]:
    """What the terms of each are worth now: what an ordinary return of it would give. Raises WrongState."""
    return _refunds(things, now, shop.snapshot().billing_zone, free_used=True)


def gift_first(worth: RefundQuote) -> RefundQuote:
    """The same with as much gift as was paid of it: so a change of how bandwidth is charged gives it back."""
    lines = Line.objects.filter(id__in=[line for line, _ in worth.by_line])
    gift = min(worth.refund_minor, _purses(list(lines))[1])
    return replace(worth, cash_minor=worth.refund_minor - gift, gift_minor=gift)


def credit_worth(things: Sequence[Thing], worth: Sequence[RefundQuote]) -> None:
    """Give back what the terms of each are worth; the things stay. Belongs into the act.

    It uses up neither the account's free return nor its quota of them.
    """
    _note_returned([part for one in worth for part in one.by_line], None)
    _credit(things, worth)


def of_bandwidth(machine: Instance, now: dt.datetime) -> tuple[EndedBandwidth, ...]:
    """What comes back of each order for bandwidth that is paid by the month and ends now, gift first.

    Paid − used whole months at its monthly price − the rest at its hourly price, of its term and of those after it; of
    more bandwidth the whole days left, as of a return (billing-rules, sections 2 and 3).
    """
    lines = _paid([machine.id], now)[machine.id]
    terms = [line for line in lines if not _is_upgrade(line)]
    begun_at = terms[0].period_from
    assert begun_at is not None
    worth = [one for one in _Worth(agreed.paid_ahead([machine.id]))(terms[0]) if one.component == BANDWIDTH]
    here = shop.snapshot()
    months, rest_s = _used(machine.subscription, begun_at, max(now, begun_at), here.billing_zone)
    paid = [min(_for_bandwidth(line), line.left_minor) for line in terms]
    refund = return_refund(
        used_value(worth, months, rest_s), sum(paid), 0, first_free=False, places=exponent(here.currency)
    )
    left, parts = refund.refund_minor, []
    for line, its_own in reversed(list(zip(terms, paid, strict=True))):
        back = min(left, its_own)
        left -= back
        parts.append(EndedBandwidth(line.id, its_own, back, min(back, line.gift_left_minor), is_upgrade=False))
    for line in lines:
        if line.order.action == BANDWIDTH_ORDER:
            back = _of_upgrade(line, now, first_free=False)
            gift = min(back, line.gift_left_minor)
            parts.append(EndedBandwidth(line.id, sum(_purses([line])), back, gift, is_upgrade=True))
    return tuple(parts)


def _for_bandwidth(line: Line) -> int:
    """What of the price of a term was for bandwidth."""
    if line.order.action == "purchase":
        quoted = Quote.of(line.order.quote)
        return quoted.bandwidth_part().amount_minor // quoted.configuration.count
    return _priced(line.order).lines[line.number - 1].network_minor


def end_bandwidth(parts: Sequence[EndedBandwidth]) -> None:
    """Note it of the lines. Belongs into the act."""
    db.rows(
        "UPDATE orders_line l SET bandwidth_ended_minor = given.paid, refund_minor = l.refund_minor + given.refund,"
        " bandwidth_gift_back_minor = given.gift, state = CASE WHEN given.whole THEN %s ELSE l.state END"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[])"
        " AS given (line, paid, refund, gift, whole) WHERE l.id = given.line RETURNING l.id",
        Line.State.RETURNED, [part.line for part in parts], [part.paid_minor for part in parts],
        [part.refund_minor for part in parts], [part.gift_minor for part in parts],
        [part.is_upgrade for part in parts],
    )  # fmt: skip


def months_left(machine: Instance, now: dt.datetime) -> Decimal:
    """Months of the running term and of those after it that are left."""
    zone, bundle = shop.snapshot().billing_zone, machine.subscription
    begun_at = _paid([machine.id], now)[machine.id][0].period_from
    assert begun_at is not None and bundle.expires_at is not None
    used, _ = _used(bundle, begun_at, now, zone)
    whole, over_s = _used(bundle, begun_at, bundle.expires_at, zone)
    of_term = whole + Decimal(over_s) / _DAY_S / downgrade.DAYS_OF_MONTH
    return downgrade.months_left(upgrade.days_left(now, bundle.expires_at, zone), of_term, used)


def _note_returned(parts: Sequence[tuple[int, int]], now: dt.datetime | None) -> None:
    db.rows(
        "UPDATE orders_line l SET state = %s, refund_minor = l.refund_minor + given.refund, returned_at = %s"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS given (line, refund) WHERE l.id = given.line RETURNING l.id",
        Line.State.RETURNED, now, [line for line, _ in parts], [refund for _, refund in parts],
    )  # fmt: skip


def returned_this_year(account_id: int, now: dt.datetime, zone: ZoneInfo) -> int:
    """How many returns count against the year's quota: the year is that of the billing zone."""
    begin = dt.datetime(now.astimezone(zone).year, 1, 1, tzinfo=zone)
    lines = Line.objects.filter(account_id=account_id, returned_at__gte=begin)
    return lines.values("subscription_id", "returned_at").distinct().count()  # a return gives renewals back with it


def _refuse_over_quota(
    kind: Kind, account: Account, things: Sequence[Thing], now: dt.datetime, zone: ZoneInfo
) -> None:  # fmt: skip
    most = quotas.of(account.id)["returns_per_year"]
    if returned_this_year(account.id, now, zone) + len(things) > most:
        raise LimitExceeded(
            "At most {quota} returns a year are possible.", field=named_in(things[0]), code=kind.over_quota, quota=most
        )
