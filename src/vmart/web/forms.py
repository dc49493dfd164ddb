"""The customer's forms; the purchase's is ``web.choice``."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop
from vmart.engines.rules import TCP
from vmart.instances.models import Instance
from vmart.listings import overview
from vmart.listings.placement_groups import GroupView
from vmart.listings.views import SecurityGroupView, SubnetView, VpcView
from vmart.orders import bandwidth, machines, resize
from vmart.orders.images import chosen
from vmart.pages import local_time, printed, wording
from vmart.pages.forms import ActForm, text
from vmart.pricing import books
from vmart.pricing.book import PriceBook
from vmart.security.change import WAYS
from vmart.security.policies import ACCEPT, PROTOCOLS, Policy
from vmart.storage.models import Disk
from vmart.web import typed_tags

_KEY_NAME: dict[str, Any] = {"maxlength": 25, "pattern": "[A-Za-z0-9_]+"}


class NewKeyPair(ActForm):
    """A key pair that the shop makes."""

    paths = {"key_name": "name", "tags": "tags"}
    prefix_id = "create-"

    name = text(_("Name"), hint=_("Letters, digits and underscores."), **_KEY_NAME)
    tags = typed_tags.field()


class ImportedKeyPair(ActForm):
    """A key pair whose private part is its owner's."""

    paths = {"key_name": "name", "public_key": "public_key", "tags": "tags"}
    prefix_id = "import-"

    name = text(_("Name"), **_KEY_NAME)
    public_key = forms.CharField(
        label=_("Public key"),
        required=False,
        widget=forms.Textarea(attrs={"class": "mono", "rows": 4, "spellcheck": "false", "required": True}),
    )
    tags = typed_tags.field()


def _affinity() -> forms.IntegerField:
    return forms.IntegerField(
        label=_("Machines together at most"),
        help_text=_("So many machines of the group may lie on one host, or in one rack: 1 to 10."),
        min_value=-(2**31),
        max_value=2**31 - 1,
        widget=forms.NumberInput(attrs={"class": "short", "required": True, "min": 1, "max": 10}),
    )


class NewGroup(ActForm):
    """A placement group that is made."""

    paths = {"group.name": "name", "group.apart": "apart", "group.affinity": "affinity", "tags": "tags"}

    name = text(_("Name"), maxlength=60)
    apart = forms.CharField(
        label=_("Apart by"), required=False, initial="HOST",
        widget=forms.Select(choices=list(wording.APART.items())),
    )  # fmt: skip
    affinity = _affinity()
    tags = typed_tags.field()

    def __init__(self, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"affinity": 1})


class ChangedGroup(ActForm):
    """A placement group that is there."""

    paths = {"group.name": "name", "group.affinity": "affinity"}

    name = text(_("Name"), maxlength=60)
    affinity = _affinity()

    def __init__(self, group: GroupView, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"name": group.name, "affinity": group.affinity})


def one_of(label: Any) -> forms.CharField:
    """One of a few, whose names and values the form's own making gives."""
    return forms.CharField(label=label, required=False, strip=False, widget=forms.Select())


def regions() -> list[tuple[str, str]]:
    """To choose from: those in which something is sold."""
    here = shop.snapshot()
    sold = {zone.region for zone in here.zones.values() if zone.on_sale}
    regions = [region for region in here.regions.values() if region.code in sold]
    return [(region.code, wording.in_language(region, "name")) for region in regions]


class OwnVpc(ActForm):
    """A VPC in a region."""

    paths = {"name": "name", "cidr": "cidr", "region": "region", "tags": "tags"}
    prefix_id = "vpc-"

    name = text(_("Name"), maxlength=60)
    region = one_of(_("Region"))
    cidr = text(
        _("Range"), hint=_("In 10.0.0.0/12, 172.16.0.0/12 or 192.168.0.0/16."), maxlength=18, placeholder="10.0.0.0/16"
    )
    tags = typed_tags.field()

    def __init__(self, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed)
        self.fields["region"].widget.choices = regions()


