"""Machines of an account by ids and conditions, a page at a time: one query counts, a second reads the page."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance
from vmart.kernel import db, ids
from vmart.kernel.errors import MissingParameter
from vmart.kernel.text import ip_of, sayable
from vmart.listings.paging import PAGE, Matching, Page, Placing, cut, from_nearer_end, key_of, key_read
from vmart.listings.views import DiskView, InstanceView
from vmart.orders.errors import UnknownInstance
from vmart.security import held
from vmart.tags import reads
from vmart.tags.things import INSTANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which machines: those that meet every condition given (None: not given); a sequence means any of it.

    ``word`` is a part of the name, or an address. ``created_to`` is inclusive.
    """

    public_ids: Sequence[str] | None = None
    uuids: Sequence[str] | None = None
    region: str | None = None
    zones: Sequence[str] | None = None
    vpc_ids: Sequence[str] | None = None
    subnet_ids: Sequence[str] | None = None
    security_groups: Sequence[str] | None = None
    names: Sequence[str] | None = None
    charge_types: Sequence[str] | None = None
    states: Sequence[str] | None = None
    private_ips: Sequence[str] | None = None
    public_ips: Sequence[str] | None = None
    ipv6s: Sequence[str] | None = None
    created_from: dt.datetime | None = None
    created_to: dt.datetime | None = None
    word: str | None = None
    tags: str | None = None  # of ``tags.reads.asked``


# Condition of each member of Wanted, as ``_asked`` gives it. ARRAY(…), not IN: it is read once, and no join.
_CONDITIONS = {
    "public_ids": "i.public_id = ANY (%(public_ids)s)",
    "uuids": "i.public_id = ANY (%(uuids)s)",
    "region": "i.zone_id = ANY (ARRAY(SELECT code FROM catalog_zone WHERE region_id = %(region)s))",
    "zones": "i.zone_id = ANY (%(zones)s)",
    "vpc_ids": "i.subnet_id = ANY (ARRAY(SELECT s.id FROM network_subnet s JOIN network_vpc v ON v.id = s.vpc_id"
    " WHERE v.public_id = ANY (%(vpc_ids)s)))",
    "subnet_ids": "i.subnet_id = ANY (ARRAY(SELECT id FROM network_subnet WHERE public_id = ANY (%(subnet_ids)s)))",
    # A machine that names none is in the default one, for which "" stands here.
    "security_groups": "(i.security_groups ?| %(security_groups)s::text[]"
    " OR (i.security_groups = '[]' AND '' = ANY (%(security_groups)s::text[])))",
    "names": "i.name = ANY (%(names)s)",
    "charge_types": "i.charge_type = ANY (%(charge_types)s)",
    "states": "i.state = ANY (%(states)s)",
    # Found by who holds the address; a machine that was never delivered shows the private one that it has given back.
    "private_ips": "i.private_ip = ANY (%(private_ips)s::inet[]) AND i.id IN ("
    "SELECT a.instance_id FROM network_private_address a JOIN network_subnet s ON s.id = a.subnet_id"
    " WHERE (s.account_id = %(account)s OR s.owner_id = %(account)s) AND a.ip = ANY (%(private_ips)s::inet[]) UNION ALL"
    " SELECT f.id FROM instances_instance f WHERE f.account_id = %(account)s AND f.state = 'LAUNCH_FAILED')",
    "public_ips": "(i.public_ip IS NULL OR i.public_ip = ANY (%(public_ips)s::inet[])) AND i.id IN ("
    "SELECT a.instance_id FROM network_public_address a WHERE a.ip = ANY (%(public_ips)s::inet[]) UNION ALL"
    " SELECT e.instance_id FROM network_eip e WHERE e.ip = ANY (%(public_ips)s::inet[]))",
    "ipv6s": "i.id IN (SELECT a.instance_id FROM network_ipv6_address a WHERE a.ip = ANY (%(ipv6s)s::inet[]))",
    "created_from": "i.created_at >= %(created_from)s",
    "created_to": "i.created_at <= %(created_to)s",
    "tags": reads.meeting(INSTANCE, "i.public_id"),
    "word": "(position(lower(%(word)s) IN lower(i.name)) > 0"
    " OR host(i.private_ip) = %(word)s OR host(i.public_ip) = %(word)s OR host(i.ipv6) = %(word)s"
    " OR EXISTS (SELECT FROM network_eip e WHERE e.instance_id = i.id AND host(e.ip) = %(word)s))",
}

_FROM = "FROM instances_instance i WHERE i.account_id = %(account)s AND i.state <> 'GONE'"
# The order of every list: newest first, those of one instant by id. Ids alone are no order: processes take blocks.
_NEWEST = "ORDER BY i.created_at DESC, i.id DESC"
_OLDEST = "ORDER BY i.created_at, i.id"

