"""Snapshots in real machines: what was on a disk at the instant is read again, and only the disk is given back."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.conftest import Lab
from tests.lab.test_disk_size import fits_mib
from tests.lab.test_faults import losing_engine, until_it_answers
from vmart.engines.contract import Disk, Engine, EngineError, HeldDisk, MachineSpec, Power
from vmart.engines.incus.client import IncusClient, IncusError
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.machines import Machines
from vmart.engines.optional import Disks, Snapshots
from vmart.orders.disks import of_snapshot
from vmart.storage import models as disks

MakeSpec = Callable[..., MachineSpec]


def _system(spec: MachineSpec) -> HeldDisk:
    return HeldDisk(spec.system_disk.key, spec.system_disk.size_gib, spec.member, spec.name, is_system=True)


def _held(engine: Engine, spec: MachineSpec, lab: Lab | None = None) -> str:
    """The name of a snapshot of a machine that is made; with the lab, when ``first`` is on it."""
    assert isinstance(engine, Snapshots)
    engine.ensure_present(spec)
    name = spec.name.replace("ins-", "snap-")
    if lab is not None:
        lab.inside(spec.name, "cloud-init status --wait >/dev/null; echo first > /root/kept; sync")
    engine.ensure_snapshot(name, _system(spec))
    return name


def test_a_system_disk_is_given_back_and_the_machine_is_otherwise_as_now(
    engine: Engine, lab: Lab, make_spec: MakeSpec
) -> None:
    """Taken while it runs. Size, address and cap of now stay, host keys too: cloud-init sees no new machine."""
    assert isinstance(engine, Snapshots)
    spec = make_spec(mbps=20)
    engine.ensure_present(spec)
    name = spec.name.replace("ins-", "snap-")
    lab.inside(spec.name, "cloud-init status --wait >/dev/null; echo first > /root/kept; echo own > /etc/hostname")
    keys = lab.inside(spec.name, "cat /etc/ssh/ssh_host_ed25519_key.pub").stdout
    began = time.monotonic()
    engine.ensure_snapshot(name, _system(spec))
    assert time.monotonic() - began < 10
    lab.inside(spec.name, "echo second > /root/kept; echo more > /root/since; sync")
    assert engine.observe(spec.name).power is Power.RUNNING
    engine.ensure_size(spec.name, 1, 640, on=True)
    engine.ensure_disk_size(spec.name, spec.system_disk.key, 6, is_system=True, on=True)
    engine.ensure_power(spec.name, False)
    now = dataclasses.replace(
        spec, memory_mib=640, system_disk=dataclasses.replace(spec.system_disk, size_gib=6), restoration=1
    )
    before = engine.observe(spec.name)
    for _ in range(2):
        engine.ensure_restored(now, name)
    assert engine.observe(spec.name) == before
    engine.ensure_power(spec.name, True)
    lab.inside(spec.name, "cloud-init status --wait >/dev/null")
    read = "cat /root/kept /etc/hostname; ls /root/since 2>/dev/null || echo none"
    assert lab.inside(spec.name, read).stdout.split() == ["first", "own", "none"]
    assert lab.inside(spec.name, "cat /etc/ssh/ssh_host_ed25519_key.pub").stdout == keys
    record = lab.ask("config", "show", spec.name)
    assert "limits.memory: 640MiB" in record
    assert "size: 6GiB" in record
    assert f"user.vmart.public_ip: {spec.public_address and spec.public_address.ip}" in record
    assert "user.vmart.snapshot" not in record
    lab.inside(spec.name, "echo third > /root/kept")
    engine.ensure_restored(now, name)  # late, and repeated: it has been done
    assert lab.inside(spec.name, "cat /root/kept").stdout.split() == ["third"]
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(name)


def test_data_disks_are_given_back_and_new_ones_hold_the_same(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Of a machine's data disk, and of one with a life of its own; owners and limits stay."""
    assert isinstance(engine, Disks)
    assert isinstance(engine, Snapshots)
    key = make_spec(public=False).name.replace("ins-", "disk-")
    own, new = key.replace("disk-", "disk-o"), key.replace("disk-", "disk-n")
    spec = make_spec(public=False, data_disks=[Disk(key, "CLOUD_SSD", 1)])
    engine.ensure_present(spec)
    engine.ensure_volume(own, 1, spec.member)
    engine.ensure_attached(spec.name, own)
    for disk in (key, own):
        lab.inside(
            spec.name, f"echo first > /mnt/{disk}/kept; mkdir /mnt/{disk}/d; chown 1000:1000 /mnt/{disk}/d; sync"
        )
    held = {key: HeldDisk(key, 1, spec.member, spec.name), own: HeldDisk(own, 1, spec.member)}
    names = {disk: disk.replace("disk-", "snap-") for disk in held}
    for disk, one in held.items():
        engine.ensure_snapshot(names[disk], one)
        lab.inside(spec.name, f"echo second > /mnt/{disk}/kept; rm -r /mnt/{disk}/d; sync")
    engine.ensure_volume_restored(HeldDisk(new, 2, spec.member), names[own], 1)
    engine.ensure_power(spec.name, False)
    engine.ensure_detached(spec.name, own)
    for disk, one in held.items():
        for _ in range(2):
            engine.ensure_volume_restored(one, names[disk], 1)
    engine.ensure_attached(spec.name, own)
    engine.ensure_attached(spec.name, new)
    engine.ensure_power(spec.name, True)
    for disk in (key, own, new):
        read = f"cat /mnt/{disk}/kept; stat -c %u:%g /mnt/{disk}/kept /mnt/{disk}/d"
        assert lab.inside(spec.name, read).stdout.split() == ["first", "0:0", "1000:1000"]
    assert 1014 <= fits_mib(lab, spec.name, f"/mnt/{own}") <= 1034  # of 1,024
    assert 2028 <= fits_mib(lab, spec.name, f"/mnt/{new}") <= 2068
    assert engine.observe(spec.name).power is Power.RUNNING
    engine.ensure_absent(spec.name)
    for disk in (own, new):
        engine.ensure_volume_absent(disk)
    for name in names.values():
        engine.ensure_snapshot_absent(name)
    assert [found.name for found in engine.list_snapshots() if found.name in names.values()] == []


