"""Stopped without charge: what such a machine gives up (room, public address) and what it keeps paying for.

CPU and memory are not charged; disks, images and by-bandwidth network are, and one hour of them is held
(billing-rules, section 1).
"""

from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.orders import holds

STOP_CHARGING = "STOP_CHARGING"


def give_up(machine: Instance) -> dict[str, object]:
    """Shrink the hold, give room and public address back; the columns of the machine that change with it.

    The hold is at most what it was: whatever prices have become, a stop is not refused. The engine leads no address
    to the machine any more. Belongs into the act's transaction.
    """
    assert machine.subscription.hold_id is not None  # a running postpaid machine has one
    holds.shrink([machine.subscription], [holds.hour_minor([machine.id], paused=True)[machine.id]])
    db.call("network_free_public", [machine.id], clock.now())
    db.call("placement_shrink", machine.id, 0, 0)
    return {"stop_charging_mode": STOP_CHARGING, "public_ip": None}
