"""One hour of a bundle, set aside: what its open items ask at today's price (billing-rules, section 1).

What is charged is in the items; what it costs is in the price book of this moment, by which the close charges too.
Every hold of a postpaid bundle is made here, under the account lock, and numbered, so that each is made once.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from django.db import DatabaseError

from vmart.catalog import shop
from vmart.customers import discounts
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import Refused
from vmart.kernel.money import exponent, shown_minor
from vmart.pricing import books
from vmart.pricing.hour import price_version, rate_per_hour
from vmart.pricing.rules import hold_minor
from vmart.subscriptions.models import Item, Subscription


def hourly(bundles: Iterable[int], *, paused: bool = False) -> dict[int, Decimal | None]:
    """What each bundle costs an hour at tier 1, in currency units, exact; None where a part has no price any more.

    ``paused``: without what a stop without charge pauses.
    """
    bundles = list(bundles)
    rates = price_version(books.current_book(shop.snapshot().generation)).rates
    found: dict[int, Decimal | None] = dict.fromkeys(bundles, Decimal(0))
    items = Item.objects.filter(subscription__bundle_id__in=bundles, to_at=None, mode=Item.Mode.HOUR)
    if paused:
        items = items.filter(pausable=False)
    asked = list(items.values_list("subscription__bundle_id", "subscription__account_id", "price_key", "quantity"))
    part = discounts.factors({account for _, account, _, _ in asked})
    for bundle, account, key, quantity in asked:
        so_far = found[bundle]
        hour = rate_per_hour(rates[key], quantity) * part[account] if key in rates else None
        found[bundle] = None if so_far is None or hour is None else so_far + hour
    return found


def hour_minor(bundles: Iterable[int], *, paused: bool = False) -> dict[int, int | None]:
    """The same in minor units, half-up once: the holds."""
    places = exponent(shop.snapshot().currency)
    return {
        bundle: None if exact is None else hold_minor([exact], places)
        for bundle, exact in hourly(bundles, paused=paused).items()
    }


def take(subscriptions: Sequence[Subscription], amounts_minor: Sequence[int]) -> None:
    """Set these amounts aside for bundles of one account, in the place of what they hold.

    Belongs into ``or_refuse``: after a refusal of the database the transaction answers nothing.
    """
    if before := [old.hold_id for old in subscriptions if old.hold_id]:
        db.rows("SELECT fn.ledger_void(old.id, %s) FROM unnest(%s::uuid[]) AS old (id)", clock.now(), before)
    _renumber(subscriptions)
    db.call(
        "ledger_hold", subscriptions[0].account_id, "floating", [each.hold_id for each in subscriptions],
        list(amounts_minor), [each.id for each in subscriptions], clock.now(),
    )  # fmt: skip
    _keep(subscriptions)


@contextmanager
def or_refuse(refusal: Callable[[str, str], Refused]) -> Iterator[None]:
    """Where the balance is not enough, raise what ``refusal`` makes of the money available and of that needed."""
    currency = shop.snapshot().currency  # read before
    try:
        yield
    except DatabaseError as error:
        why = db.refusal(error)
        if why is None or why[0] != "insufficient_balance":
            raise
        available, needed = (shown_minor(int(value), currency) for value in why[1].split("|"))
        raise refusal(available, needed) from None


def shrink(subscriptions: Sequence[Subscription], wanted_minor: Sequence[int | None]) -> None:
    """Smaller holds in the place of those there: at most what was held, all of it where None. Never refused.

    Each has a hold.
    """
    before = [each.hold_id for each in subscriptions]
    assert None not in before
    _renumber(subscriptions)
    db.rows(
        "SELECT fn.ledger_shrink(line.hold, line.new, least(line.wanted, held.floating_minor), %s)"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[]) AS line (hold, new, wanted)"
        " JOIN ledger_hold held ON held.id = line.hold",
        clock.now(), before, [each.hold_id for each in subscriptions], list(wanted_minor),
    )  # fmt: skip
    _keep(subscriptions)


def next_id(subscription: Subscription) -> uuid.UUID:
    """The id of the bundle's next hold: its number goes up with each."""
    subscription.hold_number += 1
    return ids.transfer_id("hold", subscription.id, subscription.hold_number)


def _renumber(subscriptions: Iterable[Subscription]) -> None:
    for each in subscriptions:
        each.hold_id = next_id(each)


def _keep(subscriptions: Sequence[Subscription]) -> None:
    Subscription.objects.bulk_update(subscriptions, ["hold_id", "hold_number"])
