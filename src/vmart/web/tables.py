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
from vmart.listings.launch_templates import TemplateView
from vmart.listings.placement_groups import GroupView
from vmart.listings.quotas import Bound
from vmart.listings.security_groups import Listed
from vmart.listings.tags import TagView
from vmart.listings.views import EipView, SecurityGroupView, SubnetView, VpcView
from vmart.pages import cells, printed, version_facts, wording
from vmart.pages.cells import NOTHING, link, region, soft, together
from vmart.pages.table import FIGURE, FREE, MONO, NUM, RIGHT, Column, Filter, Table, Words
from vmart.pages.templatetags.shop import zone_name
from vmart.payments.models import CardRefund, Payment
from vmart.security.policies import Policy
from vmart.web import row_acts

ENDED = (State.SHUTDOWN, State.TERMINATING, State.GONE)
BUY = ("buy", _("Buy a machine"))


def _id(row: Any) -> str:
    return str(row.public_id)


def _created(row: Any) -> object:
    return row.created_at


def machine_name(machine: Instance) -> SafeString:
    return together(machine_link(machine), soft(machine.public_id, MONO))


def machine_link(machine: Instance) -> SafeString:
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


BY_ZONE = Filter("zone", _("Zone"), _zones)
BY_TAG = Filter("tag", _("Tag (key, or key=value)"))


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
    onward=BUY,
    filters=(
        Filter("q", _("Name or address")),
        BY_ZONE,
        Filter("state", _("State"), _states),
        BY_TAG,
    ),
    name="machines",
    acts=row_acts.of_machine,
    chosen_acts=row_acts.MACHINES,
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
        Column("region", _("Region"), lambda row: region(row.region), lambda row: row.region),
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
            lambda row: region(row.group.region) if row.group.region else _("All regions"),
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
    onward=BUY,
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


def _paid_amount(row: Payment) -> SafeString:
    back = printed.money(row.refunded_minor)
    return together(
        printed.money(row.amount_minor), soft(together(_("back to the card"), " ", back)) if row.refunded_minor else ""
    )


PAYMENTS: Table[Payment] = Table(
    (
        Column("payment", _("Payment"), lambda row: link(reverse("payment", args=[row.pk]), row.pk)),
        Column("time", _("Time"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("provider", _("How"), lambda row: wording.PROVIDERS.get(row.provider, row.provider)),
        Column("amount", _("Amount"), _paid_amount, css=FIGURE),
        Column("state", _("State"), lambda row: cells.payment_state(row.state)),
    ),
    empty="",
)

CARD_REFUNDS: Table[CardRefund] = Table(
    (
        Column("at", _("Time"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("amount", _("Amount"), lambda row: printed.money(row.amount_minor), css=FIGURE),
        Column("state", _("State"), lambda row: cells.card_refund_state(row.state)),
        Column("reason", _("Reason"), lambda row: row.reason, css=FREE),
    ),
    empty="",
)
