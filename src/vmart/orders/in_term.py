"""More of something for the rest of a prepaid term: what it costs until the expiry (billing-rules, section 3)."""

from collections.abc import Sequence

from vmart.catalog import shop
from vmart.kernel import clock
from vmart.kernel.errors import InvalidParameter
from vmart.orders import agreed
from vmart.orders.agreed import New
from vmart.orders.things import Thing, named_in
from vmart.pricing import books, upgrade
from vmart.pricing.book import BANDWIDTH, PriceBook
from vmart.pricing.priced import Priced, PricedLine, Term


def priced(action: str, things: Sequence[Thing], news: Sequence[New]) -> Priced:
    """What each thing's new term, in the place of the one that it has of the component, costs now."""
    book = books.own_book(things[0].account_id if things else None, shop.snapshot().generation)
    lines = (_line(book, *one) for one in zip(things, news, agreed.had_all(news), strict=True))
    return Priced.by(book, action, lines)


def _line(book: PriceBook, thing: Thing, new: New, had: Term) -> PricedLine:
    here, now = shop.snapshot(), clock.now()
    anchor_at, expires_at = thing.subscription.anchor_at, thing.subscription.expires_at
    assert anchor_at is not None and expires_at is not None
    term = new.term
    days = upgrade.days_left(now, expires_at, here.billing_zone)
    listed, amount = upgrade.price_minor(book, [(had, term)], days)
    network = (listed, amount) if term[0] == BANDWIDTH else (0, 0)
    return PricedLine(thing.public_id, listed, amount, *network, 0, days, anchor_at, now, expires_at, (term,), (had,))


def still_so(things: Sequence[Thing], due: Priced, news: Sequence[New]) -> None:
    """Raise InvalidParameter for a price of other terms, or of a thing as it was before another change."""
    lines = {line.public_id: line for line in due.lines}
    for thing, new, had in zip(things, news, agreed.had_all(news), strict=True):
        line = lines[thing.public_id]
        now = (thing.subscription.expires_at, (new.term,), (had,))
        if (line.period_to, line.terms, line.had) != now:
            raise InvalidParameter(
                "{id} was changed meanwhile; ask for its price again.", field=named_in(thing), id=thing.public_id
            )
