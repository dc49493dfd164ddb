"""Count the bytes that left by public addresses: once a minute, and a last time before a machine goes."""

from collections.abc import Sequence

from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.provisioning.zone_engines import engine_of


def sample_zone(zone: str) -> int:
    """One engine call for all machines of the zone that may send; the bytes that are new."""
    alive = [State.RUNNING, State.STOPPING, State.REBOOTING, State.STARTING, State.STOPPED]
    machines = list(Instance.objects.filter(zone_id=zone, state__in=alive, public_ip_wanted=True))
    return count(zone, machines)


def count(zone: str, machines: Sequence[Instance]) -> int:
    """Take in the engine's counts of these machines of one zone, one commit a machine."""
    if not machines:
        return 0
    counts = engine_of(zone).counters([machine.public_id for machine in machines])
    fresh = 0
    for machine in machines:
        seen = counts.get(machine.public_id)
        if seen is None:
            continue
        with db.act():
            db.call("ledger_lock", machine.account_id)
            fresh += db.call("metering_count", machine.account_id, machine.id, seen.epoch, seen.out_bytes, clock.now())
    return fresh