class OwnSubnet(ActForm):
    """A part of a VPC in a zone."""

    paths = {"name": "name", "cidr": "cidr", "zone": "zone", "vpc_id": "vpc", "tags": "tags"}
    prefix_id = "subnet-"

    name = text(_("Name"), maxlength=60)
    vpc = one_of(_("VPC"))
    zone = one_of(_("Zone"))
    cidr = text(_("Range"), hint=_("Inside the range of the VPC."), maxlength=18, placeholder="10.0.1.0/24")
    tags = typed_tags.field()

    def __init__(self, held: Sequence[VpcView], typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed)
        zones = [zone for zone in shop.snapshot().zones.values() if zone.on_sale]
        self.fields["vpc"].widget.choices = [(vpc.public_id, f"{vpc.name} · {vpc.cidr} · {vpc.region}") for vpc in held]
        self.fields["zone"].widget.choices = [(zone.code, wording.in_language(zone, "name")) for zone in zones]


_GROUP_PATHS = {"name": "name", "description": "description"}


class NewSecurityGroup(ActForm):
    """A security group in a region, with the rules that it begins with."""

    paths = {**_GROUP_PATHS, "region": "region", "starting": "starting", "tags": "tags"}

    name = text(_("Name"), maxlength=60)
    description = text(_("Description"), required=False, maxlength=100)
    region = one_of(_("Region"))
    starting = one_of(_("It begins with"))
    tags = typed_tags.field()

    def __init__(self, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed)
        self.fields["region"].widget.choices = regions()
        self.fields["starting"].widget.choices = list(wording.GROUPS_BEGIN.items())


class ChangedSecurityGroup(ActForm):
    """A security group that is there."""

    paths = _GROUP_PATHS
    prefix_id = "group-"

    name = text(_("Name"), maxlength=60)
    description = text(_("Description"), required=False, maxlength=100)

    def __init__(self, group: SecurityGroupView, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"name": group.name, "description": group.description})


_RULE_PATHS = {
    "action": "action", "protocol": "protocol", "port": "port", "cidr_block": "cidr", "ipv6_cidr_block": "cidr",
    "security_group_id": "group", "policy_description": "description",
}  # fmt: skip
FIRST, LAST = "first", "last"


class ChangedRule(ActForm):
    """A rule of a security group."""

    paths = {f"policies.{way}.*.{path}": name for way in WAYS for path, name in _RULE_PATHS.items()}

    action = forms.CharField(
        label=_("Action"), required=False, widget=forms.Select(choices=list(wording.RULE_ACTIONS.items()))
    )
    protocol = forms.CharField(
        label=_("Protocol"), required=False, widget=forms.Select(choices=[(one, one) for one in PROTOCOLS])
    )
    port = text(_("Port"), hint=_("22, or 80,443, or 8000-9000; ALL for every one."), required=False, maxlength=200)
    cidr = text(
        _("Network at the other end"), hint=_("Such as 203.0.113.0/24; 0.0.0.0/0 is anywhere."), required=False,
        maxlength=18,
    )  # fmt: skip
    group = one_of(_("Or the members of a group"))
    description = text(_("Description"), required=False, maxlength=100)

    def __init__(
        self, groups: Sequence[SecurityGroupView], rule: Policy, typed: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(typed, initial={name: getattr(rule, name) for name in _RULE_PATHS.values()})
        named = [(group.public_id, f"{group.name} · {group.public_id}") for group in groups]
        self.fields["group"].widget.choices = [("", _("None")), *named]

    @property
    def policy(self) -> Policy:
        """The rule as it was typed."""
        typed = self.cleaned_data
        return Policy(
            typed["action"], typed["protocol"], typed["port"], typed["cidr"].strip(), typed["group"],
            typed["description"].strip(),
        )  # fmt: skip


class NewRule(ChangedRule):
    """A further rule, of one direction."""

    paths = {**ChangedRule.paths, **{f"policies.{way}": "way" for way in WAYS}}

    way = forms.CharField(label=_("Direction"), required=False, widget=forms.Select(choices=list(wording.WAYS.items())))
    place = forms.CharField(
        label=_("Where"), required=False,
        widget=forms.Select(choices=[(FIRST, _("Before all others")), (LAST, _("Behind all others"))]),
    )  # fmt: skip
    field_order = ("way", "place")

    def __init__(self, groups: Sequence[SecurityGroupView], typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(groups, Policy(ACCEPT, TCP, ""), typed)


class OwnPassword(ActForm):
    """A password that its owner chooses; none of them is shown again."""

    paths = {"login.password": "password"}

    password = forms.CharField(
        label=_("Your own password"),
        help_text=_(
            "8 to 30 characters, at least three of lower case letters, upper case letters, digits and signs;"
            " no slash first."
        ),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"maxlength": 64, "autocomplete": "new-password"}),
    )


