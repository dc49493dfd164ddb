"""Which image an id is for an account in a zone: a public one of the catalog, its own, or one shared with it."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from vmart.catalog import shop
from vmart.catalog.models import Image
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.orders import errors
from vmart.storage.images import ImageShare, ImageState, OwnImage
from vmart.storage.models import SnapshotState
from vmart.subscriptions.models import Standing, Subscription

_SHOWN = 200  # its own first: no stranger's images push out the account's


@dataclass(frozen=True, slots=True)
class Chosen:
    """An image of which a machine can be made. ``base``: the public one, or from which the customer's descends."""

    base: Image
    own: OwnImage | None = None
    shared_by: int = 0  # the account that has it, where that is another

    @property
    def public_id(self) -> str:
        """As it is named by who asks for it."""
        return self.own.public_id if self.own else self.base.public_id

    @property
    def own_id(self) -> str:
        """What a machine's row says beside its public image; "" for a public one itself."""
        return self.own.public_id if self.own else ""

    @property
    def size_gib(self) -> int:
        """The least system disk that takes it."""
        return max(self.own.size_gib, self.base.size_gib) if self.own else self.base.size_gib

    @property
    def name(self) -> str:
        """As people know it."""
        return self.own.name if self.own else self.base.os_name


def choose(here: shop.Shop, account_id: int, zone: str, image_id: str) -> Chosen:
    """The image that the account means, if machines are made of it in the zone now.

    A customer's image is in one zone, and only there. Raises UnknownImage, ImageNotSold.
    """
    public = here.images.get(image_id)
    if public is not None:
        return Chosen(_sold(public))
    there = usable(account_id).filter(public_id=image_id) if "\0" not in image_id else OwnImage.objects.none()
    own = there.first()
    if own is None:
        raise errors.UnknownImage("The image {id} does not exist.", field="image_id", id=image_id)
    if own.state != ImageState.NORMAL:
        raise errors.ImageNotSold(
            "The image {id} is {state}; machines are made of it when it is NORMAL.",
            field="image_id", id=image_id, state=own.state,
        )  # fmt: skip
    if not _paid(there).exists():
        raise errors.ImageNotSold(
            "The image {id} is kept for arrears; its owner has to top up to zero or more.",
            field="image_id",
            id=image_id,
        )
    if own.zone_id != zone:
        raise errors.ImageNotSold(
            "The image {id} is in {zone}: machines are made of it there only.",
            field="image_id", code="InvalidImageId.NotFound", id=image_id, zone=own.zone_id,
        )  # fmt: skip
    return Chosen(here.images[own.base_id], own)


def _sold(public: Image) -> Image:
    if public.unavailable_en:
        raise errors.ImageNotSold(
            "The image {id} is not available: {why}",
            field="image_id", id=public.public_id,
            why=errors.InLanguages(public.unavailable_en, public.unavailable_zh),
        )  # fmt: skip
    return public


def own_in(here: shop.Shop, account_id: int, zone: str) -> list[Chosen]:
    """Customers' images of which the account can have machines made in the zone now: its own, then those shared with
    it, the newest first.
    """
    there = _paid(usable(account_id).filter(zone_id=zone, state=ImageState.NORMAL))
    ready = there.annotate(is_own=Q(account_id=account_id))
    return [
        Chosen(here.images[one.base_id], one, 0 if one.account_id == account_id else one.account_id)
        for one in ready.order_by("-is_own", "-id")[:_SHOWN]
    ]


def _paid(images: QuerySet[OwnImage]) -> QuerySet[OwnImage]:
    """Those that arrears have not put away, with their snapshot or, imported, by themselves."""
    put_away = Subscription.objects.filter(id=OuterRef("id"), standing=Standing.ISOLATED)
    return images.exclude(snapshot__state=SnapshotState.TORECYCLE).exclude(Exists(put_away))


def hold(account_id: int, chosen: Chosen, zone: str) -> None:
    """Whoever deletes it now waits, and finds what is made of it. Belongs into the act. Raises UnknownImage."""
    if chosen.own and not db.call("storage_hold_image", chosen.own_id, account_id, zone):
        raise errors.UnknownImage("The image {id} does not exist.", field="image_id", id=chosen.own_id)


def usable(account_id: int) -> QuerySet[OwnImage]:
    """The account's own images and those shared with it, that have not ended."""
    shared = ImageShare.objects.filter(account_id=account_id).values("image_id")
    there = OwnImage.objects.exclude(state__in=[ImageState.DELETING, ImageState.GONE])
    return there.filter(Q(account_id=account_id) | Q(id__in=shared, state=ImageState.NORMAL))


def of(machine: Instance) -> str:
    """The id of the image that a machine was made of."""
    return machine.own_image or machine.image_id
