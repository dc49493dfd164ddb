"""How fast all that is in a bandwidth package is together: within seconds, or at once where no machine has it.

The engine is told first, and charged is what is in force. Whatever a machine of it is told meanwhile, as by a start,
the row has the last word (``own.tell_again``).
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from vmart.catalog import shop
from vmart.engines.contract import Engine, EngineError, Power, PublicAddress, Share
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.network.models import Package
from vmart.orders import hourly, things
from vmart.orders.addresses.own import paying, prices
from vmart.orders.agreed import New
from vmart.orders.hourly import Hours
from vmart.orders.packages import own
from vmart.pricing import books
from vmart.pricing.package import PackagePart
from vmart.provisioning.specs import leading
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND, ACT = "package_bandwidth", own.BANDWIDTH
_FAILED = "The bandwidth could not be changed; it is as before."


def change(actor: Actor, package_id: str, mbps: int) -> None:
    """Accept it. Raises UnknownPackage, PackageBusy, PackageInArrears, NoPackages, OutOfRange, InsufficientBalance."""
    with db.act():
        package = own.lock(actor.account, package_id)
        refuse(package, mbps)
        with paying():
            hourly.set_aside(package, hours(package, mbps), f"{mbps} Mbps")
        things.events([package], ACT, [{"mbps": mbps}], actor)
        things.begin(package, ACT, actor.request_id)
        if own.led(package):
            things.send(package, KIND, mbps=mbps)
        else:
            _at_speed(package, mbps)


def refuse(package: Package, mbps: int) -> None:
    """What is refused of a package as it stands."""
    own.refuse_busy(package)
    own.refuse_stopped(package)
    own.refuse_not_held(package.zone_id)
    PackagePart(mbps).check(books.current_book(shop.snapshot().generation), prices(package.zone_id))


def hours(package: Package, mbps: int) -> Hours:
    """What it is charged an hour now, and at this speed."""
    (found,) = hourly.reckoned([package], [hourly.more(package, _new(package, mbps))])
    return found


def _new(package: Package, mbps: int) -> New:
    return New(package.id, PackagePart(mbps).term(prices(package.zone_id)))


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``package_bandwidth``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        package, mbps = own.read(operation.subject_id), int(operation.payload["mbps"])
        if things.is_under_way(package, ACT):
            _tell(operation, owner, package, mbps)
        with own.outcome(operation, owner) as changed:
            if changed and things.is_under_way(changed, ACT):
                _at_speed(changed, mbps)


def _tell(operation: Claimed, owner: uuid.UUID, package: Package, mbps: int) -> None:
    """Who is told stands in the operation before, so that who leaves is told of the row also after a killed worker."""
    engine, there = engine_of(operation.lane), own.led(package)
    told = [list(pair) for pair in operation.payload.get("told", [])]
    told += [pair for eip, machine in there if (pair := [eip.id, machine.id]) not in told]
    if not queue.note(operation, owner, told=told):
        return
    try:
        for eip, machine in there:
            address = leading(eip)
            assert address is not None
            _give(engine, machine, replace(address, share=Share(package.public_id, mbps)))
    finally:
        own.tell_left(package, told)


def _give(engine: Engine, machine: Instance, address: PublicAddress) -> None:
    """One that its engine has lost keeps no other from the speed: made again, it has what the row says."""
    try:
        engine.ensure_address(machine.public_id, machine.private_ip, address)
    except EngineError:
        if engine.observe(machine.public_id).power != Power.ABSENT:
            raise


def _at_speed(package: Package, mbps: int) -> None:
    """It is in force: from this second on that is what is charged. Belongs into the act."""
    old = package.bandwidth_mbps
    own.succeed(package, bandwidth_mbps=mbps)
    hourly.in_force(package, _new(package, mbps))  # arrears wait for it
    own.tell_again(package)
    things.event(package, "bandwidth_changed", old=old, new=mbps)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The speed of before holds, also where only an answer was lost, and what it costs."""
    for operation in batch:
        with own.outcome(operation, owner) as failed:
            if failed and things.is_under_way(failed, ACT):
                hourly.hold_what_it_asks(failed)
                things.fail(failed, _FAILED, error)
                own.tell_again(failed)
