"""What the purchase page shows beside the price: the other billing mode, break-even points, what a return gives.

Nothing here is charged; everything is computed by the rules that charge.
"""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from zoneinfo import ZoneInfo

from vmart.kernel.clock import add_months
from vmart.kernel.errors import Refused
from vmart.kernel.money import CONTEXT, exponent, half_up, to_minor
from vmart.pricing.book import PriceBook
from vmart.pricing.configuration import (
    BANDWIDTH_POSTPAID_BY_HOUR,
    BANDWIDTH_PREPAID,
    POSTPAID_BY_HOUR,
    PREPAID,
    Configuration,
)
from vmart.pricing.quote import MONTH, Quote, quote, returnables
from vmart.pricing.rules import HOUR_S, Returnable, postpaid_price, progressive, return_refund, used_value, whole_months

MONTH_HOURS = 730  # 365 × 24 / 12
_PREVIEW_DAYS = 3
_PREVIEW_MONTHS = (1, 3, 6, 12, 24, 36, 48)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One machine of a configuration in both billing modes, traffic left out; None: that mode cannot be had.

    ``break_even_hours``: hours of use in a month from which the prepaid month (at the chosen term, else one
    month) costs no more. ``break_even_gib``: GiB a month from which by-bandwidth costs no more than traffic.
    """

    hourly: Decimal | None
    postpaid_month_minor: int | None
    prepaid_month_minor: int | None
    break_even_hours: int | None
    break_even_gib: int | None


@dataclass(frozen=True, slots=True)
class ReturnPreview:
    """What the return of one machine at ``at`` gives; ``free_minor`` if it is the account's free return."""

    days: int
    months: int
    at: dt.datetime
    refund_minor: int
    free_minor: int | None


def as_postpaid(configuration: Configuration) -> Configuration:
    """The same machine, postpaid; monthly bandwidth becomes hourly."""
    mode = configuration.internet_charge_type.replace(BANDWIDTH_PREPAID, BANDWIDTH_POSTPAID_BY_HOUR)
    return dataclasses.replace(
        configuration, charge_type=POSTPAID_BY_HOUR, period_months=None, internet_charge_type=mode
    )


def as_prepaid(configuration: Configuration, months: int = 1) -> Configuration:
    """The same machine, prepaid for ``months``; hourly bandwidth becomes monthly."""
    mode = configuration.internet_charge_type.replace(BANDWIDTH_POSTPAID_BY_HOUR, BANDWIDTH_PREPAID)
    return dataclasses.replace(configuration, charge_type=PREPAID, period_months=months, internet_charge_type=mode)


def compare(book: PriceBook, configuration: Configuration) -> Comparison:
    """Both modes side by side. Raises the refusal of the configuration itself, if it has one."""
    quote(book, configuration)
    places = exponent(book.currency)
    months = configuration.period_months or 1
    prepaid = _quote_or_none(book, as_prepaid(configuration, months))
    postpaid = _quote_or_none(book, as_postpaid(configuration))
    month = break_even = None
    components = returnables(book, as_postpaid(configuration)) if postpaid else ()
    with localcontext(CONTEXT):
        if prepaid:
            month = sum((line.amount for line in prepaid.lines if line.unit == MONTH), Decimal(0)) / months
        if month is not None and postpaid:
            break_even = _hours_until(components, month)
    return Comparison(
        postpaid.hourly if postpaid else None,
        to_minor(_cost(components, MONTH_HOURS), places) if postpaid else None,
        None if month is None else to_minor(month, places),
        break_even,
        _break_even_gib(book, configuration),
    )


def preview_returns(
    book: PriceBook, quoted: Quote, starts_at: dt.datetime, zone: ZoneInfo, free_days: int
) -> tuple[ReturnPreview, ...]:
    """What returning one machine of a prepaid quote gives after 3 days and after some whole months, paid in cash.

    ``free_days``: within so many the account's free return gives everything back.
    """
    term = quoted.configuration.period_months
    if term is None:
        return ()
    components = returnables(book, quoted.configuration)
    instants = [(_PREVIEW_DAYS, 0, starts_at + dt.timedelta(days=_PREVIEW_DAYS))]
    instants += [(0, months, add_months(starts_at, months, zone)) for months in _PREVIEW_MONTHS if months < term]
    previews = []
    for days, months, at in instants:
        used = used_value(components, *whole_months(starts_at, at, zone))
        refund = return_refund(used, quoted.machine_minor, 0, first_free=False, places=exponent(quoted.currency))
        free_minor = quoted.machine_minor if 0 < days <= free_days else None
        previews.append(ReturnPreview(days, months, at, refund.refund_minor, free_minor))
    return tuple(previews)


def _quote_or_none(book: PriceBook, configuration: Configuration) -> Quote | None:
    try:
        return quote(book, configuration)
    except Refused:
        return None


def _cost(components: tuple[Returnable, ...], hours: int) -> Decimal:
    """A new postpaid machine's cost of its first ``hours``."""
    with localcontext(CONTEXT):
        return sum((postpaid_price(c.hourly, hours * HOUR_S, c.tiers) for c in components), Decimal(0))


def _hours_until(components: tuple[Returnable, ...], amount: Decimal) -> int | None:
    """The first whole hour at which the cost reaches ``amount``; None if it does not within a year."""
    low, high = 0, 12 * MONTH_HOURS
    if _cost(components, high) < amount:
        return None
    while low < high:
        middle = (low + high) // 2
        if _cost(components, middle) >= amount:
            high = middle
        else:
            low = middle + 1
    return low


def _break_even_gib(book: PriceBook, configuration: Configuration) -> int | None:
    prices = book.regions[configuration.region]
    if not configuration.public_ip or not prices.traffic_gib:
        return None
    mbps = configuration.bandwidth_mbps
    with localcontext(CONTEXT):
        if configuration.charge_type == PREPAID:
            month = progressive(mbps, prices.bandwidth.month)
            months = configuration.period_months or 1
            month = half_up(month * prices.bandwidth.discount(months), 8)
        else:
            month = progressive(mbps, prices.bandwidth.hour) * MONTH_HOURS
        return int((month / prices.traffic_gib).to_integral_value(ROUND_CEILING))
