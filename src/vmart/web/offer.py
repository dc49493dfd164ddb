"""What the purchase page lays out: each section's options with price and stock, the price, what comes after."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from vmart.catalog import shop as catalog
from vmart.catalog.models import DiskType, Image, InstanceType
from vmart.catalog.shop import Shop, ZoneView
from vmart.instances.attributes import Attributes
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.listings import networks, overview, prices, security_groups
from vmart.listings.networks import WantedSubnets
from vmart.listings.prices import ImageProgress, Market, ZoneState
from vmart.listings.views import SecurityGroupView, SubnetView
from vmart.orders import groups, offered, reclaim, spot, user_data
from vmart.orders.images import chosen
from vmart.orders.images.chosen import Chosen
from vmart.pages import shown_quote, wording
from vmart.pages.version_facts import Fact
from vmart.pages.way_back import top_up_address
from vmart.payments import top_up
from vmart.policy import policy
from vmart.pricing import books
from vmart.pricing.book import PriceBook, UnitPrice
from vmart.pricing.compare import Comparison, ReturnPreview, compare, preview_returns
from vmart.pricing.quote import Quote
from vmart.pricing.rules import progressive
from vmart.security.ssh import Reach
from vmart.web import fields, first_boot, from_template, group_boxes, tray
from vmart.web.choice import (
    Choice,
    Typed,
    has_ipv6,
    images_of,
    in_stock,
    read,
    recommended,
    size_field,
    snapshot_field,
    zone_of,
)
from vmart.web.faults import Fault, faults
from vmart.web.tray import Kept
from vmart.web.type_table import FEW, TypeOption, TypeTable

SUBNETS_SHOWN = 200
Priced = tuple[Decimal | None, Decimal | None, Decimal | None]  # an hour, an hour at the last tier of age, a month


@dataclass(frozen=True, slots=True)
class ImageOption:
    image: Chosen
    progress: ImageProgress | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class ImageTab:
    """``code`` is one of ``choice.IMAGES_OF``."""

    code: str
    title: str
    options: list[ImageOption]


@dataclass(frozen=True, slots=True)
class ZoneOption:
    zone: ZoneView
    state: ZoneState | None
    chosen: bool

    @property
    def being_set_up(self) -> bool:
        """Its real engine has never answered: in the first minutes of a shop that installs its own."""
        return self.zone.driver.is_real and (self.state is None or not self.state.kind)


@dataclass(frozen=True, slots=True)
class DiskOption:
    disk: DiskType
    per_gib: Decimal
    chosen: bool


@dataclass(frozen=True, slots=True)
class DataDisk:
    """A row of the data disks; ``price`` for the chosen mode, None where the size is wrong; errors go by the fields."""

    number: int
    disk_type: str
    size: str
    sizes: Any
    price: Decimal | None
    field: str
    snapshot: str
    snapshot_field: str


@dataclass(slots=True)
class Offer:
    """Everything the page shows, but for who looks at it. ``quoted`` is None when an error stands in the way."""

    shop: Shop
    book: PriceBook
    market: Market
    choice: Choice
    own: Sequence[Chosen] = ()  # customers' images in the zone, of which the account may have machines
    subnets: Sequence[SubnetView] = ()  # the account's in the zone
    groups: Sequence[SecurityGroupView] = ()  # the account's security groups in the region
    quoted: Quote | None = None
    compared: Comparison | None = None
    returns: Sequence[ReturnPreview] = ()
    tray: Sequence[Kept] = ()
    general_error: str = ""
    available_minor: int | None = None  # None for who has no account
    refused: bool = False  # it was sent and nothing was done
    token: str = field(default_factory=shown_quote.new_token)
    signed: str = ""

    @property
    def errors(self) -> Mapping[str, str]:
        return self.choice.errors

    @property
    def off_percent(self) -> Decimal:
        """What the account's discount takes off every list price; all prices here are after it."""
        return (1 - self.book.factor) * 100

    @property
    def lacks_minor(self) -> int:
        """What a top-up must bring, in an amount that every card provider takes; 0 where the balance is enough."""
        if self.quoted is None or self.available_minor is None:
            return 0
        needed = self.quoted.due_minor + self.quoted.hold_minor
        if self.available_minor >= needed:
            return 0
        return top_up.least_for(needed, self.available_minor)

    @property
    def top_up_address(self) -> str:
        """The top-up of what is lacking, which leads back to this form."""
        return top_up_address(self.lacks_minor, f"{reverse('buy')}?{self.query}")

    @property
    def faults(self) -> list[Fault]:
        """What a summary lists."""
        return faults(self.choice)

    @property
    def focus(self) -> str:
        """The field that a refused form is read on from, "" where no field is at fault."""
        return self.faults[0].field if self.refused and self.errors else ""

    @property
    def prepaid(self) -> bool:
        return self.choice.mode == "prepaid"

    @property
    def spot(self) -> bool:
        return self.choice.mode == "spot"

    @property
    def spot_hour(self) -> Decimal | None:
        """An hour of CPU and memory of the chosen type as a spot machine; None where it is not sold as one."""
        unit = self.book.regions[self.choice.zone.region].spot.get(self.choice.kind.code)
        return None if unit is None else progressive(1, unit.hour)

    spot_notice_minutes = reclaim.NOTICE // dt.timedelta(minutes=1)

    def regions(self) -> list[dict[str, Any]]:
        sold = {zone.region for zone in self.shop.zones.values() if zone.on_sale}
        chosen = self.choice.zone.region
        return [{"region": r, "chosen": r.code == chosen} for r in self.shop.regions.values() if r.code in sold]

    def zones(self) -> list[ZoneOption]:
        chosen = self.choice.zone
        return [
            ZoneOption(zone, self.market.zones.get(zone.code), zone.code == chosen.code)
            for zone in self.shop.zones.values()
            if zone.region == chosen.region and zone.on_sale
        ]

    @property
    def zone_state(self) -> ZoneState | None:
        return self.market.zones.get(self.choice.zone.code)

    @property
    def no_groups(self) -> str:
        """Why no security group holds in the zone; "" where they do."""
        return self.zone_state.no_groups if self.zone_state else ""

    @property
    def group_boxes(self) -> list[group_boxes.Box]:
        """None where none holds; those that are chosen all the same can be taken back."""
        if self.no_groups and not self.choice.groups:
            return []
        return group_boxes.boxes(self.groups, self.choice.groups)

    @property
    def ssh_reach(self) -> Reach | None:
        """From where SSH is let in by the chosen groups; None where nobody can say."""
        if self.no_groups or not self.groups or "security_group" in self.errors:
            return None
        known = {group.public_id: group for group in self.groups}
        default = [group.public_id for group in self.groups if group.is_default]
        chosen = [known[public_id] for public_id in self.choice.groups or default]
        return security_groups.ssh_reach(chosen, ipv6=bool(self.choice.values["ipv6"]))

    @property
    def has_ipv6(self) -> bool:
        """Whether machines can have an IPv6 address in the chosen zone."""
        return has_ipv6(self.choice.zone, self.market)

    @property
    def address_note(self) -> str:
        return wording.in_language(self.choice.zone, "address_note")

    @property
    def image_progress(self) -> ImageProgress | None:
        return _progress(self.market, self.choice.image)

    @property
    def types(self) -> TypeTable:
        """What the chosen zone sells; what is preselected there is recommended, for as long as it can be had."""
        choice, prices = self.choice, self.book.regions[self.choice.zone.region].cpu
        there = in_stock(choice.zone, self.shop, self.market, choice.disk_gib)
        best = recommended(there, prices) if there else None
        options = [self._type(code, sold_out, best) for code, sold_out in choice.zone.offers.items()]
        return TypeTable(options, choice.values)

    def _type(self, code: str, sold_out: bool, best: InstanceType | None) -> TypeOption:
        """A type with its prices for the chosen mode and term."""
        kind, prices = self.shop.instance_types[code], self.book.regions[self.choice.zone.region]
        room = self.market.room(kind, self.choice.disk_gib)
        why = "" if room and not sold_out else self._why_not(kind, sold_out)
        if self.spot and code not in prices.spot:
            why = _("Not sold as a spot machine")
        priced = self._of_spot(code) if self.spot else self._usual(prices.cpu[code])
        left = room if room <= FEW else None
        return TypeOption(kind, *priced, left, why, chosen=code == self.choice.kind.code, recommended=kind is best)

    def _of_spot(self, code: str) -> Priced:
        """By the hour alone, without tiers."""
        unit = self.book.regions[self.choice.zone.region].spot.get(code)
        return (progressive(1, unit.hour) if unit else None), None, None

    def _usual(self, unit: UnitPrice) -> Priced:
        """A month is one of the chosen term, postpaid one of the shortest."""
        hour, months = progressive(1, unit.hour), self.month_count if self.prepaid else 1
        later = hour * unit.tiers[-1].factor if len(unit.tiers) > 1 else None
        return hour * unit.tiers[0].factor, later, progressive(1, unit.month) * unit.discount(months)

    def _why_not(self, kind: InstanceType, sold_out: bool) -> str:
        """Why a type cannot be had in this zone."""
        if sold_out:
            return _("Sold out")
        if not self.market.hosts:
            return _("The zone does not answer")
        if self.market.room(kind, self.book.disk(self.choice.values["disk"]).system_gib.min):
            return _("No room for disks of this size")
        return _("No room at present")

    def images(self) -> list[ImageOption]:
        """Public ones on sale."""
        return self._options([Chosen(image) for image in self.shop.images.values() if not image.unavailable_en])

    def image_tabs(self) -> list[ImageTab]:
        """Public images, and for who has an account its own and those shared with it, that lie in the zone."""
        own = [image for image in self.own if not image.shared_by]
        shared = [image for image in self.own if image.shared_by]
        tabs = [ImageTab("public", _("Public images"), self.images())]
        if self.available_minor is not None:
            tabs += [
                ImageTab("own", _("Own images"), self._options(own)),
                ImageTab("shared", _("Shared with you"), self._options(shared)),
            ]
        return tabs

    @property
    def images_of(self) -> str:
        """Whose images are seen: the chosen one's, unless the buyer looks at others."""
        return self.choice.values["images"] or images_of(self.choice.image)

    def _options(self, images: Sequence[Chosen]) -> list[ImageOption]:
        wanted = self.choice.image.public_id
        return [ImageOption(image, _progress(self.market, image), image.public_id == wanted) for image in images]

    @property
    def unsold_images(self) -> list[Image]:
        return [image for image in self.shop.images.values() if image.unavailable_en]

    def disks(self) -> list[DiskOption]:
        sold = self.book.regions[self.choice.zone.region].disk
        return [
            DiskOption(
                disk,
                progressive(1, sold[disk.code].month if self.prepaid else sold[disk.code].hour),
                disk.code == self.choice.values["disk"],
            )
            for disk in self.shop.disk_types.values()
            if disk.code in sold
        ]

    def data_disks(self) -> list[DataDisk]:
        sold = self.book.regions[self.choice.zone.region].disk
        return [
            DataDisk(
                number, disk_type, size, self.book.disk(disk_type).data_gib,
                None if self.errors.get(size_field(number)) else progressive(
                    int(size), sold[disk_type].month if self.prepaid else sold[disk_type].hour
                ),
                size_field(number), snapshot, snapshot_field(number),
            )
            for number, (disk_type, size, snapshot) in enumerate(self.choice.data_disks, 1)
        ]  # fmt: skip

    @property
    def data_disks_max(self) -> int:
        return self.book.sales.data_disks_max

    @property
    def disk_sizes(self) -> Any:
        """Sizes on sale of the chosen disk type, from what the image needs."""
        sizes = self.book.disk(self.choice.values["disk"]).system_gib
        return {"min": max(sizes.min, self.choice.image.size_gib), "max": sizes.max, "step": sizes.step}

    @property
    def by_traffic(self) -> bool:
        return self.choice.values["address"] == "1" and self.choice.values["internet"] == "traffic"

    @property
    def mbps_max(self) -> int:
        sales = self.book.sales
        return sales.prepaid_mbps_max if self.prepaid else sales.postpaid_mbps_max

    def months(self) -> list[dict[str, Any]]:
        """Terms on sale with what is paid of the chosen type's list price."""
        unit = self.book.regions[self.choice.zone.region].cpu[self.choice.kind.code]
        chosen = self.choice.values["months"]
        return [
            {"months": m, "chosen": str(m) == chosen, "off_percent": (1 - unit.discount(m)) * 100}
            for m in self.book.sales.periods_months
        ]

    @property
    def month_count(self) -> int:
        return self.choice.number("months") or 1

    @property
    def count_max(self) -> int:
        return self.book.sales.machines_max

    @property
    def traffic_price(self) -> Decimal:
        return self.book.regions[self.choice.zone.region].traffic_gib

    @property
    def bandwidth_price(self) -> Decimal:
        """Price of the chosen Mbps by bandwidth, a month or an hour."""
        unit = self.book.regions[self.choice.zone.region].bandwidth
        return progressive(self.choice.number("mbps"), unit.month if self.prepaid else unit.hour)

    def lines(self) -> list[dict[str, Any]]:
        """The itemised price of one machine."""
        quoted = self.quoted
        return [
            {
                "title": wording.component(f"{line.component}:{line.number}" if line.number else line.component),
                "line": line,
                "detail": self._detail(line.component, line.number, line.quantity),
            }
            for line in (quoted.lines if quoted else ())
        ]

    def _detail(self, component: str, number: int, quantity: int) -> str:
        if component == "cpu":
            return self.choice.kind.code
        if component in ("bandwidth", "traffic"):
            return f"{quantity} Mbps"
        code = self.choice.data_disks[number - 1][0] if component == "data_disk" else self.choice.values["disk"]
        return f"{wording.disk_type(code)}, {quantity} GiB"

    @property
    def from_template(self) -> Sequence[Fact]:
        """What is taken from the launch template that the form began with, and has no field here."""
        return from_template.without_field(self.choice.source) if self.choice.source else ()

    @property
    def user_data(self) -> str:
        """As the form shows it."""
        return first_boot.text(self.choice)

    @property
    def user_data_unshown(self) -> int:
        """Bytes of what a template says and the form cannot show."""
        return first_boot.unshown(self.choice)

    @property
    def query(self) -> str:
        """The page's query string: the form and its token."""
        return f"{self.choice.query()}&form={self.token}"

    def refuse(self, refused: Refused) -> None:
        """Put a refusal beside its field, or above the form where it has none there."""
        if name := fields.at_fault(fields.PURCHASE, refused):
            self.choice.errors[name] = wording.sentence(refused)
        else:
            self.general_error = wording.sentence(refused)


