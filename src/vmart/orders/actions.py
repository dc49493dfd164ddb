"""What an order can be of, and how an unpaid one of each is paid."""

from collections.abc import Callable, Mapping

from vmart.kernel import db
from vmart.orders import place, renew, unpaid
from vmart.orders.models import Order

PAY: Mapping[str, Callable[[Order], None]] = {
    "purchase": place.pay,
    renew.ACTION: renew.pay,
}


def pay(account_id: int, order_id: int) -> None:
    """Pay an unpaid order from the balance: its own commit. A refusal leaves the order as it was.

    Raises OrderNotPayable and the refusals of its action.
    """
    with db.act():
        pay_in_act(account_id, order_id)


def pay_in_act(account_id: int, order_id: int) -> None:
    """``pay`` as part of an act's commit; what it raises has left the act as it was."""
    db.require_transaction()
    db.call("ledger_lock", account_id)
    order = unpaid.payable(account_id, order_id)
    PAY[order.action](order)
    unpaid.forget(order_id)
