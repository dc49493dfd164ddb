"""What machines use, by the server's metrics: one request for all of them.

They cost the server less than half of what its full list does (``recursion=2``), and tell more: reads and writes of
disks, and memory without the page cache. What they do not tell is how full a disk is; the full list is asked for that
each fifth time, and says it until then. In a cluster metrics are of the member that answers, so there the full list
tells everything.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from vmart.engines.contract import Usage
from vmart.engines.incus.client import IncusClient, Json, path_of
from vmart.engines.incus.records import LAST_USED, instant
from vmart.kernel import clock

LIMIT_S = 20.0
FULL_EACH = 5
_CACHED = dt.timedelta(seconds=10)  # the server says again what it counted up to 8 seconds ago
_IDLE = ("idle", "iowait", "steal")  # virtual machines tell these too
_LINE = re.compile(r"^incus_([A-Za-z_]+)\{(.*)\} ([0-9.eE+-]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_COUNTED = {
    "disk_read_bytes_total": "disk_read_bytes", "disk_written_bytes_total": "disk_written_bytes",
    "disk_reads_completed_total": "disk_reads", "disk_writes_completed_total": "disk_writes",
    "network_receive_bytes_total": "received_bytes", "network_transmit_bytes_total": "sent_bytes",
    "network_receive_packets_total": "received_packets", "network_transmit_packets_total": "sent_packets",
    "memory_MemTotal_bytes": "memory_total_bytes", "memory_MemAvailable_bytes": "available",
    "memory_Shmem_bytes": "shared", "cpu_seconds_total": "cpu_s",
}  # fmt: skip
_COUNTERS = {
    "received_bytes": "bytes_received", "sent_bytes": "bytes_sent", "received_packets": "packets_received",
    "sent_packets": "packets_sent",
}  # fmt: skip


class Used:
    """Of one deployment's machines. Keeps how full disks were when the full list was asked last."""

    def __init__(self, client: IncusClient, *, is_cluster: bool) -> None:
        self._client, self._is_cluster = client, is_cluster
        self._asked = 0
        self._disks: dict[str, tuple[int | None, int | None]] = {}

    def of(self, running: Mapping[str, Json], public_sent: Mapping[str, int]) -> list[Usage]:
        """Of these records of the server, by name. Raises IncusError, EngineError."""
        full: dict[str, Json] = {}
        if self._is_cluster or self._asked % FULL_EACH == 0:
            full = self._full(running)
            self._disks = {name: _disk(found["state"]) for name, found in full.items()}
        self._asked += 1
        read_at = clock.wall()
        told = {} if self._is_cluster else read(self._client.text("/1.0/metrics", limit_s=LIMIT_S))
        if told:
            read_at = clock.wall()
        found = []
        for name, record in running.items():
            if _is_just_on(record, read_at):  # what metrics say may be of the boot before
                one = of_state(name, self._state(name))
            else:
                one = of_metrics(name, told.get(name)) or of_state(name, full.get(name))
            if one is not None:
                used, total = self._disks.get(name, (None, None))
                found.append(
                    replace(
                        one, epoch=str(record.get(LAST_USED, "")), read_at=read_at, disk_used_bytes=used,
                        disk_total_bytes=total, public_sent_bytes=public_sent.get(name),
                    )
                )  # fmt: skip
        return found

    def _state(self, name: str) -> Json:
        return {"state": self._client.find(path_of("instances", name, "state"))}

    def _full(self, names: Collection[str]) -> dict[str, Json]:
        listed = self._client.get_within(LIMIT_S, "/1.0/instances", recursion=2)
        return {found["name"]: found for found in listed if found["name"] in names and found.get("state")}


def read(text: str) -> dict[str, dict[str, float]]:
    """{machine: {what of ``_COUNTED``: sum over CPUs, disks and interfaces}} of the server's text."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for metric, labels, value in _LINE.findall(text):
        what = _COUNTED.get(metric)
        if what is None:
            continue
        said = dict(_LABEL.findall(labels))
        if said.get("mode") in _IDLE or said.get("device") == "lo" or "name" not in said:
            continue
        if what == "shared" and said.get("type") != "container":
            continue  # the kernel of a virtual machine does not call it available itself
        of_one = found[said["name"]]
        of_one[what] = of_one.get(what, 0.0) + float(value)
    return found


def _is_just_on(record: Mapping[str, Any], now: dt.datetime) -> bool:
    booted_at = instant(str(record.get(LAST_USED, "")))
    return booted_at is not None and booted_at > now - _CACHED


_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def of_metrics(name: str, told: Mapping[str, float] | None) -> Usage | None:
    """None where they say nothing of its CPU: it was not running then."""
    if told is None or "cpu_s" not in told:
        return None
    whole = {what: int(value) for what, value in told.items()}
    total, available = whole.pop("memory_total_bytes", None), whole.pop("available", None)
    shared = whole.pop("shared", 0)  # files in memory, which the server takes for cache
    whole.pop("cpu_s")
    used = max(0, total - available + shared) if total is not None and available is not None else None
    return Usage(name, "", _NEVER, round(told["cpu_s"] * 1e9), used, total, **whole)


def of_state(name: str, found: Json | None) -> Usage | None:
    """By the full list: its memory is with the page cache, and of reads and writes nothing is said."""
    state = (found or {}).get("state") or {}
    cpu_ns = int((state.get("cpu") or {}).get("usage") or 0)
    if cpu_ns <= 0:
        return None
    memory = state.get("memory") or {}
    links = [link["counters"] for device, link in (state.get("network") or {}).items() if device != "lo"]
    sums = {ours: sum(int(link[theirs]) for link in links) for ours, theirs in _COUNTERS.items()} if links else {}
    return Usage(name, "", _NEVER, cpu_ns, memory.get("usage"), memory.get("total") or None, **sums)


def _disk(state: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Of its system disk; a pool that cannot tell says 0, or -1."""
    root = (state.get("disk") or {}).get("root") or {}
    used, total = int(root.get("usage") or 0), int(root.get("total") or 0)
    return (used if used > 0 else None, total if total > 0 else None)
