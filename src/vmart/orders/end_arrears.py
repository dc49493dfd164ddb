"""The end of arrears: money that brings the balance to 0 or more gives the machines back what they lost by them.

The other half is ``settlement/arrears.py``, which takes it; this one lies where every credit passes.
"""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from vmart.events import record
from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import clock, db
from vmart.network.models import Eip, EipState, Package, PackageState
from vmart.orders import address, holds, planned_end
from vmart.orders import machines as m
from vmart.orders.addresses import isolate as isolate_address
from vmart.orders.addresses import own as own_address
from vmart.orders.addresses import release as release_address
from vmart.orders.disks import isolate, own, release
from vmart.orders.images import charge as own_image
from vmart.orders.images import leave as leave_image
from vmart.orders.packages import own as own_package
from vmart.orders.snapshots import delete as delete_snapshot
from vmart.orders.snapshots import own as own_snapshot
from vmart.orders.things import Thing
from vmart.storage.images import ImageState
from vmart.storage.models import Disk, OwnImage, Snapshot, SnapshotState
from vmart.storage.models import State as DiskState
from vmart.subscriptions.models import Source, Standing
from vmart.worker import queue


def end(account_id: int) -> int:
    """End the account's arrears when its balance is 0 or more; the number of machines that may start again.

    The hours of grace begin anew with the next ones. Machines stopped for them are as if stopped without
    charge, and no longer due for release (ADR 0012); one that is being released already stays so. Prepaid
    machines get their public network back. Belongs into the act's transaction, under the account lock
    (billing-rules, section 4).
    """
    db.require_transaction()
    found = db.rows(
        "SELECT fn.ledger_balance(p) AS balance, fn.ledger_available(p) AS available FROM ledger_purses p"
        " WHERE account_id = %s",
        account_id,
    )
    if found[0]["balance"] < 0:
        return 0
    queue.forget("arrears", record.ACCOUNT, [account_id])
    restricted = list(
        m.locking()
        .filter(account_id=account_id, subscription__arrears_since__isnull=False, state__in=[State.SHUTDOWN, *ALIVE])
        .order_by("id")
    )
    stopped = [machine for machine in restricted if machine.state == State.SHUTDOWN]
    left_minor = _make_startable(stopped, found[0]["available"]) if stopped else found[0]["available"]
    for stood, give_back in (
        (_disks(), _make_attachable), (_eips(), _switch_on), (_packages(), _share_again),
        (_snapshots(), _use_again), (_images(), _make_usable),
    ):  # fmt: skip
        here = list(stood.filter(account_id=account_id, subscription__arrears_since__isnull=False).order_by("id"))
        if here:
            left_minor = give_back(here, left_minor)
    for machine in restricted:
        if machine.state != State.SHUTDOWN:
            m.agree([machine], arrears_since=None)
            m.event(machine, "network_on")
            address.send(machine)
    return len(stopped)


def _disks() -> QuerySet[Any]:
    return own.locking().filter(state=DiskState.TORECYCLE)


def _eips() -> QuerySet[Any]:
    return own_address.locking().exclude(state__in=[EipState.OFFLINING, EipState.GONE])


def _packages() -> QuerySet[Any]:
    return own_package.locking().filter(state=PackageState.CREATED)


def _snapshots() -> QuerySet[Any]:
    return own_snapshot.locking().filter(state=SnapshotState.TORECYCLE)


def _images() -> QuerySet[Any]:
    return own_image.charged().filter(state=ImageState.NORMAL)


def _make_startable(machines: Sequence[Instance], available_minor: int) -> int:
    """What is available after it."""
    ids = [machine.id for machine in machines]
    db.call("metering_start", ids, ids, db.call("metering_instant", clock.now()))
    # Where the power-off of the stop is still under way, it lets go of the address.
    off = [machine for machine in machines if machine.latest_operation_state != "OPERATING"]
    db.call("network_free_public", [machine.id for machine in off], clock.now())
    Instance.objects.filter(id__in=[machine.id for machine in off]).update(public_ip=None)
    m.forget_work("release", machines)
    Instance.objects.filter(id__in=ids).update(state=State.STOPPED)
    planned_end.resume(machines)
    return _agree_again(machines, available_minor)


def _make_attachable(disks: Sequence[Disk], available_minor: int) -> int:
    """As if they had just been detached; one that is still being taken off is when that is done. What is left."""
    there = [disk.id for disk in disks if disk.instance_id]
    free = [disk for disk in disks if not disk.instance_id]
    m.forget_work(isolate.KIND, free)
    Disk.objects.filter(id__in=there).update(state=DiskState.DETACHING)
    Disk.objects.filter(id__in=[disk.id for disk in free]).update(
        state=DiskState.UNATTACHED, latest_operation_state="SUCCESS"
    )
    return _charge_again(disks, release.KIND, available_minor)


def _switch_on(eips: Sequence[Eip], available_minor: int) -> int:
    """They lead to the machines that have them. What is left."""
    left_minor = _charge_again(eips, release_address.KIND, available_minor)
    for eip in eips:
        if eip.state == EipState.BIND:
            isolate_address.lead_again(eip)
    return left_minor


def _share_again(packages: Sequence[Package], available_minor: int) -> int:
    """What is in them was switched on by itself. What is left."""
    return _charge_again(packages, own_package.RELEASE_KIND, available_minor)


def _use_again(snapshots: Sequence[Snapshot], available_minor: int) -> int:
    """Disks are made of them. What is left."""
    Snapshot.objects.filter(id__in=[one.id for one in snapshots]).update(state=SnapshotState.NORMAL)
    return _charge_again(snapshots, delete_snapshot.KIND, available_minor)


def _make_usable(images: Sequence[OwnImage], available_minor: int) -> int:
    """Machines are made of them. What is left."""
    return _charge_again(images, leave_image.KIND, available_minor)


def _charge_again(things: Sequence[Thing], release: str, available_minor: int) -> int:
    """They are charged again, and released no more. What is left."""
    db.call("metering_start", [thing.id for thing in things], [], db.call("metering_instant", clock.now()))
    m.forget_work(release, things)
    return _agree_again(things, available_minor)


def _agree_again(things: Sequence[Thing], available_minor: int) -> int:
    """They stand as before, with what can be set aside for an hour of them; what is available after it."""
    ids = [thing.id for thing in things]
    wanted = holds.hour_minor(ids, paused=True)
    held = _within([wanted[number] or 0 for number in ids], available_minor)
    holds.take([thing.subscription for thing in things], held)
    m.agree(
        things, standing=Standing.ACTIVE, isolated_source=Source.NOT_ISOLATED, isolated_at=None, release_at=None,
        arrears_since=None,
    )  # fmt: skip
    m.events(things, "arrears_ended")
    return available_minor - sum(held)


def _within(wanted_minor: Sequence[int], available_minor: int) -> list[int]:
    """What can be set aside for each, in the order in which they were bought: of the last ones less, or nothing."""
    held = []
    for wanted in wanted_minor:
        held.append(max(0, min(wanted, available_minor)))
        available_minor -= held[-1]
    return held
