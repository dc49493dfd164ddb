"""What the engine is told about machines, read for a whole batch in one query."""

import datetime as dt
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vmart.engines.contract import Disk, ImageSpec, MachineSpec, PublicAddress, Share, Subnet
from vmart.engines.rules import OPEN, MachineRules
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.network.models import Eip, EipState
from vmart.security import compiled

_SUBNET = """
s.public_id AS subnet_key, host(s.cidr) || '/' || s.prefix AS network,
ARRAY(SELECT o.public_id FROM network_subnet o
      WHERE o.vpc_id = s.vpc_id AND o.zone_id = s.zone_id AND o.id <> s.id AND o.deleted_at IS NULL
      ORDER BY o.id) AS peers
"""
_ORDERED = """
SELECT i.id, i.public_id, i.vcpu, i.memory_mib, i.private_ip, i.mac, i.hostname, i.login_user, i.password_hash,
  i.ssh_keys::text, i.keys_only, i.user_data, i.installation, i.rescue, i.public_ip, i.ipv6, i.bandwidth_mbps,
  b.arrears_since,
  e.ip AS eip, e.bandwidth_mbps AS eip_mbps, f.isolated_at AS eip_isolated_at,
  k.public_id AS share, k.bandwidth_mbps AS share_mbps,
  i.created_at, i.own_image, g.recipe, g.version, z.ready_at,
  CASE WHEN i.own_image = '' THEN coalesce(z.status, 'missing') WHEN o.state = 'NORMAL' THEN 'ready' ELSE 'failed'
  END AS image_status,
  h.name AS member, {subnet},
  (SELECT json_agg(json_build_array(d.public_id, d.disk_type, d.size_gib) ORDER BY d.position)::text
   FROM storage_disk d WHERE d.instance_id = i.id AND d.state = '') AS disks,
  (SELECT d.restorations FROM storage_disk d WHERE d.instance_id = i.id AND d.usage = 'SYSTEM_DISK') AS restorations
FROM instances_instance i JOIN subscriptions_subscription b ON b.id = i.id
JOIN placement_allocation a ON a.instance_id = i.id JOIN placement_host h ON h.id = a.host_id
JOIN network_subnet s ON s.id = i.subnet_id
JOIN catalog_image g ON g.public_id = i.image_id
LEFT JOIN catalog_zone_image z ON z.zone_id = i.zone_id AND z.image_id = i.image_id
LEFT JOIN storage_image o ON o.public_id = i.own_image AND i.own_image <> ''
LEFT JOIN network_eip e ON e.instance_id = i.id AND e.state = 'BIND'
LEFT JOIN subscriptions_subscription f ON f.id = e.id
LEFT JOIN network_package k ON k.id = e.package_id
WHERE i.id = ANY (%s)
""".replace("{subnet}", _SUBNET.strip())


@dataclass(frozen=True, slots=True)
class Ordered:
    """A machine to make: its spec, and how far its image is in its zone."""

    instance_id: int
    spec: MachineSpec
    image_status: str  # engines.contract.ImageStatus
    image_ready_at: dt.datetime | None
    paid_at: dt.datetime


def load(instance_ids: Sequence[int]) -> dict[int, Ordered]:
    """What is known of machines that hold an allocation, by instance id."""
    rows, rules = db.prepared(_ORDERED, list(instance_ids)), compiled.of_machines(instance_ids)
    return {
        row["id"]: Ordered(
            row["id"], _spec(row, rules.get(row["public_id"], OPEN)), row["image_status"], row["ready_at"],
            row["created_at"],
        )
        for row in rows
    }  # fmt: skip


def moved(machine: Instance, subnet_id: int, private_ip: str) -> MachineSpec:
    """Of a machine that holds an allocation, as it will be in another subnet of its zone, or at another address."""
    (row,) = db.prepared(f"SELECT {_SUBNET} FROM network_subnet s WHERE s.id = %s", subnet_id)  # noqa: S608  a constant
    return replace(
        load([machine.id])[machine.id].spec, subnet=_subnet(row), private_ip=private_ip,
        rules=compiled.of_moved(machine, subnet_id, private_ip),
    )  # fmt: skip


def _subnet(row: dict[str, Any]) -> Subnet:
    network = ipaddress.ip_network(row["network"])
    return Subnet(row["subnet_key"], str(network), str(network[1]), tuple(row["peers"]))


def _spec(row: dict[str, Any], rules: MachineRules) -> MachineSpec:
    system, *data = (Disk(*disk) for disk in json.loads(row["disks"]))
    return MachineSpec(
        name=row["public_id"],
        member=row["member"],
        image=ImageSpec(row["recipe"], row["version"], row["own_image"]),
        vcpu=row["vcpu"],
        memory_mib=row["memory_mib"],
        system_disk=system,
        data_disks=tuple(data),
        subnet=_subnet(row),
        private_ip=row["private_ip"],
        mac=row["mac"],
        hostname=row["hostname"],
        login_user=row["login_user"],
        password_hash=row["password_hash"],
        ssh_keys=tuple(json.loads(row["ssh_keys"])),
        keys_only=row["keys_only"],
        user_data=bytes(row["user_data"]),
        installation=row["installation"],
        restoration=row["restorations"],
        rescue=row["rescue"],
        public_address=_leading(row["public_ip"], row["bandwidth_mbps"], row["arrears_since"], row["ipv6"])
        or _leading(
            row["eip"],
            row["eip_mbps"],
            row["eip_isolated_at"],
            share=Share(row["share"], row["share_mbps"]) if row["share"] else None,
        ),
        rules=rules,
    )


def public_address(machine: Instance) -> PublicAddress | None:
    """The address that leads to the machine, with its cap; None without one, and while arrears keep it off.

    Its own, or one with a life of its own that is bound to it.
    """
    if machine.public_ip_wanted:
        return _leading(machine.public_ip, machine.bandwidth_mbps, machine.subscription.arrears_since, machine.ipv6)
    eip: Eip | None = getattr(machine, "eip", None)
    return leading(eip) if eip and eip.state == EipState.BIND else None


def leading(eip: Eip) -> PublicAddress | None:
    """Where it leads to a machine: itself, with its caps; None while arrears keep it off."""
    share = Share(eip.package.public_id, eip.package.bandwidth_mbps) if eip.package else None
    return _leading(eip.ip, eip.bandwidth_mbps, eip.subscription.isolated_at, share=share)


def _leading(
    public_ip: str | None,
    mbps: int,
    off_since: dt.datetime | None,
    ipv6: str | None = None,
    share: Share | None = None,
) -> PublicAddress | None:
    return PublicAddress(public_ip, mbps, ipv6 or "", share) if public_ip and off_since is None else None