def _progress(market: Market, image: Chosen) -> ImageProgress | None:
    """A customer's image is offered when it is ready."""
    return ImageProgress("ready", 100, "") if image.own else market.images.get(image.public_id)


def _market(typed: Typed, here: Shop) -> Market:
    """The market of the chosen zone; where none was chosen and the first is full, of the first that is not."""
    first = zone_of(typed.values, here)
    market = prices.market(first.code)
    zone = zone_of(typed.values, here, market.zones)
    return market if zone is first else prices.market(zone.code)


def _begin_with(choice: Choice, account_id: int) -> None:
    """Note the version of a launch template that the form names; of one that is gone say so, and forget it."""
    try:
        choice.source = from_template.source(account_id, choice.values["template"], choice.values["template_version"])
    except Refused as refused:
        choice.notices.append(wording.sentence(refused))
        choice.values |= {"template": "", "template_version": ""}


def make(typed: Typed, account_id: int | None) -> Offer:
    """The page for a form as typed: one query, while catalog and preselected zone serve; of an account a few more."""
    here = catalog.snapshot()
    market = _market(typed, here)
    if market.generation != here.generation:
        here = catalog.snapshot(at_least=market.generation)
        market = _market(typed, here)
    book = books.own_book(account_id, here.generation)
    zone = zone_of(typed.values, here, market.zones).code
    own = chosen.own_in(here, account_id, zone) if account_id is not None else []
    choice = read(typed, here, book, market, own)
    if account_id is not None and choice.values["template"]:
        _begin_with(choice, account_id)
    kept = tray.of(choice, here, book, market=market, own=own, account_id=account_id)
    offer = Offer(here, book, market, choice, own, tray=kept)
    if account_id is not None:
        offer.available_minor = overview.balance(account_id).available_minor
        offer.subnets = _subnets(account_id, choice)
        _offer_groups(offer, account_id)
    if shown_quote.is_token(typed.values.get("form", "")):
        offer.token = typed.values["form"]
    if choice.errors:
        return offer
    try:
        quoted = offered.price(choice.configuration, here, account_id)
    except Refused as refused:
        offer.refuse(refused)
        return offer
    offer.quoted = quoted
    offer.compared = compare(book, choice.configuration)
    now = clock.now()
    offer.returns = preview_returns(book, quoted, now, here.billing_zone, policy.at(now).free_return_days)
    if account_id is not None:
        offer.signed = shown_quote.sign(account_id, quoted)
    _check_unpriced(offer, quoted)
    return offer


