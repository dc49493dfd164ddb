"""What every act on bought public addresses begins and ends with: locks, refusals, outcome, what is charged."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.kernel.money import exponent
from vmart.ledger.models import Hold
from vmart.network import numbers
from vmart.network.models import Eip, EipState
from vmart.orders import errors, holds, hourly, things
from vmart.orders import machines as m
from vmart.orders.acts import ending
from vmart.pricing import books
from vmart.pricing.address import AddressPart
from vmart.pricing.book import TRAFFIC, PriceBook, RegionPrices
from vmart.pricing.rules import hold_minor
from vmart.subscriptions.models import Item
from vmart.worker.queue import Claimed

# Of a machine too, while it gets an address, loses it, or that is changed.
ASSOCIATE, DISASSOCIATE, BANDWIDTH = "AssociateAddress", "DisassociateAddress", "ModifyAddressesBandwidth"
MODE = "ModifyAddressInternetChargeType"
ENTER, LEAVE = "AddBandwidthPackageResources", "RemoveBandwidthPackageResources"
ISOLATE, RELEASE = "IsolateAddresses", "ReleaseAddresses"
_OF_MACHINE = [ASSOCIATE, DISASSOCIATE, BANDWIDTH, MODE, ENTER, LEAVE]
AT_ONCE_MAX = 100


def lock(account_id: int, public_ids: Sequence[str]) -> list[Eip]:
    """The account's addresses by public id, locked, in the order asked for. Raises UnknownEip for any other."""
    things.check_ids(
        public_ids, most=AT_ONCE_MAX,
        none=MissingParameter("AddressIds names no address.", field="addresses"),
        many=InvalidParameter(
            "At most {most} addresses at once.",
            field="addresses", code="InvalidParameterValue.LimitExceeded", most=AT_ONCE_MAX,
        ),
        twice=InvalidParameter("AddressIds names an address twice.", field="addresses"),
    )  # fmt: skip
    return things.lock_named(locking().exclude(state=EipState.GONE), account_id, public_ids, _unknown)


def _unknown(public_id: str) -> errors.UnknownEip:
    return errors.UnknownEip("The public address {id} does not exist.", field="addresses", id=public_id)


def locking() -> QuerySet[Eip]:
    """Addresses with their subscriptions, both locked."""
    return Eip.objects.select_related("subscription").select_for_update()


def read(eip_id: int) -> Eip:
    """An address with its subscription, as it is now."""
    return Eip.objects.select_related("subscription").get(id=eip_id)


@contextmanager
def outcome(operation: Claimed, owner: uuid.UUID, done: Eip, *expect: EipState) -> Iterator[Eip | None]:
    """What became of an operation, which ends here: its address, locked; None as ``acts.outcome``.

    ``done`` is the address as the engine was told of it. Raises RuntimeError, so that the operation is tried again,
    where another machine is meant by now.
    """
    with ending(operation, owner) as ours:
        eip = locking().get(id=operation.subject_id) if ours else None
        if eip is None or eip.state not in expect:
            yield None
            return
        if eip.instance_id != done.instance_id:
            raise RuntimeError(f"{eip.public_id} is another machine's by now")
        yield eip


def begin(eips: Sequence[Eip], act: str, request_id: str, machine: Instance | None = None, **columns: object) -> int:
    """Note the act as under way on them, and on the machine that has them or gets them; the number of the task."""
    task = numbers.task()
    things.begin_all(eips, act, request_id, task=task, **columns)
    if machine:
        m.begin(machine, act, request_id)
    return task


def of_one_task(eips: Sequence[Eip]) -> int:
    """What was begun on them in several ways is one task; its number. Belongs into the act."""
    task = numbers.task()
    Eip.objects.filter(pk__in=[eip.pk for eip in eips]).update(task=task)
    return task


def succeed(eip: Eip, **columns: object) -> None:
    """The operation on it has ended well. Belongs into the act."""
    succeed_all([eip], **columns)


def succeed_all(eips: Sequence[Eip], **columns: object) -> None:
    """The same of several, in one statement."""
    Eip.objects.filter(pk__in=[eip.pk for eip in eips]).update(latest_operation_state="SUCCESS", **columns)


