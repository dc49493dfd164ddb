"""What a worker does beside the queue."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db.models import F
from django.db.utils import OperationalError

from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG
from vmart.backoffice.apply_catalog import apply_file
from vmart.catalog import shop as catalog
from vmart.catalog.models import Zone, ZoneImage
from vmart.config.chores import Chores
from vmart.config.steps import zone_codes
from vmart.engines.contract import EngineError
from vmart.kernel import db
from vmart.kernel.models import Deployment

NEW = """      - code: ap-guangzhou-7
        legacy_id: 100007
        name: {en: Guangzhou Zone 7, zh: 广州七区}
        engine:
          kind: simulated
          members:
            - {name: gz7-a, vcpu: 16, memory_gib: 64, disk_gib: 1024}
"""


def test_a_zone_that_comes_while_the_worker_runs_is_looked_after(
    shop: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a running worker, when the catalog gets a zone, then its engine is looked at and its images get ready."""
    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.05)
    chores = Chores(zone_codes)
    with _running(chores):
        _until_ready("ap-guangzhou-6")
        file = tmp_path / "catalog.yaml"
        text = DEMO_CATALOG.read_text()
        file.write_text(text.replace("\n  - code: ap-shanghai\n", f"\n{NEW}\n  - code: ap-shanghai\n"))
        apply_file(file, confirm=lambda _changes: True)
        assert Zone.objects.get(code="ap-guangzhou-7").engine_status == "unknown"
        _until_ready("ap-guangzhou-7")
    assert not any(thread.is_alive() for thread in chores._threads.values())


def test_a_worker_without_the_lock_follows_the_prices_too(shop: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given another worker that has the lock of the chores, when prices change, then this one knows them as well."""
    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.05)
    monkeypatch.setattr("vmart.catalog.shop._NOTICE_S", 0.0)
    known = catalog.current().generation
    chores = Chores(list)
    with psycopg.connect(**db.connection_parameters(), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('chores', 0))")
        with _running(chores):
            Deployment.objects.update(generation=F("generation") + 1)
            _until(lambda: catalog.snapshot().generation == known + 1)


def test_a_minute_is_asked_for_once_also_where_the_engine_does_not_answer(
    shop: object, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given many ticks in one minute, then each zone is asked once, and rules are evaluated once; in the next again."""
    asked: list[tuple[str, int]] = []
    evaluated: list[int] = []

    def zone(code: str) -> int:
        asked.append((code, test_clock.at.minute))
        raise EngineError("The compute engine does not answer.", transient=True)

    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.02)
    monkeypatch.setattr("vmart.config.chores.usage.zone", zone)
    monkeypatch.setattr("vmart.config.chores.evaluate.at", lambda minute: evaluated.append(minute.minute) or 0)
    with _running(Chores(lambda: ["ap-guangzhou-4"])):
        _until(lambda: bool(asked) and bool(evaluated))
        time.sleep(0.4)
        test_clock.advance(minutes=1)
        _until(lambda: len(asked) > 1 and len(evaluated) > 1)
        time.sleep(0.4)
    assert asked == [("ap-guangzhou-4", 0), ("ap-guangzhou-4", 1)]
    assert evaluated == [58, 59]  # answers of the minute that is running and of the one before may still come


def test_housekeeping_that_failed_is_done_again_at_once_and_then_in_an_hour(
    shop: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def ensure(_now: object) -> None:
        tried.append("partitions")
        if len(tried) == 1:
            raise OperationalError("the database is restarted")

    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.02)
    monkeypatch.setattr("vmart.config.chores.ensure_partitions", ensure)
    monkeypatch.setattr("vmart.config.chores.passwords.erase_old", lambda _now: tried.append("passwords"))
    monkeypatch.setattr("vmart.config.chores.mails.forget_old", lambda _now: tried.append("notices"))
    with _running(Chores(list)):
        _until(lambda: "notices" in tried)
        time.sleep(0.5)  # many ticks
    assert tried == ["partitions", "partitions", "passwords", "notices"]


def test_a_slow_server_of_mail_holds_up_no_other_chore(
    shop: object, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given mails that do not leave, then rules are evaluated and machines taken back beside them, minute by minute."""
    done: list[str] = []
    sending, go_on = threading.Event(), threading.Event()

    def send() -> int:
        sending.set()
        go_on.wait(20)
        done.append("mails")
        return 0

    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.02)
    monkeypatch.setattr("vmart.config.chores._CHECK_S", 0.05)
    monkeypatch.setattr("vmart.config.chores.mails.send", send)
    monkeypatch.setattr("vmart.config.chores.evaluate.at", lambda _minute: done.append("rules") or 0)
    monkeypatch.setattr("vmart.config.chores.reclaim.for_price", lambda: done.append("reclaim"))
    with _running(Chores(list)):
        assert sending.wait(20)
        for _ in range(2):
            before = {what: done.count(what) for what in ("rules", "reclaim")}
            test_clock.advance(minutes=1)
            _until(lambda before=before: all(done.count(what) > number for what, number in before.items()))  # type: ignore[misc]
        assert "mails" not in done
        go_on.set()
        _until(lambda: "mails" in done)


def test_between_chores_no_zone_holds_a_connection(
    shop: object, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given five zones that are looked after, then the test, the catalog's thread and the mails' have one each."""
    asked: list[str] = []
    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.02)
    monkeypatch.setattr("vmart.config.chores.usage.zone", asked.append)
    with _running(Chores(zone_codes)):
        _until(lambda: sorted(asked) == sorted(zone_codes()))
        _until(lambda: _connections() == 3)
        test_clock.advance(minutes=1)  # which wakes all of them
        _until(lambda: sorted(asked) == sorted(2 * zone_codes()))
        _until(lambda: _connections() == 3)


def _connections() -> int:
    (row,) = db.rows(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user"
    )
    return int(row["n"])


@contextmanager
def _running(chores: Chores) -> Iterator[None]:
    chores.start()
    try:
        yield
    finally:
        chores.stop()
        for thread in list(chores._threads.values()):
            thread.join(10)


def _until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def _until_ready(zone: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        status = Zone.objects.get(code=zone).engine_status
        images = set(ZoneImage.objects.filter(zone_id=zone).values_list("status", flat=True))
        if (status, images) == ("ready", {"ready"}):
            return
        assert time.monotonic() < deadline, (zone, status, images)
        time.sleep(0.05)
