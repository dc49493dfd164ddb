"""What is charged by its GiB and hour and is no disk, a snapshot or an imported image: its cost, and its agreement."""

from dataclasses import dataclass
from decimal import Decimal

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.money import exponent
from vmart.orders import hourly
from vmart.orders.things import Thing
from vmart.pricing import books
from vmart.pricing.configuration import POSTPAID_BY_HOUR
from vmart.pricing.priced import Term
from vmart.pricing.rules import hold_minor
from vmart.subscriptions.models import Item, Source, Standing, Subscription


@dataclass(frozen=True, slots=True)
class Cost:
    """An hour, exact; the hour that is held, in minor units; and by what it is charged."""

    hourly: Decimal
    hold_minor: int
    term: Term
    book_version: int


def cost(account_id: int, term: Term) -> Cost:
    """Of what pays so, by the catalog of now."""
    here = shop.snapshot()
    exact = hourly.hour_of(account_id, term)
    version = books.current_book(here.generation).version
    return Cost(exact, hold_minor([exact], exponent(here.currency)), term, version)


def agree(account_id: int, zone: str, due: Cost, *, kind: str, number: int, public_id: str) -> Subscription:
    """A bundle of one item, which is not there yet; holds nothing yet. Belongs into the act."""
    now = clock.now()
    agreed = Subscription(
        id=number, account_id=account_id, zone_id=zone, kind=kind, public_id=public_id, bundle_id=number,
        created_at=now, charge_type=POSTPAID_BY_HOUR, standing=Standing.PENDING,
        renew_flag="NOTIFY_AND_MANUAL_RENEW", isolated_source=Source.NOT_ISOLATED,
    )  # fmt: skip
    agreed.save(force_insert=True)
    component, key, quantity = due.term
    Item.objects.create(
        subscription=agreed, component=component, mode=Item.Mode.HOUR, price_key=key, quantity=quantity,
        book_version=due.book_version, pausable=False, from_at=now,
    )  # fmt: skip
    return agreed


def there(thing: Thing) -> None:
    """It is there, and charged from now on. Belongs into the act."""
    started = db.call("metering_instant", clock.now())
    Subscription.objects.filter(pk=thing.pk).update(standing=Standing.ACTIVE, started_at=started)
    db.call("metering_start", [thing.id], [], started)


def never_there(thing: Thing) -> None:
    """It was not made: what was held is free. Belongs into the act."""
    db.call("ledger_void", thing.subscription.hold_id, clock.now())
    db.call("subscriptions_failed", thing.id)
