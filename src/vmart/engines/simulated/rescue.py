"""Rescue systems in a simulated engine's file: what a machine's own system is kept as, and put back."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from vmart.engines.contract import MachineSpec

_SYSTEM = ("image", "hostname", "login_user", "password_hash", "ssh_keys", "ssh_passwords")
_SET = ", ".join(f"{column} = :{column}" for column in (*_SYSTEM, "rescue", "own_system"))
_UPDATE = f"UPDATE machine SET {_SET} WHERE name = :name"  # noqa: S608  constants


def begin(connection: sqlite3.Connection, found: Mapping[str, Any], spec: MachineSpec) -> None:
    """The machine has the system of ``spec``; its own is kept, unless an earlier rescue system has it kept already."""
    own = found["own_system"] or json.dumps({column: found[column] for column in _SYSTEM})
    system = {
        "image": spec.image.name, "hostname": spec.hostname, "login_user": spec.login_user,
        "password_hash": spec.password_hash, "ssh_keys": json.dumps(list(spec.ssh_keys)),
        "ssh_passwords": spec.ssh_passwords,
    }  # fmt: skip
    _write(connection, spec, own, system)


def end(connection: sqlite3.Connection, found: Mapping[str, Any], spec: MachineSpec) -> None:
    """It has its own again."""
    _write(connection, spec, "", json.loads(found["own_system"]) if found["own_system"] else found)


def _write(connection: sqlite3.Connection, spec: MachineSpec, own: str, system: Mapping[str, Any]) -> None:
    columns = {column: system[column] for column in _SYSTEM}
    connection.execute(_UPDATE, columns | {"name": spec.name, "rescue": spec.rescue, "own_system": own})
