"""Given machines on a real engine, when they work, then it is counted, and a restart makes nothing negative."""

import time
from collections.abc import Callable

from tests.lab.conftest import Lab
from vmart.engines.contract import Engine, MachineSpec, Metrics, Usage

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


def _busy(before: Usage, after: Usage) -> float:
    """Share of one CPU."""
    return (after.cpu_ns - before.cpu_ns) / ((after.read_at - before.read_at).total_seconds() * 1e9)


def test_a_busy_loop_takes_all_of_its_one_cpu_and_no_more(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec()
    engine.ensure_present(spec)
    idle = _later(engine, spec.name)
    loop = "timeout 60 sh -c 'while :; do :; done'"
    lab.inside(spec.name, f'setsid sh -c "({loop}) & ({loop}) &" < /dev/null > /dev/null 2>&1')
    began = _later(engine, spec.name)
    after = _later(engine, spec.name)
    assert 0.5 < _busy(began, after) < 1.2  # two loops of a machine with one CPU, on a host that others use too
    assert idle.cpu_ns < began.cpu_ns < after.cpu_ns
    assert (idle.epoch, after.memory_total_bytes) == (after.epoch, 512 * MIB)


def test_bytes_memory_and_disk_are_counted(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec, other = make_spec(public=False), make_spec(public=False)
    engine.ensure_present(spec)
    engine.ensure_present(other)
    before = _later(engine, spec.name)
    lab.inside(
        spec.name, f"head -c {64 * MIB} /dev/zero > /dev/shm/held; head -c {128 * MIB} /dev/urandom > /root/b; sync"
    )
    lab.inside(spec.name, f"ping -q -c 20 -i 0.1 -s 1400 {other.private_ip} > /dev/null")
    after = _later(engine, spec.name)
    assert before.memory_bytes is not None and after.memory_bytes is not None
    assert 48 * MIB < after.memory_bytes - before.memory_bytes < 128 * MIB  # what is in memory, not what was read
    assert before.sent_bytes is not None and after.sent_bytes is not None
    assert before.received_packets is not None and after.received_packets is not None
    assert after.sent_bytes - before.sent_bytes >= 20 * 1400
    assert after.received_packets - before.received_packets >= 20
    fresh = lab.engine()  # asks for disks at its first call
    full = _of(fresh, spec.name)
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
