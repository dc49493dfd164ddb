"""The gate: an advisory lock put into a SQL function, where a test holds everybody until it lets them go."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.orders import machines as m

GATE = "PERFORM pg_advisory_xact_lock_shared(4242);"
Edit = Callable[..., None]


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def waiting() -> list[str]:
    """What the other connections of this database wait for: advisory (the gate), transactionid, tuple, …"""
    found = db.rows(
        "SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return sorted(row["wait_event"] for row in found)


def at_the_gate(url: str, *acts: Callable[[], Any]) -> tuple[list[str], list[Any]]:
    """Let the acts run, one after the other, until each waits; then open the gate. What they waited for, results."""
    results: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        try:
            results[place] = acts[place]()
        except Exception as error:  # noqa: BLE001  the test looks at it
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    with psycopg.connect(url) as keeper:
        keeper.execute("SELECT pg_advisory_xact_lock(4242)")
        for number, thread in enumerate(threads, 1):
            thread.start()
            deadline = time.monotonic() + 20
            while len(waiting()) < sum(one.is_alive() for one in threads[:number]):
                assert time.monotonic() < deadline
                time.sleep(0.005)
        waited = waiting()
    for thread in threads:
        thread.join(30)
    return waited, results


def of(kind: type, results: list[Any]) -> int:
    return sum(isinstance(result, kind) for result in results)


def without_locks(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the account nor its machines are locked."""
    edit("ledger_lock", (" FOR NO KEY UPDATE", ""))
    monkeypatch.setattr(m, "locking", lambda: Instance.objects.select_related("subscription"))
