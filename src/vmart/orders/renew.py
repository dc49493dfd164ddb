"""Renewal: a further term of prepaid machines, from the old expiry, also out of the recycle bin (billing-rules, 3).

Paid from the balance at once, or as an unpaid order by balance or card. What was shown is charged, as long as the
machines still expire when it was reckoned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter
from vmart.orders import agreed, paid, term
from vmart.orders import machines as m
from vmart.orders.errors import WrongMode, WrongState
from vmart.orders.models import EngineDrift, Order
from vmart.orders.priced_act import PricedAct
from vmart.orders.renew_flag import check_flag
from vmart.policy import policy
from vmart.pricing import books
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.configuration import PREPAID
from vmart.pricing.priced import Priced, PricedLine
from vmart.pricing.renewal import Term, price_minor, term_of_months, term_to_day
from vmart.subscriptions.models import Source, Standing, Subscription

ACTION = "renew"
RENEWABLE = (State.RUNNING, State.STOPPED, State.STARTING, State.STOPPING, State.REBOOTING, State.SHUTDOWN)


@dataclass(frozen=True, slots=True)
class Renewal:
    """For how long: ``months``, or (0) to the unified ``day`` of a month. ``renew_flag`` "" leaves it as it is."""

    public_ids: Sequence[str]
    months: int = 1
    day: int = 0
    renew_flag: str = field(default="")


def refuse(machines: Sequence[Instance]) -> None:
    """Raise WrongMode, WrongState or Busy for machines that cannot be renewed now."""
    for machine in machines:
        if machine.subscription.charge_type != PREPAID:
            raise WrongMode("{id} is postpaid: it has no term to renew.", field="machines", id=machine.public_id)
        m.refuse_state(machine, RENEWABLE, "UnsupportedOperation.InstanceStateTerminating")
    # What is turned off, or changed in what a term costs, is renewed when that has ended.
    m.refuse_busy([one for one in machines if one.state == State.SHUTDOWN or agreed.is_changing(one)])


def _check(machines: Sequence[Instance], asked: Renewal) -> None:
    if asked.renew_flag:
        check_flag(asked.renew_flag)
    refuse(machines)
    refuse_lost(machines)


def refuse_lost(machines: Sequence[Instance]) -> None:
    """No money for a machine that its engine has lost: what becomes of it is the seller's to say."""
    names = [machine.public_id for machine in machines]
    lost = EngineDrift.objects.filter(kind=EngineDrift.Kind.LOST, name__in=names).values_list("name", flat=True).first()
    if lost:
        raise WrongState(
            "The instance {id} is lost by its host; the seller has to restore or refund it first.",
            field="machines", code="UnsupportedOperation.InstanceStateIsolating", id=lost,
        )  # fmt: skip


def _priced(machines: Sequence[Instance], asked: Renewal) -> Priced:
    book = books.current_book(shop.snapshot().generation)
    terms = agreed.paid_ahead([machine.id for machine in machines])
    lines = []
    for machine in machines:
        further = _term(machine, asked)
        listed, amount = price_minor(book, terms[machine.id], further)
        network = price_minor(book, [one for one in terms[machine.id] if one[0] == BANDWIDTH], further)
        assert machine.subscription.expires_at is not None
        lines.append(PricedLine(
            machine.public_id, listed, amount, *network, further.months, further.days, further.anchor_at,
            machine.subscription.expires_at, further.period_to, tuple(terms[machine.id]),
        ))  # fmt: skip
    return Priced(ACTION, book.version, book.currency, tuple(lines))


def _term(machine: Instance, asked: Renewal) -> Term:
    anchor_at, expires_at = machine.subscription.anchor_at, machine.subscription.expires_at
    assert anchor_at is not None and expires_at is not None
    here = shop.snapshot()
    if asked.months:
        book = books.current_book(here.generation)
        found = term_of_months(book, anchor_at, expires_at, asked.months, here.billing_zone)
    elif not 1 <= asked.day <= 31:
        raise InvalidParameter("A unified day is 1 to 31.", field="day")
    else:
        found = term_to_day(anchor_at, expires_at, asked.day, here.billing_zone)
    years = policy.at(clock.now()).renew_ahead_years
    if found.period_to > clock.add_months(clock.now(), 12 * years, here.billing_zone):
        raise InvalidParameter(
            "{id} would be paid until {until:%Y-%m-%d}; a machine is paid at most {years} years ahead.",
            field="months", id=machine.public_id, until=found.period_to, years=years,
        )  # fmt: skip
    if machine.state == State.SHUTDOWN and found.period_to <= clock.now():
        raise InvalidParameter(
            "{id} would still have expired; choose a longer term.",
            field="months", id=machine.public_id,
        )  # fmt: skip
    return found


def _still_so(machines: Sequence[Instance], due: Priced, _: Renewal) -> None:
    """Raise InvalidParameter where a machine expires otherwise, or pays for else, than when ``due`` was reckoned."""
    lines = {line.public_id: line for line in due.lines}
    terms = agreed.paid_ahead([machine.id for machine in machines])
    for machine in machines:
        line = lines[machine.public_id]
        if line.period_from != machine.subscription.expires_at:
            raise InvalidParameter(
                "{id} was renewed or returned meanwhile; ask for its price again.",
                field="machines", id=machine.public_id,
            )  # fmt: skip
        if line.terms and sorted(line.terms) != sorted(terms[machine.id]):
            raise InvalidParameter(
                "{id} was changed meanwhile; ask for its price again.", field="machines", id=machine.public_id
            )


def _carry_out(order: Order, machines: Sequence[Instance], due: Priced, asked: Renewal, actor: Actor) -> None:
    paid.take(due, {machine.public_id: machine.subscription for machine in machines}, order)
    _apply(machines, due, asked, actor)


def _apply(machines: Sequence[Instance], due: Priced, asked: Renewal, actor: Actor) -> None:
    """The new expiry, its timers; what was in the recycle bin comes back and is started."""
    lines = {line.public_id: line for line in due.lines}
    for machine in machines:
        agreed_now, line = machine.subscription, lines[machine.public_id]
        agreed_now.expires_at, agreed_now.anchor_at = line.period_to, line.anchor_at
        agreed_now.renew_flag = asked.renew_flag or agreed_now.renew_flag
    Subscription.objects.bulk_update(
        [machine.subscription for machine in machines], ["expires_at", "anchor_at", "renew_flag"]
    )
    term.follow(machines)
    m.events(machines, "renewed", [told(lines[machine.public_id]) for machine in machines], actor)
    binned = [machine for machine in machines if machine.state == State.SHUTDOWN]
    if not binned:
        return
    m.agree(binned, standing=Standing.ACTIVE, isolated_source=Source.NOT_ISOLATED, isolated_at=None, release_at=None)
    m.forget_work("release", binned)
    db.call("metering_start", [one.id for one in binned], [], db.call("metering_instant", clock.now()))
    m.begin_all(binned, "StartInstances", actor.request_id, state=State.STARTING)
    m.send_all(binned, "start")


def told(line: PricedLine) -> dict[str, object]:
    """What the event says of a term that was paid."""
    return {"until": line.period_to.isoformat(), "paid_minor": line.amount_minor}


ACT = PricedAct(ACTION, Renewal, _check, _priced, _still_so, _carry_out)
price, price_in_act, place, pay = ACT.price, ACT.price_in_act, ACT.place, ACT.pay
renew, renew_in_act = ACT.order, ACT.order_in_act
