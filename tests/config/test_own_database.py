"""A seller's own PostgreSQL, the oldest that vmart accepts: here Debian's, over TCP with a password."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.database import run_folder
from tests.support.postgres_server import throw_away_cluster
from tests.support.running_shop import RunningShop
from vmart.config import os_users, postgres
from vmart.config.supervisor import claim_port

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
