"""What the shop sells, as plain rows: for ``vmart catalog show``."""

from collections.abc import Mapping
from typing import Any

from vmart.catalog.models import Applied
from vmart.catalog.shop import Shop
from vmart.kernel import clock
from vmart.kernel.errors import NotFound
from vmart.policy import policy
from vmart.policy.numbers import DEFAULT, Policy
from vmart.pricing import books
from vmart.pricing.book import PriceBook

Row = Mapping[str, Any]


def on_sale(here: Shop) -> dict[str, Any]:
    """Zones, machine types and disk types with their list prices, images. Raises NotFound where nothing is on sale."""
    applied_at = Applied.objects.order_by("-id").values_list("at", flat=True).first()
    if applied_at is None:
        raise NotFound("No catalog has been applied yet: vmart catalog apply FILE does it.")
    book = books.current_book(here.generation)
    return {
        "applied": applied_at, "currency": here.currency, "price_book": book.version,
        "effective_at": book.effective_at, "zones": _zones(here), "instance_types": _types(here, book),
        "disk_types": _disks(here, book), "images": _images(here),
        "policy": _policy(),
    }  # fmt: skip


def _policy() -> list[Row]:
    """A row a number: what holds, since when (None: by default), and what comes next, with its instant."""
    now = clock.now()
    rows: list[Row] = []
    for name in Policy.model_fields:
        shown, since, later, later_from = _plain(DEFAULT, name), None, None, None
        for begins_at, rules in policy.dated():
            value = _plain(rules, name)
            if begins_at <= now and value != shown:
                shown, since = value, begins_at
            elif begins_at > now and later_from is None and value != shown:
                later, later_from = value, begins_at
        rows.append({"number": name, "value": shown, "since": since, "later": later, "later_from": later_from})
    return rows


def _plain(rules: Policy, name: str) -> int | str:
    """A number as a cell shows it."""
    value = getattr(rules, name)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, Mapping):
        return " ".join(f"{currency} {amount}" for currency, amount in value.items())
    return int(value)


def _zones(here: Shop) -> list[Row]:
    return [
        {"code": zone.code, "region": zone.region, "name": zone.name_en, "engine": zone.engine_kind,
         "on_sale": zone.on_sale}
        for zone in here.zones.values()
    ]  # fmt: skip


def _types(here: Shop, book: PriceBook) -> list[Row]:
    rows: list[Row] = []
    for kind in here.instance_types.values():
        price = book.document.instance_types.get(kind.code)
        shown = [zone.code for zone in here.zones.values() if zone.on_sale and zone.offers.get(kind.code) is False]
        rows.append(
            {"code": kind.code, "vcpu": kind.vcpu, "memory_mib": kind.memory_mib,
             "month": price.month if price else None, "hour": price.hour if price else None,
             "sold_in": " ".join(shown)}
        )  # fmt: skip
    return rows


def _disks(here: Shop, book: PriceBook) -> list[Row]:
    prices = book.document.disks
    return [
        {
            "code": disk.code,
            "name": disk.name_en,
            "gib_month": prices[disk.code].month,
            "gib_hour": prices[disk.code].hour,
        }
        for disk in here.disk_types.values()
        if disk.code in prices
    ]


def _images(here: Shop) -> list[Row]:
    return [
        {"id": image.public_id, "os": image.os_name, "recipe": image.recipe, "not_sold_because": image.unavailable_en}
        for image in here.images.values()
    ]
