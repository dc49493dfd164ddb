"""A prepaid machine that becomes smaller for the rest of its term (billing-rules, section 3, Downgrade).

What is paid for the machine is worth something now, as of an ordinary return. Of that the smaller machine is paid for
until the expiry, and the rest comes back. Both are reckoned at the request, and moved when the type is in force.
"""

from dataclasses import dataclass
from typing import Any

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.codec import Codec
from vmart.kernel.errors import LimitExceeded
from vmart.orders import agreed, lowering, numbers, paid, return_prepaid, windows
from vmart.orders.agreed import New
from vmart.orders.models import Line
from vmart.orders.return_prepaid import RefundQuote
from vmart.pricing import books, downgrade, upgrade
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.priced import DOWNGRADE_ORDER, Priced, PricedLine

MOST = 5  # of a machine (billing-rules, section 3)


@dataclass(frozen=True, slots=True)
class Downgrade:
    """``refund``: what the machine's terms are worth now. ``priced``: what of it pays for the smaller machine."""

    refund: RefundQuote
    priced: Priced

    @property
    def back_minor(self) -> int:
        """What comes back in the end."""
        return self.refund.refund_minor - self.priced.due_minor

    def plain(self) -> dict[str, Any]:
        """Plain JSON values; ``of`` gives it back."""
        return _CODEC.plain(self)


_CODEC = Codec(Downgrade)
of = _CODEC.of


def reckoned(machine: Instance, new: New) -> Downgrade:
    """What it would come to now. Raises LimitExceeded, and WrongState where the term is over."""
    _refuse_too_many(machine)
    windows.refuse_open([machine])
    lowering.refuse_waiting([machine])
    refund = return_prepaid.ordinary(machine, clock.now())
    return Downgrade(refund, _priced(machine, new, refund.refund_minor))


def _refuse_too_many(machine: Instance) -> None:
    lines = Line.objects.filter(subscription_id=machine.id, order__action=DOWNGRADE_ORDER)
    if lines.count() >= MOST:
        raise LimitExceeded(
            "{id} became smaller {most} times, which is the most for a prepaid machine.",
            field="machines", id=machine.public_id, most=MOST,
        )  # fmt: skip


def _priced(machine: Instance, new: New, worth_minor: int) -> Priced:
    """The smaller machine until the expiry: for its price, or for all that the larger one is worth."""
    here, now = shop.snapshot(), clock.now()
    book, expires_at, anchor_at = (
        books.current_book(here.generation), machine.subscription.expires_at, machine.subscription.anchor_at,
    )  # fmt: skip
    assert expires_at is not None and anchor_at is not None
    had = agreed.had(new)
    terms = (new.term, *(term for term in agreed.paid_ahead([machine.id])[machine.id] if term != had))
    months = return_prepaid.months_left(machine, now)
    listed, price = downgrade.price_minor(book, terms, months)
    network_listed, network = downgrade.price_minor(book, [term for term in terms if term[0] == BANDWIDTH], months)
    days = upgrade.days_left(now, expires_at, here.billing_zone)
    line = PricedLine(
        machine.public_id,
        listed,
        min(price, worth_minor),
        network_listed,
        min(network, worth_minor),
        0,
        days,
        anchor_at,
        now,
        expires_at,
        terms,
        (had,),
    )
    return Priced(DOWNGRADE_ORDER, book.version, book.currency, (line,))


def carry_out(machine: Instance, decided: Downgrade) -> None:
    """It is smaller now: its terms are given back, the new one is paid. Belongs into the act.

    Raises InsufficientBalance where what the account owes took what came back.
    """
    return_prepaid.credit_worth(machine, decided.refund)
    order = paid.order_of(numbers.order(), machine.account_id, decided.priced, {})
    paid.take(decided.priced, {machine.public_id: machine.subscription}, order)
