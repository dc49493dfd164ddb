"""What simulated machines use: by themselves a wave of a day with a smaller one of twenty minutes on it, or as they
are told. Both are functions of business time, so that the same machine at the same instant always says the same.
"""

import json
import math
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vmart.engines.contract import Usage
from vmart.kernel import clock

_DAY_S, _SHORT_S = 86_400, 1_200
_DAILY = 0.7  # share of the wave of a day
_SYSTEM_DISK_GIB = 50  # what it says that its system disk has; the engine keeps no size of it
# Each second at the crest of the wave, of the least and of the busiest machine; cpu: share of all its vCPU.
_CREST = {
    "cpu": (0.05, 0.6), "disk_read_bytes": (2e4, 2e6), "disk_written_bytes": (4e4, 4e6), "disk_reads": (2, 90),
    "disk_writes": (4, 160), "received_bytes": (1e4, 3e6), "sent_bytes": (1e4, 5e6), "received_packets": (20, 2500),
    "sent_packets": (20, 4000),
}  # fmt: skip
COUNTERS = tuple(_CREST)
_MACHINES = """
SELECT m.name, m.boots, m.on_since, m.vcpu, m.memory_mib, m.counted, m.sent_bytes, m.flowing_since, l.boots, l.told
FROM machine m LEFT JOIN load l ON l.machine = m.name
WHERE m.power = 'running' AND m.member NOT IN (SELECT member FROM member_down) {narrowed} ORDER BY m.name
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a machine was told to use from an instant on, each second; ``memory`` and ``disk`` are shares of all."""

    each_second: Mapping[str, float]
    memory: float
    disk: float


def of_all(connection: sqlite3.Connection, bytes_per_s: int) -> list[Usage]:
    """Of each running machine; ``bytes_per_s``: what each with a public address sends by itself."""
    return list(_of(connection.execute(_MACHINES.format(narrowed="")), bytes_per_s))


def tell(connection: sqlite3.Connection, name: str, load: Load) -> None:
    """The machine uses this from now on, until its next boot is no other: what it has used so far is kept."""
    row = connection.execute(_MACHINES.format(narrowed="AND m.name = ?"), (name,)).fetchone()
    if row is None:
        raise ValueError(f"{name} uses nothing: it is absent or off")
    told = {
        "since": clock.now().timestamp(), "rates": dict(load.each_second), "memory": load.memory, "disk": load.disk,
        "before": _counts(row, clock.now().timestamp()),
    }  # fmt: skip
    connection.execute(
        "INSERT OR REPLACE INTO load (machine, boots, told) VALUES (?, ?, ?)", (name, row[1], json.dumps(told))
    )


def _of(rows: Any, bytes_per_s: int) -> Iterator[Usage]:
    now = clock.now()
    now_s = now.timestamp()
    for row in rows:
        name, boots, _on_since, vcpu, memory_mib, counted, sent, flowing_since, _told_boots, told = row
        counts = _counts(row, now_s)
        gone = 0 if flowing_since is None else max(0, int((now_s - flowing_since) * bytes_per_s))
        public = sent + gone if counted else 0
        memory, disk = _filled(name, now_s, told)
        yield Usage(
            name=name, epoch=str(boots), read_at=now, cpu_ns=int(counts["cpu"] * vcpu * 1e9),
            memory_bytes=int(memory * memory_mib * 2**20), memory_total_bytes=memory_mib * 2**20,
            disk_used_bytes=int(disk * _SYSTEM_DISK_GIB * 2**30), disk_total_bytes=_SYSTEM_DISK_GIB * 2**30,
            disk_read_bytes=int(counts["disk_read_bytes"]), disk_written_bytes=int(counts["disk_written_bytes"]),
            disk_reads=int(counts["disk_reads"]), disk_writes=int(counts["disk_writes"]),
            received_bytes=int(counts["received_bytes"]), sent_bytes=int(counts["sent_bytes"]) + public,
            received_packets=int(counts["received_packets"]), sent_packets=int(counts["sent_packets"]),
            public_sent_bytes=public,
        )  # fmt: skip


def _counts(row: Any, now_s: float) -> dict[str, float]:
    """What was used since its boot."""
    name, boots, on_since, *_others, told_boots, told_text = row
    since = on_since or 0.0
    if told_text is None:
        waved = _waved(name, now_s) - _waved(name, since)
        return {counter: (least + (most - least) * _kind(name)) * waved for counter, (least, most) in _CREST.items()}
    told = json.loads(told_text)
    rates, before = told["rates"], told["before"] if told_boots == boots else {}
    seconds = now_s - (told["since"] if told_boots == boots else since)
    return {counter: before.get(counter, 0.0) + rates.get(counter, 0.0) * seconds for counter in COUNTERS}


def _filled(name: str, now_s: float, told: str | None) -> tuple[float, float]:
    """Shares of its memory and of its system disk."""
    if told is not None:
        load = json.loads(told)
        return load["memory"], load["disk"]
    wave = (1 - math.cos(2 * math.pi * now_s / _DAY_S + _phase(name))) / 2
    return 0.2 + 0.3 * _kind(name) + 0.2 * wave, 0.1 + 0.5 * _kind(name)


def _waved(name: str, at_s: float) -> float:
    """Integral of the wave, which lies between 0 and 1, from the epoch to an instant."""
    return _DAILY * _integral(at_s, _DAY_S, _phase(name)) + (1 - _DAILY) * _integral(at_s, _SHORT_S, _phase(name))


def _integral(at_s: float, period_s: int, phase: float) -> float:
    return at_s / 2 - period_s / (4 * math.pi) * math.sin(2 * math.pi * at_s / period_s + phase)


def _kind(name: str) -> float:
    """How busy a machine is among all, 0 to 1."""
    return (zlib.crc32(name.encode()) % 1000) / 999


def _phase(name: str) -> float:
    return 2 * math.pi * (zlib.crc32(name.encode()) // 1000 % 1000) / 1000
