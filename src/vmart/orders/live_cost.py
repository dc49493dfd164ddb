"""What machines have cost in the hours that are not closed yet: the hour's rule, up to now."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.money import exponent
from vmart.metering.models import Horizon, Sample, Segment
from vmart.pricing import books
from vmart.pricing.hour import ByteSample, HourCharge, PriceVersion, charge_hour, charge_traffic, price_version
from vmart.pricing.hour import Segment as Usage
from vmart.pricing.models import Book


def open_hours(instance_ids: Sequence[int], until: dt.datetime) -> dict[int, list[HourCharge]]:
    """Charges by machine of the hours from the horizon to ``until``, as the close would make them then."""
    here = shop.snapshot()
    closed_until = Horizon.objects.values_list("closed_until", flat=True).get()
    versions = [
        price_version(books.book_of(row))
        for row in Book.objects.filter(effective_at__lt=until).exclude(ends_at__lte=closed_until)
    ]
    usage: dict[tuple[int, str], list[Usage]] = {}
    for segment in Segment.objects.filter(instance_id__in=instance_ids).exclude(ended_at__lte=closed_until):
        if segment.component != "traffic":
            usage.setdefault((segment.instance_id, segment.component), []).append(
                Usage(segment.started_at, segment.ended_at, int(segment.quantity), segment.price_key, segment.age_s)
            )
    traffic: dict[tuple[int, str], list[ByteSample]] = {}
    for sample in Sample.objects.filter(instance_id__in=instance_ids, at__gte=closed_until, at__lt=until):
        traffic.setdefault((sample.instance_id, sample.price_key), []).append(ByteSample(sample.at, sample.out_bytes))
    charged = [*usage, *((number, "traffic") for number, _ in traffic)]
    before = _before(charged, closed_until, here.billing_zone) if charged else {}
    found: dict[int, list[HourCharge]] = {number: [] for number in instance_ids}
    places = exponent(here.currency)
    for (number, component), segments in usage.items():
        total = before.get((number, component), Decimal(0))
        found[number] += _hours(segments, versions, closed_until, until, total=total, places=places)
    for (number, price_key), samples in traffic.items():
        total = before.get((number, "traffic"), Decimal(0))
        hour = closed_until
        while hour < until:
            charge = charge_traffic(samples, price_key, versions, hour, total, places=places)
            total, hour = charge.after, hour + HOUR
            found[number].append(charge)
    return found


def _hours(
    segments: Sequence[Usage], versions: Sequence[PriceVersion], start: dt.datetime, until: dt.datetime,
    *, total: Decimal, places: int,
) -> list[HourCharge]:  # fmt: skip
    charges = []
    while start < until:
        charge = charge_hour(segments, versions, start, total, until=until, places=places)
        total, start = charge.after, start + HOUR
        charges.append(charge)
    return charges


def _before(
    charged: Sequence[tuple[int, str]], closed_until: dt.datetime, zone: ZoneInfo
) -> dict[tuple[int, str], Decimal]:
    """The month's exact total at the horizon, of these machines' components: others' last charge may be far back."""
    rows = db.rows(
        """
        SELECT used.instance_id, used.component, last.month_exact
        FROM (SELECT account_id, instance_id, component, date_trunc('hour', min(started_at)) AS since
              FROM metering_segment
              WHERE (instance_id, component) IN (SELECT * FROM unnest(%(ids)s::bigint[], %(components)s::text[]))
              GROUP BY 1, 2, 3) AS used
        CROSS JOIN LATERAL (
          SELECT month_exact FROM bills_charge c
          WHERE c.account_id = used.account_id AND c.instance_id = used.instance_id AND c.component = used.component
            AND c.hour >= greatest(%(month)s, used.since) AND c.hour < %(end)s
          ORDER BY c.hour DESC, c.revision DESC LIMIT 1) AS last
        """,
        ids=[number for number, _ in charged], components=[component for _, component in charged],
        month=clock.month_start(closed_until, zone), end=closed_until,
    )  # fmt: skip
    return {(row["instance_id"], row["component"]): row["month_exact"] for row in rows}


def open_hours_minor(instance_id: int, until: dt.datetime) -> int:
    """What the machine's open hours have cost up to ``until`` and is not yet deducted, in minor units."""
    return sum(charge.deducted_minor for charge in open_hours([instance_id], until)[instance_id])
