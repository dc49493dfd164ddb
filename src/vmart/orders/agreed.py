"""What bundles have agreed to: their open items, as the rules of pricing take them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.pricing import books
from vmart.pricing.book import BANDWIDTH, TRAFFIC
from vmart.pricing.priced import Term
from vmart.subscriptions.models import Item

CHANGE_OF_BANDWIDTH, CHANGE_OF_TYPE = "ResetInstancesInternetMaxBandwidth", "ResetInstancesType"
CHANGE_OF_DISK = "ResizeInstanceDisks"


@dataclass(frozen=True, slots=True)
class New:
    """What a subscription (a machine's, or a disk's of it) pays for instead of what is agreed of that component."""

    subscription_id: int
    term: Term


def is_changing(machine: Instance) -> bool:
    """Whether a change of what the machine pays for is under way: until its end nobody knows what a term costs."""
    changes = (CHANGE_OF_BANDWIDTH, CHANGE_OF_TYPE, CHANGE_OF_DISK)
    return machine.latest_operation in changes and machine.latest_operation_state == "OPERATING"


def paid_ahead(bundles: Sequence[int]) -> dict[int, list[Term]]:
    """Of each bundle, what it pays for by the month."""
    return _terms(bundles, open_items(bundles, Item.Mode.MONTH))


def by_hour(bundles: Sequence[int]) -> dict[int, list[Term]]:
    """Of each bundle, what it is charged for by the hour."""
    return _terms(bundles, open_items(bundles, Item.Mode.HOUR))


def open_items(bundles: Sequence[int], mode: Item.Mode) -> QuerySet[Item]:
    """What they agree to now, with the subscription of each."""
    items = Item.objects.filter(subscription__bundle_id__in=bundles, to_at=None, mode=mode)
    return items.select_related("subscription")


def _terms(bundles: Sequence[int], items: Iterable[Item]) -> dict[int, list[Term]]:
    terms: dict[int, list[Term]] = {bundle: [] for bundle in bundles}
    for item in items:
        terms[item.subscription.bundle_id].append((item.component, item.price_key, item.quantity))
    return terms


def item(subscription_id: int, component: str) -> Item:
    """The open item of a component."""
    return Item.objects.get(subscription_id=subscription_id, component=component, to_at=None)


def term(subscription_id: int, component: str) -> Term:
    """What is agreed of a component now."""
    open_now = item(subscription_id, component)
    return component, open_now.price_key, open_now.quantity


def had(new: New) -> Term:
    """What ``new`` comes in the place of."""
    return had_all([new])[0]


def had_all(news: Sequence[New]) -> list[Term]:
    """What each comes in the place of."""
    return [(old.component, old.price_key, old.quantity) for old in _before(news)]


def _before(news: Sequence[New]) -> list[Item]:
    """The open item of each, in order, read together."""
    items = Item.objects.filter(
        subscription_id__in={new.subscription_id for new in news}, component__in={new.term[0] for new in news},
        to_at=None,
    )  # fmt: skip
    found = {(one.subscription_id, one.component): one for one in items} if news else {}
    return [found[new.subscription_id, new.term[0]] for new in news]


def at_speed(machine: Instance, mbps: int) -> New:
    """The machine's bandwidth, by the hour or by the month, at another speed."""
    return New(machine.id, (BANDWIDTH, item(machine.id, BANDWIDTH).price_key, mbps))


def agree(new: New) -> None:
    """This of its component from now on. Belongs into the act."""
    agree_all([new])


def agree_all(news: Sequence[New]) -> None:
    """Each of its component from now on, each of another subscription. Belongs into the act.

    Two changes of one instant, which a test clock that stands still makes, are one.
    """
    now, version = clock.now(), books.current_book(shop.snapshot().generation).version
    replaced = list(zip(news, _before(news), strict=True))
    _rewrite([new for new, old in replaced if old.from_at == now])
    ended = [(new, old) for new, old in replaced if old.from_at != now]
    Item.objects.filter(pk__in=[old.pk for _, old in ended]).update(to_at=now)
    Item.objects.bulk_create(
        Item(
            subscription_id=new.subscription_id, component=old.component, mode=old.mode, price_key=new.term[1],
            quantity=new.term[2], book_version=version, pausable=old.pausable, from_at=now,
        )
        for new, old in ended
    )  # fmt: skip


def _rewrite(news: Sequence[New]) -> None:
    """What was agreed of them at this very instant is this instead."""
    if news:
        components, keys, quantities = zip(*(new.term for new in news), strict=True)
        db.rows(
            "UPDATE subscriptions_item i SET price_key = given.key, quantity = given.quantity"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS given (id, component, key, quantity)"
            " WHERE i.subscription_id = given.id AND i.component = given.component AND i.to_at IS NULL"
            " RETURNING i.mode",
            [new.subscription_id for new in news], list(components), list(keys), list(quantities),
        )  # fmt: skip


def by_traffic(machine: Instance, cap_mbps: int) -> None:
    """Its bandwidth is agreed no more, and what it sends is. Belongs into the act."""
    here, now = shop.snapshot(), clock.now()
    book = books.current_book(here.generation)
    Item.objects.filter(subscription_id=machine.id, component=BANDWIDTH, to_at=None).update(to_at=now)
    Item.objects.create(
        subscription_id=machine.id, component=TRAFFIC, mode=Item.Mode.TRAFFIC,
        price_key=book.regions[here.zones[machine.zone_id].region].traffic_key, quantity=cap_mbps,
        book_version=book.version, pausable=False, from_at=now,
    )  # fmt: skip


def pay_ahead(bundles: Sequence[int]) -> list[tuple[int, str]]:
    """What is charged by the hour is paid by the month from now on; (subscription, component) of each.

    Belongs into the act.
    """
    now, version = clock.now(), books.current_book(shop.snapshot().generation).version
    found = list(Item.objects.filter(subscription__bundle_id__in=bundles, to_at=None, mode=Item.Mode.HOUR))
    ids = {one.subscription_id for one in found}
    by_the_hour = Item.objects.filter(subscription_id__in=ids, to_at=None, mode=Item.Mode.HOUR)
    by_the_hour.filter(from_at=now).update(mode=Item.Mode.MONTH, book_version=version)
    by_the_hour.update(to_at=now)
    Item.objects.bulk_create(
        Item(
            subscription_id=old.subscription_id, component=old.component, mode=Item.Mode.MONTH,
            price_key=old.price_key, quantity=old.quantity, book_version=version, pausable=old.pausable, from_at=now,
        )
        for old in found
        if old.from_at != now
    )  # fmt: skip
    return [(old.subscription_id, old.component) for old in found]