def test_a_machine_is_made_with_a_data_disk_that_holds_a_snapshot_and_made_again_with_it(
    engine: Engine, lab: Lab, make_spec: MakeSpec
) -> None:
    """As it is sold: the disk before the machine. Lost with its disk, both are made again; without, the disk stays."""
    assert isinstance(engine, Snapshots)
    source = make_spec(public=False)
    key, snapshot = source.name.replace("ins-", "disk-d"), source.name.replace("ins-", "snap-d")
    source = dataclasses.replace(source, data_disks=[Disk(key, "CLOUD_SSD", 1)])
    engine.ensure_present(source)
    lab.inside(source.name, f"echo first > /mnt/{key}/kept; chown 1000:1000 /mnt/{key}/kept; sync")
    engine.ensure_snapshot(snapshot, HeldDisk(key, 1, source.member, source.name))
    engine.ensure_absent(source.name)
    spec = make_spec(public=False)
    empty, filled = (spec.name.replace("ins-", kind) for kind in ("disk-e", "disk-f"))
    spec = dataclasses.replace(spec, data_disks=[Disk(empty, "CLOUD_SSD", 1), Disk(filled, "CLOUD_SSD", 2)])

    def sold() -> None:
        of_snapshot.fill(engine, disks.Disk(public_id=filled, size_gib=2, snapshot_id=snapshot), spec)
        assert engine.ensure_present(spec).power is Power.RUNNING

    def seen() -> list[str]:
        read = f"cat /mnt/{filled}/*; stat -c %u:%g /mnt/{filled}/kept; ls /mnt/{empty} | grep -v lost+found"
        return lab.inside(spec.name, f"{read} || true").stdout.split()

    sold()
    assert seen() == ["first", "1000:1000"]
    assert 2028 <= fits_mib(lab, spec.name, f"/mnt/{filled}") <= 2068
    lab.inside(spec.name, f"echo second > /mnt/{filled}/kept; sync")
    lab.ask("delete", "--force", spec.name)
    for _ in range(2):
        sold()
    assert seen() == ["second", "1000:1000"]
    engine.ensure_absent(spec.name)  # with its disks
    sold()
    assert seen() == ["first", "1000:1000"]
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(snapshot)


