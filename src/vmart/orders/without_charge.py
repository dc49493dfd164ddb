"""Stopped without charge: what such a machine gives up (room, public address) and what it keeps paying for.

CPU and memory are not charged; disks, images and by-bandwidth network are, and one hour of them is held
(billing-rules, section 1).
"""

from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.ledger.models import Hold
from vmart.orders import machines as m
from vmart.orders.holds import hour_minor
from vmart.orders.models import Line

STOP_CHARGING = "STOP_CHARGING"


def give_up(machine: Instance) -> dict[str, object]:
    """Shrink the hold, give room and public address back; the columns of the machine that change with it.

    The hold is at most what it was: whatever prices have become, a stop is not refused. The engine leads no address
    to the machine any more. Belongs into the act's transaction.
    """
    assert machine.hold_id is not None  # a running postpaid machine has one
    before, machine.hold_id = machine.hold_id, m.next_hold_id(machine)
    held = Hold.objects.values_list("floating_minor", flat=True).get(id=before)
    kept = hour_minor(Line.objects.select_related("order").get(instance_id=machine.id).order, paused=True)
    db.call("ledger_shrink", before, machine.hold_id, held if kept is None else min(kept, held), clock.now())
    db.call("network_free_public", [machine.id], clock.now())
    db.call("placement_shrink", machine.id)
    return {
        "stop_charging_mode": STOP_CHARGING, "hold_id": machine.hold_id, "hold_number": machine.hold_number,
        "public_ip": None,
    }  # fmt: skip
