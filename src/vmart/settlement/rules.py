"""How one deduction is covered: pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paid:
    """How the deduction for one charge was covered, in minor units."""

    resource: int
    component: str
    gift_minor: int
    cash_minor: int
    owed_minor: int


def distribute(charges: Iterable[tuple[int, str, int]], gift_minor: int, cash_minor: int) -> list[Paid]:
    """Allot one deduction over (resource, component, minor) charges: gift, then cash, the rest is owed.

    Charges are served in the order of resource and component (code points, SQL: COLLATE "C").
    """
    gift, cash = max(0, gift_minor), max(0, cash_minor)
    paid = []
    for resource, component, amount in sorted(charges):
        if amount < 0:
            raise ValueError("a deduction is not negative")
        from_gift = min(gift, amount)
        from_cash = min(cash, amount - from_gift)
        gift -= from_gift
        cash -= from_cash
        paid.append(Paid(resource, component, from_gift, from_cash, amount - from_gift - from_cash))
    return paid
