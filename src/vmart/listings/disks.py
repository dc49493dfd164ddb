"""Disks of an account, of machines and with a life of their own, by ids and conditions, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from vmart.listings.paging import Matching, from_nearer_end
from vmart.listings.views import ListedDisk
from vmart.pricing.configuration import DiskChoice
from vmart.tags import reads
from vmart.tags.things import VOLUME


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which disks: those that meet every condition given (None: not given); a sequence means any of it."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    zones: Sequence[str] | None = None
    usages: Sequence[str] | None = None
    types: Sequence[str] | None = None
    names: Sequence[str] | None = None
    states: Sequence[str] | None = None
    charge_types: Sequence[str] | None = None
    instance_ids: Sequence[str] | None = None
    instance_names: Sequence[str] | None = None
    ips: Sequence[str] | None = None
    tags: str | None = None  # of ``tags.reads.asked``
    portables: Sequence[str] | None = None


# DiskState of the API 3.0: a disk that goes with its machine has it from the machine's state. One is told to be in the
# bin as soon as it can be erased: who waits for that erases it at once (Terraform's provider).
_EXPANDING = "WHEN d.latest_operation = 'ResizeDisk' AND d.latest_operation_state = 'OPERATING' THEN 'EXPANDING'"
_OF_MACHINE = f"""CASE {_EXPANDING}
  WHEN i.state = 'PENDING' THEN 'ATTACHING' WHEN i.state IN ('SHUTDOWN', 'TERMINATING') THEN 'TORECYCLE'
  WHEN i.state IN ('GONE', 'LAUNCH_FAILED') THEN 'UNATTACHED' ELSE 'ATTACHED' END"""
_OF_ITS_OWN = f"""CASE WHEN d.state = 'ERASING' THEN 'TORECYCLE' {_EXPANDING}
  WHEN d.state = 'TORECYCLE' AND d.latest_operation_state = 'OPERATING'
    THEN CASE WHEN d.instance_id IS NULL THEN 'UNATTACHED' ELSE 'DETACHING' END
  ELSE d.state::text END"""  # text, as the other part's: else PostgreSQL does not merge the two in order
_STATE = f"CASE d.state WHEN '' THEN {_OF_MACHINE} ELSE {_OF_ITS_OWN} END"
_CONDITIONS = {
    "public_ids": "d.public_id = ANY (%(public_ids)s)",
    "region": "d.zone = ANY (ARRAY(SELECT code FROM catalog_zone WHERE region_id = %(region)s))",
    "zones": "d.zone = ANY (%(zones)s)",
    "usages": "d.usage = ANY (%(usages)s)",
    "types": "d.disk_type = ANY (%(types)s)",
    "names": "d.name = ANY (%(names)s)",
    "states": "d.state = ANY (%(states)s)",
    "charge_types": "d.charge_type = ANY (%(charge_types)s)",
    "instance_ids": "d.instance_id = ANY (%(instance_ids)s)",
    "instance_names": "d.instance_name = ANY (%(instance_names)s)",
    "tags": reads.meeting(VOLUME, "d.public_id"),
    "portables": "d.portable::text = ANY (%(portables)s)",
    "ips": "(host(d.private_ip) = ANY (%(ips)s) OR host(d.public_ip) = ANY (%(ips)s)"
    " OR EXISTS (SELECT FROM network_eip e WHERE e.instance_id = d.machine AND host(e.ip) = ANY (%(ips)s)))",
}
_BOUGHT = [field.name for field in fields(DiskChoice)]  # a disk has a column of the same name for each
# What a disk is asked by and told with. A join that no condition needs is left out by PostgreSQL.
_COLUMNS = f"""
  d.id, d.public_id, d.usage, {", ".join(f"d.{name}" for name in _BOUGHT)}, d.state <> '' AS portable,
  {{state}} AS state, b.charge_type, b.renew_flag, b.expires_at, b.isolated_source, i.id AS machine,
  i.public_id AS instance_id, i.name AS instance_name, i.private_ip, i.public_ip"""
# A disk of its own is told of from when it is made until it is erased; one that went with its machine as long as its
# owner has not ended it twice, as disks are ended.
_TOLD = "d.state NOT IN ('CREATING', 'FAILED') AND d.latest_operation <> 'ForgetDisks'"
_OWN = """
SELECT {columns}, d.own_zone_id AS zone, d.own_created_at AS created_at FROM storage_disk d
LEFT JOIN subscriptions_subscription b ON b.id = d.id LEFT JOIN instances_instance i ON i.id = d.instance_id
WHERE d.account_id = %(account)s AND d.state NOT IN ('', 'GONE') AND {told}"""
_WITH_MACHINE = """
SELECT {columns}, i.zone_id AS zone, i.created_at FROM instances_instance i
JOIN storage_disk d ON d.instance_id = i.id AND d.state = ''
LEFT JOIN subscriptions_subscription b ON b.id = i.id
WHERE i.account_id = %(account)s AND i.state <> 'GONE' AND {told}"""
# By ids also those of machines that are erased, or were never delivered.
_KNOWN = """
SELECT {columns}, s.zone_id AS zone, s.created_at FROM storage_disk d
JOIN subscriptions_subscription s ON s.id = d.id JOIN subscriptions_subscription b ON b.id = s.bundle_id
LEFT JOIN instances_instance i ON i.id = d.instance_id
WHERE d.account_id = %(account)s AND d.state <> 'GONE' AND {told}"""
# A state is put together of what its index has, where it can be: a list may be narrowed to some states.
_OWN, _WITH_MACHINE, _KNOWN = (
    source.replace("{columns}", _COLUMNS).replace("{state}", state).replace("{told}", _TOLD)
    for source, state in ((_OWN, _OF_ITS_OWN), (_WITH_MACHINE, _OF_MACHINE), (_KNOWN, _STATE))
)
# Each in the order of the list, by indexes: PostgreSQL merges them, and reads no further than the page. The same from
# the other end, for what is walked to from there.
_LISTED, _LISTED_OLDEST = (
    f"""FROM (({_OWN} ORDER BY d.own_created_at {way}, d.id {way}) UNION ALL
({_WITH_MACHINE} AND i.state <> 'LAUNCH_FAILED' ORDER BY i.created_at {way}, d.id {way})) AS d WHERE true"""
    for way in ("DESC", "ASC")
)
_BY_ID = f"FROM ({_KNOWN}) AS d WHERE true"
_SNAPSHOTS = """
  (SELECT coalesce((capabilities->>'snapshots')::boolean, false) FROM catalog_zone WHERE code = d.zone)
    AS snapshot_ability,
  (SELECT ARRAY[count(*), coalesce(sum(n.size_gib), 0), count(*) FILTER (WHERE n.state = 'ROLLBACKING')]::int[]
   FROM storage_snapshot n WHERE n.disk_id = d.id AND n.state NOT IN ('FAILED', 'ERASING', 'GONE')) AS snapshots,
  ARRAY(SELECT p.public_id FROM storage_snapshot_policy_disk b JOIN storage_snapshot_policy p ON p.id = b.policy_id
        WHERE b.disk_id = d.id) AS policies"""
_VIEW = """
SELECT d.public_id, d.usage, {bought}, d.state, d.portable, coalesce(d.instance_id, '') AS instance_id, d.zone,
  d.charge_type, d.renew_flag, d.created_at, d.expires_at, d.isolated_source, m.expires_at AS machine_expires_at,
  coalesce(m.renew_flag, '') AS machine_renew_flag, {tags} AS tags, {snapshots}
