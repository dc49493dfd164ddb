"""What an imported image costs and takes of its zone's pool: by its GiB, as a snapshot (ADR 0063).

How large it is nobody knows before it is there. Until then room and an hour are set aside for the largest that the shop
takes. One that was made of a machine has neither: its snapshot has.
"""

from collections.abc import Sequence

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.orders import agreed, by_the_gib, errors, holds, hourly, things
from vmart.orders.agreed import New
from vmart.orders.by_the_gib import Cost
from vmart.policy import policy
from vmart.pricing import books
from vmart.pricing.book import IMAGE
from vmart.storage.models import OwnImage
from vmart.subscriptions.models import IMAGE as KIND
from vmart.subscriptions.models import Source, Standing, Subscription


def largest_gib() -> int:
    """The disk that the largest system takes which is imported now: an archive's has a GiB more than its files."""
    return policy.at(clock.now()).image_import_gib + 1


def cost(account_id: int, zone: str, size_gib: int) -> Cost:
    """What an imported image of this size costs the account in the zone by the catalog of now.

    0 where the book has no price.
    """
    here = shop.snapshot()
    prices = books.current_book(here.generation).regions[here.region_of(zone)]
    return by_the_gib.cost(account_id, (IMAGE, prices.image_key, size_gib))


def agree(account_id: int, zone: str, number: int, public_id: str, size_gib: int) -> None:
    """Agreement, term, room and hold of one that is to be imported. Belongs into the act.

    Raises DiskSoldOut, InsufficientBalance.
    """
    due = cost(account_id, zone, size_gib)
    bundle = by_the_gib.agree(account_id, zone, due, kind=KIND, number=number, public_id=public_id)
    if not db.call("placement_claim_disks", zone, account_id, [number], size_gib):
        raise errors.DiskSoldOut(
            "There is no room for an image of up to {size} GiB in {zone} now.",
            field="image.zone", size=size_gib, zone=zone,
        )  # fmt: skip
    with holds.or_refuse(lambda available, needed: errors.InsufficientBalance(
        "One hour of the image is set aside: {needed} are needed and {available} are available.",
        needed=needed, available=available,
    )):  # fmt: skip
        holds.take([bundle], [due.hold_minor])


def begin(image: OwnImage, size_gib: int) -> None:
    """It is there and so large: so much is kept and charged from now on. Belongs into the act."""
    db.call("placement_shrink_disk", image.id, image.size_gib - size_gib)
    component, key, _quantity = agreed.term(image.id, IMAGE)
    agreed.agree(New(image.id, (component, key, size_gib)))
    by_the_gib.there(image)
    hourly.hold_what_it_asks(image)


def charged() -> QuerySet[OwnImage]:
    """Images that were imported, with their subscriptions, both locked."""
    return OwnImage.objects.select_related("subscription").select_for_update()


def end(images: Sequence[OwnImage]) -> None:
    """Those that were imported are charged no more from now on. Belongs into the act; they are of one account."""
    there = list(charged().filter(pk__in=[image.pk for image in images]).order_by("id"))
    for image in there:
        if image.subscription.standing == Standing.PENDING:
            by_the_gib.never_there(image)
    used = [image for image in there if image.subscription.standing == Standing.ACTIVE]
    accepted = db.call("metering_instant", clock.now())
    things.end_usage(used, accepted)
    hourly.hold_what_was_used(used, accepted)
    things.isolate_all(used, Source.MANMADE, accepted, accepted)


def gone(image: OwnImage) -> None:
    """Nothing is left of it on its engine: its room is free. Belongs into the act."""
    db.call("placement_free", [image.id])
    Subscription.objects.filter(pk=image.pk, standing=Standing.ISOLATED).update(standing=Standing.ENDED)
