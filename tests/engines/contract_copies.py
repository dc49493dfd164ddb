"""What every driver promises of snapshots and images; a part of ``contract_suite.py``."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.systems import archive
from vmart.engines.contract import Disk, Engine, EngineError, Foreign, HeldDisk, MachineSpec, OwnImage, Power, Volume
from vmart.engines.foreign import kinds, rootfs
from vmart.engines.optional import Disks, Images, Snapshots

MakeSpec = Callable[..., MachineSpec]


class CopiesContract:
    """Tests of copies of disks, on the engine of the fixture ``engine``."""

    def test_an_image_outlives_machine_and_snapshot_and_its_machines_outlive_the_image(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        """What is on it, the lab shows. Each verb twice: an answer may be lost, also after the snapshot is gone."""
        assert isinstance(engine, Images) and isinstance(engine, Snapshots)
        source = make_spec(public=False)
        name, snapshot = (source.name.replace("ins-", prefix) for prefix in ("img-", "snap-"))
        booted = engine.ensure_present(source)
        size_gib = source.system_disk.size_gib
        disk = HeldDisk(source.system_disk.key, size_gib, source.member, source.name, is_system=True)
        engine.ensure_snapshot(snapshot, disk)

        def seen() -> list[OwnImage]:
            return [found for found in engine.list_images() if found.name == name]

        made = [engine.ensure_image_of(name, snapshot, source.login_user) for _ in range(2)]
        assert made == [OwnImage(name, size_gib, source.member)] * 2
        assert engine.observe(source.name) == booted
        assert {name, snapshot}.isdisjoint(found.name for found in engine.list_ours())
        assert name not in {found.name for found in engine.list_snapshots()}
        engine.ensure_absent(source.name)
        engine.ensure_snapshot_absent(snapshot)
        assert [engine.ensure_image_of(name, snapshot, source.login_user)] == seen() == made[:1]
        buyer = dataclasses.replace(make_spec(), image=dataclasses.replace(source.image, own=name))
        anew = make_spec(public=False)
        engine.ensure_present(anew)
        assert engine.ensure_present(buyer).power is Power.RUNNING
        other = dataclasses.replace(anew, installation=1, image=buyer.image)
        assert engine.ensure_reinstalled(other).installation == 1
        for _ in range(2):
            engine.ensure_image_absent(name)
        assert seen() == []
        for spec in (buyer, other):
            engine.ensure_power(spec.name, False)
            assert engine.ensure_power(spec.name, True).power is Power.RUNNING
            engine.ensure_absent(spec.name)

    def test_an_image_of_what_was_brought_is_made_once(self, engine: Engine, tmp_path: Path) -> None:
        """What is on it, and that machines of it start, the lab shows."""
        assert isinstance(engine, Images)
        assert kinds.ROOTFS in engine.capabilities().imports
        name = "img-brought1"
        with (tmp_path / "clean").open("w+b") as clean:
            (tmp_path / "packed").write_bytes(archive())
            with (tmp_path / "packed").open("rb") as packed:
                rootfs.clean(packed, "tar", clean, 1 << 20)
            system, member = Foreign(kinds.ROOTFS, clean, 2), engine.capacity()[0].member
            made = [engine.ensure_image_imported(name, system, "root", member) for _ in range(2)]
            assert made[0] == made[1] == OwnImage(name, 2, made[0].member)
            assert [found for found in engine.list_images() if found.name == name] == made[:1]
            assert name not in {found.name for found in engine.list_ours()}
            for _ in range(2):
                engine.ensure_image_absent(name)
            assert name not in {found.name for found in engine.list_images()}

    def test_of_an_image_that_is_not_there_nothing_is_made_and_nothing_erased(
        self, engine: Engine, make_spec: MakeSpec
    ) -> None:
        assert isinstance(engine, Images)
        spec = make_spec(public=False)
        lacking = dataclasses.replace(spec.image, own="img-neverwas")
        with pytest.raises(EngineError):
            engine.ensure_present(dataclasses.replace(spec, image=lacking))
        assert engine.observe(spec.name).power is Power.ABSENT
        running = engine.ensure_present(spec)
        with pytest.raises(EngineError):
            engine.ensure_reinstalled(dataclasses.replace(spec, image=lacking, installation=1))
        assert engine.observe(spec.name) == running
        engine.ensure_absent(spec.name)
        with pytest.raises(EngineError, match=r"The snapshot is not there\."):
            engine.ensure_image_of("img-neverwas", "snap-neverwas", spec.login_user)
        assert "img-neverwas" not in {found.name for found in engine.list_images()}

    def test_snapshots_of_disks_stay_when_disks_and_machine_are_gone(self, engine: Engine, make_spec: MakeSpec) -> None:
        """Each verb twice: an answer may be lost."""
        assert isinstance(engine, Disks)
        assert isinstance(engine, Snapshots)
        spec = make_spec(public=False)
        data = Disk(spec.name.replace("ins-", "disk-d"), "CLOUD_SSD", 1)
        spec, own = dataclasses.replace(spec, data_disks=(data,)), spec.name.replace("ins-", "disk-o")
        names = [spec.name.replace("ins-", f"snap-{kind}") for kind in ("d", "o", "s")]
        held = [
            HeldDisk(data.key, 1, spec.member, spec.name),
            HeldDisk(own, 2, spec.member),
            HeldDisk(spec.system_disk.key, spec.system_disk.size_gib, spec.member, spec.name, is_system=True),
        ]

        def seen() -> dict[str, int]:
            listed = [found for found in engine.list_snapshots() if found.name in names]
            assert {found.member for found in listed} <= {spec.member}
            return {found.name: found.size_gib for found in listed}

        with pytest.raises(EngineError) as missing:
            engine.ensure_snapshot(names[1], held[1])
        assert missing.value.sentence == "The disk is not there."
        engine.ensure_present(spec)
        engine.ensure_volume(own, 2, spec.member)
        engine.ensure_attached(spec.name, own)
        for name, disk in zip(names, held, strict=True):
            for _ in range(2):
                engine.ensure_snapshot(name, disk)
        assert seen() == {names[0]: 1, names[1]: 2, names[2]: spec.system_disk.size_gib}
        assert engine.observe(spec.name).power is Power.RUNNING
        assert [found.name for found in engine.list_ours() if found.name in names] == []
        engine.ensure_detached(spec.name, own)
        engine.ensure_volume_absent(own)
        engine.ensure_absent(spec.name)
        new = HeldDisk(own, 3, spec.member)
        for _ in range(2):
            engine.ensure_volume_restored(new, names[1], 1)
        assert [found for found in engine.list_volumes() if found.name == own] == [Volume(own, 3, spec.member)]
        for name in names:
            for _ in range(2):
                engine.ensure_snapshot_absent(name)
        assert seen() == {}
        assert [found.size_gib for found in engine.list_volumes() if found.name == own] == [3]
        engine.ensure_volume_absent(own)

    def test_a_disk_is_given_back_while_its_machine_is_off(self, engine: Engine, make_spec: MakeSpec) -> None:
        """What is refused erases nothing; the machine is as it was but for its disks."""
        assert isinstance(engine, Snapshots)
        spec = make_spec(public=False)
        data = Disk(spec.name.replace("ins-", "disk-d"), "CLOUD_SSD", 1)
        spec = dataclasses.replace(spec, data_disks=(data,))
        of_data, of_system = (spec.name.replace("ins-", f"snap-{kind}") for kind in "ds")
        disk = HeldDisk(data.key, 1, spec.member, spec.name)
        engine.ensure_present(spec)
        engine.ensure_snapshot(of_data, disk)
        engine.ensure_snapshot(
            of_system, HeldDisk(spec.system_disk.key, spec.system_disk.size_gib, spec.member, spec.name, is_system=True)
        )
        restored = dataclasses.replace(spec, restoration=1)
        with pytest.raises(EngineError) as in_use:
            engine.ensure_volume_restored(disk, of_data, 1)
        assert in_use.value.sentence == "A machine has the disk."
        with pytest.raises(EngineError) as running:
            engine.ensure_restored(restored, of_system)
        assert running.value.sentence == "The machine is running."
        engine.ensure_power(spec.name, False)
        off = engine.observe(spec.name)
        with pytest.raises(EngineError) as unknown:
            engine.ensure_restored(restored, "snap-neverwas")
        assert unknown.value.sentence == "The snapshot is not there."
        with pytest.raises(EngineError) as unknown:
            engine.ensure_volume_restored(disk, "snap-neverwas", 1)
        assert unknown.value.sentence == "The snapshot is not there."
        for _ in range(2):
            engine.ensure_volume_restored(disk, of_data, 1)
            engine.ensure_restored(restored, of_system)
        assert engine.observe(spec.name) == off
        assert engine.ensure_power(spec.name, True).power is Power.RUNNING
        engine.ensure_volume_restored(disk, of_data, 1)
        engine.ensure_restored(restored, of_system)
        assert engine.observe(spec.name).power is Power.RUNNING
        engine.ensure_absent(spec.name)
        for name in (of_data, of_system):
            engine.ensure_snapshot_absent(name)
