"""Snapshots: copies of disks that the server makes, each with its mark ``WHOLE`` only when it is.

A data disk's is a custom volume, a system disk's a stopped machine without network and other disks, for the server
turns no machine's volume into a custom one. One without its mark was left by an interrupted call, and is made again.
What a disk was to hold is noted with it (``RESTORATION``), when it does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from vmart.engines.contract import EngineError, HeldDisk, Snapshot
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.host import Names
from vmart.engines.incus.network import MARK
from vmart.engines.incus.records import RESTORATION, ROLE, WRITTEN
from vmart.engines.incus.refusals import QUOTA
from vmart.engines.incus.room import Room
from vmart.engines.incus.volumes import DISK, MACHINE, Volumes

SNAPSHOT = "user.vmart.snapshot"  # of a copy: the snapshot's public id
WHOLE = "user.vmart.whole"
_LIMIT_S = 3600.0
# The server writes files of its own into a container's volume; the guest may have filled what it was sold.
_SPARE_GIB = 1
# Only a quota goes down again when a machine is made of the copy; the server makes no block device smaller.
_QUOTAS = ("btrfs", "zfs", "dir")
# Of a copied machine's record, what belongs to its disk.
OF_DISK = ("volatile.", "image.", "security.")
# The server would write the machine's first seeds anew at its next start, and its host name.
TEMPLATES = "volatile.apply_template"


def spare_gib(kind: str, pool_driver: str) -> int:
    """By how much a system disk's copy is larger than the disk."""
    return _SPARE_GIB if kind == "container" and pool_driver in _QUOTAS else 0


