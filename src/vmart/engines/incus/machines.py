"""Machines as the server has them: found among what is ours, seen, turned on and off, removed."""

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import Any

from vmart.engines.contract import EngineError, Observation, Power
from vmart.engines.incus import records
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.host import LOCAL_MEMBER, Names
from vmart.engines.incus.network import MARK

OPERATION_LIMIT_S = 180.0
# How long the guest may take to stop by itself. It is asked again each time: a guest that has only just
# begun to boot does not hear the first.
_STOP_GUEST_S = (4, 8, 15)

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


class Machines:
    """Of one deployment. What is found of one is the server's record of it."""

    def __init__(self, client: IncusClient, names: Names, *, is_cluster: bool) -> None:
        self._client, self._names, self._is_cluster = client, names, is_cluster

    # -- reading -------------------------------------------------------------------------------

    def found(self, name: str) -> dict[str, Any] | None:
        """The one of this name. Raises EngineError where the name is somebody else's."""
        found = self._client.find(path_of("instances", name))
        if found is not None and found["config"].get(MARK) != self._names.deployment:
            raise EngineError("The machine's name is taken on the engine.", transient=False, detail=name)
        return found

    def all(self) -> list[dict[str, Any]]:
        """Those of this deployment, with what is no customer's machine."""
        listed = self._client.get("/1.0/instances", recursion=1)
        return [found for found in listed if (found.get("config") or {}).get(MARK) == self._names.deployment]

    def target(self, found: Mapping[str, Any]) -> str:
        """Its member, as requests name it; "" on a server that is no cluster."""
        return str(found["location"]) if self._is_cluster else ""

    def observe(self, found: Mapping[str, Any]) -> Observation:
        """With the instant at which it was started, for which the server is asked."""
        booted_at = None
        if found["status"] == "Running":
            state = self._client.find(path_of("instances", found["name"], "state"))
            booted_at = records.instant((state or {}).get("started_at", ""))
        return self.observation(found, booted_at)

    def observation(self, found: Mapping[str, Any], booted_at: dt.datetime | None) -> Observation:
        """What its record says of it."""
        power = _POWER.get(found["status"], Power.BROKEN)
        return Observation(
            name=found["name"],
            power=power,
            kind=found["type"],
            member=found["location"] if self._is_cluster else LOCAL_MEMBER,
            private_ip=found["config"].get(records.PRIVATE_IP, ""),
            booted_at=booted_at if power is Power.RUNNING else None,
            public_ip=found["config"].get("user.vmart.public_ip", ""),
            installation=records.installation(found),
            rescue=records.rescue(found),
            rules=records.rules_of(text).digest() if (text := found["config"].get(records.RULES)) else "",
            public_ipv6=found["config"].get(records.PUBLIC_IPV6, ""),
        )

    # -- power ---------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """It runs, if it is there."""
        found = self.found(name)
        if found is not None and found["status"] != "Running":
            self._change_state(name, "start", limit_s=60)

    def stop(self, name: str, *, force: bool) -> None:
        """It is off; unless by ``force``, its guest is asked first."""
        found = self.found(name)
        if found is None or found["status"] == "Stopped":
            return
        for patience_s in () if force else _STOP_GUEST_S:
            with contextlib.suppress(IncusError):
                self._change_state(name, "stop", limit_s=patience_s + 15, timeout=patience_s)
                return
        found = self.found(name)
        if found is not None and found["status"] != "Stopped":
            self._change_state(name, "stop", limit_s=60, force=True, timeout=20)

    def _change_state(self, name: str, action: str, *, limit_s: float, force: bool = False, timeout: int = -1) -> None:
        body = {"action": action, "force": force, "timeout": timeout}
        wanted = "Running" if action == "start" else "Stopped"
        try:
            self._client.send("PUT", path_of("instances", name, "state"), body, limit_s=limit_s)
        except IncusError:
            found = self.found(name)
            if found is not None and found["status"] == wanted:
                return  # an earlier call, or the guest itself, was first
            raise

    # -- their end -----------------------------------------------------------------------------

    def delete(self, name: str) -> None:
        """It is gone. Raises IncusError."""
        self._client.send("DELETE", path_of("instances", name))

    def delete_helper(self, name: str) -> None:
        """A machine by which an image was being unpacked when its worker ended."""
        for operation in self._operations(name):
            with contextlib.suppress(EngineError):
                self._client.wait(operation, OPERATION_LIMIT_S)
        with contextlib.suppress(IncusError):
            self.delete(name)

    # -- what others are doing to them ---------------------------------------------------------

    def await_operations(self, name: str) -> None:
        """Nothing that was begun on it is under way any more."""
        for operation in self._operations(name):
            with contextlib.suppress(IncusError):
                self._client.wait(operation, OPERATION_LIMIT_S)

    def _operations(self, name: str) -> list[str]:
        listed = self._client.get("/1.0/operations", recursion=1)
        operations = listed.get("running", []) if isinstance(listed, dict) else []
        wanted = path_of("instances", name)
        return [
            path_of("operations", found["id"])
            for found in operations
            if any(wanted in path.split("?")[0] for paths in (found.get("resources") or {}).values() for path in paths)
        ]
