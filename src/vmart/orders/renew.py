"""Renewal: a further term of what is paid ahead, from the old expiry, also out of the recycle bin (billing-rules, 3).

Paid from the balance at once, or as an unpaid order by balance or card. What was shown is charged, as long as the
things still expire when it was reckoned. Of machines here; of disks with a life of their own by the same rule
(``act_of``) in ``disks/renew.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import clock
from vmart.kernel.errors import InvalidParameter
from vmart.orders import agreed, lower_bandwidth, lowering, paid, term, tokens
from vmart.orders import machines as m
from vmart.orders.errors import WrongState
from vmart.orders.models import EngineDrift, Order
from vmart.orders.priced_act import PricedAct
from vmart.orders.renew_flag import check_flag, refuse_without_term
from vmart.orders.things import Thing, events, is_in_bin, named_in, out_of_bin
from vmart.policy import policy
from vmart.pricing import books
from vmart.pricing.book import BANDWIDTH, PriceBook
from vmart.pricing.priced import Priced, PricedLine
from vmart.pricing.priced import Term as Paid
from vmart.pricing.renewal import Term, price_minor, term_of_months, term_to_day, term_until
from vmart.subscriptions.models import Subscription

ACTION = "renew"
BringBack = Callable[[Sequence[Any], Actor], None]
RENEWABLE = (*(state for state in ALIVE if state != State.PENDING), State.SHUTDOWN)


@dataclass(frozen=True, slots=True)
class Renewal:
    """For how long: ``months``, or (0) to the unified ``day`` of a month. ``renew_flag`` "" leaves it as it is.

    ``bandwidth_mbps``: less bandwidth by the month from the begin of the further term on; 0 leaves it as it is.
    ``with_machine``: a disk as long as the machine that has it, once that is renewed by ``months`` (0: as it is).
    """

    public_ids: Sequence[str]
    months: int = field(default=1, metadata=tokens.TOLD)
    day: int = field(default=0, metadata=tokens.TOLD)
    renew_flag: str = field(default="", metadata=tokens.TOLD)
    bandwidth_mbps: int = 0
    with_machine: bool = False


def refuse(machines: Sequence[Instance]) -> None:
    """Raise WrongMode, WrongState or Busy for machines that cannot be renewed now."""
    for machine in machines:
        refuse_without_term(machine)
        m.refuse_state(machine, RENEWABLE, "UnsupportedOperation.InstanceStateTerminating")
    # What is turned off, or changed in what a term costs, is renewed when that has ended.
    m.refuse_busy([one for one in machines if one.state == State.SHUTDOWN or agreed.is_changing(one)])


def _check(machines: Sequence[Instance], asked: Renewal) -> None:
    check_flag_asked(asked)
    refuse_with_machine(asked)
    refuse(machines)
    refuse_lost(machines)
    if asked.bandwidth_mbps:
        lower_bandwidth.check(machines, asked.bandwidth_mbps)


def check_flag_asked(asked: Renewal) -> None:
    """Raise InvalidValue for a flag that does not exist."""
    if asked.renew_flag:
        check_flag(asked.renew_flag)


def refuse_with_machine(asked: Renewal) -> None:
    """Raise InvalidParameter for what is no disk."""
    if asked.with_machine:
        raise InvalidParameter("Disks alone are renewed to the end of a machine.", field="with_machine")


def refuse_lost(machines: Sequence[Instance]) -> None:
    """No money for a machine that its engine has lost: what becomes of it is the seller's to say."""
    names = [machine.public_id for machine in machines]
    lost = EngineDrift.objects.filter(kind=EngineDrift.Kind.LOST, name__in=names).values_list("name", flat=True).first()
    if lost:
        raise WrongState(
            "The instance {id} is lost by its host; the seller has to restore or refund it first.",
            field="machines", code="UnsupportedOperation.InstanceStateIsolating", id=lost,
        )  # fmt: skip


def _priced(action: str, things: Sequence[Thing], asked: Renewal) -> Priced:
    book = books.own_book(things[0].account_id, shop.snapshot().generation)
    terms, had, machines = _terms(things, asked), _had(things, asked), _machines_of(things, asked)
    lines = []
    for thing in things:
        further = _term(thing, asked, machines)
        listed, amount = price_minor(book, terms[thing.id], further)
        network = price_minor(book, [one for one in terms[thing.id] if one[0] == BANDWIDTH], further)
        assert thing.subscription.expires_at is not None
        lines.append(PricedLine(
            thing.public_id, listed, amount, *network, further.months, further.days, further.anchor_at,
            thing.subscription.expires_at, further.period_to, tuple(terms[thing.id]), had[thing.id],
        ))  # fmt: skip
    return Priced.by(book, action, lines)


def _machines_of(things: Sequence[Any], asked: Renewal) -> dict[int, Subscription]:
    """What is agreed for the machines that have the disks, where these are to go on as long."""
    return Subscription.objects.in_bulk([disk.instance_id for disk in things]) if asked.with_machine else {}


def _term(thing: Any, asked: Renewal, machines: Mapping[int, Subscription]) -> Term:
    anchor_at, expires_at = thing.subscription.anchor_at, thing.subscription.expires_at
    assert anchor_at is not None and expires_at is not None
    here = shop.snapshot()
    book = books.current_book(here.generation)
    if asked.with_machine:
        found = _as_long_as_its_machine(book, thing, machines[thing.instance_id], asked.months, here.billing_zone)
    elif asked.months:
        found = term_of_months(book, anchor_at, expires_at, asked.months, here.billing_zone)
    elif not 1 <= asked.day <= 31:
        raise InvalidParameter("A unified day is 1 to 31.", field="day")
    else:
        found = term_to_day(anchor_at, expires_at, asked.day, here.billing_zone)
    years = policy.at(clock.now()).renew_ahead_years
    if found.period_to > clock.add_months(clock.now(), 12 * years, here.billing_zone):
        raise InvalidParameter(
            "{id} would be paid until {until:%Y-%m-%d}; at most {years} years ahead can be paid.",
            field="months", id=thing.public_id, until=found.period_to, years=years,
        )  # fmt: skip
    if is_in_bin(thing) and found.period_to <= clock.now():
        raise InvalidParameter(
            "{id} would still have expired; choose a longer term.",
            field="months", id=thing.public_id,
        )  # fmt: skip
    return found


