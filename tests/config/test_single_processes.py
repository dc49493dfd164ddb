"""``vmart migrate``, ``web`` and ``worker`` each alone, as where several machines make one shop."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from tests.support.database import Databases
from tests.support.shopper import HOURLY, open_purse, wanted
from vmart.config import bring_up
from vmart.config.supervisor import claim_port
from vmart.instances.models import Instance
from vmart.kernel import function_sets
from vmart.kernel.functions import OURS, Functions
from vmart.orders.purchase import purchase


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "vmart.config.cli", *words]


def _environment(databases: Databases, data_dir: Path, **more: str) -> dict[str, str]:
    """Of a machine of its own: a database, the master key, a data directory in which nothing runs."""
    return os.environ | {"VMART_DATABASE_URL": databases.url(), "VMART_DATA_DIR": str(data_dir), **more}


def _vmart(databases: Databases, data_dir: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        _command(*words), env=_environment(databases, data_dir, **more), capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


@contextmanager
def _running(databases: Databases, data_dir: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(_command(*words), env=_environment(databases, data_dir), stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _one_pending() -> Iterator[None]:
    """The database lacks what the code has: the migration's row is gone meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'worker' AND name = '0002_given_up' RETURNING app, name, applied"
        )
        taken = cursor.fetchall()
        try:
            yield
        finally:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", taken)


@pytest.mark.parametrize(
    "words",
    [("web", "--listen", "127.0.0.1:0"), ("worker",), ("console", "--listen", "127.0.0.1:0")],
    ids=["web", "worker", "console"],
)
def test_it_refuses_to_start_while_migrations_are_pending(
    db: Databases, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with _one_pending():
        refused = _vmart(db, tmp_path, *words)
    assert refused.returncode == 3
    assert refused.stderr == (
        "vmart: the database lacks 1 migrations (worker.0002_given_up …): run `vmart migrate` first\n"
    )  # fmt: skip


@contextmanager
def _without_functions() -> Iterator[None]:
    """The database has the functions of another version only."""
    mine, others = OURS.schema, "fn_of_another"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {mine} RENAME TO {others}")
        try:
            yield
        finally:
            cursor.execute(f"ALTER SCHEMA {others} RENAME TO {mine}")


@pytest.mark.parametrize(
    "words",
    [("web", "--listen", "127.0.0.1:0"), ("worker",), ("console", "--listen", "127.0.0.1:0")],
    ids=["web", "worker", "console"],
)
def test_it_refuses_to_start_on_functions_of_another_version(
    db: Databases, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with _without_functions():
        refused = _vmart(db, tmp_path, *words)
    assert refused.returncode == 3
    assert refused.stderr == (
        "vmart: the database lacks the SQL functions of this version: run `vmart migrate` first\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"VMART_DATABASE_URL": "host=/nonexistent"}, "the database cannot be reached"),
        ({"VMART_MASTER_KEY": "07"}, "the master key has fewer than 32 bytes"),
    ],
)
def test_it_says_what_it_lacks(db: Databases, tmp_path: Path, more: dict[str, str], sentence: str) -> None:
    refused = _vmart(db, tmp_path, "web", "--listen", "127.0.0.1:0", **more)
    assert refused.returncode == 3
    assert refused.stderr.startswith("vmart: ") and sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_migrate_brings_an_empty_database_up_to_date_and_then_finds_nothing_to_do(
    db: Databases, tmp_path: Path
) -> None:
    with db.superuser() as server:
        server.execute(f'CREATE DATABASE "vmart_{db.worker}_migrated" OWNER vmart')
    try:
        url = {"VMART_DATABASE_URL": db.server.url(f"vmart_{db.worker}_migrated")}
        first = _vmart(db, tmp_path, "migrate", **url)
        assert first.returncode == 0, first.stderr
        assert "orders.0001_first" in first.stdout.splitlines()
        again = _vmart(db, tmp_path, "migrate", **url)
        assert (again.returncode, again.stdout) == (0, "nothing to migrate\n")
    finally:
        with db.superuser() as server:
            server.execute(f'DROP DATABASE "vmart_{db.worker}_migrated" WITH (FORCE)')


def test_web_alone_serves_and_ends_when_told(shop: Databases, tmp_path: Path) -> None:
    host, port = claim_port(("127.0.0.1", 0), "--listen")
    with _running(shop, tmp_path, "web", "--listen", f"{host}:{port}") as process:
        deadline = time.monotonic() + 60
        while not _answers(f"http://{host}:{port}/buy/"):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200 and b"Guangzhou" in answer.read())
    except OSError:
        return False


def test_a_worker_alone_delivers_what_another_machine_sold_and_ends_when_told(shop: Databases, tmp_path: Path) -> None:
    bring_up.start_business()
    with _running(shop, tmp_path, "worker") as process:
        _delivered_by(process, "buyer")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_worker_of_the_version_before_goes_on_delivering(shop: Databases, tmp_path: Path) -> None:
    """Given a worker at work, when a version whose claim is called otherwise is installed, then it still claims."""
    bring_up.start_business()
    newer = Functions(OURS.text.replace("fn.worker_claim(\n", "fn.worker_claim(\n  _channel text, "))
    assert newer.text.count("_channel text") == 1
    with _running(shop, tmp_path, "worker") as process:
        try:
            _delivered_by(process, "before")
            function_sets.install(newer, "0.2.0")
            _delivered_by(process, "after")
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP SCHEMA IF EXISTS {newer.schema} CASCADE")


def _delivered_by(process: "subprocess.Popen[bytes]", name: str) -> None:
    bought = purchase(wanted(open_purse(name, cash_minor=1000), HOURLY)).instance_ids
    deadline = time.monotonic() + 60
    while Instance.objects.get(public_id=bought[0]).state != "RUNNING":
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
