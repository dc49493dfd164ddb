"""A seller's own PostgreSQL, the oldest that vmart accepts: here Debian's, over TCP with a password."""

import datetime as dt
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.database import run_folder
from tests.support.postgres_server import throw_away_cluster
from tests.support.running_shop import RunningShop
from vmart.config import backup, os_users, postgres
from vmart.config.places import Places
from vmart.config.supervisor import claim_port
from vmart.payments import look_back
from vmart.payments.record import CARDS_LANE

pytestmark = pytest.mark.xdist_group("running_shop")

DEBIANS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@pytest.fixture
def own_server() -> Iterator[tuple[str, int]]:
    """URL of an empty database on a server of the machine's own, and its major version."""
    if not DEBIANS:
        pytest.skip("this machine has no PostgreSQL server of its own (Debian's package postgresql)")
    os_users.ensure_users()
    folder = run_folder() / "own-server"
    folder.mkdir(mode=0o755, exist_ok=True)
    cluster = throw_away_cluster(folder / "pg", folder / "socket", str(DEBIANS[0].parent))
    cluster.prepare()
    host, port = claim_port(("127.0.0.1", 0), "--listen")
    hba = cluster.pgdata / "pg_hba.conf"
    hba.write_text(hba.read_text() + "host all all 127.0.0.1/32 scram-sha-256\n")
    command = [*cluster.command(), "-c", f"listen_addresses={host}", "-c", f"port={port}"]
    server = subprocess.Popen(command, cwd=cluster.pgdata, env=postgres.environment(), stderr=subprocess.DEVNULL)
    superuser = f"host={cluster.socket_dir} port={port} user=postgres dbname=postgres"
    try:
        _give_password(superuser, server)
        yield f"postgresql://vmart:own-secret@{host}:{port}/vmart", cluster.major
    finally:
        server.terminate()
        server.wait(30)


def _give_password(superuser: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with psycopg.connect(superuser, autocommit=True) as connection:
                connection.execute("ALTER ROLE vmart PASSWORD 'own-secret'")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_shop_opens_on_the_sellers_own_server(
    own_server: tuple[str, int], start_shop: Callable[..., RunningShop]
) -> None:
    url, major = own_server
    shop = start_shop("--database", url)

    assert not (shop.data_dir / "postgres").exists()
    assert f"well  database: PostgreSQL {major}." in shop.vmart("doctor", check=False).stdout
    assert shop.vmart("reconcile").stdout == "everything agrees\n"
    assert set(shop.control()["children"]) == {"web", "worker"}


def test_backup_and_restore_keep_the_password_out_of_arguments(
    own_server: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a database that asks for a password, then it is dumped and filled again, and `ps` never shows it."""
    url, _major = own_server
    commands: list[list[str]] = []
    real = subprocess.run

    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        commands.append(command)
        return real(command, **options)

    def migrate() -> str:
        environment = os.environ | {"VMART_DATABASE_URL": url, "VMART_DATA_DIR": str(tmp_path)}
        command = [sys.executable, "-m", "vmart.config.cli", "migrate"]
        return real(command, env=environment, capture_output=True, text=True, check=True).stdout

    def row() -> Any:
        with psycopg.connect(url) as connection:
            return connection.execute("SELECT * FROM kernel_deployment").fetchall()

    def queued() -> Any:
        with psycopg.connect(url) as connection:
            return connection.execute(
                "SELECT w.kind, w.lane, d.created_at, w.payload, w.due_at FROM worker_operation w, kernel_deployment d"
                " WHERE w.kind = 'card_look_back'"
            ).fetchall()

    _empty(url)
    migrate()
    before = row()
    places, other = Places(tmp_path / "shop"), Places(tmp_path / "other")
    places.data_dir.mkdir()
    monkeypatch.setattr(backup.subprocess, "run", run)
    try:
        begun = dt.datetime.now(dt.UTC)
        backup.backup(places, tmp_path / "shop.tar", url)
        ended = dt.datetime.now(dt.UTC)
        _empty(url)
        backup.restore(other, tmp_path / "shop.tar", url)
    finally:
        monkeypatch.undo()
        shutil.rmtree(other.run_dir, ignore_errors=True)
    assert row() == before
    ((kind, lane, created, payload, due_at),) = queued()
    assert (kind, lane, due_at) == (look_back.KIND, CARDS_LANE, created)
    made = dt.datetime.fromisoformat(payload["since"]) + dt.timedelta(days=1)
    assert begun - dt.timedelta(seconds=2) <= made <= ended  # a tar keeps whole seconds
    assert migrate() == "nothing to migrate\n"
    assert [Path(command[0]).name for command in commands] == ["pg_dump", "pg_restore", "psql"]
    assert "own-secret" not in str(commands)


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for (schema,) in connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'fn\\_%'").fetchall():
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
