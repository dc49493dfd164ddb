"""Snapshots in a simulated engine's file: what a disk held, and which disks were given that back."""

import sqlite3
from collections.abc import Mapping, Sequence

from vmart.engines.contract import EngineError, HeldDisk, Snapshot


def found(connection: sqlite3.Connection, name: str) -> dict[str, str] | None:
    """The one of this name: where it is, what it holds, and the image of its machine."""
    row = connection.execute("SELECT member, held, image FROM snapshot WHERE name = ?", (name,)).fetchone()
    return None if row is None else dict(zip(("member", "held", "image"), row, strict=True))


def whole(connection: sqlite3.Connection, name: str) -> dict[str, str]:
    """The one of this name. Raises EngineError where it is not there."""
    snapshot = found(connection, name)
    if snapshot is None:
        raise EngineError("The snapshot is not there.", transient=False, detail=name)
    return snapshot


def listed(connection: sqlite3.Connection) -> Sequence[Snapshot]:
    """All of them."""
    rows = connection.execute("SELECT name, size_gib, member FROM snapshot ORDER BY name")
    return [Snapshot(*row) for row in rows]


def make(connection: sqlite3.Connection, name: str, disk: HeldDisk) -> None:
    """Of what the disk holds now."""
    connection.execute(
        "INSERT INTO snapshot (name, size_gib, member, held, image)"
        " SELECT ?, ?, ?, coalesce((SELECT held FROM content WHERE disk = ?), ''),"
        " coalesce((SELECT image FROM machine WHERE name = ?), '')",
        (name, disk.size_gib, disk.member, disk.name, disk.machine),
    )


def remove(connection: sqlite3.Connection, name: str) -> None:
    """It is gone."""
    connection.execute("DELETE FROM snapshot WHERE name = ?", (name,))


def restoration(connection: sqlite3.Connection, disk: str) -> int:
    """How often the disk was given what a snapshot holds."""
    row = connection.execute("SELECT restoration FROM content WHERE disk = ?", (disk,)).fetchone()
    return 0 if row is None else int(row[0])


def restore(connection: sqlite3.Connection, disk: str, snapshot: Mapping[str, str], restoration: int) -> None:
    """The disk holds from now on what the snapshot does."""
    connection.execute(
        "INSERT INTO content (disk, held, restoration) VALUES (?, ?, ?) ON CONFLICT (disk) DO UPDATE"
        " SET held = excluded.held, restoration = excluded.restoration",
        (disk, snapshot["held"], restoration),
    )
