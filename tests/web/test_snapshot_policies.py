"""Given a customer, then pages make snapshot policies, bind disks to them, and say what became of their last time."""

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.written import nothing_written
from tests.web.test_disks import _machine, _new
from tests.web.visiting import Visitor, customer, text_of, work
from vmart.instances.models import Instance
from vmart.orders.snapshots import policies
from vmart.orders.snapshots.policies import Wanted
from vmart.storage.models import Disk, Snapshot
from vmart.storage.policies import PolicyDisk, SnapshotPolicy, numbers

LIST = "/snapshots/policies/"
TYPED = {"name": "nightly", "region": "ap-guangzhou", "weekdays": ["2", "5"], "hours": ["3", "11"], "days": "14"}
EVERY_DAY = tuple(range(7))


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _policy(visitor: Visitor, *disks: Disk, hours: tuple[int, ...] = (11,)) -> SnapshotPolicy:
    """Of every day; the clock stands at 10:00 on a Tuesday in the shop's zone."""
    wanted = Wanted(name="daily", active=True, hours=hours, weekdays=EVERY_DAY, retention_days=2)
    made = policies.create(by(visitor.account_id), "ap-guangzhou", wanted)
    if disks:
        policies.bind(by(visitor.account_id), made.public_id, [disk.public_id for disk in disks])
    return made


def _system_disk(machine: Instance) -> Disk:
    return Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK")


def test_one_is_made_as_it_is_typed(visitor: Visitor) -> None:
    assert f'href="{LIST}"' in visitor.get("/snapshots/").content.decode()
    page = text_of(visitor.get(LIST))
    assert "You have no snapshot policy yet." in page
    assert "Its hours are those of Asia/Shanghai." in page
    answer = visitor.post(LIST, TYPED)
    made = SnapshotPolicy.objects.get()
    assert answer["Location"] == f"{LIST}{made.public_id}/"
    assert (made.name, made.region_id, made.active, made.retention_days) == ("nightly", "ap-guangzhou", True, 14)
    assert (numbers(made.weekdays), numbers(made.hours)) == ([2, 5], [3, 11])
    page = text_of(visitor.get(f"{LIST}{made.public_id}/"))
    assert "When Tue, Fri 03:00, 11:00 Next time 2026-03-10 11:00:00 Kept 14 days" in page
    row = text_of(visitor.get(LIST))
    assert f"nightly {made.public_id} On Tue, Fri 03:00, 11:00 14 days 0" in row
    assert made.public_id not in text_of(visitor.get(f"{LIST}?q=weekly"))


def test_no_days_are_until_it_is_deleted(visitor: Visitor) -> None:
    visitor.post(LIST, TYPED | {"days": "", "weekdays": [str(day) for day in EVERY_DAY]})
    made = SnapshotPolicy.objects.get()
    assert made.retention_days == 0
    page = visitor.get(f"{LIST}{made.public_id}/")
    assert "When Every day 03:00, 11:00" in text_of(page)
    assert "Kept Until you delete it" in text_of(page)
    assert 'name="days"' in page.content.decode()
    assert 'value="0"' not in page.content.decode().partition('name="days"')[2].partition(">")[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "The name of a snapshot policy has 1 to 60 characters on one line."),
        ({"hours": []}, "Name at least one hour of the day, each 0 to 23."),
        ({"weekdays": []}, "Name at least one day of the week, each 0 (Sunday) to 6."),
        ({"days": "65536"}, "A snapshot is kept for 1 to 65535 days, or for good."),
        ({"days": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"hours": ["24"]}, "Select a valid choice. 24 is not one of the available choices."),
        ({"region": "ap-nowhere"}, "There is no region ap-nowhere."),
    ],
)
def test_what_is_refused_stands_on_the_form(visitor: Visitor, changed: dict[str, object], said: str) -> None:
    with nothing_written():
        answer = visitor.post(LIST, TYPED | changed)
    assert (answer.status_code, said in text_of(answer)) == (422, True)


def test_as_many_as_the_quota_says(visitor: Visitor) -> None:
    quota(visitor.account_id, snapshot_policies_per_region=0)
    with nothing_written():
        answer = visitor.post(LIST, TYPED)
    assert "An account has at most 0 snapshot policies in a region" in text_of(answer)


