"""What bundles have agreed to: their open items, as the rules of pricing take them."""

from collections.abc import Sequence

from vmart.subscriptions.models import Item

Term = tuple[str, str, int]  # component, price key, quantity


def paid_ahead(bundles: Sequence[int]) -> dict[int, list[Term]]:
    """Of each bundle, what it pays for by the month."""
    terms: dict[int, list[Term]] = {bundle: [] for bundle in bundles}
    items = Item.objects.filter(subscription__bundle_id__in=bundles, to_at=None, mode=Item.Mode.MONTH)
    for item in items.select_related("subscription"):
        terms[item.subscription.bundle_id].append((item.component, item.price_key, item.quantity))
    return terms
