"""Search over all that an account has, by name, id and address: one statement over all kinds, a few hits of each.

A word that is a whole id is looked up in the ids alone; any other in the names, an address besides in what holds it.
Names are read from an index that begins with the account, so what other accounts have costs nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmart.kernel import db
from vmart.kernel.text import ip_of
from vmart.listings import machines

EACH = 10  # hits of a kind; whoever wants more goes to the list
WORD_MAX = 100
# Of a kind that there is: a machine may be called web-frontend.
_ID = re.compile(r"(alarm|asp|bwp|disk|eip|img|ins|lt|ps|sg|skey|snap|subnet|vpc)-[0-9a-z]{8}")
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Kind:
    """SQL of one kind, of its row ``t``: which are the account's, its name, what else is said, what orders it.

    ``addresses``: the condition that it has the address ``%(ip)s``; "" for what has none.
    """

    table: str
    own: str
    name: str = "t.name"
    about: str = "''"
    at: str = "t.id"
    public_id: str = "t.public_id"
    addresses: str = ""
    by_id: str = "t.public_id = %(word)s"


_MINE = "t.account_id = %(account)s"
_ITS_OWN = f"({_MINE} OR t.owner_id = %(account)s) AND t.deleted_at IS NULL"
# An array, so that both sides of the OR are read from indexes.
_SHARED = "t.id = ANY (ARRAY(SELECT s.image_id FROM storage_image_share s WHERE s.account_id = %(account)s))"
# In the order in which they are shown.
KINDS: Mapping[str, Kind] = {
    "machine": Kind(
        "instances_instance", f"{_MINE} AND t.state <> 'GONE'", at="t.created_at",
        about="host(coalesce(t.public_ip, t.private_ip))", addresses="t.id = ANY (%(holders)s)",
        # A disk that goes with a machine has no page of its own.
        by_id="(t.public_id = %(word)s OR t.id = (SELECT d.instance_id FROM storage_disk d"
        " WHERE d.public_id = %(word)s AND d.state = ''))",
    ),
    "disk": Kind(
        "storage_disk", f"{_MINE} AND t.state NOT IN ('', 'GONE', 'FAILED')", at="t.own_created_at",
        about="t.size_gib || ' GiB'",
    ),
    "snapshot": Kind(
        "storage_snapshot", f"{_MINE} AND t.state <> 'GONE'", at="t.created_at", about="t.size_gib || ' GiB'"
    ),
    "image": Kind(
        "storage_image", f"(({_MINE} AND t.state NOT IN ('DELETING', 'GONE')) OR (t.state = 'NORMAL' AND {_SHARED}))"
    ),
    "address": Kind(
        "network_eip", f"{_MINE} AND t.state <> 'GONE'", at="t.created_at", about="host(t.ip)",
        addresses="t.ip = %(ip)s::inet",
    ),
    "package": Kind("network_package", f"{_MINE} AND t.state <> 'GONE'", about="t.bandwidth_mbps || ' Mbps'"),
    "vpc": Kind("network_vpc", _ITS_OWN, about="t.cidr", addresses="t.cidr::inet >>= %(ip)s::inet"),
    "subnet": Kind(
        "network_subnet", _ITS_OWN, about="host(t.cidr) || '/' || t.prefix",
        addresses="set_masklen(t.cidr, t.prefix) >>= %(ip)s::inet",
    ),
    "security_group": Kind("security_group", _MINE),
    "key": Kind("instances_key_pair", _MINE),
    "template": Kind("launch_templates_template", _MINE),
    "placement_group": Kind("placement_group", _MINE),
    "policy": Kind("storage_snapshot_policy", _MINE),
    "alarm": Kind("monitoring_alarm", _MINE),
    "order": Kind(
        "orders_order", _MINE, name="''", about="t.action", public_id="t.id::text", by_id="t.id = %(number)s"
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing; ``about`` is its address, range, size or, of an order, its action."""

    kind: str
    public_id: str
    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Hits:
    """Of one kind, the best first: called so, then beginning so, then containing it, newest first. ``more``: cut."""

    kind: str
    hits: Sequence[Hit]
    more: bool


_BRANCH = """(SELECT '{kind}' AS kind, {public_id} AS public_id, {name} AS name, {about} AS about, page.nth
FROM (SELECT t.id, row_number() OVER (ORDER BY {rank}, {at} DESC, t.id DESC) AS nth
      FROM {table} t WHERE {own} AND {condition} ORDER BY nth LIMIT %(limit)s) AS page
JOIN {table} t ON t.id = page.id)"""
_RANK = """CASE WHEN lower({name}) = lower(%(word)s) THEN 0
  WHEN starts_with(lower({name}), lower(%(word)s)) THEN 1 ELSE 2 END"""
_NAMED = "position(lower(%(word)s) IN lower({name})) > 0"


def found(account_id: int, word: str, kinds: Sequence[str]) -> list[Hits]:
    """What the account has of these kinds that ``word`` tells, at most ``EACH`` of a kind; kinds without one are not
    there. Nothing for an empty word.
    """
    word = cleaned(word)
    if not word:
        return []
    address = ip_of(word)
    conditions = {kind: condition for kind in kinds if (condition := _condition(KINDS[kind], word, address))}
    if not conditions:
        return []
    holders = machines.holding(account_id, address) if address and "machine" in conditions else []
    rows = db.rows(
        " UNION ALL ".join(_branch(kind, condition) for kind, condition in conditions.items()),
        account=account_id, word=word, ip=address, number=int(word) if _NUMBER.fullmatch(word) else 0,
        holders=holders, limit=EACH + 1,
    )  # fmt: skip
    rows.sort(key=lambda row: row["nth"])
    by_kind = {kind: [_hit(row) for row in rows if row["kind"] == kind] for kind in KINDS}
    return [Hits(kind, hits[:EACH], len(hits) > EACH) for kind, hits in by_kind.items() if hits]


def cleaned(typed: str) -> str:
    """The word as it is looked for: bounded, and text for a database."""
    return typed.replace("\0", "").strip()[:WORD_MAX]


def _condition(kind: Kind, word: str, address: str) -> str:
    """How this kind is asked; "" where nothing of it can be meant."""
    if kind is KINDS["order"]:
        return kind.by_id if _NUMBER.fullmatch(word) else ""
    if _ID.fullmatch(word):
        return kind.by_id
    named = _NAMED.format(name=kind.name)
    return f"({named} OR {kind.addresses})" if address and kind.addresses else named


def _branch(name: str, condition: str) -> str:
    kind = KINDS[name]
    rank = _RANK.format(name=kind.name) if condition != kind.by_id else "t.id"
    return _BRANCH.format(
        kind=name, public_id=kind.public_id, name=kind.name, about=kind.about, rank=rank, at=kind.at,
        table=kind.table, own=kind.own, condition=condition,
    )  # fmt: skip


def _hit(row: Mapping[str, str]) -> Hit:
    return Hit(row["kind"], row["public_id"], row["name"], row["about"] or "")
