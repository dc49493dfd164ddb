"""The purchase form: what is typed, what is chosen where nothing is, and its form as an address.

Every field has a choice of the shop's own, so the page can be bought from with zero edits. What cannot be
had (a zone of another region, a type that is sold out) gives way to the nearest, with a notice; numbers are
kept as they were typed, with a message beside them. Passwords and keys to money never enter an address.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import zip_longest
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _

from vmart.catalog.models import InstanceType
from vmart.catalog.shop import Shop, ZoneView
from vmart.launch_templates.held import Held
from vmart.listings.prices import Market, ZoneState
from vmart.orders.groups import OF_A_MACHINE_MAX
from vmart.orders.images.chosen import Chosen
from vmart.orders.login import KEYS_MAX
from vmart.pages import local_time, version_facts
from vmart.pricing.book import PriceBook, UnitPrice
from vmart.pricing.configuration import (
    DEFAULT_DISK_TYPE,
    DEFAULT_SYSTEM_GIB,
    POSTPAID_BY_HOUR,
    PREPAID,
    SPOTPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
    Configuration,
    DiskChoice,
    default_internet_charge_type,
)
from vmart.tags.wanted import Tag
from vmart.web import typed_tags

MODES = {"prepaid": PREPAID, "postpaid": POSTPAID_BY_HOUR, "spot": SPOTPAID}
TYPES_SHOWN = ("family", "vcpu", "memory", "order")  # which rows of the type table, and in which order
LOOKED_AT = (*TYPES_SHOWN, "images", "quick")  # how the form is looked at, and nothing of what is bought
IMAGES_OF = ("public", "own", "shared")  # whose images are seen
IN_ADDRESS = (
    "charge", "region", "zone", "type", "image", "disk", "disk_gib", "address", "internet", "mbps", "login", "name",
    "count", "months", "template", "template_version", "group", "subnet", "private_ip",
    "ends_at", "tags", "max_price", "ipv6", *LOOKED_AT,
)  # fmt: skip
_NUMBERS = {"disk_gib": "", "mbps": "5", "count": "1", "months": "1"}
_TEXT_MAX = 300
BESIDE_MAX = 3  # configurations kept beside the form
_BESIDE_CHARACTERS_MAX = 2000
_NEW_DATA_GIB = 50  # a disk that is added has at least this

# A data disk as typed: type, size and the snapshot that it is to hold; None where the form has none.
Row = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Typed:
    """A form or an address as it came. Of one that is there twice the last counts, but for keys, groups and disks."""

    values: Mapping[str, str]
    keys: tuple[str, ...]
    data_disks: Sequence[Row]
    groups: tuple[str, ...]
    beside: tuple[str, ...] = ()
    user_data: str | None = None  # of a form that was sent; None where it has no such field

    @classmethod
    def of(cls, form: QueryDict) -> "Typed":
        """With a data disk more or less where a button of the form asked for it."""
        values = {name: str(given[-1]) for name, given in form.lists() if given}
        typed = zip_longest(form.getlist("data_disk"), form.getlist("data_gib"), form.getlist("data_snapshot"))
        disks = _rows(list(typed), values.get("act", ""))
        groups = _ids(form, "security_group", OF_A_MACHINE_MAX + 1)
        beside = tuple(given for given in form.getlist("beside") if len(given) <= _BESIDE_CHARACTERS_MAX)
        return cls(values, _ids(form, "key", KEYS_MAX), disks, groups, beside[-BESIDE_MAX:])

    @classmethod
    def sent(cls, form: QueryDict) -> "Typed":
        """With what no address holds."""
        return replace(cls.of(form), user_data=form.get("user_data"))


def _ids(form: QueryDict, name: str, most: int) -> tuple[str, ...]:
    return tuple(str(given).replace("\0", "")[:_TEXT_MAX] for given in form.getlist(name)[:most])


def _rows(typed: list[Row], act: str) -> list[Row]:
    """The data disks after ``act``: ``add_disk``, ``remove_disk-2`` (counted from 1) or anything else."""
    removed = re.fullmatch(r"remove_disk-([1-9][0-9]{0,3})", act)
    if removed:
        del typed[int(removed[1]) - 1 : int(removed[1])]
    return [*typed, (None, None, None)] if act == "add_disk" else typed


@dataclass(slots=True)
class Choice:
    """One reading of the form. ``errors`` and ``notices`` are for the page; ``values`` is what was typed."""

    mode: str
    zone: ZoneView
    kind: InstanceType
    image: Chosen
    values: dict[str, str]
    keys: tuple[str, ...] = ()
    data_disks: tuple[tuple[str, str, str], ...] = ()  # type, size as typed, and snapshot
    errors: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    groups: tuple[str, ...] = ()  # security groups; none is the default one
    source: Held | None = None  # the version of a launch template that the form began with
    beside: tuple[str, ...] = ()  # what is kept to be compared, each as ``alone``
    user_data: str | None = None  # as typed

    def number(self, name: str) -> int:
        """A number that was checked; 0 where an error says that it is none."""
        return int(self.values[name]) if name not in self.errors else 0

    @property
    def ends_at(self) -> dt.datetime | None:
        """When it is to be ended by itself; only what is charged by the hour is."""
        return local_time.read(self.values["ends_at"]) if self.mode == "postpaid" else None

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Of the machine and its disks."""
        return typed_tags.read(self.values["tags"])

    @property
    def max_price(self) -> Decimal | None:
        """Of a spot machine what an hour of it may cost; None where nothing is typed: what it costs now."""
        return Decimal(self.values["max_price"]) if self.mode == "spot" and self.values["max_price"] else None

    @property
    def disk_gib(self) -> int:
        """All disks of one machine; those with a wrong size count nothing."""
        sizes = [int(size) for n, (_, size, _s) in enumerate(self.data_disks, 1) if size_field(n) not in self.errors]
        return (self.number("disk_gib") or self.image.size_gib) + sum(sizes)

    @property
    def configuration(self) -> Configuration:
        """What is priced. Only for a choice without errors."""
        charge_type, wants_address = MODES[self.mode], self.values["address"] == "1"
        internet = default_internet_charge_type(charge_type)
        if self.values["internet"] == "traffic":
            internet = TRAFFIC_POSTPAID_BY_HOUR
        return Configuration(
            region=self.zone.region,
            zone=self.zone.code,
            instance_type=self.kind.code,
            charge_type=charge_type,
            system_disk=self._disk("system_disk", DiskChoice(self.values["disk"], self.number("disk_gib"))),
            data_disks=self._data_disks,
            period_months=self.number("months") if self.mode == "prepaid" else None,
            internet_charge_type=internet,
            bandwidth_mbps=self.number("mbps") if wants_address else 0,
            public_ip=wants_address,
            count=self.number("count"),
        )

    @property
    def _data_disks(self) -> tuple[DiskChoice, ...]:
        paths = dict(enumerate(version_facts.data_disks(self.source.contents) if self.source else []))
        return tuple(
            self._disk(paths.get(place, ""), DiskChoice(disk_type, int(size), snapshot_id=snapshot))
            for place, (disk_type, size, snapshot) in enumerate(self.data_disks)
        )

    def _disk(self, path: str, typed: DiskChoice) -> DiskChoice:
        """A disk of the form; where it is still the template's, with what the form has no field for."""
        said = self.source.contents if self.source else {}
        its_type = said.get(f"{path}.disk_type", DEFAULT_DISK_TYPE)
        if (its_type, said.get(f"{path}.size_gib", DEFAULT_SYSTEM_GIB)) != (typed.disk_type, typed.size_gib):
            return typed
        goes = said.get(f"{path}.delete_with_instance", True)
        return replace(typed, delete_with_instance=goes, name=said.get(f"{path}.name", ""))

    def query(self, **other: str) -> str:
        """The form as a query string; equal forms have equal ones. ``other`` replaces values."""
        return "&".join([self._alone(other), *(urlencode({"beside": kept}) for kept in self.beside)])

    @property
    def alone(self) -> str:
        """The query string without what is kept beside it, and in no mode of being looked at."""
        return self._alone(dict.fromkeys(LOOKED_AT, ""))

    def _alone(self, other: Mapping[str, str]) -> str:
        shown = {**self.values, **other}
        pairs = [(name, shown[name]) for name in IN_ADDRESS if shown.get(name)]
        of_snapshots = any(snapshot for _, _, snapshot in self.data_disks)
        for disk_type, size, snapshot in self.data_disks:
            pairs += [("data_disk", disk_type), ("data_gib", size)]
            pairs += [("data_snapshot", snapshot)] if of_snapshots else []
        pairs += [("security_group", group) for group in self.groups]
        return urlencode(pairs + [("key", key) for key in self.keys])


