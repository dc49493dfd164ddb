"""Where a rescue system finds a machine's own disk, and that no worker ends that disk, whoever else is at work."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import IncusError
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.host import names_of_deployment
from vmart.engines.incus.machines import Machines
from vmart.engines.incus.rescue import Rescue, has_come, is_rescue


class _Server:
    def __init__(self, project: str) -> None:
        self.project = project


@pytest.mark.parametrize(
    ("project", "folder"),
    [
        ("default", "/var/lib/incus/storage-pools/fast/containers/ins-4k2j0qzt-own/rootfs"),
        ("shop", "/var/lib/incus/storage-pools/fast/containers/shop_ins-4k2j0qzt-own/rootfs"),
    ],
)
def test_the_own_disk_is_a_folder_of_the_host(project: str, folder: str) -> None:
    unused = cast(Any, None)
    rescue = Rescue(
        cast(Any, _Server(project)), "fast", names_of_deployment("test"), machines=unused, room=unused,
        state_dir=Path("/var/lib/incus"),
    )  # fmt: skip
    assert rescue.device("ins-4k2j0qzt") == {
        "type": "disk", "source": folder, "path": "/mnt/system", "shift": "true",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "come", "rescue"),
    [
        ({}, False, False),
        ({"user.vmart.rescue": "1"}, True, True),
        ({"user.vmart.rescue": "2"}, True, False),
        ({"user.vmart.rescue": "1", "user.vmart.role": "aside"}, False, False),
    ],
)
def test_what_a_record_says_of_it(config: dict[str, str], come: bool, rescue: bool) -> None:
    assert (has_come({"config": config}, 1), is_rescue({"config": config})) == (come, rescue)


def test_what_is_not_there_has_not_come() -> None:
    assert has_come(None, 1) is False


# -- two workers at one machine ----------------------------------------------------------------

_RESCUE_SYSTEM, _OWN = "rescue system", "the customer's disk"
_BODY = {
    "name": "ins-1", "devices": {"root": {}, "eth0": {}},
    "config": {"user.vmart.private_ip": "10.0.0.2", "user.vmart.rescue": "2"},
}  # fmt: skip


def _record(disk: str, **config: str) -> dict[str, Any]:
    marked = {f"user.vmart.{key}": value for key, value in config.items()}
    return {"status": "Running", "disk": disk, "config": marked, "devices": {"root": {}}}


class _Records:
    """What a server has, by name. ``meanwhile`` happens once, while a guest is stopping."""

    project = "default"

    def __init__(self, **found: dict[str, Any]) -> None:
        self.found_by_name = {name.replace("_", "-"): one for name, one in found.items()}
        self.meanwhile: Callable[[], object] | None = None
        self.refused_by: Callable[[], object] | None = None

    def disks(self) -> dict[str, str]:
        return {name: one["disk"] for name, one in self.found_by_name.items()}

    # the client
    def get(self, path: str) -> dict[str, Any]:
        return self.found_by_name[path.rsplit("/", 1)[1]]

    def send(self, method: str, path: str, body: dict[str, Any]) -> None:
        name = path.rsplit("/", 1)[1]
        if method == "POST":
            assert body["name"] not in self.found_by_name
            self.found_by_name[body["name"]] = self.found_by_name.pop(name)
        elif method == "PUT":
            self.found_by_name[name] |= {"config": body["config"], "devices": body["devices"]}
        else:
            self.found_by_name[name]["config"] |= body["config"]

    # the machines
    def await_operations(self, name: str) -> None:
        pass

    def found(self, name: str) -> dict[str, Any] | None:
        return self.found_by_name.get(name)

    def stop(self, name: str, *, force: bool) -> None:
        self.found_by_name[name]["status"] = "Stopped"
        happens, self.meanwhile = self.meanwhile, None
        if happens:
            happens()

    def delete(self, name: str) -> None:
        happens, self.refused_by = self.refused_by, None
        if happens:
            happens()
            raise IncusError(500, "no space left")
        assert self.found_by_name.pop(name)["status"] == "Stopped"


class _Room:
    def at_its_end(self, name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except IncusError:
            act()

    during = at_its_end


def _of(server: _Records) -> Rescue:
    return Rescue(
        cast(Any, server), "fast", names_of_deployment("test"), machines=cast(Any, server), room=cast(Any, _Room()),
        state_dir=None,
    )  # fmt: skip


def _in_rescue() -> _Records:
    return _Records(
        ins_1=_record(_RESCUE_SYSTEM, rescue="1"),
        ins_1_own=_record(_OWN, rescue="1", role="aside") | {"status": "Stopped"},
    )


@pytest.mark.parametrize("moment", ["meanwhile", "refused_by"])
def test_a_way_out_that_another_worker_ended_takes_nothing(moment: str) -> None:
    """Given a worker whose lease ran out while the guest was stopping, or while room was made, then it only fails."""
    server = _in_rescue()
    setattr(server, moment, lambda: _of(server).bring_back(_BODY))
    with pytest.raises(EngineError, match=r"The machine may have its own system by now\.") as raised:
        _of(server).bring_back(_BODY)
    assert raised.value.transient is True
    assert server.disks() == {"ins-1": _OWN}
    _of(server).bring_back(_BODY)
    assert (server.disks(), server.found_by_name["ins-1"]["config"]["user.vmart.rescue"]) == ({"ins-1": _OWN}, "2")


def test_a_way_out_whose_rescue_system_another_worker_deleted_goes_on() -> None:
    server = _in_rescue()
    server.meanwhile = lambda: server.delete("ins-1")
    _of(server).bring_back(_BODY)
    assert server.disks() == {"ins-1": _OWN}


def test_a_way_in_deletes_an_earlier_rescue_system_only() -> None:
    server = _in_rescue()
    _of(server).put_aside("ins-1", 3, force=False)
    assert server.disks() == {"ins-1-own": _OWN}
    server.found_by_name["ins-1"] = _record("made anew", rescue="2")
    with pytest.raises(EngineError, match=r"The machine may have its own system by now\."):
        _of(server).put_aside("ins-1", 3, force=False)
    assert (server.disks(), server.found_by_name["ins-1"]["status"]) == (
        {"ins-1-own": _OWN, "ins-1": "made anew"}, "Running",
    )  # fmt: skip


def test_a_way_in_that_another_worker_ended_leaves_the_rescue_system() -> None:
    server = _Records(ins_1=_record(_OWN))

    def other() -> None:
        _of(server).put_aside("ins-1", 1, force=False)
        server.found_by_name["ins-1"] = _record(_RESCUE_SYSTEM, rescue="1")

    server.meanwhile = other
    with pytest.raises(EngineError, match=r"The machine has gone on without this call\."):
        _of(server).put_aside("ins-1", 1, force=False)
    assert server.disks() == {"ins-1-own": _OWN, "ins-1": _RESCUE_SYSTEM}
    assert server.found_by_name["ins-1"]["config"] == {"user.vmart.rescue": "1"}


def test_a_way_in_that_was_given_up_puts_nothing_aside() -> None:
    """Given a call that is late, then the number that was noted meanwhile stops it; nothing else was written."""
    server = _Records(ins_1=_record(_OWN, public_ip="198.51.100.7"))
    server.meanwhile = lambda: _of(server).bring_back(_BODY)
    with pytest.raises(EngineError, match=r"The machine has gone on without this call\."):
        _of(server).put_aside("ins-1", 1, force=False)
    assert server.disks() == {"ins-1": _OWN}
    assert server.found_by_name["ins-1"]["config"] == {"user.vmart.public_ip": "198.51.100.7", "user.vmart.rescue": "2"}


# -- what is told of a machine of which only its own system is there ---------------------------


class _Asked:
    """What else of a server the engine speaks to, with what it asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def remove_machine(self, name: str) -> None:
        self.asked.append(("remove_machine", name))

    def forget_leave(self, name: str, *, keep_counter: bool) -> None:
        self.asked.append(("forget_leave", name, keep_counter))


