"""How a machine is made: what the server is asked for, and what becomes of a making that was begun before.

A making may be cut short at any request, and another process may make the same machine at once. So whoever finds the
name taken adopts the machine; one that never came to run is made anew.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from vmart.engines.contract import EngineError, ImageSpec, MachineSpec
from vmart.engines.incus import copies, links, records, seed
from vmart.engines.incus.client import IncusClient, IncusError
from vmart.engines.incus.host import Names
from vmart.engines.incus.image import Images
from vmart.engines.incus.machines import OPERATION_LIMIT_S, Machines
from vmart.engines.incus.network import MARK
from vmart.engines.incus.own_images import NOT_AN_IMAGE, OwnImages
from vmart.engines.incus.refusals import NO_NETWORK, QUOTA, said
from vmart.engines.incus.rescue import Rescue
from vmart.engines.incus.room import Room
from vmart.engines.incus.volumes import Volumes


class Making:
    """Of one server. ``caps_nic``: whether the server holds a public address's cap, where the host does not."""

    def __init__(
        self,
        client: IncusClient,
        pool: str,
        names: Names,
        *,
        kind: str,
        machines: Machines,
        volumes: Volumes,
        images: Images,
        own_images: OwnImages,
        rescue: Rescue,
        room: Room,
        is_cluster: bool,
        caps_nic: bool,
    ) -> None:
        self._client, self._pool, self._names, self._kind = client, pool, names, kind
        self._machines, self._volumes, self._room = machines, volumes, room
        self._images, self._own_images, self._rescue = images, own_images, rescue
        self._is_cluster, self._caps_nic = is_cluster, caps_nic

    def begin(self, spec: MachineSpec, bridge: str) -> str:
        """The operation by which it is made and started. Raises EngineError for an image that can never be there."""
        body = self.body(spec, bridge) | {"source": self._source(spec.image), "start": True}
        return self._client.begin("POST", "/1.0/instances", body, target=self._target(spec))

    def finish(self, spec: MachineSpec, bridge: str, operation: str) -> None:
        """It is there and runs. Raises IncusError where its bridge is gone, else EngineError."""
        try:
            if operation:
                self._client.wait(operation, OPERATION_LIMIT_S)
        except IncusError as error:
            if NO_NETWORK in error.text.lower():
                raise
            if error.exists or error.missing:
                self.adopt(spec)  # another process's call was first, or the daemon started anew meanwhile
                return
            if not (spec.image.own and QUOTA in error.text.lower()):
                raise said(error) from error
            self._make_full(spec, bridge)

    def adopt(self, spec: MachineSpec) -> None:
        """The name exists: wait for whoever is making it, start it, or begin anew what never came to run."""
        self._machines.await_operations(spec.name)
        found = self._machines.found(spec.name)
        if found is None:
            raise EngineError("The machine's making was interrupted.", transient=True, detail=spec.name)
        if found["status"] == "Running":
            return
        try:
            self._room.during(spec.name, lambda: self._machines.start(spec.name))
        except EngineError:
            if records.LAST_POWER in found["config"]:
                raise
            # It never ran: a torso of an interrupted making, with nothing of the customer's on it.
            with contextlib.suppress(IncusError):
                self._machines.delete(spec.name)
            raise

    def body(self, spec: MachineSpec, bridge: str) -> dict[str, Any]:
        """The machine as the server is asked for it, but for what is on its system disk. Its data disks are made."""
        devices: dict[str, dict[str, str]] = {
            "root": {"type": "disk", "path": "/", "pool": self._pool, "size": f"{spec.system_disk.size_gib}GiB"},
            "eth0": self.nic(spec, bridge),
        }
        if spec.public_address is not None and spec.public_address.ipv6:
            devices[records.LINK] = links.device(self._names, spec.name, spec.public_address.ipv6)
        for disk in spec.data_disks:
            self._ensure_volume(spec, disk.key, disk.size_gib)
            devices[copies.device_name(self._names.volume(disk.key))] = self._volumes.device(disk.key)
        if spec.rescue % 2:
            devices["system"] = self._rescue.device(spec.name)
        return {
            "name": spec.name, "type": self._kind, "profiles": [], "config": self._config(spec), "devices": devices,
        }  # fmt: skip

    def nic(self, spec: MachineSpec, bridge: str) -> dict[str, str]:
        """The device by which it is on its network."""
        nic = {
            "type": "nic",
            "name": "eth0",
            "network": bridge,
            "hwaddr": spec.mac,
            "ipv4.address": spec.private_ip,
            "security.mac_filtering": "true",
            "security.ipv4_filtering": "true",
            "security.ipv6_filtering": "true",
        }
        if self._caps_nic and spec.public_address is not None:
            nic["limits.ingress"] = f"{max(spec.public_address.bandwidth_mbps, 10)}Mbit"
            nic["limits.egress"] = f"{spec.public_address.bandwidth_mbps}Mbit"
        return {key: value for key, value in nic.items() if value}

    def _config(self, spec: MachineSpec) -> dict[str, str]:
        is_container = self._kind == "container"
        config = {
            "security.guestapi": "false",  # no engine socket inside
            "cloud-init.vendor-data": seed.vendor_data(spec),
            "cloud-init.network-config": seed.network_config(spec, by_mac=not is_container),
            MARK: self._names.deployment,
            "user.vmart.hostname": spec.hostname,
            records.INSTALLATION: str(spec.installation),
            records.RESTORATION: str(spec.restoration),
            records.RESCUE: str(spec.rescue),
            **records.network_config(spec),
        }
        if spec.image.own:
            config |= NOT_AN_IMAGE
        if is_container:
            config["security.idmap.isolated"] = "true"
        config |= seed.user_data(spec.user_data, image_decodes=self._images.is_own(spec.image.name))
        if spec.image.own:  # its system may be one that was imported, which decodes nothing
            config |= seed.user_data(spec.user_data, image_decodes=False)
        return config | records.size_config(spec.vcpu, spec.memory_mib) | records.address_config(spec.public_address)

    def _ensure_volume(self, spec: MachineSpec, disk_key: str, size_gib: int) -> None:
        try:
            self._volumes.make_of_machine(spec.name, disk_key, size_gib, self._target(spec))
        except IncusError as error:
            raise said(error) from error

    def _make_full(self, spec: MachineSpec, bridge: str) -> None:
        """Of an image whose guest had filled its disk: the server's own files found no place."""
        if self._machines.found(spec.name) is None:
            body = self.body(spec, bridge) | {"source": self._source(spec.image), "start": False}
            body["devices"]["root"]["size"] = self._room.spared(spec.system_disk.size_gib)
            target = self._target(spec)
            self._client.send("POST", "/1.0/instances", body, target=target, limit_s=OPERATION_LIMIT_S)
        self.adopt(spec)

    def _source(self, image: ImageSpec) -> Mapping[str, object]:
        return self._own_images.source(image.own) if image.own else self._images.source(image.name)

    def _target(self, spec: MachineSpec) -> str:
        return spec.member if self._is_cluster else ""
