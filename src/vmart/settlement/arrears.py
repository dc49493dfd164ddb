"""Arrears: some hours after the deduction that exceeded the credit limit, what is charged by usage ends.

Postpaid machines are stopped, disks with a life of their own taken off their machines, bought public addresses switched
off, bandwidth packages with them, snapshots and imported images put away: charged to the second of the stop, then every
component stops being charged, holds are released, the tier clock pauses. A top-up to 0 or more makes them startable,
the disks attachable, the snapshots and images usable, and the addresses lead to their machines again; after some days
they are released, an address that no machine has after some hours. Prepaid machines run on; their public network, where
it is charged by traffic, goes off and comes back with the top-up. Their address stays theirs (billing-rules,
section 4).
"""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from vmart.customers.models import Account
from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import clock, db
from vmart.network.models import Eip, EipState, Package, PackageState
from vmart.orders import address
from vmart.orders import machines as m
from vmart.orders.addresses import isolate as isolate_address
from vmart.orders.addresses import own as own_address
from vmart.orders.addresses import release as release_address
from vmart.orders.disks import isolate, own
from vmart.orders.images import charge as own_image
from vmart.orders.images import leave as leave_image
from vmart.orders.packages import own as own_package
from vmart.orders.snapshots import delete as delete_snapshot
from vmart.orders.snapshots import own as own_snapshot
from vmart.orders.things import Thing
from vmart.orders.without_charge import STOP_CHARGING
from vmart.policy import policy
from vmart.pricing.configuration import BY_USAGE, POSTPAID_BY_HOUR, TRAFFIC_POSTPAID_BY_HOUR
from vmart.storage.images import ImageState
from vmart.storage.models import ALIVE as ALIVE_DISKS
from vmart.storage.models import Disk, OwnImage, Snapshot, SnapshotState
from vmart.storage.models import State as DiskState
from vmart.subscriptions.models import Source
from vmart.worker import queue
from vmart.worker.queue import Claimed

_CHARGED_BY_USAGE = Q(subscription__charge_type__in=BY_USAGE) | Q(
    internet_charge_type=TRAFFIC_POSTPAID_BY_HOUR, public_ip__isnull=False
)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``arrears``; its subject is the account. Again every second until the last busy machine is stopped."""
    for operation in batch:
        if _take(operation, owner):
            queue.put_off(owner, [operation], 1.0, "an operation on one of its things is under way", waiting=True)


def _take(operation: Claimed, owner: uuid.UUID) -> bool:
    """Take from each machine what can be taken now, in one commit; whether some are busy and have to be waited for."""
    with db.act():
        purses = db.call("ledger_lock", operation.subject_id)
        assert purses is not None
        machines = list(
            m.locking()
            .filter(_CHARGED_BY_USAGE, account_id=operation.subject_id, state__in=ALIVE)
            .filter(subscription__arrears_since=None)
            .order_by("id")
        )
        postpaid = [machine for machine in machines if machine.subscription.charge_type in BY_USAGE]
        idle = [machine for machine in postpaid if not _is_busy(machine)]
        others = _others(operation.subject_id)
        idle_others = [(thing, take) for thing, take in others if thing.latest_operation_state != "OPERATING"]
        busy = len(idle) < len(postpaid) or len(idle_others) < len(others)
        ours = queue.holds(owner, operation) if busy else queue.finish(owner, operation)
        if ours and in_arrears(operation.subject_id):
            db.call("placement_lock", [machine.id for machine in idle])
            for machine in idle:
                _stop(machine)
            for thing, take in idle_others:
                take(thing)
            for machine in machines:
                if machine.subscription.charge_type not in BY_USAGE:
                    _cut_off(machine)
        return busy


def _others(account_id: int) -> list[tuple[Any, Callable[[Any], None]]]:
    """What else the account is charged for by usage, locked, each with what is done to it."""
    return [
        (thing, take)
        for charged, take in (
            (_disks(), _take_off), (_eips(), _switch_off), (_snapshots(), _put_away),
            (_images(), _put_away_image), (_packages(), _end_share),
        )
        for thing in charged.filter(account_id=account_id).order_by("id")
    ]  # fmt: skip


def _disks() -> QuerySet[Any]:
    return own.locking().filter(subscription__charge_type=POSTPAID_BY_HOUR, state__in=ALIVE_DISKS)


def _eips() -> QuerySet[Any]:
    postpaid = own_address.locking().filter(subscription__charge_type=POSTPAID_BY_HOUR, subscription__isolated_at=None)
    return postpaid.exclude(state__in=[EipState.OFFLINING, EipState.GONE])


def _snapshots() -> QuerySet[Any]:
    there = [SnapshotState.CREATING, SnapshotState.NORMAL, SnapshotState.ROLLBACKING]
    return own_snapshot.locking().filter(subscription__isolated_at=None, state__in=there)


def _images() -> QuerySet[Any]:
    there = [ImageState.IMPORTING, ImageState.NORMAL]
    return own_image.charged().filter(subscription__isolated_at=None, state__in=there)


def _packages() -> QuerySet[Any]:
    return own_package.locking().filter(subscription__isolated_at=None, state=PackageState.CREATED)


def _is_busy(machine: Instance) -> bool:
    """A stopped machine is not: what is under way there (a power-off of former arrears, a change) finds it taken."""
    return machine.latest_operation_state == "OPERATING" and machine.state != State.STOPPED


def in_arrears(account_id: int) -> bool:
    """Whether the balance is below what the account's credit allows; belongs under the account lock."""
    found = db.rows("SELECT fn.ledger_balance(p) AS balance FROM ledger_purses p WHERE account_id = %s", account_id)
    limit = Account.objects.values_list("credit_limit_minor", flat=True).get(id=account_id)
    return bool(found[0]["balance"] < -limit)


