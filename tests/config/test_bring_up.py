"""Migrations, the master key and the single processes' refusal to run beside them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from tests.support.at_once import at_once
from tests.support.database import Databases
from tests.support.migrations_check import faults
from vmart.config import bring_up, business_time
from vmart.config.places import billing_zone
from vmart.kernel import clock
from vmart.kernel import db as database
from vmart.kernel.models import Deployment
from vmart.kernel.secrets import MASTER_KEY_VARIABLE


def test_no_model_says_what_no_migration_says() -> None:
    assert faults() == []


def test_bringing_up_twice_is_bringing_up_once(db: Databases) -> None:
    before = list(Deployment.objects.values_list("created_at", "currency", "billing_zone"))
    bring_up.bring_up_to_date()
    assert bring_up.pending_migrations() == []
    assert list(Deployment.objects.values_list("created_at", "currency", "billing_zone")) == before


_SOON = "CREATE INDEX CONCURRENTLY soon ON kernel_deployment (currency)"


def _index_while_another(waits: Callable[[], object]) -> list[object]:
    """What becomes of a migration that builds an index beside the work while a second process ``waits`` its turn."""
    begun, asked = threading.Event(), threading.Event()

    def migrate() -> None:
        with database.advisory_lock("vmart.migrate"), connection.cursor() as cursor:
            begun.set()
            assert asked.wait(10)
            time.sleep(0.2)
            cursor.execute(_SOON)

    def second() -> None:
        assert begun.wait(10)
        asked.set()
        waits()

    try:
        return at_once(migrate, second)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX IF EXISTS soon")


def test_who_waits_to_migrate_holds_up_no_index_that_is_built_beside_the_work(db: Databases) -> None:
    def wait() -> None:
        with database.advisory_lock("vmart.migrate"):
            pass

    def wait_in_one_statement() -> None:  # the control
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended('vmart.migrate', 0))")

    assert _index_while_another(wait) == [None, None]
    assert [str(error).splitlines()[0] for error in _index_while_another(wait_in_one_statement) if error] == [
        "deadlock detected"
    ]


_INDEX = "indexrelid = 'worker_operation_given_up'::regclass"
_LEFT = {
    "built, and not noted": "SELECT 1",
    "not built to its end": f"UPDATE pg_index SET indisvalid = false WHERE {_INDEX}",
}


@pytest.mark.parametrize("left", _LEFT)
def test_an_index_whose_build_was_killed_is_built_anew(db: Databases, left: str) -> None:
    """Given what a migration without a transaction leaves when it ends in the middle, then the next start goes on."""
    with db.superuser(connection.settings_dict["NAME"]) as superuser:
        superuser.execute(_LEFT[left])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'worker' AND name = '0002_given_up'")
        cursor.execute("SET lock_timeout = '7s'")
        call_command("migrate", "worker", verbosity=0)
        cursor.execute(f"SELECT indisvalid FROM pg_index WHERE {_INDEX}")
        assert cursor.fetchone() == (True,)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("7s",)  # what comes after it waits no longer than before
        cursor.execute("RESET lock_timeout")
    bring_up.require_current()


def test_a_single_process_refuses_pending_migrations(db: Databases) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'worker' RETURNING app, name, applied")
        taken = cursor.fetchall()
        try:
            with pytest.raises(bring_up.DatabaseUnfit, match="run `vmart migrate` first"):
                bring_up.require_current()
        finally:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", taken)
    bring_up.require_current()


def test_a_master_key_is_made_for_a_new_database_only(
    db: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MASTER_KEY_VARIABLE)
    monkeypatch.setenv("VMART_DATA_DIR", str(tmp_path))
    with pytest.raises(bring_up.DatabaseUnfit, match="put it back from a backup"):
        bring_up.ensure_master_key()
    assert not (tmp_path / "secrets").exists()

    monkeypatch.setenv("VMART_DATABASE_URL", db.server.url("postgres", role="postgres"))
    bring_up.ensure_master_key()
    key = (tmp_path / "secrets" / "master.key").read_text()
    bring_up.ensure_master_key()
    assert (tmp_path / "secrets" / "master.key").read_text() == key


def test_business_time_stands_where_the_deployment_says(db: Databases) -> None:
    Deployment.objects.all().delete()
    bring_up._found_deployment("2026-03-01T00:00:00+00:00")
    business_time.install()
    assert clock.now().isoformat() == "2026-03-01T00:00:00+00:00"


@pytest.mark.parametrize("name", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"])
def test_a_billing_zone_is_whole_hours_from_utc(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("VMART_BILLING_ZONE", name)
    assert billing_zone() == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Asia/Kolkata", "is not whole hours from UTC"),
        ("Asia/Kathmandu", "is not whole hours from UTC"),
        ("Australia/Lord_Howe", "is not whole hours from UTC"),  # in winter
        ("Mars/Olympus", "there is no time zone 'Mars/Olympus'"),
        ("", "there is no time zone ''"),
        ("../etc/passwd", "there is no time zone"),
    ],
)
def test_another_billing_zone_is_refused_before_anything_is_made(tmp_path: Path, name: str, why: str) -> None:
    up = [
        sys.executable,
        "-m",
        "vmart.config.cli",
        "--data-dir",
        str(tmp_path / "shop"),
        "up",
        "--listen",
        "127.0.0.1:0",
    ]
    refused = subprocess.run(
        up, env=os.environ | {"VMART_BILLING_ZONE": name}, capture_output=True, text=True, check=False, timeout=60
    )
    assert refused.returncode == 3
    assert refused.stderr.startswith("vmart: VMART_BILLING_ZONE: ") and why in refused.stderr
    assert not (tmp_path / "shop").exists()


def test_a_shops_billing_zone_does_not_change(db: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_BILLING_ZONE", "Europe/Berlin")
    with pytest.raises(bring_up.DatabaseUnfit, match="is Europe/Berlin; this shop's is Asia/Shanghai since its first"):
        bring_up.bring_up_to_date()
    assert Deployment.objects.get().billing_zone == "Asia/Shanghai"
