"""Given a customer, then pages make snapshots of disks, tell of them, and do with them what the API does."""

import datetime as dt

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import owe, purses
from tests.support.written import nothing_written
from tests.web.test_disks import _machine, _new
from tests.web.visiting import Form, Visitor, customer, text_of, work
from vmart.catalog.models import Zone
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.orders.snapshots import policies
from vmart.orders.snapshots.policies import Wanted
from vmart.pages import local_time
from vmart.storage.models import Disk, Snapshot


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _made(visitor: Visitor, disk: Disk, name: str = "") -> Snapshot:
    """On the page, and there."""
    page = visitor.get(f"/snapshots/new/?disk={disk.public_id}")
    answer = visitor.post("/snapshots/new/", Form(page.content.decode(), "/snapshots/new/").data | {"name": name})
    snapshot = Snapshot.objects.latest("id")
    assert answer["Location"] == f"/snapshots/{snapshot.public_id}/", text_of(answer)
    work()
    return Snapshot.objects.get(pk=snapshot.pk)


def test_one_is_made_at_the_price_that_is_shown(visitor: Visitor) -> None:
    assert "You have no snapshot yet." in text_of(visitor.get("/snapshots/"))
    disk = _new(visitor)
    assert f"/snapshots/new/?disk={disk.public_id}" in visitor.get(f"/disks/{disk.public_id}/").content.decode()
    page = text_of(visitor.get(f"/snapshots/new/?disk={disk.public_id}"))
    assert "An hour ¥0.02 Set aside ¥0.02" in page
    snapshot = _made(visitor, disk, "before")
    assert (snapshot.name, snapshot.state, purses(visitor.account_id)["held"]) == ("before", "NORMAL", 14 + 2)
    page = text_of(visitor.get(f"/snapshots/{snapshot.public_id}/"))
    assert all(words in page for words in ("State Ready", "Size 100 GiB", "An hour ¥0.02", disk.public_id))
    row = text_of(visitor.get("/snapshots/"))
    assert all(words in row for words in (snapshot.public_id, "before", "Ready", "100 GiB"))
    assert "before" in visitor.get("/snapshots/?as=csv").getvalue().decode()
    assert "before" not in text_of(visitor.get("/snapshots/?state=CREATING"))


def test_another_price_is_shown_first(visitor: Visitor) -> None:
    disk = _new(visitor)
    with nothing_written():
        answer = visitor.post("/snapshots/new/", {"disk": disk.public_id, "hourly": "9", "name": ""})
    assert "An hour ¥0.02" in text_of(answer)
    assert visitor.get("/snapshots/new/?disk=disk-unknown0").status_code == 404


def test_what_the_act_refuses_stands_on_the_form(visitor: Visitor) -> None:
    disk = _new(visitor)
    zone = Zone.objects.get(code=disk.zone_id)
    Zone.objects.filter(code=zone.code).update(capabilities=zone.capabilities | {"snapshots": False})
    page = visitor.get(f"/snapshots/new/?disk={disk.public_id}")
    with nothing_written():
        answer = visitor.post("/snapshots/new/", Form(page.content.decode(), "/snapshots/new/").data)
    assert answer.status_code == 422
    assert "its storage cannot copy a disk at one instant" in text_of(answer)


def test_it_is_given_back_to_its_disk(visitor: Visitor, world: World) -> None:
    disk = _new(visitor)
    world.write(disk.public_id, "first")
    snapshot = _made(visitor, disk)
    world.write(disk.public_id, "second")
    page = text_of(visitor.get(f"/snapshots/{snapshot.public_id}/restore/"))
    assert f"What is on the disk {disk.public_id} now is lost" in page
    visitor.post(f"/snapshots/{snapshot.public_id}/restore/", {})
    assert "Being restored" in text_of(visitor.get(f"/snapshots/{snapshot.public_id}/"))
    work()
    assert world.read(disk.public_id) == "first"
    assert "Disk restored from a snapshot" in text_of(visitor.get(f"/disks/{disk.public_id}/"))


def test_a_machine_that_runs_is_stopped_first(visitor: Visitor) -> None:
    machine = _machine(visitor)
    disk = Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK")
    page = visitor.get(f"/machines/{machine.public_id}/").content.decode()
    assert f"/snapshots/new/?disk={disk.public_id}" in page
    snapshot = _made(visitor, disk)
    page = text_of(visitor.get(f"/snapshots/{snapshot.public_id}/restore/"))
    assert "is running and uses" in page
    assert "now is lost" not in page
    visitor.post(f"/machines/{machine.public_id}/stop/", {})
    work()
    page = text_of(visitor.get(f"/snapshots/{snapshot.public_id}/restore/"))
    assert "stays off; start it when the disk is restored. Its login is the one of then." in page
    visitor.post(f"/snapshots/{snapshot.public_id}/restore/", {})
    work()
    now = Instance.objects.get(pk=machine.pk)
    assert (now.state, now.latest_operation, now.latest_operation_state) == ("STOPPED", "ApplySnapshot", "SUCCESS")