_ATTRIBUTES = [field.name for field in fields(Attributes)]  # a machine has a column of the same name for each
_VIEW = """
SELECT i.public_id, i.name, i.hostname, i.zone_id AS zone, z.legacy_id AS legacy_zone_id, i.instance_type_id AS
  instance_type, i.vcpu, i.memory_mib, coalesce(nullif(i.own_image, ''), i.image_id) AS image_id, m.os_name,
  i.login_user, i.key_ids::json AS key_ids, v.public_id AS vpc_id,
  s.public_id AS subnet_id, coalesce(g.public_id, '') AS placement_group,
  host(i.private_ip) AS private_ip, host(coalesce(i.public_ip, e.ip)) AS public_ip,
  host(i.ipv6) AS ipv6,
  coalesce(e.public_id, '') AS eip_id,
  i.internet_charge_type, i.bandwidth_mbps, b.charge_type, b.renew_flag, i.state,
  CASE WHEN b.arrears_since IS NULL AND b.isolated_source <> 'EXPIRE' THEN 'NORMAL' ELSE 'EXPIRED' END
    AS restrict_state,
  CASE WHEN b.arrears_since IS NULL THEN b.isolated_source ELSE 'ARREAR' END AS isolated_source,
  i.stop_charging_mode, i.latest_operation, i.latest_operation_state,
  i.latest_operation_request_id, i.latest_operation_error, {attributes}, i.created_at, b.expires_at,
  coalesce((SELECT max(e.at) FROM events_event e WHERE e.subject_kind = 'machine' AND e.subject_id = i.id),
           i.created_at) AS changed_at,
  (SELECT json_agg(json_build_array(d.public_id, d.usage, d.disk_type, d.size_gib, d.delete_with_instance,
                                     d.name, d.snapshot_id)
   ORDER BY d.position) FROM storage_disk d WHERE d.instance_id = i.id) AS disks,
  {tags} AS tags
FROM (SELECT i.id {matching} {page}) AS page
JOIN instances_instance i ON i.id = page.id
JOIN subscriptions_subscription b ON b.id = i.id
JOIN catalog_zone z ON z.code = i.zone_id
JOIN catalog_image m ON m.public_id = i.image_id
JOIN network_subnet s ON s.id = i.subnet_id
JOIN network_vpc v ON v.id = s.vpc_id
LEFT JOIN placement_member member ON member.instance_id = i.id
LEFT JOIN placement_group g ON g.id = member.group_id
LEFT JOIN network_eip e ON e.instance_id = i.id AND e.state IN ('BIND', 'UNBINDING')
{order}
""".replace("{attributes}", ", ".join(f"to_json(i.{name}) AS {name}" for name in _ATTRIBUTES)).replace(
    "{tags}", reads.held(INSTANCE, "i.public_id")
)
_STATES = (
    "SELECT i.public_id, i.state FROM (SELECT i.id {matching} {page}) AS page"
    " JOIN instances_instance i ON i.id = page.id {order}"
)


def page(account_id: int, wanted: Wanted, *, offset: int = 0, limit: int = 20) -> tuple[int, list[InstanceView]]:
    """How many of the account's machines are wanted, and a page of them, newest first. Erased ones are not there."""
    total, rows = _page(_VIEW, account_id, wanted, offset=offset, limit=limit)
    return total, [_view(account_id, row) for row in rows]


def states(account_id: int, wanted: Wanted, *, offset: int = 0, limit: int = 20) -> tuple[int, list[tuple[str, str]]]:
    """The same machines as (public id, state)."""
    total, rows = _page(_STATES, account_id, wanted, offset=offset, limit=limit)
    return total, [(row["public_id"], row["state"]) for row in rows]


