"""The contract's verbs on an Incus server or cluster.

Everything of ours on the server carries ``user.vmart.deployment``; what does not is never touched. What
a machine needs outside its own record (address, cap, subnet) is written into the record, so that the
host's table can be rebuilt from the server's list alone.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from vmart.engines.contract import (
    ByteCount,
    Capabilities,
    EngineError,
    HeldDisk,
    ImageNotReady,
    ImageSpec,
    ImageState,
    ImageStatus,
    MachineSpec,
    MemberCapacity,
    Observation,
    OwnImage,
    Power,
    PublicAddress,
    Snapshot,
    Volume,
    driver,
    turns_off_for,
    turns_off_to_grow_a_disk,
)
from vmart.engines.incus import capability, capacity, copies, records, seed, volumes
from vmart.engines.incus.client import IncusError, path_of
from vmart.engines.incus.firewall import Leave
from vmart.engines.incus.groups import Guarded
from vmart.engines.incus.guest import Guest
from vmart.engines.incus.host import LOCAL_MEMBER, names_of_deployment
from vmart.engines.incus.network import MARK
from vmart.engines.incus.opened import Opened
from vmart.engines.incus.own_images import NOT_AN_IMAGE
from vmart.engines.incus.refusals import NO_NETWORK, QUOTA, said
from vmart.engines.rules import MachineRules

_CREATE_LIMIT_S = 180.0
# How long the guest may take to stop by itself. It is asked again each time: a guest that has only just
# begun to boot does not hear the first.
_STOP_GUEST_S = (4, 8, 15)
# Pools in which all containers share one file system: `df` in each shows the whole of it.
_SHOWN_WHOLE = ("btrfs", "dir")

_POWER = {
    "Running": Power.RUNNING,
    "Ready": Power.RUNNING,
    "Stopped": Power.STOPPED,
    "Starting": Power.STARTING,
    "Stopping": Power.RUNNING,
    "Aborting": Power.RUNNING,
    "Frozen": Power.BROKEN,
    "Error": Power.BROKEN,
}


@driver
class IncusEngine:
    """Settings:

    ``socket``, or ``url`` with ``client_cert``, ``client_key``, ``server_fingerprint``; ``project``, ``timeout_s``
    ``deployment``     short text that marks what is ours on the server (required)
    ``pool``           storage pool, by default that of the server's profile ``default``, else its only one
    ``image_cache``    the builder's folder, where images are built
    ``images``         {name: {"alias": …}} or {"server": url, "alias": …}: images the server has or pulls
    ``instance_kind``  ``auto`` (default), ``container`` or ``virtual-machine``
    ``host_network``   ``auto`` (default: when the server is local and this process may run nft), True, False
    ``lock_dir``       where workers of one host keep each other from changing its network at once (optional)
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        if not settings.get("deployment"):
            raise EngineError("The zone's settings name no deployment.", transient=False)
        self._settings = settings
        self._names = names_of_deployment(str(settings["deployment"]))
        self._opened: Opened | None = None

    @property
    def _pool(self) -> str:
        return self._open().pool

    # -- what it is ----------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        """Asked first and most often: so it also sees to it that the host's table says what the engine's list says."""
        opened = self._open()
        self._see_to_table()
        shown_gib = 0
        if opened.kind == "container" and opened.pool_driver in _SHOWN_WHOLE:
            shown_gib = -(-capacity.space(opened.client, self._pool, "")["total"] >> 30)  # rounded up, as `df -h` does
        return capability.of_server(
            opened.server, opened.kind, opened.why_no_firewall, opened.why_no_groups,
            pool_driver=opened.pool_driver, df_shows_gib=shown_gib,
        )  # fmt: skip

    def capacity(self) -> Sequence[MemberCapacity]:
        opened = self._open()
        return capacity.of_members(opened.client, self._pool, is_cluster=bool(opened.members))

    def ensure_image(self, image: ImageSpec) -> ImageState:
        return self._open().images.ensure(image)

    # -- machines ------------------------------------------------------------------------------

    def ensure_present(self, spec: MachineSpec) -> Observation:
        return self._made(spec, new=True)

    def ensure_reinstalled(self, spec: MachineSpec) -> Observation:
        """The machine is made anew around its data volumes: what says so is in the new one from its first moment."""
        if self._is_older(spec):
            self._see_to_image(spec.image)
            with self._saying():
                self._open().room.at_its_end(spec.name, lambda: self._stop(spec.name, force=False))
        if self._is_older(spec):  # while its guest was stopping, another process may have made the new one
            with self._saying():
                self._open().room.at_its_end(spec.name, lambda: self._delete(spec.name))
        return self._made(spec, new=False)

    def _see_to_image(self, image: ImageSpec) -> None:
        """Nothing is erased for an image that is not there."""
        if image.own:
            self._open().own_images.source(image.own)
        elif self.ensure_image(image).status is not ImageStatus.READY:
            raise ImageNotReady(image.name)

    def _is_older(self, spec: MachineSpec) -> bool:
        found = self._ours(spec.name)
        return found is not None and records.installation(found) < spec.installation

    def _delete(self, name: str) -> None:
        self._open().client.send("DELETE", path_of("instances", name))

    def _made(self, spec: MachineSpec, *, new: bool) -> Observation:
        """``new``: nothing of it can stand in the host's table."""
        opened = self._open()
        for attempt in (1, 2):
            bridge = opened.networks.ensure_bridge(spec.subnet, opened.members).name
            try:
                if self._ours(spec.name) is not None:
                    self._guard(spec)
                    self._adopt(spec)
                    self._connect(spec, bridge, new=False)
                else:
                    self._guard(spec)  # before it can speak
                    operation = self._begin_create(spec, bridge)
                    # The way in and out is made while the machine boots.
                    self._connect(spec, bridge, new=new)
                    self._finish_create(spec, bridge, operation)
                break
            except IncusError as error:
                if not (error.missing and attempt == 1):
                    raise said(error) from error
                # Its bridge went with the customer's last machine just now, perhaps by another process.
                opened.networks.forget()
        opened.room.reserve(spec.name)
        return self.observe(spec.name)

    def ensure_power(self, name: str, on: bool, *, force: bool = False) -> Observation:
        if self._ours(name) is None:
            return Observation(name, Power.ABSENT)
        with self._saying():
            self._open().room.during(name, lambda: self._start(name) if on else self._stop(name, force=force))
        return self.observe(name)

    def ensure_rebooted(self, name: str, after: dt.datetime, *, force: bool = False) -> Observation:
        seen = self.observe(name)
        if seen.power is Power.ABSENT:
            return seen
        if seen.booted_at is None or seen.booted_at <= after:
            self.ensure_power(name, False, force=force)
        return self.ensure_power(name, True)

    def ensure_absent(self, name: str) -> None:
        opened = self._open()
        found = self._ours(name)
        bridge = records.bridge_of(found) if found else ""
        if bridge:
            opened.networks.remove_forwards(bridge, name)
        if opened.firewall is not None:
            opened.firewall.forget_leave(name, keep_counter=False)
            if found is not None:
                opened.firewall.forget_rules(found["config"][records.PRIVATE_IP])
        if found is not None:
            with self._saying():
                opened.room.at_its_end(name, lambda: self._stop(name, force=True))
            with contextlib.suppress(IncusError):
                opened.room.at_its_end(name, lambda: self._delete(name))
            left = self._ours(name)
            if left is not None:
                raise EngineError("The machine could not be removed.", transient=True, detail=left["status"])
        with self._saying():
            opened.copies.remove_beside(name)
        if found is None or records.data_volumes(found):
            self._remove_volumes(name)
        if bridge:
            opened.networks.remove_if_empty(bridge)
        elif found is None:
            opened.networks.remove_machine(name)

    def ensure_address(self, name: str, private_ip: str, address: PublicAddress | None) -> None:
        opened = self._open()
        found = self._present(name)
        bridge = records.bridge_of(found)
        change = {"config": records.address_config(address)}
        with self._saying():
            opened.room.during(name, lambda: opened.client.send("PATCH", path_of("instances", name), change))
        opened.networks.remove_forwards(bridge, name, but=address.ip if address else "")
        if address is not None:
            self._lead(name, bridge, private_ip, address, new=False, member=self._target(found))
        elif opened.firewall is not None:
            opened.firewall.forget_leave(name, keep_counter=True)

    def ensure_network(self, spec: MachineSpec, *, on: bool) -> None:
        opened, found = self._open(), self._present(spec.name)
        with self._saying():
            bridge = opened.networks.ensure_bridge(spec.subnet, opened.members).name
            self._guard(spec)  # before it can speak
            if records.network_of(found) != (bridge, spec.private_ip):
                self._move(found, spec, bridge, on=on)
            opened.networks.remove_machine(spec.name, but=bridge)
            self.ensure_address(spec.name, spec.private_ip, spec.public_address)
        if on:
            self.ensure_power(spec.name, True)

    def _move(self, found: Mapping[str, Any], spec: MachineSpec, bridge: str, *, on: bool) -> None:
        """The guest first: a machine that comes up in between is where nobody reaches it, and is moved again."""
        opened, is_container = self._open(), found["type"] == "container"
        config = seed.network_config(spec, by_mac=not is_container)
        if on and not is_container:
            opened.room.during(spec.name, lambda: self._start(spec.name))  # it makes the change itself
        with self._inside(spec.name) as guest:
            guest.set_network(config)
        opened.room.during(spec.name, lambda: self._stop(spec.name, force=False))
        if opened.firewall is not None and found["config"][records.PRIVATE_IP] != spec.private_ip:
            opened.firewall.forget_rules(found["config"][records.PRIVATE_IP])
        change = {
            "config": {"cloud-init.network-config": config, **records.network_config(spec)},
            "devices": {"eth0": self._nic(spec, bridge)},
        }
        opened.room.during(spec.name, lambda: opened.client.send("PATCH", path_of("instances", spec.name), change))

    def ensure_rules(self, rules: Mapping[str, MachineRules]) -> None:
        opened = self._open()
        if opened.firewall is None or opened.why_no_groups:
            raise EngineError("Security groups do not hold in this zone.", transient=False)
        found = [record for record in self._all() if record["name"] in rules]
        opened.firewall.ensure_rules([records.guarded(record, rules[record["name"]]) for record in found])
        # In force by now; what follows is by what the table is made anew.
        for record in found:
            if record["config"].get(records.RULES) != records.rules_text(rules[record["name"]]):
                self._note_rules(record["name"], rules[record["name"]])

    def _note_rules(self, name: str, rules: MachineRules) -> None:
        change = {"config": {records.RULES: records.rules_text(rules)}}
        with self._saying():
            self._open().room.during(
                name, lambda: self._open().client.send("PATCH", path_of("instances", name), change)
            )

    def ensure_size(self, name: str, vcpu: int, memory_mib: int, *, on: bool) -> None:
        found, wanted = self._present(name), records.size_config(vcpu, memory_mib)
        if not wanted.items() <= found["config"].items():
            with self._saying():
                self._open().room.during(name, lambda: self._resize(name, memory_mib, wanted))
        if on:
            self.ensure_power(name, True)

    def _resize(self, name: str, memory_mib: int, config: dict[str, str]) -> None:
        found = self._present(name)
        if turns_off_for(found["type"], records.memory_mib(found), memory_mib):
            self._stop(name, force=False)
        # The server shares out CPUs while it still writes the number down, and may go by the number of before (6.0). So
        # it is told twice: what it goes by the second time is the same number, written otherwise.
        for told in (config | {"limits.cpu": "0" + config["limits.cpu"]}, config):
            self._open().client.send("PATCH", path_of("instances", name), {"config": told})

    def ensure_disk_size(self, name: str, disk: str, size_gib: int, *, is_system: bool, on: bool) -> None:
        found = self._present(name)
        with self._saying():
            if turns_off_to_grow_a_disk(found["type"]):
                self._stop(name, force=False)
            if is_system:
                self._open().room.grow(name, size_gib)
            else:
                self._grow_volume(disk, size_gib, self._target(found))
        if on:
            self.ensure_power(name, True)

    def _grow_volume(self, disk: str, size_gib: int, target: str) -> None:
        client = self._open().client
        path = path_of("storage-pools", self._pool, "volumes", "custom", self._names.volume(disk))
        if int(client.get(path, target=target)["config"]["size"].removesuffix("GiB")) < size_gib:
            client.send("PATCH", path, {"config": {"size": f"{size_gib}GiB"}}, target=target)

    # -- disks of their own life ---------------------------------------------------------------

    def ensure_volume(self, name: str, size_gib: int, member: str) -> None:
        target = member if self._open().members else ""
        with self._saying():
            self._open().volumes.ensure(name, size_gib, target)

    def ensure_kept(self, machine: str, name: str, size_gib: int) -> bool:
        with self._saying():
            return self._open().volumes.keep(machine, name)

    def ensure_volume_absent(self, name: str) -> None:
        with self._saying():
            self._open().volumes.remove(name)

    def ensure_attached(self, machine: str, volume: str) -> None:
        opened = self._open()
        found, disk = self._present(machine), opened.volumes.found(volume)
        if disk is None or disk.member != self._target(found):
            raise EngineError("The disk is not on the machine's host.", transient=False, detail=volume)
        if disk.machine not in ("", machine):
            raise EngineError("Another machine has the disk.", transient=False, detail=disk.machine)
        if not disk.machine:
            change = {"devices": {volume: opened.volumes.device(volume)}}
            with self._saying():
                opened.room.during(machine, lambda: opened.client.send("PATCH", path_of("instances", machine), change))

    def ensure_detached(self, machine: str, volume: str) -> None:
        found = self._ours(machine)
        if found is None or volume not in found["devices"]:
            return
        whole = {name: found[name] for name in records.WRITTEN if name in found}
        whole["devices"] = {name: device for name, device in found["devices"].items() if name != volume}
        opened = self._open()
        with self._saying():
            opened.room.during(machine, lambda: opened.client.send("PUT", path_of("instances", machine), whole))

    def list_volumes(self) -> Sequence[Volume]:
        local = "" if self._open().members else LOCAL_MEMBER
        return [replace(found, member=found.member or local) for found in self._open().volumes.all()]

    # -- customers' images ---------------------------------------------------------------------

    def ensure_image_of(self, name: str, snapshot: str, user: str) -> OwnImage:
        opened = self._open()
        with self._saying():
            return opened.own_images.made(name) or opened.own_images.make(name, opened.copies.machine(snapshot), user)

    def ensure_image_absent(self, name: str) -> None:
        with self._saying():
            self._open().own_images.remove(name)

    def list_images(self) -> Sequence[OwnImage]:
        return list(self._open().own_images.all())

    # -- snapshots -----------------------------------------------------------------------------

    def ensure_snapshot(self, name: str, disk: HeldDisk) -> None:
        with self._saying():
            self._open().copies.ensure(name, disk)

    def ensure_snapshot_absent(self, name: str) -> None:
        with self._saying():
            self._open().copies.remove(name)

    def ensure_restored(self, spec: MachineSpec, snapshot: str) -> None:
        """The machine is made anew as specified, of the copy; what it was to hold is noted when it does."""
        opened, found = self._open(), self._ours(spec.name)
        if found is not None and records.restoration(found) >= spec.restoration:
            return
        with self._saying():
            self._await_operations(spec.name)  # of an interrupted call
            found = self._ours(spec.name)
            opened.copies.refuse_missing(snapshot)
            if found is not None and found["status"] != "Stopped":
                raise EngineError("The machine is running.", transient=False, detail=spec.name)
            bridge = opened.networks.ensure_bridge(spec.subnet, opened.members).name
            self._guard(spec)
            body, member = self._body(spec, bridge), spec.member if opened.members else ""
            if not copies.is_given(found, spec.restoration):
                # What the machine has goes only when what it is to have is there.
                opened.copies.ensure_beside(snapshot, body, spec.system_disk.size_gib, member, spec.restoration)
                if found is not None:
                    opened.room.at_its_end(spec.name, lambda: self._delete(spec.name))
            opened.copies.put_in_place(body)
            self._connect(spec, bridge, new=False)
            if opened.kind == "container":
                guest = Guest(opened.client, spec.name, is_running=False)
                network = seed.network_config(spec, by_mac=False)
                opened.room.during(spec.name, lambda: guest.settle(network, spec.hostname))
            # It has never run, and is no torso: what its customer had is on its disk.
            ran = {records.LAST_POWER: "STOPPED", copies.TEMPLATES: ""}
            held = ran | {records.RESTORATION: str(spec.restoration), copies.WHOLE: ""}
            opened.room.during(
                spec.name, lambda: opened.client.send("PATCH", path_of("instances", spec.name), {"config": held})
            )

    def ensure_volume_restored(self, disk: HeldDisk, snapshot: str, restoration: int) -> None:
        with self._saying():
            self._open().copies.restore_volume(disk, snapshot, restoration)

    def list_snapshots(self) -> Sequence[Snapshot]:
        local = "" if self._open().members else LOCAL_MEMBER
        return [replace(found, member=found.member or local) for found in self._open().copies.all()]

    # -- inside a machine ----------------------------------------------------------------------

    def ensure_password(self, name: str, user: str, password_hash: str) -> None:
        with self._inside(name) as guest:
            guest.set_password(user, password_hash)

    def ensure_ssh_keys(
        self, name: str, user: str, keys: Sequence[str], forgotten: Sequence[str], *, passwords: bool | None
    ) -> None:
        with self._inside(name) as guest:
            guest.set_keys(user, keys, forgotten, passwords=passwords)

    def ensure_hostname(self, name: str, hostname: str) -> None:
        with self._inside(name) as guest:
            guest.set_hostname(hostname)

    def ensure_spot_notice(self, name: str, at: dt.datetime) -> None:
        found = self._ours(name)
        if found is None or found["status"] == "Stopped":
            return
        with self._inside(name) as guest:
            guest.tell_end(at)

    @contextlib.contextmanager
    def _inside(self, name: str) -> Iterator[Guest]:
        """The machine's system, running or on its disk. Raises EngineError where it cannot be reached."""
        found = self._present(name)
        is_running = found["status"] != "Stopped"
        if not is_running and found["type"] != "container":
            raise EngineError("A virtual machine has to run for its system to be changed.", transient=False)
        try:
            yield Guest(self._open().client, name, is_running=is_running)
        except IncusError as error:
            raise said(error) from error

    def observe(self, name: str) -> Observation:
        found = self._ours(name)
        if found is None:
            return Observation(name, Power.ABSENT)
        booted_at = None
        if found["status"] == "Running":
            state = self._open().client.find(path_of("instances", name, "state"))
            booted_at = records.instant((state or {}).get("started_at", ""))
        return self._observation(found, booted_at)

    def list_ours(self) -> Sequence[Observation]:
        self._see_to_table()
        machines = [found for found in self._all() if not found["config"].get(records.ROLE)]
        return [self._observation(found, records.instant(found.get("last_used_at", ""))) for found in machines]

    def counters(self, names: Iterable[str]) -> dict[str, ByteCount]:
        opened = self._open()
        if opened.firewall is None:
            return {}
        self._see_to_table()
        counts = opened.firewall.counts()
        return {name: ByteCount(name, *counts[name]) for name in names if name in counts}

    def changes(self) -> AbstractContextManager[Callable[[float], str | None]]:
        from vmart.engines.incus import events  # only who listens loads it

        return events.changes(self._open().client)

    def leave_host(self) -> None:
        """Take our table off the host when the last machine is gone. No verb: for the end of a deployment."""
        opened = self._open()
        for found in self._all():
            if found["config"].get(records.ROLE):
                self._remove_helper(found["name"])
        if opened.firewall is not None and not self._all():
            opened.firewall.remove_table()

    def _remove_helper(self, name: str) -> None:
        """A machine by which an image was being unpacked when its worker ended."""
        for operation in self._running_operations(name):
            with contextlib.suppress(EngineError):
                self._open().client.wait(operation, _CREATE_LIMIT_S)
        with contextlib.suppress(IncusError):
            self._open().client.send("DELETE", path_of("instances", name))

    # -- making --------------------------------------------------------------------------------

    def _begin_create(self, spec: MachineSpec, bridge: str) -> str:
        opened = self._open()
        body = self._body(spec, bridge) | {"source": opened.source(spec.image), "start": True}
        return opened.client.begin("POST", "/1.0/instances", body, target=spec.member if opened.members else "")

    def _body(self, spec: MachineSpec, bridge: str) -> dict[str, Any]:
        """The machine as the server is asked for it, but for what is on its system disk."""
        opened = self._open()
        devices: dict[str, dict[str, str]] = {
            "root": {"type": "disk", "path": "/", "pool": self._pool, "size": f"{spec.system_disk.size_gib}GiB"},
            "eth0": self._nic(spec, bridge),
        }
        for disk in spec.data_disks:
            volume = copies.device_name(self._names.volume(disk.key))
            devices[volume] = self._ensure_volume(spec, disk.key, disk.size_gib)
        return {
            "name": spec.name, "type": opened.kind, "profiles": [], "config": self._config(spec), "devices": devices,
        }  # fmt: skip

    def _config(self, spec: MachineSpec) -> dict[str, str]:
        opened = self._open()
        is_container = opened.kind == "container"
        config = {
            "security.guestapi": "false",  # no engine socket inside
            "cloud-init.vendor-data": seed.vendor_data(spec),
            "cloud-init.network-config": seed.network_config(spec, by_mac=not is_container),
            MARK: self._names.deployment,
            "user.vmart.hostname": spec.hostname,
            records.INSTALLATION: str(spec.installation),
            records.RESTORATION: str(spec.restoration),
            **records.network_config(spec),
        }
        if spec.image.own:
            config |= NOT_AN_IMAGE
        if is_container:
            config["security.idmap.isolated"] = "true"
        config |= seed.user_data(spec.user_data, image_decodes=opened.images.is_own(spec.image.name))
        return config | records.size_config(spec.vcpu, spec.memory_mib) | records.address_config(spec.public_address)

    def _nic(self, spec: MachineSpec, bridge: str) -> dict[str, str]:
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
        if self._open().firewall is None and spec.public_address is not None:
            nic["limits.ingress"] = f"{max(spec.public_address.bandwidth_mbps, 10)}Mbit"
            nic["limits.egress"] = f"{spec.public_address.bandwidth_mbps}Mbit"
        return {key: value for key, value in nic.items() if value}

    def _ensure_volume(self, spec: MachineSpec, disk_key: str, size_gib: int) -> dict[str, str]:
        opened = self._open()
        name = self._names.volume(disk_key)
        is_container = opened.kind == "container"
        body = {
            "name": name,
            "type": "custom",
            "content_type": "filesystem" if is_container else "block",
            "config": {"size": f"{size_gib}GiB", MARK: self._names.deployment, volumes.MACHINE: spec.name},
        }
        target = spec.member if opened.members else ""
        try:
            opened.client.send("POST", path_of("storage-pools", self._pool, "volumes", "custom"), body, target=target)
        except IncusError as error:
            if not error.exists:
                raise said(error) from error
        device = {"type": "disk", "pool": self._pool, "source": name}
        # A block device of its own only a virtual machine can have; a container gets the disk mounted.
        return device | ({"path": f"/mnt/{disk_key}"} if is_container else {})

    def _finish_create(self, spec: MachineSpec, bridge: str, operation: str) -> None:
        client = self._open().client
        try:
            if operation:
                client.wait(operation, _CREATE_LIMIT_S)
        except IncusError as error:
            if NO_NETWORK in error.text.lower():
                raise
            if error.exists or error.missing:
                self._adopt(spec)  # another process's call was first, or the daemon started anew meanwhile
                return
            if not (spec.image.own and QUOTA in error.text.lower()):
                raise said(error) from error
            self._make_full(spec, bridge)

    def _make_full(self, spec: MachineSpec, bridge: str) -> None:
        """Of an image whose guest had filled its disk: the server's own files found no place."""
        opened = self._open()
        if self._ours(spec.name) is None:
            body = self._body(spec, bridge) | {"source": opened.source(spec.image), "start": False}
            body["devices"]["root"]["size"] = opened.room.spared(spec.system_disk.size_gib)
            target = spec.member if opened.members else ""
            opened.client.send("POST", "/1.0/instances", body, target=target, limit_s=_CREATE_LIMIT_S)
        self._adopt(spec)

    def _adopt(self, spec: MachineSpec) -> None:
        """The name exists: wait for whoever is making it, start it, or begin anew what never came to run."""
        client = self._open().client
        self._await_operations(spec.name)
        found = self._ours(spec.name)
        if found is None:
            raise EngineError("The machine's making was interrupted.", transient=True, detail=spec.name)
        if found["status"] == "Running":
            return
        try:
            self._open().room.during(spec.name, lambda: self._start(spec.name))
        except EngineError:
            if records.LAST_POWER in found["config"]:
                raise
            # It never ran: a torso of an interrupted making, with nothing of the customer's on it.
            with contextlib.suppress(IncusError):
                client.send("DELETE", path_of("instances", spec.name))
            raise

    def _await_operations(self, name: str) -> None:
        for operation in self._running_operations(name):
            with contextlib.suppress(IncusError):
                self._open().client.wait(operation, _CREATE_LIMIT_S)

    def _running_operations(self, name: str) -> list[str]:
        listed = self._open().client.get("/1.0/operations", recursion=1)
        operations = listed.get("running", []) if isinstance(listed, dict) else []
        wanted = path_of("instances", name)
        return [
            path_of("operations", found["id"])
            for found in operations
            if any(wanted in path.split("?")[0] for paths in (found.get("resources") or {}).values() for path in paths)
        ]

    def _guard(self, spec: MachineSpec) -> None:
        opened = self._open()
        if opened.firewall is not None and not opened.why_no_groups:
            opened.firewall.ensure_rules([Guarded(spec.private_ip, spec.rules)])

    def _connect(self, spec: MachineSpec, bridge: str, *, new: bool) -> None:
        opened = self._open()
        if spec.public_address is None:
            return
        member = spec.member if opened.members else ""
        self._lead(spec.name, bridge, spec.private_ip, spec.public_address, new=new, member=member)

    def _lead(self, name: str, bridge: str, private_ip: str, address: PublicAddress, *, new: bool, member: str) -> None:
        opened = self._open()
        if opened.firewall is not None:
            leave = Leave(name, private_ip, address.ip, address.bandwidth_mbps)
            opened.firewall.ensure_leave(leave, new=new)
        opened.networks.ensure_forward(bridge, name, address.ip, private_ip, member)

    # -- power ---------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        found = self._ours(name)
        if found is not None and found["status"] != "Running":
            self._change_state(name, "start", limit_s=60)

    def _stop(self, name: str, *, force: bool) -> None:
        found = self._ours(name)
        if found is None or found["status"] == "Stopped":
            return
        for patience_s in () if force else _STOP_GUEST_S:
            with contextlib.suppress(IncusError):
                self._change_state(name, "stop", limit_s=patience_s + 15, timeout=patience_s)
                return
        found = self._ours(name)
        if found is not None and found["status"] != "Stopped":
            self._change_state(name, "stop", limit_s=60, force=True, timeout=20)

    def _change_state(self, name: str, action: str, *, limit_s: float, force: bool = False, timeout: int = -1) -> None:
        body = {"action": action, "force": force, "timeout": timeout}
        wanted = "Running" if action == "start" else "Stopped"
        try:
            self._open().client.send("PUT", path_of("instances", name, "state"), body, limit_s=limit_s)
        except IncusError:
            found = self._ours(name)
            if found is not None and found["status"] == wanted:
                return  # an earlier call, or the guest itself, was first
            raise

    # -- reading -------------------------------------------------------------------------------

    def _ours(self, name: str) -> dict[str, Any] | None:
        found = self._open().client.find(path_of("instances", name))
        if found is not None and found["config"].get(MARK) != self._names.deployment:
            raise EngineError("The machine's name is taken on the engine.", transient=False, detail=name)
        return found

    def _present(self, name: str) -> dict[str, Any]:
        found = self._ours(name)
        if found is None:
            raise EngineError("The machine does not exist.", transient=False, detail=name)
        return found

    def _all(self) -> list[dict[str, Any]]:
        listed = self._open().client.get("/1.0/instances", recursion=1)
        return [found for found in listed if (found.get("config") or {}).get(MARK) == self._names.deployment]

    def _observation(self, found: Mapping[str, Any], booted_at: dt.datetime | None) -> Observation:
        power = _POWER.get(found["status"], Power.BROKEN)
        return Observation(
            name=found["name"],
            power=power,
            kind=found["type"],
            member=found["location"] if self._open().members else LOCAL_MEMBER,
            private_ip=found["config"].get(records.PRIVATE_IP, ""),
            booted_at=booted_at if power is Power.RUNNING else None,
            public_ip=found["config"].get("user.vmart.public_ip", ""),
            installation=records.installation(found),
            rules=records.rules_of(text).digest() if (text := found["config"].get(records.RULES)) else "",
        )

    def _target(self, found: Mapping[str, Any]) -> str:
        return str(found["location"]) if self._open().members else ""

    def _remove_volumes(self, machine: str) -> None:
        client = self._open().client
        for volume in client.get(path_of("storage-pools", self._pool, "volumes", "custom"), recursion=1):
            config = volume.get("config") or {}
            ours = config.get(MARK) == self._names.deployment and config.get(volumes.MACHINE) == machine
            if ours and volumes.DISK not in config:
                path = path_of("storage-pools", self._pool, "volumes", "custom", volume["name"])
                client.send("DELETE", path, target=volume["location"] if self._open().members else "")

    def _see_to_table(self) -> None:
        """The host started anew, or somebody flushed its packet filter: what is to be there is in the engine's list."""
        opened = self._open()
        if opened.firewall is not None and not opened.firewall.is_whole():
            opened.firewall.rebuild(
                lambda: (opened.networks.bridges(), map(records.leave_of, self._leaving()), self._all_guarded())
            )
            opened.networks.watch_all()
            opened.networks.write_forwards_again()

    def _leaving(self) -> list[dict[str, Any]]:
        return [found for found in self._all() if found["config"].get("user.vmart.public_ip")]

    def _all_guarded(self) -> list[Guarded]:
        if self._open().why_no_groups:
            return []
        return [
            records.guarded(found, records.rules_of(text))
            for found in self._all()
            if (text := found["config"].get(records.RULES))
        ]

    @contextlib.contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            yield
        except IncusError as error:
            raise said(error) from error

    # -- opening -------------------------------------------------------------------------------

    def _open(self) -> Opened:
        """Looked at once a process: server, members, rights. A failure is not kept."""
        if self._opened is None:
            self._opened = Opened(self._settings, self._names)
        return self._opened