def _engine(server: _Records) -> tuple[IncusEngine, list[tuple[Any, ...]]]:
    beside, engine = _Asked(), IncusEngine({"deployment": "test", "socket": "/nonexistent"})
    machines = Machines(cast(Any, server), names_of_deployment("test"), is_cluster=False)
    cast(Any, server).observe = machines.observe
    engine._opened = cast(
        Any, SimpleNamespace(machines=server, rescue=_of(server), networks=beside, firewall=beside)
    )  # fmt: skip
    return engine, beside.asked


@pytest.mark.parametrize("name", ["ins-1-own", "ins-1"])
def test_a_machine_whose_own_system_alone_is_there_is_off_and_leads_nowhere(name: str) -> None:
    """Given a way in that failed after the own system was put aside, or a way out before its record was written."""
    aside = _record(_OWN, rescue="1", role="aside", private_ip="10.0.0.2")
    server = _Records(**{name.replace("-", "_"): aside | {"status": "Stopped", "name": name, "type": "container"}})
    engine, asked = _engine(server)
    seen = engine.observe("ins-1")
    assert (seen.name, seen.power, seen.rescue, seen.private_ip) == ("ins-1", "stopped", 1, "10.0.0.2")
    engine.ensure_address("ins-1", "10.0.0.2", None)
    assert asked == [("remove_machine", "ins-1"), ("forget_leave", "ins-1", True)]
    assert engine.observe("ins-2").power == "absent"
