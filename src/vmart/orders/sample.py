"""Count the bytes that left by public addresses: once a minute, and a last time when charging of them has ended.

Bytes carry no time. Of those that the last count finds, only as many are charged as the cap lets through between the
count before and the end; the network is off before it is taken, and where even that came later than the next count
would have, nothing is charged (ADR 0015). An engine counts by machines: what a bought address is charged for is counted
from when it came to its machine until it left (ADR 0050).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import F, Q, QuerySet

from vmart.engines.contract import ByteCount, Engine
from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import clock, db
from vmart.network.models import Eip, EipState
from vmart.pricing.configuration import TRAFFIC_POSTPAID_BY_HOUR
from vmart.provisioning.zone_engines import engine_of

INTERVAL_S = 60  # between two counts of a zone
_AT_ONCE = 200  # machines a commit: a zone may have thousands, and nobody may wait long for an account's lock
_MBPS_BYTES_S = 10**6 // 8  # as the engine caps it


@dataclass(frozen=True, slots=True)
class Sender:
    """Who pays for what leaves a machine: itself, or (``is_eip``) a bought address that is bound to it."""

    account_id: int
    subscription_id: int
    machine: str  # its public id, by which the engine counts
    mbps: int
    by_traffic: bool
    ended_at: dt.datetime | None
    is_eip: bool = False

    def epoch(self, seen: ByteCount) -> str:
        """Of a bought address, which goes from machine to machine: which machine's."""
        return f"{self.machine}/{seen.epoch}" if self.is_eip else seen.epoch


@dataclass(frozen=True, slots=True)
class Read:
    """What an engine said at an instant of a sender's machine."""

    sender: Sender
    seen: ByteCount
    at: dt.datetime


def of_machine(machine: Instance) -> Sender:
    return Sender(
        machine.account_id, machine.id, machine.public_id, machine.bandwidth_mbps,
        machine.internet_charge_type == TRAFFIC_POSTPAID_BY_HOUR, machine.subscription.isolated_at,
    )  # fmt: skip


def of_eip(eip: Eip, machine: str) -> Sender:
    """One that the machine with this public id has, or is about to get."""
    return Sender(
        eip.account_id, eip.id, machine, eip.bandwidth_mbps,
        eip.internet_charge_type == TRAFFIC_POSTPAID_BY_HOUR, eip.subscription.isolated_at, is_eip=True,
    )  # fmt: skip


def sample_zone(zone: str) -> int:
    """One engine call for all machines of the zone that may send; the bytes that are new."""
    return count(zone, sending(zone))


def sending(zone: str) -> list[Sender]:
    """What may send in the zone now."""
    machines = _sending(zone).prefetch_related("subscription").defer("user_data")
    return [of_machine(machine) for machine in machines] + _senders(_bound(zone))


def _sending(zone: str) -> QuerySet[Instance]:
    delivered = [state for state in ALIVE if state != State.PENDING]
    found = Instance.objects.filter(zone_id=zone, state__in=delivered, public_ip_wanted=True)
    # Arrears that ended before the power-off of their stop: its own count comes.
    being_turned_off = Q(state=State.STOPPED, latest_operation_state="OPERATING")
    return found.exclude(subscription__expires_at__lte=clock.now()).exclude(being_turned_off)


def _bound(zone: str) -> QuerySet[Eip]:
    """Also of a machine in the recycle bin: its network is off, and what left before is due."""
    return Eip.objects.filter(zone=zone, state=EipState.BIND, subscription__isolated_at=None)


def _senders(bound: QuerySet[Eip]) -> list[Sender]:
    found = bound.select_related("subscription").annotate(machine=F("instance__public_id"))
    return [of_eip(eip, eip.machine) for eip in found]


def count_last(machine: Instance) -> int:
    """Take in what left a machine before its charging ended; the bytes that are charged.

    None of one whose arrears have ended meanwhile: nothing says any more when they had stopped it. Of an address that
    is bound to it, which is charged on: what left until now.
    """
    found = count(machine.zone_id, _senders(_bound(machine.zone_id).filter(instance_id=machine.id)))
    if machine.subscription.started_at is None:  # never delivered
        return found
    return found + count(machine.zone_id, [of_machine(machine)], last=True)


def count_last_of(eip: Eip, machine: str) -> int:
    """The same of a bought address whose charging has ended while the machine has it."""
    return count(eip.zone_id, [of_eip(eip, machine)], last=True)