def test_a_new_disk_holds_what_it_holds(visitor: Visitor, world: World) -> None:
    disk = _new(visitor)
    world.write(disk.public_id, "first")
    snapshot = _made(visitor, disk)
    address = f"/disks/new/?zone={disk.zone_id}&amp;type=CLOUD_SSD&amp;size=100&amp;count=1&amp;name=&amp;snapshot="
    assert address + snapshot.public_id in visitor.get(f"/snapshots/{snapshot.public_id}/").content.decode()
    made = _new(visitor, f"zone={disk.zone_id}&type=CLOUD_SSD&size=100&count=1&name=&snapshot={snapshot.public_id}")
    assert (made.snapshot_id, world.read(made.public_id)) == (snapshot.public_id, "first")
    asked = f"/disks/new/?zone={disk.zone_id}&type=CLOUD_SSD&size=20&count=1&name=&snapshot={snapshot.public_id}"
    form = Form(visitor.get(asked).content.decode(), "/disks/new/").data
    answer = visitor.post("/disks/new/", form)
    assert (answer.status_code, "has at least 100 GiB" in text_of(answer)) == (422, True)


def test_it_is_renamed_and_deleted(visitor: Visitor, world: World) -> None:
    snapshot = _made(visitor, _new(visitor))
    visitor.post(f"/snapshots/{snapshot.public_id}/", {"name": "other"})
    assert Snapshot.objects.get().name == "other"
    assert visitor.post(f"/snapshots/{snapshot.public_id}/", {"name": "two\nlines"}).status_code == 422
    assert "Nothing brings it back" in text_of(visitor.get(f"/snapshots/{snapshot.public_id}/delete/"))
    visitor.post(f"/snapshots/{snapshot.public_id}/delete/", {})
    assert "Being deleted" in text_of(visitor.get(f"/snapshots/{snapshot.public_id}/"))
    work()
    assert world.snapshot(snapshot.public_id) is None
    assert visitor.get(f"/snapshots/{snapshot.public_id}/").status_code == 404


def test_its_end_is_typed_shown_and_taken_away(visitor: Visitor, test_clock: BusinessClock) -> None:
    snapshot = _made(visitor, _new(visitor))
    address = f"/snapshots/{snapshot.public_id}/"
    ends = local_time.text(test_clock.at + dt.timedelta(days=3))
    visitor.post(address, {"name": "web", "delete_at": ends})
    snapshot.refresh_from_db()
    assert (snapshot.name, snapshot.delete_at) == ("web", test_clock.at + dt.timedelta(days=3))
    page = visitor.get(address)
    assert "Deleted by itself 2026-03-13 10:00:00" in text_of(page) and f'value="{ends}"' in page.content.decode()
    for wrong in ("soon", local_time.text(test_clock.at)):
        assert visitor.post(address, {"name": "web", "delete_at": wrong}).status_code == 422
    visitor.post(address, {"name": "other"})  # what is not said is no "never"
    snapshot = Snapshot.objects.get()
    assert (snapshot.name, snapshot.delete_at) == ("other", test_clock.at + dt.timedelta(days=3))
    visitor.post(address, {"name": "web", "delete_at": ""})
    snapshot.refresh_from_db()
    assert snapshot.delete_at is None


def test_in_arrears_it_says_until_when_it_is_kept(visitor: Visitor, test_clock: BusinessClock) -> None:
    snapshot = _made(visitor, _new(visitor))
    owe(visitor.account_id)
    test_clock.advance(hours=2)
    work()
    page = text_of(visitor.get(f"/snapshots/{snapshot.public_id}/"))
    assert "State Kept for arrears" in page
    assert "It is deleted at" in page


def test_why_none_was_made_is_said_in_the_readers_language(visitor: Visitor, test_clock: BusinessClock) -> None:
    disk, actor = _new(visitor), by(visitor.account_id)
    daily = Wanted(name="daily", active=True, hours=(11,), weekdays=(2,), retention_days=2)
    policies.bind(actor, policies.create(actor, "ap-guangzhou", daily).public_id, [disk.public_id])
    test_clock.advance(hours=1)
    work()
    address = f"/disks/{disk.public_id}/"
    unused = f"The disk {disk.public_id} is not used: it is at no machine, or its machine is off."
    assert f"Its scheduled snapshot was not made {unused}" in text_of(visitor.get(address))
    for page in (address, "/activity/"):
        chinese = text_of(visitor.get(page, headers={"accept-language": "zh-CN"}))
        assert f"云硬盘 {disk.public_id} 未在使用：未挂载到机器，或其机器已关机。" in chinese


def test_it_says_which_policy_made_it_and_when_it_ends(visitor: Visitor, test_clock: BusinessClock) -> None:
    """The clock stands at 10:00 in the shop's zone."""
    machine, actor = _machine(visitor), by(visitor.account_id)
    disk = Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK")
    daily = Wanted(name="daily", active=True, hours=(11,), weekdays=(2,), retention_days=2)
    policy = policies.create(actor, "ap-guangzhou", daily).public_id
    policies.bind(actor, policy, [disk.public_id])
    test_clock.advance(hours=1)
    work()
    page = text_of(visitor.get(f"/snapshots/{Snapshot.objects.get().public_id}/"))
    assert f"Made by the snapshot policy {policy} Deleted by itself 2026-03-12 11:00" in page
    by_hand = _made(visitor, disk)
    assert "Made by the snapshot policy" not in text_of(visitor.get(f"/snapshots/{by_hand.public_id}/"))
