"""What is prepaid and becomes smaller for the rest of its term: a machine, or the bandwidth of an address.

What is paid for it is worth something now, as of an ordinary return. Of that the smaller one is paid for until the
expiry, and the rest comes back. Both are reckoned at the request, and moved when it is in force (billing-rules,
section 3, Downgrade).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db.models import Count

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.codec import Codec
from vmart.kernel.errors import LimitExceeded
from vmart.ledger.queries import balance
from vmart.orders import agreed, lowering, numbers, paid, return_prepaid, windows
from vmart.orders.agreed import New
from vmart.orders.errors import InArrears
from vmart.orders.models import Line
from vmart.orders.return_prepaid import RefundQuote
from vmart.orders.things import Thing, named_in
from vmart.pricing import books, downgrade, upgrade
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.priced import DOWNGRADE_ORDER, Priced, PricedLine, Term

MOST = 5  # of a thing (billing-rules, section 3)
_OWED = "What comes back would go to what the account owes. Top up to zero or more, then {id} can become smaller."


@dataclass(frozen=True, slots=True)
class Downgrade:
    """``refund``: what the thing's terms are worth now. ``priced``: what of it pays for the smaller one."""

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
    windows.refuse_open([machine])
    lowering.refuse_waiting([machine])
    (decided,) = _reckoned([machine], [new], [return_prepaid.months_left(machine, clock.now())])
    return decided


def of_bandwidth(things: Sequence[Thing], news: Sequence[New]) -> list[Downgrade]:
    """The same of less bandwidth of what has nothing else, by the months of an upgrade; of each of an account's."""
    return _reckoned(things, news, [_whole_months_left(thing) for thing in things]) if things else []


def _whole_months_left(thing: Thing) -> Decimal:
    expires_at = thing.subscription.expires_at
    assert expires_at is not None
    days = upgrade.days_left(clock.now(), expires_at, shop.snapshot().billing_zone)
    return upgrade.months_of(days, rounded=True)


def _reckoned(things: Sequence[Thing], news: Sequence[New], months: Sequence[Decimal]) -> list[Downgrade]:
    _refuse_too_many(things)
    refunds, had = return_prepaid.ordinary(things, clock.now()), agreed.had_all(news)
    ahead, left = agreed.paid_ahead([thing.id for thing in things]), balance(things[0].account_id).available_minor
    found = []
    for number, (thing, refund) in enumerate(zip(things, refunds, strict=True)):
        terms = (news[number].term, *(term for term in ahead[thing.id] if term != had[number]))
        priced = _priced(thing, terms, had[number], refund.refund_minor, months[number])
        left += refund.refund_minor - priced.due_minor
        if left < 0:
            raise InArrears(_OWED, field=named_in(thing), id=thing.public_id)
        found.append(Downgrade(refund, priced))
    return found


def _refuse_too_many(things: Sequence[Thing]) -> None:
    lines = Line.objects.filter(subscription_id__in=[thing.id for thing in things], order__action=DOWNGRADE_ORDER)
    became = dict(lines.values_list("subscription_id").annotate(Count("id")))
    for thing in things:
        if became.get(thing.id, 0) >= MOST:
            raise LimitExceeded(
                "{id} became smaller {most} times, which is the most of what is prepaid.",
                field=named_in(thing), id=thing.public_id, most=MOST,
            )  # fmt: skip


def _priced(thing: Thing, terms: tuple[Term, ...], had: Term, worth_minor: int, months: Decimal) -> Priced:
    """The smaller one until the expiry: for its price, or for all that the larger one is worth."""
    here, now = shop.snapshot(), clock.now()
    book, expires_at, anchor_at = (
        books.own_book(thing.account_id, here.generation), thing.subscription.expires_at, thing.subscription.anchor_at,
    )  # fmt: skip
    assert expires_at is not None and anchor_at is not None
    listed, price = downgrade.price_minor(book, terms, months)
    network_listed, network = downgrade.price_minor(book, [term for term in terms if term[0] == BANDWIDTH], months)
    days = upgrade.days_left(now, expires_at, here.billing_zone)
    line = PricedLine(
        thing.public_id,
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
    return Priced.by(book, DOWNGRADE_ORDER, [line])


def carry_out(things: Sequence[Thing], decided: Sequence[Downgrade]) -> None:
    """They are smaller now: their terms are given back, the new ones are paid by one order. Belongs into the act.

    Raises InsufficientBalance where what the account owes took what came back.
    """
    if not things:
        return
    return_prepaid.credit_worth(things, [one.refund for one in decided])
    priced = replace(decided[0].priced, lines=tuple(line for one in decided for line in one.priced.lines))
    order = paid.order_of(numbers.order(), things[0].account_id, priced, {})
    paid.take(priced, {thing.public_id: thing.subscription for thing in things}, order)
