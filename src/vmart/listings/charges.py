"""What was charged by usage: an account's charges of a day, of a month, and of a machine so far."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.listings.paging import PAGE, Page, cut
from vmart.tags import reads
from vmart.tags.wanted import Tag

CSV_BATCH = 2000


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """A component's charge for one clock hour, ``exact`` in currency units; a later ``revision`` is a difference.

    ``public_id`` and ``name`` are the machine's, or of a disk, an address, a snapshot or an image; ``resource_id`` is
    what the charge is of: that, or a disk of the machine.
    """

    hour: dt.datetime
    public_id: str
    resource_id: str
    name: str
    component: str
    duration_s: int
    out_bytes: int
    exact: Decimal
    subscription_id: int
    revision: int
    statement_month: dt.date
    tags: tuple[Tag, ...]  # of each key what held last in the hour (ADR 0038)


@dataclass(frozen=True, slots=True)
class TagTotal:
    """What charges that show a value of a key come to, exact; None: those that show none of the key."""

    value: str | None
    charges: int
    exact: Decimal


@dataclass(frozen=True, slots=True)
class DayTotal:
    """A day of the billing zone and what was deducted for its hours."""

    day: dt.date
    deducted_minor: int


_CHARGES = """
SELECT c.hour, h.public_id, b.public_id AS resource_id, coalesce(i.name, d.name, e.name, n.name, o.name, k.name, '')
         AS name,
       c.component, c.duration_s, c.out_bytes, c.exact_e8 * 0.00000001 AS exact, c.subscription_id, c.revision,
       c.statement_month, tagged.tags
FROM bills_charge c JOIN subscriptions_subscription b ON b.id = c.subscription_id
JOIN subscriptions_subscription h ON h.id = b.bundle_id
LEFT JOIN instances_instance i ON i.id = h.id LEFT JOIN storage_disk d ON d.id = h.id
LEFT JOIN network_eip e ON e.id = h.id LEFT JOIN storage_snapshot n ON n.id = h.id
LEFT JOIN storage_image o ON o.id = h.id AND h.kind = 'image'
LEFT JOIN network_package k ON k.id = h.id
CROSS JOIN LATERAL (
  SELECT json_agg(json_build_array(held.key, held.value) ORDER BY held.key) AS tags,
         bool_or(held.key = %(tag_key)s AND (%(tag_value)s::text IS NULL OR held.value = %(tag_value)s)) AS is_wanted
  FROM (SELECT DISTINCT ON (t.key) t.key, t.value FROM tags_tag t
        WHERE t.resource_id = b.public_id AND t.from_at < c.hour + interval '1 hour'
          AND (t.to_at IS NULL OR t.to_at > c.hour)
        ORDER BY t.key, t.from_at DESC) AS held
) AS tagged
WHERE c.account_id = %(account)s AND c.hour = ANY (%(hours)s)
  AND (%(hour)s::timestamptz IS NULL
       OR (c.hour, c.subscription_id, c.component, c.revision)
          < (%(hour)s, %(subscription)s, %(component)s, %(revision)s))
  AND (%(tag_key)s::text IS NULL OR tagged.is_wanted)
ORDER BY c.hour DESC, c.subscription_id DESC, c.component DESC, c.revision DESC
LIMIT %(limit)s
"""


def of_day(account_id: int, day: dt.date, zone: ZoneInfo, before: str = "", tag: str = "") -> Page[ChargeRow]:
    """Charges for the hours of a day in the billing zone, latest first. A wrong key means the first page.

    ``tag``: only those that show it, ``key`` or ``key=value``.
    """
    start = dt.datetime(day.year, day.month, day.day, tzinfo=zone)
    key = _key(before)
    rows = _read(account_id, _hours(start, start + dt.timedelta(days=1)), key, PAGE + 1, tag)
    return cut(rows, _key_of, first=key is None)


def of_month(account_id: int, month: dt.date, zone: ZoneInfo, tag: str = "") -> Iterator[ChargeRow]:
    """All charges of a billing month that show the ``tag``, if one is named; latest first, read a batch at a time."""
    start = dt.datetime(month.year, month.month, 1, tzinfo=zone)
    hours = _hours(start, clock.add_months(start, 1, zone))
    key: tuple[object, ...] | None = None
    while rows := _read(account_id, hours, key, CSV_BATCH, tag):
        yield from rows
        last = rows[-1]
        key = (last.hour, last.subscription_id, last.component, last.revision)
        hours = [hour for hour in hours if hour <= last.hour]


_BY_TAG = """
SELECT held.value, count(*) AS charges, sum(c.exact_e8) * 0.00000001 AS exact
FROM bills_charge c JOIN subscriptions_subscription b ON b.id = c.subscription_id
LEFT JOIN LATERAL (
  SELECT t.value FROM tags_tag t
  WHERE t.resource_id = b.public_id AND t.key = %(key)s AND t.from_at < c.hour + interval '1 hour'
    AND (t.to_at IS NULL OR t.to_at > c.hour)
  ORDER BY t.from_at DESC LIMIT 1
) AS held ON true
WHERE c.account_id = %(account)s AND c.hour = ANY (%(hours)s)
GROUP BY held.value ORDER BY exact DESC, held.value
"""


def by_tag(account_id: int, month: dt.date, zone: ZoneInfo, key: str) -> list[TagTotal]:
    """What the charges for the hours of a billing month come to by value of a tag's key, the largest first.

    Each charge counts once, by the value that it shows, so the sums add up to the month's (ADR 0038).
    """
    start = dt.datetime(month.year, month.month, 1, tzinfo=zone)
    hours = _hours(start, clock.add_months(start, 1, zone))
    rows = db.rows(_BY_TAG, account=account_id, hours=hours, key=key.replace("\0", ""))
    return [TagTotal(**row) for row in rows]


# A close's transfer is found by its id: out of account, closing hour and statement month. That month is the one that
# the hour's own charges name; a close may also amend the month before.
_DEDUCTED = """
SELECT closed.hour,
       sum(CASE t.kind WHEN 'correction' THEN -t.amount_minor ELSE t.amount_minor END)::bigint AS deducted_minor
