"""A simulated engine's file: its tables, how an older file comes up to them, and one connection a thread.

The file is written with ``synchronous=OFF``: what a killed process wrote is in the kernel's pages and
stays. Only a power cut of the host may lose the last writes, and that is what it does to an engine.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS machine (
    name TEXT PRIMARY KEY, member TEXT NOT NULL, power TEXT NOT NULL, subnet TEXT NOT NULL, private_ip TEXT NOT NULL,
    public_ip TEXT, bandwidth_mbps INTEGER NOT NULL DEFAULT 0, booted_at REAL, boots INTEGER NOT NULL DEFAULT 1,
    vcpu INTEGER NOT NULL, memory_mib INTEGER NOT NULL, image TEXT NOT NULL, hostname TEXT NOT NULL,
    sent_bytes INTEGER NOT NULL DEFAULT 0, flowing_since REAL, counted INTEGER NOT NULL DEFAULT 0,
    login_user TEXT NOT NULL DEFAULT 'root', password_hash TEXT NOT NULL DEFAULT '',
    ssh_keys TEXT NOT NULL DEFAULT '[]', ssh_passwords INTEGER NOT NULL DEFAULT 1,
    installation INTEGER NOT NULL DEFAULT 0, erased INTEGER NOT NULL DEFAULT 0,
    rules TEXT NOT NULL DEFAULT '', public_ipv6 TEXT, share TEXT NOT NULL DEFAULT '',
    rescue INTEGER NOT NULL DEFAULT 0, own_system TEXT NOT NULL DEFAULT '', on_since REAL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS machine_private_ip ON machine (subnet, private_ip);
CREATE UNIQUE INDEX IF NOT EXISTS machine_public_ip ON machine (public_ip) WHERE public_ip IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS machine_public_ipv6 ON machine (public_ipv6) WHERE public_ipv6 IS NOT NULL;
CREATE TABLE IF NOT EXISTS image (name TEXT, version TEXT, asked_at REAL NOT NULL, PRIMARY KEY (name, version));
CREATE TABLE IF NOT EXISTS member_down (member TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY, verb TEXT NOT NULL, calls_left INTEGER NOT NULL, times INTEGER NOT NULL,
    lose_answer INTEGER NOT NULL, transient INTEGER NOT NULL, sentence TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS grown (
    machine TEXT, disk TEXT, size_gib INTEGER NOT NULL, PRIMARY KEY (machine, disk)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS volume (
    name TEXT PRIMARY KEY, size_gib INTEGER NOT NULL, member TEXT NOT NULL, machine TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_image (
    name TEXT PRIMARY KEY, size_gib INTEGER NOT NULL, member TEXT NOT NULL, held TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (
    disk TEXT PRIMARY KEY, held TEXT NOT NULL DEFAULT '', restoration INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshot (
    name TEXT PRIMARY KEY, size_gib INTEGER NOT NULL, member TEXT NOT NULL, held TEXT NOT NULL, image TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS share (name TEXT PRIMARY KEY, mbps INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS load (machine TEXT PRIMARY KEY, boots INTEGER NOT NULL, told TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notice (machine TEXT PRIMARY KEY, says TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS call (verb TEXT PRIMARY KEY, calls INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS switch (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

# What brings a file of each version to the next: passwords that are reset, key pairs that are bound, disks that grow,
# systems that are installed anew, rules, disks of their own life, what is on disks and their snapshots, customers'
# images, notices to spot machines, rescue systems, IPv6, caps that machines share, what machines use.
_SINCE = {
    1: """
ALTER TABLE machine ADD COLUMN login_user TEXT NOT NULL DEFAULT 'root';
ALTER TABLE machine ADD COLUMN password_hash TEXT NOT NULL DEFAULT '';
""",
    2: """
ALTER TABLE machine ADD COLUMN ssh_keys TEXT NOT NULL DEFAULT '[]';
ALTER TABLE machine ADD COLUMN ssh_passwords INTEGER NOT NULL DEFAULT 1;
""",
    3: """
CREATE TABLE grown (
    machine TEXT, disk TEXT, size_gib INTEGER NOT NULL, PRIMARY KEY (machine, disk)
) WITHOUT ROWID;
""",
    4: """
ALTER TABLE machine ADD COLUMN installation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
""",
    5: "ALTER TABLE machine ADD COLUMN rules TEXT NOT NULL DEFAULT ''",
    6: """
CREATE TABLE volume (
    name TEXT PRIMARY KEY, size_gib INTEGER NOT NULL, member TEXT NOT NULL, machine TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
""",
    7: """
CREATE TABLE content (
    disk TEXT PRIMARY KEY, held TEXT NOT NULL DEFAULT '', restoration INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE snapshot (
    name TEXT PRIMARY KEY, size_gib INTEGER NOT NULL, member TEXT NOT NULL, held TEXT NOT NULL, image TEXT NOT NULL
) WITHOUT ROWID;
""",
    8: """
CREATE TABLE own_image (
    name TEXT PRIMARY KEY, size_gib INTEGER NOT NULL, member TEXT NOT NULL, held TEXT NOT NULL
) WITHOUT ROWID;
""",
    9: "CREATE TABLE notice (machine TEXT PRIMARY KEY, says TEXT NOT NULL) WITHOUT ROWID",
    10: """
ALTER TABLE machine ADD COLUMN rescue INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN own_system TEXT NOT NULL DEFAULT '';
ALTER TABLE machine ADD COLUMN public_ipv6 TEXT;
CREATE UNIQUE INDEX machine_public_ipv6 ON machine (public_ipv6) WHERE public_ipv6 IS NOT NULL;
""",
    11: """
ALTER TABLE machine ADD COLUMN share TEXT NOT NULL DEFAULT '';
CREATE TABLE share (name TEXT PRIMARY KEY, mbps INTEGER NOT NULL) WITHOUT ROWID;
""",
    12: """
ALTER TABLE machine ADD COLUMN on_since REAL;
UPDATE machine SET on_since = booted_at;
CREATE TABLE load (machine TEXT PRIMARY KEY, boots INTEGER NOT NULL, told TEXT NOT NULL) WITHOUT ROWID;
""",
}
_VERSION = 13

# What a call says whose answer is lost, and one that failed.
LOST = "The compute engine does not answer."
FAILED = "The simulated engine failed, as it was told to."


class File:
    """The engine's file: one connection a thread, made anew after a fork."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def connection(self) -> sqlite3.Connection:
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid():
            return held[1]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        if connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
            _bring_up(connection)
        self._local.held = (os.getpid(), connection)
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _bring_up(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older file up to now; whoever comes second finds it done."""
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version < _VERSION:
        steps = [_SINCE[older] for older in range(version, _VERSION)] if version else [_SCHEMA]
        for statement in ";".join(steps).split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={_VERSION}")
    connection.execute("COMMIT")
