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
    Foreign,
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
    Usage,
    Volume,
    driver,
    turns_off_for,
    turns_off_to_grow_a_disk,
)
from vmart.engines.incus import capability, capacity, console, copies, links, records, rescue, seed
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.firewall import Leave
from vmart.engines.incus.groups import Guarded
from vmart.engines.incus.guest import Guest
from vmart.engines.incus.host import LOCAL_MEMBER, names_of_deployment
from vmart.engines.incus.opened import Opened
from vmart.engines.incus.refusals import said
from vmart.engines.optional import ConsoleLine
from vmart.engines.rules import OPEN, MachineRules

# Pools in which all containers share one file system: `df` in each shows the whole of it.
_SHOWN_WHOLE = ("btrfs", "dir")


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
        self._wire: IncusClient | None = None

    # -- what it is ----------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        """Asked first and most often: so it also sees to it that the host's table says what the engine's list says."""
        opened = self._open()
        self._see_to_table()
        shown_gib = 0
        if opened.kind == "container" and opened.pool_driver in _SHOWN_WHOLE:
            shown_gib = -(-capacity.space(opened.client, opened.pool, "")["total"] >> 30)  # rounded up, as `df -h` does
        return capability.of_server(
            opened.server, opened.kind, opened.why_no_firewall, opened.why_no_groups,
            why_no_ipv6=opened.why_no_ipv6, pool_driver=opened.pool_driver, why_no_rescue=opened.why_no_rescue,
            df_shows_gib=shown_gib,
        )  # fmt: skip

    def capacity(self) -> Sequence[MemberCapacity]:
        opened = self._open()
        return capacity.of_members(opened.client, opened.pool, is_cluster=bool(opened.members))

    def ensure_image(self, image: ImageSpec) -> ImageState:
        return self._open().images.ensure(image)

    # -- machines ------------------------------------------------------------------------------

    def ensure_present(self, spec: MachineSpec) -> Observation:
        return self._made(spec, new=True)

    def ensure_reinstalled(self, spec: MachineSpec) -> Observation:
        """The machine is made anew around its data volumes: what says so is in the new one from its first moment."""
        room, machines = self._open().room, self._open().machines
        if self._is_older(spec):
            self._see_to_image(spec.image)
            with self._saying():
                room.at_its_end(spec.name, lambda: machines.stop(spec.name, force=False))
        if self._is_older(spec):  # while its guest was stopping, another process may have made the new one
            with self._saying():
                room.at_its_end(spec.name, lambda: machines.delete(spec.name))
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

    def _made(self, spec: MachineSpec, *, new: bool) -> Observation:
        """``new``: nothing of it can stand in the host's table."""
        opened = self._open()
        if spec.public_address is not None and spec.public_address.ipv6:
            self._refuse_ipv6()
        for attempt in (1, 2):
            bridge = opened.networks.ensure_bridge(spec.subnet, opened.members).name
            try:
                found = self._ours(spec.name)
                self._guard(spec, found)  # before it can speak
                if found is not None:
                    opened.making.adopt(spec)
                    self._connect(spec, bridge, new=False)
                else:
                    operation = opened.making.begin(spec, bridge)
                    # The way in and out is made while the machine boots.
                    self._connect(spec, bridge, new=new)
                    opened.making.finish(spec, bridge, operation)
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
        room, machines = self._open().room, self._open().machines
        with self._saying():
            room.during(name, lambda: machines.start(name) if on else machines.stop(name, force=force))
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
        known = found or opened.rescue.aside(name)
        bridge = records.bridge_of(found) if found else ""
        if bridge:
            opened.networks.remove_forwards(bridge, name)
        if opened.firewall is not None:
            opened.firewall.forget_leave(name, keep_counter=False)
            if known is not None:
                opened.firewall.forget_rules(records.guarded(known, OPEN).addresses)
        if found is not None:
            with self._saying():
                opened.room.at_its_end(name, lambda: opened.machines.stop(name, force=True))
            with contextlib.suppress(IncusError):
                opened.room.at_its_end(name, lambda: opened.machines.delete(name))
            left = self._ours(name)
            if left is not None:
                raise EngineError("The machine could not be removed.", transient=True, detail=left["status"])
        with self._saying():
            opened.copies.remove_beside(name)
            opened.rescue.remove(name)
        if not bridge or (found is not None and records.data_volumes(found)):
            opened.volumes.remove_of_machine(name)
        if bridge:
            opened.networks.remove_if_empty(bridge)
        else:  # nothing of it is there, or its own system was being put aside
            opened.networks.remove_machine(name)

    def ensure_address(self, name: str, private_ip: str, address: PublicAddress | None) -> None:
        opened = self._open()
        if address is None and self._is_put_aside(name):
            opened.networks.remove_machine(name)
            if opened.firewall is not None:
                opened.firewall.forget_leave(name, keep_counter=True)
            return
        found = self._present(name)
        bridge = records.bridge_of(found)
        if address is not None:
            self._link(found, address.ipv6)
        change = {"config": records.address_config(address)}
        with self._saying():
            opened.room.during(name, lambda: opened.client.send("PATCH", path_of("instances", name), change))
        opened.networks.remove_forwards(bridge, name, but=address.ip if address else "")
        if address is not None:
            self._lead(name, bridge, private_ip, address, new=False, member=opened.machines.target(found))
        elif opened.firewall is not None:
            opened.firewall.forget_leave(name, keep_counter=True)

    def ensure_network(self, spec: MachineSpec, *, on: bool) -> None:
        opened, found = self._open(), self._present(spec.name)
        with self._saying():
            bridge = opened.networks.ensure_bridge(spec.subnet, opened.members).name
            self._guard(spec, found)  # before it can speak
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
            opened.room.during(spec.name, lambda: opened.machines.start(spec.name))  # it makes the change itself
        with self._inside(spec.name) as guest:
            guest.set_network(config)
        opened.room.during(spec.name, lambda: opened.machines.stop(spec.name, force=False))
        if opened.firewall is not None and found["config"][records.PRIVATE_IP] != spec.private_ip:
            opened.firewall.forget_rules([found["config"][records.PRIVATE_IP]])
        change = {
            "config": {"cloud-init.network-config": config, **records.network_config(spec)},
            "devices": {"eth0": opened.making.nic(spec, bridge)},
        }
        opened.room.during(spec.name, lambda: opened.client.send("PATCH", path_of("instances", spec.name), change))

    def ensure_rules(self, rules: Mapping[str, MachineRules]) -> None:
        opened = self._open()
        if opened.firewall is None or opened.why_no_groups:
            raise EngineError("Security groups do not hold in this zone.", transient=False)
        found = [record for record in opened.machines.all() if record["name"] in rules]
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
            self._open().machines.stop(name, force=False)
        # The server shares out CPUs while it still writes the number down, and may go by the number of before (6.0). So
        # it is told twice: what it goes by the second time is the same number, written otherwise.
        for told in (config | {"limits.cpu": "0" + config["limits.cpu"]}, config):
            self._open().client.send("PATCH", path_of("instances", name), {"config": told})

    def ensure_disk_size(self, name: str, disk: str, size_gib: int, *, is_system: bool, on: bool) -> None:
        found = self._present(name)
        with self._saying():
            if turns_off_to_grow_a_disk(found["type"]):
                self._open().machines.stop(name, force=False)
            if is_system:
                self._open().room.grow(name, size_gib)
            else:
                self._open().volumes.grow_of_machine(disk, size_gib, self._open().machines.target(found))
        if on:
            self.ensure_power(name, True)

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
        if disk is None or disk.member != opened.machines.target(found):
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
        self._without_device(found, volume)

    def list_volumes(self) -> Sequence[Volume]:
        local = "" if self._open().members else LOCAL_MEMBER
        return [replace(found, member=found.member or local) for found in self._open().volumes.all()]

    # -- customers' images ---------------------------------------------------------------------

    def ensure_image_of(self, name: str, snapshot: str, user: str) -> OwnImage:
        opened = self._open()
        with self._saying():
            return opened.own_images.made(name) or opened.own_images.make(name, opened.copies.machine(snapshot), user)

    def ensure_image_imported(self, name: str, system: Foreign, user: str, member: str) -> OwnImage:
        opened = self._open()
        with self._saying():
            return opened.own_images.made(name) or opened.imports.make(name, system, user, member)

    def ensure_image_absent(self, name: str) -> None:
        with self._saying():
            self._open().own_images.remove(name)
            self._open().imports.forget(name)

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
            opened.machines.await_operations(spec.name)  # of an interrupted call
            found = self._ours(spec.name)
            opened.copies.refuse_missing(snapshot)
            if found is not None and found["status"] != "Stopped":
                raise EngineError("The machine is running.", transient=False, detail=spec.name)
            bridge = opened.networks.ensure_bridge(spec.subnet, opened.members).name
            self._guard(spec, found)
            body, member = opened.making.body(spec, bridge), spec.member if opened.members else ""
            if not copies.is_given(found, spec.restoration):
                # What the machine has goes only when what it is to have is there.
                opened.copies.ensure_beside(snapshot, body, spec.system_disk.size_gib, member, spec.restoration)
                if found is not None:
                    opened.room.at_its_end(spec.name, lambda: opened.machines.delete(spec.name))
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

    # -- the rescue mode -----------------------------------------------------------------------

    def ensure_rescue(self, spec: MachineSpec, *, force: bool = False) -> Observation:
        opened, found = self._open(), self._ours(spec.name)
        if rescue.has_come(found, spec.rescue + 1):
            return self.observe(spec.name)
        if not rescue.has_come(found, spec.rescue):
            if opened.why_no_rescue:
                raise EngineError(opened.why_no_rescue, transient=False)
            self._see_to_image(spec.image)
            with self._saying():
                opened.rescue.put_aside(spec.name, spec.rescue, force=force)
        return self._made(spec, new=False)

    def ensure_own_system(self, spec: MachineSpec, *, on: bool) -> Observation:
        opened, found = self._open(), self._ours(spec.name)
        if found is None and opened.rescue.aside(spec.name) is None:
            return Observation(spec.name, Power.ABSENT)
        if rescue.has_come(found, spec.rescue + 1):
            return self.observe(spec.name)
        with self._saying():
            bridge = opened.networks.ensure_bridge(spec.subnet, opened.members).name
            self._guard(spec, found)
            if not rescue.has_come(found, spec.rescue):
                opened.rescue.bring_back(opened.making.body(spec, bridge))
            self._connect(spec, bridge, new=False)
        return self.ensure_power(spec.name, on)

    def _is_put_aside(self, name: str) -> bool:
        """Its own system is all there is of it, off and on no network: a way in or out was interrupted."""
        found = self._ours(name) or self._open().rescue.aside(name)
        return found is not None and bool(found["config"].get(records.ROLE))

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
        """A machine of which only its own system is there, put aside, is off, not absent: nothing is lost."""
        found = self._ours(name) or self._open().rescue.aside(name)
        if found is None:
            return Observation(name, Power.ABSENT)
        return replace(self._open().machines.observe(found), name=name)

    def list_ours(self) -> Sequence[Observation]:
        self._see_to_table()
        machines = self._open().machines
        ours = [found for found in machines.all() if not found["config"].get(records.ROLE)]
        return [machines.observation(found, records.instant(found.get(records.LAST_USED, ""))) for found in ours]

    def counters(self, names: Iterable[str]) -> dict[str, ByteCount]:
        opened = self._open()
        if opened.firewall is None:
            return {}
        self._see_to_table()
        counts = opened.firewall.counts()
        return {name: ByteCount(name, *counts[name]) for name in names if name in counts}

    def usage(self) -> Sequence[Usage]:
        opened = self._open()
        ours = [found for found in opened.machines.all() if not found["config"].get(records.ROLE)]
        running = {found["name"]: found for found in ours if found["status"] == "Running"}
        counts = opened.firewall.counts() if opened.firewall is not None and running else {}
        return opened.used.of(running, {name: bytes_ for name, (bytes_, _epoch) in counts.items()}) if running else []

    def changes(self) -> AbstractContextManager[Callable[[float], str | None]]:
        from vmart.engines.incus import events  # only who listens loads it

        return events.changes(self._open().client)

    def leave_host(self) -> None:
        """Take our table off the host when the last machine is gone. No verb: for the end of a deployment."""
        opened = self._open()
        for found in opened.machines.all():
            if found["config"].get(records.ROLE):
                opened.machines.delete_helper(found["name"])
        if opened.firewall is not None and not opened.machines.all():
            opened.firewall.remove_table()

    # -- their ways in and out -----------------------------------------------------------------

    def _guard(self, spec: MachineSpec, found: Mapping[str, Any] | None) -> None:
        """Its rules hold at the addresses of the spec, and at what it has on its link while nothing leads there."""
        opened = self._open()
        if opened.firewall is not None and not opened.why_no_groups:
            ipv6 = spec.public_address.ipv6 if spec.public_address else records.link_address(found) if found else ""
            if ipv6:
                links.see_to_host(opened.firewall.ensure_base)
            opened.firewall.ensure_rules([Guarded(spec.private_ip, spec.rules, ipv6)])

    def _refuse_ipv6(self) -> None:
        if not self.capabilities().ipv6:
            raise EngineError("There are no IPv6 addresses in this zone.", transient=False)

    def _link(self, found: Mapping[str, Any], address: str) -> None:
        """The machine has the link with this address, or none for ""; its rules hold before it can speak.

        That this was done is written into its record afterwards: what was cut short is done again.
        """
        before = records.link_address(found)
        if address == before == found["config"].get(records.PUBLIC_IPV6, ""):
            return
        if before not in ("", address):
            self._unlink(found)
        if address:
            self._refuse_ipv6()
            self._plug(found, address)

    def _plug(self, found: Mapping[str, Any], address: str) -> None:
        opened, name = self._open(), found["name"]
        assert opened.firewall is not None
        links.see_to_host(opened.firewall.ensure_base)
        rules = records.rules_of(text) if (text := found["config"].get(records.RULES)) else OPEN
        opened.firewall.ensure_rules([Guarded(found["config"][records.PRIVATE_IP], rules, address)])
        change = {"devices": {records.LINK: links.device(self._names, name, address)}}
        if records.link_address(found) != address:
            with self._saying():
                opened.room.during(name, lambda: opened.client.send("PATCH", path_of("instances", name), change))
        if found["status"] != "Stopped":
            with self._inside(name) as guest:
                guest.set_link(address, links.GATEWAY)

    def _unlink(self, found: Mapping[str, Any]) -> None:
        self._without_device(found, records.LINK)
        if (firewall := self._open().firewall) is not None:
            firewall.forget_rules([records.link_address(found)])

    def _without_device(self, found: Mapping[str, Any], device: str) -> None:
        opened, name = self._open(), found["name"]
        whole = {key: found[key] for key in records.WRITTEN if key in found}
        whole["devices"] = {key: held for key, held in found["devices"].items() if key != device}
        with self._saying():
            opened.room.during(name, lambda: opened.client.send("PUT", path_of("instances", name), whole))

    def _connect(self, spec: MachineSpec, bridge: str, *, new: bool) -> None:
        opened = self._open()
        if spec.public_address is None:
            return
        member = spec.member if opened.members else ""
        self._lead(spec.name, bridge, spec.private_ip, spec.public_address, new=new, member=member)

    def _lead(self, name: str, bridge: str, private_ip: str, address: PublicAddress, *, new: bool, member: str) -> None:
        opened = self._open()
        if opened.firewall is not None:
            share = (address.share.key, address.share.mbps) if address.share else None
            leave = Leave(name, private_ip, address.ip, address.bandwidth_mbps, address.ipv6, share)
            opened.firewall.ensure_leave(leave, new=new)
        opened.networks.ensure_forward(bridge, name, address.ip, private_ip, member)

    def console(self, name: str, columns: int, rows: int) -> AbstractContextManager[ConsoleLine]:
        """Nothing but the wire is opened: whoever shows consoles need not know, nor may change, what the host has."""
        client = self._opened.client if self._opened else self._wire
        self._wire = client = client or IncusClient(self._settings)
        return console.attached(client, self._names, name, columns, rows)

    # -- reading -------------------------------------------------------------------------------

    def _ours(self, name: str) -> dict[str, Any] | None:
        return self._open().machines.found(name)

    def _present(self, name: str) -> dict[str, Any]:
        found = self._ours(name)
        if found is None:
            raise EngineError("The machine does not exist.", transient=False, detail=name)
        return found

    def _see_to_table(self) -> None:
        """The host started anew, or somebody flushed its packet filter: what is to be there is in the engine's list."""
        opened = self._open()
        if opened.firewall is not None and not opened.firewall.is_whole():
            if any(map(records.link_address, opened.machines.all())):
                links.see_to_host(opened.firewall.ensure_base)
            opened.firewall.rebuild(
                lambda: (opened.networks.bridges(), map(records.leave_of, self._leaving()), self._all_guarded())
            )
            opened.networks.see_to_all()
            opened.networks.write_forwards_again()

    def _leaving(self) -> list[dict[str, Any]]:
        return [found for found in self._open().machines.all() if found["config"].get("user.vmart.public_ip")]

    def _all_guarded(self) -> list[Guarded]:
        if self._open().why_no_groups:
            return []
        return [
            records.guarded(found, records.rules_of(text))
            for found in self._open().machines.all()
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
