"""Bring a database to what this vmart's code expects, and a new shop to what it opens with.

As a program (``python -m vmart.config.bring_up [--demo] [--asked]``) it is a step of ``vmart up``: its last
line of output is a JSON object: ``logins`` of the demo; ``stays``, a sentence why zones of kind auto stay
as they are although this machine has a real engine ("" where they do not); ``auto_settings``, what the catalog says to
the engine of those zones; ``sockets``, those of engines that other zones name.
"""

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vmart.config.places import Misused, billing_zone

DEMO_CATALOG = Path(__file__).resolve().parents[3] / "catalog" / "demo.yaml"
_MIGRATION_LIMITS = "SET lock_timeout = '30s'; SET statement_timeout = '15min'"
_OLDEST_SERVER = 150000


class DatabaseUnfit(Exception):
    """The database cannot be used as it is; the text says what to do."""


def ensure_master_key() -> None:
    """Make the deployment's master key, unless the database is one that another key has sealed.

    Raises DatabaseUnfit when that key is missing: a new one would leave every sealed secret unreadable.
    """
    import psycopg

    from vmart.kernel import db
    from vmart.kernel.secrets import MASTER_KEY_VARIABLE, Secrets

    secrets = Secrets(Path(os.environ["VMART_DATA_DIR"]) / "secrets")
    if secrets.master_file.exists() or os.environ.get(MASTER_KEY_VARIABLE):
        return
    try:
        with psycopg.connect(os.environ["VMART_DATABASE_URL"], connect_timeout=10) as connection:
            row = connection.execute("SELECT to_regclass('kernel_deployment')").fetchone()
    except psycopg.OperationalError as error:
        raise DatabaseUnfit(f"the database cannot be reached: {db.one_line(error)}") from error
    if row is not None and row[0] is not None:
        raise DatabaseUnfit(f"{secrets.master_file} is missing and this database needs it: put it back from a backup")
    secrets.create()


def check_database_url() -> None:
    """Raise Misused for what is no address of a database; its words are not repeated, a password may be among them."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(os.environ.get("VMART_DATABASE_URL", ""))
    except ProgrammingError:
        raise Misused(
            "--database (VMART_DATABASE_URL) is not the address of a PostgreSQL database: postgresql://user@host/name"
        ) from None


def setup() -> None:
    """Django's settings and rooms, for programs of config. Raises Misused for a wrong billing zone or database."""
    billing_zone()
    check_database_url()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmart.config.settings")
    import django

    django.setup()


def pending_migrations() -> list[str]:
    """Names of the migrations that the code has and the database has not."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def require_current() -> None:
    """For single processes: raise DatabaseUnfit when migrations are pending (decision 10), or nothing answers.

    Also when the database has not the SQL functions of this version: those of another would be called in vain.
    """
    from django.db import OperationalError

    from vmart.kernel import db

    try:
        pending = pending_migrations()
    except OperationalError as error:
        raise DatabaseUnfit(f"the database cannot be reached: {db.one_line(error)}") from error
    if pending:
        raise DatabaseUnfit(f"the database lacks {len(pending)} migrations ({pending[0]} …): run `vmart migrate` first")
    _require_functions()


def _require_functions() -> None:
    from vmart.kernel import function_sets

    if not function_sets.installed():
        try:
            function_sets.require_not_older()
        except function_sets.NewerDatabase as error:
            raise DatabaseUnfit(str(error)) from error
        raise DatabaseUnfit("the database lacks the SQL functions of this version: run `vmart migrate` first")


def server_version() -> int:
    """The server's version as a number: 180004 is 18.4."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        row = cursor.fetchone()
    return int(row[0])


@contextmanager
def _alone() -> Iterator[None]:
    """One process migrates; another that starts at the same time waits, and finds nothing left to do."""
    from django.db import connection

    from vmart.kernel import db

    with connection.cursor() as cursor:
        cursor.execute(_MIGRATION_LIMITS)
        version = server_version()
        if version < _OLDEST_SERVER:
            raise DatabaseUnfit(f"the server is PostgreSQL {version // 10000}; vmart needs 15 or newer")
    try:
        with db.advisory_lock("vmart.migrate"):
            yield
    finally:
        connection.close()  # its limits were for this only


def bring_up_to_date(test_clock: str | None = None) -> None:
    """Migrate, make the throttling table, install the SQL functions, write the deployment's row if it is new.

    ``test_clock``: business time at first start (ISO 8601), None for the wall clock. Idempotent.
    """
    from django.core.management import call_command

    with _alone():
        if pending_migrations():
            call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
        _install_functions()
        _found_deployment(test_clock)


def _install_functions() -> None:
    from vmart.kernel import function_sets

    try:
        function_sets.install()
    except (function_sets.LeantOn, function_sets.NewerDatabase) as error:
        raise DatabaseUnfit(str(error)) from error


