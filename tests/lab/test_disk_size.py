"""What `df` shows inside a machine, and what the seller sees of the pool it lies in."""

from collections.abc import Callable

from tests.lab.conftest import Lab
from vmart.engines.contract import Disk, Engine, MachineSpec

MakeSpec = Callable[..., MachineSpec]

_WRITTEN_GIB = 2


def _df_gib(lab: Lab, machine: str, place: str) -> int:
    _, size = lab.inside(machine, f"df -BG --output=size {place}").stdout.split()
    return int(size.removesuffix("G"))


def test_df_shows_the_whole_pool_and_the_engine_says_how_much(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec(public=False, data_disks=[Disk("disk-df", "CLOUD_SSD", 3)])
    engine.ensure_present(spec)
    shown_gib = engine.capabilities().df_shows_gib
    assert [_df_gib(lab, spec.name, place) for place in ("/", "/mnt/disk-df")] == [shown_gib, shown_gib]
    assert shown_gib > spec.system_disk.size_gib


def test_what_is_written_fills_the_pool(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    (before,) = engine.capacity()
    write = f"cloud-init status --wait > /dev/null; head -c {_WRITTEN_GIB << 30} /dev/urandom > /root/much && sync"
    assert lab.inside(spec.name, write, limit_s=300).returncode == 0
    (after,) = engine.capacity()
    assert after.disk_gib == before.disk_gib == engine.capabilities().df_shows_gib
    assert after.disk_filled_gib - before.disk_filled_gib in (_WRITTEN_GIB, _WRITTEN_GIB + 1)  # whole GiB of each
