"""Whether the shop offers what is asked for: zone, type, disks and image, by one catalog."""

from collections.abc import Callable, Mapping
from typing import Any

from vmart.catalog import shop
from vmart.catalog.shop import ZoneView
from vmart.kernel.errors import InvalidParameter
from vmart.orders import default_type, errors
from vmart.orders.images.chosen import Chosen, choose
from vmart.orders.wanted import Purchase
from vmart.pricing import books
from vmart.pricing.configuration import Configuration
from vmart.pricing.errors import UnknownDiskType
from vmart.pricing.parts import DisksPart, MachinePart, NetworkPart, Part, parts
from vmart.pricing.quote import Quote, quote


def price(configuration: Configuration, here: shop.Shop, account_id: int | None) -> Quote:
    """The quote of a configuration by the catalog ``here``, zone and offer checked: what an order would charge.

    ``account_id``: whose order; None of a stranger.
    """
    configuration = default_type.filled(configuration, here)
    check_offer(here, configuration)
    return quote(books.own_book(account_id, here.generation), configuration)


def check_offer(here: shop.Shop, configuration: Configuration) -> None:
    """Whether the zone sells each part. Raises UnknownZone, NotSoldHere, SoldOut, UnknownDiskType."""
    zone = check_zone(here, configuration.region, configuration.zone)
    for part in parts(configuration):
        _OFFERED[type(part)](part, here, zone)


def check_zone(here: shop.Shop, region: str, code: str) -> ZoneView:
    """The zone, if anything is sold there. Raises UnknownZone."""
    zone = here.zones.get(code)
    if zone is None or not zone.on_sale:
        raise errors.UnknownZone("The zone {zone} does not exist.", field="zone", zone=code or "(empty)")
    if zone.region != region:
        raise errors.UnknownZone(
            "The zone {zone} is not in the region {region}.",
            field="zone", code="InvalidZone.MismatchRegion", zone=zone.code, region=region,
        )  # fmt: skip
    return zone


def check_type(instance_type: str, zone: str) -> None:
    """Whether a machine in the zone can be of the type. Raises UnknownInstanceType, NotSoldHere, SoldOut."""
    here = shop.snapshot()
    part, book = MachinePart(instance_type), books.current_book(here.generation)
    part.check(book, book.regions[here.region_of(zone)])
    if instance_type not in here.instance_types:  # only the price book knows it
        raise _not_sold(instance_type, zone)
    _check_type(part, here, here.zones[zone])


def _not_sold(instance_type: str, zone: str) -> errors.NotSoldHere:
    return errors.NotSoldHere(
        "The instance type {type} is not sold in {zone}.", field="instance_type", type=instance_type, zone=zone
    )


def _check_type(part: MachinePart, here: shop.Shop, zone: ZoneView) -> None:
    if part.instance_type not in here.instance_types:
        return  # the price book has the sentence for one that does not exist
    sold_out = zone.offers.get(part.instance_type)
    if sold_out is None:
        raise _not_sold(part.instance_type, zone.code)
    if sold_out:
        raise errors.SoldOut(
            "The instance type {type} is sold out in {zone}.",
            field="instance_type", type=part.instance_type, zone=zone.code,
        )  # fmt: skip


def _check_disks(part: DisksPart, here: shop.Shop, zone: ZoneView) -> None:
    for field, disk in part.fields():
        check_disk_type(here, disk.disk_type, f"{field}.disk_type")


def check_disk_type(here: shop.Shop, disk_type: str, field: str) -> None:
    """Raise UnknownDiskType for one that is not sold: the price book keeps those that are no longer sold."""
    if disk_type not in here.disk_types:
        raise UnknownDiskType(
            "The disk type {disk_type} is not sold; possible are {types}.",
            field=field, disk_type=disk_type, types=", ".join(here.disk_types),
        )  # fmt: skip


def _check_network(part: NetworkPart, here: shop.Shop, zone: ZoneView) -> None:
    """Every zone has one; whether addresses are left, the statement says."""


_OFFERED: Mapping[type[Part], Callable[[Any, shop.Shop, ZoneView], None]] = {
    MachinePart: _check_type,
    DisksPart: _check_disks,
    NetworkPart: _check_network,
}


def check_image(here: shop.Shop, request: Purchase) -> None:
    """Whether the image is there and fits on the system disk. Raises UnknownImage, ImageNotSold, InvalidParameter."""
    needed = image(here, request)
    if request.configuration.system_disk.size_gib < needed.size_gib:
        raise InvalidParameter(
            "The image needs a system disk of at least {size} GiB.", field="system_disk.size_gib", size=needed.size_gib
        )


def image(here: shop.Shop, request: Purchase) -> Chosen:
    """The image that a purchase is of. Raises UnknownImage, ImageNotSold."""
    return choose(here, request.account_id, request.configuration.zone, request.machine.image_id)
