"""Databases of the tests: a server a run, migrated templates, a clone for each test process. Where
VMART_TEST_MONEY_POSTGRES names programs of another PostgreSQL, the tests of money have a second server, of those.

Tests commit for real. After each test ``test_seed.restore()`` (restore.sql) empties what the test
filled and puts back what migrations or the catalog had put there; ids go on counting. A *scene* is what many
tests begin with and would each spend seconds on: made once a test process, in a database of its own.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from vmart.config import bring_up, postgres
from vmart.config.database import parse_database_url

ROOT = Path(__file__).resolve().parents[2]
DEMO_CATALOG = ROOT / "catalog" / "demo.yaml"
_RESTORE_SQL = (Path(__file__).parent / "restore.sql").read_text()


def run_folder() -> Path:
    """The folder that all processes of this test run share; PostgreSQL's own user can pass through it."""
    run = os.environ.setdefault("VMART_TEST_RUN", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"vmart-tests-{os.getuid()}-{run}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    return folder


class Databases:
    """This test process's databases: ``plain`` (migrated, empty) and ``shop`` (demo catalog applied)."""

    def __init__(self, worker: str, programs: str | None = None, name: str = "") -> None:
        self.worker = worker
        self._programs, self._name = programs, name
        self.current: str | None = None
        self.allowed = False
        self._restorers: dict[str, psycopg.Connection] = {}
        self._used: set[str] = set()  # since the last restoring
        self._scenes: dict[str, Any] = {}

    @cached_property
    def folder(self) -> Path:
        folder = run_folder() / self._name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        return folder

    @cached_property
    def server(self) -> postgres.Embedded:
        """The run's server of these programs, started by the first process that needs it."""
        with self._only_one("server"):
            if not (self.folder / "serving").exists():
                run_pid = os.environ["VMART_TEST_RUN"]
                log = (self.folder / "server.log").open("wb")
                starter = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.postgres_server", str(self.folder), run_pid,
                     *([self._programs] if self._programs else [])],
                    cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{ROOT}/src:{ROOT}"},
                    stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
                log.close()
                deadline = time.monotonic() + 60
                while not (self.folder / "serving").exists():
                    if starter.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"no PostgreSQL for the tests: {(self.folder / 'server.log').read_text()}")
                    time.sleep(0.02)
                starter.returncode = 0  # it outlives this process on purpose: no warning about that
        return postgres.Embedded(self.folder / "pg", self.folder / "socket", durable=False)

    @contextlib.contextmanager
    def _only_one(self, name: str) -> Iterator[None]:
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        """A new autocommitting connection as the server's superuser."""
        return psycopg.connect(self.server.url(database, role=postgres.SUPERUSER), autocommit=True)

    def clone(self, name: str, template: str) -> None:
        """CREATE DATABASE ``name`` as a copy of ``template``, to which nobody may be connected."""
        with self.superuser() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(
                f'CREATE DATABASE "{name}" OWNER {postgres.ROLE} TEMPLATE "{template}" STRATEGY file_copy'
            )

    def use(self, kind: str, template: str = "") -> None:
        """Point Django's connection at this process's ``plain`` or ``shop`` database, or another clone of one."""
        self._used.add(kind)
        if self.current == kind:
            return
        name = f"vmart_{self.worker}_{kind}"
        if kind not in self._restorers:
            source = self._template(template or kind)
            with self._only_one("template"):  # a template being copied is locked against another copy's end
                self.clone(name, source)
            self._restorers[kind] = self.superuser(name)
        self._forget()
        self._point_at(name)
        self.current = kind

    def use_scene(self, name: str, build: Callable[[], Any]) -> Any:
        """As ``use``, of a clone of ``shop`` with what ``build()`` made in it; what that returned."""
        self.use(name, "shop")
        if name not in self._scenes:
            try:
                made = build()
                self._restorers[name].execute("SELECT test_seed.remember()")
            except BaseException:  # the next test begins it anew
                self._used.discard(name)
                self.current = None
                self._restorers.pop(name).close()
                raise
            self._scenes[name] = made
        return self._scenes[name]

    def restore(self) -> None:
        """Bring databases back to what they were when they were cloned, and forget what was cached of them."""
        self._forget()
        connection = connections["default"]
        if connection.in_atomic_block or not connection.is_usable():
            connection.close()
        for kind in self._used:
            restorer = self._restorers[kind]
            with restorer.transaction():
                restorer.execute("SET LOCAL lock_timeout = '10s'")
                restorer.execute("SELECT test_seed.restore()")
        self._used = {self.current} if self.current else set()

    def leave(self) -> None:
        """Django's connection is pointed elsewhere next."""
        self.current, self.allowed = None, False

    def url(self) -> str:
        """libpq URL of the current database, as the shop's own role."""
        return self.server.url(f"vmart_{self.worker}_{self.current}")

    def _forget(self) -> None:
        """What this process has cached of a database."""
        from vmart.catalog import shop
        from vmart.customers import api_keys
        from vmart.pricing import books

        shop.forget()
        books.forget()
        api_keys.forget()

    @contextlib.contextmanager
    def elsewhere(self, name: str) -> Iterator[str]:
        """Django's connection on an empty database meanwhile; its URL. It is gone afterwards."""
        own = f"vmart_{self.worker}_{name}"
        with self.superuser() as root:
            root.execute(f'CREATE DATABASE "{own}" OWNER {postgres.ROLE}')
        self._forget()
        self._point_at(own)
        was_allowed, self.allowed = self.allowed, True
        try:
            yield self.server.url(own)
        finally:
            self.allowed = was_allowed
            connections["default"].close()
            self._forget()
            if self.current is not None:
                self._point_at(f"vmart_{self.worker}_{self.current}")
            with self.superuser() as root:
                root.execute(f'DROP DATABASE "{own}" WITH (FORCE)')

    def _template(self, kind: str) -> str:
        """Name of the template of ``kind``, made once a run by whoever needs it first."""
        name = f"vmart_template_{kind}"
        base = self._template("plain") if kind == "shop" else "template1"
        with self._only_one(name):
            if not (self.folder / name).exists():
                self.clone(name, base)
                self._point_at(name)
                fill = {"plain": _migrate, "shop": _apply_catalog}[kind]
                was_allowed, self.allowed = self.allowed, True
                try:
                    fill()
                finally:
                    self.allowed = was_allowed
                    connections["default"].close()
                with self.superuser(name) as connection:
                    connection.execute(_RESTORE_SQL)
                    connection.execute("SELECT test_seed.remember()")
                (self.folder / name).touch()
        return name

    def _point_at(self, name: str) -> None:
        url = self.server.url(name)
        os.environ["VMART_DATABASE_URL"] = url  # for subprocesses that a test starts
        connections["default"].close()
        # Threads that a test starts make their connections out of the same dictionary.
        connections["default"].settings_dict.update(parse_database_url(url))
        connections.databases["default"].update(parse_database_url(url))


def guard(*servers: Databases) -> None:
    """Refuse the database to tests that did not ask for it."""
    original = BaseDatabaseWrapper.ensure_connection

    def ensure_connection(wrapper: BaseDatabaseWrapper) -> None:
        if not any(server.allowed for server in servers):
            raise RuntimeError("this test uses the database: let it ask for the fixture `db` or `shop`")
        original(wrapper)

    BaseDatabaseWrapper.ensure_connection = ensure_connection  # type: ignore[method-assign]


def end_backend(databases: Databases, backend: int) -> None:
    """End the server's side of a connection, as a restart of the database does."""
    with psycopg.connect(databases.url(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [backend])
        while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [backend]).fetchone():
            time.sleep(0.01)


def _migrate() -> None:
    bring_up.bring_up_to_date()


def _apply_catalog() -> None:
    from vmart.backoffice.apply_catalog import apply_file
    from vmart.kernel import clock
    from vmart.kernel.models import Deployment

    apply_file(DEMO_CATALOG)
    Deployment.objects.update(opened_at=clock.now())  # without an operator: tests make their own
