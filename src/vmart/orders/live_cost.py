"""What machines have cost in the hours that are not charged yet: the hour's rule, up to now."""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.money import EXACT_PLACES, exponent, from_minor
from vmart.metering.models import Sample, Segment
from vmart.pricing import books
from vmart.pricing.hour import ByteSample, HourCharge, PriceMissingError, charge_hour, charge_traffic, price_version
from vmart.pricing.hour import Segment as Usage
from vmart.pricing.models import Book

_Charge = Callable[[dt.datetime, Decimal], HourCharge]  # of an hour, after the month's exact total before it


def open_hours(account_id: int, instance_ids: Sequence[int], until: dt.datetime) -> dict[int, list[HourCharge]]:
    """Charges by machine of the hours that are not charged yet, up to ``until``, as the close would make them then.

    Exact under the account lock, also while a close is under way and for an account whose closes fail.
    Raises PriceMissingError for usage without a price, on which the close of the account waits too.
    """
    found: dict[int, list[HourCharge]] = {number: [] for number in instance_ids}
    charged_until = _charged_until(account_id, instance_ids)
    if charged_until is None:
        return found
    here = shop.snapshot()
    places, zone = exponent(here.currency), here.billing_zone
    versions = [
        price_version(books.book_of(row))
        for row in Book.objects.filter(effective_at__lt=until).exclude(ends_at__lte=charged_until)
    ]
    usage, traffic = _usage(instance_ids, charged_until), _traffic(instance_ids, charged_until, until)
    before = _before([*usage, *((number, "traffic") for number, _ in traffic)], charged_until, zone)

    def add(number: int, component: str, first_use: dt.datetime, charge: _Charge) -> None:
        start = max(charged_until, clock.hour_start(first_use))
        same_month = clock.month_start(start, zone) == clock.month_start(charged_until, zone)
        total = before.get((number, component), Decimal(0)) if same_month else Decimal(0)
        found[number] += _hours(charge, start, until, total, zone)

    for (number, component), segments in usage.items():
        rule = partial(charge_hour, segments, versions, until=until, places=places)
        add(number, component, min(segment.start for segment in segments), rule)
    for (number, price_key), samples in traffic.items():
        add(number, "traffic", min(sample.taken_at for sample in samples),
            partial(charge_traffic, samples, price_key, versions, places=places))  # fmt: skip
    return found


def _hours(charge: _Charge, start: dt.datetime, until: dt.datetime, total: Decimal, zone: ZoneInfo) -> list[HourCharge]:
    charges = []
    while start < until:
        if start == clock.month_start(start, zone):
            total = Decimal(0)
        charges.append(charge(start, total))
        total, start = charges[-1].after, start + HOUR
    return charges


def _charged_until(account_id: int, instance_ids: Sequence[int]) -> dt.datetime | None:
    """The end of the last hour of these machines' usage in which the account was charged, or the hour of their first.

    None without any. An account's hours are closed in order, each in one commit: what it has used since is not
    deducted yet, whether the horizon has passed it or not.
    """
    found = db.rows(
        """
        SELECT coalesce((
          SELECT fn.bills_charged_until(%(account)s, since, greatest(least(upto, closed_until), (
            SELECT max(at) + interval '1 second' FROM unnest(%(ids)s::bigint[]) AS id CROSS JOIN LATERAL (
              SELECT at FROM metering_sample
              WHERE instance_id = id AND at >= least(upto, closed_until) AND at < closed_until
              ORDER BY at DESC LIMIT 1) AS last)))
          FROM metering_horizon), since) AS at
        FROM (SELECT date_trunc('hour', min(started_at)) AS since,
                     max(CASE component WHEN 'traffic' THEN '-infinity' ELSE coalesce(ended_at, 'infinity') END) AS upto
              FROM metering_segment WHERE instance_id = ANY (%(ids)s::bigint[])) AS used
        """,
        account=account_id, ids=list(instance_ids),
    )  # fmt: skip
    at: dt.datetime | None = found[0]["at"]
    return at


def _usage(numbers: Sequence[int], charged_until: dt.datetime) -> dict[tuple[int, str], list[Usage]]:
    usage: dict[tuple[int, str], list[Usage]] = {}
    for segment in Segment.objects.filter(instance_id__in=numbers).exclude(ended_at__lte=charged_until):
        if segment.component != "traffic":
            usage.setdefault((segment.instance_id, segment.component), []).append(
                Usage(segment.started_at, segment.ended_at, segment.quantity, segment.price_key, segment.age_s)
            )
    return usage


def _traffic(
    numbers: Sequence[int], charged_until: dt.datetime, until: dt.datetime
) -> dict[tuple[int, str], list[ByteSample]]:
    traffic: dict[tuple[int, str], list[ByteSample]] = {}
    for sample in Sample.objects.filter(instance_id__in=numbers, at__gte=charged_until, at__lt=until):
        traffic.setdefault((sample.instance_id, sample.price_key), []).append(ByteSample(sample.at, sample.out_bytes))
    return traffic


def _before(
    charged: Sequence[tuple[int, str]], charged_until: dt.datetime, zone: ZoneInfo
) -> dict[tuple[int, str], Decimal]:
    """The month's exact total of these machines' components at the end of what is charged.

    Only of these: the last charge of another may be far back.
    """
    if not charged:
        return {}
    rows = db.rows(
        """
        SELECT instance_id, component, fn.bills_month_exact_e8(
                 account_id, instance_id, component, greatest(%(month)s, date_trunc('hour', min(started_at))), %(end)s
               ) AS total
        FROM metering_segment
        WHERE (instance_id, component) IN (SELECT * FROM unnest(%(ids)s::bigint[], %(components)s::text[]))
        GROUP BY account_id, instance_id, component
        """,
        ids=[number for number, _ in charged], components=[component for _, component in charged],
        month=clock.month_start(charged_until, zone), end=charged_until,
    )  # fmt: skip
    return {(row["instance_id"], row["component"]): from_minor(row["total"] or 0, EXACT_PLACES) for row in rows}


def open_hours_minor(account_id: int, instance_ids: Sequence[int], until: dt.datetime) -> dict[int, int | None]:
    """What each machine's open hours have cost up to ``until`` and is not yet deducted, in minor units.

    None when there is no saying: a price is missing, and the account's close waits for the seller.
    """
    try:
        found = open_hours(account_id, instance_ids, until)
    except PriceMissingError:
        return dict.fromkeys(instance_ids)
    return {number: sum(charge.deducted_minor for charge in charges) for number, charges in found.items()}