def test_without_its_snapshot_a_machine_is_made_again_with_an_empty_disk(
    engine: Engine, lab: Lab, make_spec: MakeSpec
) -> None:
    """The engine refuses to fill the disk for good, and does not list the snapshot: by this the shop knows."""
    assert isinstance(engine, Snapshots)
    spec = make_spec(public=False)
    key, snapshot = (spec.name.replace("ins-", kind) for kind in ("disk-f", "snap-f"))
    spec = dataclasses.replace(spec, data_disks=[Disk(key, "CLOUD_SSD", 1)])
    for _ in range(2):
        with pytest.raises(EngineError, match=r"The snapshot is not there\.") as refusal:
            of_snapshot.fill(engine, disks.Disk(public_id=key, size_gib=1, snapshot_id=snapshot), spec)
        assert not refusal.value.transient
        assert snapshot not in {found.name for found in engine.list_snapshots()}
        assert engine.ensure_present(spec).power is Power.RUNNING
    assert lab.inside(spec.name, f"ls /mnt/{key} | grep -v lost+found || true").stdout == ""
    engine.ensure_absent(spec.name)


def test_a_disk_of_before_a_move_and_a_rename_is_reached_where_its_machine_is_now(
    engine: Engine, lab: Lab, make_spec: MakeSpec
) -> None:
    assert isinstance(engine, Snapshots)
    spec = make_spec(public=False)
    name = _held(engine, spec, lab)
    other = make_spec(public=False, customer=2)
    moved = dataclasses.replace(spec, subnet=other.subnet, private_ip=other.private_ip, hostname="db-7", restoration=1)
    engine.ensure_hostname(spec.name, moved.hostname)
    engine.ensure_network(moved, on=False)
    engine.ensure_restored(moved, name)
    engine.ensure_power(spec.name, True)
    lab.inside(spec.name, "cloud-init status --wait >/dev/null")
    asked = f"cat /root/kept; hostname; ip -4 -o address show eth0 | grep -o {moved.private_ip}/20"
    assert lab.inside(spec.name, asked).stdout.split() == ["first", "db-7", f"{moved.private_ip}/20"]
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(name)


