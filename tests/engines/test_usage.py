"""What machines use, by what an Incus server says, and by what a simulated machine is told to use."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engines.test_contract import engine, free_address, image, make_spec  # noqa: F401  the same fixtures
from tests.support.business_clock import BusinessClock
from vmart.engines.incus import usage
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.engines.simulated.world import World

NAMED = 'name="ins-a",project="default",type="container"'
TEXT = f"""# HELP incus_cpu_seconds_total The total number of CPU time used in seconds.
# TYPE incus_cpu_seconds_total counter
incus_cpu_seconds_total{{cpu="0",mode="system",{NAMED}}} 0.5
incus_cpu_seconds_total{{cpu="1",mode="user",{NAMED}}} 1.25
incus_cpu_seconds_total{{cpu="1",mode="idle",{NAMED}}} 99
incus_disk_read_bytes_total{{device="sda",{NAMED}}} 4096
incus_disk_read_bytes_total{{device="sdb",{NAMED}}} 1.048576e+06
incus_disk_writes_completed_total{{device="sda",{NAMED}}} 7
incus_memory_MemAvailable_bytes{{{NAMED}}} 5.19081984e+08
incus_memory_MemTotal_bytes{{{NAMED}}} 5.36870912e+08
incus_memory_Shmem_bytes{{{NAMED}}} 1000
incus_network_receive_bytes_total{{device="lo",{NAMED}}} 1000
incus_network_receive_bytes_total{{device="eth0",{NAMED}}} 20
incus_network_receive_bytes_total{{device="eth1",{NAMED}}} 3
incus_network_transmit_packets_total{{device="eth0",{NAMED}}} 11
incus_memory_MemTotal_bytes{{name="ins-b",project="default",type="container"}} 1024
incus_go_goroutines 90
incus_warnings_total 0
"""
STATE = {
    "cpu": {"usage": 1_750_000_000}, "memory": {"usage": 4096, "total": 8192},
    "disk": {"root": {"usage": 512, "total": 1024}},
    "network": {
        "lo": {"counters": dict.fromkeys(("bytes_received", "bytes_sent", "packets_received", "packets_sent"), 9)},
        "eth0": {
            "counters": {"bytes_received": 1, "bytes_sent": 2, "packets_received": 3, "packets_sent": 4}
        },
    },
}  # fmt: skip


class _Server:
    """Answers as the client of one does, and keeps what it was asked."""

    def __init__(self, text: str = TEXT) -> None:
        self._text = text
        self.asked: list[str] = []

    def text(self, path: str, *, limit_s: float) -> str:
        assert limit_s == 20
        self.asked.append(path)
        return self._text

    def get_within(self, limit_s: float, path: str, **parameters: object) -> list[dict[str, Any]]:
        assert (limit_s, parameters) == (20, {"recursion": 2})
        self.asked.append(path)
        return [{"name": name, "state": STATE} for name in ("ins-a", "ins-of-others")]

    def find(self, path: str) -> Mapping[str, Any]:
        self.asked.append(path)
        return STATE


def test_metrics_are_summed_over_cpus_disks_and_interfaces() -> None:
    found = usage.of_metrics("ins-a", usage.read(TEXT)["ins-a"])
    assert found is not None
    assert (found.cpu_ns, found.disk_read_bytes, found.disk_writes, found.disk_written_bytes) == (
        1_750_000_000, 4096 + 1_048_576, 7, None,
    )  # fmt: skip
    assert (found.received_bytes, found.sent_packets, found.sent_bytes) == (23, 11, None)
    assert (found.memory_bytes, found.memory_total_bytes) == (17_789_928, 536_870_912)
    assert usage.of_metrics("ins-b", usage.read(TEXT)["ins-b"]) is None  # nothing is said of its CPU
    assert usage.read("no metrics") == {}
    virtual = usage.of_metrics("ins-a", usage.read(TEXT.replace('"container"', '"virtual-machine"'))["ins-a"])
    assert virtual is not None and virtual.memory_bytes == 17_788_928


def test_a_server_is_asked_once_for_all_and_each_fifth_time_for_disks() -> None:
    server = _Server()
    used = usage.Used(server, is_cluster=False)  # type: ignore[arg-type]
    running = {"ins-a": {"last_used_at": "2026-11-30T08:00:00Z"}}
    for _ in range(6):
        (found,) = used.of(running, {"ins-a": 5})
        assert (found.disk_used_bytes, found.disk_total_bytes, found.public_sent_bytes) == (512, 1024, 5)
        assert (found.epoch, found.cpu_ns) == ("2026-11-30T08:00:00Z", 1_750_000_000)
    assert server.asked == ["/1.0/instances", *["/1.0/metrics"] * 5, "/1.0/instances", "/1.0/metrics"]


def test_in_a_cluster_the_full_list_tells_everything() -> None:
    server = _Server()
    (found,) = usage.Used(server, is_cluster=True).of({"ins-a": {}}, {})  # type: ignore[arg-type]
    assert (found.cpu_ns, found.memory_bytes, found.memory_total_bytes) == (1_750_000_000, 4096, 8192)
    assert (found.received_bytes, found.sent_bytes, found.received_packets, found.sent_packets) == (1, 2, 3, 4)
    assert (found.disk_read_bytes, found.public_sent_bytes, server.asked) == (None, None, ["/1.0/instances"])


def test_of_one_that_was_just_started_no_older_metrics_are_said() -> None:
    server = _Server()
    now = dt.datetime.now(dt.UTC).isoformat()
    (found,) = usage.Used(server, is_cluster=False).of({"ins-a": {"last_used_at": now}}, {})  # type: ignore[arg-type]
    assert (found.memory_total_bytes, server.asked[-1]) == (8192, "/1.0/instances/ins-a/state")


def test_a_simulated_machine_says_the_same_at_the_same_instant_and_only_grows(
    tmp_path: Path,
    test_clock: BusinessClock,
    make_spec: Any,  # noqa: F811
) -> None:
    simulated = SimulatedEngine({"file": tmp_path / "own.sqlite"})
    spec = make_spec(public=False)
    simulated.ensure_present(spec)
    (before,) = simulated.usage()
    assert (before.cpu_ns, before.sent_bytes, before.epoch) == (0, 0, "1")
    for _ in range(24):
        test_clock.advance(hours=1)
        (after,) = SimulatedEngine({"file": tmp_path / "own.sqlite"}).usage()
        assert simulated.usage() == [after]
        assert before.cpu_ns < after.cpu_ns <= before.cpu_ns + 3600 * 10**9
        before = after
    simulated.ensure_rebooted(spec.name, dt.datetime.now(dt.UTC))
    (booted,) = simulated.usage()
    assert (booted.cpu_ns, booted.epoch) == (0, "2")


def test_a_simulated_machine_uses_what_it_is_told(
    tmp_path: Path,
    test_clock: BusinessClock,
    make_spec: Any,  # noqa: F811
) -> None:
    simulated, world = SimulatedEngine({"file": tmp_path / "own.sqlite"}), World(tmp_path / "own.sqlite")
    spec = make_spec()
    simulated.ensure_present(spec)
    test_clock.advance(hours=1)
    (before,) = simulated.usage()
    world.use(spec.name, cpu_percent=50, memory_percent=25, disk_percent=10, sent_bytes=100)
    test_clock.advance(seconds=10)
    world.send_bytes(spec.name, 7)
    (after,) = simulated.usage()
    assert after.cpu_ns - before.cpu_ns == pytest.approx(5 * 10**9, abs=2)  # of its one vCPU
    assert (after.memory_bytes, after.disk_used_bytes) == (256 << 20, 5 << 30)
    assert before.sent_bytes is not None and after.sent_bytes is not None
    assert (after.sent_bytes - before.sent_bytes, after.public_sent_bytes) == (1007, 7)
    assert after.received_bytes == before.received_bytes
    with pytest.raises(ValueError, match="no machine uses beauty"):
        world.use(spec.name, beauty=1)
    simulated.ensure_power(spec.name, False)
    with pytest.raises(ValueError, match="uses nothing"):
        world.use(spec.name)