class OtherNetwork(ActForm):
    """Where a machine is moved to."""

    paths = {"network": "subnet", "network.private_ips": "private_ip"}

    subnet = one_of(_("Subnet"))
    private_ip = text(_("Private address"), hint=_("Empty: the shop chooses a free one."), required=False, maxlength=15)

    def __init__(self, offered: Sequence[SubnetView], typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed)
        told = _("{vpc} / {subnet} · {range} · {count} free")
        self.fields["subnet"].widget.choices = [
            ("", _("Choose")),
            *(
                (one.public_id, told.format(vpc=one.vpc_name, subnet=one.name, range=one.cidr, count=one.free))
                for one in offered
            ),
        ]


def _told(image: chosen.Chosen) -> str:
    """A customer's image in a list to choose from: anybody may share one under any name."""
    if not image.shared_by:
        return f"{image.name} ({image.public_id})"
    return str(_("{name} ({id}), shared by account {account}")).format(
        name=image.name, id=image.public_id, account=image.shared_by
    )


class NewSystem(ActForm):
    """Image, host name and password of a system that is installed anew."""

    paths = {"image_id": "image", "hostname": "hostname", "login.password": "password"}

    image = forms.CharField(label=_("Image"), required=False, strip=False, widget=forms.Select())
    hostname = text(
        _("Host name"), hint=_("Left empty, it stays: letters, digits, hyphens and dots."), required=False, maxlength=60
    )
    password = forms.CharField(
        label=_("Your own password"),
        help_text=_("8 to 30 characters, at least two of lower case letters, upper case letters, digits and signs."),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"maxlength": 64, "autocomplete": "new-password"}),
    )

    def __init__(self, machine: Instance, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"image": chosen.of(machine)})
        here = shop.snapshot()
        public = [(image.public_id, image.os_name) for image in here.images.values() if not image.unavailable_en]
        own = chosen.own_in(here, machine.account_id, machine.zone_id)
        self.fields["image"].widget.choices = public + [(image.public_id, _told(image)) for image in own]


class RescueMode(ActForm):
    """The password of a rescue system, and whether the guest is asked before it is turned off."""

    paths = {"password": "password"}

    password = forms.CharField(
        label=_("Password of the rescue system"),
        help_text=_("8 to 30 characters, at least two of lower case letters, upper case letters, digits and signs."),
        strip=False,
        widget=forms.PasswordInput(attrs={"maxlength": 64, "autocomplete": "new-password"}),
    )
    hard = forms.BooleanField(
        label=_("Turn it off without asking its system first: what that has not written is lost"), required=False
    )


class Change(ActForm):
    """One value of a machine, ``name``, changed; first shown with what it is ``now``."""

    name: ClassVar[str]

    def __init__(self, machine: Instance, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={self.name: self.now(machine)})

    def now(self, machine: Instance) -> object:
        raise NotImplementedError

    @property
    def value(self) -> Any:
        return self.cleaned_data[self.name]