def test_a_copy_that_fails_for_good_leaves_the_machine_as_it_was(
    engine: Engine, lab: Lab, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(engine, IncusEngine)
    spec = make_spec(public=False)
    name = _held(engine, spec)
    lab.inside(spec.name, "echo since > /root/since; sync")
    engine.ensure_power(spec.name, False)
    off, send = engine.observe(spec.name), IncusClient.send

    def refusing(client: IncusClient, method: str, path: str, /, *args: Any, **named: Any) -> Any:
        if (method, path) == ("POST", "/1.0/instances"):
            raise IncusError(500, "no space left on device")
        return send(client, method, path, *args, **named)

    restored = dataclasses.replace(spec, restoration=1)
    with monkeypatch.context() as during:
        during.setattr(IncusClient, "send", refusing)
        with pytest.raises(EngineError, match=r"The host's storage is full\."):
            engine.ensure_restored(restored, name)
    assert engine.observe(spec.name) == off
    assert lab.ask("file", "pull", f"{spec.name}/root/since", "-") == "since\n"
    engine.ensure_restored(restored, name)
    assert lab.missing(spec.name, "/root/since")
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(name)


def test_a_restoration_is_done_however_often_it_is_cut_short(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """After each of its requests in turn; until it is done, the machine or what it is to be is there, whole."""
    assert isinstance(engine, Snapshots)
    spec = make_spec()
    name = _held(engine, spec, lab)
    engine.ensure_power(spec.name, False)
    off = engine.observe(spec.name)
    for nth in range(1, 200):
        restored = dataclasses.replace(spec, restoration=nth)
        cut, line = losing_engine(lab, nth, unsent=False)
        with contextlib.suppress(EngineError):
            cut.ensure_restored(restored, name)
        there = lab.ask("list", "--format", "csv", "--columns", "n").split()
        assert {spec.name, f"{spec.name}-r"} & set(there)
        until_it_answers(lambda restored=restored: engine.ensure_restored(restored, name))
        assert engine.observe(spec.name) == off
        assert lab.ask("file", "pull", f"{spec.name}/root/kept", "-") == "first\n"
        if not line.fired:
            break
    assert nth > 10
    assert engine.ensure_power(spec.name, True).power is Power.RUNNING
    record = lab.ask("config", "show", spec.name)
    assert "user.vmart.role" not in record and "user.vmart.whole" not in record
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(name)


def test_what_was_made_beside_a_machine_goes_with_it(
    engine: Engine, lab: Lab, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(engine, Snapshots)
    spec = make_spec(public=False)
    name = _held(engine, spec)
    engine.ensure_power(spec.name, False)

    def refuse(self: Machines, name: str) -> None:
        raise EngineError("The machine stays.", transient=True, detail=name)

    with monkeypatch.context() as during:
        during.setattr(Machines, "delete", refuse)
        with pytest.raises(EngineError, match="stays"):
            engine.ensure_restored(dataclasses.replace(spec, restoration=1), name)
    seen = [one for one in lab.ask("list", "--format", "csv", "--columns", "n").split() if one.startswith(spec.name)]
    assert seen == [spec.name, f"{spec.name}-r"]
    assert [found.name for found in engine.list_ours() if found.name.startswith(spec.name)] == [spec.name]
    assert name in [found.name for found in engine.list_snapshots()]
    record = lab.ask("config", "show", f"{spec.name}-r")  # of which the host's table is made anew
    told = [line.split(":")[0].strip() for line in record.splitlines() if "user.vmart." in line]
    assert told == ["user.vmart.deployment", "user.vmart.role", "user.vmart.whole"]
    engine.ensure_absent(spec.name)
    assert spec.name not in lab.ask("list", "--format", "csv", "--columns", "n")
    engine.ensure_snapshot_absent(name)


def test_what_a_snapshot_was_given_back_to_stays_when_it_does_not_start(
    engine: Engine, lab: Lab, make_spec: MakeSpec
) -> None:
    """It has never run, as the torso of an interrupted making; but what the customer had is on it."""
    assert isinstance(engine, Snapshots)
    spec = make_spec(public=False)
    name = _held(engine, spec, lab)
    engine.ensure_power(spec.name, False)
    restored = dataclasses.replace(spec, restoration=1)
    engine.ensure_restored(restored, name)
    lab.ask("config", "device", "add", spec.name, "lacking", "unix-char", "source=/dev/vmart-is-not-there")
    with pytest.raises(EngineError):
        engine.ensure_present(restored)
    assert engine.observe(spec.name).power is Power.STOPPED
    lab.ask("config", "device", "remove", spec.name, "lacking")
    assert engine.ensure_present(restored).power is Power.RUNNING
    assert lab.inside(spec.name, "cat /root/kept").stdout.split() == ["first"]
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(name)


def test_a_full_system_disk_is_copied_and_given_back(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    assert isinstance(engine, Snapshots)
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    name = spec.name.replace("ins-", "snap-")
    lab.inside(
        spec.name, "echo first > /root/kept; dd if=/dev/urandom of=/root/fill bs=1M count=6000; sync", limit_s=300
    )
    engine.ensure_snapshot(name, _system(spec))
    engine.ensure_power(spec.name, False)
    engine.ensure_restored(dataclasses.replace(spec, restoration=1), name)
    assert engine.ensure_power(spec.name, True).power is Power.RUNNING
    assert lab.inside(spec.name, "cat /root/kept").stdout.split() == ["first"]
    engine.ensure_absent(spec.name)
    engine.ensure_snapshot_absent(name)


def test_what_an_interrupted_call_left_is_made_again(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Of copies that lack their mark, and of a disk that lacks its own: what is in them counts for nothing."""
    assert isinstance(engine, Disks)
    assert isinstance(engine, Snapshots)
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    own, of_own, of_system = (spec.name.replace("ins-", kind) for kind in ("disk-", "snap-o", "snap-s"))
    disk = HeldDisk(own, 1, spec.member)
    engine.ensure_volume(own, 1, spec.member)
    engine.ensure_attached(spec.name, own)
    for word in ("torso", "whole"):
        lab.inside(spec.name, f"echo {word} > /mnt/{own}/kept; echo {word} > /root/kept; sync")
        engine.ensure_snapshot(of_own, disk)
        engine.ensure_snapshot(of_system, _system(spec))
        if word == "torso":
            pool, volume = lab.settings["pool"], engine._names.volume(of_own)  # type: ignore[attr-defined]
            lab.ask("storage", "volume", "unset", str(pool), volume, "user.vmart.whole")
            lab.ask("config", "unset", of_system, "user.vmart.whole")
    engine.ensure_power(spec.name, False)
    engine.ensure_detached(spec.name, own)
    engine.ensure_volume_restored(disk, of_own, 1)
    engine.ensure_restored(dataclasses.replace(spec, restoration=1), of_system)
    engine.ensure_attached(spec.name, own)
    engine.ensure_power(spec.name, True)
    assert lab.inside(spec.name, f"cat /mnt/{own}/kept /root/kept").stdout.split() == ["whole", "whole"]
    engine.ensure_absent(spec.name)
    engine.ensure_volume_absent(own)
    for name in (of_own, of_system):
        engine.ensure_snapshot_absent(name)
