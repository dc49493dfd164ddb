"""Images whose end has been decided: nothing is made of them any more, and the engine is told."""

from collections.abc import Sequence

from vmart.orders import things
from vmart.storage.images import TOLD, ImageShare, ImageState, OwnImage
from vmart.tags import modify as modify_tags
from vmart.tags.things import IMAGE, Thing

KIND, ACT = "delete_image", "DeleteImages"


def end(images: Sequence[OwnImage], request_id: str = "") -> None:
    """Belongs into the act that ends them; they are of one account."""
    if images:
        things.begin_all(images, ACT, request_id, state=ImageState.DELETING, import_url="")
        things.send_all(images, KIND)
        modify_tags.end(images[0].account_id, [Thing(IMAGE, image.public_id) for image in images])


def images_of(snapshot_id: int) -> None:
    """Those that stand on a snapshot which arrears have ended, shared or not. Belongs into that act."""
    images = list(OwnImage.objects.select_for_update().filter(snapshot_id=snapshot_id, state__in=TOLD).order_by("id"))
    ImageShare.objects.filter(image__in=images).delete()
    things.events(images, "ended_with_snapshot")
    end(images)
