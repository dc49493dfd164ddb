"""What a quote is made of: units of what has a price, and the lines that they become for a term or by the hour."""

from dataclasses import dataclass
from decimal import Decimal

from vmart.pricing.book import UnitPrice
from vmart.pricing.rules import FLAT, Returnable, prepaid_price, progressive

MONTH, HOUR, GIB = "month", "hour", "gib"
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Hourly price of a line at an age in [``from_s``, ``to_s``) of the tier clock."""

    from_s: int
    to_s: int | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One component of one machine, in currency units, exact.

    ``component``: cpu, system_disk, data_disk (numbered from 1), bandwidth, traffic. ``unit`` says what
    ``list_amount`` and ``amount`` (list × discount) are: the whole term (month), an hour at tier 1 (hour) or
    one GiB of traffic (gib). ``tiers`` is empty where age does not matter. ``quantity``: 1, GiB, Mbps; for
    traffic the cap in Mbps, which costs nothing.
    """

    component: str
    number: int
    price_key: str
    quantity: int
    unit: str
    list_amount: Decimal
    discount: Decimal
    amount: Decimal
    tiers: tuple[PriceTier, ...] = ()

    @property
    def disk(self) -> int | None:
        """Of a disk's line, the disk's position: 0 is the system disk."""
        return self.number if self.component in ("system_disk", "data_disk") else None


@dataclass(frozen=True, slots=True)
class Unit:
    """So much of something with a fixed price, by the month or the hour."""

    component: str
    number: int
    price: UnitPrice
    quantity: int

    def line(self, months: int | None) -> Line:
        """Its line for a term of ``months``; None: by the hour."""
        return self._by_hour() if months is None else self._for_term(months)

    def returnable(self) -> Returnable:
        """What the used value of it is counted from."""
        return returnable(self.component, self.price, self.quantity)

    def _for_term(self, months: int) -> Line:
        listed, discount = progressive(self.quantity, self.price.month) * months, self.price.discount(months)
        amount = prepaid_price(listed, 1, discount)
        return Line(
            self.component, self.number, self.price.price_key, self.quantity, MONTH, listed, discount, amount
        )  # fmt: skip

    def _by_hour(self) -> Line:
        rate = progressive(self.quantity, self.price.hour)
        tiers: tuple[PriceTier, ...] = ()
        if self.price.tiers != FLAT:
            tiers = tuple(PriceTier(tier.from_s, tier.to_s, rate * tier.factor) for tier in self.price.tiers)
        amount = tiers[0].amount if tiers else rate
        return Line(
            self.component, self.number, self.price.price_key, self.quantity, HOUR, rate, _ONE, amount, tiers
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traffic:
    """Traffic up to a cap in Mbps: paid by the GiB as it comes, in every mode, and never returned."""

    price_key: str
    price: Decimal
    cap_mbps: int

    def line(self, months: int | None) -> Line:
        """The same whatever the term."""
        return Line("traffic", 0, self.price_key, self.cap_mbps, GIB, self.price, _ONE, self.price)

    def returnable(self) -> None:
        """Nothing was paid ahead."""


def returnable(component: str, price: UnitPrice, quantity: int) -> Returnable:
    """What the used value of so much of it is counted from."""
    month, hour = progressive(quantity, price.month), progressive(quantity, price.hour)
    return Returnable(component, month, hour, price.tiers, price.terms)