def free_machine(instance_id: int | None) -> None:
    """The machine is busy with its address no longer. Belongs into the act."""
    busy = Instance.objects.filter(id=instance_id or 0, latest_operation__in=_OF_MACHINE)
    busy.filter(latest_operation_state="OPERATING").update(latest_operation_state="SUCCESS")


def machine_of(eip: Eip) -> Instance:
    """The machine that has it, is to get it, or loses it, as it is now."""
    assert eip.instance_id is not None
    return m.read(eip.instance_id)


def refuse_busy(eips: Iterable[Eip]) -> None:
    """Raise EipBusy when an operation on one of them is under way."""
    for eip in eips:
        if eip.latest_operation_state == "OPERATING":
            raise errors.EipBusy(
                "The public address {id} is busy with {operation}; try again when it has ended.",
                field="addresses", id=eip.public_id, operation=eip.latest_operation,
            )  # fmt: skip


def refuse_stopped(eips: Iterable[Eip]) -> None:
    """Raise EipInArrears for one that arrears have switched off, or are about to; EipExpired where a term is over."""
    listed = list(eips)
    refuse_expired(listed)
    for eip in listed:
        if eip.subscription.isolated_at is not None:
            raise errors.EipInArrears(
                "The public address {id} is off for arrears; top up to zero or more.",
                field="addresses", id=eip.public_id,
            )  # fmt: skip
    m.refuse_in_arrears(listed)


def refuse_given_back(eips: Iterable[Eip]) -> None:
    """Raise EipWrongState for one that is being given back."""
    for eip in eips:
        if eip.state in (EipState.OFFLINING, EipState.GONE):
            raise errors.EipWrongState(
                "The public address {id} is being given back.", field="addresses", id=eip.public_id
            )


def refuse_expired(eips: Iterable[Eip]) -> None:
    """Raise EipExpired for one whose term is over: made busy, its isolation would be put off."""
    for eip in eips:
        if things.is_expired(eip):
            raise errors.EipExpired(
                "The public address {id} has expired; renew it first.", field="addresses", id=eip.public_id
            )


def refuse_in_package(eips: Iterable[Eip]) -> None:
    """Raise InPackage for one that is in a bandwidth package."""
    for eip in eips:
        if eip.package_id is not None:
            raise errors.InPackage(
                "The public address {id} is in a bandwidth package; take it out of that first.",
                field="addresses", id=eip.public_id,
            )  # fmt: skip


def refuse_bound(eips: Iterable[Eip]) -> None:
    """Raise EipWrongState for one that a machine has."""
    for eip in eips:
        if eip.state != EipState.UNBIND:
            raise errors.EipWrongState(
                "The public address {id} is bound to a machine; unbind it first.", field="addresses", id=eip.public_id
            )


# -- what it is charged for --------------------------------------------------------------------


def prices_of(region: str) -> tuple[PriceBook, RegionPrices]:
    """The price book of now, and what it says of the region. Raises UnknownZone."""
    book = books.current_book(shop.snapshot().generation)
    found = book.regions.get(region)
    if found is None:
        raise errors.UnknownZone("The region {region} does not exist.", field="region", region=region or "(empty)")
    return book, found


def prices(zone: str) -> RegionPrices:
    """Those in force where the zone is."""
    here = shop.snapshot()
    return books.current_book(here.generation).regions[here.region_of(zone)]


def part(eip: Eip, mbps: int | None = None) -> AddressPart:
    """What is bought of it; ``mbps``: at another speed."""
    return AddressPart(eip.internet_charge_type, eip.bandwidth_mbps if mbps is None else mbps)


def bound_hourly(account_id: int, one: AddressPart, here: RegionPrices) -> Decimal:
    """What its bandwidth costs the account an hour at a machine, exact; 0 by traffic, by the month and in a package."""
    if one.by_traffic or one.paid_ahead or one.in_package:
        return Decimal(0)
    return hourly.hour_of(account_id, one.term(here, bound=True))


@contextmanager
def paying() -> Iterator[None]:
    """Where the balance is not enough for a term, the code is that of addresses."""
    try:
        yield
    except errors.InsufficientBalance as short:
        raise errors.InsufficientBalance(
            short.template, field=short.field, code="FailedOperation.BalanceInsufficient", **short.params
        ) from None


