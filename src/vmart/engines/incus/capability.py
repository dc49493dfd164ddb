"""What a server and this process can do together; what they cannot is said in a sentence."""

from collections.abc import Mapping
from typing import Any

from vmart.engines.contract import Capabilities, EngineError
from vmart.engines.foreign.kinds import ROOTFS
from vmart.engines.incus import links

OLDEST = (6, 0)
# Pools that copy a disk as it is at one instant, also while it is written; the second make it a block device, which
# gets no smaller.
_POOLS, _UNTRIED_POOLS = ("btrfs", "zfs"), ("lvm", "lvmcluster", "ceph")

_REMOTE = "The driver may not edit the packet filter of this zone's hosts, "


def instance_kind(server: Mapping[str, Any], wanted: str, has_vm_image: bool) -> str:
    """``container`` or ``virtual-machine``: what was asked for, or by itself virtual machines where the server
    reports qemu operational and an image for them is named (the built ones are container images)."""
    drivers = {name.strip() for name in str(server["environment"].get("driver", "")).split("|")}
    if wanted == "virtual-machine" and "qemu" not in drivers:
        raise EngineError("The engine reports virtual machines as not operational.", transient=False)
    if wanted in {"container", "virtual-machine"}:
        return wanted
    return "virtual-machine" if "qemu" in drivers and has_vm_image else "container"


def refuse_old(server: Mapping[str, Any]) -> None:
    """EngineError for a server that is too old, or does not trust us."""
    if server.get("auth") != "trusted":  # and then says nothing of itself
        raise EngineError("The engine does not trust this shop's certificate.", transient=False)
    version = str(server["environment"].get("server_version") or "0")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        raise EngineError("The engine is too old: Incus 6.0 or newer is needed.", transient=False, detail=version)


def why_no_images(kind: str) -> str:
    """Why machines of the kind cannot be made images of; empty where they can."""
    if kind == "container":
        return ""
    return "No images are made of virtual machines: what makes a machine itself cannot be taken out of its disk."


def why_no_rescue(server: Mapping[str, Any], kind: str, pool_driver: str, *, is_one_here: bool) -> str:
    """Why no rescue system can have a machine's own disk; empty where one can.

    ``is_one_here``: one server, on this host, so that it is known where its machines' folders are.
    """
    missing: dict[str, str] = {}
    if kind != "container":
        missing["rescue"] = "Virtual machines have no rescue mode: their disk has not been attached to another one yet."
    elif not is_one_here:
        missing["rescue"] = "There is no rescue mode in this zone: where its hosts keep their machines is not known."
    elif pool_driver != "btrfs":
        missing["rescue"] = "There is no rescue mode on the storage of this zone: it has not been tried there yet."
    elif str((server["environment"].get("kernel_features") or {}).get("idmapped_mounts")) != "true":
        missing["rescue"] = (
            "There is no rescue mode in this zone: its host's kernel shows no disk under other owners' numbers."
        )
    return missing.get("rescue", "")


def _say_no_snapshots(missing: dict[str, str], kind: str, pool_driver: str) -> None:
    """Why none are made of the disks of machines of the kind on such a pool."""
    if kind != "container":
        missing["snapshots"] = "No snapshots are made of virtual machines: giving one back has not been tried yet."
    elif pool_driver in _UNTRIED_POOLS:
        missing["snapshots"] = (
            "No snapshots are made on the storage of this zone: giving one back has not been tried there yet."
        )
    elif pool_driver not in _POOLS:
        missing["snapshots"] = "The storage of this zone copies no disk at one instant, so no snapshots are made."


def _say_of_consoles(missing: dict[str, str], kind: str) -> None:
    """Which of the two kinds a machine has none of."""
    if kind == "container":
        missing["graphic_console"] = "There are consoles of text only: containers have no screen."
    else:
        missing["console"] = "Virtual machines show no console: that has not been tried yet."
        missing["graphic_console"] = "Virtual machines show no screen: that has not been tried yet."


def _why_no_ipv6(kind: str, missing: Mapping[str, str], why_no_ipv6: str) -> str:
    """No address is sold that goes past security groups, caps or counters."""
    if "security_groups" in missing:
        return "There are no IPv6 addresses here: security groups would not hold for them."
    if kind != "container":
        return "There are no IPv6 addresses for virtual machines: that has not been tried yet."
    if why_no_ipv6 == links.MAY_NOT:
        return "There are no IPv6 addresses here: the driver may not have the host forward them."
    return "There are no IPv6 addresses here: the host's kernel does without IPv6." if why_no_ipv6 else ""


def of_server(
    server: Mapping[str, Any],
    kind: str,
    why_no_firewall: str,
    why_no_groups: str,
    *,
    why_no_ipv6: str = "",
    pool_driver: str = "btrfs",
    why_no_rescue: str = "",
    df_shows_gib: int = 0,
) -> Capabilities:
    """Capabilities of a zone; ``why_no_firewall`` is empty where the driver edits the host's own tables."""
    missing: dict[str, str] = {}
    if kind == "container":
        drivers = str(server["environment"].get("driver", ""))
        missing["virtual_machine"] = (
            "Machines are system containers: the engine reports virtual machines as not operational."
            if "qemu" not in drivers
            else "Machines are system containers: no image for virtual machines is named."
        )
    if why_no_firewall:
        missing["public_address_out"] = _REMOTE + "so machines leave by the host's address."
        missing["byte_counters"] = _REMOTE + "so bytes by the public address are not counted."
        missing["network_isolation"] = _REMOTE + "so machines of two customers are kept apart by their bridges only."
        missing["bandwidth_cap_out"] = _REMOTE + "so the cap is the engine's own and holds for private traffic too."
    if why_no_firewall:
        missing["shared_bandwidth"] = (
            "There are no bandwidth packages here: the driver may not edit the packet filter of this zone's hosts."
        )
    elif server["environment"].get("server_clustered"):
        missing["shared_bandwidth"] = (
            "There are no bandwidth packages here: machines of several hosts cannot share one speed."
        )
    # Buyers read these, in their language: each is written whole.
    if why_no_firewall:
        missing["security_groups"] = (
            "The driver may not edit the packet filter of this zone's hosts, so no security group holds."
        )
    elif why_no_groups:
        missing["security_groups"] = (
            "The host's kernel keeps traffic within a bridge from its packet filter, so no security group holds."
        )
    if why := _why_no_ipv6(kind, missing, why_no_ipv6):
        missing["ipv6"] = why
    if why := why_no_images(kind):
        missing["own_images"] = why
    if why_no_rescue:
        missing["rescue"] = why_no_rescue
    _say_of_consoles(missing, kind)
    _say_no_snapshots(missing, kind, pool_driver)
    return Capabilities(
        instance_kind=kind,
        snapshots="snapshots" not in missing,
        rescue="rescue" not in missing,
        console="console" not in missing,
        imports=() if "own_images" in missing else (ROOTFS,),
        bandwidth_cap_out=not why_no_firewall,
        bandwidth_cap_in=True,
        shared_bandwidth="shared_bandwidth" not in missing,
        network_isolation=not why_no_firewall,
        security_groups="security_groups" not in missing,
        ipv6="ipv6" not in missing,
        byte_counters=not why_no_firewall,
        df_shows_gib=df_shows_gib,
        missing=missing,
    )
