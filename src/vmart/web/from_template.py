"""The purchase page and launch templates: a version as an address of the page, and what the page has no field for."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import urlencode

from vmart.instances.attributes import Attributes
from vmart.launch_templates import held
from vmart.launch_templates.held import Held
from vmart.orders import own_network, tagging
from vmart.orders.login import Login, LoginWanted
from vmart.orders.own_network import DEFAULT, NetworkWanted
from vmart.orders.wanted import MANUAL_RENEWAL, Machine
from vmart.pages import local_time, version_facts
from vmart.pages.version_facts import Fact
from vmart.pricing.configuration import (
    DEFAULT_DISK_TYPE,
    DEFAULT_SYSTEM_GIB,
    POSTPAID_BY_HOUR,
    PREPAID,
    SPOTPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
)
from vmart.tags.wanted import Tag, TagsOf
from vmart.web import first_boot
from vmart.web.choice import Choice

Said = Mapping[str, Any]
# Fields of the page whose value is the path's, as it stands there.
_ALIKE = {
    "zone": "zone", "type": "instance_type", "image": "image_id", "name": "name", "count": "count",
    "months": "period_months",
}  # fmt: skip
# Paths of what the page has no field for.
_NO_FIELD = ("hostname", "renew_flag", "attributes.termination_protected", "tag_specification.")


def address_of(template_id: str, number: int, said: Said) -> str:
    """The query of the purchase page with the version chosen in it."""
    pairs = [("template", template_id), ("template_version", str(number))]
    pairs += [(name, str(said[path])) for name, path in _ALIKE.items() if path in said]
    pairs += [*_billing(said), *_network(said), *_subnet(said), *_disks(said)]
    pairs += [("group", group) for group in said.get("placement_groups", ())]
    pairs += [("security_group", group) for group in said.get("attributes.security_groups", ())]
    if ends_at := said.get("ends_at"):
        pairs.append(("ends_at", local_time.text(dt.datetime.fromisoformat(ends_at))))
    keys = said.get("login.key_ids", ())
    return urlencode([*pairs, ("login", "key" if keys else "generated"), *(("key", key) for key in keys)])


def _billing(said: Said) -> Iterable[tuple[str, str]]:
    modes = {PREPAID: "prepaid", SPOTPAID: "spot"}
    yield "charge", modes.get(said.get("charge_type", POSTPAID_BY_HOUR), "postpaid")
    if bid := said.get("attributes.max_price"):
        yield "max_price", bid


def _network(said: Said) -> Iterable[tuple[str, str]]:
    mbps = said.get("bandwidth_mbps", 0)
    yield "address", "1" if said.get("public_ip", mbps > 0) else "0"
    yield "internet", "traffic" if said.get("internet_charge_type") == TRAFFIC_POSTPAID_BY_HOUR else "bandwidth"
    if mbps:
        yield "mbps", str(mbps)


def _subnet(said: Said) -> Iterable[tuple[str, str]]:
    if subnet_id := own_network.id_of(said.get("network.subnet_id", "")):
        yield "subnet", subnet_id
        yield "private_ip", " ".join(said.get("network.private_ips", ()))
    if said.get("network.ipv6_addresses"):
        yield "ipv6", "1"


def _disks(said: Said) -> Iterable[tuple[str, str]]:
    yield "disk", str(said.get("system_disk.disk_type", DEFAULT_DISK_TYPE))
    yield "disk_gib", str(said.get("system_disk.size_gib", DEFAULT_SYSTEM_GIB))
    for path in version_facts.data_disks(said):
        yield "data_disk", str(said.get(f"{path}.disk_type", DEFAULT_DISK_TYPE))
        yield "data_gib", str(said[f"{path}.size_gib"])
        yield "data_snapshot", str(said.get(f"{path}.snapshot_id", ""))


def source(account_id: int, template_id: str, number: str) -> Held:
    """The version that the page's address names. Raises UnknownTemplate, UnknownVersion."""
    known = int(number) if re.fullmatch("[1-9][0-9]{0,8}", number) else None
    return held.version(account_id, template_id, known)


def machine(choice: Choice, login: LoginWanted | Login) -> Machine:
    """What the page says of the machine; of the version that it began with what the page has no field for."""
    said = choice.source.contents if choice.source else {}
    own: dict[str, Any] = {
        field.name: said.get(f"attributes.{field.name}", field.default) for field in fields(Attributes)
    }
    own |= {"security_groups": choice.groups, "max_price": choice.max_price}
    return Machine(
        choice.image.public_id, login, choice.values["name"].strip(), hostname=said.get("hostname", ""),
        user_data=first_boot.document(choice),
        renew_flag=said.get("renew_flag", MANUAL_RENEWAL) if choice.mode == "prepaid" else MANUAL_RENEWAL,
        attributes=Attributes(**own), network=_own_network(choice, said),
        placement_groups=(choice.values["group"],) if choice.values["group"] else (),
        tag_specification=_tags(choice.tags, said), ends_at=choice.ends_at,
    )  # fmt: skip


def _tags(typed: tuple[Tag, ...], said: Said) -> tuple[TagsOf, ...]:
    """Those of the template, and what is typed of the machine and its disks alike, which wins."""
    kept, keys = version_facts.tags(said), {tag.key for tag in typed}
    kinds = list(dict.fromkeys([*kept, *(tagging.TAGGED if typed else ())]))
    return tuple(
        TagsOf(kind, (*(Tag(key, value) for key, value in kept.get(kind, {}).items() if key not in keys), *typed))
        for kind in kinds
    )


def _own_network(choice: Choice, said: Said) -> NetworkWanted:
    """The chosen subnet; where it is still the template's, in the template's words."""
    chosen, addresses = choice.values["subnet"], tuple(choice.values["private_ip"].replace(",", " ").split())
    ipv6_addresses = 1 if choice.values["ipv6"] else 0
    vpc_id, subnet_id = said.get("network.vpc_id", DEFAULT), said.get("network.subnet_id", DEFAULT)
    told = NetworkWanted(vpc_id, subnet_id, addresses, ipv6_addresses)
    if said.get("zone") == choice.zone.code and own_network.id_of(told.subnet_id) == chosen:
        return told
    return NetworkWanted(DEFAULT, chosen or DEFAULT, addresses, ipv6_addresses)


def without_field(version: Held) -> list[Fact]:
    """What a purchase on the page takes from the version and does not show in a field."""
    kept = {path: value for path, value in version.contents.items() if path.startswith(_NO_FIELD)}
    return version_facts.said_anyway(kept)