def _as_long_as_its_machine(book: PriceBook, disk: Any, agreed_for: Subscription, months: int, zone: ZoneInfo) -> Term:
    own = disk.subscription
    until, later_anchor = agreed_for.expires_at, agreed_for.anchor_at
    assert until is not None and later_anchor is not None
    if months:
        until = term_of_months(book, later_anchor, until, months, zone).period_to
    if until <= own.expires_at:
        raise InvalidParameter(
            "{id} is paid as long as its machine already, or longer.", field="months", id=disk.public_id
        )
    return term_until(own.anchor_at, own.expires_at, until, later_anchor, zone)


def _terms(things: Sequence[Thing], asked: Renewal) -> dict[int, list[Paid]]:
    """What the further term of each is of."""
    return lowering.paid_ahead([thing.id for thing in things], asked.bandwidth_mbps)


def _had(things: Sequence[Thing], asked: Renewal) -> dict[int, tuple[Paid, ...]]:
    """What of each is another then: its bandwidth, where that goes down."""
    numbers = [thing.id for thing in things]
    if not asked.bandwidth_mbps:
        return dict.fromkeys(numbers, ())
    terms = agreed.paid_ahead(numbers)
    return {number: tuple(one for one in terms[number] if one[0] == BANDWIDTH) for number in numbers}


def _still_so(things: Sequence[Thing], due: Priced, asked: Renewal) -> None:
    """Raise InvalidParameter where a thing expires otherwise, or pays for else, than when ``due`` was reckoned."""
    lines = {line.public_id: line for line in due.lines}
    terms = _terms(things, asked)
    for thing in things:
        line = lines[thing.public_id]
        if line.period_from != thing.subscription.expires_at:
            raise InvalidParameter(
                "{id} was renewed or returned meanwhile; ask for its price again.",
                field=named_in(thing), id=thing.public_id,
            )  # fmt: skip
        if asked.bandwidth_mbps and lowering.mbps_of(line.terms) != asked.bandwidth_mbps:
            raise InvalidParameter("The price is of another bandwidth; ask for it again.", field="bandwidth_mbps")
        if line.terms and sorted(line.terms) != sorted(terms[thing.id]):
            raise InvalidParameter(
                "{id} was changed meanwhile; ask for its price again.", field=named_in(thing), id=thing.public_id
            )


def _carry_out(order: Order, things: Sequence[Any], due: Priced, asked: Renewal, actor: Actor) -> None:
    paid.take(due, {thing.public_id: thing.subscription for thing in things}, order)
    _apply(things, due, asked, actor)
    if asked.bandwidth_mbps:
        begins = {line.public_id: line.period_from for line in due.lines}
        lower_bandwidth.agree(order.id, things, asked.bandwidth_mbps, begins)


def _apply(things: Sequence[Thing], due: Priced, asked: Renewal, actor: Actor) -> None:
    """The new expiry, its timers."""
    lines = {line.public_id: line for line in due.lines}
    for thing in things:
        agreed_now, line = thing.subscription, lines[thing.public_id]
        agreed_now.expires_at, agreed_now.anchor_at = line.period_to, line.anchor_at
        agreed_now.renew_flag = asked.renew_flag or agreed_now.renew_flag
    Subscription.objects.bulk_update(
        [thing.subscription for thing in things], ["expires_at", "anchor_at", "renew_flag"]
    )
    term.follow(things)
    events(things, "renewed", [_told(lines[thing.public_id], asked) for thing in things], actor)


def _told(line: PricedLine, asked: Renewal) -> dict[str, object]:
    if not asked.bandwidth_mbps:
        return told(line)
    return told(line) | {"mbps": asked.bandwidth_mbps, "mbps_from": line.period_from.isoformat()}


def _bring_back(machines: Sequence[Instance], actor: Actor) -> None:
    """What was in the recycle bin is started."""
    m.forget_work("release", machines)
    m.begin_all(machines, "StartInstances", actor.request_id, state=State.STARTING)
    m.send_all(machines, "start")


def told(line: PricedLine) -> dict[str, object]:
    """What the event says of a term that was paid."""
    return {"until": line.period_to.isoformat(), "paid_minor": line.amount_minor}


def act_of(
    action: str, lock: Callable[[int, Sequence[str]], Sequence[Any]], check: Callable[[Sequence[Any], Renewal], None],
    bring_back: BringBack,
) -> PricedAct[Renewal]:  # fmt: skip
    """The renewal of a kind of thing. ``bring_back`` has those that were in the recycle bin used again."""

    def carry_out(order: Order, things: Sequence[Any], due: Priced, asked: Renewal, actor: Actor) -> None:
        _carry_out(order, things, due, asked, actor)
        if binned := [thing for thing in things if is_in_bin(thing)]:
            out_of_bin(binned)
            bring_back(binned, actor)

    return PricedAct(action, Renewal, check, partial(_priced, action), _still_so, carry_out, lock)


ACT = act_of(ACTION, m.lock, _check, _bring_back)
price, price_in_act, place, pay = ACT.price, ACT.price_in_act, ACT.place, ACT.pay
renew, renew_in_act = ACT.order, ACT.order_in_act
