"""Policies by which snapshots of disks are made by themselves: what their owner says, and of which disks.

A policy costs nothing, but decides what is bought: every change goes by the account's lock. What it makes when it is
due: ``scheduled.py``.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter
from vmart.kernel.text import is_one_line, sayable
from vmart.orders import errors, things
from vmart.orders.disks import own as own_disk
from vmart.orders.snapshots import schedule
from vmart.storage.models import Disk, State
from vmart.storage.policies import PolicyDisk, SnapshotPolicy, bits
from vmart.subscriptions.models import Subscription
from vmart.worker import queue
from vmart.worker.models import Operation

KIND, MAKE_KIND = "snapshot_policy", "scheduled_snapshot"
NAME_MAX, DAYS_MAX, AT_ONCE, DISKS_AT_ONCE = 60, 65_535, 100, 80
QUOTA = "snapshot_policies_per_region"
_TIMES = 0  # place of hours and days in their list, which has one entry, as published
FOR_GOOD, RETENTION_DAYS = 0, 7  # the days as published, where nothing else is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A policy as it is to be; of a change, None leaves as it is. ``retention_days`` 0: what it makes stays.

    ``permanent`` says the same: true is 0 days; false leaves days as they are, and is the default where there are none.
    """

    name: str | None = None
    active: bool | None = None
    hours: tuple[int, ...] | None = None
    weekdays: tuple[int, ...] | None = None
    retention_days: int | None = None
    permanent: bool | None = None


def check(wanted: Wanted) -> None:
    """Raise InvalidValue for what no policy may be."""
    _check_name(wanted.name)
    if not _are_some(wanted.hours, 23):
        raise InvalidValue("Name at least one hour of the day, each 0 to 23.", field=f"policy.{_TIMES}.hours")
    if not _are_some(wanted.weekdays, 6):
        raise InvalidValue(
            "Name at least one day of the week, each 0 (Sunday) to 6.", field=f"policy.{_TIMES}.weekdays"
        )
    if wanted.retention_days is not None and not FOR_GOOD <= wanted.retention_days <= DAYS_MAX:
        raise InvalidValue(
            "A snapshot is kept for 1 to {most} days, or for good.", field="policy.retention_days", most=DAYS_MAX
        )


def _check_name(name: str | None) -> None:
    if name is not None and (not 1 <= len(name) <= NAME_MAX or not is_one_line(name)):
        raise InvalidValue(
            "The name of a snapshot policy has 1 to {most} characters on one line.", field="policy.name", most=NAME_MAX
        )


def _are_some(given: Sequence[int] | None, most: int) -> bool:
    return given is None or (len(given) > 0 and all(0 <= number <= most for number in given))


def create(actor: Actor, region: str, wanted: Wanted, *, dry_run: bool = False) -> SnapshotPolicy:
    """A new policy, of no disk yet; ``wanted`` says all of it. With ``dry_run`` nothing is written.

    Raises InvalidValue, TooManySnapshotPolicies.
    """
    check(wanted)
    if region not in shop.snapshot().regions:
        raise InvalidValue("There is no region {region}.", field="region", region=region[:40] or "(empty)")
    with db.act():
        db.call("ledger_lock", actor.account)
        _refuse_too_many(actor.account, region)
        number = db.rows("SELECT nextval(pg_get_serial_sequence('storage_snapshot_policy', 'id')) AS n")[0]["n"]
        made = SnapshotPolicy(
            id=number, public_id=public_ids.of("asp", number), account_id=actor.account, region_id=region,
            created_at=clock.now(),
        )  # fmt: skip
        _set(made, wanted)
        made.save(force_insert=True)
        follow(made)
        _told(actor, "CreateAutoSnapshotPolicy", [made])
        transaction.set_rollback(dry_run)
        return made


def _refuse_too_many(account_id: int, region: str) -> None:
    most = db.call("customers_quota", account_id, QUOTA)
    if SnapshotPolicy.objects.filter(account_id=account_id, region_id=region).count() >= most:
        raise errors.TooManySnapshotPolicies(
            "An account has at most {most} snapshot policies in a region; delete one first.", most=most
        )


