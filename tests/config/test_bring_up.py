"""Migrations, the master key and the single processes' refusal to run beside them."""

from pathlib import Path

import pytest
from django.db import connection

from tests.support.database import Databases
from tests.support.migrations_check import faults
from vmart.config import bring_up, business_time
from vmart.kernel import clock
from vmart.kernel.models import Deployment
from vmart.kernel.secrets import MASTER_KEY_VARIABLE


def test_no_model_says_what_no_migration_says() -> None:
    assert faults() == []


def test_bringing_up_twice_is_bringing_up_once(db: Databases) -> None:
    before = list(Deployment.objects.values_list("created_at", "currency", "billing_zone"))
    bring_up.bring_up_to_date()
    assert bring_up.pending_migrations() == []
    assert list(Deployment.objects.values_list("created_at", "currency", "billing_zone")) == before


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