def count(zone: str, senders: Sequence[Sender], *, last: bool = False) -> int:
    """Take in the engine's counts of these senders of one zone, many in a commit."""
    counted = read(engine_of(zone), senders) if senders else []
    counted.sort(key=lambda one: one.sender.account_id)  # one account's in one commit, as far as it goes
    parts = (counted[start : start + _AT_ONCE] for start in range(0, len(counted), _AT_ONCE))
    return sum(_take(zone, part, last=last) for part in parts)


def read(engine: Engine, senders: Sequence[Sender]) -> list[Read]:
    """Ask the engine once for all of them; what it knows nothing of is left out. Outside a transaction."""
    counts = engine.counters([one.machine for one in senders])
    now = clock.now()
    return [Read(one, counts[one.machine], now) for one in senders if one.machine in counts]


def read_at(zone: str, senders: Sequence[Sender], instants: Sequence[dt.datetime]) -> list[Read]:
    """What the engine has counted, asked as if business time stood at each instant: a simulated one counts by it.

    Of what is charged by traffic; of the others only the last count is kept.
    """
    charged = [one for one in senders if one.by_traffic]
    if not charged:
        return []
    engine, standing = engine_of(zone), clock.source()
    found: list[Read] = []
    try:
        for instant in instants:
            clock.install(lambda instant=instant: instant)  # type: ignore[misc]
            found += read(engine, charged)
    finally:
        clock.install(standing)
    return found


def _take(zone: str, counted: Sequence[Read], *, last: bool) -> int:
    with db.act():
        db.call("ledger_lock_many", [one.sender.account_id for one in counted])
        now = clock.now()  # the engine may have been asked before the hour's end
        counted = [replace(one, at=now) for one in counted]
        return _write(counted, [_end(one) for one in counted]) if last else take(zone, counted)


def take(zone: str, counted: Sequence[Read]) -> int:
    """Take in what was read in the zone, under the locks of the accounts; the bytes that are new.

    Not of one whose charging has ended since, that left its machine, or is charged otherwise by now: its last count
    says which bytes are due.
    """
    if not counted:
        return 0
    machines = {one.sender.subscription_id for one in counted if not one.sender.is_eip}
    eips = {one.sender.subscription_id for one in counted if one.sender.is_eip}
    found = _sending(zone).filter(pk__in=machines).values_list("pk", "internet_charge_type")
    still = {(number, "", mode == TRAFFIC_POSTPAID_BY_HOUR) for number, mode in found}
    if eips:
        rows = _bound(zone).filter(pk__in=eips).values_list("pk", "instance__public_id", "internet_charge_type")
        still |= {(number, at, mode == TRAFFIC_POSTPAID_BY_HOUR) for number, at, mode in rows}
    return keep(one for one in counted if (one.sender.subscription_id, _at(one.sender), one.sender.by_traffic) in still)


def _at(sender: Sender) -> str:
    return sender.machine if sender.is_eip else ""


def keep(counted: Iterable[Read]) -> int:
    """All that is new in it is charged, of what pays by traffic now. Under the locks of the accounts."""
    rows = list(counted)
    return _write(rows, [(None, 0) if one.sender.by_traffic else (one.at, 0) for one in rows])


def begin(counted: Iterable[Read]) -> None:
    """What is counted until then is nobody's who pays from then on. Under the locks of the accounts."""
    rows = list(counted)
    _write(rows, [(one.at, 0) for one in rows])


_End = tuple[dt.datetime | None, int]  # when charging ended, and what may be attributed to each second before


def _write(counted: Sequence[Read], ends: Sequence[_End]) -> int:
    fresh: int = db.call(
        "metering_count",
        [one.sender.account_id for one in counted], [one.sender.subscription_id for one in counted],
        [one.sender.epoch(one.seen) for one in counted], [one.seen.out_bytes for one in counted],
        [one.at for one in counted], [until for until, _ in ends], [most for _, most in ends],
    )  # fmt: skip
    return fresh


def _end(one: Read) -> _End:
    """Of a last count; nothing may be attributed to it any more when too much time has passed since."""
    ended = one.sender.ended_at
    if ended is None or clock.now() > ended + dt.timedelta(seconds=INTERVAL_S):
        return ended or one.at, 0
    return ended, one.sender.mbps * _MBPS_BYTES_S
