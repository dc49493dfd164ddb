"""Given machines, when images are made of them, then machines of those have what was on them, and nobody else does."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.test_own_disks import new_disk as own_disk
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.shopper import HOURLY, LOGIN, ZONE, go_to, open_purse, owe, pay, purses, wanted, work
from tests.support.written import refused
from tests.tags import tagging
from vmart.bills.models import Charge
from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused
from vmart.orders import errors, stop, terminate
from vmart.orders import reinstall as anew
from vmart.orders import sweep as zone_sweep
from vmart.orders.images import attributes, chosen, create, delete, share
from vmart.orders.images.create import NewImage
from vmart.orders.models import EngineDrift
from vmart.orders.purchase import purchase
from vmart.orders.reinstall import Reinstall
from vmart.orders.snapshots import apply as apply_snapshot
from vmart.orders.snapshots import delete as delete_snapshots
from vmart.orders.snapshots.create import NewSnapshot
from vmart.orders.snapshots.create import create as make_snapshot
from vmart.orders.wanted import Bought, Machine
from vmart.provisioning import zones
from vmart.storage.models import Disk, ImageShare, OwnImage, Snapshot
from vmart.tags.things import IMAGE, Thing
from vmart.tags.wanted import Tag
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

PUBLIC = "img-db12k7x4"


def buy(account: int, *, image_id: str = PUBLIC, system_gib: int = 50) -> Bought:
    """Ordered, not delivered yet."""
    disk = replace(HOURLY.system_disk, size_gib=system_gib)
    return purchase(wanted(account, replace(HOURLY, system_disk=disk), machine=Machine(image_id, LOGIN)))


def buy_running(account: int, *, image_id: str = PUBLIC, system_gib: int = 50) -> Instance:
    """Delivered."""
    bought = buy(account, image_id=image_id, system_gib=system_gib)
    zones.prepare_images(ZONE)
    work()
    machine = Instance.objects.get(public_id=bought.instance_ids[0])
    assert machine.state == "RUNNING"
    return machine


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that waits for its snapshot is asked again at once."""
    monkeypatch.setattr(create, "_WAIT_S", 0.0)


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def new_image(account: int, machine: Instance, name: str = "web", **asked: bool) -> OwnImage:
    """Made."""
    public_id = create.of_machine(by(account), machine.public_id, NewImage(name, **asked))
    work()
    return OwnImage.objects.get(public_id=public_id)


def _disk(machine: Instance) -> str:
    """Its system disk."""
    return Disk.objects.get(instance_id=machine.id, usage=Disk.Usage.SYSTEM).public_id


def latest(thing: OwnImage | Instance) -> tuple[str, str, str]:
    """State, and the latest operation with its state."""
    now = type(thing).objects.get(pk=thing.pk)
    return now.state, now.latest_operation, now.latest_operation_state


def test_what_was_on_the_machine_is_on_machines_of_its_image(account: int, world: World) -> None:
    source = buy_running(account)
    world.write(_disk(source), "of the source")
    public_id = create.of_machine(
        by(account), source.public_id, NewImage("web", "with nginx", tags=(Tag("team", "a"),))
    )
    image = OwnImage.objects.get(public_id=public_id)
    assert (latest(image), latest(source)) == (
        ("CREATING", "CreateImage", "OPERATING"), ("RUNNING", "CreateSnapshot", "OPERATING"),
    )  # fmt: skip
    assert (image.name, image.description, image.zone_id, image.size_gib) == ("web", "with nginx", ZONE, 50)
    assert (image.base_id, tagging.now(account, Thing(IMAGE, public_id))) == (source.image_id, {"team": "a"})
    with refused(errors.Busy, field="machines"):
        stop.stop(by(account), [source.public_id])
    work()
    assert (latest(image), latest(source)) == (
        ("NORMAL", "CreateImage", "SUCCESS"), ("RUNNING", "CreateSnapshot", "SUCCESS"),
    )  # fmt: skip
    assert (world.own_images(), world.boots(source.public_id)) == ({public_id: "of the source"}, 1)
    snapshot = Snapshot.objects.get()
    assert (image.snapshot_id, snapshot.state, snapshot.name, snapshot.size_gib) == (snapshot.id, "NORMAL", "web", 50)
    made = buy_running(account, image_id=public_id)
    assert (made.own_image, made.image_id, world.read(_disk(made))) == (
        public_id, source.image_id, "of the source",
    )  # fmt: skip
    assert (chosen.of(made), chosen.of(source)) == (public_id, source.image_id)
    assert [event.kind for event in Event.objects.filter(subject_kind="own_image").order_by("id")] == [
        "CreateImage", "image_made",
    ]  # fmt: skip
    assert list(reconcile()) == []