def test_it_is_changed_and_turned_off_and_on(visitor: Visitor) -> None:
    policy = _policy(visitor)
    address = f"{LIST}{policy.public_id}/"
    assert visitor.post(address, {"name": "weekly", "weekdays": ["0"], "hours": ["5"], "days": ""}).status_code == 302
    now = SnapshotPolicy.objects.get()
    assert (now.name, numbers(now.weekdays), numbers(now.hours), now.retention_days) == ("weekly", [0], [5], 0)
    visitor.post(f"{address}switch/", {"active": "0"})
    assert SnapshotPolicy.objects.get().active is False
    page = text_of(visitor.get(address))
    assert "State Off Turn on" in page
    assert "Next time —" in page
    visitor.post(f"{address}switch/", {"active": "1"})
    assert SnapshotPolicy.objects.get().active is True
    with nothing_written():
        answer = visitor.post(address, {"name": "", "weekdays": ["0"], "hours": ["5"], "days": ""})
    assert (answer.status_code, "has 1 to 60 characters" in text_of(answer)) == (422, True)


def test_disks_are_bound_and_taken_away(visitor: Visitor) -> None:
    policy, disk, machine = _policy(visitor), _new(visitor), _machine(visitor)
    address, system = f"{LIST}{policy.public_id}/", _system_disk(machine)
    offered = visitor.get(address).content.decode()
    assert all(f'<option value="{one.public_id}">' in offered for one in (disk, system))
    for one in (disk, system):
        assert visitor.post(f"{address}bind/", {"disk": f" {one.public_id} "})["Location"] == address
    page = visitor.get(address)
    assert f"System disk {system.public_id} web {machine.public_id} — Take away" in text_of(page)
    assert f'<option value="{disk.public_id}">' not in page.content.decode()
    of_disk = visitor.get(f"/disks/{disk.public_id}/").content.decode()
    assert f'<a href="{address}">daily</a>' in of_disk
    visitor.post(f"{address}unbind/", {"disk": disk.public_id})
    assert [bound.disk_id for bound in PolicyDisk.objects.all()] == [system.id]
    assert f'href="{LIST}"' in visitor.get(f"/disks/{disk.public_id}/").content.decode()
    with nothing_written():
        answer = visitor.post(f"{address}bind/", {"disk": "disk-unknown0"})
    assert (answer.status_code, "The disk disk-unknown0 does not exist." in text_of(answer)) == (422, True)
    with nothing_written():
        visitor.post(f"{address}unbind/", {"disk": disk.public_id})
    assert f"The disk {disk.public_id} is not bound to the snapshot policy" in text_of(visitor.get(address))


def test_what_became_of_the_last_time_is_said(visitor: Visitor, test_clock: BusinessClock) -> None:
    """Of a machine's disk too, which has no page of its own; in the reader's language."""
    machine, free = _machine(visitor), _new(visitor)
    system = _system_disk(machine)
    policy = _policy(visitor, system, free)
    address, of_machine = f"{LIST}{policy.public_id}/", f"/machines/{machine.public_id}/"
    test_clock.advance(hours=1)
    work()
    assert Snapshot.objects.get().disk_id == system.id
    why = f"The disk {free.public_id} is not used: it is at no machine, or its machine is off."
    page = text_of(visitor.get(address))
    assert "2026-03-10 11:00:00 Made" in page
    assert f"2026-03-10 11:00:00 Not made: {why}" in page
    assert "Snapshot policy daily" in text_of(visitor.get(of_machine))
    assert "No snapshot at" not in text_of(visitor.get(of_machine))
    visitor.post(f"{of_machine}stop/", {})
    work()
    test_clock.advance(days=1)
    work()
    why = f"The disk {system.public_id} is not used: it is at no machine, or its machine is off."
    assert f"No snapshot at 2026-03-11 11:00:00 : {why}" in text_of(visitor.get(of_machine))
    chinese = {"accept-language": "zh-CN"}
    said = f"云硬盘 {system.public_id} 未在使用：未挂载到机器，或其机器已关机。"
    assert f"2026-03-11 11:00:00 未创建快照： {said}" in text_of(visitor.get(of_machine, headers=chinese))
    assert f"未创建成功: {said}" in text_of(visitor.get(address, headers=chinese))


def test_a_snapshots_page_leads_to_the_policy_while_that_is_there(visitor: Visitor, test_clock: BusinessClock) -> None:
    machine = _machine(visitor)
    policy = _policy(visitor, _system_disk(machine))
    test_clock.advance(hours=1)
    work()
    address, of_snapshot = f"{LIST}{policy.public_id}/", f"/snapshots/{Snapshot.objects.get().public_id}/"
    assert f'href="{address}"' in visitor.get(of_snapshot).content.decode()
    page = text_of(visitor.get(f"{address}delete/"))
    assert "1 disk has no snapshot policy then. Snapshots that it made stay" in page
    assert visitor.post(f"{address}delete/", {})["Location"] == LIST
    assert (SnapshotPolicy.objects.count(), PolicyDisk.objects.count(), Snapshot.objects.count()) == (0, 0, 1)
    assert f'href="{address}"' not in visitor.get(of_snapshot).content.decode()
    assert visitor.get(address).status_code == 404
