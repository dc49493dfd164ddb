"""The quote: what a configuration costs, line by line, as a pure value that the order charges exactly.

Lines are exact; a machine's price and its hold are rounded once, half-up to the minor unit; the total is
that × count (billing-rules, section 1).
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from vmart.kernel.codec import Codec
from vmart.kernel.money import CONTEXT, exponent, half_up, to_minor
from vmart.pricing.book import PriceBook, RegionPrices
from vmart.pricing.check import check
from vmart.pricing.configuration import (
    BANDWIDTH_POSTPAID_BY_HOUR,
    BANDWIDTH_PREPAID,
    POSTPAID_BY_HOUR,
    PREPAID,
    SPOTPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
    Configuration,
    DiskChoice,
    default_internet_charge_type,
)
from vmart.pricing.errors import ForeignQuote
from vmart.pricing.line import GIB, HOUR, MONTH, Line, PriceTier, Traffic, Unit, returnable
from vmart.pricing.parts import parts
from vmart.pricing.rules import Returnable

__all__ = [
    "BANDWIDTH_POSTPAID_BY_HOUR",
    "BANDWIDTH_PREPAID",
    "GIB",
    "HOUR",
    "MONTH",
    "POSTPAID_BY_HOUR",
    "PREPAID",
    "SPOTPAID",
    "TRAFFIC_POSTPAID_BY_HOUR",
    "Configuration",
    "DiskChoice",
    "Line",
    "PriceTier",
    "Quote",
    "Subtotal",
    "agreed_returnables",
    "default_internet_charge_type",
    "quote",
    "returnables",
]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Subtotal:
    """Price of a group of lines for all machines: prepaid in minor units, postpaid by the hour, exact."""

    list_minor: int
    amount_minor: int
    per_hour: Decimal
    discount_percent: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What ``configuration`` costs by version ``book_version`` of the price book, at ``factor`` of its list prices.

    List prices are those × the factor: an account with a discount has prices of its own.
    """

    book_version: int
    currency: str
    configuration: Configuration
    lines: tuple[Line, ...]
    list_machine_minor: int
    machine_minor: int
    hold_machine_minor: int
    factor: Decimal = Decimal(1)

    @property
    def due_minor(self) -> int:
        """To be paid now for all machines; 0 for postpaid ones."""
        return self.machine_minor * self.configuration.count

    @property
    def list_minor(self) -> int:
        """As ``due_minor``, before discounts."""
        return self.list_machine_minor * self.configuration.count

    @property
    def hold_minor(self) -> int:
        """To be held now for all machines: one hour of what has a fixed hourly price; 0 for prepaid ones."""
        return self.hold_machine_minor * self.configuration.count

    @property
    def hourly(self) -> Decimal:
        """Fixed price of one machine an hour at tier 1, exact; 0 for a prepaid one."""
        return _sum(line.amount for line in self.lines if line.unit == HOUR)

    @property
    def traffic_per_gib(self) -> Decimal | None:
        """Price of 2^30 outbound bytes, None where traffic is not charged."""
        return next((line.amount for line in self.lines if line.unit == GIB), None)

    def hourly_steps(self) -> tuple[PriceTier, ...]:
        """Hourly price of one machine without its network, at each tier of age; one step where age is no matter."""
        lines = [line for line in self.lines if line.unit == HOUR and line.component != "bandwidth"]
        tiered = next((line for line in lines if line.tiers), None)
        flat = _sum(line.amount for line in lines if line is not tiered)
        if tiered is None:
            return (PriceTier(0, None, flat),)
        return tuple(PriceTier(tier.from_s, tier.to_s, flat + tier.amount) for tier in tiered.tiers)

    def instance_part(self) -> Subtotal:
        """CPU, memory and disks of all machines (InquiryPrice's InstancePrice)."""
        return self._part([line for line in self.lines if line.component not in ("bandwidth", "traffic")])

    def bandwidth_part(self) -> Subtotal:
        """By-bandwidth network of all machines; with ``instance_part`` it adds up to the total."""
        whole, instance = self._part(self.lines), self.instance_part()
        part = self._part([line for line in self.lines if line.component == "bandwidth"])
        return Subtotal(
            whole.list_minor - instance.list_minor,
            whole.amount_minor - instance.amount_minor,
            part.per_hour,
            part.discount_percent,
        )

    def _part(self, lines: Iterable[Line]) -> Subtotal:
        lines = list(lines)
        places, count = exponent(self.currency), self.configuration.count
        listed = _sum(line.list_amount for line in lines if line.unit == MONTH)
        amount = _sum(line.amount for line in lines if line.unit == MONTH)
        with localcontext(CONTEXT):
            percent = half_up(amount / listed * 100) if listed else Decimal(100)
        per_hour = _sum(line.amount for line in lines if line.unit == HOUR) * count
        return Subtotal(to_minor(listed, places) * count, to_minor(amount, places) * count, per_hour, percent)

    def plain(self) -> dict[str, Any]:
        """Plain JSON values, amounts as text."""
        return _CODEC.plain(self)

    @classmethod
    def of(cls, plain: object) -> "Quote":
        """The quote out of ``plain()``. Raises ForeignQuote where it is none."""
        try:
            return _CODEC.of(plain)
        except ValueError as error:
            raise ForeignQuote("This quote cannot be read; ask for a new one.") from error


_CODEC = Codec(Quote)


def quote(book: PriceBook, configuration: Configuration) -> Quote:
    """What ``configuration`` costs by ``book``, or the refusal (``pricing.errors``) that names the field."""
    prices = check(book, configuration)
    with localcontext(CONTEXT):
        lines = tuple(unit.line(configuration.period_months) for unit in _units(prices, configuration))
    return Quote(
        book.version,
        book.currency,
        configuration,
        lines,
        to_minor(_sum(line.list_amount for line in lines if line.unit == MONTH), exponent(book.currency)),
        to_minor(_sum(line.amount for line in lines if line.unit == MONTH), exponent(book.currency)),
        to_minor(_sum(line.amount for line in lines if line.unit == HOUR), exponent(book.currency)),
        book.factor,
    )


def returnables(book: PriceBook, configuration: Configuration) -> tuple[Returnable, ...]:
    """What the used value of a configuration is counted from, by a price book."""
    prices = check(book, configuration)
    with localcontext(CONTEXT):
        found = [unit.returnable() for unit in _units(prices, configuration)]
    return tuple(each for each in found if each is not None)


def agreed_returnables(book: PriceBook, terms: Iterable[tuple[str, str, int]]) -> tuple[Returnable, ...]:
    """The same of what was agreed: (component, price key, quantity) each, by the order's own price book."""
    with localcontext(CONTEXT):
        return tuple(returnable(component, book.units[key], quantity) for component, key, quantity in terms)


def _units(prices: RegionPrices, configuration: Configuration) -> Iterable[Unit | Traffic]:
    return itertools.chain.from_iterable(part.units(prices) for part in parts(configuration))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext(CONTEXT):
        return sum(amounts, _ZERO)
