"""A machine's own system put aside while a rescue system has its name, its addresses and its data disks (ADR 0059).

It lies beside as an instance of its own that is off, without network and other disks. The rescue system has its root
folder mounted: the server attaches no machine's volume to another, but a folder of the host's it does.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmart.engines.contract import RESCUED_AT, EngineError
from vmart.engines.incus import records
from vmart.engines.incus.client import IncusClient, path_of
from vmart.engines.incus.copies import OF_DISK, TEMPLATES
from vmart.engines.incus.host import Names
from vmart.engines.incus.machines import Machines
from vmart.engines.incus.network import MARK
from vmart.engines.incus.room import Room

_ASIDE = "aside"
# What is known of its disk stays with it.
_OF_SYSTEM = (records.INSTALLATION, records.RESTORATION, records.PRIVATE_IP)
_SHIFTED = "volatile.last_state.idmap"  # how the numbers of owners are shifted on the disk itself
_NOT_SHIFTED = ("", "[]", "null")


class Rescue:
    """Of one server. ``state_dir``: its folder on this host, None where that is not known."""

    def __init__(
        self, client: IncusClient, pool: str, names: Names, *, machines: Machines, room: Room, state_dir: Path | None
    ) -> None:
        self._client, self._pool, self._names, self._machines, self._room = client, pool, names, machines, room
        self._state_dir = state_dir

    def device(self, machine: str) -> dict[str, str]:
        """What a rescue system's record says of the machine's own disk."""
        assert self._state_dir is not None
        project = "" if self._client.project == "default" else f"{self._client.project}_"
        folder = (
            self._state_dir / "storage-pools" / self._pool / "containers" / f"{project}{_aside(machine)}" / "rootfs"
        )
        return {"type": "disk", "source": str(folder), "path": RESCUED_AT, "shift": "true"}

    def aside(self, machine: str) -> dict[str, Any] | None:
        """The server's record of the machine's own system, where that is put aside."""
        return self._machines.found(_aside(machine))

    def put_aside(self, machine: str, number: int, *, force: bool) -> None:
        """Nothing has the machine's name. Raises EngineError where its own system is not there."""
        self._machines.await_operations(machine)
        found, aside = self._machines.found(machine), self.aside(machine)
        if found is None and aside is None:
            raise EngineError("The machine is not found on its host.", transient=True, detail=machine)
        if found is None:
            return
        if aside is not None:  # an earlier rescue system
            self._end(machine)
            return
        if found["config"].get(_SHIFTED, "") not in _NOT_SHIFTED:
            raise EngineError("Its system disk cannot be attached to a rescue system.", transient=False, detail=machine)
        self._room.at_its_end(machine, lambda: self._machines.stop(machine, force=force))
        self._room.at_its_end(machine, lambda: self._mark(machine, number))
        self._room.at_its_end(machine, lambda: self._rename(machine, _aside(machine)))

    def bring_back(self, body: Mapping[str, Any]) -> None:
        """The own system has the machine's name, network and data disks. Raises EngineError where it is not there."""
        machine = str(body["name"])
        self._machines.await_operations(machine)
        found, aside = self._machines.found(machine), self.aside(machine)
        if aside is not None:
            if found is not None:
                self._end(machine)
            self._room.at_its_end(_aside(machine), lambda: self._rename(_aside(machine), machine))
        elif found is None or is_rescue(found):
            raise EngineError("The machine's own system disk is not found.", transient=True, detail=machine)
        elif not found["config"].get(records.ROLE):  # it was never put aside
            noted = {"config": {records.RESCUE: body["config"][records.RESCUE]}}
            self._room.during(machine, lambda: self._client.send("PATCH", path_of("instances", machine), noted))
            return
        # Its root disk may have got room that is not to be taken back in one step.
        devices = {device: one for device, one in body["devices"].items() if device != "root"}
        config = {key: value for key, value in body["config"].items() if key not in _OF_SYSTEM}
        config |= {records.PRIVATE_IP: body["config"][records.PRIVATE_IP], records.ROLE: "", TEMPLATES: ""}
        change = {"config": config, "devices": devices}
        self._room.during(machine, lambda: self._client.send("PATCH", path_of("instances", machine), change))

    def remove(self, machine: str) -> None:
        """The own system is gone too."""
        if self.aside(machine) is not None:
            self._room.at_its_end(_aside(machine), lambda: self._machines.delete(_aside(machine)))

    def _end(self, machine: str) -> None:
        """Of a rescue system; its guest is asked first, so that what it has in memory is written."""
        if self._is_rescue_now(machine):
            self._room.at_its_end(machine, lambda: self._machines.stop(machine, force=False))
        self._room.at_its_end(machine, lambda: self._delete(machine))

    def _delete(self, machine: str) -> None:
        """Looked at just before, each time: while the guest was stopping, or room was made, another worker may have put
        the own system back under this name.
        """
        if self._is_rescue_now(machine):
            self._machines.delete(machine)

    def _is_rescue_now(self, machine: str) -> bool:
        """False where nothing has the name. Raises EngineError where the own system may have it.

        The own system is looked for last: while that is aside, it is not what was found.
        """
        found, aside = self._machines.found(machine), self.aside(machine)
        if aside is None or (found is not None and records.rescue(found) % 2 == 0):
            raise EngineError("The machine may have its own system by now.", transient=True, detail=machine)
        return found is not None

    def _mark(self, machine: str, number: int) -> None:
        """Nothing is left in its record by which it would be taken for the machine, but what belongs to its disk."""
        found = self._client.get(path_of("instances", machine))
        # While its guest was stopping, another worker put the own system aside, or gave this way in up.
        if is_rescue(found) or records.rescue(found) > number:
            raise EngineError("The machine has gone on without this call.", transient=True, detail=machine)
        kept = {key: value for key, value in found["config"].items() if key.startswith(OF_DISK) or key in _OF_SYSTEM}
        marks = {MARK: self._names.deployment, records.ROLE: _ASIDE, records.RESCUE: str(number)}
        whole = {key: found[key] for key in records.WRITTEN if key in found}
        whole |= {"config": kept | marks, "devices": {"root": found["devices"]["root"]}}
        self._client.send("PUT", path_of("instances", machine), whole)

    def _rename(self, machine: str, name: str) -> None:
        self._client.send("POST", path_of("instances", machine), {"name": name})


def has_come(found: Mapping[str, Any] | None, number: int) -> bool:
    """Whether the machine has the system of this way in or out, or of a later one."""
    return found is not None and not found["config"].get(records.ROLE) and records.rescue(found) >= number


def is_rescue(found: Mapping[str, Any]) -> bool:
    """Whether this is a rescue system."""
    return not found["config"].get(records.ROLE) and records.rescue(found) % 2 == 1


def _aside(machine: str) -> str:
    return f"{machine}-own"
