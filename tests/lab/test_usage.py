"""Given machines on a real engine, when they work, then it is counted, and a restart makes nothing negative."""

import time
from collections.abc import Callable

from tests.lab.conftest import Lab
from vmart.engines.contract import Engine, MachineSpec, Usage
from vmart.engines.optional import Metrics

MakeSpec = Callable[..., MachineSpec]
MIB = 1 << 20


def _of(engine: Engine, name: str) -> Usage:
    assert isinstance(engine, Metrics)
    (found,) = (one for one in engine.usage() if one.name == name)
    return found


def _later(engine: Engine, name: str) -> Usage:
    """The server keeps what it counted for 8 seconds."""
    time.sleep(9)
    return _of(engine, name)


def test_a_busy_loop_takes_what_its_one_cpu_gives_and_no_more(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Of two loops, which say themselves what they had: less than all of one CPU where others use the host too."""
    spec = make_spec()
    engine.ensure_present(spec)
    before = _later(engine, spec.name)
    loop = "timeout 12 sh -c 'while :; do :; done'"
    said = lab.inside(spec.name, f"{loop} & {loop} & wait; times").stdout.splitlines()[-1]
    had_s = sum(60 * float(part.split("m")[0]) + float(part.split("m")[1].rstrip("s")) for part in said.split())
    after = _later(engine, spec.name)
    counted_s = (after.cpu_ns - before.cpu_ns) / 1e9
    assert 0.2 < had_s < 13  # of 24 s that two loops would take of two CPUs
    assert had_s * 0.95 < counted_s < had_s + 5  # and what its system takes
    assert counted_s <= 1.05 * (after.read_at - before.read_at).total_seconds()
    assert (before.epoch, after.memory_total_bytes) == (after.epoch, 512 * MIB)


def test_bytes_memory_and_disk_are_counted(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec, other = make_spec(public=False), make_spec(public=False)
    engine.ensure_present(spec)
    engine.ensure_present(other)
    before = _later(engine, spec.name)
    lab.inside(
        spec.name, f"head -c {128 * MIB} /dev/zero > /dev/shm/held; head -c {128 * MIB} /dev/urandom > /root/b; sync"
    )
    lab.inside(spec.name, f"ping -q -c 20 -i 0.1 -s 1400 {other.private_ip} > /dev/null")
    after = _later(engine, spec.name)
    assert after.memory_bytes is not None
    assert 128 * MIB < after.memory_bytes < 200 * MIB  # what it holds, and not the cache of what it wrote
    assert before.sent_bytes is not None and after.sent_bytes is not None
    assert before.received_packets is not None and after.received_packets is not None
    assert after.sent_bytes - before.sent_bytes >= 20 * 1400
    assert after.received_packets - before.received_packets >= 20
    full = lab.counted(lambda: _of(lab.engine(), spec.name))  # a fresh one asks for disks at its first call
    assert full.disk_used_bytes is not None and full.disk_total_bytes is not None
    assert 128 * MIB < full.disk_used_bytes < full.disk_total_bytes == spec.system_disk.size_gib << 30


def test_a_restart_is_another_epoch_that_counts_from_0(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec()
    engine.ensure_present(spec)
    lab.inside(spec.name, "timeout 3 sh -c 'while :; do :; done'")
    before = _later(engine, spec.name)
    engine.ensure_power(spec.name, False)
    assert spec.name not in {one.name for one in engine.usage()}  # type: ignore[attr-defined]
    engine.ensure_power(spec.name, True)
    after = _later(engine, spec.name)
    assert after.epoch != before.epoch
    assert 0 < after.cpu_ns < before.cpu_ns
