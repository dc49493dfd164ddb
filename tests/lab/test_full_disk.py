"""A guest that fills its system disk: its machine stops, starts, changes and ends all the same."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from vmart.engines.contract import Disk, Engine, EngineError, MachineSpec, Power
from vmart.engines.incus.client import IncusError, path_of
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.room import _RESERVES
from vmart.kernel import clock

MakeSpec = Callable[..., MachineSpec]

_FILL = "while :; do cat /dev/zero >> /root/filling; sleep 0.01; done"
_UNIT = f"[Service]\\nExecStart=/bin/sh -c '{_FILL}'\\n[Install]\\nWantedBy=sysinit.target\\n"


@pytest.fixture
def filled(engine: Engine, lab: Lab, make_spec: MakeSpec) -> MachineSpec:
    """A machine of 1 GiB whose disk is full, and that writes by itself only what its boot writes."""
    spec = dataclasses.replace(make_spec(), system_disk=Disk("disk-filled", "CLOUD_SSD", 1))
    engine.ensure_present(spec)
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    refill(lab, spec)
    return spec


@pytest.fixture
def full(engine: Engine, lab: Lab, make_spec: MakeSpec) -> MachineSpec:
    """A machine of 1 GiB that fills its disk from each boot on, as fast as it can."""
    spec = dataclasses.replace(make_spec(), system_disk=Disk("disk-full", "CLOUD_SSD", 1))
    engine.ensure_present(spec)
    write = f'cloud-init status --wait > /dev/null; printf "{_UNIT}" > /etc/systemd/system/fill.service'
    assert lab.inside(spec.name, f"{write}; systemctl enable --now fill").returncode == 0
    _until_full(lab, spec)
    return spec


def _is_full(lab: Lab, spec: MachineSpec) -> bool:
    tried = lab.inside(spec.name, "head -c 1048576 /dev/zero > /root/one")
    return tried.returncode != 0 and "quota exceeded" in tried.stderr


def refill(lab: Lab, spec: MachineSpec) -> None:
    """What was removed just now may not be free yet, so one filling is not always enough."""
    ends = time.monotonic() + 120
    while not _is_full(lab, spec):
        assert time.monotonic() < ends
        lab.daemon.count_disks()  # as the shop does beside its daemon
        lab.inside(spec.name, "cat /dev/zero >> /root/filling")


def fill_to_the_last_block(lab: Lab, spec: MachineSpec) -> None:
    """Until eight files in turn find no place, each after all before it has reached the disk."""
    found_none = 0
    while found_none < 8:
        tried = lab.inside(spec.name, "sync; head -c 4096 /dev/urandom > $(mktemp -p /root) && sync")
        found_none = 0 if tried.returncode == 0 else found_none + 1


def _until_full(lab: Lab, spec: MachineSpec) -> None:
    ends = time.monotonic() + 120
    while not _is_full(lab, spec):
        assert time.monotonic() < ends
        lab.daemon.count_disks()  # as the shop does beside its daemon
        time.sleep(0.1)


def _limit(engine: Engine, spec: MachineSpec) -> str:
    assert isinstance(engine, IncusEngine)
    return str(engine._open().client.get(path_of("instances", spec.name))["devices"]["root"]["size"])


def _mib(size: str) -> int:
    return int(size[:-3]) * {"GiB": 1024, "MiB": 1}[size[-3:]]


def _templates(engine: Engine, spec: MachineSpec) -> list[str]:
    assert isinstance(engine, IncusEngine)
    return list(engine._open().client.get(path_of("instances", spec.name, "metadata", "templates")))


def _reserves(engine: Engine, spec: MachineSpec) -> list[str]:
    return [name for name in _templates(engine, spec) if name in _RESERVES]


def test_without_room_the_server_starts_nothing(engine: Engine, lab: Lab, full: MachineSpec) -> None:
    """The control: what the engine's own start says of such a machine."""
    assert isinstance(engine, IncusEngine)
    assert engine.ensure_power(full.name, False, force=True).power is Power.STOPPED
    said = "disk quota exceeded|saving config file for the container failed"  # by what it was doing when it was full
    with pytest.raises(IncusError, match=said):
        engine._open().machines.start(full.name)
    assert engine.observe(full.name).power is Power.STOPPED


