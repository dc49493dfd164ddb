"""What bundles have agreed to: their open items, as the rules of pricing take them."""

from collections.abc import Sequence

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.pricing import books
from vmart.pricing.priced import Term
from vmart.subscriptions.models import Item

CHANGE_OF_BANDWIDTH, CHANGE_OF_TYPE = "ResetInstancesInternetMaxBandwidth", "ResetInstancesType"


def is_changing(machine: Instance) -> bool:
    """Whether a change of what the machine pays for is under way: until its end nobody knows what a term costs."""
    changes = (CHANGE_OF_BANDWIDTH, CHANGE_OF_TYPE)
    return machine.latest_operation in changes and machine.latest_operation_state == "OPERATING"


def paid_ahead(bundles: Sequence[int]) -> dict[int, list[Term]]:
    """Of each bundle, what it pays for by the month."""
    terms: dict[int, list[Term]] = {bundle: [] for bundle in bundles}
    items = Item.objects.filter(subscription__bundle_id__in=bundles, to_at=None, mode=Item.Mode.MONTH)
    for item in items.select_related("subscription"):
        terms[item.subscription.bundle_id].append((item.component, item.price_key, item.quantity))
    return terms


def item(subscription_id: int, component: str) -> Item:
    """The open item of a component."""
    return Item.objects.get(subscription_id=subscription_id, component=component, to_at=None)


def term(subscription_id: int, component: str) -> Term:
    """What is agreed of a component now."""
    open_now = item(subscription_id, component)
    return component, open_now.price_key, open_now.quantity


def agree(subscription_id: int, new: Term) -> None:
    """This of its component from now on. Belongs into the act.

    Two changes of one instant, which a test clock that stands still makes, are one.
    """
    component, key, quantity = new
    old, now = item(subscription_id, component), clock.now()
    if old.from_at == now:
        Item.objects.filter(pk=old.pk).update(price_key=key, quantity=quantity)
        return
    Item.objects.filter(pk=old.pk).update(to_at=now)
    Item.objects.create(
        subscription_id=subscription_id, component=component, mode=old.mode, price_key=key,
        quantity=quantity, book_version=books.current_book(shop.snapshot().generation).version,
        pausable=old.pausable, from_at=now,
    )  # fmt: skip
