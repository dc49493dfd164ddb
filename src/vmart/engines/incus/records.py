"""What stands in the server's record of a machine, read and written."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from vmart.engines.contract import MachineSpec, PublicAddress
from vmart.engines.incus.firewall import Leave
from vmart.engines.incus.groups import Guarded
from vmart.engines.rules import MachineRules, of_plain

RULES = "user.vmart.rules"  # the machine's, as JSON
PRIVATE_IP = "user.vmart.private_ip"
PUBLIC_IPV6 = "user.vmart.public_ipv6"
SHARE, SHARE_MBPS = "user.vmart.share", "user.vmart.share_mbps"  # what its address shares with others
LINK = "eth1"  # the device by which IPv6 comes
INSTALLATION = "user.vmart.installation"
RESTORATION = "user.vmart.restoration"  # of a machine or a volume: how often it was given what a snapshot holds
RESCUE = "user.vmart.rescue"  # which way into the rescue mode, or out of it, it came
LAST_POWER = "volatile.last_state.power"  # the server's; what never ran has none
LAST_USED = "last_used_at"  # the server's: when it was started last
ROLE = "user.vmart.role"  # of what is no customer's machine
# What a record is written whole with.
WRITTEN = ("architecture", "config", "description", "devices", "ephemeral", "profiles", "stateful")


def guarded(found: Mapping[str, Any], rules: MachineRules) -> Guarded:
    return Guarded(found["config"][PRIVATE_IP], rules, link_address(found))


def rules_text(rules: MachineRules) -> str:
    return json.dumps(rules.plain())


def rules_of(text: str) -> MachineRules:
    return of_plain(json.loads(text))


def leave_of(found: Mapping[str, Any]) -> Leave:
    config = found["config"]
    mbps = int(config.get("user.vmart.bandwidth_mbps") or 1)
    share = (config[SHARE], int(config[SHARE_MBPS])) if config.get(SHARE) else None
    ipv6 = config.get(PUBLIC_IPV6, "")
    return Leave(found["name"], config[PRIVATE_IP], config["user.vmart.public_ip"], mbps, ipv6, share)


def address_config(address: PublicAddress | None) -> dict[str, str]:
    return {
        "user.vmart.public_ip": address.ip if address else "",
        PUBLIC_IPV6: address.ipv6 if address else "",
        "user.vmart.bandwidth_mbps": str(address.bandwidth_mbps) if address else "",
        SHARE: address.share.key if address and address.share else "",
        SHARE_MBPS: str(address.share.mbps) if address and address.share else "",
    }


def network_config(spec: MachineSpec) -> dict[str, str]:
    return {
        PRIVATE_IP: spec.private_ip,
        "user.vmart.subnet": spec.subnet.key,
        RULES: rules_text(spec.rules),
    }


def network_of(found: Mapping[str, Any]) -> tuple[str, str]:
    """Its bridge and its private address."""
    return bridge_of(found), str(found["config"].get(PRIVATE_IP, ""))


def size_config(vcpu: int, memory_mib: int) -> dict[str, str]:
    return {"limits.cpu": str(vcpu), "limits.memory": f"{memory_mib}MiB"}


def installation(found: Mapping[str, Any]) -> int:
    return int(found["config"].get(INSTALLATION) or 0)


def restoration(found: Mapping[str, Any]) -> int:
    return int(found["config"].get(RESTORATION) or 0)


def rescue(found: Mapping[str, Any]) -> int:
    return int(found["config"].get(RESCUE) or 0)


def memory_mib(found: Mapping[str, Any]) -> int:
    return int(found["config"]["limits.memory"].removesuffix("MiB"))


def bridge_of(found: Mapping[str, Any]) -> str:
    return str((found["devices"].get("eth0") or {}).get("network", ""))


def link_address(found: Mapping[str, Any]) -> str:
    """The IPv6 address that its guest has, also while none leads to it; "" for none."""
    return str((found["devices"].get(LINK) or {}).get("ipv6.address", ""))


def data_volumes(found: Mapping[str, Any]) -> list[str]:
    return [device["source"] for name, device in found["devices"].items() if name.startswith("data-")]


def instant(text: str) -> dt.datetime | None:
    """RFC 3339 with nanoseconds, as the server writes it; its zero is None."""
    if not text or text.startswith("0001-"):
        return None
    whole, _, rest = text.partition(".")
    digits = "".join(character for character in rest if character.isdigit())[:6] if rest else "0"
    base = dt.datetime.fromisoformat(whole.rstrip("Z")).replace(tzinfo=dt.UTC)
    return base + dt.timedelta(microseconds=int(digits.ljust(6, "0")))
