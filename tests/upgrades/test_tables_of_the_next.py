"""Given tables that the next version has widened, then this one, still running, sells and settles as before."""

from django.apps import apps
from django.db import connection

from tests.support.business_clock import BusinessClock
from tests.support.database import Databases
from tests.upgrades.make_dump import fill
from vmart.config import bring_up
from vmart.config.reconcile import reconcile
from vmart.kernel import db as database

TABLES = sorted(model._meta.db_table for model in apps.get_models() if model.__module__.startswith("vmart."))


def _widen() -> None:
    """Each table as after a migration of the next version that the linter lets pass."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN of_the_next varchar(9) NOT NULL DEFAULT 'as ever'")


def test_every_table_may_have_a_further_column(db: Databases, test_clock: BusinessClock) -> None:
    with db.elsewhere("widened"):
        bring_up.bring_up_to_date()
        _widen()
        bring_up.open_empty_shop()
        held = fill(test_clock)
        assert (held["by_traffic"], held["binned"], held["pending"]) == ("RUNNING", "SHUTDOWN", "PENDING")
        assert list(reconcile()) == []
        filled = {table for table in TABLES if database.rows(f"SELECT DISTINCT of_the_next FROM {table}")}
        assert {"ledger_purses", "bills_charge", "storage_disk", "events_event", "worker_operation"} <= filled
        for table in filled:
            assert database.rows(f"SELECT DISTINCT of_the_next FROM {table}") == [{"of_the_next": "as ever"}]
