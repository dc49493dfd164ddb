"""Disks as custom volumes of the pool: with a life of their own, marked with their public id, or of a machine."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from vmart.engines.contract import EngineError, Volume
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.host import Names
from vmart.engines.incus.network import MARK

MACHINE = "user.vmart.machine"  # of a machine's own data disk: the machine
DISK = "user.vmart.disk"  # of one that has a life of its own: its public id; without it, it goes with its machine
_MOVE_LIMIT_S = 3600.0


class Volumes:
    """``Volume.member`` is "" on a server that is no cluster."""

    def __init__(self, client: IncusClient, pool: str, names: Names, kind: str, *, is_cluster: bool) -> None:
        self._client, self._pool, self._names, self._is_cluster = client, pool, names, is_cluster
        # A block device of its own only a virtual machine can have; a container gets the disk mounted.
        self._content = "filesystem" if kind == "container" else "block"

    def all(self) -> Iterator[Volume]:
        """Those of this deployment."""
        for found in self._client.get(self._path(), recursion=1):
            config = found.get("config") or {}
            if config.get(MARK) == self._names.deployment and DISK in config:
                yield self._volume(config, found)

    def found(self, name: str) -> Volume | None:
        """The disk with this public id, wherever it is."""
        return next((volume for volume in self.all() if volume.name == name), None)

    def ensure(self, name: str, size_gib: int, member: str) -> None:
        """It is on the member, at least so large."""
        found = self.found(name)
        if found is None:
            self._make(name, size_gib, member, {DISK: name})
            return
        if found.member != member:
            self._move(name, found, member)
        if found.size_gib < size_gib:
            config = {"size": f"{size_gib}GiB"}
            self._client.send("PATCH", self._path(name), {"config": config}, target=member)

    def keep(self, machine: str, name: str) -> bool:
        """The machine's own disk is one with a life of its own; whether it is there."""
        if self.found(name) is not None:
            return True
        volume = self._names.volume(name)
        for found in self._client.get(self._path(), recursion=1):
            config = found.get("config") or {}
            if (found["name"], config.get(MARK), config.get(MACHINE)) == (volume, self._names.deployment, machine):
                target = str(found["location"]) if self._is_cluster else ""
                self._client.send("PATCH", self._path(name), {"config": {DISK: name}}, target=target)
                return True
        return False

    def remove(self, name: str) -> None:
        """It is gone, unless a machine has it."""
        found = self.found(name)
        if found is None:
            return
        if found.machine:
            raise EngineError("A machine has the disk.", transient=True, detail=found.machine)
        try:
            self._client.send("DELETE", self._path(name), target=found.member)
        except IncusError as error:
            if not error.missing:
                raise

    def make_of_machine(self, machine: str, name: str, size_gib: int, member: str) -> None:
        """A data disk that goes with its machine. Raises IncusError."""
        self._make(name, size_gib, member, {MACHINE: machine})

    def grow_of_machine(self, name: str, size_gib: int, member: str) -> None:
        """It is at least so large."""
        if int(self._client.get(self._path(name), target=member)["config"]["size"].removesuffix("GiB")) < size_gib:
            self._client.send("PATCH", self._path(name), {"config": {"size": f"{size_gib}GiB"}}, target=member)

    def remove_of_machine(self, machine: str) -> None:
        """Those that go with it are gone."""
        for found in self._client.get(self._path(), recursion=1):
            config = found.get("config") or {}
            ours = config.get(MARK) == self._names.deployment and config.get(MACHINE) == machine
            if ours and DISK not in config:
                path = path_of("storage-pools", self._pool, "volumes", "custom", found["name"])
                self._client.send("DELETE", path, target=found["location"] if self._is_cluster else "")

    def device(self, name: str) -> dict[str, str]:
        """What a machine's record says of the disk that it has."""
        device = {"type": "disk", "pool": self._pool, "source": self._names.volume(name)}
        return device | ({"path": f"/mnt/{name}"} if self._content == "filesystem" else {})

    def _make(self, name: str, size_gib: int, member: str, whose: dict[str, str]) -> None:
        config = {"size": f"{size_gib}GiB", MARK: self._names.deployment, **whose}
        body = {
            "name": self._names.volume(name), "type": "custom", "content_type": self._content, "config": config,
        }  # fmt: skip
        try:
            self._client.send("POST", self._path(), body, target=member)
        except IncusError as error:
            if not error.exists:  # an earlier call, or another process's, was first
                raise

    def _move(self, name: str, found: Volume, member: str) -> None:
        """The server copies it, and removes it where it was when the copy is whole."""
        if found.machine:
            raise EngineError("A machine has the disk.", transient=True, detail=found.machine)
        body = {"name": self._names.volume(name), "pool": self._pool, "source": {"location": found.member}}
        self._client.send("POST", self._path(name), body, target=member, limit_s=_MOVE_LIMIT_S)

    def _path(self, name: str = "") -> str:
        own = [self._names.volume(name)] if name else []
        return path_of("storage-pools", self._pool, "volumes", "custom", *own)

    def _volume(self, config: dict[str, str], found: dict[str, Any]) -> Volume:
        users = [urlsplit(path).path.split("/") for path in found.get("used_by") or ()]
        machine = next((parts[3] for parts in users if parts[2:3] == ["instances"] and len(parts) == 4), "")
        member = str(found["location"]) if self._is_cluster else ""
        return Volume(config[DISK], int(config["size"].removesuffix("GiB")), member, machine)
