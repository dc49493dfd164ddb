"""A snapshot is made of a disk as it is, in use or not: room and an hour's hold now, charged from when it is there.

It is charged by the GiB of its disk: so much of the host is kept for it.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db, public_ids
from vmart.orders import by_the_gib, errors, holds, numbers, things, unpaid
from vmart.orders import machines as m
from vmart.orders.by_the_gib import Cost
from vmart.orders.disks import own as own_disk
from vmart.orders.snapshots import attributes, delete, ends, own
from vmart.pricing import books
from vmart.pricing.book import SNAPSHOT
from vmart.pricing.errors import ChargeTypeNotSold
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.storage.models import State as DiskState
from vmart.subscriptions.models import SNAPSHOT as KIND_OF_SUBSCRIPTION
from vmart.tags import new
from vmart.tags import things as tagged
from vmart.tags.wanted import Tag
from vmart.worker.queue import Claimed

KIND, ACT = "create_snapshot", own.CREATE
_FAILED = "The snapshot could not be made; nothing is charged."


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """Of the disk ``disk_id``, whatever it is at. ``turned_off``: the machine that it goes with is off meanwhile.
    ``delete_at``: when it is deleted by itself.
    """

    disk_id: str
    name: str = ""
    tags: tuple[Tag, ...] = ()
    turned_off: bool = False
    delete_at: dt.datetime | None = None


def cost(account_id: int, zone: str, size_gib: int) -> Cost:
    """What a snapshot of a disk of this size costs the account in the zone by the catalog of now.

    Raises ChargeTypeNotSold.
    """
    here = shop.snapshot()
    prices = books.current_book(here.generation).regions[here.region_of(zone)]
    if prices.snapshot_gib is None:
        raise ChargeTypeNotSold(
            "No snapshots are sold in this region.", field="region", code="InvalidDisk.NotSupportSnapshot"
        )
    return by_the_gib.cost(account_id, (SNAPSHOT, prices.snapshot_key, size_gib))


def create(actor: Actor, asked: NewSnapshot) -> str:
    """Accept it, by itself or as a part of the act that is open; its public id.

    Raises UnknownOwnDisk, DiskBusy, DiskState, of a disk's machine Busy and WrongState; BadSnapshotName, InvalidValue,
    BadTag, TooManyTags, AccountFrozen, InArrears, ChargeTypeNotSold, NoSnapshots, QuotaReached, DiskSoldOut,
    InsufficientBalance.
    """
    attributes.check_name(asked.name)
    ends.check(asked.delete_at)
    new.check(asked.tags)
    with db.part_of_act():
        disk = own.disk_of(actor.account, asked.disk_id)
        machine = own.machine_of(disk)
        refuse(disk, machine)
        _refuse(disk, machine)
        snapshot = _write(disk, machine, asked, actor)
        new.give(actor.account, tagged.SNAPSHOT, [snapshot.public_id], asked.tags)
        things.events([snapshot], ACT, [{"disk": disk.public_id}], actor)
        if asked.delete_at is not None:
            ends.decide(snapshot, asked.delete_at)
        own.begin_disk(disk, machine, ACT, actor.request_id)
        is_on = machine is not None and machine.state == MachineState.RUNNING
        things.send(snapshot, KIND, turned_off=asked.turned_off and is_on)
        return snapshot.public_id


def refuse(disk: Disk, machine: Instance | None) -> None:
    """What is refused of a disk, and of the machine that it goes with, as they stand."""
    own.refuse_disk(disk, machine, DiskState.UNATTACHED, DiskState.ATTACHED)


def refuse_machines(machines: Sequence[Instance]) -> None:
    """The same of machines alone. Raise UnknownOwnDisk for one that was never made, and so has no disk."""
    for machine in machines:
        if machine.state == MachineState.LAUNCH_FAILED:
            raise errors.UnknownOwnDisk("{id} was never made, and has no disks.", field="disks", id=machine.public_id)
        own.refuse_machine(machine)


def counting(account_id: int) -> QuerySet[Snapshot]:
    """The account's snapshots that count against the quota, in every region; by their own index."""
    there = Snapshot.objects.filter(account_id=account_id).exclude(state=SnapshotState.GONE)
    return there.exclude(state__in=[SnapshotState.FAILED, SnapshotState.ERASING])


