"""Images whose end has been decided: nothing is made of them any more, and the engine is told."""

from collections.abc import Sequence

from vmart.orders import things
from vmart.orders.images import charge
from vmart.storage.images import TOLD, ImageShare, ImageState, OwnImage
from vmart.tags import modify as modify_tags
from vmart.tags.things import IMAGE, Thing

KIND, ACT = "delete_image", "DeleteImages"


def end(images: Sequence[OwnImage], request_id: str = "") -> None:
    """Belongs into the act that ends them; they are of one account."""
    if images:
        _decide(images, request_id)
        charge.end(images)
        things.forget_work(KIND, images)  # what arrears had put off
        things.send_all(images, KIND)


def images_of(snapshot_id: int) -> None:
    """Those that stand on a snapshot which arrears have ended, shared or not. Belongs into that act."""
    images = list(OwnImage.objects.select_for_update().filter(snapshot_id=snapshot_id, state__in=TOLD).order_by("id"))
    ImageShare.objects.filter(image__in=images).delete()
    things.events(images, "ended_with_snapshot")
    end(images)


def by_arrears(image: OwnImage) -> None:
    """An imported one, shared or not, for which nobody has paid. Belongs into the act in which its work is begun."""
    ImageShare.objects.filter(image=image).delete()
    _decide([image], "")


def _decide(images: Sequence[OwnImage], request_id: str) -> None:
    things.begin_all(images, ACT, request_id, state=ImageState.DELETING, import_url="")
    modify_tags.end(images[0].account_id, [Thing(IMAGE, image.public_id) for image in images])
