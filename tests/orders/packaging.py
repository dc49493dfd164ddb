"""Bandwidth packages of a test's customer, and what is seen of them."""

import datetime as dt

from tests.orders.addressing import again, new_address
from tests.support.actors import by
from tests.support.shopper import ZONE, work
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.metering.models import Segment
from vmart.network.models import Eip, Package
from vmart.orders.addresses.allocate import NewAddresses
from vmart.orders.addresses.associate import associate
from vmart.orders.packages.create import NewPackages, create
from vmart.orders.packages.members import enter
from vmart.pricing.address import AddressPart
from vmart.pricing.package import PackagePart

HOUR_MINOR = 80  # 10 Mbps at 0.08 an hour
IN_PACKAGE = "BANDWIDTH_PACKAGE"


def of_mbps(mbps: int = 10, **what: object) -> NewPackages:
    return NewPackages("ap-guangzhou", PackagePart(mbps), **({"zone": ZONE} | what))  # type: ignore[arg-type]


def new_package(account: int, asked: NewPackages | None = None) -> Package:
    (public_id,) = create(by(account), asked or of_mbps())
    return now(Package.objects.get(public_id=public_id))


def now(package: Package) -> Package:
    """As it is now."""
    return Package.objects.select_related("subscription").get(pk=package.pk)


def within(package: Package, mbps: int = 5) -> NewAddresses:
    """To buy: an address that is in it from the first second on."""
    return NewAddresses("ap-guangzhou", AddressPart(IN_PACKAGE, mbps), package=package.public_id)


def inside(package: Package, machine: Instance, asked: NewAddresses | None = None) -> Eip:
    """A new address at the machine, in the package."""
    eip = new_address(package.account_id, asked)
    associate(by(package.account_id), eip.public_id, machine.public_id)
    work()
    enter(by(package.account_id), package.public_id, [eip.public_id])
    work()
    return again(eip)


def segments(package: Package) -> list[tuple[str, int, dt.datetime, dt.datetime | None]]:
    rows = Segment.objects.filter(subscription_id=package.id).order_by("started_at", "id")
    return list(rows.values_list("component", "quantity", "started_at", "ended_at"))


def shared(world: World, *machines: Instance) -> list[tuple[str, int] | None]:
    """What the engine lets each share with others."""
    return [world.shares(machine.public_id) for machine in machines]
