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


# The largest file that fits, found by halves: space is taken without writing it, so the pool has little work.
_LARGEST = """
low=0 high=8192
while [ $((high - low)) -gt 1 ]; do
  tried=$(((low + high) / 2))
  if fallocate -l ${tried}M PLACE/full 2> /dev/null; then low=$tried; else high=$tried; fi
  rm -f PLACE/full; sync
done
echo $low
"""


def fits_mib(lab: Lab, machine: str, place: str) -> int:
    """MiB that a program can have there."""
    return int(lab.inside(machine, _LARGEST.replace("PLACE", place), limit_s=120).stdout)


def test_a_disk_that_grew_takes_what_was_bought_and_no_more(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """The machine runs on, and what it wrote before stays."""
    spec = make_spec(public=False, data_disks=[Disk("disk-grow", "CLOUD_SSD", 1)])
    booted = engine.ensure_present(spec)
    lab.inside(spec.name, "echo kept > /mnt/disk-grow/kept")
    assert 1014 <= fits_mib(lab, spec.name, "/mnt/disk-grow") <= 1034  # of 1,024
    engine.ensure_disk_size(spec.name, "disk-grow", 2, is_system=False, on=True)
    assert 2028 <= fits_mib(lab, spec.name, "/mnt/disk-grow") <= 2068
    lab.inside(spec.name, "cloud-init status --wait > /dev/null")
    before_mib = fits_mib(lab, spec.name, "/root")
    engine.ensure_disk_size(spec.name, spec.system_disk.key, spec.system_disk.size_gib + 1, is_system=True, on=True)
    assert 1014 <= fits_mib(lab, spec.name, "/root") - before_mib <= 1034
    assert engine.observe(spec.name) == booted
    engine.ensure_disk_size(spec.name, "disk-grow", 1, is_system=False, on=True)  # never smaller
    engine.ensure_power(spec.name, False)
    engine.ensure_power(spec.name, True)
    assert lab.inside(spec.name, "cat /mnt/disk-grow/kept").stdout.split() == ["kept"]
    assert 2028 <= fits_mib(lab, spec.name, "/mnt/disk-grow") <= 2068


def test_what_is_written_fills_the_pool(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    (before,) = engine.capacity()
    write = f"cloud-init status --wait > /dev/null; head -c {_WRITTEN_GIB << 30} /dev/urandom > /root/much && sync"
    assert lab.inside(spec.name, write, limit_s=300).returncode == 0
    (after,) = engine.capacity()
    assert after.disk_gib == before.disk_gib == engine.capabilities().df_shows_gib
    assert after.disk_filled_gib - before.disk_filled_gib in (_WRITTEN_GIB, _WRITTEN_GIB + 1)  # whole GiB of each