def _stop(machine: Instance) -> None:
    release_at = _end_charging(machine, _kept())
    db.call("placement_shrink", machine.id, 0, 0)
    m.begin(machine, "IsolateInstances", "", state=State.SHUTDOWN, stop_charging_mode=STOP_CHARGING)
    m.event(machine, "stopped_for_arrears")
    m.send(machine, "isolate")
    m.send(machine, "release", due_at=release_at)


def _take_off(disk: Disk) -> None:
    """The disk is taken off its machine and kept; its room too, for there is its data."""
    release_at = _end_charging(disk, _kept())
    m.begin(disk, "IsolateDisks", "", state=DiskState.TORECYCLE)
    m.event(disk, "stopped_for_arrears")
    isolate.send([disk], release_at)


def _switch_off(eip: Eip) -> None:
    """It leads nowhere; a machine that has it keeps it as long as what is stopped is kept."""
    rules = policy.at(clock.now())
    hours = max(0, rules.arrears_idle_address_hours - rules.arrears_grace_hours)
    if eip.instance_id:
        isolate_address.send(eip)
    _keep(eip, release_address.KIND, _kept() if eip.instance_id else dt.timedelta(hours=hours))


def _put_away(snapshot: Snapshot) -> None:
    """It stays on its engine, and its room is kept."""
    Snapshot.objects.filter(pk=snapshot.pk).update(state=SnapshotState.TORECYCLE)
    _keep(snapshot, delete_snapshot.KIND, _kept())


def _put_away_image(image: OwnImage) -> None:
    """The same; nothing is made of it meanwhile."""
    _keep(image, leave_image.KIND, _kept())


def _end_share(package: Package) -> None:
    """What is in it is switched off by itself; it is kept as long as an address at a machine is."""
    _keep(package, own_package.RELEASE_KIND, _kept())


def _keep(thing: Thing, release: str, kept: dt.timedelta) -> None:
    """It is charged no more, and released after this time."""
    release_at = _end_charging(thing, kept)
    m.event(thing, "stopped_for_arrears")
    m.send(thing, release, due_at=release_at)


def _kept() -> dt.timedelta:
    """How long what arrears have stopped is kept."""
    return dt.timedelta(days=policy.at(clock.now()).arrears_keep_days)


def _end_charging(thing: Thing, kept: dt.timedelta) -> dt.datetime:
    """No component is charged from now on, nothing is held; when it is released."""
    instant = db.call("metering_instant", clock.now())
    m.end_usage([thing], instant)
    if thing.subscription.hold_id:
        db.call("ledger_void", thing.subscription.hold_id, clock.now())
    release_at: dt.datetime = instant + kept
    m.isolate_all([thing], Source.ARREAR, instant, release_at, hold_id=None, arrears_since=instant)
    return release_at


def _cut_off(machine: Instance) -> None:
    """From here on every start, delivery and repair of the machine leaves its public address off."""
    m.agree([machine], arrears_since=clock.now())
    m.event(machine, "network_off")
    address.send(machine)
