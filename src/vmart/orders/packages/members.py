"""Which public addresses are in a bandwidth package. What they are charged for follows with their engine.

A package has them from the request on, and no more from the request on: then it may be deleted, as its owner's program
does next. At a machine the engine is told, and what left it is counted, before an address is charged otherwise. Nothing
of that is taken back where the engine does not answer: it is tried until it does.
"""

import uuid
from collections.abc import Sequence

from django.db.models import F

from vmart.events.actor import Actor
from vmart.instances.models import ALIVE
from vmart.kernel import db
from vmart.network.models import Eip, EipState, Package
from vmart.orders import errors, sample, things
from vmart.orders import machines as m
from vmart.orders.addresses import own as own_address
from vmart.orders.addresses.bandwidth import machines_of, refuse_now
from vmart.orders.packages import own
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import BANDWIDTH_PACKAGE, TRAFFIC_POSTPAID_BY_HOUR
from vmart.provisioning.specs import leading
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND, ENTER, LEAVE = "address_package", own_address.ENTER, own_address.LEAVE


def enter(actor: Actor, package_id: str, eip_ids: Sequence[str]) -> None:
    """Accept it, all or none.

    Raises UnknownPackage, PackageBusy, PackageInArrears, PackageFull, PackageElsewhere, NoPackages, UnknownEip,
    EipBusy, EipInArrears, EipWrongState, EipCharged, InPackage, and of their machines Busy, WrongState.
    """
    with db.act():
        eips = own_address.lock(actor.account, eip_ids)
        package = own.lock(actor.account, package_id)
        refuse(package, eips)
        _begin(actor, eips, ENTER, package, package=package, charged_outside=F("internet_charge_type"))


def refuse(package: Package, eips: Sequence[Eip]) -> None:
    """What is refused of a package and of addresses that are to come into it, as they stand."""
    own.refuse_use(package, len(eips))
    refuse_now(eips, machines_of(eips))
    own_address.refuse_in_package(eips)
    for eip in eips:
        if things.is_prepaid(eip):
            raise errors.EipCharged(
                "{id} is paid by the month; charge it by the hour or by traffic first.",
                field="addresses", id=eip.public_id,
            )  # fmt: skip
        own.refuse_zone(package, eip.zone_id, eip.public_id)


def leave(actor: Actor, package_id: str, eip_ids: Sequence[str]) -> None:
    """Accept it, all or none: charged afterwards as before, and by traffic what was bought in the package.

    Raises UnknownPackage, UnknownEip, NotInPackage, EipBusy, EipInArrears, EipWrongState, InsufficientBalance, and of
    their machines Busy, WrongState.
    """
    with db.act():
        eips = own_address.lock(actor.account, eip_ids)
        package = own.lock(actor.account, package_id)
        refuse_leave(package, eips)
        bound = [eip for eip in eips if eip.instance_id]
        own_address.set_aside_all([(eip, AddressPart(eip.charged_outside, eip.bandwidth_mbps)) for eip in bound])
        _begin(actor, eips, LEAVE, package, package=None)


def refuse_leave(package: Package, eips: Sequence[Eip]) -> None:
    """What is refused of addresses that are to leave a package, as they stand."""
    for eip in eips:
        if eip.package_id != package.id:
            raise errors.NotInPackage(
                "The public address {id} is not in the bandwidth package {package}.",
                field="addresses", id=eip.public_id, package=package.public_id,
            )  # fmt: skip
    refuse_now(eips, machines_of(eips))


def _begin(actor: Actor, eips: Sequence[Eip], act: str, of: Package, **columns: object) -> None:
    things.events(eips, act, [{"package": of.public_id}] * len(eips), actor)
    own_address.begin(eips, act, actor.request_id, None, **columns)
    m.begin_all(list(machines_of(eips).values()), act, actor.request_id)
    things.send_all([eip for eip in eips if eip.instance_id], KIND)
    idle = own_address.locking().filter(pk__in=[eip.pk for eip in eips], instance=None)
    _in_force(list(idle.order_by("id")))


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``address_package``: the engine's count and caps first, then terms, in one commit."""
    for operation in batch:
        eip = own_address.read(operation.subject_id)
        counted = _tell(operation.lane, eip)
        with own_address.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as moved:
            if moved and _is_under_way(moved):
                if own_address.part(moved).by_traffic:
                    sample.keep(counted)
                elif _mode(moved) == TRAFFIC_POSTPAID_BY_HOUR:
                    sample.begin(counted)
                _in_force([moved])


def _is_under_way(eip: Eip) -> bool:
    return things.is_under_way(eip, ENTER) or things.is_under_way(eip, LEAVE)


def _tell(lane: str, eip: Eip) -> list[sample.Read]:
    """The engine has the caps of the row; what it had counted before."""
    machine = own_address.machine_of(eip) if eip.instance_id and _is_under_way(eip) else None
    if machine is None or machine.state not in ALIVE:
        return []
    engine = engine_of(lane)
    counted = sample.read(engine, [sample.of_eip(eip, machine.public_id)])
    engine.ensure_address(machine.public_id, machine.private_ip, leading(eip))
    return counted


def _mode(eip: Eip) -> str:
    """How it is charged when what is under way is in force.

    As it is where the package that it was to come into has ended meanwhile.
    """
    return BANDWIDTH_PACKAGE if eip.package_id is not None else eip.charged_outside or eip.internet_charge_type


def _in_force(eips: Sequence[Eip]) -> None:
    """From this second on that is how they are charged at a machine; idle ones are as before. Belongs into the act."""
    told = [{"old": eip.internet_charge_type, "new": _mode(eip)} for eip in eips]
    for eip in eips:
        eip.internet_charge_type = _mode(eip)
        eip.charged_outside = eip.charged_outside if eip.package_id is not None else ""
    Eip.objects.bulk_update(eips, ["internet_charge_type", "charged_outside"])
    own_address.succeed_all(eips)
    for eip in eips:
        if eip.instance_id:
            own_address.free_machine(eip.instance_id)
            own_address.charge_as(eip, bound=True)
    things.events(eips, "mode_changed", told)


def leave_ended(package: Package) -> None:
    """The package is gone, and what arrears have left in it is charged as before when they end. Part of the act."""
    for eip in own_address.locking().filter(package_id=package.id).order_by("id"):
        eip.internet_charge_type = eip.charged_outside
        Eip.objects.filter(pk=eip.pk).update(package=None, internet_charge_type=eip.charged_outside, charged_outside="")
        own_address.charge_as(eip, bound=eip.state in (EipState.BIND, EipState.UNBINDING))