def _refuse(disk: Disk, machine: Instance | None) -> None:
    """What is refused of account and zone."""
    unpaid.refuse_buyer(disk.account_id)
    m.refuse_in_arrears([machine or disk])
    zone = Zone.objects.get(code=disk.zone_id)
    if not zone.capabilities.get("snapshots"):
        raise errors.NoSnapshots(
            "The zone {zone} makes no snapshots: its storage cannot copy a disk at one instant.",
            field="disks", zone=zone.code,
        )  # fmt: skip
    held = counting(disk.account_id).filter(zone__region_id=zone.region_id).count()
    most = db.call("customers_quota", disk.account_id, "snapshots_per_region")
    if held >= most:
        raise errors.QuotaReached(
            "At most {most} snapshots are possible in a region, and there are {held}.",
            field="disks", code="InsufficientSnapshotQuota", most=most, held=held,
        )  # fmt: skip


def _write(disk: Disk, machine: Instance | None, asked: NewSnapshot, actor: Actor) -> Snapshot:
    """Agreement, term, room, hold and snapshot."""
    due, number = cost(disk.account_id, disk.zone_id, disk.size_gib), numbers.subscriptions(1)[0]
    public_id = public_ids.of("snap", number)
    agreed = by_the_gib.agree(
        disk.account_id, disk.zone_id, due, kind=KIND_OF_SUBSCRIPTION, number=number, public_id=public_id
    )
    if not db.call("placement_claim_beside", agreed.id, (machine or disk).id, disk.size_gib):
        raise errors.DiskSoldOut(
            "There is no room for a snapshot of {size} GiB on the host of {id} now.",
            field="disks", code="ResourceInsufficient", size=disk.size_gib, id=disk.public_id,
        )  # fmt: skip
    with holds.or_refuse(lambda available, needed: errors.InsufficientBalance(
        "One hour of the snapshot is set aside: {needed} are needed and {available} are available.",
        needed=needed, available=available,
    )):  # fmt: skip
        holds.take([agreed], [due.hold_minor])
    return Snapshot.objects.create(
        id=agreed.id, subscription=agreed, public_id=agreed.public_id, account_id=disk.account_id, disk=disk,
        zone_id=agreed.zone_id, created_at=agreed.created_at,
        usage=disk.usage, size_gib=disk.size_gib, name=asked.name, **_ran(disk, machine),
        state=SnapshotState.CREATING, latest_operation=ACT, latest_operation_state="OPERATING",
        latest_operation_request_id=actor.request_id,
    )  # fmt: skip


def _ran(disk: Disk, machine: Instance | None) -> dict[str, str]:
    """Of a system disk: the images that its machine was made of."""
    if machine is None or disk.usage != Disk.Usage.SYSTEM:
        return {}
    return {"image_id": machine.image_id, "own_image": machine.own_image}


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``create_snapshot``: the engine first, then it is charged, in one commit."""
    for operation in batch:
        snapshot = own.read(operation.subject_id)
        if snapshot.state == SnapshotState.CREATING:
            with _turned_off(snapshot) if operation.payload.get("turned_off") else nullcontext():
                own.engine(operation.lane).ensure_snapshot(snapshot.public_id, own.held(snapshot.disk))
        with own.outcome(operation, owner, SnapshotState.CREATING) as made:
            if made:
                _there(made)


@contextmanager
def _turned_off(snapshot: Snapshot) -> Iterator[None]:
    """Its machine is off for the block, and on again, unless something else has become of it meanwhile."""
    engine = engine_of(snapshot.zone_id)
    if own.is_busy_with(snapshot.disk, ACT):
        engine.ensure_power(own_disk.machine_of(snapshot.disk), False)
    try:
        yield
    finally:
        if own.is_busy_with(snapshot.disk, ACT):
            engine.ensure_power(own_disk.machine_of(snapshot.disk), True)


def _there(snapshot: Snapshot) -> None:
    by_the_gib.there(snapshot)
    own.succeed(snapshot, SnapshotState.NORMAL)
    own.free_disk(snapshot.disk, ACT)
    things.event(snapshot, "snapshot_made", disk=snapshot.disk.public_id)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It was not made: what was held is free, and its room once nothing is left on the engine."""
    for operation in batch:
        with own.outcome(operation, owner, SnapshotState.CREATING) as failed:
            if failed:
                by_the_gib.never_there(failed)
                things.fail(failed, _FAILED, error, state=SnapshotState.FAILED)
                own.free_disk(failed.disk, ACT)
                things.send(failed, delete.KIND)
