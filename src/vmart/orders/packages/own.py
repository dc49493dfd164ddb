"""What every act on bandwidth packages begins and ends with: locks, refusals, outcome, what is in them."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db.models import QuerySet

from vmart.catalog.models import Zone
from vmart.instances.models import ALIVE, Instance
from vmart.kernel import db
from vmart.network.models import Eip, EipState, Package, PackageState
from vmart.orders import address, errors, things
from vmart.orders import machines as m
from vmart.orders.acts import ending
from vmart.provisioning.specs import leading
from vmart.worker.queue import Claimed

CREATE, DELETE = "CreateBandwidthPackage", "DeleteBandwidthPackage"
RENAME, BANDWIDTH = "ModifyBandwidthPackageAttribute", "ModifyBandwidthPackageBandwidth"
RELEASE_KIND = "release_package"
MOST = 100  # addresses of a package


def lock(account_id: int, public_id: str) -> Package:
    """The account's package by public id, locked. Raises UnknownPackage for any other."""
    (found,) = things.lock_named(locking().exclude(state=PackageState.GONE), account_id, [public_id], unknown)
    return found


def unknown(public_id: str) -> errors.UnknownPackage:
    """Of an id that is none of the account's."""
    return errors.UnknownPackage(
        "The bandwidth package {id} does not exist.", field="packages", id=public_id or "(empty)"
    )


def locking() -> QuerySet[Package]:
    """Packages with their subscriptions, both locked."""
    return Package.objects.select_related("subscription").select_for_update()


def read(package_id: int) -> Package:
    """A package with its subscription, as it is now."""
    return Package.objects.select_related("subscription").get(id=package_id)


@contextmanager
def outcome(operation: Claimed, owner: uuid.UUID) -> Iterator[Package | None]:
    """What became of an operation, which ends here: its package, locked; None as ``acts.outcome``."""
    with ending(operation, owner) as ours:
        package = locking().get(id=operation.subject_id) if ours else None
        yield package if package and package.state == PackageState.CREATED else None


def refuse_busy(package: Package) -> None:
    """Raise PackageBusy while an operation on it is under way."""
    if package.latest_operation_state == "OPERATING":
        raise errors.PackageBusy(
            "The bandwidth package {id} is busy with {operation}; try again when it has ended.",
            field="packages", id=package.public_id, operation=package.latest_operation,
        )  # fmt: skip


def refuse_stopped(package: Package) -> None:
    """Raise PackageInArrears, or InArrears, for one that arrears have switched off, or are about to."""
    if package.subscription.isolated_at is not None:
        raise errors.PackageInArrears(
            "The bandwidth package {id} is off for arrears; top up to zero or more.",
            field="packages", id=package.public_id,
        )  # fmt: skip
    m.refuse_in_arrears([package])


def not_held(where: str, field: str) -> errors.NoPackages:
    """Of a zone, or a region, whose hosts cannot hold a shared speed."""
    return errors.NoPackages(
        "There are no bandwidth packages in {where}: its hosts cannot hold one speed over several machines.",
        field=field, where=where,
    )  # fmt: skip


def refuse_not_held(zone: str) -> None:
    """Raise NoPackages where the hosts of a package's zone can hold its speed no more, as with another engine."""
    if not Zone.objects.values_list("capabilities", flat=True).get(code=zone).get("shared_bandwidth"):
        raise not_held(zone, "packages")


def refuse_use(package: Package, count: int) -> None:
    """What is refused of a package alone into which so many addresses are to come."""
    refuse_busy(package)
    refuse_stopped(package)
    refuse_not_held(package.zone_id)
    held = members(package).count()
    if held + count > MOST:
        raise errors.PackageFull(
            "At most {most} addresses can be in a bandwidth package, and there are {held} in {id}.",
            field="packages", most=MOST, held=held, id=package.public_id,
        )  # fmt: skip


def refuse_zone(package: Package, zone: str, what: str) -> None:
    """Raise PackageElsewhere for what is in another zone."""
    if package.zone_id != zone:
        raise errors.PackageElsewhere(
            "The bandwidth package {id} is for addresses of {zone}, and {what} is in {other}.",
            field="packages", id=package.public_id, zone=package.zone_id, what=what, other=zone,
        )  # fmt: skip


def refuse_place(package: Package, region: str, zone: str) -> None:
    """Raise PackageElsewhere where what is named is not where it is; ``zone`` "": none is named."""
    here = package.zone.region_id
    if region != here:
        raise errors.PackageElsewhere(
            "The bandwidth package {id} is in the region {region}.", field="packages", id=package.public_id, region=here
        )
    if zone:
        refuse_zone(package, zone, zone)


def succeed(package: Package, **columns: object) -> None:
    """The operation on it has ended well. Belongs into the act."""
    Package.objects.filter(pk=package.pk).update(latest_operation_state="SUCCESS", **columns)


def members(package: Package) -> QuerySet[Eip]:
    """The addresses that are in it."""
    return Eip.objects.filter(package_id=package.id).order_by("id")


def led(package: Package) -> Sequence[tuple[Eip, Instance]]:
    """Those of them that lead to a machine now, each with it."""
    bound = members(package).filter(state=EipState.BIND, instance__state__in=ALIVE)
    found = list(bound.select_related("subscription", "instance", "package"))
    return [(eip, eip.instance) for eip in found if eip.instance is not None and leading(eip) is not None]


def tell_again(package: Package) -> None:
    """Whatever its machines were told meanwhile: in the end their engine knows what the row says. Part of the act.

    Those too to which an address comes just now, or that it leaves: what is under way there was read before.
    """
    having = members(package).filter(instance__state__in=ALIVE).select_related("instance")
    address.send_all([eip.instance for eip in having if eip.instance is not None])


def tell_left(package: Package, told: Sequence[Sequence[int]]) -> None:
    """Machines that were just told of an address, and by now have it no more, or not in the package: told of the row.

    ``told``: numbers of addresses, each with that of its machine. Nothing of a package waits for its speed: an address
    may have left, been unbound and be another customer's.
    """
    with db.act():
        db.call("ledger_lock", package.account_id)
        still = {(eip.id, machine.id) for eip, machine in led(package)}
        left = [machine for eip, machine in told if (eip, machine) not in still]
        address.send_all(list(Instance.objects.filter(pk__in=left, state__in=ALIVE).order_by("id")))
