"""What machines have cost in the hours that are not charged yet: the hour's rule, up to now."""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import partial

from django.db.models import Max

from vmart.bills.models import Carry
from vmart.catalog import shop
from vmart.customers import discounts
from vmart.kernel import clock
from vmart.kernel.clock import HOUR
from vmart.kernel.money import CONTEXT, exponent
from vmart.metering.models import Sample, Segment
from vmart.pricing import books
from vmart.pricing.hour import (
    ByteSample,
    HourCharge,
    PriceMissingError,
    charge_hour,
    charge_traffic,
    discounted,
    price_version,
)
from vmart.pricing.hour import Segment as Usage
from vmart.pricing.models import Book
from vmart.subscriptions.models import Subscription

_Charge = Callable[[dt.datetime], HourCharge]  # of an hour, at list prices
_Part = Callable[[dt.datetime], Decimal]  # what part of them is paid in an hour
_BEFORE_ALL = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def open_hours(account_id: int, bundles: Sequence[int], until: dt.datetime) -> dict[int, list[HourCharge]]:
    """Charges by bundle of the hours that are not charged yet, up to ``until``, as the close would make them then.

    Exact under the account lock, also while a close is under way and for an account whose closes fail.
    Raises PriceMissingError for usage without a price, on which the close of the account waits too.
    """
    found: dict[int, list[HourCharge]] = {number: [] for number in bundles}
    bundle_of = dict(Subscription.objects.filter(bundle_id__in=bundles).values_list("id", "bundle_id"))
    since = _charged_until(account_id)
    versions = [
        price_version(books.book_of(row))
        for row in Book.objects.filter(effective_at__lt=until).exclude(ends_at__lte=since)
    ]
    part = discounts.by_hour(account_id)
    for (number, _), segments in _usage(list(bundle_of), since).items():
        first = max(since, min(segment.start for segment in segments))
        found[bundle_of[number]] += _hours(partial(charge_hour, segments, versions, until=until), part, first, until)
    for (number, price_key), samples in _traffic(list(bundle_of), since, until).items():
        first = min(sample.taken_at for sample in samples)
        found[bundle_of[number]] += _hours(partial(charge_traffic, samples, price_key, versions), part, first, until)
    return found


def open_exact(account_id: int, bundle: int) -> Decimal | None:
    """The sum of ``open_hours`` of a bundle until now; None while a price is missing (the seller's to mend)."""
    try:
        found = open_hours(account_id, [bundle], clock.now())[bundle]
    except PriceMissingError:
        return None
    return sum((charge.exact for charge in found), Decimal(0))


def _hours(charge: _Charge, part: _Part, first: dt.datetime, until: dt.datetime) -> list[HourCharge]:
    start = clock.hour_start(first)
    hours = [start + number * HOUR for number in range(max(0, -((start - until) // HOUR)))]
    return [discounted(charge(hour), part(hour)) for hour in hours]


def _charged_until(account_id: int) -> dt.datetime:
    """The end of the last hour in which the account was charged for anything.

    Its hours are closed in order, each in one commit: what it has used since is not deducted yet, whether the
    horizon has passed it or not.
    """
    last = Carry.objects.filter(account_id=account_id).aggregate(at=Max("closed_through"))["at"]
    return last + HOUR if last else _BEFORE_ALL


def _usage(numbers: Sequence[int], charged_until: dt.datetime) -> dict[tuple[int, str], list[Usage]]:
    usage: dict[tuple[int, str], list[Usage]] = {}
    for segment in Segment.objects.filter(subscription_id__in=numbers).exclude(ended_at__lte=charged_until):
        if segment.component != "traffic":
            usage.setdefault((segment.subscription_id, segment.component), []).append(
                Usage(segment.started_at, segment.ended_at, segment.quantity, segment.price_key, segment.age_s)
            )
    return usage


def _traffic(
    numbers: Sequence[int], charged_until: dt.datetime, until: dt.datetime
) -> dict[tuple[int, str], list[ByteSample]]:
    traffic: dict[tuple[int, str], list[ByteSample]] = {}
    for sample in Sample.objects.filter(subscription_id__in=numbers, at__gte=charged_until, at__lt=until):
        traffic.setdefault((sample.subscription_id, sample.price_key), []).append(
            ByteSample(sample.at, sample.out_bytes)
        )
    return traffic


def open_hours_minor(account_id: int, bundles: Sequence[int], until: dt.datetime) -> dict[int, int | None]:
    """What each bundle's open hours have cost up to ``until``, rounded up to the minor unit.

    None when there is no saying: a price is missing, and the account's close waits for the seller.
    """
    try:
        found = open_hours(account_id, bundles, until)
    except PriceMissingError:
        return dict.fromkeys(bundles)
    places = exponent(shop.snapshot().currency)
    return {number: _rounded_up(charges, places) for number, charges in found.items()}


def _rounded_up(charges: Sequence[HourCharge], places: int) -> int:
    with localcontext(CONTEXT):
        exact = sum((charge.exact for charge in charges), Decimal(0))
        return int(exact.scaleb(places).to_integral_value(ROUND_CEILING))
