"""What changes of a thing share once the engine has answered: a term is paid for, or charged from now on."""

from vmart.orders import agreed, hourly, paid
from vmart.orders.agreed import New
from vmart.orders.things import Thing
from vmart.pricing.configuration import BY_USAGE
from vmart.worker.queue import Claimed


def in_force(thing: Thing, operation: Claimed, new: New) -> None:
    """Belongs into the act. ``order_id`` of the payload: what the order is of, set aside until now; 0 by the hour."""
    if order_id := operation.payload["order_id"]:
        agreed.agree(new)
        paid.deliver(order_id, thing.id)
    else:
        hourly.in_force(thing, new)


def back(thing: Thing) -> None:
    """It will not be in force: an hour of what is agreed is set aside again. Belongs into the act."""
    if thing.subscription.charge_type in BY_USAGE:
        hourly.hold_what_it_asks(thing)