FROM (SELECT d.id {matching} {page}) AS page JOIN ({known}) AS d ON d.id = page.id
LEFT JOIN subscriptions_subscription m ON m.id = d.machine AND m.standing NOT IN ('ended', 'failed')
{order}""".replace("{bought}", ", ".join(f"d.{name}" for name in _BOUGHT)).replace(
    "{tags}", reads.held(VOLUME, "d.public_id")
).replace("{known}", _KNOWN).replace("{snapshots}", _SNAPSHOTS)  # fmt: skip
# Field and direction -> the order, and the same from the other end.
_CREATED = "ORDER BY d.created_at DESC, d.id DESC", "ORDER BY d.created_at, d.id"
_DEADLINE = "ORDER BY d.expires_at DESC NULLS LAST, d.id DESC", "ORDER BY d.expires_at NULLS FIRST, d.id"
_DEADLINE_UP = "ORDER BY d.expires_at NULLS LAST, d.id", "ORDER BY d.expires_at DESC NULLS FIRST, d.id DESC"
_ORDERS = {
    ("CREATE_TIME", "DESC"): _CREATED,
    ("CREATE_TIME", "ASC"): _CREATED[::-1],
    ("DEADLINE", "DESC"): _DEADLINE,
    ("DEADLINE", "ASC"): _DEADLINE_UP,
}


def page(
    account_id: int, wanted: Wanted, *, order: tuple[str, str] = ("CREATE_TIME", "DESC"), offset: int = 0,
    limit: int = 20,
) -> tuple[int, list[ListedDisk]]:  # fmt: skip
    """How many of the account's disks are wanted, and a page of them in this order (field, direction).

    Disks of machines that were erased, or never delivered, are there only where they are asked for by id: a client
    may look at what it knew, and a list is of what there is.
    """
    ways = (_LISTED, _LISTED_OLDEST) if wanted.public_ids is None else (_BY_ID, _BY_ID)
    ways = ways if order[1] == "DESC" else ways[::-1]
    matching = Matching.of(account_id, ways[0], _CONDITIONS, wanted, reverse=ways[1])
    total, rows = from_nearer_end(_VIEW, *_ORDERS[order], matching, offset=offset, limit=limit)
    return total, [_listed(row) for row in rows]


def _listed(row: dict[str, Any]) -> ListedDisk:
    bought = DiskChoice(**{name: row.pop(name) for name in _BOUGHT})
    count, gib, rolling_back = row.pop("snapshots")
    return ListedDisk(
        bought=bought, tags=reads.of(row.pop("tags")), snapshots=count, snapshots_gib=gib,
        rollbacking=rolling_back > 0, **row,
    )  # fmt: skip
