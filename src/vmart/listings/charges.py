"""What was charged by usage: an account's charges of a day, of a month, and of a machine so far."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.money import exponent
from vmart.listings.paging import PAGE, Page, cut

CSV_BATCH = 2000


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """A component's charge for one clock hour; ``exact`` in currency units, ``deducted_minor`` what it took."""

    hour: dt.datetime
    public_id: str
    name: str
    component: str
    duration_s: int
    out_bytes: int
    exact: Decimal
    deducted_minor: int
    instance_id: int
    revision: int


@dataclass(frozen=True, slots=True)
class DayTotal:
    """A day of the billing zone and what was deducted for its hours."""

    day: dt.date
    deducted_minor: int


_CHARGES = """
SELECT c.hour, i.public_id, i.name, c.component, c.duration_s, c.out_bytes, c.exact_e8 * 0.00000001 AS exact,
       c.deducted_minor, c.instance_id, c.revision
FROM bills_charge c JOIN instances_instance i ON i.id = c.instance_id
WHERE c.account_id = %(account)s AND c.hour = ANY (%(hours)s)
  AND (%(hour)s::timestamptz IS NULL
       OR (c.hour, c.instance_id, c.component, c.revision) < (%(hour)s, %(instance)s, %(component)s, %(revision)s))
ORDER BY c.hour DESC, c.instance_id DESC, c.component DESC, c.revision DESC
LIMIT %(limit)s
"""


def of_day(account_id: int, day: dt.date, zone: ZoneInfo, before: str = "") -> Page[ChargeRow]:
    """Charges for the hours of a day in the billing zone, latest first. A wrong key means the first page."""
    start = dt.datetime(day.year, day.month, day.day, tzinfo=zone)
    key = _key(before)
    rows = _read(account_id, _hours(start, start + dt.timedelta(days=1)), key, PAGE + 1)
    return cut(rows, _key_of, first=key is None)


def of_month(account_id: int, month: dt.date, zone: ZoneInfo) -> Iterator[ChargeRow]:
    """All charges of a billing month, latest first, read a batch at a time."""
    start = dt.datetime(month.year, month.month, 1, tzinfo=zone)
    hours = _hours(start, clock.add_months(start, 1, zone))
    key: tuple[object, ...] | None = None
    while rows := _read(account_id, hours, key, CSV_BATCH):
        yield from rows
        last = rows[-1]
        key = (last.hour, last.instance_id, last.component, last.revision)
        hours = [hour for hour in hours if hour <= last.hour]


def days_of_month(account_id: int, month: dt.date, zone: ZoneInfo) -> Sequence[DayTotal]:
    """What was deducted a day, by the hour of usage; only days with charges, latest first."""
    start = dt.datetime(month.year, month.month, 1, tzinfo=zone)
    rows = db.rows(
        "SELECT (hour AT TIME ZONE %(zone)s)::date AS day, sum(deducted_minor)::bigint AS deducted_minor"
        " FROM bills_charge WHERE account_id = %(account)s AND hour = ANY (%(hours)s) GROUP BY 1 ORDER BY 1 DESC",
        zone=zone.key, account=account_id, hours=_hours(start, clock.add_months(start, 1, zone)),
    )  # fmt: skip
    return [DayTotal(**row) for row in rows]


# What a component has taken in a month is its running total after its last charge of the month, half-up. That one
# is looked for where the component was last used: charges lie by hour, and may be millions.
_OF_MACHINE = """
WITH month AS (
  SELECT start, least(upto, (SELECT closed_until FROM metering_horizon)) AS upto
  FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS month (start, upto)
), used AS (
  SELECT m.start, s.component, max(least(coalesce(s.ended_at, 'infinity'), m.upto)) AS upto
  FROM month m JOIN metering_segment s ON s.started_at < m.upto AND coalesce(s.ended_at, 'infinity') > m.start
  WHERE s.instance_id = %(instance)s AND s.component <> 'traffic' AND s.started_at IS DISTINCT FROM s.ended_at
  GROUP BY 1, 2
  UNION ALL
  SELECT m.start, 'traffic', last.at + interval '1 second'
  FROM month m CROSS JOIN LATERAL (
    SELECT at FROM metering_sample WHERE instance_id = %(instance)s AND at >= m.start AND at < m.upto
    ORDER BY at DESC LIMIT 1) AS last
)
SELECT coalesce(sum(round(fn.bills_month_exact_e8(%(account)s, %(instance)s, component, start, upto)
                          / power(10::numeric, 8 - %(places)s))), 0)::bigint AS total
FROM used
"""


def of_machine_minor(account_id: int, instance_id: int, since: dt.datetime | None) -> int:
    """What the closed hours of a machine that runs ``since`` then (None: never ran) have taken, in minor units."""
    if since is None:
        return 0
    here = shop.snapshot()
    edges = [clock.month_start(since, here.billing_zone)]
    while edges[-1] <= clock.now():
        edges.append(clock.month_start(edges[-1] + dt.timedelta(days=32), here.billing_zone))
    (row,) = db.rows(
        _OF_MACHINE, account=account_id, instance=instance_id, places=exponent(here.currency), starts=edges[:-1],
        ends=edges[1:],
    )  # fmt: skip
    return int(row["total"])


def _hours(start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """The clock hours in [start, end): charges lie by hour first (ADR 0016), an account's are found hour by hour."""
    first, after = start.astimezone(dt.UTC), end.astimezone(dt.UTC)
    return [first + n * HOUR for n in range((after - first) // HOUR)]


def _read(account_id: int, hours: Sequence[dt.datetime], key: tuple[object, ...] | None, limit: int) -> list[ChargeRow]:
    hour, instance, component, revision = key or (None, None, None, None)
    found = db.rows(
        _CHARGES, account=account_id, hours=hours, hour=hour, instance=instance, component=component,
        revision=revision, limit=limit,
    )  # fmt: skip
    return [ChargeRow(**row) for row in found]


def _key_of(row: ChargeRow) -> str:
    return f"{row.hour.isoformat()}~{row.instance_id}~{row.component}~{row.revision}"


def _key(text: str) -> tuple[object, ...] | None:
    try:
        hour, instance, component, revision = text.split("~")
        at = dt.datetime.fromisoformat(hour)
        if at.tzinfo is None or not 1970 < at.year < 9000 or len(instance) > 18 or len(revision) > 9:
            return None
        return at.astimezone(dt.UTC), int(instance), component[:24], int(revision)
    except (ValueError, OverflowError):
        return None
