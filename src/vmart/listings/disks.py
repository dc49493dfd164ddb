"""Disks of an account, of machines and with a life of their own, by ids and conditions, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from vmart.listings.paging import by_offset
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
_STATE = """CASE WHEN d.state = 'ERASING' THEN 'TORECYCLE'
  WHEN d.latest_operation = 'ResizeDisk' AND d.latest_operation_state = 'OPERATING' THEN 'EXPANDING'
  WHEN d.state = 'TORECYCLE' AND d.latest_operation_state = 'OPERATING'
    THEN CASE WHEN d.instance_id IS NULL THEN 'UNATTACHED' ELSE 'DETACHING' END
  WHEN d.state <> '' THEN d.state
  WHEN i.state = 'PENDING' THEN 'ATTACHING' WHEN i.state IN ('SHUTDOWN', 'TERMINATING') THEN 'TORECYCLE'
  WHEN i.state IN ('GONE', 'LAUNCH_FAILED') THEN 'UNATTACHED' ELSE 'ATTACHED' END"""
_CONDITIONS = {
    "public_ids": "d.public_id = ANY (%(public_ids)s)",
    "region": "s.zone_id IN (SELECT code FROM catalog_zone WHERE region_id = %(region)s)",
    "zones": "s.zone_id = ANY (%(zones)s)",
    "usages": "d.usage = ANY (%(usages)s)",
    "types": "d.disk_type = ANY (%(types)s)",
    "names": "d.name = ANY (%(names)s)",
    "states": f"{_STATE} = ANY (%(states)s)",
    "charge_types": "b.charge_type = ANY (%(charge_types)s)",
    "instance_ids": "i.public_id = ANY (%(instance_ids)s)",
    "instance_names": "i.name = ANY (%(instance_names)s)",
    "tags": reads.meeting(VOLUME, "d.public_id"),
    "portables": "(d.state <> '')::text = ANY (%(portables)s)",
    "ips": "(host(i.private_ip) = ANY (%(ips)s) OR host(i.public_ip) = ANY (%(ips)s)"
    " OR EXISTS (SELECT FROM network_eip e WHERE e.instance_id = i.id AND host(e.ip) = ANY (%(ips)s)))",
}
# A disk of its own is told of from when it is made until it is erased; one that went with its machine as long as its
# owner has not ended it twice, as disks are ended.
_FROM = (
    "FROM storage_disk d JOIN subscriptions_subscription s ON s.id = d.id"
    " JOIN subscriptions_subscription b ON b.id = s.bundle_id LEFT JOIN instances_instance i ON i.id = d.instance_id"
    " WHERE d.account_id = %(account)s AND d.state NOT IN ('CREATING', 'FAILED', 'GONE')"
    " AND d.latest_operation <> 'ForgetDisks'"
)
# By the indexes of the account's machines and of its own disks.
_NOT_ENDED = """ AND d.id IN (
  SELECT m.id FROM storage_disk m JOIN instances_instance of ON of.id = m.instance_id
  WHERE of.account_id = %(account)s AND of.state NOT IN ('GONE', 'LAUNCH_FAILED')
  UNION SELECT id FROM storage_disk WHERE account_id = %(account)s AND state NOT IN ('', 'GONE'))"""
_BOUGHT = [field.name for field in fields(DiskChoice)]  # a disk has a column of the same name for each
_SNAPSHOTS = """
  (SELECT coalesce((capabilities->>'snapshots')::boolean, false) FROM catalog_zone WHERE code = s.zone_id)
    AS snapshot_ability,
  (SELECT ARRAY[count(*), coalesce(sum(n.size_gib), 0), count(*) FILTER (WHERE n.state = 'ROLLBACKING')]::int[]
   FROM storage_snapshot n WHERE n.disk_id = d.id AND n.state NOT IN ('FAILED', 'ERASING', 'GONE')) AS snapshots"""
_VIEW = f"""
SELECT d.public_id, d.usage, {", ".join(f"d.{name}" for name in _BOUGHT)}, {_STATE} AS state,
  d.state <> '' AS portable, coalesce(i.public_id, '') AS instance_id, s.zone_id AS zone, b.charge_type, b.renew_flag,
  s.created_at, b.expires_at, {reads.held(VOLUME, "d.public_id")} AS tags, {_SNAPSHOTS}
{{matching}}"""
_ORDERS = {
    ("CREATE_TIME", "DESC"): "s.created_at DESC, d.id DESC",
    ("CREATE_TIME", "ASC"): "s.created_at, d.id",
    ("DEADLINE", "DESC"): "b.expires_at DESC NULLS LAST, d.id DESC",
    ("DEADLINE", "ASC"): "b.expires_at, d.id",
}


def page(
    account_id: int, wanted: Wanted, *, order: tuple[str, str] = ("CREATE_TIME", "DESC"), offset: int = 0,
    limit: int = 20,
) -> tuple[int, list[ListedDisk]]:  # fmt: skip
    """How many of the account's disks are wanted, and a page of them in this order (field, direction).

    Disks of machines that were erased, or never delivered, are there only where they are asked for by id: a client
    may look at what it knew, and a list is of what there is.
    """
    source = _FROM if wanted.public_ids is not None else _FROM + _NOT_ENDED
    query = f"{_VIEW} ORDER BY {_ORDERS[order]} OFFSET %(offset)s LIMIT %(limit)s"
    total, rows = by_offset(query, source, _CONDITIONS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [_listed(row) for row in rows]


def _listed(row: dict[str, Any]) -> ListedDisk:
    bought = DiskChoice(**{name: row.pop(name) for name in _BOUGHT})
    count, gib, rolling_back = row.pop("snapshots")
    return ListedDisk(
        bought=bought, tags=reads.of(row.pop("tags")), snapshots=count, snapshots_gib=gib,
        rollbacking=rolling_back > 0, **row,
    )  # fmt: skip