def _found_deployment(test_clock: str | None) -> None:
    """Write what the first start fixes. Raises DatabaseUnfit when the billing zone is another one by now."""
    from vmart.kernel import clock
    from vmart.kernel.models import Deployment

    at = dt.datetime.fromisoformat(test_clock) if test_clock else None
    zone = billing_zone()
    deployment, _made = Deployment.objects.get_or_create(
        only=True,
        defaults={
            "currency": "CNY",  # until the first price book says which it is
            "billing_zone": zone,
            "created_at": at or clock.now(),
            "test_clock_at": at,
        },
    )
    if "VMART_BILLING_ZONE" in os.environ and zone != deployment.billing_zone:
        raise DatabaseUnfit(
            f"VMART_BILLING_ZONE is {zone}; this shop's is {deployment.billing_zone} since its first start"
        )


def open_empty_shop() -> None:
    """Apply the demo catalog when nothing is on sale yet."""
    from vmart.catalog.models import Region

    if not Region.objects.exists():
        from vmart.backoffice.apply_catalog import apply_file

        apply_file(DEMO_CATALOG)


def follow_compute(found: str, *, asked: bool) -> str:
    """Let zones of kind auto take the engine that was found here (``VMART_COMPUTE``); why they stay simulated, or "".

    ``asked``: it was named, not found. Raises DatabaseUnfit where machines live on another engine.
    """
    from vmart import engines
    from vmart.backoffice import change_engine
    from vmart.kernel.documents import DocumentError

    try:
        for zone in change_engine.follow_compute(found):
            print(f"vmart: zone {zone} is served by its {found} engine from now on", file=sys.stderr)
    except change_engine.MachinesLiveThere as error:
        serving = engines.driver_found(error.compute)
        if serving.is_real or asked:
            option = serving.found_as.get(error.compute)  # none of a driver that this version lacks
            raise DatabaseUnfit(f"{error}, or start with {option}" if option else str(error)) from error
        return f"{error}; the next start then takes the real engine of this machine."
    except DocumentError as error:
        raise DatabaseUnfit("; ".join(error.problems)) from error
    return ""


def engines_of_zones() -> dict[str, Any]:
    """``auto_settings`` and ``sockets``: what the supervisor must know of the zones' engines."""
    from vmart.catalog.models import Zone
    from vmart.provisioning import zone_engines

    auto = Zone.objects.exclude(auto_compute="").order_by("position").first()
    settings = {name: value for name, value in auto.engine_settings.items() if name != "members"} if auto else {}
    named = (own.settings.get("socket") for own in zone_engines.sellers_own())
    return {"auto_settings": settings, "sockets": sorted({str(socket) for socket in named if socket})}


def what_is_missing() -> dict[str, Any]:
    """``first_operator``: path of the page that makes the first one ("" where there is one); ``sells``: a catalog."""
    from vmart.backoffice import opening
    from vmart.catalog.models import Region

    return {"first_operator": opening.first_path(), "sells": Region.objects.exists()}


def start_business() -> None:
    """What must be there before the first sale: this month's partitions, and the hour to close next."""
    from vmart.kernel import clock
    from vmart.kernel.partitions import ensure_partitions
    from vmart.settlement import close

    ensure_partitions(clock.now())
    close.begin(clock.now())


def fall_back() -> None:
    """The real engine that was found cannot be installed: its zones are simulated. Raises DatabaseUnfit, see above."""
    setup()
    from vmart.engines import FALLBACK

    follow_compute(FALLBACK.kind, asked=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--fall-back", action="store_true", help="nothing but simulated zones for those of kind auto")
    parser.add_argument("--asked", action="store_true", help="the engine was named, not found")
    arguments = parser.parse_args()
    done: dict[str, Any] = {"logins": {}, "stays": ""}  # and engines_of_zones(), what_is_missing()
    try:
        if arguments.fall_back:
            fall_back()
            return
        check_database_url()
        ensure_master_key()
        setup()
        from vmart.config import business_time

        bring_up_to_date(os.environ.get("VMART_TEST_CLOCK") or None)
        business_time.install()
        if compute := os.environ.get("VMART_COMPUTE"):
            done["stays"] = follow_compute(compute, asked=arguments.asked)
        if arguments.demo:
            open_empty_shop()
        done |= engines_of_zones()
        start_business()
        if arguments.demo:
            from vmart.config.demo import ensure_demo

            done["logins"] = ensure_demo(Path(os.environ["VMART_DATA_DIR"]) / "secrets" / "demo.json")
        done |= what_is_missing()
    except (DatabaseUnfit, Misused) as error:
        sys.exit(f"vmart: {error}")
    print(json.dumps(done))


if __name__ == "__main__":
    main()
