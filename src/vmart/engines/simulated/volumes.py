"""Disks with a life of their own in a simulated engine's file."""

import sqlite3
from collections.abc import Sequence

from vmart.engines.contract import Volume

_COLUMNS = "SELECT name, size_gib, member, machine FROM volume"


def found(connection: sqlite3.Connection, name: str) -> Volume | None:
    """The disk of this name."""
    row = connection.execute(f"{_COLUMNS} WHERE name = ?", (name,)).fetchone()
    return None if row is None else Volume(*row)


def listed(connection: sqlite3.Connection) -> Sequence[Volume]:
    """All of them."""
    return [Volume(*row) for row in connection.execute(f"{_COLUMNS} ORDER BY name")]


def make(connection: sqlite3.Connection, name: str, size_gib: int, member: str) -> None:
    """It is there; one that was there stays as it is."""
    connection.execute(
        "INSERT INTO volume (name, size_gib, member) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (name, size_gib, member),
    )


def put(connection: sqlite3.Connection, name: str, size_gib: int, member: str) -> None:
    """It is on the member, at least so large."""
    connection.execute(
        "INSERT INTO volume (name, size_gib, member) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET size_gib = max(size_gib, excluded.size_gib), member = excluded.member",
        (name, size_gib, member),
    )


def take_all_off(connection: sqlite3.Connection, machine: str) -> None:
    """The machine has none any more."""
    connection.execute("UPDATE volume SET machine = '' WHERE machine = ?", (machine,))


def remove(connection: sqlite3.Connection, name: str) -> None:
    """It is gone, with what was on it."""
    connection.execute("DELETE FROM volume WHERE name = ?", (name,))
    connection.execute("DELETE FROM content WHERE disk = ?", (name,))