@pytest.mark.parametrize(("turned_off", "boots"), [(True, 2), (False, 1)])
def test_a_machine_is_turned_off_for_it_if_its_owner_says_so_and_on_again(
    account: int, world: World, turned_off: bool, boots: int
) -> None:
    source = buy_running(account)
    new_image(account, source, turned_off=turned_off)
    assert (latest(source), world.boots(source.public_id)) == (("RUNNING", "CreateSnapshot", "SUCCESS"), boots)


def test_a_machine_that_is_off_stays_off(account: int, world: World) -> None:
    source = buy_running(account)
    stop.stop(by(account), [source.public_id])
    work()
    image = new_image(account, source, turned_off=True)
    assert (latest(image)[0], latest(source)[0], world.boots(source.public_id)) == ("NORMAL", "STOPPED", 1)


def _refused_names() -> list[tuple[NewImage, str]]:
    return [
        (NewImage(""), "image.name"), (NewImage("x" * 61), "image.name"), (NewImage("a\nb"), "image.name"),
        (NewImage("a\0"), "image.name"), (NewImage("a", "x" * 257), "image.description"),
        (NewImage("a", "\0"), "image.description"),
    ]  # fmt: skip


def test_what_cannot_be_made_is_refused_and_nothing_written(account: int) -> None:
    source = buy_running(account)
    for asked, field in _refused_names():
        with refused(InvalidValue, field=field, code="InvalidParameterValue"):
            create.of_machine(by(account), source.public_id, asked)
    stranger = open_purse("stranger", cash_minor=1000)
    with refused(errors.UnknownInstance, field="machines"):
        create.of_machine(by(stranger), source.public_id, NewImage("web"))
    new_image(account, source)
    with refused(errors.ImageNameTaken, field="image.name", code="InvalidImageName.Duplicate"):
        create.of_machine(by(account), source.public_id, NewImage("web"))
    quota(account, images_per_region=1)
    with refused(errors.TooManyImages, code="ImageQuotaLimitExceeded"):
        create.of_machine(by(account), source.public_id, NewImage("other"))
    quota(account, images_per_region=2)
    pending = Instance.objects.get(public_id=buy(account).instance_ids[0])
    with refused(errors.Busy, field="machines"):
        create.of_machine(by(account), pending.public_id, NewImage("other"))
    Zone.objects.filter(code=ZONE).update(capabilities={})
    with refused(errors.NoOwnImages, field="machines", code="UnsupportedOperation"):
        create.of_machine(by(account), source.public_id, NewImage("other"))
    zones.check(ZONE)
    owe(account)
    with refused(errors.InArrears):
        create.of_machine(by(account), source.public_id, NewImage("other"))


def test_one_that_cannot_be_made_is_told_and_its_name_is_free(account: int, world: World) -> None:
    source = buy_running(account)
    world.fail("ensure_image_of", times=6, transient=False, sentence="The pool is full.")
    image = new_image(account, source, turned_off=True)
    assert (latest(image), latest(source)) == (
        ("CREATEFAILED", "CreateImage", "FAILED"), ("RUNNING", "CreateSnapshot", "SUCCESS"),
    )  # fmt: skip
    assert "The pool is full." in OwnImage.objects.get(pk=image.pk).latest_operation_error
    assert (world.own_images(), Operation.objects.filter(subject_kind="own_image").count()) == ({}, 0)
    other = open_purse("other", cash_minor=1000)
    with refused(errors.UnknownImage, field="image_id"):
        buy(other, image_id=image.public_id)
    with refused(errors.ImageNotSold, field="image_id", code="InvalidImageId.IncorrectState"):
        buy(account, image_id=image.public_id)
    assert latest(new_image(account, source))[0] == "NORMAL"
    delete.delete(by(account), [image.public_id], with_snapshots=True)
    work()
    assert latest(image) == ("GONE", "DeleteImages", "SUCCESS")
    assert [one.state for one in Snapshot.objects.order_by("id")] == ["GONE", "NORMAL"]
    assert list(reconcile()) == []


