"""What an act on bought things would cost, as a pure value: the act charges exactly it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vmart.kernel.codec import Codec
from vmart.pricing.book import PriceBook
from vmart.pricing.errors import ForeignQuote

Term = tuple[str, str, int]  # what is paid for by the month: component, price key, quantity

BANDWIDTH_ORDER, TYPE_ORDER, DISK_ORDER = "bandwidth", "type", "disk"  # actions of orders
WINDOW_ORDER = "window"  # more bandwidth for some days
CONVERSION_ORDER = "convert"  # pays for a first term of what was charged by the hour
# Of a disk with a life of its own: bought, renewed, made larger, paid ahead from now on.
OWN_DISK_PURCHASE, OWN_DISK_RENEWAL = "buy_disk", "renew_disk"
OWN_DISK_ORDER, OWN_DISK_CONVERSION = "grow_own_disk", "convert_disk"
# Of a public address with a life of its own whose bandwidth is paid by the month: bought, renewed, made faster,
# paid ahead from now on.
ADDRESS_CONVERSION = "convert_address"
ADDRESS_PURCHASE, ADDRESS_RENEWAL, ADDRESS_ORDER = "buy_address", "renew_address", "faster_address"
DOWNGRADE_ORDER = "downgrade"  # pays for a term: the rest of the one that it ends
# Orders for more of what is paid ahead already; any other pays for a term.
UPGRADES = frozenset({BANDWIDTH_ORDER, TYPE_ORDER, DISK_ORDER, WINDOW_ORDER, OWN_DISK_ORDER, ADDRESS_ORDER})
PURCHASES = frozenset({"purchase", OWN_DISK_PURCHASE, ADDRESS_PURCHASE})


@dataclass(frozen=True, slots=True)
class PricedLine:
    """The part of one bundle, in minor units: it pays for ``months`` and ``days`` in [``period_from``, ``period_to``).

    ``network_minor`` is the part of it for bandwidth; ``anchor_at`` is where its terms count from then on. ``terms`` is
    what it pays for; of an upgrade ``had`` is what it pays for in the place of.
    """

    public_id: str
    list_minor: int
    amount_minor: int
    network_list_minor: int
    network_minor: int
    months: int
    days: int
    anchor_at: dt.datetime
    period_from: dt.datetime
    period_to: dt.datetime
    terms: tuple[Term, ...] = ()
    had: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Priced:
    """What ``action`` costs by version ``book_version`` of the price book, bundle by bundle.

    ``factor`` is what part of list prices the account pays; ``list_minor`` is at it, too.
    """

    action: str
    book_version: int
    currency: str
    lines: tuple[PricedLine, ...]
    factor: Decimal = Decimal(1)

    @classmethod
    def by(cls, book: PriceBook, action: str, lines: Iterable[PricedLine]) -> "Priced":
        """What was reckoned by a book."""
        return cls(action, book.version, book.currency, tuple(lines), book.factor)

    @property
    def due_minor(self) -> int:
        """To be paid now."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def list_minor(self) -> int:
        """As ``due_minor``, before discounts."""
        return sum(line.list_minor for line in self.lines)

    def plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return _CODEC.plain(self)

    @classmethod
    def of(cls, plain: object) -> "Priced":
        """The price out of ``plain()``. Raises ForeignQuote where it is none."""
        try:
            return _CODEC.of(plain)
        except ValueError as error:
            raise ForeignQuote("This price cannot be read; ask for a new one.") from error


_CODEC = Codec(Priced)
