"""What every act on customers' images begins and ends with: locks, refusals, outcome, engine."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.engines.contract import EngineError
from vmart.engines.optional import Images
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused
from vmart.kernel.text import is_one_line
from vmart.orders import errors, things
from vmart.orders.acts import ending
from vmart.orders.images import chosen
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.images import COUNTING, TOLD, ImageState, OwnImage
from vmart.worker.models import Operation
from vmart.worker.queue import Claimed

CREATE, IMPORT = "CreateImage", "ImportImage"
IMPORT_KIND = "import_image"
AT_ONCE_MAX = 50
NAME_MAX, DESCRIPTION_MAX = 60, 256  # characters (API 3.0, CreateImage)


def lock(account_id: int, public_ids: Sequence[str]) -> list[OwnImage]:
    """The account's images by public id, locked, in the order asked for.

    Raises UnknownImage; NotImageOwner for one that is shared with the account, or public.
    """
    things.check_ids(
        public_ids, most=AT_ONCE_MAX,
        none=MissingParameter("ImageIds names no image.", field="images"),
        many=InvalidParameter(
            "At most {most} images at once.", field="images", code="InvalidParameterValueLimit", most=AT_ONCE_MAX
        ),
        twice=InvalidParameter("ImageIds names an image twice.", field="images"),
    )  # fmt: skip
    there = locking().filter(state__in=TOLD)
    return things.lock_named(there, account_id, public_ids, lambda public_id: _not_own(account_id, public_id))


def _not_own(account_id: int, public_id: str) -> Refused:
    known = public_id in shop.snapshot().images or (
        "\0" not in public_id and chosen.usable(account_id).filter(public_id=public_id).exists()
    )
    if known:
        return errors.NotImageOwner("The image {id} is not yours to change.", field="images", id=public_id)
    return errors.UnknownImage("The image {id} does not exist.", field="images", id=public_id)


def locking() -> QuerySet[OwnImage]:
    """Images, locked."""
    return OwnImage.objects.select_for_update()


@contextmanager
def outcome(operation: Claimed, owner: uuid.UUID, *expect: ImageState) -> Iterator[OwnImage | None]:
    """What became of an operation, which ends here: its image, locked; None as ``acts.outcome``."""
    with ending(operation, owner) as ours:
        image = locking().get(id=operation.subject_id) if ours else None
        yield image if image and image.state in expect else None


def refuse_busy(images: Iterable[OwnImage]) -> None:
    """Raise ImageBusy for one that is being made."""
    for image in images:
        if image.state == ImageState.CREATING:
            raise errors.ImageBusy(
                "The image {id} is being made; try again when it is NORMAL.", field="images", id=image.public_id
            )


def is_being_imported(image: OwnImage) -> bool:
    """Whether its import is under way, or about to be."""
    waiting = Operation.objects.filter(kind=IMPORT_KIND, subject_kind=OwnImage.KIND, subject_id=image.id)
    return waiting.filter(attention=False).exists()


def check_name(name: str) -> None:
    """Raise InvalidValue unless it has 1 to 60 characters on one line."""
    if not 1 <= len(name) <= NAME_MAX or not is_one_line(name):
        raise InvalidValue(
            "The name of an image has 1 to {most} characters on one line.", field="image.name", most=NAME_MAX
        )


def check_description(text: str) -> None:
    """Raise InvalidValue unless it has at most 256 characters on one line."""
    if len(text) > DESCRIPTION_MAX or not is_one_line(text):
        raise InvalidValue(
            "The description of an image has at most {most} characters on one line.",
            field="image.description", most=DESCRIPTION_MAX,
        )  # fmt: skip


def refuse_taken(account_id: int, name: str) -> None:
    """Raise ImageNameTaken where another image of the account has the name. Belongs under the account lock."""
    named = OwnImage.objects.filter(account_id=account_id, name=name)
    if named.filter(state__in=COUNTING).exists():
        raise errors.ImageNameTaken("There is an image of the name {name} already.", field="image.name", name=name)


def engine(zone: str) -> Images:
    """The zone's engine, which keeps images. Raises EngineError where it was replaced by one that does not."""
    found = engine_of(zone)
    if not isinstance(found, Images):
        raise EngineError("The zone keeps no images of machines any more.", transient=False, detail=zone)
    return found
