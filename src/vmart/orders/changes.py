"""What changes of a machine share once the engine has answered: a term is paid for, or charged from now on."""

from vmart.instances.models import Instance
from vmart.orders import agreed, hourly, paid
from vmart.orders.agreed import New
from vmart.pricing.configuration import BY_USAGE
from vmart.worker.queue import Claimed


def in_force(machine: Instance, operation: Claimed, new: New) -> None:
    """Belongs into the act. ``order_id`` of the payload: what the order is of, set aside until now; 0 by the hour."""
    if order_id := operation.payload["order_id"]:
        agreed.agree(new)
        paid.deliver(order_id, machine.id)
    else:
        hourly.in_force(machine, new)


def back(machine: Instance) -> None:
    """It will not be in force: an hour of what is agreed is set aside again. Belongs into the act."""
    if machine.subscription.charge_type in BY_USAGE:
        hourly.hold_what_it_asks(machine)