def _check_unpriced(offer: Offer, quoted: Quote) -> None:
    """A bid below the price and too much user data are refused at once; the price beside them stays."""
    try:
        user_data.check(first_boot.document(offer.choice))
        spot.check(offer.shop, quoted.configuration, Attributes(max_price=offer.choice.max_price))
    except Refused as refused:
        offer.refuse(refused)


def _subnets(account_id: int, choice: Choice) -> Sequence[SubnetView]:
    """Those that can be chosen. One that cannot gives way to the default one, with a notice."""
    _total, there = networks.subnets(account_id, WantedSubnets(zones=[choice.zone.code]), limit=SUBNETS_SHOWN)
    wanted = choice.values["subnet"]
    if wanted and wanted not in [subnet.public_id for subnet in there]:
        choice.notices.append(_("The subnet {id} is not in this zone; the default one is chosen.").format(id=wanted))
        choice.values |= {"subnet": "", "private_ip": ""}
    return there


def _offer_groups(offer: Offer, account_id: int) -> None:
    """Those that can be chosen. What cannot be had is refused at once and stays: it must not become the default one."""
    offer.groups = security_groups.to_choose(account_id, offer.choice.zone.region)
    choice, default = offer.choice, tuple(group.public_id for group in offer.groups if group.is_default)
    said = choice.source.contents if choice.source else {}
    if choice.groups == default and list(default) != said.get("attributes.security_groups"):
        choice.groups = ()  # as every purchase has it that names none; a template's words stay
    try:
        groups.refuse_unfit(choice.groups, {group.public_id for group in offer.groups})
        if offer.no_groups and choice.groups not in ((), default):
            raise groups.none_hold(choice.zone.code)
    except Refused as refused:
        offer.refuse(refused)
