"""A bought public address is charged otherwise from now on: by traffic, by the hour's bandwidth, or by the month.

To the month is an order of a first term, as a conversion (``convert``). From the month gives back what the term is
worth, gift first (billing-rules, sections 2 and 3). Both are reckoned at the request; at a machine they are moved
when its engine has the bandwidth, and its bytes are counted.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import ALIVE
from vmart.kernel import clock, db
from vmart.kernel.codec import Codec
from vmart.kernel.errors import InvalidParameter, InvalidValue, LimitExceeded, MissingParameter
from vmart.kernel.money import exponent, shown_minor
from vmart.ledger.queries import balance
from vmart.network.models import Eip, EipState
from vmart.orders import errors, hourly, paid, return_prepaid, sample, term, things
from vmart.orders import machines as m
from vmart.orders.addresses import isolate, own
from vmart.orders.addresses.bandwidth import machines_of, refuse_now
from vmart.orders.convert import term_from_now
from vmart.orders.models import Order
from vmart.orders.priced_act import PricedAct
from vmart.orders.renew_flag import MANUAL, check_flag
from vmart.orders.return_prepaid import RefundQuote
from vmart.pricing import books, renewal
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import BANDWIDTH_PREPAID_BY_MONTH, POSTPAID_BY_HOUR, PREPAID
from vmart.pricing.errors import ChargeTypeNotSold
from vmart.pricing.priced import ADDRESS_CONVERSION, Priced, PricedLine
from vmart.pricing.rules import hold_minor
from vmart.provisioning.specs import leading
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND, ACT = "address_mode", own.MODE
MOST = 2  # changes of an address (API of vpc, ModifyAddressInternetChargeType)
_FAILED = "The address could not be charged otherwise; all is as before."


@dataclass(frozen=True, slots=True)
class ToMonth:
    """A first term of ``mbps`` for what was postpaid; ``renew_flag`` is what happens at its end."""

    public_ids: Sequence[str]
    mbps: int
    months: int = 1
    renew_flag: str = MANUAL


@dataclass(frozen=True, slots=True)
class _Decided:
    """What was decided at the request: ``order_id`` of a first term, 0 for none; what comes back of a term."""

    part: AddressPart
    renew_flag: str = MANUAL
    order_id: int = 0
    worth: RefundQuote | None = None


_CODEC = Codec(_Decided)


def change(actor: Actor, eip_id: str, part: AddressPart, *, months: int = 0, renew_flag: str = MANUAL) -> int:
    """Accept it; the number of the task. ``months``: the first term, where it is by the month then.

    Raises UnknownEip, EipBusy, EipInArrears, EipExpired, InvalidValue where it is charged so already, LimitExceeded,
    MissingParameter, InvalidParameter, PeriodNotSold, what ``AddressPart.check`` raises, InArrears,
    InsufficientBalance, and of its machine Busy, WrongState.
    """
    with db.act():
        eips = own.lock(actor.account, [eip_id])
        _refuse_change(eips, part)
        if part.paid_ahead:
            _check_months(months)
            with own.paying():
                CONVERSION.order_in_act(actor, ToMonth([eip_id], part.bandwidth_mbps, months, renew_flag))
        else:
            if months:
                raise InvalidParameter("Only bandwidth by the month has a term.", field="months")
            _to_postpaid(eips[0], part, actor)
        return own.read(eips[0].id).task


def worth(account_id: int, eip_id: str, part: AddressPart) -> RefundQuote | None:
    """What comes back of its term; None where nothing was paid ahead. Writes nothing. Raises what ``change`` raises."""
    with db.act():
        eips = own.lock(account_id, [eip_id])
        _refuse_change(eips, part)
        return _worth(eips[0])


def _worth(eip: Eip) -> RefundQuote | None:
    return return_prepaid.gift_first(*return_prepaid.ordinary([eip], clock.now())) if things.is_prepaid(eip) else None


def _check_months(months: int) -> None:
    if not months:
        raise MissingParameter("Bandwidth by the month needs a term, in months.", field="months")


def refuse(eip: Eip) -> None:
    """Raise LimitExceeded for one that was changed as often as may be."""
    if eip.mode_changes >= MOST:
        raise LimitExceeded(
            "{id} was charged otherwise {most} times, which is the most.",
            field="addresses", code="LimitExceeded.ModifyAddressInternetChargeTypeQuota", id=eip.public_id, most=MOST,
        )  # fmt: skip


def _refuse_change(eips: Sequence[Eip], part: AddressPart) -> None:
    (eip,) = eips
    if part.in_package:
        raise ChargeTypeNotSold(
            "An address comes to be charged by {mode} by AddBandwidthPackageResources.",
            field="internet_charge_type", code="UnsupportedOperation.InvalidAddressInternetChargeType",
            mode=part.internet_charge_type,
        )  # fmt: skip
    own.refuse_in_package(eips)
    refuse_now(eips, machines_of(eips))
    if eip.internet_charge_type == part.internet_charge_type:
        raise InvalidValue(
            "{id} is charged so already.",
            field="internet_charge_type", code="InvalidParameterValue.InternetChargeTypeNotChanged", id=eip.public_id,
        )  # fmt: skip
    refuse(eip)
    part.check(books.current_book(shop.snapshot().generation), own.prices(eip.zone_id))
    if balance(eip.account_id).balance_minor < 0:
        raise errors.InArrears(
            "The account is in arrears. Top up to zero or more, then its addresses can be charged otherwise.",
            field="addresses", code="FailedOperation.BalanceInsufficient",
        )  # fmt: skip


def _to_postpaid(eip: Eip, part: AddressPart, actor: Actor) -> None:
    back = _worth(eip)
    if back:
        _refuse_too_little(eip, part, back)
    elif eip.instance_id:
        own.set_aside(eip, part)
    _begin(eip, _Decided(part, worth=back), actor)


def _refuse_too_little(eip: Eip, part: AddressPart, back: RefundQuote) -> None:
    """An hour of what was paid ahead has to be set aside then, of what is there and what comes back."""
    currency, bound = shop.snapshot().currency, eip.instance_id is not None
    here = own.prices(eip.zone_id)
    exact = (
        own.bound_hourly(eip.account_id, part, here)
        if bound
        else hourly.hour_of(eip.account_id, part.term(here, bound=False))
    )
    wanted = hold_minor([exact], exponent(currency))
    there = balance(eip.account_id).available_minor + own.held_minor(eip) + back.refund_minor
    if there < wanted:
        raise errors.InsufficientBalance(
            "One hour of {id} is set aside: {needed} are needed and {available} are available.",
            field="addresses", code="FailedOperation.BalanceInsufficient", id=eip.public_id,
            needed=shown_minor(wanted, currency), available=shown_minor(there, currency),
        )  # fmt: skip


def _check(eips: Sequence[Eip], asked: ToMonth) -> None:
    if len(eips) != 1:
        raise InvalidParameter("One address at a time.", field="addresses")
    check_flag(asked.renew_flag)
    _refuse_change(eips, AddressPart(BANDWIDTH_PREPAID_BY_MONTH, asked.mbps))


def _priced(eips: Sequence[Eip], asked: ToMonth) -> Priced:
    (eip,), further = eips, term_from_now(asked.months)
    book = books.own_book(eip.account_id, shop.snapshot().generation)
    pays_for = AddressPart(BANDWIDTH_PREPAID_BY_MONTH, asked.mbps).term(own.prices(eip.zone_id), bound=True)
    listed, amount = renewal.price_minor(book, [pays_for], further)
    line = PricedLine(
        eip.public_id, listed, amount, listed, amount, further.months, 0, further.anchor_at, further.anchor_at,
        further.period_to, (pays_for,),
    )  # fmt: skip
    return Priced.by(book, ADDRESS_CONVERSION, [line])


def _still_so(eips: Sequence[Eip], due: Priced, asked: ToMonth) -> None:
    """Raise InvalidParameter for a price of another term or bandwidth."""
    line = due.lines[0]
    if line.months != asked.months or [quantity for _, _, quantity in line.terms] != [asked.mbps]:
        raise InvalidParameter("The price is of another term; ask for it again.", field="months")


def _carry_out(order: Order, eips: Sequence[Eip], due: Priced, asked: ToMonth, actor: Actor) -> None:
    (eip,) = eips
    paid.take_later(due, {eip.public_id: eip.subscription}, order)
    part = AddressPart(BANDWIDTH_PREPAID_BY_MONTH, asked.mbps)
    _begin(eip, _Decided(part, asked.renew_flag, order.id), actor)


CONVERSION = PricedAct(ADDRESS_CONVERSION, ToMonth, _check, _priced, _still_so, _carry_out, own.lock)


def _begin(eip: Eip, decided: _Decided, actor: Actor) -> None:
    told = {"mode": decided.part.internet_charge_type, "mbps": decided.part.bandwidth_mbps}
    things.events([eip], ACT, [told], actor)
    own.begin([eip], ACT, actor.request_id)
    m.begin_all(list(machines_of([eip]).values()), ACT, actor.request_id)
    if eip.instance_id:
        things.send(eip, KIND, decided=_CODEC.plain(decided))
    else:
        _in_force(eip, decided)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``address_mode``: the engine's count and cap first, then terms and money, in one commit."""
    for operation in batch:
        eip, decided = own.read(operation.subject_id), _decided(operation)
        counted = _tell(operation.lane, eip, decided.part)
        with own.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as changed:
            if changed and things.is_under_way(changed, ACT):
                if own.part(changed).by_traffic:
                    sample.keep(counted)
                elif decided.part.by_traffic:
                    sample.begin(counted)
                _in_force(changed, decided)