def size_field(number: int | str) -> str:
    """Where the size of a data disk (from 1) is typed; its errors go by this name."""
    return f"data_gib-{number}"


def snapshot_field(number: int | str) -> str:
    """Where its snapshot is typed."""
    return f"data_snapshot-{number}"


def read(typed: Typed, shop: Shop, book: PriceBook, market: Market, own: Sequence[Chosen] = ()) -> Choice:
    """The form as ``typed`` (missing fields: preselected) for a market in the chosen zone (``zone_of``).

    ``own``: customers' images that can be chosen there.
    """
    values, keys = {name: typed.values.get(name, "")[:_TEXT_MAX] for name in IN_ADDRESS}, typed.keys
    notices: list[str] = []
    mode = values["charge"] if values["charge"] in MODES else "prepaid"
    zone = zone_of(values, shop, market.zones)
    image = _image(values["image"], shop, own, notices)
    if values["disk"] not in shop.disk_types or values["disk"] not in book.document.disks:
        values["disk"] = next(code for code in shop.disk_types if code in book.document.disks)
    smallest = max(image.size_gib, book.disk(values["disk"]).system_gib.min)
    values["disk_gib"] = values["disk_gib"] or str(smallest)
    data_disks, errors = _data_disks(typed.data_disks, values["disk"], shop, book)
    room = smallest + sum(int(size) for n, (_, size, _s) in enumerate(data_disks, 1) if size_field(n) not in errors)
    kind = _kind(values["type"], zone, shop, book, market=market, disk_gib=room, notices=notices)
    values |= {"charge": mode, "region": zone.region, "zone": zone.code, "type": kind.code, "image": image.public_id}
    values["address"] = "0" if values["address"] == "0" else "1"
    values["ipv6"] = "1" if values["ipv6"] == "1" and values["address"] == "1" else ""
    if values["ipv6"] and not has_ipv6(zone, market):
        notices.append(_("Machines have no IPv6 address in this zone."))
        values["ipv6"] = ""
    values["internet"] = "bandwidth" if values["internet"] == "bandwidth" else "traffic"
    if values["login"] not in ("password", "key", "generated"):
        values["login"] = "key" if keys else "generated"
    for name, (least, most) in _bounds(mode, image, book, values).items():
        values[name] = values[name].strip() or _NUMBERS[name]
        wrong = _wrong(values[name], least, most)
        if wrong:
            errors[name] = wrong
    if mode == "postpaid" and values["ends_at"] and local_time.read(values["ends_at"]) is None:
        errors["ends_at"] = str(local_time.WRONG)
    values["max_price"] = values["max_price"].strip()
    if mode == "spot" and values["max_price"] and not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,8})?", values["max_price"]):
        errors["max_price"] = _("Enter an amount, with at most 8 decimals.")
    values["quick"] = "1" if values["quick"] == "1" else ""
    if values["images"] not in IMAGES_OF or values["images"] == images_of(image):
        values["images"] = ""
    return Choice(
        mode, zone, kind, image, values, keys, data_disks, errors, notices, typed.groups, beside=typed.beside,
        user_data=typed.user_data,
    )  # fmt: skip


