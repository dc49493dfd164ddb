"""Stopped without charge: what such a machine gives up (room, public address) and what it keeps paying for.

CPU and memory are not charged; disks, images and by-bandwidth network are, and one hour of them is held
(billing-rules, section 1).
"""

from decimal import Decimal

from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.money import exponent
from vmart.ledger.models import Hold
from vmart.orders import machines as m
from vmart.orders.models import Line, Order
from vmart.pricing.quote import Quote
from vmart.pricing.rules import hold_minor

STOP_CHARGING = "STOP_CHARGING"


def give_up(machine: Instance) -> dict[str, object]:
    """Shrink the hold, give room and public address back; the columns of the machine that change with it.

    The engine leads no address to it any more. Belongs into the act's transaction.
    """
    assert machine.hold_id is not None  # a running postpaid machine has one
    before, machine.hold_id = machine.hold_id, m.next_hold_id(machine)
    held = Hold.objects.values_list("floating_minor", flat=True).get(id=before)
    kept = kept_minor(Line.objects.select_related("order").get(instance_id=machine.id).order)
    db.call("ledger_shrink", before, machine.hold_id, min(kept, held), clock.now())
    db.call("network_free_public", [machine.id], clock.now())
    db.call("placement_shrink", machine.id)
    return {
        "stop_charging_mode": STOP_CHARGING, "hold_id": machine.hold_id, "hold_number": machine.hold_number,
        "public_ip": None,
    }  # fmt: skip


def kept_hourly(quoted: Quote) -> Decimal:
    """What a machine costs an hour without CPU and memory, in currency units, exact."""
    kept = (line.amount for line in quoted.lines if line.unit == "hour" and line.component != "cpu")
    return sum(kept, Decimal(0))


def kept_minor(order: Order) -> int:
    """One hour of what stays charged of a machine: its hold without CPU and memory, in minor units."""
    quoted = Quote.of(order.quote)
    return hold_minor([kept_hourly(quoted)], exponent(quoted.currency))
