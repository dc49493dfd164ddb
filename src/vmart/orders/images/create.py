"""An image of what is on a machine's system disk. It costs nothing; the machine is busy until it is made.

The machine runs on, and what is on its disk is of one instant; or it is turned off for it, so that its own programs
have written all, and on again.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.engines.contract import EngineError
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db, public_ids
from vmart.orders import errors, things, unpaid
from vmart.orders import machines as m
from vmart.orders.acts import accepting
from vmart.orders.images import delete, own
from vmart.provisioning.zone_engines import engine_of
from vmart.storage import numbers
from vmart.storage.images import ImageState, OwnImage
from vmart.storage.models import Disk
from vmart.tags import new
from vmart.tags.things import IMAGE
from vmart.tags.wanted import Tag
from vmart.worker.queue import Claimed

KIND = "create_image"
_FAILED = "The image was not made."


@dataclass(frozen=True, slots=True)
class NewImage:
    """``turned_off``: the machine is off while its disk is copied."""

    name: str
    description: str = ""
    turned_off: bool = False
    tags: tuple[Tag, ...] = ()


def create(actor: Actor, machine_id: str, asked: NewImage, *, dry_run: bool = False) -> str:
    """Accept an image of the machine, which runs or stands; its public id. With ``dry_run`` nothing is written.

    Raises InvalidValue, ImageNameTaken, TooManyImages, Unsupported, AccountFrozen, BadTag, TooManyTags, WrongState,
    and the refusals of ``acts.accepting``.
    """
    own.check_name(asked.name)
    own.check_description(asked.description)
    new.check(asked.tags)
    with accepting(actor, own.CREATE, [machine_id], refuse=refuse, uses=True) as (machine,):
        unpaid.refuse_frozen(actor.account)
        own.refuse_taken(actor.account, asked.name)
        _refuse_too_many(actor.account, machine.zone_id)
        image = _write(actor, machine, asked)
        new.give(actor.account, IMAGE, [image.public_id], asked.tags)
        m.begin(machine, own.CREATE, actor.request_id)
        things.events([image], own.CREATE, [{"machine": machine.public_id}], actor)
        things.send(image, KIND, turned_off=asked.turned_off and machine.state == State.RUNNING)
        transaction.set_rollback(dry_run)
        return image.public_id


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy, WrongState or Unsupported for machines of which no image can be made now."""
    m.refuse_neither_on_nor_off(machines)
    for machine in machines:
        capabilities = Zone.objects.values_list("capabilities", flat=True).get(code=machine.zone_id)
        if not capabilities.get("own_images"):
            raise errors.NoOwnImages(
                "No images are made of machines in {zone}.", field="machines", zone=machine.zone_id
            )


def counting(account_id: int) -> QuerySet[OwnImage]:
    """The account's images that count against its quota, in every region."""
    return OwnImage.objects.filter(account_id=account_id, state__in=[ImageState.CREATING, ImageState.NORMAL])


def _refuse_too_many(account_id: int, zone: str) -> None:
    held = counting(account_id).filter(zone__region_id=shop.snapshot().region_of(zone)).count()
    most = db.call("customers_quota", account_id, "images_per_region")
    if held >= most:
        raise errors.TooManyImages(
            "At most {most} images are possible in a region, and there are {held}; delete one first.",
            most=most, held=held,
        )  # fmt: skip


def _write(actor: Actor, machine: Instance, asked: NewImage) -> OwnImage:
    size_gib = Disk.objects.values_list("size_gib", flat=True).get(instance_id=machine.id, usage=Disk.Usage.SYSTEM)
    number, public_id = _number()
    return OwnImage.objects.create(
        id=number, public_id=public_id, account_id=actor.account, zone_id=machine.zone_id, base_id=machine.image_id,
        machine_id=machine.id, name=asked.name, description=asked.description, size_gib=size_gib,
        created_at=clock.now(), state=ImageState.CREATING, latest_operation=own.CREATE,
        latest_operation_state="OPERATING", latest_operation_request_id=actor.request_id,
    )  # fmt: skip


def _number() -> tuple[int, str]:
    """One whose public id is no public image's: those are the seller's choice."""
    while True:
        number = numbers.image()
        public_id = public_ids.of("img", number)
        if public_id not in shop.snapshot().images:
            return number, public_id


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``create_image``: the engine first, then the outcome of image and machine in one commit."""
    for operation in batch:
        image = OwnImage.objects.get(id=operation.subject_id)
        if image.state == ImageState.CREATING:
            _make(image, turned_off=operation.payload["turned_off"])
        with own.outcome(operation, owner, ImageState.CREATING) as made:
            if made:
                OwnImage.objects.filter(pk=made.pk).update(state=ImageState.NORMAL, latest_operation_state="SUCCESS")
                own.free_machine(made.machine_id)
                things.event(made, "image_made", name=made.name)


def _make(image: OwnImage, *, turned_off: bool) -> None:
    """A machine that was turned off for it runs at the end, unless something else has become of it meanwhile."""
    machine = m.read(image.machine_id)
    engine, images = engine_of(image.zone_id), own.engine(image.zone_id)
    turned_off = turned_off and m.is_under_way(machine, own.CREATE)
    if turned_off:
        engine.ensure_power(machine.public_id, False)
    images.ensure_image_of(image.public_id, machine.public_id, machine.login_user, image.size_gib)
    if turned_off and m.is_under_way(m.read(machine.id), own.CREATE):
        seen = engine.ensure_power(machine.public_id, True)
        if seen.power not in ("running", "starting"):
            raise m.not_on(seen)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """There is no image, and nothing of it stays on the engine; its machine is as the engine has it."""
    for operation in batch:
        _on_again(operation)
        with own.outcome(operation, owner, ImageState.CREATING) as failed:
            if failed:
                things.fail(failed, _FAILED, error, state=ImageState.CREATEFAILED)
                own.free_machine(failed.machine_id)
                things.send(failed, delete.KIND)


def _on_again(operation: Claimed) -> None:
    image = OwnImage.objects.get(id=operation.subject_id)
    machine = m.read(image.machine_id)
    if operation.payload["turned_off"] and m.is_under_way(machine, own.CREATE):
        try:
            engine_of(operation.lane).ensure_power(machine.public_id, True)
        except EngineError:
            return  # the sweep finds it off, and says so
