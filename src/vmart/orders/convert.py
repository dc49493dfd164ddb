"""Conversion: a postpaid machine that is paid ahead from now on, with all that was bought with it (billing-rules, 3).

The term begins when it is paid. What was charged by the hour is charged until that second, and by the month from then
on; traffic goes on as it was. The machine itself is not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from vmart.pricing import books
from vmart.pricing.configuration import BANDWIDTH_POSTPAID_BY_HOUR, BANDWIDTH_PREPAID, PREPAID
from vmart.pricing.priced import CONVERSION_ORDER, Priced, PricedLine
from vmart.pricing.renewal import Term, price_minor, term_of_months
from vmart.subscriptions.models import Subscription

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


def _check(machines: Sequence[Instance], asked: Conversion) -> None:
    check_flag(asked.renew_flag)
    refuse(machines)
    renew.refuse_lost(machines)
    if balance(machines[0].account_id).balance_minor < 0:
        raise InArrears(
            "The account is in arrears. Top up to zero or more, then its machines can be paid ahead.", field="machines"
        )


def _priced(machines: Sequence[Instance], asked: Conversion) -> Priced:
    book, further = books.current_book(shop.snapshot().generation), _term(asked.months)
    terms = agreed.by_hour([machine.id for machine in machines])
    lines = tuple(
        PricedLine(
            machine.public_id, *price_minor(book, terms[machine.id], further), 0, 0, further.months, 0,
            further.anchor_at, further.anchor_at, further.period_to, tuple(terms[machine.id]),
        )
        for machine in machines
    )  # fmt: skip
    return Priced(CONVERSION_ORDER, book.version, book.currency, lines)


def _term(months: int) -> Term:
    """That of so many months which begins now. Raises PeriodNotSold."""
    here, now = shop.snapshot(), clock.now()
    return term_of_months(books.current_book(here.generation), now, now, months, here.billing_zone)


def frees_minor(machine: Instance) -> int:
    """What of its hold is free again the moment it is paid ahead, and may be part of the price."""
    hold_id = machine.subscription.hold_id
    if hold_id is None:
        return 0
    held = Hold.objects.get(id=hold_id).floating_minor
    used = open_hours_minor(machine.account_id, [machine.id], clock.now())[machine.id]
    return 0 if used is None else max(0, held - used)


def _still_so(machines: Sequence[Instance], due: Priced, asked: Conversion) -> None:
    """Raise InvalidParameter for a price of another term, or of a machine as it was before a change."""
    lines = {line.public_id: line for line in due.lines}
    terms = agreed.by_hour([machine.id for machine in machines])
    for machine in machines:
        line = lines[machine.public_id]
        if line.months != asked.months:
            raise InvalidParameter("The price is of another term; ask for it again.", field="months")
        if sorted(line.terms) != sorted(terms[machine.id]):
            raise InvalidParameter(
                "{id} was changed meanwhile; ask for its price again.", field="machines", id=machine.public_id
            )


def _carry_out(order: Order, machines: Sequence[Instance], due: Priced, asked: Conversion, actor: Actor) -> None:
    due = _from_now(due, asked.months)
    order.quote = due.plain()
    with transaction.atomic():  # a refusal leaves the act as it was
        _charge_until_now(machines)  # first: what it frees may be part of the price
        paid.take(due, {machine.public_id: machine.subscription for machine in machines}, order)
    _begin(machines, due, asked)
    m.events(machines, "converted", [renew.told(line) for line in due.lines], actor)


def _from_now(due: Priced, months: int) -> Priced:
    """The same price of the term that begins now, whenever it was reckoned."""
    begun = _term(months)
    lines = (
        replace(line, anchor_at=begun.anchor_at, period_from=begun.anchor_at, period_to=begun.period_to)
        for line in due.lines
    )
    return replace(due, lines=tuple(lines))


def _charge_until_now(machines: Sequence[Instance]) -> None:
    """What was charged by the hour ends with this second; of the holds stays what is not deducted yet."""
    at = db.call("metering_instant", clock.now())
    ended = agreed.pay_ahead([machine.id for machine in machines])
    db.call("metering_end_each", [number for number, _ in ended], [component for _, component in ended], at)
    hourly.hold_what_was_used(machines, at)


def _begin(machines: Sequence[Instance], due: Priced, asked: Conversion) -> None:
    """Their terms, as if they had been bought with them."""
    line = due.lines[0]  # all begin now, for as long
    for machine in machines:
        bundle = machine.subscription
        bundle.charge_type, bundle.renew_flag = PREPAID, asked.renew_flag
        bundle.anchor_at, bundle.expires_at = line.anchor_at, line.period_to
    Subscription.objects.bulk_update(
        [machine.subscription for machine in machines], ["charge_type", "renew_flag", "anchor_at", "expires_at"]
    )
    ids = [machine.id for machine in machines]
    Instance.objects.filter(id__in=ids).update(
        charge_type=PREPAID, internet_charge_type=_BY_THE_MONTH, stop_charging_mode="NOT_APPLICABLE"
    )
    term.follow(machines)


ACT = PricedAct(CONVERSION_ORDER, Conversion, _check, _priced, _still_so, _carry_out)