def _decided(operation: Claimed) -> _Decided:
    plain: Any = operation.payload["decided"]
    return _CODEC.of(plain)


def _tell(lane: str, eip: Eip, part: AddressPart) -> list[sample.Read]:
    """The engine has the bandwidth; what it had counted before."""
    machine = own.machine_of(eip) if eip.instance_id and things.is_under_way(eip, ACT) else None
    if machine is None or machine.state not in ALIVE:
        return []
    engine = engine_of(lane)
    counted = sample.read(engine, [sample.of_eip(eip, machine.public_id)])
    eip.bandwidth_mbps = part.bandwidth_mbps
    engine.ensure_address(machine.public_id, machine.private_ip, leading(eip))
    return counted


def _in_force(eip: Eip, decided: _Decided) -> None:
    """From this second on that is how it is charged. Belongs into the act."""
    part, old = decided.part, eip.internet_charge_type
    eip.internet_charge_type, eip.bandwidth_mbps = part.internet_charge_type, part.bandwidth_mbps
    own.succeed(
        eip, internet_charge_type=part.internet_charge_type, bandwidth_mbps=part.bandwidth_mbps,
        mode_changes=F("mode_changes") + 1,
    )  # fmt: skip
    own.free_machine(eip.instance_id)
    if decided.order_id:
        _begin_term(eip, decided)
    else:
        _end_term(eip, decided.worth)
        own.charge_as(eip, bound=eip.instance_id is not None)
    told = {"refund_minor": decided.worth.refund_minor} if decided.worth else {}
    things.event(eip, "mode_changed", old=old, new=part.internet_charge_type, **told)


