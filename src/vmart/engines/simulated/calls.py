"""How calls of a simulated engine go: how long each takes, and how they go wrong by chance or as they were told to."""

import random
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from vmart.engines.contract import EngineError
from vmart.engines.simulated.file import FAILED, LOST, File

_CHANGING = (
    "ensure_image", "ensure_present", "ensure_reinstalled", "ensure_power", "ensure_rebooted", "ensure_absent",
    "ensure_address", "ensure_network", "ensure_rules", "ensure_size", "ensure_disk_size", "ensure_password",
    "ensure_ssh_keys", "ensure_hostname", "ensure_spot_notice",
    "ensure_volume", "ensure_kept", "ensure_volume_absent", "ensure_attached", "ensure_detached", "ensure_snapshot",
    "ensure_snapshot_absent", "ensure_restored", "ensure_volume_restored", "ensure_image_of", "ensure_image_absent",
    "ensure_rescue", "ensure_own_system",
    "ensure_image_imported",
)  # fmt: skip


class Calls:
    """By the settings of latency and rates, and by what ``world.World`` wrote into the file."""

    def __init__(self, file: File, settings: Mapping[str, Any]) -> None:
        self._file = file
        self._latency_s: float | Mapping[str, float] = settings.get("latency_s") or 0.0
        self._failure_rate = float(settings.get("failure_rate") or 0.0)
        self._lost_answer_rate = float(settings.get("lost_answer_rate") or 0.0)
        # Chance here decides which calls fail, no secret depends on it.
        self._random = random.Random(settings.get("seed"))  # noqa: S311

    @contextmanager
    def call(self, verb: str, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
        """One call: its latency, its faults; what the block wrote stays also when the answer is lost."""
        self.sleep(verb)
        lost = self.fault(verb)
        if writes:
            with self._file.writing() as connection:
                yield connection
        else:
            yield self._file.connection()
        if lost is not None:
            raise lost

    def sleep(self, verb: str) -> None:
        """As long as a call of the verb takes."""
        latency_s = self._latency_s
        seconds = float(latency_s.get(verb, 0.0) if isinstance(latency_s, Mapping) else latency_s)
        if seconds > 0:
            time.sleep(seconds)

    def fault(self, verb: str) -> EngineError | None:
        """Raise the fault that is due before the call, or return the one that loses its answer."""
        connection = self._file.connection()
        switches = dict(connection.execute("SELECT name, value FROM switch"))
        if "stopped" in switches:
            raise EngineError(LOST, transient=True)
        if "count" in switches:
            connection.execute(
                "INSERT INTO call (verb, calls) VALUES (?, 1) ON CONFLICT (verb) DO UPDATE SET calls = calls + 1",
                (verb,),
            )
        lost = self._armed_fault(connection, verb)
        if lost is None and verb in _CHANGING:
            if self._failure_rate and self._random.random() < self._failure_rate:
                raise EngineError(FAILED, transient=True)
            if self._lost_answer_rate and self._random.random() < self._lost_answer_rate:
                return EngineError(LOST, transient=True)
        return lost

    def _armed_fault(self, connection: sqlite3.Connection, verb: str) -> EngineError | None:
        wanted = "(verb = :verb OR (verb = '*' AND :changing))"
        place = {"verb": verb, "changing": verb in _CHANGING}
        if connection.execute(f"SELECT 1 FROM fault WHERE {wanted} LIMIT 1", place).fetchone() is None:  # noqa: S608
            return None
        due: tuple[int, int, int, str] | None = None
        with self._file.writing():
            connection.execute(f"UPDATE fault SET calls_left = calls_left - 1 WHERE {wanted}", place)  # noqa: S608
            due = connection.execute(
                f"SELECT id, lose_answer, transient, sentence FROM fault WHERE {wanted} AND calls_left <= 0 "  # noqa: S608
                "ORDER BY id LIMIT 1",
                place,
            ).fetchone()
            if due is not None:
                connection.execute("UPDATE fault SET times = times - 1 WHERE id = ?", (due[0],))
                connection.execute("DELETE FROM fault WHERE id = ? AND times <= 0", (due[0],))
        if due is None:
            return None
        error = EngineError(due[3], transient=bool(due[2]))
        if due[1]:
            return error
        raise error
