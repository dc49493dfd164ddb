"""Count the bytes that left by public addresses: once a minute, and a last time when a machine's charging has ended.

Bytes carry no time. Of those that the last count finds, only as many are charged as the machine's cap lets through
between the count before and the end; the network is off before it is taken, and where even that came later than
the next count would have, nothing is charged (ADR 0015).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from vmart.engines.contract import ByteCount, Engine
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.pricing.configuration import TRAFFIC_POSTPAID_BY_HOUR
from vmart.provisioning.zone_engines import engine_of

INTERVAL_S = 60  # between two counts of a zone
_AT_ONCE = 200  # machines a commit: a zone may have thousands, and nobody may wait long for an account's lock
_MBPS_BYTES_S = 10**6 // 8  # as the engine caps it


@dataclass(frozen=True, slots=True)
class Read:
    """What an engine said of a machine of the zone at an instant."""

    machine: Instance
    seen: ByteCount
    at: dt.datetime


def sample_zone(zone: str) -> int:
    """One engine call for all machines of the zone that may send; the bytes that are new."""
    return count(zone, sending(zone))


def sending(zone: str) -> list[Instance]:
    """The machines of the zone that may send now."""
    return list(_sending(zone).prefetch_related("subscription").defer("user_data"))


def _sending(zone: str) -> QuerySet[Instance]:
    alive = [State.RUNNING, State.STOPPING, State.REBOOTING, State.STARTING, State.STOPPED]
    found = Instance.objects.filter(zone_id=zone, state__in=alive, public_ip_wanted=True)
    # Arrears that ended before the power-off of their stop: its own count comes.
    being_turned_off = Q(state=State.STOPPED, latest_operation_state="OPERATING")
    return found.exclude(subscription__expires_at__lte=clock.now()).exclude(being_turned_off)


def count_last(machine: Instance) -> int:
    """Take in what left a machine before its charging ended; the bytes that are charged.

    None of one whose arrears have ended meanwhile: nothing says any more when they had stopped it.
    """
    if machine.subscription.started_at is None:  # never delivered
        return 0
    return count(machine.zone_id, [machine], last=True)


def count(zone: str, machines: Sequence[Instance], *, last: bool = False) -> int:
    """Take in the engine's counts of these machines of one zone, many in a commit."""
    counted = _read(engine_of(zone), machines) if machines else []
    counted.sort(key=lambda one: one.machine.account_id)  # one account's in one commit, as far as it goes
    parts = (counted[start : start + _AT_ONCE] for start in range(0, len(counted), _AT_ONCE))
    return sum(_take(zone, part, last=last) for part in parts)


def _read(engine: Engine, machines: Sequence[Instance]) -> list[Read]:
    """Ask the engine once for all of them; what it knows nothing of is left out."""
    counts = engine.counters([machine.public_id for machine in machines])
    now = clock.now()
    return [Read(one, counts[one.public_id], now) for one in machines if one.public_id in counts]


def read_at(zone: str, machines: Sequence[Instance], instants: Sequence[dt.datetime]) -> list[Read]:
    """What the engine has counted, asked as if business time stood at each instant: a simulated one counts by it.

    Of machines that are charged by traffic; of the others only the last count is kept.
    """
    charged = [machine for machine in machines if machine.internet_charge_type == TRAFFIC_POSTPAID_BY_HOUR]
    if not charged:
        return []
    engine, standing = engine_of(zone), clock.source()
    found: list[Read] = []
    try:
        for instant in instants:
            clock.install(lambda instant=instant: instant)  # type: ignore[misc]
            found += _read(engine, charged)
    finally:
        clock.install(standing)
    return found


def _take(zone: str, counted: Sequence[Read], *, last: bool) -> int:
    with db.act():
        db.call("ledger_lock_many", [one.machine.account_id for one in counted])
        now = clock.now()  # the engine may have been asked before the hour's end
        counted = [Read(one.machine, one.seen, now) for one in counted]
        return _write(counted, last=True) if last else take(zone, counted)


def take(zone: str, counted: Sequence[Read]) -> int:
    """Take in what was read of machines of the zone, under the locks of their accounts; the bytes that are new.

    Not of one whose charging has ended since: its last count says which bytes are due.
    """
    if not counted:
        return 0
    wanted = _sending(zone).filter(pk__in={one.machine.pk for one in counted})
    still = set(wanted.values_list("pk", flat=True))
    return _write([one for one in counted if one.machine.pk in still], last=False)


def _write(counted: Sequence[Read], *, last: bool) -> int:
    fresh: int = db.call(
        "metering_count",
        [one.machine.account_id for one in counted], [one.machine.id for one in counted],
        [one.seen.epoch for one in counted], [one.seen.out_bytes for one in counted], [one.at for one in counted],
        [(one.machine.subscription.isolated_at or one.at) if last else None for one in counted],
        [_cap_bytes_s(one.machine) for one in counted],
    )  # fmt: skip
    return fresh


def _cap_bytes_s(machine: Instance) -> int:
    """What may still be attributed to each second before the end; 0 when too much time has passed since."""
    ended = machine.subscription.isolated_at
    if ended is None or clock.now() > ended + dt.timedelta(seconds=INTERVAL_S):
        return 0
    return machine.bandwidth_mbps * _MBPS_BYTES_S