def test_one_whose_snapshot_cannot_be_made_costs_nothing(account: int, world: World, test_clock: BusinessClock) -> None:
    source = buy_running(account)
    held = purses(account)["held"]
    world.fail("ensure_snapshot", times=6, transient=False, sentence="The pool is full.")
    image = new_image(account, source, turned_off=True)
    assert (latest(image)[0], latest(source), world.boots(source.public_id)) == (
        "CREATEFAILED", ("RUNNING", "CreateSnapshot", "SUCCESS"), 7,
    )  # fmt: skip
    assert "Its snapshot could not be made." in OwnImage.objects.get(pk=image.pk).latest_operation_error
    assert (purses(account)["held"], world.own_images()) == (held, {})
    assert list(reconcile()) == []
    delete.delete(by(account), [image.public_id], with_snapshots=True)  # as the page asks for it
    work()
    assert OwnImage.objects.get(pk=image.pk).state == "GONE"


def test_it_is_charged_as_its_snapshot_until_that_is_deleted_too(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """50 GiB of a snapshot: an hour is 50 × 0.0002 = 0.01, of which 3,540 s are charged, rounded with the machine's."""
    hour = test_clock.at
    source = buy_running(account)
    test_clock.advance(minutes=1)
    image = new_image(account, source)
    snapshot = image.snapshot
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get(component="snapshot")
    assert (charge.subscription_id, charge.duration_s) == (snapshot.id, 3540)
    assert Decimal(charge.exact_e8).scaleb(-8) == Decimal("0.00983333")
    with refused(errors.ImageStandsOnIt, field="snapshots", code="UnsupportedOperation.SnapshotHasBindedImage"):
        delete_snapshots.delete(by(account), [snapshot.public_id])
    delete.delete(by(account), [image.public_id])
    work()
    assert (latest(image)[0], Snapshot.objects.get().state, world.own_images()) == ("GONE", "NORMAL", {})
    again = create.of_snapshot(by(account), snapshot.public_id, NewImage("again"))
    work()
    delete.delete(by(account), [again], with_snapshots=True)
    work()
    assert Snapshot.objects.get().state == "GONE"
    assert list(reconcile()) == []


def test_of_a_snapshot_of_a_system_disk_alone_an_image_is_made(account: int, world: World) -> None:
    source = buy_running(account)
    world.write(_disk(source), "then")
    snapshot = make_snapshot(by(account), NewSnapshot(_disk(source)))
    with refused(errors.SnapshotBusy, field="snapshots"):
        create.of_snapshot(by(account), snapshot, NewImage("web"))
    work()
    world.write(_disk(source), "later")
    for _ in range(2):  # into the bin, and out of it
        terminate.terminate(by(account), [source.public_id])
        work()
    made = create.of_snapshot(by(account), snapshot, NewImage("web"))
    work()
    assert world.own_images() == {made: "then"}
    stranger = open_purse("stranger", cash_minor=1000)
    with refused(errors.UnknownSnapshot, field="snapshots"):
        create.of_snapshot(by(stranger), snapshot, NewImage("other"))
    disk = Disk.objects.get(pk=own_disk(account).pk)
    of_data = make_snapshot(by(account), NewSnapshot(disk.public_id))
    work()
    with refused(errors.NotOfSystemDisk, field="snapshots", code="InvalidParameter.SystemSnapshotNotFound"):
        create.of_snapshot(by(account), of_data, NewImage("other"))


def test_in_arrears_nothing_is_made_of_it_and_it_ends_with_its_snapshot(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    source, friend = buy_running(account), open_purse("friend", cash_minor=100_000)
    image = new_image(account, source)
    share.share(by(account), image.public_id, [str(friend)])
    owe(account)
    work()
    assert Snapshot.objects.get().state == "TORECYCLE"
    with refused(errors.ImageNotSold, field="image_id", match="top up"):
        buy(friend, image_id=image.public_id)
    pay(account, 100_000)
    work()
    assert buy_running(friend, image_id=image.public_id).own_image == image.public_id
    owe(account)
    work()
    go_to(test_clock, test_clock.at + dt.timedelta(days=40))
    assert (Snapshot.objects.get().state, latest(image)[0], ImageShare.objects.count()) == ("GONE", "GONE", 0)
    assert world.own_images() == {}


@pytest.mark.parametrize("nth", [1, 2])
def test_a_lost_answer_makes_one_image(account: int, world: World, nth: int) -> None:
    source = buy_running(account)
    world.lose_answer("ensure_image_of", times=nth)
    image = new_image(account, source)
    assert (latest(image)[0], list(world.own_images()), world.armed_count()) == ("NORMAL", [image.public_id], 0)


def test_the_machines_end_meanwhile_leaves_no_half_image(account: int, world: World, test_clock: BusinessClock) -> None:
    """Given an image on its way, when its machine has vanished from the engine, then it failed, and says why."""
    source = buy_running(account)
    public_id = create.of_machine(by(account), source.public_id, NewImage("web"))
    world.remove_machine(source.public_id)
    work()
    image = OwnImage.objects.get(public_id=public_id)
    assert (image.state, "Its snapshot could not be made." in image.latest_operation_error) == ("CREATEFAILED", True)


def test_a_machine_needs_a_system_disk_as_large_as_the_image(account: int) -> None:
    source = buy_running(account, system_gib=60)
    image = new_image(account, source)
    with refused(InvalidParameter, field="system_disk.size_gib", match="at least 60 GiB"):
        buy(account, image_id=image.public_id)
    small = buy_running(account)
    with refused(errors.SystemDiskTooSmall, field="image_id", match="at least 60 GiB"):
        anew.reinstall(by(account), small.public_id, Reinstall(image.public_id))
    assert buy_running(account, image_id=image.public_id, system_gib=60).own_image == image.public_id


def test_it_is_in_its_zone_only_and_nobody_elses(account: int) -> None:
    image = new_image(account, buy_running(account))
    with refused(errors.ImageNotSold, field="image_id", code="InvalidImageId.NotFound", match=f"is in {ZONE}"):
        chosen.choose(shop.current(), account, "ap-guangzhou-3", image.public_id)
    for image_id in (image.public_id, "img-nothing0", "img-\0", ""):
        with refused(errors.UnknownImage, field="image_id"):
            chosen.choose(shop.current(), account + 1, ZONE, image_id)
    public = chosen.choose(shop.current(), account + 1, ZONE, PUBLIC)
    assert (public.public_id, public.own_id, public.name) == (PUBLIC, "", "Debian 12 64-bit")


def test_a_machine_is_installed_anew_from_it_and_from_its_own_again(account: int, world: World) -> None:
    source, other = buy_running(account), buy_running(account)
    world.write(_disk(source), "of the source")
    image = new_image(account, source)
    anew.reinstall(by(account), other.public_id, Reinstall(image.public_id))
    with refused(errors.ImageBusy, field="images", match=other.public_id):
        delete.delete(by(account), [image.public_id])
    work()
    now = Instance.objects.get(pk=other.pk)
    assert (now.own_image, now.image_id, world.read(_disk(now))) == (
        image.public_id, source.image_id, "of the source",
    )  # fmt: skip
    world.write(_disk(other), "later")
    anew.reinstall(by(account), other.public_id, Reinstall())
    work()
    assert world.read(_disk(other)) == "of the source"
    anew.reinstall(by(account), other.public_id, Reinstall(PUBLIC))
    work()
    assert (Instance.objects.get(pk=other.pk).own_image, world.read(_disk(other))) == ("", "")


def test_a_restored_system_disk_has_the_image_of_then(account: int, world: World) -> None:
    """Given a snapshot of before, when the machine was installed anew from an image and gets it back, then not that."""
    source, other = buy_running(account), buy_running(account)
    before = make_snapshot(by(account), NewSnapshot(_disk(other)))
    work()
    image = new_image(account, source)
    anew.reinstall(by(account), other.public_id, Reinstall(image.public_id))
    work()
    of_image = make_snapshot(by(account), NewSnapshot(_disk(other)))
    work()
    stop.stop(by(account), [other.public_id])
    work()
    assert Instance.objects.get(pk=other.pk).own_image == image.public_id
    for snapshot, own_image in ((before, ""), (of_image, image.public_id)):
        apply_snapshot.apply(by(account), snapshot, _disk(other))
        work()
        assert Instance.objects.get(pk=other.pk).own_image == own_image


def test_a_strangers_images_stand_behind_the_accounts_own_and_say_whose(account: int) -> None:
    stranger = open_purse("stranger", cash_minor=100_000)
    mine = new_image(account, buy_running(account))
    theirs = new_image(stranger, buy_running(stranger))
    share.share(by(stranger), theirs.public_id, [str(account)])
    found = chosen.own_in(shop.snapshot(), account, ZONE)
    assert [(one.public_id, one.shared_by) for one in found] == [(mine.public_id, 0), (theirs.public_id, stranger)]


def test_machines_outlive_their_image_and_it_its_machine(account: int, world: World) -> None:
    source = buy_running(account)
    image = new_image(account, source)
    made = buy_running(account, image_id=image.public_id)
    terminate.terminate(by(account), [source.public_id])
    delete.delete(by(account), [image.public_id])
    assert latest(image) == ("DELETING", "DeleteImages", "OPERATING")
    with refused(errors.UnknownImage, field="image_id"):
        buy(account, image_id=image.public_id)
    work()
    assert (latest(image), world.own_images()) == (("GONE", "DeleteImages", "SUCCESS"), {})
    assert latest(made)[0] == "RUNNING"
    with refused(errors.UnknownImage, field="image_id"):  # its own system is no more to be had
        anew.reinstall(by(account), made.public_id, Reinstall())
    anew.reinstall(by(account), made.public_id, Reinstall(PUBLIC))
    work()
    assert (latest(made)[0], chosen.of(Instance.objects.get(pk=made.pk))) == ("RUNNING", PUBLIC)
    assert list(reconcile()) == []


def test_what_is_being_made_of_it_keeps_it(account: int) -> None:
    image = new_image(account, buy_running(account))
    bought = buy(account, image_id=image.public_id)
    with refused(errors.ImageBusy, field="images", match=bought.instance_ids[0]):
        delete.delete(by(account), [image.public_id])
    work()
    delete.delete(by(account), [image.public_id])


def test_what_cannot_be_deleted_is_refused(account: int) -> None:
    source = buy_running(account)
    image, here = new_image(account, source), by(account)
    cases: list[tuple[list[str], type[Refused], str]] = [
        ([], MissingParameter, "MissingParameter"),
        ([image.public_id] * 2, InvalidParameter, "InvalidParameter"),
        ([f"img-{n}" for n in range(51)], InvalidParameter, "InvalidParameterValueLimit"),
        (["img-nothing0"], errors.UnknownImage, "InvalidImageId.NotFound"),
        (["img-\0"], errors.UnknownImage, "InvalidImageId.NotFound"),
        ([image.public_id, PUBLIC], errors.NotImageOwner, "UnsupportedOperation.SharedImageModifyUnsupported"),
    ]
    for images, error, code in cases:
        with refused(error, field="images", code=code):
            delete.delete(here, images)
    making = create.of_machine(here, source.public_id, NewImage("second"))
    with refused(errors.ImageBusy, field="images", code="InvalidParameterValue.InvalidImageState"):
        delete.delete(here, [making])
    friend = open_purse("friend", cash_minor=1000)
    share.share(here, image.public_id, [str(friend)])
    with refused(errors.ImageShared, field="images", code="InvalidImageId.InShared"):
        delete.delete(here, [image.public_id])
    with refused(errors.NotImageOwner, field="images"):
        delete.delete(by(friend), [image.public_id])


def test_it_is_renamed_at_once(account: int) -> None:
    source = buy_running(account)
    image, here = new_image(account, source), by(account)
    new_image(account, source, "taken")
    attributes.modify(here, image.public_id, name="shop", description="with a shop")
    attributes.modify(here, image.public_id, name="shop")  # nothing changes
    now = OwnImage.objects.get(pk=image.pk)
    assert (now.name, now.description) == ("shop", "with a shop")
    assert Event.objects.filter(kind="ModifyImageAttribute").count() == 1
    with refused(errors.ImageNameTaken, field="image.name"):
        attributes.modify(here, image.public_id, name="taken")
    with refused(MissingParameter, field="image.name"):
        attributes.modify(here, image.public_id)
    for asked, field in _refused_names():
        with refused(InvalidValue, field=field):
            attributes.modify(here, image.public_id, name=asked.name, description=asked.description)


def test_an_account_with_whom_it_is_shared_makes_machines_of_it(account: int, world: World) -> None:
    source, friend = buy_running(account), open_purse("friend", cash_minor=100_000)
    world.write(_disk(source), "of the source")
    image = new_image(account, source)
    with refused(errors.UnknownImage, field="image_id"):
        buy(friend, image_id=image.public_id)
    share.share(by(account), image.public_id, [str(friend)])
    share.share(by(account), image.public_id, [str(friend)])
    made = buy_running(friend, image_id=image.public_id)
    assert (made.account_id, world.read(_disk(made))) == (friend, "of the source")
    with refused(errors.NotImageOwner, field="images"):
        attributes.modify(by(friend), image.public_id, name="mine")
    share.unshare(by(account), image.public_id, [str(friend), str(account)])
    assert ImageShare.objects.count() == 0
    with refused(errors.UnknownImage, field="image_id"):
        buy(friend, image_id=image.public_id)
    told = Event.objects.filter(kind="ModifyImageSharePermission").order_by("id").values_list("detail", flat=True)
    assert list(told) == [{"shared": [friend]}, {"unshared": [friend]}]
    assert latest(made)[0] == "RUNNING"


def test_with_whom_it_cannot_be_shared_is_refused(account: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = buy_running(account)
    image, here = new_image(account, source), by(account)
    for accounts, error, code in (
        ([], MissingParameter, "MissingParameter"),
        (["7"] * 51, InvalidParameter, "InvalidParameterValueLimit"),
        ([str(account)], errors.SharedWithOneself, "InvalidAccountIs.YourSelf"),
        (["999999"], errors.UnknownAccount, "InvalidAccountId.NotFound"),
        (["٣"], errors.UnknownAccount, "InvalidAccountId.NotFound"),
        (["9" * 30], errors.UnknownAccount, "InvalidAccountId.NotFound"),
    ):
        with refused(error, field="accounts", code=code):
            share.share(here, image.public_id, accounts)
    making = create.of_machine(here, source.public_id, NewImage("second"))
    friends = [str(open_purse(f"friend {n}")) for n in range(2)]
    with refused(errors.ImageBusy, field="images", code="InvalidImageId.IncorrectState"):
        share.share(here, making, friends)
    monkeypatch.setattr(share, "SHARES_MAX", 1)
    with refused(errors.TooManyShares, field="accounts", code="OverQuota"):
        share.share(here, image.public_id, friends)


def test_the_sweep_tells_what_is_missing_and_what_nobody_knows(account: int, world: World) -> None:
    source = buy_running(account)
    image = new_image(account, source)
    world.remove_own_image(image.public_id)
    engine = zone_sweep.engine_of(ZONE)
    engine.ensure_image_of("img-stranger", image.snapshot.public_id, "root")  # type: ignore[attr-defined]
    zone_sweep.sweep(ZONE)
    assert sorted(EngineDrift.objects.values_list("kind", "name")) == [
        ("missing", image.public_id), ("unknown", "img-stranger"),
    ]  # fmt: skip
    assert [line for line in reconcile() if "img-" in line] == [
        f"an image of ours is on the engine of {ZONE} and nobody's: img-stranger",
        f"{image.public_id} is NORMAL and the engine of {ZONE} does not have it",
    ]


def test_the_sweep_removes_what_was_deleted(account: int, world: World) -> None:
    source = buy_running(account)
    image = new_image(account, source)
    delete.delete(by(account), [image.public_id])
    work()
    engine = zone_sweep.engine_of(ZONE)
    engine.ensure_image_of(image.public_id, image.snapshot.public_id, "root")  # type: ignore[attr-defined]
    assert [(drift.kind, drift.name) for drift in zone_sweep.sweep(ZONE)] == [("orphan", image.public_id)]
    assert world.own_images() == {}


def test_the_system_disk_of_now_is_the_images_size(account: int) -> None:
    source = buy_running(account)
    Disk.objects.filter(instance_id=source.id).update(size_gib=70)
    assert new_image(account, source).size_gib == 70
