"""The ground the other tests stand on: clones, restoring, the guards."""

import datetime as dt
import socket
import threading

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection

from tests.support.business_clock import BusinessClock
from tests.support.database import Databases
from tests.support.sockets import InternetRefused
from vmart.kernel import clock


@pytest.mark.parametrize("attempt", [1, 2])
def test_what_a_test_commits_is_gone_for_the_next(db: Databases, attempt: int) -> None:
    assert not Group.objects.exists()
    Group.objects.create(name="operators")
    assert Group.objects.count() == 1


def test_another_thread_sees_what_was_committed(db: Databases) -> None:
    Group.objects.create(name="operators")
    seen: list[str] = []

    def look() -> None:
        seen.extend(Group.objects.values_list("name", flat=True))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert seen == ["operators"]


def test_rows_that_the_template_had_come_back_and_new_tables_go(db: Databases) -> None:
    with db.superuser(f"vmart_{db.worker}_plain") as root:
        root.execute("INSERT INTO auth_group (id, name) VALUES (-1, 'kept'), (-2, 'kept too')")
        root.execute("SELECT test_seed.remember()")
        root.execute("DELETE FROM auth_group")
        root.execute("INSERT INTO auth_group (name) VALUES ('added')")
        root.execute("CREATE TABLE made_by_the_test (id int)")

        db.restore()

        kept = root.execute("SELECT id, name FROM auth_group ORDER BY id").fetchall()
        made = root.execute("SELECT to_regclass('made_by_the_test')").fetchone()
        root.execute("DELETE FROM auth_group")
        root.execute("SELECT test_seed.remember()")

    assert kept == [(-2, "kept too"), (-1, "kept")]
    assert made == (None,)


def test_only_rows_that_were_written_are_put_back(db: Databases) -> None:
    rows = "SELECT id, name, xmin::text FROM auth_group ORDER BY id"
    with db.superuser(f"vmart_{db.worker}_plain") as root:
        root.execute("INSERT INTO auth_group (id, name) VALUES (-1, 'changed'), (-2, 'deleted'), (-3, 'left alone')")
        root.execute("SELECT test_seed.remember()")
        db.restore()
        before = root.execute(rows).fetchall()
        for _ in range(2):  # what was put back is found again as what was there from the first
            root.execute("UPDATE auth_group SET name = 'another' WHERE id = -1")
            root.execute("DELETE FROM auth_group WHERE id = -2")
            db.restore()
        after = root.execute(rows).fetchall()
        db.restore()
        unwritten = root.execute(rows).fetchall()
        root.execute("DELETE FROM auth_group")
        root.execute("SELECT test_seed.remember()")

    assert [row[:2] for row in after] == [(-3, "left alone"), (-2, "deleted"), (-1, "changed")]
    assert [row[:2] for row in before] == [row[:2] for row in after]
    assert after[0] == before[0]
    assert {old[2] for old in before}.isdisjoint(new[2] for new in after[1:])
    assert unwritten == after


def test_what_is_committed_while_rows_are_put_back_goes_the_next_time(db: Databases) -> None:
    """Of a process that a test has left: its table was looked at before, and others were not yet."""
    name = f"vmart_{db.worker}_plain"
    with db.superuser(name) as root, db.superuser(name) as late, db.superuser(name) as other:
        root.execute("INSERT INTO auth_group (id, name) VALUES (-1, 'kept')")
        root.execute("SELECT test_seed.remember()")
        root.execute("CREATE TABLE made_by_the_test (id int)")
        with other.transaction():
            other.execute("LOCK TABLE made_by_the_test IN ACCESS SHARE MODE")  # which is to be dropped
            with late.transaction():
                late.execute("INSERT INTO auth_group (id, name) VALUES (-2, 'late')")
                thread = threading.Thread(target=db.restore)
                thread.start()
                _wait_for_lock(root, thread)
        thread.join()
        committed = root.execute("SELECT id FROM auth_group ORDER BY id").fetchall()
        db.restore()
        left = root.execute("SELECT id FROM auth_group").fetchall()
        root.execute("DELETE FROM auth_group")
        root.execute("SELECT test_seed.remember()")

    assert (committed, left) == ([(-2,), (-1,)], [(-1,)])


def _wait_for_lock(root: psycopg.Connection, thread: threading.Thread) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%test_seed.restore%'"
    while root.execute(waiting).fetchone() is None:
        assert thread.is_alive()


def test_without_the_fixture_the_database_is_refused() -> None:
    with pytest.raises(RuntimeError, match="fixture `db`"):
        Group.objects.count()


def test_the_internet_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(InternetRefused):
        sock.connect(("8.8.8.8", 53))


def test_the_business_clock_moves_only_when_told(test_clock: BusinessClock) -> None:
    before = clock.now()
    test_clock.advance(hours=48)
    assert clock.now() - before == dt.timedelta(hours=48)
