"""An image is deleted. Machines that were made of it stay as they are; nothing is made of it any more."""

import uuid
from collections.abc import Sequence

from django.db import transaction

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.orders import errors, things
from vmart.orders.acts import holding
from vmart.orders.images import charge, leave, own
from vmart.orders.snapshots import delete as delete_snapshots
from vmart.storage.images import ImageShare, ImageState, OwnImage
from vmart.storage.models import Snapshot, SnapshotState
from vmart.subscriptions.models import Standing
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND = leave.KIND
_ENDED = (ImageState.DELETING, ImageState.CREATEFAILED, ImageState.IMPORTFAILED)

# Machines that are just being made of images: delivered, or installed anew.
_IN_USE = """
SELECT x.public_id AS image, x.account_id = i.account_id AS own, i.public_id AS machine
FROM storage_image x
JOIN worker_operation w ON w.lane = x.zone_id AND w.subject_kind = 'machine'
  AND w.kind IN ('deliver', 'redeliver', 'reinstall')
JOIN instances_instance i ON i.id = w.subject_id
WHERE x.id = ANY (%s)
  AND CASE w.kind WHEN 'reinstall' THEN w.payload->>'own_image' = x.public_id
                  ELSE w.step <> 'clean' AND i.own_image = x.public_id END
ORDER BY x.id, i.id LIMIT 1
"""


def delete(actor: Actor, image_ids: Sequence[str], *, with_snapshots: bool = False, dry_run: bool = False) -> None:
    """Accept the end of images, all or none; their snapshots stay, unless they are to go too.

    With ``dry_run`` nothing is written. Raises UnknownImage, NotImageOwner, ImageBusy, ImageShared, and of the
    snapshots SnapshotBusy, SnapshotInUse, ImageStandsOnIt.
    """
    with db.act():
        images = own.lock(actor.account, image_ids)
        refuse(images)
        things.events(images, leave.ACT, actor=actor)
        leave.end(images, actor.request_id)
        if with_snapshots:
            _with_snapshots(actor, [image.snapshot_id for image in images if image.snapshot_id])
        transaction.set_rollback(dry_run)


def _with_snapshots(actor: Actor, numbers: Sequence[int]) -> None:
    """Those that are there: one that could not be made never was."""
    ended = [SnapshotState.FAILED, SnapshotState.ERASING, SnapshotState.GONE]
    there = Snapshot.objects.filter(pk__in=numbers).exclude(state__in=ended)
    if named := list(there.order_by("id").values_list("public_id", flat=True)):
        delete_snapshots.delete(actor, named)


def refuse(images: Sequence[OwnImage]) -> None:
    """Raise ImageBusy or ImageShared for images, locked, that cannot be deleted now."""
    own.refuse_busy(images)
    for share in ImageShare.objects.filter(image__in=images).select_related("image").order_by("image_id")[:1]:
        raise errors.ImageShared(
            "The image {id} is shared with other accounts; end the sharing first.",
            field="images", id=share.image.public_id,
        )  # fmt: skip
    for used in db.rows(_IN_USE, [image.id for image in images]):
        if used["own"]:
            raise errors.ImageBusy(
                "The machine {machine} is being made of the image {id}; try again when it is there.",
                field="images", id=used["image"], machine=used["machine"],
            )  # fmt: skip
        raise errors.ImageBusy(  # whose it is is nobody else's business
            "Another account's machine is being made of the image {id}; try again when it is there.",
            field="images", id=used["image"],
        )  # fmt: skip


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``delete_image``: due at once, or when arrears have lasted too long; of one that was never made, what
    is left of it goes."""
    for operation in batch:
        image = OwnImage.objects.get(id=operation.subject_id)
        if own.is_being_imported(image):  # its import sees that nobody wants it any more, and ends
            queue.put_off(owner, [operation], 1.0, "waiting for the end of its import", waiting=True)
            continue
        if not _announce(operation, owner):
            continue
        own.engine(operation.lane).ensure_image_absent(image.public_id)
        with own.outcome(operation, owner, *_ENDED) as ended:
            if ended:
                _gone(ended)


def _announce(operation: Claimed, owner: uuid.UUID) -> bool:
    """One that arrears have put away is DELETING before the engine is touched, so that no top-up brings it back."""
    with holding(operation, owner) as ours:
        unpaid = charge.charged().filter(id=operation.subject_id, subscription__standing=Standing.ISOLATED)
        for image in unpaid.filter(state=ImageState.NORMAL) if ours else ():
            leave.by_arrears(image)
    return ours


def _gone(image: OwnImage) -> None:
    charge.gone(image)
    if image.state == ImageState.DELETING:
        columns = {"state": ImageState.GONE, "latest_operation_state": "SUCCESS"}
        OwnImage.objects.filter(pk=image.pk).update(**columns)
        things.event(image, "image_gone")
