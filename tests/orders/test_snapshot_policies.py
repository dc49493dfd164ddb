"""Given snapshot policies, when they are due, then each disk in use gets one snapshot, which ends when it is to end."""

import datetime as dt
import uuid
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from tests.orders.test_own_disks import SSD, attached, new_disk
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.shopper import ZONE, buy_running, go_to, open_purse, owe, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter
from vmart.orders import errors, stop, terminate
from vmart.orders.disks.create import create as buy_disks
from vmart.orders.disks.terminate import terminate as end_disks
from vmart.orders.images import create as images
from vmart.orders.images.create import NewImage
from vmart.orders.snapshots import policies, schedule, scheduled
from vmart.orders.snapshots.create import NewSnapshot, create
from vmart.orders.snapshots.delete import delete
from vmart.orders.snapshots.policies import Wanted
from vmart.provisioning import zones
from vmart.storage.models import Disk, Snapshot
from vmart.storage.policies import PolicyDisk, ScheduledSnapshot, SnapshotPolicy, bits, numbers
from vmart.worker import queue
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

REGION = "ap-guangzhou"
SHANGHAI = ZoneInfo("Asia/Shanghai")
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
AT_ELEVEN = Wanted(name="daily", active=True, hours=(11,), weekdays=EVERY_DAY, retention_days=2)


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for another snapshot is asked again at once."""
    monkeypatch.setattr(scheduled, "_WAIT_S", 0.0)


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


@pytest.fixture
def machine(account: int) -> Instance:
    return buy_running(account)


@pytest.fixture
def disk(account: int, machine: Instance) -> Disk:
    return attached(account, machine)


def policy_of(account: int, *disks: Disk, wanted: Wanted = AT_ELEVEN) -> SnapshotPolicy:
    made = policies.create(by(account), REGION, wanted)
    if disks:
        policies.bind(by(account), made.public_id, [disk.public_id for disk in disks])
    return made


def system_disk(machine: Instance) -> Disk:
    return Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK")


def made() -> list[tuple[str, str, str]]:
    rows = Snapshot.objects.order_by("id").select_related("disk")
    return [(snapshot.disk.public_id, snapshot.name, snapshot.state) for snapshot in rows]


def skips() -> list[str]:
    return [event.detail["why"] for event in Event.objects.filter(kind="snapshot_skipped").order_by("id")]


def skips_of(disk: Disk) -> str:
    return f"The disk {disk.public_id} is not used: it is at no machine, or its machine is off."


def timer_of(policy: SnapshotPolicy) -> dt.datetime | None:
    return queue.due_at("snapshot_policy", "snapshot_policy", policy.id)


def shanghai(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2026, 3, day, hour, tzinfo=SHANGHAI)


# The rule -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "weekdays", "after", "next_at"),
    [
        ([11], [2], shanghai(10, 10), shanghai(10, 11)),  # the 10th is a Tuesday
        ([11], [2], shanghai(10, 11), shanghai(17, 11)),  # after means after
        ([1, 23], [0], shanghai(10, 10), shanghai(15, 1)),  # 0 is Sunday
        ([1, 23], [0], shanghai(15, 1), shanghai(15, 23)),
        ([0], list(EVERY_DAY), shanghai(10, 10), shanghai(11, 0)),
        ([5, 11], [2, 3], shanghai(10, 11), shanghai(11, 5)),
    ],
)
def test_the_next_time_is_the_first_full_hour_of_a_day_that_is_named(
    hours: list[int], weekdays: list[int], after: dt.datetime, next_at: dt.datetime
) -> None:
    assert schedule.following(hours, weekdays, after, SHANGHAI) == next_at


def test_an_hour_that_a_day_leaves_out_comes_once() -> None:
    """2:00 on the 29th of March in Berlin is 3:00."""
    berlin = ZoneInfo("Europe/Berlin")
    after = dt.datetime(2026, 3, 28, 12, tzinfo=berlin)
    first = schedule.following([2], list(EVERY_DAY), after, berlin)
    assert first == dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)
    assert schedule.following([2], list(EVERY_DAY), first, berlin) == dt.datetime(2026, 3, 30, 0, tzinfo=dt.UTC)


def test_hours_are_kept_a_bit_each() -> None:
    assert (bits([0, 2, 2]), numbers(5), numbers(bits(range(24)))) == (5, [0, 2], list(range(24)))


# When it is due -------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_made_at_its_time_by_the_act_by_hand_and_charged_from_then(
    account: int, disk: Disk, test_clock: BusinessClock
) -> None:
    """100 GiB at 0.0002 for an hour: 0.02, and as much is held."""
    policy = policy_of(account, disk)
    assert timer_of(policy) == shanghai(10, 11)
    held = purses(account)["held"]
    test_clock.set(shanghai(10, 11) - dt.timedelta(seconds=1))
    work()
    assert made() == []
    test_clock.set(shanghai(10, 11))
    work()
    assert made() == [(disk.public_id, "daily", "NORMAL")]
    assert purses(account)["held"] == held + 2
    snapshot = Snapshot.objects.get()
    assert [(event.kind, event.actor) for event in Event.objects.filter(subject_kind="snapshot").order_by("id")] == [
        ("CreateSnapshot", {"via": "timer"}), ("snapshot_made", {}),
    ]  # fmt: skip
    scheduled_row = ScheduledSnapshot.objects.get()
    assert (scheduled_row.snapshot_id, scheduled_row.disk_id, scheduled_row.policy) == (
        snapshot.id, disk.id, policy.public_id,
    )  # fmt: skip
    assert (scheduled_row.due_at, snapshot.delete_at) == (shanghai(10, 11), shanghai(12, 11))
    assert timer_of(policy) == shanghai(11, 11)
    test_clock.advance(HOUR)
    work()
    charge = Charge.objects.get(subscription_id=snapshot.id)
    assert (charge.component, charge.duration_s, charge.exact_e8) == ("snapshot", 3600, 2_000_000)
    assert list(reconcile()) == []


def test_an_instant_that_comes_again_makes_none_twice(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy = policy_of(account, disk)
    test_clock.set(shanghai(10, 11))
    work()
    queue.enqueue(
        "scheduled_snapshot", "disk", disk.id, account_id=account, due_at=shanghai(10, 11),
        payload={"policy": policy.id},
    )  # fmt: skip
    work()
    assert made() == [(disk.public_id, "daily", "NORMAL")]
    other = Snapshot.objects.get(public_id=create(by(account), NewSnapshot(disk.public_id)))
    with pytest.raises(IntegrityError), transaction.atomic():  # the database holds it too
        ScheduledSnapshot.objects.create(snapshot=other, disk=disk, due_at=shanghai(10, 11), policy=policy.public_id)


def test_a_shop_that_stood_still_makes_one_snapshot_for_all_it_missed(
    account: int, disk: Disk, test_clock: BusinessClock
) -> None:
    policy = policy_of(account, disk)
    test_clock.set(shanghai(12, 12))
    work()
    assert made() == [(disk.public_id, "daily", "NORMAL")]
    row = ScheduledSnapshot.objects.get()
    assert (row.due_at, row.snapshot.delete_at) == (shanghai(10, 11), shanghai(14, 12))  # kept from when it was made
    assert timer_of(policy) == shanghai(13, 11)


def test_all_disks_of_a_machine_get_theirs_one_after_the_other(
    account: int, machine: Instance, disk: Disk, test_clock: BusinessClock
) -> None:
    system = system_disk(machine)
    policy_of(account, system, disk)
    test_clock.set(shanghai(10, 11))
    work()
    assert sorted(made()) == sorted([(system.public_id, "daily", "NORMAL"), (disk.public_id, "daily", "NORMAL")])
    assert skips() == []


# What is left out, and why --------------------------------------------------------------------------------------------


def test_a_disk_that_is_not_used_is_left_out_and_the_next_time_tried_again(
    account: int, machine: Instance, disk: Disk, test_clock: BusinessClock
) -> None:
    free = new_disk(account)
    policy = policy_of(account, free, disk)
    stop.stop(by(account), [machine.public_id])
    work()
    held = purses(account)["held"]
    test_clock.set(shanghai(10, 11))
    work()
    assert (made(), purses(account)["held"]) == ([], held)
    assert sorted(skips()) == sorted(skips_of(one) for one in (free, disk))
    event = Event.objects.filter(kind="snapshot_skipped", subject_id=free.id).get()
    why = {"why": skips_of(free), "template": scheduled.UNUSED, "places": {"id": free.public_id}}
    assert (event.subject_kind, event.detail) == ("disk", {"policy": policy.public_id, **why})
    bound = PolicyDisk.objects.get(disk=free)
    assert (bound.last_due_at, bound.skipped) == (shanghai(10, 11), why)
    assert (timer_of(policy), PolicyDisk.objects.count()) == (shanghai(11, 11), 2)


def test_a_busy_disk_is_left_out(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    system = system_disk(machine)
    policy_of(account, system)
    Instance.objects.filter(pk=machine.pk).update(latest_operation="X", latest_operation_state="OPERATING")
    test_clock.set(shanghai(10, 11))
    work()
    assert (made(), len(skips())) == ([], 1)
    assert f"{machine.public_id} is busy with X" in skips()[0]


def test_what_is_in_arrears_is_left_out(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy_of(account, disk)
    owe(account)
    Operation.objects.filter(kind="arrears").delete()  # its stop is not due yet
    test_clock.set(shanghai(10, 11))
    work()
    assert (made(), len(skips())) == ([], 1)
    assert "arrears" in skips()[0]


def test_a_full_quota_leaves_it_out(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    quota(account, snapshots_per_region=0)
    policy_of(account, disk)
    test_clock.set(shanghai(10, 11))
    work()
    assert (made(), skips()) == ([], ["At most 0 snapshots are possible in a region, and there are 0."])


@pytest.mark.parametrize("active", [True, False])
def test_a_disk_that_is_gone_has_no_policy(
    account: int, machine: Instance, disk: Disk, test_clock: BusinessClock, active: bool
) -> None:
    """Also where the policy is off and never comes to it."""
    free, system = new_disk(account), system_disk(machine)
    policy_of(account, free, system, disk, wanted=replace(AT_ELEVEN, active=active))
    end_disks(by(account), [free.public_id])
    work()
    assert PolicyDisk.objects.count() == 3  # in the bin it may come back
    end_disks(by(account), [free.public_id])
    work()
    for _ in range(2):
        terminate.terminate(by(account), [machine.public_id])
        work()
    assert list(PolicyDisk.objects.values_list("disk_id", flat=True)) == [disk.id]  # it stays without its machine
    test_clock.set(shanghai(10, 11))
    work()
    assert (made(), skips()) == ([], [skips_of(disk)] if active else [])


# The end of what was made ---------------------------------------------------------------------------------------------


def test_a_snapshot_ends_when_its_days_are_over(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy = policy_of(account, disk)
    go_to(test_clock, shanghai(10, 11))
    policies.modify(by(account), policy.public_id, Wanted(active=False))
    by_hand = create(by(account), NewSnapshot(disk.public_id, "by hand"))
    work()
    go_to(test_clock, shanghai(12, 11) - dt.timedelta(seconds=1))
    assert made()[0][2] == "NORMAL"
    go_to(test_clock, shanghai(12, 11))
    assert [state for *_, state in made()] == ["GONE", "NORMAL"]
    assert Snapshot.objects.get(state="NORMAL").public_id == by_hand
    ended = Event.objects.get(kind="DeleteSnapshots")
    assert (ended.actor, ended.at) == ({"via": "timer"}, shanghai(12, 11))
    assert list(reconcile()) == []


def test_what_is_kept_for_good_has_no_end(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy_of(account, disk, wanted=Wanted(name="n", active=True, hours=(11,), weekdays=(2,), retention_days=0))
    test_clock.set(shanghai(10, 11))
    work()
    assert Snapshot.objects.get().delete_at is None
    assert Operation.objects.filter(kind="snapshot_retention").count() == 0


def test_what_was_deleted_by_hand_is_not_deleted_again(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy_of(account, disk, wanted=Wanted(name="n", active=True, hours=(11,), weekdays=(2,), retention_days=1))
    test_clock.set(shanghai(10, 11))
    work()
    delete(by(account), [Snapshot.objects.get().public_id])
    work()
    go_to(test_clock, shanghai(11, 11))
    assert Event.objects.filter(kind="DeleteSnapshots").count() == 1
    assert Operation.objects.filter(kind="snapshot_retention").count() == 0


def test_a_snapshot_on_which_an_image_stands_is_kept(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    once = Wanted(name="n", active=True, hours=(11,), weekdays=(2,), retention_days=1)
    policy_of(account, system_disk(machine), wanted=once)
    test_clock.set(shanghai(10, 11))
    work()
    snapshot = Snapshot.objects.get()
    image = images.of_snapshot(by(account), snapshot.public_id, NewImage("base"))
    work()
    go_to(test_clock, shanghai(11, 11))
    assert (made()[0][2], Snapshot.objects.get().delete_at) == ("NORMAL", None)
    told = Event.objects.get(kind="snapshot_stays").detail["why"]
    assert told == f"The image {image} stands on the snapshot {snapshot.public_id}; delete it first."


def test_a_timer_that_is_lost_is_told(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy = policy_of(account, disk)
    test_clock.set(shanghai(10, 11))
    work()
    assert list(reconcile()) == []
    Operation.objects.filter(kind__in=["snapshot_policy", "snapshot_retention"]).delete()
    snapshot, told = Snapshot.objects.get().public_id, list(reconcile())
    assert len(told) == 2
    assert (
        told[0].startswith("a snapshot policy is active and nothing waits for its time") and policy.public_id in told[0]
    )
    assert told[1].startswith("a snapshot is to end and nothing waits for that") and snapshot in told[1]


def test_a_snapshot_of_which_a_disk_is_being_made_ends_when_that_is_there(
    account: int, disk: Disk, test_clock: BusinessClock
) -> None:
    policy_of(account, disk, wanted=Wanted(name="n", active=True, hours=(11,), weekdays=(2,), retention_days=1))
    test_clock.set(shanghai(10, 11))
    work()
    go_to(test_clock, shanghai(11, 11) - dt.timedelta(seconds=1))
    snapshot = Snapshot.objects.get().public_id
    (new,) = buy_disks(by(account), replace(SSD, disk=replace(SSD.disk, snapshot_id=snapshot)))
    Operation.objects.filter(kind="create_disk").update(due_at=shanghai(11, 11) + dt.timedelta(seconds=1))
    test_clock.set(shanghai(11, 11))
    owner = uuid.uuid4()
    (claimed,) = [one for one in queue.claim(owner, [""], 60, 100) if one.kind == "snapshot_retention"]
    scheduled.end([claimed], owner)
    assert (made()[0][2], queue.is_due("snapshot_retention", "snapshot", claimed.subject_id)) == ("NORMAL", True)
    test_clock.advance(seconds=1)
    work()
    assert (made()[0][2], Disk.objects.get(public_id=new).state) == ("GONE", "UNATTACHED")


def test_an_operation_that_is_anothers_by_now_ends_nothing(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    """Nor makes one: the lease is what a worker works under."""
    policy = policy_of(account, disk)
    test_clock.set(shanghai(10, 11))
    work()
    test_clock.set(shanghai(12, 11))
    owner, late = uuid.uuid4(), uuid.uuid4()
    claimed = {one.kind: one for one in queue.claim(owner, [""], 60, 100)}
    with nothing_written():
        scheduled.due([claimed["snapshot_policy"]], late)
        scheduled.end([claimed["snapshot_retention"]], late)
    scheduled.due([claimed["snapshot_policy"]], owner)
    (making,) = queue.claim(owner, [""], 60, 100)
    with nothing_written():
        scheduled.make([making], late)
    scheduled.make([making], owner)
    assert made()[1:] == [(disk.public_id, "daily", "CREATING")]
    assert timer_of(policy) == shanghai(13, 11)


def test_without_money_for_an_hour_none_is_made(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy_of(account, disk)
    test_clock.set(shanghai(10, 11) - dt.timedelta(seconds=1))
    work()
    there = purses(account)
    owe(account, there["held"] * -1 - 1)  # 1 is left beside what is held
    Operation.objects.filter(kind="arrears").delete()
    Operation.objects.filter(kind="close_hour").update(due_at=shanghai(10, 12))
    test_clock.set(shanghai(10, 11))
    work()
    assert (made(), skips()) == (
        [], ["One hour of the snapshot is set aside: ¥0.02 are needed and ¥0.01 are available."],
    )  # fmt: skip


# What its owner says --------------------------------------------------------------------------------------------------


def test_a_policy_that_is_changed_is_due_as_it_says_now(account: int, test_clock: BusinessClock) -> None:
    policy = policy_of(account)
    policies.modify(by(account), policy.public_id, Wanted(hours=(15, 13), weekdays=(3,)))
    assert timer_of(policy) == shanghai(11, 13)
    policies.modify(by(account), policy.public_id, Wanted(active=False))
    assert timer_of(policy) is None
    policies.modify(by(account), policy.public_id, Wanted(active=True, name="other", retention_days=0))
    now = SnapshotPolicy.objects.get()
    assert (now.name, now.active, numbers(now.hours), numbers(now.weekdays), now.retention_days) == (
        "other", True, [13, 15], [3], 0,
    )  # fmt: skip
    assert timer_of(policy) == shanghai(11, 13)


def test_a_deleted_policy_makes_nothing_and_its_snapshots_end_as_said(
    account: int, disk: Disk, test_clock: BusinessClock
) -> None:
    policy = policy_of(account, disk)
    test_clock.set(shanghai(10, 11))
    work()
    policies.delete(by(account), [policy.public_id])
    assert (timer_of(policy), PolicyDisk.objects.count(), SnapshotPolicy.objects.count()) == (None, 0, 0)
    go_to(test_clock, shanghai(12, 11))
    assert made() == [(disk.public_id, "daily", "GONE")]


def test_an_unbound_disk_gets_none(account: int, disk: Disk, test_clock: BusinessClock) -> None:
    policy = policy_of(account, disk)
    policies.unbind(by(account), policy.public_id, [disk.public_id])
    test_clock.set(shanghai(10, 11))
    work()
    assert (made(), skips()) == ([], [])


def test_a_disk_has_one_policy(account: int, disk: Disk) -> None:
    policy, other = policy_of(account, disk), policy_of(account)
    policies.bind(by(account), policy.public_id, [disk.public_id])
    assert PolicyDisk.objects.get().policy_id == policy.id
    with refused(errors.HasSnapshotPolicy, field="disks", code="InvalidDisk.AlreadyBound"):
        policies.bind(by(account), other.public_id, [disk.public_id])
    with refused(errors.NotOfSnapshotPolicy, field="disks", code="InvalidParameterValue"):
        policies.unbind(by(account), other.public_id, [disk.public_id])


def test_a_disk_that_was_never_made_gets_none(account: int, world: World) -> None:
    world.fail("ensure_volume", times=6, transient=False, sentence="The host refused.")
    (failed,) = buy_disks(by(account), SSD)
    work()
    assert Disk.objects.get(public_id=failed).state == "FAILED"
    policy = policy_of(account)
    with refused(errors.UnknownOwnDisk, field="disks"):
        policies.bind(by(account), policy.public_id, [failed])


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted(name=""), "policy.name"),
        (Wanted(name="a" * 61), "policy.name"),
        (Wanted(name="a\nb"), "policy.name"),
        (Wanted(hours=()), "policy.0.hours"),
        (Wanted(hours=(24,)), "policy.0.hours"),
        (Wanted(weekdays=(7,)), "policy.0.weekdays"),
        (Wanted(weekdays=()), "policy.0.weekdays"),
        (Wanted(retention_days=-1), "policy.retention_days"),
        (Wanted(retention_days=65_536), "policy.retention_days"),
    ],
)
def test_what_no_policy_may_be_is_refused(account: int, wanted: Wanted, field: str) -> None:
    policy = policy_of(account)
    with refused(InvalidValue, field=field):
        policies.modify(by(account), policy.public_id, wanted)


def test_nothing_to_change_is_refused(account: int) -> None:
    policy = policy_of(account)
    with refused(MissingParameter, field="policy.name"):
        policies.modify(by(account), policy.public_id, Wanted())


def test_a_region_has_so_many_policies_as_the_quota_says(account: int) -> None:
    quota(account, snapshot_policies_per_region=1)
    policy_of(account)
    with refused(errors.TooManySnapshotPolicies, match="at most 1", code="LimitExceeded.AutoSnapshotPolicyOutOfQuota"):
        policies.create(by(account), REGION, AT_ELEVEN)
    policies.create(by(account), "ap-shanghai", AT_ELEVEN)


def test_a_policy_of_another_region_takes_no_disk(account: int, disk: Disk) -> None:
    policy = policies.create(by(account), "ap-shanghai", AT_ELEVEN)
    with refused(errors.DiskOfAnotherRegion, field="disks"):
        policies.bind(by(account), policy.public_id, [disk.public_id])


def test_anothers_are_unknown_and_each_is_named_once(account: int, disk: Disk) -> None:
    policy, stranger = policy_of(account), open_purse("stranger")
    theirs = policy_of(stranger)
    code = "InvalidAutoSnapshotPolicyId.NotFound"
    for named in (theirs.public_id, "asp-unknown0", "", "a\0b"):
        with refused(errors.UnknownSnapshotPolicy, field="policies", code=code):
            policies.delete(by(account), [policy.public_id, named])
    with refused(errors.UnknownSnapshotPolicy, field="policies"):
        policies.modify(by(account), theirs.public_id, Wanted(name="n"))
    with refused(errors.UnknownSnapshotPolicy, field="policies"):
        policies.bind(by(account), theirs.public_id, [disk.public_id])
    with refused(errors.UnknownOwnDisk, field="disks", code="InvalidDiskId.NotFound"):
        policies.bind(by(stranger), theirs.public_id, [disk.public_id])
    with refused(MissingParameter, field="policies"):
        policies.delete(by(account), [])
    with refused(InvalidParameter, field="policies"):
        policies.delete(by(account), [policy.public_id] * 2)
    with refused(InvalidParameter, field="policies", code="InvalidParameterValue.LimitExceeded"):
        policies.delete(by(account), ["asp-a"] * 101)


def test_a_dry_run_writes_nothing(account: int) -> None:
    with nothing_written():
        assert schedule.next_at(policies.create(by(account), REGION, AT_ELEVEN, dry_run=True)) == shanghai(10, 11)


# What came to light by reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "change", "then"),
    [
        (90, Wanted(permanent=False), 90),
        (0, Wanted(permanent=False), 7),
        (90, Wanted(permanent=True), 0),
        (0, Wanted(permanent=False, retention_days=30), 30),
        (90, Wanted(active=True), 90),
    ],
)
def test_how_long_what_it_makes_is_kept_changes_only_where_that_is_said(
    account: int, days: int, change: Wanted, then: int
) -> None:
    policy = policy_of(account, wanted=replace(AT_ELEVEN, retention_days=days))
    policies.modify(by(account), policy.public_id, change)
    policy.refresh_from_db()
    assert policy.retention_days == then


@pytest.mark.parametrize("change", [Wanted(name="other"), Wanted(hours=(11, 12))], ids=["name", "hours"])
def test_a_change_takes_nothing_that_is_due(
    account: int, disk: Disk, test_clock: BusinessClock, change: Wanted
) -> None:
    """Given the shop is late, then what was due is made all the same."""
    policy = policy_of(account, disk)
    test_clock.set(shanghai(10, 11) + dt.timedelta(minutes=5))
    policies.modify(by(account), policy.public_id, change)
    work()
    assert made() == [(disk.public_id, change.name or "daily", "NORMAL")]
    assert timer_of(policy) == (shanghai(11, 11) if change.hours is None else shanghai(10, 12))


def test_what_waits_for_an_earlier_time_gives_way_to_a_later_one(account: int, disk: Disk) -> None:
    """Given what was due of one policy waits still, when its disk has another by now, then that one's is made."""
    first = policy_of(account, disk)
    policies.send(first, shanghai(10, 11))
    policies.unbind(by(account), first.public_id, [disk.public_id])
    second = policy_of(account, disk, wanted=replace(AT_ELEVEN, name="hourly", hours=(12,)))
    policies.send(second, shanghai(10, 12))
    (waits,) = Operation.objects.filter(kind="scheduled_snapshot", subject_id=disk.id)
    assert (waits.due_at, waits.payload) == (shanghai(10, 12), {"policy": second.id})