@pytest.mark.timeout(1800)
def test_twenty_times_refilled_it_stops_and_starts(engine: Engine, lab: Lab, filled: MachineSpec) -> None:
    """What its boot writes may take the room of an act, and no more; it is back as soon as the guest frees as much."""
    before = _templates(engine, filled)
    assert before[-2:] == list(_RESERVES)
    for turn in range(20):
        assert engine.ensure_power(filled.name, False, force=turn % 2 == 0).power is Power.STOPPED
        assert engine.ensure_power(filled.name, True).power is Power.RUNNING
        assert 1024 <= _mib(_limit(engine, filled)) <= 1024 + 2 * 8
        assert lab.inside(filled.name, "rm /root/filling; sync").returncode == 0
        assert engine.ensure_power(filled.name, True).power is Power.RUNNING
        assert _limit(engine, filled) == "1GiB"
        refill(lab, filled)
    assert _templates(engine, filled) == before


@pytest.mark.timeout(1800)
def test_twenty_times_with_a_guest_that_fights_for_each_block(engine: Engine, lab: Lab, full: MachineSpec) -> None:
    """It may take the room before it is taken back, some MiB a turn, and gives it up when it frees its disk."""
    for turn in range(20):
        _until_full(lab, full)
        assert engine.ensure_power(full.name, False, force=turn % 2 == 0).power is Power.STOPPED
        assert engine.ensure_power(full.name, True).power is Power.RUNNING
    assert _mib(_limit(engine, full)) <= 1024 + 20 * 8
    assert lab.inside(full.name, "systemctl disable --now fill; rm /root/filling").returncode == 0
    assert engine.ensure_power(full.name, True).power is Power.RUNNING
    assert _limit(engine, full) == "1GiB"


def test_full_to_the_last_block_it_starts_again(engine: Engine, lab: Lab, filled: MachineSpec) -> None:
    """Linux may refuse another limit where no block is left; the machine has one to give."""
    for _ in range(3):
        fill_to_the_last_block(lab, filled)
        assert engine.ensure_power(filled.name, False, force=True).power is Power.STOPPED
        assert engine.ensure_power(filled.name, True).power is Power.RUNNING
    assert _templates(engine, filled)[-2:] == list(_RESERVES)


def test_full_to_the_last_block_it_grows(engine: Engine, lab: Lab, filled: MachineSpec) -> None:
    fill_to_the_last_block(lab, filled)
    engine.ensure_disk_size(filled.name, "disk-filled", 2, is_system=True, on=True)
    assert _limit(engine, filled) == "2GiB"
    assert lab.inside(filled.name, f"head -c {512 << 20} /dev/zero > /root/more").returncode == 0


def _refused(limit_mib: int) -> str:
    return f"Failed to run: btrfs qgroup limit {limit_mib << 20} 0/258 disk: Disk quota exceeded"


@pytest.mark.parametrize(("power", "spent"), [(Power.RUNNING, 1), (Power.STOPPED, 2)])
def test_a_limit_that_the_file_system_refuses_is_set_when_reserves_are_spent(
    engine: Engine, filled: MachineSpec, monkeypatch: pytest.MonkeyPatch, power: Power, spent: int
) -> None:
    assert isinstance(engine, IncusEngine)
    if power is Power.STOPPED:
        engine.ensure_power(filled.name, False, force=True)
    room, tried = engine._open().room, []
    set_limit = room._set_limit

    def refuse(name: str, limit_mib: int) -> None:
        tried.append(_reserves(engine, filled))
        if len(tried[-1]) > 2 - spent:
            raise IncusError(500, _refused(limit_mib))
        set_limit(name, limit_mib)

    monkeypatch.setattr(room, "_set_limit", refuse)
    room._give(filled.name)
    assert _limit(engine, filled) == "1032MiB"
    assert tried == [list(_RESERVES), *[list(_RESERVES[turn:]) for turn in range(1, spent + 1)]]
    assert _reserves(engine, filled) == list(_RESERVES)


