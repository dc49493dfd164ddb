"""Threads that meet: for races and their control experiments."""

import threading
import time
from collections.abc import Callable

from django.db import connection

from vmart.kernel import db


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """Run the deeds in a thread each, begun together; what each returned or raised, in order."""
    begin = threading.Barrier(len(deeds))
    results: list[object] = [None] * len(deeds)

    def do(number: int, deed: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            begin.wait(10)
            results[number] = deed()
        except Exception as error:  # noqa: BLE001
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=(number, deed)) for number, deed in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def wait_until_blocked(count: int = 1, limit_s: float = 10) -> None:
    """Until so many connections of this database wait for a lock."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        db.rows("SELECT pg_stat_clear_snapshot()")  # inside a transaction it would stand still
        waiting = db.rows(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )[0]["n"]
        if waiting >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{count} connections should wait for a lock")
