"""The customer's lists, each column declared once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop
from vmart.instances.models import Instance, KeyPair, State
from vmart.listings.images import SHARED, ImageView
from vmart.listings.launch_templates import TemplateView
from vmart.listings.orders import OrderedDisk, OrderedEip, OrderLine
from vmart.listings.own_disks import OwnDisk
from vmart.listings.placement_groups import GroupView
from vmart.listings.quotas import Bound
from vmart.listings.security_groups import Listed
from vmart.listings.tags import TagView
from vmart.listings.views import EipView, SecurityGroupView, SnapshotView, SubnetView, VpcView
from vmart.orders.models import Line, Order
from vmart.pages import cells, printed, version_facts, wording
from vmart.pages.cells import NOTHING, link, soft, together
from vmart.pages.table import FIGURE, FREE, MONO, NUM, ON_SCREEN, RIGHT, Column, Filter, Table, Words
from vmart.pages.templatetags.shop import region_name, zone_name
from vmart.payments.models import Payment
from vmart.security.policies import Policy
from vmart.storage.models import Disk
from vmart.storage.models import State as DiskState
from vmart.web import row_acts

ENDED = (State.SHUTDOWN, State.TERMINATING, State.GONE)
_BUY = ("buy", _("Buy a machine"))


def _id(row: Any) -> str:
    return str(row.public_id)


def _created(row: Any) -> object:
    return row.created_at


def machine_name(machine: Instance) -> SafeString:
    return together(_machine_link(machine), soft(machine.public_id, MONO))


def _machine_link(machine: Instance) -> SafeString:
    return link(reverse("machine", args=[machine.public_id]), machine.name)


def _addresses(machine: Instance) -> SafeString:
    held = machine.subscription
    off = held.arrears_since is not None and held.charge_type == "PREPAID"
    note = format_html(' <span class="pill warn">{}</span>', _("Network off")) if off else ""
    eip = getattr(machine, "eip", None)  # a list has it read beforehand
    return together(machine.public_ip or (eip.ip if eip else NOTHING), note, soft(machine.private_ip))


def _zone(machine: Instance) -> str:
    return zone_name(machine.zone_id)


def _type(machine: Instance) -> SafeString:
    size = f"{machine.vcpu} vCPU · {printed.memory(machine.memory_mib)}"
    return together(machine.instance_type_id, soft(size))


def _billing(machine: Instance) -> SafeString:
    held = machine.subscription
    title = wording.CHARGE_TYPES.get(held.charge_type, held.charge_type)
    if machine.state == State.SHUTDOWN and held.release_at:
        return together(title, soft(together(_("erased"), " ", printed.instant(held.release_at))))
    if held.expires_at:
        return together(title, soft(together(_("until"), " ", printed.day(held.expires_at))))
    return together(title)


def _zones() -> Sequence[tuple[str, Words]]:
    return [(zone.code, wording.in_language(zone, "name")) for zone in shop.snapshot().zones.values()]


def _states() -> Sequence[tuple[str, Words]]:
    return [(code, title) for code, title in wording.STATES.items() if code != State.GONE]


MACHINES: Table[Instance] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Machine"), machine_name, lambda row: row.name, ordered=True),
        Column("state", _("State"), lambda row: cells.state(row.state), lambda row: row.state),
        Column("public_ip", _("Addresses"), _addresses, lambda row: row.public_ip, css=MONO),
        Column("private_ip", "", None, lambda row: row.private_ip),
        Column("zone", _("Zone"), _zone, lambda row: row.zone_id),
        Column("type", _("Type"), _type, lambda row: row.instance_type_id),
        Column("vcpu", _("vCPU"), lambda row: row.vcpu, lambda row: row.vcpu, css=FIGURE, hidden=True),
        Column("memory_mib", _("Memory"), lambda row: printed.memory(row.memory_mib), lambda row: row.memory_mib,
               css=FIGURE, hidden=True),
        Column("charge_type", "", None, lambda row: row.subscription.charge_type),
        Column("host_name", _("Host name"), lambda row: row.hostname, css=MONO, hidden=True),
        Column("ipv6", _("IPv6 address"), lambda row: row.ipv6 or NOTHING, css=MONO, hidden=True),
        Column("bandwidth", _("Bandwidth"), lambda row: f"{row.bandwidth_mbps} Mbps", css=FIGURE, hidden=True),
        Column("login", _("User"), lambda row: row.login_user, css=MONO, hidden=True),
        Column("created", _("Bought"), lambda row: printed.day(row.created_at), lambda row: row.created_at, css=NUM,
               ordered=True),
        Column("expires", _("Billing"), _billing, lambda row: row.subscription.expires_at, ordered=True),
    ),
    empty=_("You have no machine yet."),
    onward=_BUY,
    filters=(
        Filter("q", _("Name or address")),
        Filter("zone", _("Zone"), _zones),
        Filter("state", _("State"), _states),
        Filter("tag", _("Tag (key, or key=value)")),
    ),
    name="machines",
    acts=row_acts.of_machine,
    chosen_acts=row_acts.MACHINES,
)  # fmt: skip


def _disk_name(row: OwnDisk) -> SafeString:
    address = reverse("disk", args=[row.disk.public_id])
    if not row.disk.name:
        return link(address, row.disk.public_id, MONO)
    return together(link(address, row.disk.name), soft(row.disk.public_id, MONO))


def _disk_type(row: OwnDisk) -> SafeString:
    return together(wording.disk_type(row.disk.disk_type), soft(f"{row.disk.size_gib} GiB"))


def _disk_machine(row: OwnDisk) -> SafeString | str:
    return machine_name(row.machine) if row.machine and row.machine.state != State.GONE else NOTHING


def _disk_cost(row: OwnDisk) -> object:
    """What an hour costs, or until when it is paid; of one that is ended, when it is erased."""
    held = row.disk.subscription
    if row.disk.state == DiskState.TORECYCLE and held.release_at:
        return soft(together(_("erased"), " ", printed.instant(held.release_at)))
    if held.expires_at:
        return soft(together(_("until"), " ", printed.day(held.expires_at)))
    return NOTHING if row.hourly is None else printed.rate(row.hourly)


def _disk_states() -> Sequence[tuple[str, Words]]:
    hidden = (DiskState.FAILED, "EXPANDING")
    return [(code, title) for code, (title, _tone) in wording.DISK_STATES.items() if code not in hidden]


DISKS: Table[OwnDisk] = Table(
    (
        Column("id", "", None, lambda row: row.disk.public_id),
        Column("name", _("Disk"), _disk_name, lambda row: row.disk.name),
        Column("state", _("State"), lambda row: cells.disk_state(row.disk), lambda row: row.disk.state),
        Column("machine", _("Machine"), _disk_machine, lambda row: row.machine.public_id if row.machine else ""),
        Column("zone", _("Zone"), lambda row: zone_name(row.disk.zone_id), lambda row: row.disk.zone_id),
        Column("type", _("Disk type"), _disk_type, lambda row: row.disk.disk_type),
        Column("size_gib", "", None, lambda row: row.disk.size_gib),
        Column("hourly", _("An hour"), _disk_cost, lambda row: row.hourly, css=FIGURE),
        Column("created", _("Bought"), lambda row: printed.day(row.disk.subscription.created_at),
               lambda row: row.disk.subscription.created_at, css=NUM),
    ),
    empty=_("You have no disk of its own yet. Such a disk goes from machine to machine, and stays when one ends."),
    onward=("disk_new", _("Buy a disk")),
    filters=(
        Filter("q", _("Name or id")),
        Filter("zone", _("Zone"), _zones),
        Filter("state", _("State"), _disk_states),
        Filter("tag", _("Tag (key, or key=value)")),
    ),
    name="disks",
    acts=row_acts.of_disk,
    chosen_acts=row_acts.DISKS,
)  # fmt: skip


def _machines_with(row: TagView) -> SafeString:
    return link(f"{reverse('machines')}?{urlencode({'tag': f'{row.key}={row.value}'})}", gettext("Machines"))


TAGS: Table[TagView] = Table(
    (
        Column("key", _("Key"), lambda row: row.key, lambda row: row.key),
        Column("value", _("Value"), lambda row: row.value, lambda row: row.value),
        Column("things", _("Number of resources"), lambda row: row.things, lambda row: row.things, css=FIGURE),
        Column("machines", "", _machines_with, css=RIGHT),
    ),
    empty=_(
        "Nothing has a tag yet. Machines and addresses get them on their pages; programs tag everything by the API."
    ),
)


@dataclass(frozen=True, slots=True)
class OwnTag:
    """A tag of one thing; ``address`` is the page on which it is taken away."""

    address: str
    key: str
    value: str


TAGS_OF_ONE: Table[OwnTag] = Table(
    (
        Column("key", _("Key"), lambda row: row.key),
        Column("value", _("Value"), lambda row: row.value),
        Column("acts", "", "web/parts/tag_acts.html", css=RIGHT),
    ),
    empty=_("It has no tag yet."),
)


def _what(order: Order) -> str:
    """What an order is of, in a few words."""
    if order.action == "purchase":
        return f"{order.count} × {order.quote['configuration']['instance_type']}"
    more = f" +{order.count - 1}" if order.count > 1 else ""
    title = wording.ACTIONS.get(order.action, order.action)
    return f"{title} · {order.quote['lines'][0]['public_id']}{more}"


def _order_price(order: Order) -> Any:
    return printed.money(order.total_minor) if order.charge_type == "PREPAID" else _("by usage")


ORDERS: Table[Order] = Table(
    (
        Column("order", _("Order"), lambda row: link(reverse("order", args=[row.id]), row.id), lambda row: row.id),
        Column("placed", _("Placed"), lambda row: printed.instant(row.created_at), lambda row: row.created_at, css=NUM),
        Column("charge_type", _("Billing"), lambda row: wording.CHARGE_TYPES.get(row.charge_type, row.charge_type),
               lambda row: row.charge_type),
        Column("action", _("What"), _what, lambda row: row.action),
        Column("count", "", None, lambda row: row.count),
        Column("total_minor", _("Price"), _order_price,
               lambda row: row.total_minor if row.charge_type == "PREPAID" else None, css=FIGURE),
        Column("status", _("State"), lambda row: cells.order_status(row.status), lambda row: row.status),
    ),
    empty=_("Nothing has been ordered yet."),
    onward=_BUY,
)  # fmt: skip


def _public_address(entry: OrderLine) -> str:
    return entry.machine.public_ip or NOTHING


def _ordered_machine(entry: OrderLine) -> SafeString:
    gone = entry.machine.state == State.GONE
    name = entry.machine.name if gone else _machine_link(entry.machine)
    return together(name, soft(entry.machine.public_id, MONO))


def _log_in(entry: OrderLine) -> Any:
    """How its buyer logs in to a machine of an order."""
    line, machine = entry.line, entry.machine
    if line.state == Line.State.FAILED:
        return wording.said_to_buyer(line.reason)
    if machine.state in ENDED:
        return NOTHING
    if line.state != Line.State.DELIVERED:
        return _("Once it is delivered.")
    if not machine.public_ip:
        return _("From another of your machines in this zone.")
    command = f"ssh {machine.login_user}@{machine.public_ip}"
    return format_html('<code class="mono" data-copy="{}">{}</code>', _("Copy"), command)


def _ordered_state(entry: OrderLine) -> SafeString:
    delivered = entry.line.state == Line.State.DELIVERED
    return cells.state(entry.machine.state) if delivered else cells.line_state(entry.line.state)


ORDERED: Table[OrderLine] = Table(
    (
        Column("machine", _("Machine"), _ordered_machine),
        Column("public_ip", _("Public address"), _public_address, css=MONO),
        Column("private_ip", _("Private address"), lambda row: row.machine.private_ip, css=MONO),
        Column("login", _("How to log in"), _log_in),
        Column("console", _("Console"), "web/parts/order_console.html", css=ON_SCREEN),
        Column("state", _("State"), _ordered_state),
    ),
    empty="",
)


def _ordered_disk(entry: OrderedDisk) -> SafeString:
    disk, name = entry.disk, entry.disk.name or entry.disk.public_id
    shown = name if disk.state == DiskState.GONE else link(reverse("disk", args=[disk.public_id]), name)
    return together(shown, soft(disk.public_id, MONO))


def _ordered_disk_state(entry: OrderedDisk) -> SafeString:
    delivered = entry.line.state in (Line.State.DELIVERED, Line.State.RETURNED)
    return cells.disk_state(entry.disk) if delivered else cells.line_state(entry.line.state)


ORDERED_DISKS: Table[OrderedDisk] = Table(
    (
        Column("disk", _("Disk"), _ordered_disk),
        Column("type", _("Disk type"), lambda row: wording.disk_type(row.disk.disk_type)),
        Column("size", _("Size"), lambda row: f"{row.disk.size_gib} GiB", css=NUM),
        Column("state", _("State"), _ordered_disk_state),
    ),
    empty="",
)


def _ordered_eip(entry: OrderedEip) -> SafeString:
    eip = entry.eip
    shown = eip.public_id if eip.ip is None else link(reverse("address", args=[eip.public_id]), eip.ip)
    return together(shown, soft(eip.public_id, MONO))


ORDERED_EIPS: Table[OrderedEip] = Table(
    (
        Column("address", _("Address"), _ordered_eip),
        Column("network", _("Network"), lambda row: f"{row.eip.bandwidth_mbps} Mbps", css=NUM),
        Column("state", _("State"), lambda row: cells.line_state(row.line.state)),
    ),
    empty="",
)

PASSWORDS: Table[tuple[Instance, str]] = Table(
    (
        Column("machine", _("Machine"), lambda row: machine_name(row[0])),
        Column("user", _("User"), lambda row: row[0].login_user, css=MONO),
        Column("password", _("Password"), lambda row: _password(row[1])),
    ),
    empty="",
)


def _password(text: str) -> SafeString:
    return format_html('<code class="mono password" data-copy="{}">{}</code>', _("Copy"), text)


_KEY_SHOWN = 47

KEY_PAIRS: Table[KeyPair] = Table(
    (
        Column("name", _("Name"), lambda row: row.name, lambda row: row.name),
        Column("id", _("Id"), lambda row: row.public_id, lambda row: row.public_id, css=MONO),
        Column(
            "public_key", _("Public key"), lambda row: _beginning(row.public_key), lambda row: row.public_key, css=MONO
        ),
        Column("created", _("Created"), lambda row: printed.instant(row.created_at), _created, css=NUM),
        Column("acts", "", "web/parts/key_pair_acts.html", css=RIGHT),
    ),
    empty=_("You have no key pair yet."),
)


def _network_name(row: VpcView | SubnetView) -> SafeString:
    note = format_html(' <span class="pill">{}</span>', _("Default")) if row.is_default else ""
    return together(row.name, note, soft(row.public_id, MONO))


VPCS: Table[VpcView] = Table(
    (
        Column("id", "", None, _id),
        Column("name", _("VPC"), _network_name, lambda row: row.name),
        Column("region", _("Region"), lambda row: region_name(row.region), lambda row: row.region),
        Column("cidr", _("Range"), lambda row: row.cidr, lambda row: row.cidr, css=MONO),
        Column("subnets", _("Subnets"), lambda row: row.subnets, lambda row: row.subnets, css=FIGURE),
        Column("created", _("Created"), lambda row: printed.instant(row.created_at), _created, css=NUM),
        Column("acts", "", "web/parts/vpc_acts.html", css=RIGHT),
    ),
    empty=_("You have no network yet. The first machine in a zone makes a default one."),
)
SUBNETS: Table[SubnetView] = Table(
    (
        Column("id", "", None, _id),
        Column("name", _("Subnet"), _network_name, lambda row: row.name),
        Column("vpc", _("VPC"), lambda row: together(row.vpc_name, soft(row.vpc_id, MONO)), lambda row: row.vpc_id),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone), lambda row: row.zone),
        Column("cidr", _("Range"), lambda row: row.cidr, lambda row: row.cidr, css=MONO),
        Column("used", _("Addresses in use"), lambda row: row.taken, lambda row: row.taken, css=FIGURE),
        Column("free", _("Free"), lambda row: row.free, lambda row: row.free, css=FIGURE),
        Column("acts", "", "web/parts/subnet_acts.html", css=RIGHT),
    ),
    empty=_("You have no subnet yet. The first machine in a zone makes a default one."),
)


def security_group_name(group: SecurityGroupView) -> SafeString:
    """Its link, with a mark where it is the default one."""
    note = format_html(' <span class="pill">{}</span>', _("Default")) if group.is_default else ""
    return together(link(reverse("security_group", args=[group.public_id]), group.name), note)


def _security_group(row: Listed) -> SafeString:
    group = row.group
    return together(security_group_name(group), soft(group.public_id, MONO), soft(wording.said(group.description)))


SECURITY_GROUPS: Table[Listed] = Table(
    (
        Column("id", "", None, lambda row: row.group.public_id),
        Column("name", _("Security group"), _security_group, lambda row: row.group.name, css=FREE),
        Column("description", "", None, lambda row: row.group.description),
        Column(
            "region",
            _("Region"),
            lambda row: region_name(row.group.region) if row.group.region else _("All regions"),
            lambda row: row.group.region,
        ),
        Column(
            "ingress", _("Rules in"), lambda row: len(row.group.ingress), lambda row: len(row.group.ingress), css=FIGURE
        ),
        Column(
            "egress", _("Rules out"), lambda row: len(row.group.egress), lambda row: len(row.group.egress), css=FIGURE
        ),
        Column("machines", _("Machines"), lambda row: row.machines, lambda row: row.machines, css=FIGURE),
        Column(
            "created",
            _("Created"),
            lambda row: printed.instant(row.group.created_at),
            lambda row: row.group.created_at,
            css=NUM,
        ),
    ),
    empty="",
    filters=(Filter("q", _("Name or id")),),
    name="security_groups",
)


@dataclass(frozen=True, slots=True)
class Ruled:
    """A rule where it stands: ``index`` counts from 0. ``peer`` is the name of the group that it names."""

    group: SecurityGroupView
    way: str
    index: int
    policy: Policy
    peer: str
    is_last: bool


def _other_end(row: Ruled) -> SafeString:
    if not row.policy.group:
        return together(row.policy.cidr)
    return link(reverse("security_group", args=[row.policy.group]), row.peer)


def _rule_action(row: Ruled) -> SafeString:
    return cells.badge(wording.RULE_ACTIONS[row.policy.action], "good" if row.policy.action == "ACCEPT" else "bad")


def _rules(other_end: Words, empty: Words) -> Table[Ruled]:
    return Table(
        (
            Column("priority", _("Priority"), lambda row: row.index + 1, css=NUM),
            Column("action", _("Action"), _rule_action),
            Column("protocol", _("Protocol"), lambda row: row.policy.protocol),
            Column("port", _("Port"), lambda row: row.policy.port.replace(",", ", ")),
            Column("other_end", other_end, _other_end, css=MONO),
            Column("description", _("Description"), lambda row: row.policy.description or NOTHING, css=FREE),
            Column("acts", "", "web/parts/rule_acts.html", css=RIGHT),
        ),
        empty=empty,
    )


RULES = {
    "ingress": _rules(_("Source"), _("No rule: nothing is let in.")),
    "egress": _rules(_("Target"), _("No rule: nothing is let out.")),
}
MACHINES_IN_GROUP: Table[Instance] = Table(
    (
        Column("name", _("Machine"), machine_name),
        Column("state", _("State"), lambda row: cells.state(row.state)),
        Column("zone", _("Zone"), _zone),
        Column("addresses", _("Addresses"), _addresses, css=MONO),
    ),
    empty=_("No machine is in it. Choose the group when you buy machines, or on a machine's page."),
)


def _template_name(row: TemplateView) -> SafeString:
    return together(link(reverse("template", args=[row.public_id]), row.name), soft(row.public_id, MONO))


LAUNCH_TEMPLATES: Table[TemplateView] = Table(
    (
        Column("id", "", None, _id),
        Column("name", _("Template"), _template_name, lambda row: row.name, ordered=True),
        Column(
            "default",
            _("Default version"),
            lambda row: row.default_version,
            lambda row: row.default_version,
            css=FIGURE,
        ),
        Column("versions", _("Versions"), lambda row: row.versions, lambda row: row.versions, css=FIGURE),
        Column(
            "type",
            _("Type"),
            lambda row: version_facts.kind(row.contents),
            lambda row: version_facts.kind(row.contents),
        ),
        Column(
            "image",
            _("Image"),
            lambda row: version_facts.image(row.contents),
            lambda row: version_facts.image(row.contents),
        ),
        Column("created", _("Created"), lambda row: printed.instant(row.created_at), _created, css=NUM, ordered=True),
        Column("acts", "", "web/parts/template_acts.html", css=RIGHT),
    ),
    empty=_("You have no launch template yet. The purchase page saves what is chosen as one."),
    onward=_BUY,
    filters=(Filter("q", _("Name or id")),),
    name="templates",
)


def _group_name(row: GroupView) -> SafeString:
    return together(link(reverse("placement_group", args=[row.public_id]), row.name), soft(row.public_id, MONO))


PLACEMENT_GROUPS: Table[GroupView] = Table(
    (
        Column("id", "", None, _id),
        Column("name", _("Placement group"), _group_name, lambda row: row.name),
        Column("apart", _("Apart by"), lambda row: wording.APART[row.apart], lambda row: row.apart),
        Column("affinity", _("Together at most"), lambda row: row.affinity, lambda row: row.affinity, css=FIGURE),
        Column(
            "machines",
            _("Machines"),
            lambda row: f"{len(row.machines)} / {row.most}",
            lambda row: " ".join(row.machines),
            css=FIGURE,
        ),
        Column("created", _("Created"), lambda row: printed.instant(row.created_at), _created, css=NUM),
    ),
    empty=_(
        "You have no placement group yet. Machines of one lie on different hosts: one that fails takes one of them."
    ),
    filters=(Filter("q", _("Name or id")),),
    name="placement_groups",
)


def _snapshot_name(row: SnapshotView) -> SafeString:
    address = reverse("snapshot", args=[row.public_id])
    if not row.name:
        return link(address, row.public_id, MONO)
    return together(link(address, row.name), soft(row.public_id, MONO))


def _snapshot_disk(row: SnapshotView) -> SafeString:
    usage = wording.component("system_disk" if row.usage == Disk.Usage.SYSTEM else "data_disk")
    return together(row.disk_name or usage, soft(row.disk, MONO))


def _snapshot_states() -> Sequence[tuple[str, Words]]:
    return [(code, title) for code, (title, _tone) in wording.SNAPSHOT_STATES.items()]


SNAPSHOTS: Table[SnapshotView] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Snapshot"), _snapshot_name, lambda row: row.name),
        Column("state", _("State"), lambda row: cells.snapshot_state(row.state), lambda row: row.state),
        Column("disk", _("Disk"), _snapshot_disk, lambda row: row.disk),
        Column("size_gib", _("Size"), lambda row: f"{row.size_gib} GiB", lambda row: row.size_gib, css=FIGURE),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone), lambda row: row.zone),
        Column("created", _("Asked for"), lambda row: printed.instant(row.created_at), lambda row: row.created_at,
               css=NUM),
    ),
    empty=_("You have no snapshot yet. One is made on the page of a disk, or of a machine, and stays when that ends."),
    filters=(
        Filter("disk", _("Id of the disk")),
        Filter("zone", _("Zone"), _zones),
        Filter("state", _("State"), _snapshot_states),
        Filter("tag", _("Tag (key, or key=value)")),
    ),
    name="snapshots",
    acts=row_acts.of_snapshot,
    chosen_acts=row_acts.SNAPSHOTS,
)  # fmt: skip


def _image_name(row: ImageView) -> SafeString:
    return together(link(reverse("image", args=[row.public_id]), row.name), soft(row.public_id, MONO))


def _image_owner(row: ImageView) -> str:
    if row.kind == SHARED:
        return gettext("Shared by account {id}").format(id=row.owner)
    shared = gettext("Own; accounts that it is shared with: {number}").format(number=row.shares)
    return shared if row.shares else gettext("Own")


IMAGES: Table[ImageView] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Image"), _image_name, lambda row: row.name),
        Column("state", _("State"), lambda row: cells.image_state(row.state), lambda row: row.state),
        Column("owner", _("Whose"), _image_owner),
        Column("size_gib", _("Size"), lambda row: f"{row.size_gib} GiB" if row.size_gib else "—",
               lambda row: row.size_gib, css=FIGURE),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone), lambda row: row.zone),
        Column("created", _("Asked for"), lambda row: printed.instant(row.created_at), lambda row: row.created_at,
               css=NUM),
    ),
    empty=_("You have no image yet. One is made on the page of a machine, and machines are made of it."),
)  # fmt: skip


def _eip(eip: EipView) -> SafeString:
    address = link(reverse("address", args=[eip.public_id]), eip.ip, MONO)
    return together(address, soft(eip.name or eip.public_id))


def _eip_state(eip: EipView) -> SafeString:
    off = format_html(' <span class="pill warn">{}</span>', _("Network off")) if eip.off else ""
    return together(wording.EIP_STATES[eip.state], off)


def _eip_machine(eip: EipView) -> SafeString:
    if not eip.machine:
        return together(NOTHING)
    return together(link(reverse("machine", args=[eip.machine]), eip.machine_name), soft(eip.machine, MONO))


def _eip_network(eip: EipView) -> SafeString:
    return together(wording.INTERNET[eip.internet_charge_type], soft(f"{eip.bandwidth_mbps} Mbps"))


EIPS: Table[EipView] = Table(
    (
        Column("id", "", None, _id),
        Column("address", _("Address"), _eip, lambda row: row.ip),
        Column("name", "", None, lambda row: row.name),
        Column("state", _("State"), _eip_state, lambda row: row.state),
        Column("machine", _("Machine"), _eip_machine, lambda row: row.machine),
        Column("network", _("Network"), _eip_network, lambda row: row.internet_charge_type),
        Column("bandwidth_mbps", "", None, lambda row: row.bandwidth_mbps),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone), lambda row: row.zone),
        Column("created", _("Bought"), lambda row: printed.instant(row.created_at), _created, css=NUM),
        Column("expires", "", None, lambda row: row.expires_at),
    ),
    empty=_("You have no elastic public address yet. One stays yours when its machine ends, and moves to another."),
    onward=("address_buy", _("Buy a public address")),
    acts=row_acts.of_address,
    chosen_acts=row_acts.ADDRESSES,
)


@dataclass(frozen=True, slots=True)
class Grouped:
    """A machine of a group; both by public id."""

    group: str
    machine: str


GROUPED: Table[Grouped] = Table(
    (
        Column("machine", _("Machine"), lambda row: link(reverse("machine", args=[row.machine]), row.machine, MONO)),
        Column("acts", "", "web/parts/grouped_acts.html", css=RIGHT),
    ),
    empty=_("No machine is in it. Choose the group when you buy machines, or put one in below."),
)


def _beginning(text: str) -> str:
    return text if len(text) <= _KEY_SHOWN else f"{text[:_KEY_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class BoundKey:
    """A pair that opens a machine; ``name`` is "" for one that was deleted. One in doubt may open it, or not."""

    machine: Instance
    public_id: str
    name: str
    public_key: str
    is_certain: bool

    @property
    def title(self) -> str:
        return self.name or self.public_id


def _bound_name(row: BoundKey) -> SafeString:
    if row.is_certain:
        return together(row.name or NOTHING)
    return together(row.name or NOTHING, soft(_("An earlier change ended without an answer: it may open the machine.")))


BOUND_KEYS: Table[BoundKey] = Table(
    (
        Column("name", _("Name"), _bound_name),
        Column("id", _("Id"), lambda row: row.public_id, css=MONO),
        Column("public_key", _("Public key"), lambda row: _beginning(row.public_key), css=MONO),
        Column("acts", "", "web/parts/bound_key_acts.html", css=RIGHT),
    ),
    empty=_("No key pair opens it."),
)


QUOTAS: Table[Bound] = Table(
    (
        Column("quota", _("Quota"), lambda row: wording.QUOTAS[row.name], lambda row: row.name),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone) if row.zone else NOTHING, lambda row: row.zone),
        Column(
            "used", _("Used"), lambda row: NOTHING if row.used is None else row.used, lambda row: row.used, css=FIGURE
        ),
        Column("most", _("At most"), lambda row: row.most, lambda row: row.most, css=FIGURE),
    ),
    empty="",
)


PAYMENTS: Table[Payment] = Table(
    (
        Column("payment", _("Payment"), lambda row: link(reverse("payment", args=[row.pk]), row.pk)),
        Column("time", _("Time"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("provider", _("How"), lambda row: wording.PROVIDERS.get(row.provider, row.provider)),
        Column("amount", _("Amount"), lambda row: printed.money(row.amount_minor), css=FIGURE),
        Column("state", _("State"), lambda row: cells.payment_state(row.state)),
    ),
    empty="",
)