def _instant(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


_NAME_MAX = 128
_EXPIRES = "coalesce((SELECT b.expires_at FROM subscriptions_subscription b WHERE b.id = i.id), '9999-12-01Z')"
# What people order a list by beside the time of purchase, by which machines that are alike in it follow.
_ORDERS = {
    "name": Placing("i.name", "text", lambda text: text.replace("\0", "")[:_NAME_MAX]),
    "expires": Placing(_EXPIRES, "timestamptz", _instant),
}
_NEWEST_FIRST = "-created"


def by_key(account_id: int, wanted: Wanted | None = None, *, before: str = "", order: str = "") -> Page[Instance]:
    """A page of the account's machines for people, with their subscriptions; erased ones are not there.

    ``before`` is a page's key in the same order. ``order``: ``created``, ``name`` or ``expires``, with a minus sign
    from the last to the first; newest first without it. A key of no machine of the account's means the first page.
    """
    asked = order if order.removeprefix("-") in {"created", *_ORDERS} else _NEWEST_FIRST
    by = _ORDERS.get(asked.removeprefix("-"))
    last = _last(account_id, *key_read(before, by))
    matching = Matching.of(account_id, _FROM, _CONDITIONS, _asked(account_id, wanted or Wanted()))
    query = _BY_KEY.replace("{place}", by.place if by else "NULL")
    found = matching.rows(query, page=_after(by, asked, last), order=_by(by, asked), size=PAGE + 1, **last)
    page = cut(found, lambda row: key_of(row, by), first=not last)
    machines = Instance.objects.select_related("subscription", "eip").in_bulk([row["id"] for row in page.rows])
    return Page([machines[row["id"]] for row in page.rows], page.older, page.first)


_BY_KEY = "SELECT i.id, {place} AS place {matching} {page} {order} LIMIT %(size)s"


def _last(account_id: int, last_id: int | None, place: Any) -> dict[str, Any]:
    """Where the page before ended; {} for the first page."""
    if last_id is None:
        return {}
    held = Instance.objects.filter(account_id=account_id, id=last_id).values_list("created_at", flat=True).first()
    return {"last_id": last_id, "last_at": held, "place": place} if held else {}


def _after(by: Placing | None, order: str, last: dict[str, Any]) -> str:
    if not last:
        return ""
    columns, values = "i.created_at, i.id", "%(last_at)s, %(last_id)s"
    if by:
        columns, values = f"{by.place}, {columns}", f"%(place)s::{by.kind}, {values}"
    return f"AND ({columns}) {'<' if order.startswith('-') else '>'} ({values})"


def _by(by: Placing | None, order: str) -> str:
    direction = " DESC" if order.startswith("-") else ""
    columns = [by.place] if by else []
    return "ORDER BY " + ", ".join(f"{column}{direction}" for column in (*columns, "i.created_at", "i.id"))


def numbers(account_id: int, public_ids: Sequence[str]) -> dict[str, int]:
    """Public id -> number of those of these machines that the account has."""
    rows = db.rows(
        f"SELECT i.public_id, i.id {_FROM} AND i.public_id = ANY (%(public_ids)s)",
        account=account_id, public_ids=sayable(public_ids),
    )  # fmt: skip
    return {row["public_id"]: row["id"] for row in rows}


def holding(account_id: int, address: str) -> list[int]:
    """Numbers of the account's machines that have the address: a private, a public, a bought one, or one of IPv6."""
    wanted = (Wanted(private_ips=[address]), Wanted(public_ips=[address]), Wanted(ipv6s=[address]))
    found = [Matching.of(account_id, _FROM, _CONDITIONS, _asked(account_id, one)) for one in wanted]
    return sorted({row["id"] for matching in found for row in matching.rows("SELECT i.id {matching}")})


def user_data(account_id: int, public_ids: Sequence[str]) -> dict[str, bytes]:
    """Public id -> user data of these machines, in this order. Raises MissingParameter for none, UnknownInstance."""
    if not public_ids:
        raise MissingParameter("InstanceIds names no instance.", field="machines")
    rows = db.rows(
        f"SELECT i.public_id, i.user_data {_FROM} AND i.public_id = ANY (%(public_ids)s)",
        account=account_id, public_ids=list(public_ids),
    )  # fmt: skip
    found = {row["public_id"]: bytes(row["user_data"]) for row in rows}
    for public_id in public_ids:
        if public_id not in found:
            raise UnknownInstance("The instance {id} does not exist.", field="machines", id=public_id)
    return {public_id: found[public_id] for public_id in public_ids}


def _page(query: str, account_id: int, wanted: Wanted, *, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """Counted and walked to in indexes alone; then the query reads the rows of the page's machines."""
    matching = Matching.of(account_id, _FROM, _CONDITIONS, _asked(account_id, wanted))
    if offset == 0 and wanted.public_ids is not None and len(wanted.public_ids) <= limit:  # all of them: no count
        rows = matching.rows(query, page=f"LIMIT {limit}", order=_NEWEST)
        return len(rows), rows
    return from_nearer_end(query, _NEWEST, _OLDEST, matching, offset=offset, limit=limit)


def _asked(account_id: int, wanted: Wanted) -> Wanted:
    """What a machine is told by, in the form in which the tables have it; what is no such thing finds nothing."""
    return replace(
        wanted,
        uuids=_each(ids.machine_of_uuid, wanted.uuids),
        private_ips=_each(ip_of, wanted.private_ips),
        public_ips=_each(ip_of, wanted.public_ips),
        ipv6s=_each(ip_of, wanted.ipv6s),
        security_groups=_groups(account_id, wanted.security_groups),
    )


def _groups(account_id: int, groups: Sequence[str] | None) -> list[str] | None:
    if groups is None:
        return None
    said = [group for group in groups if group]
    return [*said, ""] if held.default_id(account_id) in said else said


def _each(form: Callable[[str], str], values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else [formed for value in values if (formed := form(value))]


def _view(account_id: int, row: dict[str, Any]) -> InstanceView:
    disks = tuple(DiskView(*disk) for disk in row.pop("disks") or ())
    told = {name: row.pop(name) for name in _ATTRIBUTES}
    groups = tuple(told["security_groups"]) or (held.default_id(account_id),)
    attributes = Attributes(**told | {"security_groups": groups})
    key_ids, tags = tuple(row.pop("key_ids")), reads.of(row.pop("tags"))
    return InstanceView(disks=disks, key_ids=key_ids, attributes=attributes, tags=tags, **row)