@pytest.mark.parametrize("fails", [False, True], ids=["made", "failed"])
def test_an_image_that_is_not_there_yet_keeps_nothing(
    account: int, machine: Instance, test_clock: BusinessClock, world: World, monkeypatch: pytest.MonkeyPatch, *,
    fails: bool,
) -> None:  # fmt: skip
    """Given the end of a snapshot comes while an image is made of it, then it is kept where that image is made."""
    monkeypatch.setattr(scheduled, "_WAIT_S", 1.0)
    policy_of(account, system_disk(machine))
    go_to(test_clock, shanghai(10, 11))
    (snapshot,) = Snapshot.objects.all()
    test_clock.set(shanghai(12, 11) - dt.timedelta(minutes=1))
    images.of_snapshot(by(account), snapshot.public_id, NewImage("web"))
    Operation.objects.filter(kind="create_image").update(due_at=shanghai(12, 11) + dt.timedelta(minutes=1))
    if fails:
        world.fail("ensure_image_of", times=6, transient=False, sentence="The pool is full.")
    go_to(test_clock, shanghai(12, 11))
    kept = Snapshot.objects.get(pk=snapshot.pk)
    assert kept.delete_at == snapshot.created_at + dt.timedelta(days=2)
    test_clock.advance(minutes=2)
    run_until_idle(STEPS, lanes, wait=True)
    snapshot.refresh_from_db()
    kept.refresh_from_db()
    assert (snapshot.state, kept.delete_at is None) == (("GONE", False) if fails else ("NORMAL", True))