FROM unnest(%(hours)s::timestamptz[]) AS closed (hour)
CROSS JOIN LATERAL (SELECT date_trunc('month', closed.hour AT TIME ZONE %(zone)s)::date AS own) AS month
CROSS JOIN LATERAL (
  SELECT own UNION SELECT (own - interval '1 month')::date UNION (
    SELECT statement_month FROM bills_charge c
    WHERE c.hour = closed.hour AND account_id = %(account)s AND revision = 0 LIMIT 1)
) AS candidate (statement)
JOIN ledger_transfer t
  ON t.id = fn.kernel_transfer_id('hour', %(account)s::text, fn.settlement_period(closed.hour, statement))
GROUP BY closed.hour
"""


def deducted(account_id: int, hours: Sequence[dt.datetime], zone: ZoneInfo) -> dict[dt.datetime, int]:
    """Minor units by clock hour that its close deducted of the account; negative: it gave back. Only those that did."""
    rows = db.rows(_DEDUCTED, account=account_id, hours=list(hours), zone=zone.key)
    return {row["hour"]: row["deducted_minor"] for row in rows}


def days_of_month(account_id: int, month: dt.date, zone: ZoneInfo) -> Sequence[DayTotal]:
    """What was deducted a day, by the closing hour; only days with a deduction or credit, latest first."""
    start = dt.datetime(month.year, month.month, 1, tzinfo=zone)
    days: dict[dt.date, int] = {}
    for hour, minor in deducted(account_id, _hours(start, clock.add_months(start, 1, zone)), zone).items():
        day = hour.astimezone(zone).date()
        days[day] = days.get(day, 0) + minor
    return [DayTotal(day, days[day]) for day in sorted(days, reverse=True)]


# By key, an hour each (OFFSET 0): the account's other machines may have millions of charges, which no plan may read.
_OF_PARTS = """
SELECT coalesce(sum(c.exact_e8), 0) * 0.00000001 AS exact
FROM metering_horizon
CROSS JOIN generate_series(%(first)s::timestamptz, closed_until - interval '1 hour', interval '1 hour') AS used (hour)
CROSS JOIN LATERAL (
  SELECT exact_e8 FROM bills_charge
  WHERE hour = used.hour AND account_id = %(account)s AND subscription_id = ANY (%(parts)s) OFFSET 0) AS c
"""


def of_parts(account_id: int, parts: Sequence[int], since: dt.datetime | None) -> Decimal:
    """What the closed hours of a bundle's subscriptions, in use ``since`` then (None: never), have cost, exact."""
    if since is None:
        return Decimal(0)
    (row,) = db.rows(_OF_PARTS, account=account_id, parts=list(parts), first=clock.hour_start(since))
    exact: Decimal = row["exact"]
    return exact


def _hours(start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """The clock hours in [start, end): charges lie by hour first (ADR 0016), an account's are found hour by hour."""
    first, after = start.astimezone(dt.UTC), end.astimezone(dt.UTC)
    return [first + n * HOUR for n in range((after - first) // HOUR)]


def _read(
    account_id: int, hours: Sequence[dt.datetime], key: tuple[object, ...] | None, limit: int, tag: str
) -> list[ChargeRow]:
    hour, subscription, component, revision = key or (None, None, None, None)
    tag_key, tag_value = reads.said(tag)
    found = db.rows(
        _CHARGES, account=account_id, hours=hours, hour=hour, subscription=subscription, component=component,
        revision=revision, limit=limit, tag_key=tag_key or None, tag_value=tag_value,
    )  # fmt: skip
    return [ChargeRow(**{**row, "tags": reads.of(row["tags"])}) for row in found]


def _key_of(row: ChargeRow) -> str:
    return f"{row.hour.isoformat()}~{row.subscription_id}~{row.component}~{row.revision}"


def _key(text: str) -> tuple[object, ...] | None:
    try:
        hour, instance, component, revision = text.replace("\0", "").split("~")
        at = dt.datetime.fromisoformat(hour)
        if at.tzinfo is None or not 1970 < at.year < 9000 or len(instance) > 18 or len(revision) > 9:
            return None
        return at.astimezone(dt.UTC), int(instance), component[:24], int(revision)
    except (ValueError, OverflowError):
        return None