def modify(actor: Actor, public_id: str, wanted: Wanted) -> None:
    """Change what is said; snapshots that are there are kept as long as before.

    Raises UnknownSnapshotPolicy, InvalidValue, MissingParameter.
    """
    if wanted == Wanted():
        raise MissingParameter(
            "Nothing is to be changed; possible are name, schedule, retention and whether it is active.",
            field="policy.name",
        )  # fmt: skip
    check(wanted)
    with db.act():
        (found,) = _lock(actor.account, [public_id])
        before = (found.active, found.hours, found.weekdays)
        _set(found, wanted)
        found.save()
        if (found.active, found.hours, found.weekdays) != before:
            if found.active:
                _keep_due(found)
            follow(found)
        _told(actor, "ModifyAutoSnapshotPolicyAttribute", [found])


def _set(policy: SnapshotPolicy, wanted: Wanted) -> None:
    said = {
        "name": wanted.name,
        "active": wanted.active,
        "hours": None if wanted.hours is None else bits(wanted.hours),
        "weekdays": None if wanted.weekdays is None else bits(wanted.weekdays),
        "retention_days": _retention(policy, wanted),
    }
    for member, value in said.items():
        if value is not None:
            setattr(policy, member, value)


def _retention(policy: SnapshotPolicy, wanted: Wanted) -> int | None:
    if wanted.permanent:
        return FOR_GOOD
    back = wanted.permanent is False and policy.retention_days == FOR_GOOD
    return RETENTION_DAYS if wanted.retention_days is None and back else wanted.retention_days


def send(policy: SnapshotPolicy, due_at: dt.datetime) -> None:
    """Have a snapshot made of each of its disks for this instant; what waits for an earlier one gives way to it."""
    disks = list(PolicyDisk.objects.filter(policy=policy).order_by("disk_id").values_list("disk_id", flat=True))
    queue.forget(MAKE_KIND, record.DISK, disks)
    queue.enqueue_all(
        MAKE_KIND, record.DISK, disks, account_id=policy.account_id, due_at=due_at, payload={"policy": policy.id}
    )


def _keep_due(policy: SnapshotPolicy) -> None:
    """What is due now is made, though the work is late: a change is for the times from now on."""
    late = Operation.objects.filter(kind=KIND, subject_id=policy.id, due_at__lte=clock.now()).first()
    if late is not None:
        send(policy, late.due_at)


def follow(policy: SnapshotPolicy) -> None:
    """Its timer is that of its next instant, and none where it is not active. Belongs into an act."""
    queue.forget(KIND, record.SNAPSHOT_POLICY, [policy.id])
    at = schedule.next_at(policy)
    if at is not None:
        queue.enqueue(KIND, record.SNAPSHOT_POLICY, policy.id, account_id=policy.account_id, due_at=at)


def delete(actor: Actor, ids: Sequence[str]) -> None:
    """All or none. Its disks have no policy then; snapshots that it made end when they were to end.

    Raises UnknownSnapshotPolicy, MissingParameter, InvalidParameter.
    """
    with db.act():
        found = _lock(actor.account, ids)
        _told(actor, "DeleteAutoSnapshotPolicies", found)
        queue.forget(KIND, record.SNAPSHOT_POLICY, [policy.id for policy in found])
        SnapshotPolicy.objects.filter(pk__in=[policy.pk for policy in found]).delete()


