"""Machines as the simulated engine's file has them: found, refused where their member is down, booted, turned off."""

import datetime as dt
import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from vmart.engines.contract import EngineError, MachineSpec, Observation, Power, PublicAddress
from vmart.engines.rules import of_plain
from vmart.kernel import clock

_OBSERVED = (
    "SELECT name, member, power, private_ip, coalesce(public_ip, ''), booted_at, installation, rules, rescue,"
    " coalesce(public_ipv6, '') FROM machine"
)


_INSERT = """
INSERT INTO machine (name, member, power, subnet, private_ip, public_ip, bandwidth_mbps, booted_at, vcpu, memory_mib,
                     image, hostname, flowing_since, counted, login_user, password_hash, ssh_keys, ssh_passwords,
                     installation, rules, rescue, public_ipv6, share, on_since)
VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO NOTHING
"""


def add(connection: sqlite3.Connection, spec: MachineSpec, booted_at: float, *, flows: bool) -> bool:
    """The machine, running; False where one of its name is there. ``flows``: it sends by itself.

    Raises sqlite3.IntegrityError where one of its addresses is another's.
    """
    address = spec.public_address
    values = (
        spec.name, spec.member, spec.subnet.key, spec.private_ip,
        address.ip if address else None, address.bandwidth_mbps if address else 0,
        booted_at, spec.vcpu, spec.memory_mib, spec.image.name, spec.hostname,
        business_s() if address and flows else None, address is not None,
        spec.login_user, spec.password_hash, json.dumps(list(spec.ssh_keys)), spec.ssh_passwords,
        spec.installation, json.dumps(spec.rules.plain()), spec.rescue,
        ipv6(address), share(connection, address), business_s(),
    )  # fmt: skip
    return bool(connection.execute(_INSERT, values).rowcount)


def as_added(spec: MachineSpec, booted_at: float, down: set[str]) -> Observation:
    """What is seen of a machine that was just added, without asking for its row."""
    address = spec.public_address
    known = (spec.name, spec.member, Power.RUNNING, spec.private_ip, address.ip if address else "", booted_at)
    rules = json.dumps(spec.rules.plain())
    return observation((*known, spec.installation, rules, spec.rescue, ipv6(address) or ""), down)


def present(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    """A machine that is there, on a member that answers."""
    found = row(connection, name)
    if found is None:
        raise EngineError("The machine does not exist.", transient=False, detail=name)
    refuse_offline(connection, found["member"])
    return found


def row(connection: sqlite3.Connection, name: str) -> dict[str, Any] | None:
    cursor = connection.execute(
        "SELECT name, member, power, subnet, private_ip, booted_at, public_ip, sent_bytes, flowing_since, counted,"
        " memory_mib, login_user, ssh_keys, ssh_passwords, installation, image, hostname, password_hash, rescue,"
        " own_system FROM machine WHERE name = ?",
        (name,),
    )
    found = cursor.fetchone()
    return None if found is None else dict(zip((column[0] for column in cursor.description), found, strict=True))


def refuse_offline(connection: sqlite3.Connection, member: str) -> None:
    if connection.execute("SELECT 1 FROM member_down WHERE member = ?", (member,)).fetchone():
        raise EngineError("The host does not answer.", transient=True, detail=member)


def boot(connection: sqlite3.Connection, name: str, found: Mapping[str, Any]) -> None:
    connection.execute(
        "UPDATE machine SET power = 'running', booted_at = ?, boots = boots + 1, flowing_since = ?, on_since = ?"
        " WHERE name = ?",
        (wall_s(), business_s() if found["public_ip"] else None, business_s(), name),
    )


def turn_off(connection: sqlite3.Connection, name: str) -> None:
    connection.execute(
        "UPDATE machine SET power = 'stopped', booted_at = NULL, flowing_since = NULL WHERE name = ?", (name,)
    )


def observed(connection: sqlite3.Connection, name: str) -> Observation:
    found = connection.execute(f"{_OBSERVED} WHERE name = ?", (name,)).fetchone()
    return Observation(name, Power.ABSENT) if found is None else observation(found, down(connection))


def all_observed(connection: sqlite3.Connection) -> list[Observation]:
    off = down(connection)
    return [observation(found, off) for found in connection.execute(f"{_OBSERVED} ORDER BY name")]


def down(connection: sqlite3.Connection) -> set[str]:
    return {found[0] for found in connection.execute("SELECT member FROM member_down")}


def observation(found: Sequence[Any], down: set[str]) -> Observation:
    name, member, power, private_ip, public_ip, booted_at, installation, rules, rescued, public_ipv6 = found
    if member in down:
        return Observation(name, Power.BROKEN, "simulated", member, private_ip)
    booted = _instant(booted_at) if booted_at is not None else None
    digest = of_plain(json.loads(rules)).digest() if rules else ""
    return Observation(
        name,
        Power(power),
        "simulated",
        member,
        private_ip,
        booted,
        public_ip,
        installation,
        digest,
        rescued,
        public_ipv6,
    )


def ipv6(address: PublicAddress | None) -> str | None:
    return (address.ipv6 or None) if address else None


def share(connection: sqlite3.Connection, address: PublicAddress | None) -> str:
    """Its key, "" for none; how much it is, is for all of them from now on."""
    if address is None or address.share is None:
        return ""
    connection.execute(
        "INSERT OR REPLACE INTO share (name, mbps) VALUES (?, ?)", (address.share.key, address.share.mbps)
    )
    return address.share.key


def _instant(wall_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(wall_s, dt.UTC)


def wall_s() -> float:
    return clock.wall().timestamp()


def business_s() -> float:
    return clock.now().timestamp()
