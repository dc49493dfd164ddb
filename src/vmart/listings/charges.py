"""What was charged by usage: an account's charges of a day, of a month, and of a machine so far."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from vmart.kernel import clock, db
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
SELECT c.hour, i.public_id, i.name, c.component, c.duration_s, c.out_bytes, c.exact, c.deducted_minor,
       c.instance_id, c.revision
FROM bills_charge c JOIN instances_instance i ON i.id = c.instance_id
WHERE c.account_id = %(account)s AND c.hour >= %(start)s AND c.hour < %(end)s
  AND (%(hour)s::timestamptz IS NULL
       OR (c.hour, c.instance_id, c.component, c.revision) < (%(hour)s, %(instance)s, %(component)s, %(revision)s))
ORDER BY c.hour DESC, c.instance_id DESC, c.component DESC, c.revision DESC
LIMIT %(limit)s
"""


def of_day(account_id: int, day: dt.date, zone: ZoneInfo, before: str = "") -> Page[ChargeRow]:
    """Charges for the hours of a day in the billing zone, latest first. A wrong key means the first page."""
    start = dt.datetime(day.year, day.month, day.day, tzinfo=zone)
    key = _key(before)
    rows = _read(account_id, start, start + dt.timedelta(days=1), key, PAGE + 1)
    return cut(rows, _key_of, first=key is None)


def of_month(account_id: int, month: dt.date, zone: ZoneInfo) -> Iterator[ChargeRow]:
    """All charges of a billing month, latest first, read a batch at a time."""
    start = dt.datetime(month.year, month.month, 1, tzinfo=zone)
    end = clock.add_months(start, 1, zone)
    key: tuple[object, ...] | None = None
    while rows := _read(account_id, start, end, key, CSV_BATCH):
        yield from rows
        last = rows[-1]
        key = (last.hour, last.instance_id, last.component, last.revision)


def days_of_month(account_id: int, month: dt.date, zone: ZoneInfo) -> Sequence[DayTotal]:
    """What was deducted a day, by the hour of usage; only days with charges, latest first."""
    start = dt.datetime(month.year, month.month, 1, tzinfo=zone)
    rows = db.rows(
        "SELECT (hour AT TIME ZONE %(zone)s)::date AS day, sum(deducted_minor)::bigint AS deducted_minor"
        " FROM bills_charge WHERE account_id = %(account)s AND hour >= %(start)s AND hour < %(end)s"
        " GROUP BY 1 ORDER BY 1 DESC",
        zone=zone.key, account=account_id, start=start, end=clock.add_months(start, 1, zone),
    )  # fmt: skip
    return [DayTotal(**row) for row in rows]


def of_machine_minor(account_id: int, instance_id: int) -> int:
    """What a machine's closed hours have taken, in minor units."""
    rows = db.rows(
        "SELECT coalesce(sum(deducted_minor), 0)::bigint AS total FROM bills_charge"
        " WHERE account_id = %s AND instance_id = %s",
        account_id, instance_id,
    )  # fmt: skip
    return int(rows[0]["total"])


def _read(
    account_id: int, start: dt.datetime, end: dt.datetime, key: tuple[object, ...] | None, limit: int
) -> list[ChargeRow]:
    hour, instance, component, revision = key or (None, None, None, None)
    found = db.rows(
        _CHARGES, account=account_id, start=start, end=end, hour=hour, instance=instance, component=component,
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
        return at, int(instance), component[:24], int(revision)
    except ValueError:
        return None
