"""The price book: one version of all prices, valid from an instant.

``load_book(text)`` or ``parse_book(mapping)`` give a frozen PriceBook or raise DocumentError with a path and
a sentence for each problem. Prices of a region are resolved once, exactly: list price × region factor.
"""

import datetime as dt
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from typing import Any

from vmart.kernel.documents import DocumentError, check, problem_at, read_yaml
from vmart.kernel.money import CONTEXT
from vmart.pricing.book_document import RATE_PLACES, BookDocument, DiskPrice, PriceStep, Sales
from vmart.pricing.rules import FLAT, HOUR_S, Step, Tier, term_discount

CPU, DISK, BANDWIDTH, TRAFFIC = "cpu", "disk", "bandwidth", "traffic"
IDLE, SNAPSHOT, IMAGE, PACKAGE = "idle", "snapshot", "image", "package"
# Prices that a book may leave away: what they are of is not sold then, or (images) costs nothing.
_OPTIONAL = ("idle_address", "snapshot_gib", "image_gib", "package_mbps")
_ZERO, _ONE = Decimal(0), Decimal(1)
_KEPT = 64  # discounted books, by their factors


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """A price key resolved for a region: list prices of one unit, in progressive steps over the quantity.

    ``terms`` is None where the component is outside the book's discount scope.
    """

    price_key: str
    month: tuple[Step, ...]
    hour: tuple[Step, ...]
    tiers: tuple[Tier, ...] = FLAT
    terms: Mapping[int, Decimal] | None = None

    def discount(self, months: Decimal | int) -> Decimal:
        """Term discount of ``months``, 1 outside the book's scope."""
        return term_discount(months, self.terms) if self.terms else _ONE

    def times(self, factor: Decimal) -> "UnitPrice":
        """The same at so much of each price."""
        return replace(self, month=_times(self.month, factor), hour=_times(self.hour, factor))


@dataclass(frozen=True, slots=True)
class RegionPrices:
    """All prices of one region. ``traffic_gib`` is the price of 2^30 bytes.

    ``idle_address`` is that of an hour of a bought public address that no machine has, ``snapshot_gib`` that of an hour
    of a GiB of a snapshot, ``package_mbps`` that of an hour of a Mbps that addresses share; None where none are sold.
    ``image_gib`` is that of an hour of a GiB of an imported image; 0 where the book names none.
    """

    cpu: Mapping[str, UnitPrice]
    spot: Mapping[str, UnitPrice]  # of the types that are sold as spot machines; by the hour alone
    disk: Mapping[str, UnitPrice]
    bandwidth: UnitPrice
    traffic_key: str
    traffic_gib: Decimal
    idle_key: str
    idle_address: Decimal | None
    snapshot_key: str
    snapshot_gib: Decimal | None
    image_key: str
    image_gib: Decimal
    package_key: str
    package_mbps: Decimal | None

    def times(self, factor: Decimal) -> "RegionPrices":
        """The same at so much of each price."""
        with localcontext(CONTEXT):
            return replace(
                self,
                cpu=_all_times(self.cpu, factor),
                spot=_all_times(self.spot, factor),
                disk=_all_times(self.disk, factor),
                bandwidth=self.bandwidth.times(factor),
                traffic_gib=self.traffic_gib * factor,
                idle_address=None if self.idle_address is None else self.idle_address * factor,
                snapshot_gib=None if self.snapshot_gib is None else self.snapshot_gib * factor,
                image_gib=self.image_gib * factor,
                package_mbps=None if self.package_mbps is None else self.package_mbps * factor,
            )


@dataclass(frozen=True, slots=True)
class RateRow:
    """What one unit costs an hour (traffic: a GiB) in one step of quantity and one tier of age.

    ``rate`` is list price × region factor × tier factor, exact in 8 decimals (discounted: in 12). Steps are
    progressive over (``step_from``, ``step_to``], tiers are [``tier_from_s``, ``tier_to_s``) of the tier clock; None is
    open.
    """

    price_key: str
    step_from: Decimal
    step_to: Decimal | None
    tier_from_s: int
    tier_to_s: int | None
    rate: Decimal