def test_a_running_guest_leaves_the_second_reserve_for_the_start(
    engine: Engine, filled: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(engine, IncusEngine)
    room = engine._open().room

    def refuse(_name: str, limit_mib: int) -> None:
        raise IncusError(500, _refused(limit_mib))

    monkeypatch.setattr(room, "_set_limit", refuse)
    monkeypatch.setattr("vmart.engines.incus.room._SETTLED_IN_S", 1.0)
    with pytest.raises(EngineError, match=f"no limit can be set: {_refused(1032)}") as refusal:
        room._give(filled.name)
    assert (refusal.value.sentence, refusal.value.transient) == ("The system disk is full.", True)
    assert _reserves(engine, filled) == [_RESERVES[1]]


def test_a_limit_that_cannot_go_down_stays(
    engine: Engine, lab: Lab, filled: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a file system that refuses the lower limit, then it is not set when the guest may use more again."""
    assert isinstance(engine, IncusEngine)
    room = engine._open().room
    engine.ensure_power(filled.name, False, force=True)
    room._give(filled.name)
    asked: list[int] = []
    set_limit = room._set_limit

    def refuse(_name: str, limit_mib: int) -> None:
        asked.append(limit_mib)
        raise IncusError(500, _refused(limit_mib))

    monkeypatch.setattr(room, "_set_limit", refuse)
    room._try_to_take_back(filled.name)
    assert (asked, _limit(engine, filled)) == ([1024, 1024], "1032MiB")
    assert "vmart-room" not in _templates(engine, filled)
    assert _reserves(engine, filled) == list(_RESERVES)
    monkeypatch.setattr(room, "_set_limit", set_limit)
    room._try_to_take_back(filled.name)
    assert _limit(engine, filled) == "1GiB"


def test_it_reboots_changes_its_address_and_ends(engine: Engine, lab: Lab, full: MachineSpec) -> None:
    assert engine.ensure_rebooted(full.name, clock.wall()).power is Power.RUNNING
    _until_full(lab, full)
    for address in (None, full.public_address):
        engine.ensure_address(full.name, full.private_ip, address)
        assert engine.observe(full.name).public_ip == (address.ip if address else "")
        _until_full(lab, full)
    engine.ensure_absent(full.name)
    assert engine.observe(full.name).power is Power.ABSENT


def test_room_that_an_interrupted_call_left_is_taken_back(engine: Engine, lab: Lab, filled: MachineSpec) -> None:
    """Given a worker killed between room given and taken back, when an act is tried again, then none is left."""
    assert isinstance(engine, IncusEngine)
    room = engine._open().room
    engine.ensure_power(filled.name, False, force=True)
    room._give(filled.name)
    assert room._finds_place(filled.name, "vmart-room", 16)
    assert (_limit(engine, filled), "vmart-room" in _templates(engine, filled)) == ("1032MiB", True)
    engine.ensure_address(filled.name, filled.private_ip, None)  # a guest that boots might write into the room
    assert engine.observe(filled.name).public_ip == ""
    assert (_limit(engine, filled), "vmart-room" in _templates(engine, filled)) == ("1GiB", False)


def test_a_guest_that_takes_the_room_is_given_more_until_it_frees_some(
    engine: Engine, lab: Lab, full: MachineSpec
) -> None:
    assert isinstance(engine, IncusEngine)
    room = engine._open().room
    for given in ("1032MiB", "1040MiB"):
        room._give(full.name)
        _until_full(lab, full)
        room._take_back(full.name)
        assert _limit(engine, full) == given
    engine.ensure_power(full.name, False, force=True)
    assert engine.ensure_power(full.name, True).power is Power.RUNNING
    assert lab.inside(full.name, "systemctl disable --now fill; rm /root/filling; sync").returncode == 0
    assert engine.ensure_power(full.name, True).power is Power.RUNNING
    assert _limit(engine, full) == "1GiB"
    assert lab.inside(full.name, "head -c 1048576 /dev/zero > /root/one").returncode == 0


def test_a_pool_that_stopped_counting_counts_again(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Given a kernel that gives up counting when a machine goes, then sizes of disks hold again once it is seen."""
    gone, spec = (
        make_spec(public=False),
        dataclasses.replace(make_spec(public=False), system_disk=Disk("disk-held", "CLOUD_SSD", 1)),
    )
    engine.ensure_present(gone)
    engine.ensure_present(spec)
    flag = _counting_flag(lab)
    lab.daemon.count_disks()
    assert (flag.read_text().strip(), lab.daemon.count_disks()) == ("0", False)
    (flag.parent / "drop_subtree_threshold").write_text("0")  # it gives up at any machine
    engine.ensure_absent(gone.name)
    ends = time.monotonic() + 60
    while flag.read_text().strip() == "0":
        assert time.monotonic() < ends
        time.sleep(0.2)
    (flag.parent / "drop_subtree_threshold").write_text("3")
    more = f"cloud-init status --wait > /dev/null; head -c {1200 << 20} /dev/zero > /root/more && rm /root/more && sync"
    assert lab.inside(spec.name, more, limit_s=120).returncode == 0  # the control: nothing holds it
    assert lab.daemon.count_disks()
    assert flag.read_text().strip() == "0"
    assert "quota exceeded" in lab.inside(spec.name, more, limit_s=120).stderr


def _counting_flag(lab: Lab) -> Path:
    (flag,) = [
        flag
        for flag in Path("/sys/fs/btrfs").glob("*/qgroups/inconsistent")
        for device in (flag.parents[1] / "devices").iterdir()
        if (device / "loop" / "backing_file").read_text().startswith(str(lab.daemon.state_dir))
    ]
    return flag


def test_all_the_room_there_is_said_to_be_full(
    engine: Engine, full: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(engine, IncusEngine)
    monkeypatch.setattr(engine._open().room, "_limit_mib", lambda _name: 1024 + 1016)
    with pytest.raises(EngineError) as refusal:
        engine.ensure_address(full.name, full.private_ip, None)
    assert (refusal.value.sentence, refusal.value.transient) == ("The system disk is full.", False)
    assert refusal.value.helps.startswith("Delete files in the machine")
    assert _limit(engine, full) == "1GiB"


def test_what_cannot_be_taken_back_now_does_not_fail_the_act(
    engine: Engine, full: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(engine, IncusEngine)
    tried: list[str] = []

    def fail(name: str) -> None:
        tried.append(name)
        raise EngineError("The compute engine does not answer.", transient=True)

    monkeypatch.setattr(engine._open().room, "_take_back", fail)
    assert engine.ensure_power(full.name, False, force=True).power is Power.STOPPED
    assert tried == [full.name]


def test_a_machine_that_took_all_the_room_there_is_ends_all_the_same(engine: Engine, full: MachineSpec) -> None:
    """Given a server that refuses until there is room, then more is given than any other act would get."""
    assert isinstance(engine, IncusEngine)
    room, limits = engine._open().room, []
    room._settle(full.name, 1024 + 1016)  # the guest takes each block that is free: one try may find no place

    def act() -> None:
        limits.append(_limit(engine, full))
        if len(limits) == 1:
            raise IncusError(500, "disk quota exceeded")

    room.at_its_end(full.name, act)
    assert limits == ["2040MiB", "2GiB"]
    engine.ensure_absent(full.name)
    assert engine.observe(full.name).power is Power.ABSENT
