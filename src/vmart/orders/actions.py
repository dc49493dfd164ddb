"""What an order can be of, and how an unpaid one of each is paid."""

from collections.abc import Callable, Mapping

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.orders import bandwidth, bandwidth_window, convert, grow_disk, place, renew, resize, room, unpaid
from vmart.orders.addresses import bandwidth as address_bandwidth
from vmart.orders.addresses import mode as address_mode
from vmart.orders.addresses import renew as renew_address
from vmart.orders.disks import convert as convert_disk
from vmart.orders.disks import grow as grow_own_disk
from vmart.orders.disks import renew as renew_disk
from vmart.orders.models import Order

PAY: Mapping[str, Callable[[Order, Actor], None]] = {
    "purchase": place.pay,
    renew.ACTION: renew.pay,
    bandwidth.UPGRADE.action: bandwidth.UPGRADE.pay,
    grow_disk.UPGRADE.action: grow_disk.UPGRADE.pay,
    resize.UPGRADE.action: resize.UPGRADE.pay,
    convert.ACT.action: convert.ACT.pay,
    bandwidth_window.ACT_OF_WINDOW.action: bandwidth_window.ACT_OF_WINDOW.pay,
    renew_disk.ACT.action: renew_disk.ACT.pay,
    convert_disk.ACT.action: convert_disk.ACT.pay,
    grow_own_disk.UPGRADE.action: grow_own_disk.UPGRADE.pay,
    renew_address.ACT.action: renew_address.ACT.pay,
    address_mode.CONVERSION.action: address_mode.CONVERSION.pay,
    address_bandwidth.UPGRADE.action: address_bandwidth.UPGRADE.pay,
}


def pay(actor: Actor, order_id: int) -> None:
    """Pay an unpaid order from the balance: its own commit. A refusal leaves the order as it was.

    Raises OrderNotPayable and the refusals of its action.
    """
    with room.made_where_lacking(), db.act():
        pay_in_act(actor, order_id)


def pay_in_act(actor: Actor, order_id: int) -> None:
    """``pay`` as part of an act's commit; what it raises has left the act as it was."""
    db.require_transaction()
    db.call("ledger_lock", actor.account)
    order = unpaid.payable(actor.account, order_id)
    PAY[order.action](order, actor)
    unpaid.forget(order_id)
