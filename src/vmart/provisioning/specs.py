"""What the engine is told about machines, read for a whole batch in three queries."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from vmart.catalog.models import ZoneImage
from vmart.engines.contract import Disk, ImageSpec, MachineSpec, PublicAddress, Subnet
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.storage.models import Disk as DiskRow


@dataclass(frozen=True, slots=True)
class Ordered:
    """A machine to make: its row, its spec, and how far its image is in its zone."""

    instance: Instance
    spec: MachineSpec
    image: ZoneImage


def load(instance_ids: Sequence[int]) -> dict[int, Ordered]:
    """What is known of machines that hold an allocation, by instance id."""
    machines = {row.id: row for row in Instance.objects.filter(id__in=instance_ids).select_related("image")}
    disks: dict[int, list[DiskRow]] = {}
    for disk in DiskRow.objects.filter(instance_id__in=instance_ids).order_by("instance_id", "position"):
        disks.setdefault(disk.instance_id, []).append(disk)
    places = {
        row["instance_id"]: row
        for row in db.rows(
            "SELECT a.instance_id, h.name AS member, s.id AS subnet_id, s.cidr, s.prefix, s.public_id AS subnet_key"
            " FROM placement_allocation a JOIN placement_host h ON h.id = a.host_id"
            " JOIN instances_instance i ON i.id = a.instance_id JOIN network_subnet s ON s.id = i.subnet_id"
            " WHERE a.instance_id = ANY (%s)",
            list(instance_ids),
        )
    }
    zones = {machine.zone_id for machine in machines.values()}
    images = {(row.zone_id, row.image_id): row for row in ZoneImage.objects.filter(zone_id__in=zones)}
    return {
        number: Ordered(
            machine, _spec(machine, disks[number], places[number]), images[machine.zone_id, machine.image_id]
        )
        for number, machine in machines.items()
        if number in places
    }


def _spec(machine: Instance, disks: Sequence[DiskRow], place: dict[str, object]) -> MachineSpec:
    network = ipaddress.ip_network(f"{place['cidr']}/{place['prefix']}")
    system, *data = (Disk(disk.public_id, disk.disk_type, disk.size_gib) for disk in disks)
    return MachineSpec(
        name=machine.public_id,
        member=str(place["member"]),
        image=ImageSpec(machine.image.recipe, machine.image.version),
        vcpu=machine.vcpu,
        memory_mib=machine.memory_mib,
        system_disk=system,
        data_disks=tuple(data),
        subnet=Subnet(str(place["subnet_key"]), str(network), str(network[1])),
        private_ip=machine.private_ip,
        mac=machine.mac,
        hostname=machine.hostname,
        login_user=machine.login_user,
        password_hash=machine.password_hash,
        ssh_keys=tuple(machine.ssh_keys),
        user_data=bytes(machine.user_data),
        public_address=public_address(machine),
    )


def public_address(machine: Instance) -> PublicAddress | None:
    """The address that leads to the machine, with its cap; None without one, and while arrears keep it off."""
    if not machine.public_ip or machine.arrears_since is not None:
        return None
    return PublicAddress(machine.public_ip, machine.bandwidth_mbps)
