"""An image of what is on a machine's system disk, or in a snapshot of one. What it costs is its snapshot's.

Of a machine a snapshot is made first. The machine runs on, and what is on its disk is of one instant; or it is turned
off for it, so that its own programs have written all, and on again.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.catalog.models import Image, Zone
from vmart.engines.contract import EngineError
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import clock, db, public_ids
from vmart.orders import errors, numbers, things, unpaid
from vmart.orders import machines as m
from vmart.orders.images import leave, own
from vmart.orders.snapshots import create as snapshots
from vmart.orders.snapshots import own as own_snapshot
from vmart.storage.images import COUNTING, ImageState, OwnImage
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.tags import new
from vmart.tags.things import IMAGE
from vmart.tags.wanted import Tag
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND = "create_image"
_FAILED = "The image was not made."
_NO_SNAPSHOT = EngineError("Its snapshot could not be made.", transient=False, helps="Make the image again.")
_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class NewImage:
    """``turned_off``: the machine is off while its disk is copied."""

    name: str
    description: str = ""
    turned_off: bool = False
    tags: tuple[Tag, ...] = ()


def of_machine(actor: Actor, machine_id: str, asked: NewImage, *, dry_run: bool = False) -> str:
    """Accept an image of a machine that runs or stands; its public id. With ``dry_run`` nothing is written.

    Raises UnknownInstance, Busy, WrongState, the refusals of a snapshot of its system disk and of ``of_snapshot``.
    """
    _check(asked)
    with db.act():
        (machine,) = m.lock(actor.account, [machine_id])
        refuse([machine])
        m.refuse_in_arrears([machine])
        refuse_new(actor.account, machine.zone_id, asked.name)
        disk = Disk.objects.get(instance_id=machine.id, usage=Disk.Usage.SYSTEM)
        wanted = snapshots.NewSnapshot(disk.public_id, asked.name, turned_off=asked.turned_off)
        snapshot = Snapshot.objects.get(public_id=snapshots.create(actor, wanted))
        m.events([machine], own.CREATE, actor=actor)
        made = _write(actor, snapshot, asked)
        transaction.set_rollback(dry_run)
        return made


def of_snapshot(actor: Actor, snapshot_id: str, asked: NewImage, *, dry_run: bool = False) -> str:
    """The same of a snapshot of a system disk.

    Raises UnknownSnapshot, SnapshotBusy, SnapshotWrongState, NotOfSystemDisk, InvalidValue, ImageNameTaken,
    TooManyImages, NoOwnImages, AccountFrozen, InArrears, BadTag, TooManyTags.
    """
    _check(asked)
    with db.act():
        (snapshot,) = own_snapshot.lock(actor.account, [snapshot_id], most=1)
        own_snapshot.refuse_not_normal(snapshot)
        if snapshot.usage != Disk.Usage.SYSTEM:
            raise errors.NotOfSystemDisk(
                "The snapshot {id} is of a data disk, and no image is made of it.",
                field="snapshots", id=snapshot.public_id,
            )  # fmt: skip
        refuse_zone(snapshot.zone_id)
        refuse_new(actor.account, snapshot.zone_id, asked.name)
        made = _write(actor, snapshot, asked)
        transaction.set_rollback(dry_run)
        return made


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy, WrongState or NoOwnImages for machines of which no image can be made now."""
    m.refuse_neither_on_nor_off(machines)
    for machine in machines:
        refuse_zone(machine.zone_id)


def refuse_zone(zone: str) -> None:
    """Raise NoOwnImages for a zone whose engine makes none."""
    if not Zone.objects.values_list("capabilities", flat=True).get(code=zone).get("own_images"):
        raise errors.NoOwnImages("No images are made of machines in {zone}.", field="machines", zone=zone)


def counting(account_id: int) -> QuerySet[OwnImage]:
    """The account's images that count against its quota, in every region."""
    return OwnImage.objects.filter(account_id=account_id, state__in=COUNTING)


def _check(asked: NewImage) -> None:
    own.check_name(asked.name)
    own.check_description(asked.description)
    new.check(asked.tags)


def refuse_new(account_id: int, zone: str, name: str) -> None:
    """Raise AccountFrozen, InArrears, ImageNameTaken or TooManyImages. Belongs under the account lock."""
    unpaid.refuse_buyer(account_id)
    own.refuse_taken(account_id, name)
    held = counting(account_id).filter(zone__region_id=shop.snapshot().region_of(zone)).count()
    most = db.call("customers_quota", account_id, "images_per_region")
    if held >= most:
        raise errors.TooManyImages(
            "At most {most} images are possible in a region, and there are {held}; delete one first.",
            most=most, held=held,
        )  # fmt: skip


def _write(actor: Actor, snapshot: Snapshot, asked: NewImage) -> str:
    number, public_id = new_number()
    image = OwnImage.objects.create(
        id=number, public_id=public_id, account_id=actor.account, zone_id=snapshot.zone_id, base_id=snapshot.image_id,
        snapshot=snapshot, name=asked.name, description=asked.description, size_gib=snapshot.size_gib,
        created_at=clock.now(), state=ImageState.CREATING, latest_operation=own.CREATE,
        latest_operation_state="OPERATING", latest_operation_request_id=actor.request_id,
    )  # fmt: skip
    new.give(actor.account, IMAGE, [public_id], asked.tags)
    things.events([image], own.CREATE, [{"snapshot": snapshot.public_id}], actor)
    things.send(image, KIND)
    return public_id


def new_number() -> tuple[int, str]:
    """One whose public id is no public image's: those are the seller's choice."""
    while True:
        (number,) = numbers.subscriptions(1)
        public_id = public_ids.of("img", number)
        if public_id not in shop.snapshot().images:
            return number, public_id


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``create_image``: when its snapshot is there the engine, then the outcome."""
    for operation in batch:
        image = OwnImage.objects.select_related("snapshot__subscription").get(id=operation.subject_id)
        assert image.snapshot is not None  # of no imported one
        state = image.snapshot.state
        if image.state == ImageState.CREATING and state in (SnapshotState.CREATING, SnapshotState.ROLLBACKING):
            queue.put_off(owner, [operation], _WAIT_S, "waiting for the snapshot", waiting=True)
        elif image.state == ImageState.CREATING and state != SnapshotState.NORMAL:
            exhausted([operation], owner, _NO_SNAPSHOT)
        else:
            _make(image, operation, owner)


def _make(image: OwnImage, operation: Claimed, owner: uuid.UUID) -> None:
    if image.state == ImageState.CREATING:
        assert image.snapshot is not None
        user = Image.objects.values_list("login_user", flat=True).get(public_id=image.base_id)
        own.engine(operation.lane).ensure_image_of(image.public_id, image.snapshot.public_id, user)
    with own.outcome(operation, owner, ImageState.CREATING) as made:
        if made:
            OwnImage.objects.filter(pk=made.pk).update(state=ImageState.NORMAL, latest_operation_state="SUCCESS")
            things.event(made, "image_made", name=made.name)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """There is no image, and nothing of it stays on the engine; its snapshot stays, if it was made."""
    for operation in batch:
        with own.outcome(operation, owner, ImageState.CREATING) as failed:
            if failed:
                things.fail(failed, _FAILED, error, state=ImageState.CREATEFAILED)
                things.send(failed, leave.KIND)
