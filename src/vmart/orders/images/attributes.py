"""What an image is called."""

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import MissingParameter
from vmart.orders import things
from vmart.orders.images import own
from vmart.storage.images import OwnImage

ACT = "ModifyImageAttribute"


def modify(actor: Actor, image_id: str, *, name: str | None = None, description: str | None = None) -> None:
    """Another name or description, done at once; None: as it is.

    Raises UnknownImage, NotImageOwner, ImageBusy, ImageNameTaken, InvalidValue, MissingParameter.
    """
    if name is None and description is None:
        raise MissingParameter(
            "Nothing is to be changed; possible are ImageName and ImageDescription.", field="image.name"
        )
    if name is not None:
        own.check_name(name)
    if description is not None:
        own.check_description(description)
    with db.act():
        (image,) = own.lock(actor.account, [image_id])
        own.refuse_busy([image])
        wanted = {"name": image.name if name is None else name}
        wanted["description"] = image.description if description is None else description
        if wanted == {"name": image.name, "description": image.description}:
            return
        if wanted["name"] != image.name:
            own.refuse_taken(actor.account, wanted["name"])
        things.events([image], ACT, [{"old": image.name, "new": wanted["name"]}], actor)
        OwnImage.objects.filter(pk=image.pk).update(**wanted)
