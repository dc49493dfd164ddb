"""Given a machine on a real engine, when its size changes, then its inside has the new one, at once where it grows."""

import time
from collections.abc import Callable

from tests.lab.conftest import Lab
from vmart.engines.contract import Engine, MachineSpec, Power

MakeSpec = Callable[..., MachineSpec]


def _seen(lab: Lab, name: str) -> tuple[int, int]:
    """vCPU and MiB, as programs in it see them."""
    cpus, kib = lab.inside(name, "nproc; grep MemTotal /proc/meminfo | tr -dc 0-9").stdout.split()
    return int(cpus), int(kib) >> 10


def test_it_grows_while_its_programs_run_on(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec()
    booted = engine.ensure_present(spec)
    assert _seen(lab, spec.name) == (1, 512)
    lab.inside(spec.name, "setsid sleep 600 < /dev/null > /dev/null 2>&1 & echo $! > /run/runs-on")
    engine.ensure_size(spec.name, 2, 1024, on=True)
    ends = time.monotonic() + 30  # the server shares out CPUs a moment later
    while (seen := _seen(lab, spec.name)) != (2, 1024) and time.monotonic() < ends:
        time.sleep(0.1)
    assert seen == (2, 1024)
    assert lab.inside(spec.name, "cat /proc/$(cat /run/runs-on)/comm").stdout.split() == ["sleep"]
    assert engine.observe(spec.name) == booted
    assert int(lab.inside(spec.name, "grep -c ^processor /proc/cpuinfo").stdout) == 2


def test_its_memory_shrinks_over_a_restart(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """What it had written stays; its counter of bytes goes on."""
    spec = make_spec()
    booted_at, began = engine.ensure_present(spec).booted_at, engine.counters([spec.name])[spec.name]
    lab.inside(spec.name, "echo kept > /root/kept")
    engine.ensure_size(spec.name, 1, 384, on=True)
    seen = engine.observe(spec.name)
    assert booted_at is not None and seen.booted_at is not None
    assert (seen.power, seen.booted_at > booted_at, _seen(lab, spec.name)) == (Power.RUNNING, True, (1, 384))
    assert lab.inside(spec.name, "cat /root/kept").stdout.split() == ["kept"]
    assert engine.counters([spec.name])[spec.name].epoch == began.epoch


def test_one_that_is_off_has_it_at_its_start(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec()
    engine.ensure_present(spec)
    engine.ensure_power(spec.name, False)
    engine.ensure_size(spec.name, 2, 768, on=False)
    assert engine.observe(spec.name).power is Power.STOPPED
    engine.ensure_power(spec.name, True)
    assert _seen(lab, spec.name) == (2, 768)
