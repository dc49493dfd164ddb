"""A disk with a life of its own in real machines: what is on it goes with it, and its size is a limit."""

from collections.abc import Callable

from tests.lab.conftest import Lab
from tests.lab.test_disk_size import fits_mib
from vmart.engines.contract import Disk, Engine, MachineSpec
from vmart.engines.optional import Disks

MakeSpec = Callable[..., MachineSpec]


def test_what_is_on_it_goes_from_one_running_machine_to_another(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    assert isinstance(engine, Disks)
    first, second = make_spec(public=False), make_spec(public=False)
    booted = [engine.ensure_present(spec) for spec in (first, second)]
    disk = first.name.replace("ins-", "disk-")
    place = f"/mnt/{disk}"
    engine.ensure_volume(disk, 1, first.member)
    engine.ensure_attached(first.name, disk)
    lab.inside(first.name, f"echo kept > {place}/kept && mkdir {place}/d && chown 1000:1000 {place}/d && sync")
    engine.ensure_detached(first.name, disk)
    assert lab.inside(first.name, f"mountpoint -q {place} || echo none").stdout.split() == ["none"]
    engine.ensure_attached(second.name, disk)
    assert lab.inside(second.name, f"cat {place}/kept && stat -c %u:%g {place}/kept {place}/d").stdout.split() == [
        "kept", "0:0", "1000:1000",
    ]  # fmt: skip
    assert [engine.observe(spec.name) for spec in (first, second)] == booted
    engine.ensure_power(second.name, False)
    engine.ensure_volume(disk, 2, first.member)
    engine.ensure_power(second.name, True)
    assert lab.inside(second.name, f"cat {place}/kept").stdout.split() == ["kept"]
    engine.ensure_absent(second.name)
    engine.ensure_attached(first.name, disk)
    assert lab.inside(first.name, f"cat {place}/kept").stdout.split() == ["kept"]
    engine.ensure_absent(first.name)
    engine.ensure_volume_absent(disk)
    assert [found.name for found in engine.list_volumes()].count(disk) == 0


def test_it_grows_at_a_machine_that_runs_and_at_none(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """A program can have all of the new size at once, and what was on it stays."""
    assert isinstance(engine, Disks)
    spec = make_spec(public=False)
    booted = engine.ensure_present(spec)
    disk = spec.name.replace("ins-", "disk-")
    place = f"/mnt/{disk}"
    engine.ensure_volume(disk, 1, spec.member)
    engine.ensure_attached(spec.name, disk)
    lab.inside(spec.name, f"echo kept > {place}/kept")
    assert 1014 <= fits_mib(lab, spec.name, place) <= 1034  # of 1,024
    engine.ensure_volume(disk, 2, spec.member)
    assert 2028 <= fits_mib(lab, spec.name, place) <= 2068
    assert engine.observe(spec.name) == booted
    engine.ensure_detached(spec.name, disk)
    engine.ensure_volume(disk, 3, spec.member)
    engine.ensure_volume(disk, 1, spec.member)  # never smaller
    engine.ensure_attached(spec.name, disk)
    assert lab.inside(spec.name, f"cat {place}/kept").stdout.split() == ["kept"]
    assert 3042 <= fits_mib(lab, spec.name, place) <= 3102
    (seen,) = [found for found in engine.list_volumes() if found.name == disk]
    assert (seen.size_gib, seen.machine) == (3, spec.name)
    engine.ensure_absent(spec.name)
    engine.ensure_volume_absent(disk)


def test_a_data_disk_stays_when_its_machine_is_made_absent(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """What was written in the one is read in the other."""
    assert isinstance(engine, Disks)
    name = make_spec(public=False).name.replace("ins-", "disk-")
    first, second = make_spec(public=False, data_disks=[Disk(name, "CLOUD_SSD", 1)]), make_spec(public=False)
    for spec in (first, second):
        engine.ensure_present(spec)
    lab.inside(first.name, f"echo kept > /mnt/{name}/kept && sync")
    engine.ensure_power(first.name, False, force=True)
    assert engine.ensure_kept(first.name, name, 1)
    engine.ensure_absent(first.name)
    engine.ensure_attached(second.name, name)
    assert lab.inside(second.name, f"cat /mnt/{name}/kept").stdout.split() == ["kept"]
    engine.ensure_absent(second.name)
    engine.ensure_volume_absent(name)