def images_of(image: Chosen) -> str:
    """Among whose images it is, one of ``IMAGES_OF``."""
    return "shared" if image.shared_by else "own" if image.own else "public"


def has_ipv6(zone: ZoneView, market: Market) -> bool:
    """Whether machines can have an IPv6 address there."""
    state = market.zones.get(zone.code)
    return bool(zone.ipv6_prefix) and not (state and state.no_ipv6)


def _image(wanted: str, shop: Shop, own: Sequence[Chosen], notices: list[str]) -> Chosen:
    """The wanted image if it can be had in the zone, else the first public one, with a notice for one of a customer."""
    public = [Chosen(image) for image in shop.images.values() if not image.unavailable_en]
    found = next((image for image in (*public, *own) if image.public_id == wanted), None)
    if found is None and wanted and wanted not in shop.images:
        sentence = _("The image {id} cannot be had in this zone; {name} is chosen.")
        notices.append(sentence.format(id=wanted, name=public[0].name))
    return found or public[0]


def _data_disks(
    disks: Sequence[Row], preset: str, shop: Shop, book: PriceBook
) -> tuple[tuple[tuple[str, str, str], ...], dict[str, str]]:
    """Types, sizes and snapshots, with the sizes' errors. One more than may be had is kept: the refusal is seen."""
    found, errors = [], {}
    for number, (wanted, typed, snapshot) in enumerate(disks[: book.sales.data_disks_max + 1], 1):
        disk_type = wanted if wanted in shop.disk_types and wanted in book.document.disks else preset
        sizes = book.disk(disk_type).data_gib
        size = str(min(max(sizes.min, _NEW_DATA_GIB), sizes.max)) if typed is None else typed.strip()[:_TEXT_MAX]
        wrong = _wrong(size, sizes.min, sizes.max)
        if wrong:
            errors[size_field(number)] = wrong
        found.append((disk_type, size, (snapshot or "").strip().replace("\0", "")[:_TEXT_MAX]))
    return tuple(found), errors