def _begin_term(eip: Eip, decided: _Decided) -> None:
    """Charged by the second until now, and paid from now on."""
    at, begun, bundle = db.call("metering_instant", clock.now()), clock.now(), eip.subscription
    db.call("metering_end", [eip.id], False, at)
    hourly.hold_what_was_used([eip], at)
    own.agree(eip, bound=eip.instance_id is not None)
    months = paid.months_of(decided.order_id, eip.id)
    bundle.charge_type, bundle.renew_flag, bundle.anchor_at = PREPAID, decided.renew_flag, begun
    bundle.expires_at = clock.add_months(begun, months, shop.snapshot().billing_zone)
    bundle.save(update_fields=["charge_type", "renew_flag", "anchor_at", "expires_at"])
    paid.deliver(decided.order_id, eip.id, (begun, bundle.expires_at))
    term.follow([eip])


def _end_term(eip: Eip, back: RefundQuote | None) -> None:
    """Nothing is paid ahead any more, if anything was."""
    if back is None:
        return
    bundle = eip.subscription
    term.forget([eip])
    bundle.charge_type, bundle.renew_flag, bundle.anchor_at, bundle.expires_at = POSTPAID_BY_HOUR, MANUAL, None, None
    bundle.save(update_fields=["charge_type", "renew_flag", "anchor_at", "expires_at"])
    return_prepaid.credit_worth([eip], [back])


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Charged as before, also where only the answer was lost; the engine is told of the bandwidth of before."""
    for operation in batch:
        eip, decided = own.read(operation.subject_id), _decided(operation)
        with own.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as failed:
            if failed and things.is_under_way(failed, ACT):
                if decided.order_id:
                    paid.give_up(decided.order_id, failed.id, _FAILED)
                own.hold_what_it_asks(failed)
                things.fail(failed, _FAILED, error)
                own.free_machine(failed.instance_id)
            if failed and failed.state == EipState.BIND:
                isolate.lead_again(failed)
