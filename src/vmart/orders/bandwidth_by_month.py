"""Bandwidth that is paid by the month: more of it for the rest of the term (billing-rules, sections 2 and 3).

It is ordered: its price is set aside at the order and taken when the speed is in force. Less of it is had at no time
of a term.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.errors import InvalidParameter
from vmart.orders import agreed
from vmart.pricing import books, upgrade
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.priced import BANDWIDTH_ORDER, Priced, PricedLine, Term


@dataclass(frozen=True, slots=True)
class Upgrade:
    """``mbps`` of each of these machines in place of what they have."""

    public_ids: Sequence[str]
    mbps: int


def priced(machines: Sequence[Instance], asked: Upgrade) -> Priced:
    """What the speed costs until the expiry, now."""
    book = books.current_book(shop.snapshot().generation)
    lines = tuple(_line(machine, asked.mbps) for machine in machines)
    return Priced(BANDWIDTH_ORDER, book.version, book.currency, lines)


def _line(machine: Instance, mbps: int) -> PricedLine:
    here, now = shop.snapshot(), clock.now()
    anchor_at, expires_at = machine.subscription.anchor_at, machine.subscription.expires_at
    assert anchor_at is not None and expires_at is not None
    component, key, had = _term(machine)
    days = upgrade.days_left(now, expires_at, here.billing_zone)
    change = (component, key, had), (component, key, mbps)
    listed, amount = upgrade.price_minor(books.current_book(here.generation), [change], days)
    return PricedLine(
        machine.public_id, listed, amount, listed, amount, 0, days, anchor_at, now, expires_at, change[1:], change[:1]
    )


def _term(machine: Instance) -> Term:
    item = agreed.item(machine.id, BANDWIDTH)
    return item.component, item.price_key, item.quantity


def still_so(machines: Sequence[Instance], due: Priced, asked: Upgrade) -> None:
    """Raise InvalidParameter for a price of another speed, or of a machine as it was before another change."""
    lines = {line.public_id: line for line in due.lines}
    for machine in machines:
        line = lines[machine.public_id]
        if [quantity for _, _, quantity in line.terms] != [asked.mbps]:
            raise InvalidParameter("The price is of another bandwidth; ask for it again.", field="bandwidth_mbps")
        if (line.period_to, line.had) != (machine.subscription.expires_at, (_term(machine),)):
            raise InvalidParameter(
                "{id} was changed meanwhile; ask for its price again.", field="machines", id=machine.public_id
            )