def bind(actor: Actor, public_id: str, disk_ids: Sequence[str]) -> None:
    """Have it make snapshots of these disks, all or none, wherever they are.

    Raises UnknownSnapshotPolicy, UnknownOwnDisk, DiskOfAnotherRegion, HasSnapshotPolicy.
    """
    with db.act():
        (policy,) = _lock(actor.account, [public_id])
        disks = own_disk.lock(actor.account, disk_ids, most=DISKS_AT_ONCE, with_machines=True)
        _refuse_unfit(disks, policy)
        bound = dict(PolicyDisk.objects.filter(disk__in=disks).values_list("disk_id", "policy_id"))
        for disk in disks:
            if bound.get(disk.id, policy.id) != policy.id:
                raise errors.HasSnapshotPolicy(
                    "The disk {id} is bound to another snapshot policy; unbind it first.",
                    field="disks", id=disk.public_id,
                )  # fmt: skip
        PolicyDisk.objects.bulk_create(PolicyDisk(disk=disk, policy=policy) for disk in disks if disk.id not in bound)
        _told_of_disks(actor, "BindAutoSnapshotPolicy", policy, disks)


def _refuse_unfit(disks: Sequence[Disk], policy: SnapshotPolicy) -> None:
    here = Subscription.objects.filter(id__in=[disk.id for disk in disks], zone__region_id=policy.region_id)
    numbers = set(here.values_list("id", flat=True))
    for disk in disks:
        if disk.state == State.FAILED:
            raise own_disk.unknown(disk.public_id)
        if disk.id not in numbers:
            raise errors.DiskOfAnotherRegion(
                "The disk {id} is in another region than the snapshot policy.", field="disks", id=disk.public_id
            )


def unbind(actor: Actor, public_id: str, disk_ids: Sequence[str]) -> None:
    """Have it make no more snapshots of these disks, all or none.

    Raises UnknownSnapshotPolicy, UnknownOwnDisk, NotOfSnapshotPolicy.
    """
    with db.act():
        (policy,) = _lock(actor.account, [public_id])
        disks = own_disk.lock(actor.account, disk_ids, most=DISKS_AT_ONCE, with_machines=True)
        bound = PolicyDisk.objects.filter(disk__in=disks, policy=policy)
        numbers = set(bound.values_list("disk_id", flat=True))
        for disk in disks:
            if disk.id not in numbers:
                raise errors.NotOfSnapshotPolicy(
                    "The disk {id} is not bound to the snapshot policy {policy}.",
                    field="disks", id=disk.public_id, policy=policy.public_id,
                )  # fmt: skip
        bound.delete()
        _told_of_disks(actor, "UnbindAutoSnapshotPolicy", policy, disks)


def leave(disks: QuerySet[Disk] | Sequence[Disk]) -> None:
    """These are gone, or never came: no policy has them any more. Belongs into an act."""
    db.require_transaction()
    PolicyDisk.objects.filter(disk__in=disks).delete()


def _lock(account_id: int, ids: Sequence[str]) -> list[SnapshotPolicy]:
    """The account's policies, in the order asked for, under its lock."""
    if not ids:
        raise MissingParameter("No snapshot policy is named.", field="policies")
    if len(ids) > AT_ONCE:
        raise InvalidParameter(
            "At most {most} snapshot policies at once.",
            field="policies", code="InvalidParameterValue.LimitExceeded", most=AT_ONCE,
        )  # fmt: skip
    if len(set(ids)) != len(ids):
        raise InvalidParameter("A snapshot policy is named twice.", field="policies")
    db.call("ledger_lock", account_id)
    rows = SnapshotPolicy.objects.filter(account_id=account_id, public_id__in=sayable(ids))
    found = {policy.public_id: policy for policy in rows}
    for public_id in ids:
        if public_id not in found:
            raise errors.UnknownSnapshotPolicy(
                "The snapshot policy {id} does not exist.", field="policies", id=public_id or "(empty)"
            )
    return [found[public_id] for public_id in ids]


def _told(actor: Actor, act: str, policies: Sequence[SnapshotPolicy]) -> None:
    names = [{"name": policy.public_id, "called": policy.name} for policy in policies]
    numbers = [policy.id for policy in policies]
    record.write(actor.account, record.SNAPSHOT_POLICY, numbers, act, details=names, actor=actor)


def _told_of_disks(actor: Actor, act: str, policy: SnapshotPolicy, disks: Sequence[Disk]) -> None:
    things.events(disks, act, [{"policy": policy.public_id}] * len(disks), actor)
