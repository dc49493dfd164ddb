"""Customers' images in a simulated engine's file: what a snapshot held, and what machines made of it begin with."""

import hashlib
import sqlite3
from collections.abc import Sequence

from vmart.engines.contract import Foreign, MachineSpec, OwnImage

_COLUMNS = "SELECT name, size_gib, member FROM own_image"


def found(connection: sqlite3.Connection, name: str) -> OwnImage | None:
    """The image of this name."""
    row = connection.execute(f"{_COLUMNS} WHERE name = ?", (name,)).fetchone()
    return None if row is None else OwnImage(*row)


def listed(connection: sqlite3.Connection) -> Sequence[OwnImage]:
    """All of them."""
    return [OwnImage(*row) for row in connection.execute(f"{_COLUMNS} ORDER BY name")]


def made(connection: sqlite3.Connection, name: str, snapshot: str) -> OwnImage:
    """The image, made of the snapshot if it is not there."""
    connection.execute(
        "INSERT OR IGNORE INTO own_image (name, size_gib, member, held)"
        " SELECT ?, size_gib, member, held FROM snapshot WHERE name = ?",
        (name, snapshot),
    )
    image = found(connection, name)
    assert image is not None
    return image


def imported(connection: sqlite3.Connection, name: str, system: Foreign, member: str) -> OwnImage:
    """The image of what was brought: what is on it is known by its digest."""
    digest = hashlib.sha256()
    system.content.seek(0)
    while piece := system.content.read(1 << 20):
        digest.update(piece)
    held = f"{system.kind} {digest.hexdigest()}"
    connection.execute(
        "INSERT INTO own_image (name, size_gib, member, held) VALUES (?, ?, ?, ?)",
        (name, system.size_gib, member, held),
    )
    return OwnImage(name, system.size_gib, member)


def remove(connection: sqlite3.Connection, name: str) -> None:
    """It is gone."""
    connection.execute("DELETE FROM own_image WHERE name = ?", (name,))


def put_on(connection: sqlite3.Connection, spec: MachineSpec) -> None:
    """On the machine's system disk is what is on its image: nothing of a customer's on a public one."""
    connection.execute(
        "INSERT INTO content (disk, held)"
        " SELECT ?, coalesce((SELECT held FROM own_image WHERE name = ?), '') WHERE true"
        " ON CONFLICT (disk) DO UPDATE SET held = excluded.held",
        (spec.system_disk.key, spec.image.own),
    )
