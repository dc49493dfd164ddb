"""Conversion: what was postpaid is paid ahead from now on, with all that was bought with it (billing-rules, 3).

The term begins when it is paid. What was charged by the hour is charged until that second, and by the month from then
on; traffic goes on as it was. The thing itself is not touched. Of machines here; of disks with a life of their own by
the same rule (``act_of``) in ``disks/convert.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Value, When

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter
from vmart.ledger.models import Hold
from vmart.ledger.queries import balance
from vmart.orders import agreed, hourly, paid, renew, term
from vmart.orders import machines as m
from vmart.orders.errors import InArrears, WrongMode
from vmart.orders.live_cost import open_hours_minor
from vmart.orders.models import Order
from vmart.orders.priced_act import PricedAct
from vmart.orders.renew_flag import MANUAL, check_flag
from vmart.orders.things import Thing, events, named_in
from vmart.pricing import books
from vmart.pricing.configuration import BANDWIDTH_POSTPAID_BY_HOUR, BANDWIDTH_PREPAID, PREPAID
from vmart.pricing.priced import CONVERSION_ORDER, Priced, PricedLine
from vmart.pricing.renewal import Term, price_minor, term_of_months
from vmart.subscriptions.models import Subscription

Check = Callable[[Sequence[Any], "Conversion"], None]
Begun = Callable[[Sequence[Any]], None]
# By bandwidth is only what has no public address, so that nothing was charged by it.
_BY_THE_MONTH = Case(
    When(internet_charge_type=BANDWIDTH_POSTPAID_BY_HOUR, then=Value(BANDWIDTH_PREPAID)),
    default=F("internet_charge_type"),
)


@dataclass(frozen=True, slots=True)
class Conversion:
    """For ``months`` first; ``renew_flag`` is what happens at their end."""

    public_ids: Sequence[str]
    months: int = 1
    renew_flag: str = MANUAL


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy, WrongState or WrongMode for machines that cannot be paid ahead now."""
    for machine in machines:
        if m.is_prepaid(machine):
            raise WrongMode("{id} is prepaid already.", field="machines", id=machine.public_id)
    m.refuse_spot(machines)
    m.refuse_neither_on_nor_off(machines)
    m.refuse_without_charge(machines)
    for machine in machines:
        if machine.ends_at:
            raise WrongMode(
                "The end of {id} is planned; give that up first, then it can be paid ahead.",
                field="machines", id=machine.public_id,
            )  # fmt: skip
        if machine.public_ip_wanted and machine.internet_charge_type == BANDWIDTH_POSTPAID_BY_HOUR:
            raise WrongMode(
                "{id} pays for its bandwidth by the hour, which a prepaid machine cannot.",
                field="machines", id=machine.public_id,
            )  # fmt: skip


def _check_machines(machines: Sequence[Instance], asked: Conversion) -> None:
    refuse(machines)
    renew.refuse_lost(machines)


def _check(refuse_kind: Check, things: Sequence[Thing], asked: Conversion) -> None:
    check_flag(asked.renew_flag)
    refuse_kind(things, asked)
    if balance(things[0].account_id).balance_minor < 0:
        raise InArrears(
            "The account is in arrears. Top up to zero or more, then it can be paid ahead.", field=named_in(things[0])
        )


def _priced(action: str, things: Sequence[Thing], asked: Conversion) -> Priced:
    book = books.own_book(things[0].account_id, shop.snapshot().generation)
    further = term_from_now(asked.months)
    terms = agreed.by_hour([thing.id for thing in things])
    lines = tuple(
        PricedLine(
            thing.public_id, *price_minor(book, terms[thing.id], further), 0, 0, further.months, 0,
            further.anchor_at, further.anchor_at, further.period_to, tuple(terms[thing.id]),
        )
        for thing in things
    )  # fmt: skip
    return Priced.by(book, action, lines)


def term_from_now(months: int) -> Term:
    """That of so many months which begins now. Raises PeriodNotSold."""
    here, now = shop.snapshot(), clock.now()
    return term_of_months(books.current_book(here.generation), now, now, months, here.billing_zone)


