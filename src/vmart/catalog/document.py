"""The catalog file: what a shop sells where, as the seller writes it in YAML, parsed into frozen values.

``read_catalog(text)`` gives a CatalogDocument or raises DocumentError with a path and a sentence for each
problem. The sections ``price_book`` and ``policy`` are handed on as they stand: the rooms of these names read them.
"""

import ipaddress
import itertools
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from vmart import engines
from vmart.catalog import countries
from vmart.catalog.brand import Brand
from vmart.kernel.documents import DocumentError, as_json, check, read_yaml
from vmart.kernel.networks import network6

INT32_MAX = 2**31 - 1
POOL_MAX = 65_536
IPV6_PREFIX = (32, 124)  # possible lengths
_IPV6_POSSIBLE = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("fc00::/7"))  # global, and unique local
AUTO = "auto"

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=40)]
ShortCode = Annotated[Code, Field(max_length=20)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Name(_Part):
    """What something is called, in both languages."""

    en: str = Field(min_length=1, max_length=80)
    zh: str = Field(min_length=1, max_length=80)


class Text(_Part):
    """A sentence or two, in both languages."""

    en: str = Field(min_length=1, max_length=300)
    zh: str = Field(min_length=1, max_length=300)


class Member(_Part):
    """A host of an engine that does not find its own, and what it has."""

    name: Code
    vcpu: int = Field(gt=0, le=100_000)
    memory_gib: int = Field(gt=0, le=1_000_000)
    disk_gib: int = Field(gt=0, le=100_000_000)


class Engine(_Part):
    """What serves a zone: the ``kind`` of a driver, or ``auto``: what is found where the shop runs.

    ``settings`` go to the driver; ``members`` are for one that does not find its own, and for ``auto``, which may
    become such a one.
    """

    kind: str
    members: tuple[Member, ...] = ()
    settings: dict[str, Any] = {}

    @field_validator("kind")
    @classmethod
    def _has_a_driver(cls, kind: str) -> str:
        known = (AUTO, *(driver.kind for driver in engines.DRIVERS))
        if kind not in known:
            raise ValueError(f"{kind} is no kind of engine ({', '.join(known)})")
        return kind

    @field_validator("settings")
    @classmethod
    def _are_known(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        kept = {name: as_json(value, name) for name, value in settings.items()}
        if problems := _problems(info.data["kind"], kept) if "kind" in info.data else ():
            raise ValueError("; ".join(problems))
        return kept

    @model_validator(mode="after")
    def _members(self) -> Self:
        driver = engines.FALLBACK if self.kind == AUTO else engines.driver(self.kind)
        if driver.finds_members and self.members:
            raise ValueError(f"members: {driver.title} finds its own")
        if not driver.finds_members and not self.members:
            raise ValueError(f"members: {driver.title} needs at least one")
        _unique((member.name for member in self.members), "members")
        return self


def _problems(kind: str, settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings; for a zone of kind auto, with each driver that may come to serve it."""
    serving = [driver for driver in engines.DRIVERS if driver.found_as] if kind == AUTO else [engines.driver(kind)]
    first, *others = [driver.problems(settings) for driver in serving]
    return [problem for key, problem in first.items() if all(key in other for other in others)]


class AddressPool(_Part):
    """Public addresses ``first`` to ``last`` out of ``cidr``; ``note`` says what a customer should know of them."""

    cidr: str
    first: str
    last: str
    note: Text | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        network = ipaddress.ip_network(self.cidr)
        first, last = ipaddress.ip_address(self.first), ipaddress.ip_address(self.last)
        if first not in network or last not in network:
            raise ValueError(f"first {first} and last {last} lie in {network}")
        if network.version != 4:
            raise ValueError(f"{network} is not of IPv4, and public addresses are")
        if int(first) > int(last):
            raise ValueError(f"first {first} comes after last {last}")
        if self.size > POOL_MAX:
            raise ValueError(f"{self.size} addresses; a pool has at most {POOL_MAX}")
        if network.prefixlen < 31:
            reserved = {network.network_address, network.broadcast_address}
            if first in reserved or last in reserved:
                raise ValueError(f"the first and the last address of {network} cannot be given to a machine")
        return self

    @property
    def size(self) -> int:
        """Number of addresses."""
        return int(ipaddress.ip_address(self.last)) - int(ipaddress.ip_address(self.first)) + 1


class Zone(_Part):
    """A zone; ``legacy_id`` is its number in the legacy API. Out of ``ipv6_prefix`` machines get IPv6 addresses."""

    code: Code
    legacy_id: int = Field(gt=0, le=INT32_MAX)
    name: Name
    engine: Engine
    address_pools: tuple[AddressPool, ...] = ()
    ipv6_prefix: str | None = None
    on_sale: bool = True
    vcpu_overcommit: int = Field(default=16, ge=1, le=64)  # so often each thread of a host is sold

    @field_validator("ipv6_prefix")
    @classmethod
    def _can_be_given_out(cls, text: str | None) -> str | None:
        if text is None:
            return None
        prefix = network6(text)
        least, most = IPV6_PREFIX
        if not least <= prefix.prefixlen <= most:
            raise ValueError(f"{prefix}: the length of the prefix is {least} to {most}")
        if not any(prefix.subnet_of(possible) for possible in _IPV6_POSSIBLE):
            raise ValueError(f"{prefix} does not lie in {' or '.join(map(str, _IPV6_POSSIBLE))}")
        return str(prefix)


class Region(_Part):
    """A region and its zones; ``legacy_code`` is its short name in the legacy API.

    ``country``: two letters of ISO 3166-1. Its flag stands beside the region's name; without it there is none.
    """

    code: Code
    legacy_code: Annotated[str, Field(pattern=r"^[a-z]{2,10}$")]
    name: Name
    country: str | None = None
    zones: tuple[Zone, ...] = Field(min_length=1)

    @field_validator("country", mode="before")
    @classmethod
    def _is_a_country(cls, said: object) -> object:
        if said is False:
            raise ValueError('YAML reads NO as a word for false: Norway is "NO", in quotes')
        if said is not None and said not in countries.codes():
            raise ValueError(f"{said!r:.20} is no country of ISO 3166-1: two capital letters are expected, as in DE")
        return said


class Family(_Part):
    code: ShortCode
    name: Name
    cpu_model: str = Field(min_length=1, max_length=80)


class InstanceType(_Part):
    """A machine type. ``zones`` is where it is sold (None: everywhere), ``sold_out`` where it is shown as sold out."""

    code: Code
    family: ShortCode
    vcpu: int = Field(gt=0, le=1024)
    memory_gib: int = Field(gt=0, le=65_536)
    zones: tuple[Code, ...] | None = None
    sold_out: tuple[Code, ...] = ()

    @property
    def memory_mib(self) -> int:
        return self.memory_gib * 1024


class DiskType(_Part):
    """A disk type; prices and sizes on sale stand in the price book."""

    code: ShortCode
    name: Name
    description: Text


class Image(_Part):
    """A public image. ``recipe`` is what the engine is asked for; ``unavailable`` says why it is not sold."""

    public_id: Annotated[str, Field(pattern=r"^img-[0-9a-z]{8}$")]
    recipe: Code
    version: str = Field(min_length=1, max_length=40)
    os_name: str = Field(min_length=1, max_length=80)
    platform: str = Field(min_length=1, max_length=40)
    architecture: Literal["x86_64", "arm"]
    size_gib: int = Field(gt=0, le=65_536)
    login_user: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=32)]
    unavailable: Text | None = None


class Quotas(_Part):
    """Limits of an account (billing-rules, section 7; API reference, request limits)."""

    postpaid_per_zone: int = Field(default=30, ge=0, le=INT32_MAX)
    prepaid_per_zone_month: int = Field(default=150, ge=0, le=INT32_MAX)
    returns_per_year: int = Field(default=199, ge=0, le=INT32_MAX)
    run_instances_per_s: int = Field(default=10, ge=1, le=INT32_MAX)
    launch_templates: int = Field(default=200, ge=0, le=INT32_MAX)
    placement_groups: int = Field(default=10, ge=0, le=INT32_MAX)
    machines_per_placement_group: int = Field(default=50, ge=0, le=INT32_MAX)
    disks_per_zone: int = Field(default=200, ge=0, le=INT32_MAX)
    addresses_per_region: int = Field(default=20, ge=0, le=INT32_MAX)
    packages_per_region: int = Field(default=20, ge=0, le=INT32_MAX)
    alarms: int = Field(default=20, ge=0, le=1000)  # each is evaluated once a minute at all its machines
    images_per_region: int = Field(default=10, ge=0, le=INT32_MAX)
    snapshots_per_region: int = Field(default=200, ge=0, le=INT32_MAX)
    snapshot_policies_per_region: int = Field(default=30, ge=0, le=INT32_MAX)
    spot_per_zone: int = Field(default=100, ge=0, le=INT32_MAX)

    @property
    def by_name(self) -> dict[str, int]:
        """By the names that the shop keeps them under."""
        return {
            "postpaid_per_zone": self.postpaid_per_zone, "prepaid_per_month": self.prepaid_per_zone_month,
            "returns_per_year": self.returns_per_year, "run_per_s": self.run_instances_per_s,
            "launch_templates": self.launch_templates, "placement_groups": self.placement_groups,
            "machines_per_group": self.machines_per_placement_group,
            "disks_per_zone": self.disks_per_zone, "addresses_per_region": self.addresses_per_region,
            "images_per_region": self.images_per_region, "packages_per_region": self.packages_per_region,
            "snapshots_per_region": self.snapshots_per_region,
            "snapshot_policies_per_region": self.snapshot_policies_per_region,
            "spot_per_zone": self.spot_per_zone, "alarms": self.alarms,
        }  # fmt: skip


class QuotaSets(_Part):
    """What an account has that the seller has given no value of its own, and the demo customer's account."""

    default: Quotas = Quotas()
    demo: Quotas = Quotas()


class CatalogDocument(_Part):
    """A whole catalog file. ``price_book`` is read by pricing, ``policy`` by policy."""

    format: Literal[1]
    shop: Brand | None = None
    regions: tuple[Region, ...] = Field(min_length=1)
    families: tuple[Family, ...] = Field(min_length=1)
    instance_types: tuple[InstanceType, ...] = Field(min_length=1)
    disk_types: tuple[DiskType, ...] = Field(min_length=1)
    images: tuple[Image, ...] = Field(min_length=1)
    quotas: QuotaSets = QuotaSets()
    price_book: Mapping[str, Any]
    policy: tuple[Mapping[str, Any], ...] = ()

    @field_validator("policy", mode="before")
    @classmethod
    def _are_versions(cls, section: object) -> object:
        if not isinstance(section, list) or not all(isinstance(version, dict) for version in section):
            raise ValueError("a list of versions is expected, each with the date or instant it holds from")
        return section

    @field_validator("price_book")
    @classmethod
    def _not_empty(cls, book: Mapping[str, Any]) -> Mapping[str, Any]:
        if not book:
            raise ValueError("a price book is expected")
        return book

    @property
    def zones(self) -> tuple[Zone, ...]:
        """All zones, in the order of regions."""
        return tuple(zone for region in self.regions for zone in region.zones)

    def offers(self) -> list[tuple[Zone, InstanceType, bool]]:
        """(zone, type, sold out) for each type and each zone in which it is shown, zones first."""
        return [
            (zone, instance_type, zone.code in instance_type.sold_out)
            for zone in self.zones
            for instance_type in self.instance_types
            if instance_type.zones is None or zone.code in instance_type.zones
        ]


def read_catalog(text: str) -> CatalogDocument:
    """The catalog out of YAML text. Raises DocumentError."""
    return parse_catalog(read_yaml(text))


def parse_catalog(document: Mapping[str, Any]) -> CatalogDocument:
    """The catalog out of a mapping. Raises DocumentError: a sentence for each problem, beginning with its path."""
    catalog = check(CatalogDocument, document)
    problems = _cross_problems(catalog)
    if problems:
        raise DocumentError(problems)
    return catalog


def _cross_problems(catalog: CatalogDocument) -> list[str]:
    zones = {zone.code for zone in catalog.zones}
    families = {family.code for family in catalog.families}
    problems = []
    for path, values in (
        ("regions.code", [region.code for region in catalog.regions]),
        ("regions.legacy_code", [region.legacy_code for region in catalog.regions]),
        ("regions.zones.code", [zone.code for zone in catalog.zones]),
        ("regions.zones.legacy_id", [zone.legacy_id for zone in catalog.zones]),
        ("families.code", [family.code for family in catalog.families]),
        ("instance_types.code", [item.code for item in catalog.instance_types]),
        ("disk_types.code", [item.code for item in catalog.disk_types]),
        ("images.public_id", [image.public_id for image in catalog.images]),
        ("images.recipe", [image.recipe for image in catalog.images]),
    ):
        try:
            _unique(values, path)
        except ValueError as error:
            problems.append(str(error))
    for item in catalog.instance_types:
        path = f"instance_types.{item.code}"
        if item.family not in families:
            problems.append(f"{path}.family: {item.family} is not among families ({', '.join(sorted(families))})")
        shown = zones if item.zones is None else set(item.zones)
        problems += [f"{path}.zones: {zone} is not a zone of this file" for zone in sorted(shown - zones)]
        problems += [
            f"{path}.sold_out: {zone} is not a zone in which it is sold" for zone in sorted(set(item.sold_out) - shown)
        ]
    if all(image.unavailable for image in catalog.images):
        problems.append("images: at least one must be available")
    return problems + _pool_problems(catalog) + _prefix_problems(catalog)


def _pool_problems(catalog: CatalogDocument) -> list[str]:
    ranges = sorted(
        (ipaddress.ip_address(pool.first).version, int(ipaddress.ip_address(pool.first)), pool.size, zone.code)
        for zone in catalog.zones
        for pool in zone.address_pools
    )
    return [
        f"regions.zones.{zone}.address_pools: {ipaddress.ip_address(first)} is also in the pool of {other}"
        for (other_version, other_first, size, other), (version, first, _, zone) in itertools.pairwise(ranges)
        if version == other_version and other_first + size > first
    ]


def _prefix_problems(catalog: CatalogDocument) -> list[str]:
    prefixes = [(zone.code, ipaddress.IPv6Network(zone.ipv6_prefix)) for zone in catalog.zones if zone.ipv6_prefix]
    return [
        f"regions.zones.{zone}.ipv6_prefix: {prefix} overlaps with {other}, that of {other_zone}"
        for (other_zone, other), (zone, prefix) in itertools.combinations(prefixes, 2)
        if prefix.overlaps(other)
    ]


def _unique(values: Iterable[object], path: str) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{path}: {value} stands here twice")
        seen.add(value)
