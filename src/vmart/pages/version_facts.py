"""What a version of a launch template holds, in words: each thing that it says, with its title."""

import base64
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop
from vmart.pages import printed, wording
from vmart.pricing.configuration import DEFAULT_DISK_TYPE, DEFAULT_SYSTEM_GIB, POSTPAID_BY_HOUR

Said = Mapping[str, Any]
_TAGGED = re.compile(r"(tag_specification\.\d+)\.resource_type")
_TAG_KEY = re.compile(r"(tag_specification\.\d+)\.tags\.\d+\.key")
_DISK = re.compile(r"(data_disks\.\d+)\.size_gib")


@dataclass(frozen=True, slots=True)
class Fact:
    title: Any
    text: Any
    css: str = ""


def facts(said: Said) -> list[Fact]:
    """All of it, in the order of the purchase page; what it leaves open is told where a buyer must know."""
    return [
        Fact(_("Billing"), _billing(said)),
        Fact(_("Zone"), zone(said)),
        Fact(_("Type"), kind(said)),
        Fact(_("Image"), image(said)),
        *_disks(said),
        Fact(_("Network"), _network(said)),
        Fact(_("Login"), ", ".join(said.get("login.key_ids", ())) or _("Generated password")),
        *_named(said),
        *said_anyway(said),
    ]


def zone(said: Said) -> str:
    """The zone as the catalog calls it, or its code."""
    found = shop.snapshot().zones.get(said["zone"])
    return wording.in_language(found, "name") if found else str(said["zone"])


def kind(said: Said) -> Any:
    """The type; in words where it is chosen at each purchase."""
    return said.get("instance_type") or _("the smallest on sale")


def image(said: Said) -> str:
    """The image as the catalog calls it, or its id."""
    found = shop.snapshot().images.get(said["image_id"])
    return found.os_name if found else str(said["image_id"])


def data_disks(said: Said) -> list[str]:
    """The paths of the data disks that are bought, in order; one of 0 GiB is none."""
    found = [match[1] for path in said if (match := _DISK.fullmatch(path)) and said[path]]
    return sorted(found, key=lambda path: int(path.rpartition(".")[2]))


def tags(said: Said) -> dict[str, dict[str, str]]:
    """Value by key of the tags that what is bought has, by the kind of thing."""
    kinds = {match[1]: str(kind) for path, kind in said.items() if (match := _TAGGED.fullmatch(path))}
    found: dict[str, dict[str, str]] = {kind: {} for kind in kinds.values()}
    for path, key in said.items():
        if match := _TAG_KEY.fullmatch(path):
            found[kinds[match[1]]][str(key)] = str(said[f"{match[0].removesuffix('key')}value"])
    return found


def said_anyway(said: Said) -> list[Fact]:
    """What the purchase page has no field for, where it is said and is not what holds anyway."""
    return list(_no_field(said))


def _billing(said: Said) -> str:
    charge_type = said.get("charge_type", POSTPAID_BY_HOUR)
    title = str(wording.CHARGE_TYPES.get(charge_type, charge_type))
    if bid := said.get("attributes.max_price"):
        return f"{title} ≤ {bid}"
    if "period_months" not in said:
        return title
    return f"{title}, {printed.months(said['period_months'])}"


def _disks(said: Said) -> Iterator[Fact]:
    yield Fact(_("System disk"), _disk(said, "system_disk", DEFAULT_SYSTEM_GIB))
    for number, path in enumerate(data_disks(said), 1):
        yield Fact(f"{wording.COMPONENTS['data_disk']} {number}", _disk(said, path, 0))


def _disk(said: Said, path: str, size: int) -> str:
    disk_type = wording.disk_type(said.get(f"{path}.disk_type", DEFAULT_DISK_TYPE))
    text = f"{disk_type}, {said.get(f'{path}.size_gib', size)} GiB"
    kept = (said.get(f"{path}.snapshot_id"), said.get(f"{path}.name"))
    return " · ".join([text, *(str(one) for one in kept if one)])


def _network(said: Said) -> Any:
    mbps = said.get("bandwidth_mbps", 0)
    if not said.get("public_ip", mbps > 0):
        return _("Private network only")
    code = said.get("internet_charge_type", "")
    told = f"{wording.INTERNET.get(code, _('By bandwidth'))}, {mbps} Mbps"
    return f"{told}, IPv6" if said.get("network.ipv6_addresses") else told


def _named(said: Said) -> Iterator[Fact]:
    if said.get("name"):
        yield Fact(_("Name"), said["name"])
    yield Fact(_("Number"), said.get("count", 1), "num")


def _no_field(said: Said) -> Iterator[Fact]:
    if said.get("hostname"):
        yield Fact(_("Host name"), said["hostname"], "mono")
    if said.get("user_data"):
        yield Fact(_("User data"), printed.size(len(base64.b64decode(said["user_data"]))), "num")
    if said.get("attributes.termination_protected"):
        yield Fact(_("Protection"), _("No program may end it"))
    if said.get("ends_at"):
        yield Fact(_("Ended by itself"), printed.instant(dt.datetime.fromisoformat(said["ends_at"])), "num")
    for group in said.get("placement_groups", ()):
        yield Fact(_("Placement group"), group, "mono")
    if said.get("attributes.security_groups"):
        yield Fact(_("Security groups"), ", ".join(said["attributes.security_groups"]), "mono")
    if "renew_flag" in said:
        yield Fact(_("At its end"), wording.RENEW_FLAGS.get(said["renew_flag"], said["renew_flag"]))
    for kind, held in tags(said).items():
        titles = {"instance": _("Tags of the machine"), "volume": _("Tags of its disks")}
        yield Fact(titles[kind], ", ".join(f"{key}={value}" for key, value in held.items()))
    for path in ("network.vpc_id", "network.subnet_id"):
        if said.get(path, "DEFAULT").upper() != "DEFAULT":
            yield Fact(_("Private network"), said[path], "mono")
    if said.get("network.private_ips"):
        yield Fact(_("Private address"), ", ".join(said["network.private_ips"]), "mono")