def _wrong(typed: str, least: int, most: int) -> str:
    """What is wrong with a number as typed; "" when nothing is."""
    if not re.fullmatch(r"[0-9]{1,7}", typed):
        return _("Enter a whole number.")
    if not least <= int(typed) <= most:
        return _("Enter a number from {least} to {most}.").format(least=least, most=most)
    return ""


def _bounds(mode: str, image: Chosen, book: PriceBook, values: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Least and most of each number; what else a price book asks of it, the quote says."""
    sizes, sales = book.disk(values["disk"]).system_gib, book.sales
    mbps_max = sales.prepaid_mbps_max if mode == "prepaid" else sales.postpaid_mbps_max
    return {
        "disk_gib": (max(sizes.min, image.size_gib), sizes.max),
        "mbps": (1 if values["address"] == "1" else 0, mbps_max),
        "count": (1, sales.machines_max),
        "months": (1, max(sales.periods_months)),
    }


def zone_of(typed: Mapping[str, str], shop: Shop, states: Mapping[str, ZoneState] | None = None) -> ZoneView:
    """The chosen zone, else the first on sale in the chosen region, else the first of all.

    ``states``: where none was chosen, one that has room is preferred (an engine that is being installed has none).
    """
    on_sale = [zone for zone in shop.zones.values() if zone.on_sale]
    chosen = shop.zones.get(typed.get("zone", ""))
    region = typed.get("region", "")
    if chosen is not None and chosen.on_sale and region in ("", chosen.region):
        return chosen
    there = [zone for zone in on_sale if zone.region == region] or on_sale
    roomy = (zone for zone in there if states is not None and zone.code in states and states[zone.code].has_room)
    return next(roomy, there[0])


def sold_in(zone: ZoneView, shop: Shop) -> list[InstanceType]:
    """What the zone sells and has not sold out."""
    return [shop.instance_types[code] for code, sold_out in zone.offers.items() if not sold_out]


def in_stock(zone: ZoneView, shop: Shop, market: Market, disk_gib: int) -> list[InstanceType]:
    """Those of them that a host has room for, with disks of so many GiB."""
    return [kind for kind in sold_in(zone, shop) if market.room(kind, disk_gib)]


def recommended(kinds: Sequence[InstanceType], prices: Mapping[str, UnitPrice]) -> InstanceType:
    """The cheapest a month that a common server feels well in: one with 2 GiB, where there is one."""
    roomy = [kind for kind in kinds if kind.memory_mib >= 2048] or kinds
    return min(roomy, key=lambda kind: prices[kind.code].month[0].price)


def _kind(
    wanted: str, zone: ZoneView, shop: Shop, book: PriceBook, *, market: Market, disk_gib: int, notices: list[str]
) -> InstanceType:
    """The wanted type if it can be had in the zone, else the nearest, with a notice."""
    there = in_stock(zone, shop, market, disk_gib) or sold_in(zone, shop) or list(shop.instance_types.values())
    prices = book.regions[zone.region].cpu
    chosen = shop.instance_types.get(wanted)
    if chosen is None:
        return recommended(there, prices)
    if chosen in there:
        return chosen
    nearest = min(
        there,
        key=lambda kind: (
            kind.vcpu < chosen.vcpu or kind.memory_mib < chosen.memory_mib,
            kind.family != chosen.family,
            abs(kind.vcpu - chosen.vcpu) + abs(kind.memory_mib - chosen.memory_mib) / 2048,
        ),
    )
    sentence = (
        _("{wanted} is sold out in this zone; {nearest} is the nearest.")
        if wanted in zone.offers
        else _("{wanted} is not sold in this zone; {nearest} is the nearest.")
    )
    notices.append(sentence.format(wanted=wanted, nearest=nearest.code))
    return nearest