class Bandwidth(Change):
    """How fast a machine sends, in Mbps; where that is paid by the month, also whether it becomes traffic."""

    name = "bandwidth"
    paths = {"bandwidth_mbps": "bandwidth"}

    network = one_of(_("Paid"))

    bandwidth = forms.IntegerField(
        label=_("Bandwidth, Mbps"),
        min_value=1,
        max_value=2**31 - 1,
        widget=forms.NumberInput(attrs={"class": "short", "required": True}),
    )

    def __init__(self, machine: Instance, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(machine, typed)
        ways = [("month", _("By the month")), ("traffic", _("By traffic"))]
        self.fields["network"].widget.choices = ways
        if not bandwidth.is_by_month(machine):
            del self.fields["network"]
        self.order_fields(["bandwidth", "network"])

    def now(self, machine: Instance) -> int:
        return machine.bandwidth_mbps

    @property
    def value(self) -> tuple[int, bool]:
        """The speed, and whether what is paid by the month becomes traffic."""
        return self.cleaned_data["bandwidth"], self.cleaned_data.get("network") == "traffic"


def _day(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, widget=forms.TextInput(attrs={"type": "date", "class": "short", "required": True})
    )


class BandwidthWindow(Change):
    """How fast a machine sends on some days, in Mbps."""

    name = "bandwidth"
    paths = {"bandwidth_mbps": "bandwidth", "starts_on": "starts_on", "ends_on": "ends_on"}

    bandwidth = forms.IntegerField(
        label=_("Bandwidth, Mbps"),
        min_value=1,
        max_value=2**31 - 1,
        widget=forms.NumberInput(attrs={"class": "short", "required": True}),
    )
    starts_on = _day(_("First day"))
    ends_on = _day(_("Last day"))

    def now(self, machine: Instance) -> int:
        return machine.bandwidth_mbps

    @property
    def value(self) -> tuple[int, str, str]:
        return self.cleaned_data["bandwidth"], self.cleaned_data["starts_on"], self.cleaned_data["ends_on"]


class Type(Change):
    """The instance type of a machine, out of those that it can become."""

    name = "type"
    paths = {"instance_type": "type"}

    type = one_of(_("Instance type"))

    def __init__(self, machine: Instance, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(machine, typed)
        self.fields["type"].widget.choices = [("", _("Choose a type")), *_types(machine)]

    def now(self, machine: Instance) -> str:
        return ""


class FirstTerm(Change):
    """The months for which a postpaid machine is paid ahead first."""

    name = "months"
    paths = {"months": "months"}

    months = forms.IntegerField(label=_("Term"), widget=forms.Select())

    def __init__(self, machine: Instance, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(machine, typed)
        self.fields["months"].widget.choices = first_terms()

    def now(self, machine: Instance) -> int:
        return 1


def periods(book: PriceBook) -> Sequence[int]:
    """Terms that are sold, in months."""
    return book.sales.periods_months


def first_terms() -> list[tuple[int, str]]:
    """Terms that are sold, each with its words."""
    return [(term, printed.months(term)) for term in periods(books.current_book(shop.snapshot().generation))]


class PlannedEnd(Change):
    """When a machine is to be ended by itself, in the shop's zone."""

    name = "ends_at"
    paths = {"ends_at": "ends_at"}

    ends_at = forms.CharField(
        label=_("Ended by itself"),
        max_length=40,
        error_messages={"required": local_time.WRONG},
        widget=forms.TextInput(attrs={"type": "datetime-local", "step": "1", "required": True}),
    )

    def now(self, machine: Instance) -> str:
        return local_time.text(machine.ends_at) if machine.ends_at else ""

    def clean_ends_at(self) -> dt.datetime:
        at = local_time.read(self.cleaned_data["ends_at"])
        if at is None:
            raise forms.ValidationError(local_time.WRONG)
        return at


class HostName(Change):
    """The name that a machine's own system goes by."""

    name = "hostname"
    paths = {"hostname": "hostname"}

    hostname = text(
        _("Host name"), hint=_("2 to 60 characters: letters, digits, hyphens and dots."), required=True, maxlength=60
    )

    def now(self, machine: Instance) -> str:
        return machine.hostname


class DiskSize(Change):
    """One disk of a machine and its size, in GiB."""

    name = "size"
    paths = {"system_disk": "size", "data_disks.0.size_gib": "size", "data_disks.0.id": "disk"}

    disk = one_of(_("Disk"))
    size = forms.IntegerField(
        label=_("New size, GiB"),
        min_value=1,
        max_value=2**31 - 1,
        widget=forms.NumberInput(attrs={"class": "short", "required": True}),
    )

    def __init__(self, machine: Instance, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(machine, typed)
        self.fields["disk"].widget.choices = [
            (disk.public_id, f"{component(disk)} · {disk.public_id} · {disk.size_gib} GiB")
            for disk in overview.disks(machine.id)
        ]

    def now(self, machine: Instance) -> str:
        return ""

    @property
    def value(self) -> tuple[str, int]:
        return self.cleaned_data["disk"], self.cleaned_data["size"]


def component(disk: Disk) -> Any:
    """What kind of disk it is, in the reader's language."""
    return wording.component("system_disk" if disk.usage == Disk.Usage.SYSTEM else "data_disk")


def _types(machine: Instance) -> list[tuple[str, list[tuple[str, str]]]]:
    """By family, each with size and price."""
    period = _("a month") if machines.is_prepaid(machine) else _("an hour")
    families: dict[str, list[tuple[str, str]]] = {}
    for kind, price in resize.choices(machine):
        size = f"{kind.vcpu} vCPU · {printed.memory(kind.memory_mib)}"
        shown = f"{kind.code} · {size} · {printed.rate(price)} {period}"
        families.setdefault(kind.family, []).append((kind.code, shown))
    return list(families.items())