@dataclass(frozen=True)
class PriceBook:
    """One version of all prices, in force from ``effective_at`` until the next version's.

    ``factor`` is how much of each list price of the document is in ``regions``: less than 1 of a discounted account's.
    """

    document: BookDocument
    regions: Mapping[str, RegionPrices] = field(repr=False, compare=False)
    factor: Decimal = _ONE
    _discounted: dict[Decimal, "PriceBook"] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def version(self) -> int:
        return self.document.version

    @property
    def effective_at(self) -> dt.datetime:
        return self.document.effective_at

    @property
    def currency(self) -> str:
        return self.document.currency

    @property
    def sales(self) -> Sales:
        """What may be bought at all: terms, caps, counts."""
        return self.document.sales

    @functools.cached_property
    def units(self) -> Mapping[str, UnitPrice]:
        """Every unit price by its price key, of all regions; traffic is none, it has no month and no hour."""
        return {
            unit.price_key: unit
            for prices in self.regions.values()
            for unit in (*prices.cpu.values(), *prices.spot.values(), *prices.disk.values(), prices.bandwidth)
        }

    def at(self, factor: Decimal) -> "PriceBook":
        """The book of an account that pays so much of every list price; exact."""
        if factor == self.factor:
            return self
        assert self.factor == _ONE
        if factor not in self._discounted:
            if len(self._discounted) >= _KEPT:
                self._discounted.clear()
            regions = {name: prices.times(factor) for name, prices in self.regions.items()}
            self._discounted[factor] = PriceBook(self.document, regions, factor)
        return self._discounted[factor]

    def disk(self, disk_type: str) -> DiskPrice:
        """List price and sizes on sale of a disk type (not multiplied by a region's factor). Raises KeyError."""
        return self.document.disks[disk_type]

    def plain(self) -> dict[str, Any]:
        """The book as plain JSON values, decimals as text; ``parse_book`` gives it back.

        A book without a price that may be left away reads as it did before there was one: it is the same book.
        """
        told = self.document.model_dump(mode="python")
        for place in (told, *told["regions"].values()):
            for name in _OPTIONAL:
                if place[name] is None:
                    del place[name]
        for place in (told, *told["regions"].values()):
            for kind in place["instance_types"].values():
                if kind["spot"] is None:
                    del kind["spot"]
        return _plain(told)  # type: ignore[no-any-return]

    def canonical_json(self) -> str:
        """Text that is equal for equal books."""
        return json.dumps(self.plain(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def sha256(self) -> str:
        """Hexadecimal digest of ``canonical_json``."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


def _all_times(units: Mapping[str, UnitPrice], factor: Decimal) -> dict[str, UnitPrice]:
    return {name: unit.times(factor) for name, unit in units.items()}


def _times(steps: tuple[Step, ...], factor: Decimal) -> tuple[Step, ...]:
    with localcontext(CONTEXT):
        return tuple(Step(step.up_to, step.price * factor) for step in steps)


def load_book(text: str) -> PriceBook:
    """A price book out of YAML text whose top level is the book. Raises DocumentError."""
    return parse_book(read_yaml(text))


def parse_book(document: Mapping[str, Any], *, at: str = "price_book") -> PriceBook:
    """A price book out of a mapping (YAML or stored JSON). Raises DocumentError, paths below ``at``."""
    parsed = check(BookDocument, document, at=at)
    problems: list[str] = []
    regions = {name: _Resolver(parsed, name, f"{at}.regions.{name}", problems).prices() for name in parsed.regions}
    if problems:
        raise DocumentError(problems)
    return PriceBook(parsed, regions)


def check_complete(
    book: PriceBook, *, regions: Iterable[str], instance_types: Iterable[str], disk_types: Iterable[str]
) -> None:
    """Whether everything in the catalog has a price. Raises DocumentError naming each missing component."""
    wanted = (("regions", regions), ("instance_types", instance_types), ("disks", disk_types))
    missing = [
        f"price_book.{kind}.{name}: is missing, and the catalog sells it"
        for kind, names in wanted
        for name in names
        if name not in getattr(book.document, kind)
    ]
    if missing:
        raise DocumentError(missing)


def hourly_rates(book: PriceBook) -> list[RateRow]:
    """Every rate that the hourly close joins, in the order of price key, step and tier."""
    rows = [row for unit in book.units.values() for row in _rows(unit)]
    for prices in book.regions.values():
        rows += [RateRow(prices.traffic_key, _ZERO, None, 0, None, prices.traffic_gib)]
        if prices.idle_address is not None:
            rows += [RateRow(prices.idle_key, _ZERO, None, 0, None, prices.idle_address)]
        if prices.snapshot_gib is not None:
            rows += [RateRow(prices.snapshot_key, _ZERO, None, 0, None, prices.snapshot_gib)]
        rows += [RateRow(prices.image_key, _ZERO, None, 0, None, prices.image_gib)]
        if prices.package_mbps is not None:
            rows += [RateRow(prices.package_key, _ZERO, None, 0, None, prices.package_mbps)]
    return sorted(rows, key=lambda row: (row.price_key, row.step_from, row.tier_from_s))


def cpu_key(region: str, instance_type: str) -> str:
    """Price key of CPU and memory; quantity 1."""
    return f"{region}/cpu/{instance_type}"


def spot_key(region: str, instance_type: str) -> str:
    """Price key of CPU and memory of a spot machine; quantity 1."""
    return f"{region}/spot/{instance_type}"


def disk_key(region: str, disk_type: str) -> str:
    """Price key of a disk; quantity GiB."""
    return f"{region}/disk/{disk_type}"


def bandwidth_key(region: str) -> str:
    """Price key of by-bandwidth network; quantity Mbps."""
    return f"{region}/bandwidth"


def traffic_key(region: str) -> str:
    """Price key of traffic; quantity outbound bytes / 2^30."""
    return f"{region}/traffic"


def idle_key(region: str) -> str:
    """Price key of a bought public address that no machine has; quantity 1."""
    return f"{region}/idle-address"


def snapshot_key(region: str) -> str:
    """Price key of a snapshot; quantity GiB."""
    return f"{region}/snapshot"


def image_key(region: str) -> str:
    """Price key of an imported image; quantity GiB."""
    return f"{region}/image"


def package_key(region: str) -> str:
    """Price key of a bandwidth package; quantity Mbps."""
    return f"{region}/package"


def _rows(unit: UnitPrice) -> list[RateRow]:
    rows: list[RateRow] = []
    below = _ZERO
    for step in unit.hour:
        for tier in unit.tiers:
            rate = step.price * tier.factor
            rows.append(RateRow(unit.price_key, below, step.up_to, tier.from_s, tier.to_s, rate))
        below = step.up_to or below
    return rows


class _Resolver:
    """Prices of one region out of the document; problems are collected, not raised one by one."""

    def __init__(self, book: BookDocument, region: str, path: str, problems: list[str]) -> None:
        self.book = book
        self.name = region
        self.region = book.regions[region]
        self.path = path
        self.problems = problems
        default = book.term_discounts.tables["default"]
        covers = book.term_discounts.covers
        self.disk_terms = default if DISK in covers else None
        self.bandwidth_terms = default if BANDWIDTH in covers else None

    def prices(self) -> RegionPrices:
        for kind in ("instance_types", "disks"):
            for name in getattr(self.region, kind).keys() - getattr(self.book, kind).keys():
                self.problems.append(f"{self.path}.{kind}.{name}: is not known to {kind} of the book")
        traffic = self.region.traffic_gib
        if traffic is None:
            traffic = self.times(self.book.traffic_gib, self.region.factor, "traffic_gib")
        return RegionPrices(
            {name: self.cpu(name) for name in self.book.instance_types},
            {name: unit for name in self.book.instance_types if (unit := self.spot(name)) is not None},
            {name: self.disk(name) for name in self.book.disks},
            self.bandwidth(),
            traffic_key(self.name),
            traffic,
            idle_key(self.name),
            self.optional("idle_address"),
            snapshot_key(self.name),
            self.optional("snapshot_gib"),
            image_key(self.name),
            self.optional("image_gib") or _ZERO,
            package_key(self.name),
            self.optional("package_mbps"),
        )

    def optional(self, name: str) -> Decimal | None:
        """One of ``_OPTIONAL``, by its name."""
        own: Decimal | None = getattr(self.region, name)
        of_book: Decimal | None = getattr(self.book, name)
        return own if own is not None or of_book is None else self.times(of_book, self.region.factor, name)

    def cpu(self, name: str) -> UnitPrice:
        own = self.region.instance_types.get(name)
        price, factor = (own, _ONE) if own else (self.book.instance_types[name], self.region.factor)
        path = f"instance_types.{name}"
        tiers = FLAT
        terms: Mapping[int, Decimal] = self.book.term_discounts.tables["default"]
        if price.tiers is not None:
            tiers = self.tiers(price.tiers, path)
        if price.terms is not None:
            terms = self.terms(price.terms, path)
        hour = self.times(price.hour, factor, f"{path}.hour")
        for tier in tiers if tiers != FLAT else ():
            self.times(hour, tier.factor, f"{path}.hour")
        return UnitPrice(
            cpu_key(self.name, name),
            (Step(None, self.times(price.month, factor, f"{path}.month")),),
            (Step(None, hour),),
            tiers,
            terms if CPU in self.book.term_discounts.covers else None,
        )

    def spot(self, name: str) -> UnitPrice | None:
        own = self.region.instance_types.get(name)
        price, factor = (own, _ONE) if own else (self.book.instance_types[name], self.region.factor)
        if price.spot is None:
            return None
        hour = self.times(price.spot, factor, f"instance_types.{name}.spot")
        return UnitPrice(spot_key(self.name, name), (), (Step(None, hour),))

    def disk(self, name: str) -> UnitPrice:
        own = self.region.disks.get(name)
        price, factor = (own, _ONE) if own else (self.book.disks[name], self.region.factor)
        month = self.times(price.month, factor, f"disks.{name}.month")
        hour = self.times(price.hour, factor, f"disks.{name}.hour")
        return UnitPrice(disk_key(self.name, name), (Step(None, month),), (Step(None, hour),), terms=self.disk_terms)

    def bandwidth(self) -> UnitPrice:
        own = self.region.bandwidth
        price, factor = (own, _ONE) if own else (self.book.bandwidth, self.region.factor)
        return UnitPrice(
            bandwidth_key(self.name),
            self.steps(price.month, factor, "bandwidth.month"),
            self.steps(price.hour, factor, "bandwidth.hour"),
            terms=self.bandwidth_terms,
        )

    def steps(self, steps: Iterable[PriceStep], factor: Decimal, path: str) -> tuple[Step, ...]:
        return tuple(Step(step.up_to, self.times(step.price, factor, path)) for step in steps)

    def tiers(self, name: str, path: str) -> tuple[Tier, ...]:
        if name not in self.book.age_tiers:
            self.problems.append(f"{self.path}.{path}.tiers: {name} is not known to age_tiers")
            return FLAT
        hours = self.book.age_tiers[name]
        return tuple(Tier(t.from_h * HOUR_S, None if t.to_h is None else t.to_h * HOUR_S, t.factor) for t in hours)

    def terms(self, name: str, path: str) -> Mapping[int, Decimal]:
        tables = self.book.term_discounts.tables
        if name not in tables:
            self.problems.append(f"{self.path}.{path}.terms: {name} is not known to term_discounts.tables")
        return tables.get(name, {})

    def times(self, price: Decimal, factor: Decimal, path: str) -> Decimal:
        with localcontext(CONTEXT):
            resolved = price * factor
            if resolved != resolved.quantize(_ONE.scaleb(-RATE_PLACES)):
                self.problems.append(problem_at(
                    f"{self.path}.{path}",
                    "{price} × {factor} has more than {places} decimals; name the price of this region itself",
                    price=str(price), factor=str(factor), places=str(RATE_PLACES),
                ))  # fmt: skip
            return resolved


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
