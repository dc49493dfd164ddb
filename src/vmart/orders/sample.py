"""Count the bytes that left by public addresses: once a minute, and a last time when a machine's charging has ended.

Bytes carry no time. Of those that the last count finds, only as many are charged as the machine's cap lets through
between the count before and the end; the network is off before it is taken, and where even that came later than
the next count would have, nothing is charged (ADR 0015).
"""

import datetime as dt
from collections.abc import Sequence

from django.db.models import Q, QuerySet

from vmart.engines.contract import ByteCount
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.provisioning.zone_engines import engine_of

INTERVAL_S = 60  # between two counts of a zone
_AT_ONCE = 200  # machines a commit: a zone may have thousands, and nobody may wait long for an account's lock
_MBPS_BYTES_S = 10**6 // 8  # as the engine caps it


def sample_zone(zone: str) -> int:
    """One engine call for all machines of the zone that may send; the bytes that are new."""
    return _count(zone, list(_sending(zone).prefetch_related("subscription").defer("user_data")))


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
    return _count(machine.zone_id, [machine], last=True)


def _count(zone: str, machines: Sequence[Instance], *, last: bool = False) -> int:
    """Take in the engine's counts of these machines of one zone, many in a commit."""
    if not machines:
        return 0
    counts = engine_of(zone).counters([machine.public_id for machine in machines])
    counted = [(machine, counts[machine.public_id]) for machine in machines if machine.public_id in counts]
    counted.sort(key=lambda one: one[0].account_id)  # one account's in one commit, as far as it goes
    parts = (counted[start : start + _AT_ONCE] for start in range(0, len(counted), _AT_ONCE))
    return sum(_take(zone, part, last=last) for part in parts)


def _take(zone: str, counted: list[tuple[Instance, ByteCount]], *, last: bool) -> int:
    with db.act():
        db.call("ledger_lock_many", [machine.account_id for machine, _ in counted])
        if not last:  # of one whose charging has ended since, the last count says which bytes are due
            sending = _sending(zone).filter(pk__in=[machine.pk for machine, _ in counted])
            still = set(sending.values_list("pk", flat=True))
            counted = [one for one in counted if one[0].pk in still]
        now = clock.now()
        found = db.rows(
            "SELECT coalesce(sum(fn.metering_count(account, id, epoch, out_bytes, %s, until, cap_bytes_s)), 0)::bigint"
            " AS fresh"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[], %s::bigint[])"
            " AS line (account, id, epoch, out_bytes, until, cap_bytes_s)",
            now, [machine.account_id for machine, _ in counted], [machine.id for machine, _ in counted],
            [seen.epoch for _, seen in counted], [seen.out_bytes for _, seen in counted],
            [(machine.subscription.isolated_at or now) if last else None for machine, _ in counted],
            [_cap_bytes_s(machine) for machine, _ in counted],
        )  # fmt: skip
        fresh: int = found[0]["fresh"]
        return fresh


def _cap_bytes_s(machine: Instance) -> int:
    """What may still be attributed to each second before the end; 0 when too much time has passed since."""
    ended = machine.subscription.isolated_at
    if ended is None or clock.now() > ended + dt.timedelta(seconds=INTERVAL_S):
        return 0
    return machine.bandwidth_mbps * _MBPS_BYTES_S
