"""What an act on bought things would cost, as a pure value: the act charges exactly it."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from vmart.pricing.errors import ForeignQuote


@dataclass(frozen=True, slots=True)
class PricedLine:
    """The part of one bundle, in minor units: it pays for ``months`` and ``days`` in [``period_from``, ``period_to``).

    ``network_minor`` is the part of it for bandwidth; ``anchor_at`` is where its terms count from then on.
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

    def plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            name: value.isoformat() if isinstance(value := getattr(self, name), dt.datetime) else value
            for name in self.__slots__
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "PricedLine":
        """The line out of ``plain()``."""
        instants = {name: dt.datetime.fromisoformat(plain[name]) for name in ("anchor_at", "period_from", "period_to")}
        return cls(**(plain | instants))


@dataclass(frozen=True, slots=True)
class Priced:
    """What ``action`` costs by version ``book_version`` of the price book, bundle by bundle."""

    action: str
    book_version: int
    currency: str
    lines: tuple[PricedLine, ...]

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
        return {
            "action": self.action, "book_version": self.book_version, "currency": self.currency,
            "lines": [line.plain() for line in self.lines],
        }  # fmt: skip

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Priced":
        """The price out of ``plain()``. Raises ForeignQuote where it is none."""
        try:
            return cls(**(plain | {"lines": tuple(PricedLine.of(line) for line in plain["lines"])}))
        except (KeyError, TypeError, ValueError) as error:
            raise ForeignQuote("This price cannot be read; ask for a new one.") from error
