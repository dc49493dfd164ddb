"""Numbers of what a purchase makes: they are taken before its statement, so that it knows every id."""

from vmart.kernel import db

_orders = db.IdBlock("orders_block")
_subscriptions = db.IdBlock("subscriptions_block")


def order() -> int:
    """Of an order."""
    return _orders.take()[0]


def subscriptions(count: int) -> list[int]:
    """Of machines and disks: every subscription has its own."""
    return _subscriptions.take(count)