def frees_minor(thing: Thing) -> int:
    """What of its hold is free again the moment it is paid ahead, and may be part of the price."""
    hold_id = thing.subscription.hold_id
    if hold_id is None:
        return 0
    held = Hold.objects.get(id=hold_id).floating_minor
    used = open_hours_minor(thing.account_id, [thing.id], clock.now())[thing.id]
    return 0 if used is None else max(0, held - used)


def _still_so(things: Sequence[Thing], due: Priced, asked: Conversion) -> None:
    """Raise InvalidParameter for a price of another term, or of a thing as it was before a change."""
    lines = {line.public_id: line for line in due.lines}
    terms = agreed.by_hour([thing.id for thing in things])
    for thing in things:
        line = lines[thing.public_id]
        if line.months != asked.months:
            raise InvalidParameter("The price is of another term; ask for it again.", field="months")
        if sorted(line.terms) != sorted(terms[thing.id]):
            raise InvalidParameter(
                "{id} was changed meanwhile; ask for its price again.", field=named_in(thing), id=thing.public_id
            )


def _carry_out(order: Order, things: Sequence[Thing], due: Priced, asked: Conversion) -> None:
    order.quote = due.plain()
    with transaction.atomic():  # a refusal leaves the act as it was
        _charge_until_now(things)  # first: what it frees may be part of the price
        paid.take(due, {thing.public_id: thing.subscription for thing in things}, order)
    _begin(things, due, asked)


def _from_now(due: Priced, months: int) -> Priced:
    """The same price of the term that begins now, whenever it was reckoned."""
    begun = term_from_now(months)
    lines = (
        replace(line, anchor_at=begun.anchor_at, period_from=begun.anchor_at, period_to=begun.period_to)
        for line in due.lines
    )
    return replace(due, lines=tuple(lines))


def _charge_until_now(things: Sequence[Thing]) -> None:
    """What was charged by the hour ends with this second; of the holds stays what is not deducted yet."""
    at = db.call("metering_instant", clock.now())
    ended = agreed.pay_ahead([thing.id for thing in things])
    db.call("metering_end_each", [number for number, _ in ended], [component for _, component in ended], at)
    hourly.hold_what_was_used(things, at)


def _begin(things: Sequence[Thing], due: Priced, asked: Conversion) -> None:
    """Their terms, as if they had been bought with them."""
    line = due.lines[0]  # all begin now, for as long
    for thing in things:
        bundle = thing.subscription
        bundle.charge_type, bundle.renew_flag = PREPAID, asked.renew_flag
        bundle.anchor_at, bundle.expires_at = line.anchor_at, line.period_to
    Subscription.objects.bulk_update(
        [thing.subscription for thing in things], ["charge_type", "renew_flag", "anchor_at", "expires_at"]
    )
    term.follow(things)


def _begun(machines: Sequence[Instance]) -> None:
    Instance.objects.filter(id__in=[machine.id for machine in machines]).update(
        charge_type=PREPAID, internet_charge_type=_BY_THE_MONTH, stop_charging_mode="NOT_APPLICABLE"
    )


def act_of(
    action: str, lock: Callable[[int, Sequence[str]], Sequence[Any]], check: Check, begun: Begun
) -> PricedAct[Conversion]:
    """The conversion of a kind of thing. ``begun`` writes what its own rows say of it."""

    def carry_out(order: Order, things: Sequence[Any], due: Priced, asked: Conversion, actor: Actor) -> None:
        due = _from_now(due, asked.months)
        _carry_out(order, things, due, asked)
        begun(things)
        events(things, "converted", [renew.told(line) for line in due.lines], actor)

    return PricedAct(
        action, Conversion, partial(_check, check), partial(_priced, action), _still_so, carry_out, lock
    )  # fmt: skip


ACT = act_of(CONVERSION_ORDER, m.lock, _check_machines, _begun)