class Copies:
    """Of one server; ``Snapshot.member`` is "" on one that is no cluster."""

    def __init__(
        self,
        client: IncusClient,
        pool: str,
        names: Names,
        volumes: Volumes,
        room: Room,
        *,
        is_cluster: bool,
        spare_gib: int,
    ) -> None:
        self._client, self._pool, self._names, self._volumes, self._room = client, pool, names, volumes, room
        self._is_cluster, self._spare_gib = is_cluster, spare_gib

    def all(self) -> Iterator[Snapshot]:
        """Those of this deployment, whole or not."""
        for found in self._custom():
            if SNAPSHOT in found["config"]:
                size_gib = int(found["config"]["size"].removesuffix("GiB"))
                yield Snapshot(found["config"][SNAPSHOT], size_gib, self._target(found))
        for found in self._client.get("/1.0/instances", recursion=1):
            config = found.get("config") or {}
            if config.get(MARK) == self._names.deployment and config.get(SNAPSHOT):
                size_gib = int(found["devices"]["root"]["size"].removesuffix("GiB")) - self._spare_gib
                yield Snapshot(config[SNAPSHOT], size_gib, self._target(found))

    def ensure(self, name: str, disk: HeldDisk) -> None:
        """The copy is there and whole."""
        if disk.is_system:
            self._ensure_machine(name, disk)
        else:
            self._ensure_volume(name, disk)

    def remove(self, name: str) -> None:
        """No copy is there, whole or not."""
        self._delete_machine(name)
        self._delete_volume(self._volume(self._names.volume(name)))

    def refuse_missing(self, name: str) -> None:
        """Raise EngineError where no whole copy of a system disk has this name."""
        self.machine(name)

    def machine(self, name: str) -> dict[str, Any]:
        """The server's record of a whole copy of a system disk. Raises EngineError where there is none."""
        found = self._machine(name)
        if found is None or not found["config"].get(WHOLE):
            raise _not_there(name)
        return found

    def ensure_beside(self, name: str, body: dict[str, Any], size_gib: int, member: str, restoration: int) -> None:
        """A stopped machine beside the one that ``body`` says, without network and data disks, its disk a copy of the
        copy. One that is whole, of an interrupted call, stays."""
        beside = _beside(body["name"])
        if is_given(self._machine(beside), restoration):
            return
        self._delete_machine(beside)
        # Nothing by which it would be taken for the machine, nor of what stands in the copy's record.
        config = {key: value for key, value in body["config"].items() if not key.startswith("user.")}
        config |= {MARK: self._names.deployment, ROLE: "beside", SNAPSHOT: "", WHOLE: ""}
        made = {
            "name": beside, "config": config,
            "devices": {"root": body["devices"]["root"]},
            "source": {"type": "copy", "source": name, "instance_only": True}, "start": False,
        }  # fmt: skip
        self._make_machine(body | made, size_gib, member)
        self._client.send("PATCH", _instance_path(beside), {"config": {WHOLE: str(restoration)}})

    def put_in_place(self, body: Mapping[str, Any]) -> None:
        """What was made beside has the machine's network, data disks and then its name, where that is gone.

        The name comes last: whatever has it is whole, also where a call before fails for good.
        """
        beside, name = _beside(body["name"]), body["name"]
        renamed = self._machine(beside) is None
        # Its root disk may have got room that is not to be taken back in one step.
        devices = {device: one for device, one in body["devices"].items() if device != "root"}
        config = {key: value for key, value in body["config"].items() if key not in (WHOLE, RESTORATION)}
        change = {"config": config | {ROLE: ""}, "devices": devices}
        if renamed:
            self._room.during(name, lambda: self._client.send("PATCH", _instance_path(name), change))
            return
        # Room that a full disk was made with is left to the new name, whose next act takes it back.
        self._room.at_its_end(beside, lambda: self._client.send("PATCH", _instance_path(beside), change))
        self._room.at_its_end(beside, lambda: self._client.send("POST", _instance_path(beside), {"name": name}))

    def remove_beside(self, machine: str) -> None:
        """Nothing is left of a restoration that was given up."""
        self._delete_machine(_beside(machine))

    def _make_machine(self, body: dict[str, Any], size_gib: int, member: str) -> None:
        try:
            self._client.send("POST", "/1.0/instances", body, target=member, limit_s=_LIMIT_S)
        except IncusError as error:
            if QUOTA not in error.text.lower():
                raise
            # Its guest had filled it: the server's own files found no place.
            root = body["devices"]["root"] | {"size": self._room.spared(size_gib)}
            body = body | {"devices": {"root": root}}
            self._client.send("POST", "/1.0/instances", body, target=member, limit_s=_LIMIT_S)

    def restore_volume(self, disk: HeldDisk, snapshot: str, restoration: int) -> None:
        """The data disk is a copy of the copy: removed, and made again, as often as ``restoration`` says."""
        volume = self._names.volume(disk.name)
        found = self._volume(volume)
        if found is None or int(found["config"].get(RESTORATION) or 0) < restoration:
            copy = self._volume(self._names.volume(snapshot))
            if copy is None or WHOLE not in copy["config"]:
                raise _not_there(snapshot)
            self._take_off(disk)
            self._delete_volume(found)
            marks = {MACHINE: disk.machine} if disk.machine else {DISK: disk.name}
            member = disk.member if self._is_cluster else ""
            self._copy(copy, volume, disk.size_gib, member, marks)
            self._client.send("PATCH", self._path(volume), {"config": {RESTORATION: str(restoration)}}, target=member)
        self._put_back(disk)

    # -- data disks ----------------------------------------------------------------------------

    def _ensure_volume(self, name: str, disk: HeldDisk) -> None:
        volume = self._names.volume(name)
        found = self._volume(volume)
        if found is not None and WHOLE in found["config"]:
            return
        self._delete_volume(found)
        source = self._volume(self._names.volume(disk.name))
        if source is None:
            raise EngineError("The disk is not there.", transient=False, detail=disk.name)
        member = self._target(source)
        self._copy(source, volume, disk.size_gib, member, {SNAPSHOT: name})
        self._client.send("PATCH", self._path(volume), {"config": {WHOLE: "true"}}, target=member)

    def _copy(
        self, source: Mapping[str, Any], volume: str, size_gib: int, member: str, marks: Mapping[str, str]
    ) -> None:
        """With what the source's record says of what is on it: how its owners' numbers are shifted, say."""
        ours = ("user.", "volatile.uuid", "size")
        kept = {name: value for name, value in source["config"].items() if not name.startswith(ours)}
        config = kept | {"size": f"{size_gib}GiB", MARK: self._names.deployment} | dict(marks)
        origin: dict[str, object] = {
            "type": "copy", "pool": self._pool, "name": source["name"], "volume_only": True,
        }  # fmt: skip
        if self._target(source) != member:
            origin["location"] = self._target(source)
        body = {
            "name": volume, "type": "custom", "content_type": source["content_type"], "config": config,
            "source": origin,
        }  # fmt: skip
        self._client.send("POST", self._path(), body, target=member, limit_s=_LIMIT_S)

    def _take_off(self, disk: HeldDisk) -> None:
        """A volume that a record names cannot be removed."""
        machine = self._instance(disk.machine)
        used = self._volumes.found(disk.name) if not disk.machine else None
        if (machine is not None and machine["status"] != "Stopped") or (used is not None and used.machine):
            raise EngineError("A machine has the disk.", transient=False, detail=disk.name)
        device = self._device_name(disk)
        if machine is not None and device in machine["devices"]:
            whole = {name: machine[name] for name in WRITTEN if name in machine}
            whole["devices"] = {name: one for name, one in machine["devices"].items() if name != device}
            self._room.during(disk.machine, lambda: self._client.send("PUT", _instance_path(disk.machine), whole))

    def _put_back(self, disk: HeldDisk) -> None:
        machine = self._instance(disk.machine)
        device = self._device_name(disk)
        if machine is not None and device not in machine["devices"]:
            change = {"devices": {device: self._volumes.device(disk.name)}}
            self._room.during(disk.machine, lambda: self._client.send("PATCH", _instance_path(disk.machine), change))

    def _device_name(self, disk: HeldDisk) -> str:
        return device_name(self._names.volume(disk.name))

    def _delete_volume(self, found: Mapping[str, Any] | None) -> None:
        if found is not None:
            self._client.send("DELETE", self._path(found["name"]), target=self._target(found))

    # -- system disks --------------------------------------------------------------------------

    def _ensure_machine(self, name: str, disk: HeldDisk) -> None:
        found = self._machine(name)
        if found is not None and found["config"].get(WHOLE):
            return
        self._delete_machine(name)
        source = self._instance(disk.machine)
        if source is None:
            raise EngineError("The disk is not there.", transient=False, detail=disk.name)
        root = source["devices"]["root"] | {"size": f"{disk.size_gib + self._spare_gib}GiB"}
        marks = {MARK: self._names.deployment, ROLE: "snapshot", SNAPSHOT: name}
        nothing = {key: "" for key in source["config"] if key.startswith("user.")}
        body = {
            "name": name, "type": source["type"], "profiles": [], "config": nothing | marks,
            "devices": {device: {"type": "none"} for device in source["devices"]} | {"root": root},
            "source": {"type": "copy", "source": disk.machine, "instance_only": True}, "start": False,
        }  # fmt: skip
        self._client.send("POST", "/1.0/instances", body, target=self._target(source), limit_s=_LIMIT_S)
        self._make_whole(name, root, marks)

    def _make_whole(self, name: str, root: Mapping[str, str], marks: Mapping[str, str]) -> None:
        """Nothing is left in its record of the machine that it was copied of, but what belongs to its disk."""
        made = self._client.get(_instance_path(name))
        kept = {key: value for key, value in made["config"].items() if key.startswith(OF_DISK) and key != TEMPLATES}
        whole = {key: made[key] for key in WRITTEN if key in made}
        whole |= {"config": kept | dict(marks) | {WHOLE: "true"}, "devices": {"root": root}}
        self._client.send("PUT", _instance_path(name), whole)

    def _delete_machine(self, name: str) -> None:
        if self._machine(name) is not None:
            self._client.send("DELETE", _instance_path(name))

    # -- reading -------------------------------------------------------------------------------

    def _machine(self, name: str) -> dict[str, Any] | None:
        """The copy of a system disk that has this name, whole or not."""
        found = self._instance(name)
        return found if found is not None and found["config"].get(MARK) == self._names.deployment else None

    def _instance(self, name: str) -> dict[str, Any] | None:
        return self._client.find(_instance_path(name)) if name else None

    def _custom(self) -> Iterator[dict[str, Any]]:
        for found in self._client.get(self._path(), recursion=1):
            if (found.get("config") or {}).get(MARK) == self._names.deployment:
                yield found

    def _volume(self, volume: str) -> dict[str, Any] | None:
        return next((found for found in self._custom() if found["name"] == volume), None)

    def _target(self, found: Mapping[str, Any]) -> str:
        return str(found["location"]) if self._is_cluster else ""

    def _path(self, *volume: str) -> str:
        return path_of("storage-pools", self._pool, "volumes", "custom", *volume)


def device_name(volume: str) -> str:
    """What a machine's record calls a data disk that was bought with it."""
    return f"data-{volume[-12:]}"


def is_given(found: Mapping[str, Any] | None, restoration: int) -> bool:
    """Whether this was made beside its machine for this restoration, and is whole; in its place by now or not."""
    return found is not None and found["config"].get(WHOLE) == str(restoration)


def _beside(machine: str) -> str:
    return f"{machine}-r"


def _instance_path(name: str) -> str:
    return path_of("instances", name)


def _not_there(name: str) -> EngineError:
    return EngineError("The snapshot is not there.", transient=False, detail=name)