def set_aside(eip: Eip, wanted_part: AddressPart | None = None) -> None:
    """An hour of what it costs at a machine, where that is more than what is held. Raises InsufficientBalance.

    Nothing of one that is paid ahead.
    """
    set_aside_all([(eip, wanted_part or part(eip))])


def set_aside_all(wanted: Sequence[tuple[Eip, AddressPart]]) -> None:
    """The same of several of one account, in as many statements as of one."""
    places = exponent(shop.snapshot().currency)
    hours = [
        (eip, hold_minor([bound_hourly(eip.account_id, as_part, prices(eip.zone_id))], places))
        for eip, as_part in wanted
    ]
    charged = [(eip, hour) for eip, hour in hours if hour and not things.is_prepaid(eip)]
    held = _held_of([eip for eip, _ in charged])
    more = [(eip, hour) for eip, hour in charged if hour > held[eip.id]]
    if not more:
        return
    with holds.or_refuse(lambda available, needed: errors.InsufficientBalance(
        "One hour of {id} at a machine is set aside: {needed} are needed and {available} are available.",
        field="addresses", code="FailedOperation.BalanceInsufficient",
        id=", ".join(eip.public_id for eip, _ in more), needed=needed, available=available,
    )):  # fmt: skip
        holds.take([eip.subscription for eip, _ in more], [hour for _, hour in more])


def charge_as(eip: Eip, *, bound: bool) -> None:
    """From this second on it is charged as bound, or as idle; what is held is an hour of that. Belongs into the act.

    Of one that arrears have switched off only the terms change; of one that is paid ahead nothing.
    """
    if things.is_prepaid(eip):
        return
    at = db.call("metering_instant", clock.now())
    db.call("metering_end", [eip.id], False, at)
    agree(eip, bound=bound)
    if eip.subscription.isolated_at is None:
        db.call("metering_start", [eip.id], [], at)
        hold_what_it_asks(eip)


def agree(eip: Eip, *, bound: bool) -> None:
    """Its open terms, in the place of those before; none in a package at a machine.

    Two changes of one instant leave one row of a component.
    """
    now, version = clock.now(), books.current_book(shop.snapshot().generation).version
    Item.objects.filter(subscription_id=eip.id, to_at=None).update(to_at=now)
    if bound and part(eip).in_package:
        return
    component, key, quantity = part(eip).term(prices(eip.zone_id), bound=bound)
    terms = {"mode": mode_of(part(eip), component), "price_key": key, "quantity": quantity, "book_version": version}
    again = Item.objects.filter(subscription_id=eip.id, component=component, from_at=now)
    if not again.update(to_at=None, **terms):
        Item.objects.create(subscription_id=eip.id, component=component, pausable=False, from_at=now, **terms)


def mode_of(one: AddressPart, component: str) -> Item.Mode:
    """How a component of an address is charged."""
    if one.paid_ahead:
        return Item.Mode.MONTH
    return Item.Mode.TRAFFIC if component == TRAFFIC else Item.Mode.HOUR


def hold_what_it_asks(eip: Eip) -> None:
    """An hour of its terms is held, or what there is for it: an address may always leave its machine.

    Nothing of one that is paid ahead; what was so until now has no hold yet, and gets one, if only of nothing.
    """
    if things.is_prepaid(eip):
        return
    wanted, held, has_none = holds.hour_minor([eip.id])[eip.id], held_minor(eip), eip.subscription.hold_id is None
    if not has_none and (wanted is None or wanted <= held):
        holds.shrink([eip.subscription], [wanted])
        return
    (row,) = db.rows("SELECT fn.ledger_available(p) AS left FROM ledger_purses p WHERE account_id = %s", eip.account_id)
    if has_none or row["left"] > 0:
        holds.take([eip.subscription], [min(wanted or 0, held + max(0, row["left"]))])


def held_minor(eip: Eip) -> int:
    """What is set aside for it."""
    return _held_of([eip])[eip.id]


def _held_of(eips: Sequence[Eip]) -> dict[int, int]:
    named = [eip.subscription.hold_id for eip in eips if eip.subscription.hold_id]
    held = dict(Hold.objects.filter(id__in=named).values_list("id", "floating_minor")) if named else {}
    return {eip.id: held[eip.subscription.hold_id] if eip.subscription.hold_id else 0 for eip in eips}
