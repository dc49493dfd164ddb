"""The catalog as one frozen value, read once for each generation of the deployment.

Hot paths work on it without a query. Whoever writes money by it passes the generation on, and the
statement refuses a stale one (``stale_catalog``), so that the cache can never sell what is no more.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from vmart import engines
from vmart.catalog.brand import BrandView
from vmart.catalog.models import Brand, DiskType, Image, InstanceType, Offer, Region, Zone
from vmart.engines.driver import Driver
from vmart.kernel import clock
from vmart.kernel.models import Deployment


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A zone as it is sold: names in both languages, its engine's kind, which types are shown."""

    code: str
    region: str
    legacy_id: int
    name_en: str
    name_zh: str
    engine_kind: str
    on_sale: bool
    address_note_en: str
    address_note_zh: str
    ipv6_prefix: str  # "" where machines get no IPv6 address
    offers: Mapping[str, bool]  # instance type -> sold out

    @property
    def driver(self) -> Driver:
        """What is known of its kind of engine."""
        return engines.driver(self.engine_kind)


@dataclass(frozen=True, slots=True)
class Shop:
    generation: int
    open: bool  # whether buyers are let in
    currency: str
    billing_zone: ZoneInfo
    regions: Mapping[str, Region]
    zones: Mapping[str, ZoneView]
    instance_types: Mapping[str, InstanceType]
    disk_types: Mapping[str, DiskType]
    images: Mapping[str, Image]
    brand: BrandView

    def region_of(self, zone: str) -> str:
        return self.zones[zone].region

    def by_legacy_zone(self, legacy_id: int) -> ZoneView | None:
        return next((zone for zone in self.zones.values() if zone.legacy_id == legacy_id), None)

    def by_legacy_region(self, code: str) -> Region | None:
        """Region by its short (``gz``) or long code."""
        return next((region for region in self.regions.values() if code in (region.legacy_code, region.code)), None)


_NOTICE_S = 1.0
_lock = threading.Lock()
_noticed = 0.0
_cached: Shop | None = None


def snapshot(*, at_least: int = 0) -> Shop:
    """The catalog. May be older than the database's by what this process has not yet noticed.

    ``at_least``: read again when the cached generation is below it.
    """
    shop = _cached
    if shop is None or shop.generation < at_least:
        return refresh()
    return shop


def current() -> Shop:
    """The catalog of the database's present generation: one primary-key query when nothing changed."""
    return snapshot(at_least=Deployment.objects.values_list("generation", flat=True).get())


def notice_changes() -> None:
    """Read the catalog again if its generation grew; asks the database once a second at most.

    Called at the beginning of each request and by the worker, so that no process shows an old catalog for long.
    """
    global _noticed
    if _cached is not None and clock.monotonic() - _noticed > _NOTICE_S:
        _noticed = clock.monotonic()
        current()


def refresh() -> Shop:
    """Read the catalog anew."""
    global _cached
    with _lock:
        deployment = Deployment.objects.get()
        offers: dict[str, dict[str, bool]] = {}
        for offer in Offer.objects.order_by("instance_type__position").values_list(
            "zone_id", "instance_type_id", "sold_out"
        ):
            offers.setdefault(offer[0], {})[offer[1]] = offer[2]
        _cached = Shop(
            generation=deployment.generation,
            open=deployment.opened_at is not None,
            currency=deployment.currency,
            billing_zone=ZoneInfo(deployment.billing_zone),
            regions=_by(Region.objects.order_by("position"), "code"),
            zones=MappingProxyType({zone.code: _zone(zone, offers) for zone in Zone.objects.order_by("position")}),
            instance_types=_by(InstanceType.objects.order_by("position"), "code"),
            disk_types=_by(DiskType.objects.order_by("position"), "code"),
            images=_by(Image.objects.order_by("position"), "public_id"),
            brand=_brand(),
        )
        return _cached


def forget() -> None:
    """Drop the cached catalog: another database, or a test's end."""
    global _cached
    _cached = None


def _by(rows: Any, key: str) -> Mapping[str, Any]:
    return MappingProxyType({getattr(row, key): row for row in rows})


def _brand() -> BrandView:
    row = Brand.objects.values(*(field.name for field in fields(BrandView))).first()
    if row is None:
        return BrandView()
    return BrandView(**row | {name: bytes(row[name]) for name in ("logo", "icon")})


def _zone(zone: Zone, offers: Mapping[str, Mapping[str, bool]]) -> ZoneView:
    return ZoneView(
        zone.code, zone.region_id, zone.legacy_id, zone.name_en, zone.name_zh, zone.engine_kind, zone.on_sale,
        zone.address_note_en, zone.address_note_zh, zone.ipv6_prefix,
        MappingProxyType(dict(offers.get(zone.code, {}))),
    )  # fmt: skip
