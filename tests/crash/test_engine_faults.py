"""Given the n-th call of an engine goes wrong, for n = 1, 2, 3, … as far as an act has calls, then it ends as without.

Four ways to go wrong: a passing fault, a refusal, an answer that is lost after the work was done, and an
engine that is away from then on until everybody has given up. Each act goes undisturbed first.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from tests.instances.test_key_pairs import ED25519
from tests.support.actors import by
from tests.support.outcome import outcome
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse, owe, pay, purses, wanted, work
from tests.support.systems import archive
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.events.actor import Actor
from vmart.instances import key_pairs
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import clock, outward
from vmart.network.models import Eip, Package
from vmart.orders import (
    attributes,
    bandwidth,
    bind_keys,
    grow_disk,
    move,
    reboot,
    reclaim,
    reinstall,
    rescue,
    reset_password,
    resize,
    start,
    stop,
    sweep,
    terminate,
)
from vmart.orders.addresses import bandwidth as address_bandwidth
from vmart.orders.addresses import mode as address_mode
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.disassociate import disassociate
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.disks.detach import detach
from vmart.orders.disks.grow import grow
from vmart.orders.disks.terminate import terminate as end_disks
from vmart.orders.grow_disk import Growth
from vmart.orders.images import create as images
from vmart.orders.images import delete as delete_images
from vmart.orders.images import import_image
from vmart.orders.images.create import NewImage
from vmart.orders.images.import_image import NewImport
from vmart.orders.own_network import DEFAULT_NETWORK
from vmart.orders.packages import bandwidth as package_bandwidth
from vmart.orders.packages import members
from vmart.orders.packages.create import NewPackages
from vmart.orders.packages.create import create as create_packages
from vmart.orders.purchase import purchase
from vmart.orders.reinstall import Reinstall
from vmart.orders.snapshots.apply import apply
from vmart.orders.snapshots.create import NewSnapshot
from vmart.orders.snapshots.create import create as make_snapshot
from vmart.orders.snapshots.delete import delete
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.package import PackagePart
from vmart.provisioning import zones
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk, OwnImage, Snapshot
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]

ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
SPOT = replace(HOURLY, charge_type="SPOTPAID", instance_type="S5.SMALL1")
BY_HOUR = replace(ONLINE, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR")
BY_TRAFFIC = replace(MONTHLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
BY_MONTH = replace(BY_TRAFFIC, internet_charge_type="BANDWIDTH_PREPAID")
FUNDS_MINOR = 100_000
STAYING = (DiskChoice("CLOUD_SSD", 100, delete_with_instance=False),)
KEEPING, KEEPING_IN_TERM = replace(HOURLY, data_disks=STAYING), replace(MONTHLY, data_disks=STAYING)


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that waits for its snapshot is asked again at once."""
    monkeypatch.setattr(images, "_WAIT_S", 0.0)


@pytest.fixture(autouse=True)
def fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported comes at once."""
    monkeypatch.setattr(outward, "fetch", lambda *_, **__: nullcontext((0, iter([archive()]))))


def _buyer() -> int:
    return open_purse(f"buyer-{uuid.uuid4().hex[:8]}", cash_minor=FUNDS_MINOR)


def _bought(configuration: Any) -> int:
    account = _buyer()
    purchase(wanted(account, configuration))
    return account


def _asked(configuration: Any, *acts: Callable[[Actor, list[str]], None]) -> int:
    """A machine that all but the last act are done with."""
    account = _buyer()
    machine = buy_running(account, configuration)
    for act in acts:
        work()
        act(by(account), [machine.public_id])
    return account


def _keeping(*acts: Callable[[Actor, list[str]], None], configuration: Any = KEEPING) -> int:
    """A machine with a data disk that stays."""
    zones.check(ZONE)
    return _asked(configuration, *acts)


def _in_arrears(actor: Actor, names: list[str]) -> None:
    owe(actor.account)


def _paid(actor: Actor, names: list[str]) -> None:
    pay(actor.account, 100)


def _stop_without_charge(actor: Actor, names: list[str]) -> None:
    stop.stop(actor, names, stopped_mode=stop.STOP_CHARGING)


def _reset_password(actor: Actor, names: list[str]) -> None:
    reset_password.generate(actor, names[0])


def _bind(actor: Actor, names: list[str]) -> None:
    bind_keys.bind(actor, names, [key_pairs.import_(actor, "laptop", ED25519).public_id])


def _host_name(actor: Actor, names: list[str]) -> None:
    attributes.modify(actor, names, hostname="web-2")


def _notice(actor: Actor, names: list[str]) -> None:
    reclaim.announce(Instance.objects.filter(public_id__in=names).values_list("id", flat=True), reclaim.BY_SELLER)


def _reclaim(actor: Actor, names: list[str]) -> None:
    """The notice is over already."""
    _notice(actor, names)
    Instance.objects.filter(public_id__in=names).update(reclaim_at=clock.now())
    Operation.objects.filter(kind=reclaim.KIND).update(due_at=clock.now())


def _unbind(actor: Actor, names: list[str]) -> None:
    bind_keys.unbind(actor, names, [KeyPair.objects.get(account_id=actor.account).public_id])


def _reinstall(actor: Actor, names: list[str]) -> None:
    reinstall.reinstall(actor, names[0], Reinstall())


def _rescue(actor: Actor, names: list[str]) -> None:
    rescue.enter(actor, names[0], "Rescue-pass-1")


def _leave_rescue(actor: Actor, names: list[str]) -> None:
    rescue.leave(actor, names[0])


def _move(actor: Actor, names: list[str]) -> None:
    move.move(actor, names, DEFAULT_NETWORK)


def _faster(actor: Actor, names: list[str]) -> None:
    bandwidth.change(actor, names, 9)


def _larger(actor: Actor, names: list[str]) -> None:
    resize.change(actor, names, "S5.LARGE8")


def _smaller(actor: Actor, names: list[str]) -> None:
    resize.change(actor, names, "S5.SMALL2")


def _larger_disk(actor: Actor, names: list[str]) -> None:
    disk = Disk.objects.get(instance_id=Instance.objects.get(public_id=names[0]).id)
    grow_disk.grow(actor, Growth(names, disk.public_id, 60))


def _disk(account: int, months: int = 0) -> str:
    """A new disk with a life of its own, paid ahead for so many months."""
    zones.check(ZONE)
    charge_type = "PREPAID" if months else "POSTPAID_BY_HOUR"
    asked = NewDisks(HOURLY.region, ZONE, charge_type, DiskChoice("CLOUD_SSD", 100), months=months)
    return create(by(account), asked)[0]


def _new_disk(months: int = 0) -> int:
    account = _buyer()
    _disk(account, months)
    return account


def _attach(actor: Actor, names: list[str], months: int = 0) -> None:
    disk = _disk(actor.account, months)
    work()
    attach(actor, names[0], [disk])


def _attach_for_a_month(actor: Actor, names: list[str]) -> None:
    _attach(actor, names, 1)


def _own(account: int) -> str:
    return Disk.objects.exclude(state="").get(account_id=account).public_id


def _larger_own(actor: Actor, names: list[str]) -> None:
    grow(actor, _own(actor.account), 250)


def _detach(actor: Actor, names: list[str]) -> None:
    detach(actor, [_own(actor.account)])


def _end_disk(actor: Actor, names: list[str]) -> None:
    end_disks(actor, [_own(actor.account)])


def _stop(actor: Actor, names: list[str]) -> None:
    stop.stop(actor, names)


def _system_disk(names: list[str]) -> str:
    machine = Instance.objects.get(public_id=names[0])
    return Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK").public_id


def _snapshot(actor: Actor, names: list[str]) -> None:
    zones.check(ZONE)
    make_snapshot(actor, NewSnapshot(_system_disk(names)))


def _snapshot_of_own(actor: Actor, _names: list[str]) -> None:
    make_snapshot(actor, NewSnapshot(_own(actor.account)))


def _of(account: int) -> Snapshot:
    return Snapshot.objects.get(account_id=account)


def _restore(actor: Actor, _names: list[str]) -> None:
    apply(actor, _of(actor.account).public_id, _of(actor.account).disk.public_id)


def _disk_of_it(actor: Actor, _names: list[str]) -> None:
    disk = DiskChoice("CLOUD_SSD", 150)
    new = NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", replace(disk, snapshot_id=_of(actor.account).public_id))
    create(actor, new)


def _delete_snapshot(actor: Actor, _names: list[str]) -> None:
    delete(actor, [_of(actor.account).public_id])


def _image(actor: Actor, names: list[str]) -> None:
    zones.check(ZONE)
    images.of_machine(actor, names[0], NewImage("web", turned_off=True))


def _import_image(actor: Actor, _names: list[str]) -> None:
    zones.check(ZONE)
    asked = NewImport("web", "https://files.example.com/web.tar", "img-db12k7x4", zone=ZONE)
    import_image.accept(actor, asked)


def _delete_image(actor: Actor, _names: list[str]) -> None:
    image = OwnImage.objects.get(account_id=actor.account).public_id
    delete_images.delete(actor, [image], with_snapshots=True)


def _address(actor: Actor, _names: list[str]) -> None:
    """A new public address by itself."""
    allocate(actor, NewAddresses(HOURLY.region, AddressPart("BANDWIDTH_POSTPAID_BY_HOUR", 9), ZONE))


def _eip(account: int) -> str:
    return Eip.objects.get(account_id=account).public_id


def _bind_address(actor: Actor, names: list[str]) -> None:
    associate(actor, _eip(actor.account), names[0])


def _unbind_address(actor: Actor, names: list[str]) -> None:
    disassociate(actor, _eip(actor.account))


def _faster_address(actor: Actor, names: list[str]) -> None:
    address_bandwidth.change(actor, [_eip(actor.account)], 20)


def _a_little_faster(actor: Actor, names: list[str]) -> None:
    address_bandwidth.change(actor, [_eip(actor.account)], 10)


def _slower_address(actor: Actor, names: list[str]) -> None:
    address_bandwidth.change(actor, [_eip(actor.account)], 5)


def _address_by_month(actor: Actor, _names: list[str]) -> None:
    """A new one that is paid by the month."""
    allocate(actor, NewAddresses(HOURLY.region, AddressPart("BANDWIDTH_PREPAID_BY_MONTH", 9), ZONE, months=1))


def _to_month(actor: Actor, _names: list[str]) -> None:
    address_mode.change(actor, _eip(actor.account), AddressPart("BANDWIDTH_PREPAID_BY_MONTH", 9), months=1)


def _by_traffic(actor: Actor, _names: list[str]) -> None:
    address_mode.change(actor, _eip(actor.account), AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 7))


def _package(actor: Actor, _names: list[str]) -> None:
    """A new bandwidth package."""
    zones.check(ZONE)
    create_packages(actor, NewPackages(HOURLY.region, PackagePart(10), zone=ZONE))


def _bwp(account: int) -> str:
    return Package.objects.get(account_id=account).public_id


def _into_package(actor: Actor, _names: list[str]) -> None:
    members.enter(actor, _bwp(actor.account), [_eip(actor.account)])


def _out_of_package(actor: Actor, _names: list[str]) -> None:
    members.leave(actor, _bwp(actor.account), [_eip(actor.account)])


def _faster_package(actor: Actor, _names: list[str]) -> None:
    package_bandwidth.change(actor, _bwp(actor.account), 20)


ACTS: dict[str, Callable[[], int]] = {
    "deliver prepaid": lambda: _bought(MONTHLY),
    "deliver postpaid": lambda: _bought(ONLINE),
    "stop": lambda: _asked(ONLINE, stop.stop),
    "stop without charge": lambda: _asked(ONLINE, _stop_without_charge),
    "start": lambda: _asked(ONLINE, _stop_without_charge, start.start),
    "reboot": lambda: _asked(HOURLY, reboot.reboot),
    "reset password": lambda: _asked(HOURLY, _reset_password),
    "bind keys": lambda: _asked(HOURLY, _bind),
    "take keys away": lambda: _asked(HOURLY, _bind, _unbind),
    "host name": lambda: _asked(HOURLY, _host_name),
    "spot notice": lambda: _asked(SPOT, _notice),
    "reclaim": lambda: _asked(SPOT, _reclaim),
    "reinstall": lambda: _asked(ONLINE, _reinstall),
    "rescue": lambda: _asked(ONLINE, _rescue),
    "leave rescue": lambda: _asked(ONLINE, _rescue, _leave_rescue),
    "isolate in rescue": lambda: _asked(ONLINE, _rescue, terminate.terminate),
    "release after rescue": lambda: _asked(ONLINE, _rescue, terminate.terminate, terminate.terminate),
    "move": lambda: _asked(ONLINE, _move),
    "bandwidth": lambda: _asked(BY_HOUR, _faster),
    "bandwidth by the month": lambda: _asked(BY_MONTH, _faster),
    "larger type": lambda: _asked(HOURLY, _larger),
    "smaller type": lambda: _asked(HOURLY, _smaller),
    "larger type in a term": lambda: _asked(MONTHLY, _larger),
    "smaller type in a term": lambda: _asked(MONTHLY, _smaller),
    "larger disk": lambda: _asked(HOURLY, _larger_disk),
    "larger disk in a term": lambda: _asked(MONTHLY, _larger_disk),
    "isolate": lambda: _asked(ONLINE, terminate.terminate),
    "release": lambda: _asked(ONLINE, terminate.terminate, terminate.terminate),
    "keep a disk": lambda: _keeping(terminate.terminate, terminate.terminate),
    "network off": lambda: _asked(BY_TRAFFIC, _in_arrears),
    "network on": lambda: _asked(BY_TRAFFIC, _in_arrears, _paid),
    "start without network": lambda: _asked(BY_TRAFFIC, _in_arrears, stop.stop, start.start),
    "make a disk": _new_disk,
    "attach a disk": lambda: _asked(HOURLY, _attach),
    "larger disk of its own": lambda: _asked(HOURLY, _attach, _larger_own),
    "make a disk for a month": lambda: _new_disk(1),
    "larger disk of a month": lambda: _asked(HOURLY, _attach_for_a_month, _larger_own),
    "keep a disk in a term": lambda: _keeping(terminate.terminate, terminate.terminate, configuration=KEEPING_IN_TERM),
    "detach a disk": lambda: _asked(HOURLY, _attach, _detach),
    "erase a disk": lambda: _asked(HOURLY, _attach, _detach, _end_disk, _end_disk),
    "snapshot of a machine": lambda: _asked(HOURLY, _snapshot),
    "restore a machine": lambda: _asked(HOURLY, _snapshot, _stop, _restore),
    "snapshot of a disk": lambda: _asked(HOURLY, _attach, _snapshot_of_own),
    "restore a disk": lambda: _asked(HOURLY, _attach, _snapshot_of_own, _detach, _restore),
    "disk of a snapshot": lambda: _asked(HOURLY, _attach, _snapshot_of_own, _disk_of_it),
    "delete a snapshot": lambda: _asked(HOURLY, _snapshot, _delete_snapshot),
    "image of a machine": lambda: _asked(HOURLY, _image),
    "delete an image": lambda: _asked(HOURLY, _image, _delete_image),
    "import an image": lambda: _asked(HOURLY, _import_image),
    "bind an address": lambda: _asked(HOURLY, _address, _bind_address),
    "unbind an address": lambda: _asked(HOURLY, _address, _bind_address, _unbind_address),
    "faster address": lambda: _asked(HOURLY, _address, _bind_address, _faster_address),
    "faster address of a month": lambda: _asked(HOURLY, _address_by_month, _bind_address, _a_little_faster),
    "slower address of a month": lambda: _asked(HOURLY, _address_by_month, _bind_address, _slower_address),
    "address by the month": lambda: _asked(HOURLY, _address, _bind_address, _to_month),
    "address by traffic": lambda: _asked(HOURLY, _address_by_month, _bind_address, _by_traffic),
    "into a package": lambda: _asked(HOURLY, _package, _address, _bind_address, _into_package),
    "out of a package": lambda: _asked(HOURLY, _package, _address, _bind_address, _into_package, _out_of_package),
    "faster package": lambda: _asked(HOURLY, _package, _address, _bind_address, _into_package, _faster_package),
    "address off": lambda: _asked(MONTHLY, _address, _bind_address, _in_arrears),
    "address on": lambda: _asked(MONTHLY, _address, _bind_address, _in_arrears, _paid),
    "release a machine with an address": lambda: _asked(
        HOURLY, _address, _bind_address, terminate.terminate, terminate.terminate
    ),
}
CALLS = {"deliver prepaid": 1, "deliver postpaid": 1, "stop": 1, "stop without charge": 2, "start": 2, "reboot": 1,
         "reset password": 1, "reinstall": 1, "bind keys": 1, "take keys away": 1, "move": 1, "bandwidth": 1,
         "host name": 1, "spot notice": 1, "reclaim": 2,
         "rescue": 1, "leave rescue": 1, "isolate in rescue": 3, "release after rescue": 2,
         "bandwidth by the month": 1,
         "larger type": 1, "smaller type": 1, "larger type in a term": 1, "larger disk": 1,
         "smaller type in a term": 1,
         "larger disk in a term": 1,
         "isolate": 2, "release": 2, "network off": 1, "network on": 1,
         "start without network": 2,
         # changing calls of each act, so that no loop ends too early
         "make a disk": 1, "attach a disk": 2, "larger disk of its own": 1, "keep a disk": 3,
         "detach a disk": 1, "erase a disk": 1,
         "snapshot of a machine": 1, "restore a machine": 1, "snapshot of a disk": 1, "restore a disk": 1,
         "disk of a snapshot": 1, "delete a snapshot": 1,
         "make a disk for a month": 1, "larger disk of a month": 1, "keep a disk in a term": 3,
         "image of a machine": 4, "delete an image": 2, "import an image": 1,
         "bind an address": 1, "unbind an address": 1, "faster address": 1, "address off": 1, "address on": 1,
         "faster address of a month": 1, "slower address of a month": 1, "address by the month": 1,
         "address by traffic": 1, "into a package": 1, "out of a package": 1, "faster package": 2,
         "release a machine with an address": 2}  # fmt: skip


def _each_call(
    world: World, act: str, arm: Callable[[str, int], None], verify: Callable[[int, str], None], verb: str = "*"
) -> int:
    """Arm the n-th call, do the act, verify; until there is no n-th call. The number of calls."""
    for n in range(1, 20):
        account = ACTS[act]()
        arm(verb, n)
        work()
        if world.armed_count():
            world.clear_faults()
            return n - 1
        verify(account, f"{act}: {verb} {n}")
    raise AssertionError("the act does not end")


def _undisturbed(act: str) -> dict[str, Any]:
    account = ACTS[act]()
    work()
    return outcome(account)


FAULTS = [(act, fault) for act in ACTS for fault in ("passing", "answer lost", "refused")
          if fault != "refused" or not act.startswith("deliver")]  # a refused delivery is a refund: below  # fmt: skip


@pytest.mark.parametrize(("act", "fault"), FAULTS)
def test_one_call_goes_wrong(world: World, act: str, fault: str) -> None:
    expected = _undisturbed(act)
    arms: dict[str, Callable[[str, int], None]] = {
        "passing": world.fail,
        "refused": lambda verb, n: world.fail(verb, n, transient=False),
        "answer lost": world.lose_answer,
    }

    def verify(account: int, where: str) -> None:
        assert outcome(account) == expected, where

    assert _each_call(world, act, arms[fault], verify) == CALLS[act]
    if act in ("isolate", "release"):
        assert _each_call(world, act, arms[fault], verify, "counters") == 1
    assert list(reconcile()) == []


@pytest.mark.parametrize("act", ["deliver prepaid", "deliver postpaid"])
def test_a_refused_delivery_is_a_clean_refund_whatever_goes_wrong_with_cleaning_up(world: World, act: str) -> None:
    """Given the machine is refused, and then the removal's call fails or its answer is lost."""
    for prepare in (
        lambda: None,
        lambda: world.fail("ensure_absent"),
        lambda: world.fail("ensure_absent", transient=False),
        lambda: world.lose_answer("ensure_absent"),
    ):
        account = ACTS[act]()
        world.fail("ensure_present", transient=False, sentence="No.")
        prepare()
        work()
        assert world.armed_count() == 0
        found = outcome(account)
        assert (found["orders"][0][0], found["machines"][0][1], found["engine"]) == (5, "LAUNCH_FAILED", [None])
        assert found["purses"]["available"] == FUNDS_MINOR
        assert (found["room"], found["private"], found["public"], found["work"]) == ([], [(0,)], [(0,)], [])
    assert list(reconcile()) == []


SETTLED = {
    "stop": ("RUNNING", "STOPPED"), "stop without charge": ("RUNNING", "STOPPED"), "start": ("STOPPED", "RUNNING"),
    "reboot": ("RUNNING",), "reset password": ("RUNNING",), "bandwidth": ("RUNNING",),
    "reinstall": ("RUNNING",), "bind keys": ("RUNNING",), "take keys away": ("RUNNING",),
    "move": ("RUNNING",),
    "rescue": ("RUNNING", "RESCUE_MODE"), "leave rescue": ("RUNNING", "RESCUE_MODE"),
    "isolate in rescue": ("SHUTDOWN",), "release after rescue": ("GONE",),
    "host name": ("RUNNING",), "spot notice": ("RUNNING",), "reclaim": ("GONE",),
    "bandwidth by the month": ("RUNNING",), "larger type": ("RUNNING",), "smaller type": ("RUNNING",),
    "larger type in a term": ("RUNNING",), "smaller type in a term": ("RUNNING",),
    "larger disk": ("RUNNING",), "larger disk in a term": ("RUNNING",),
    "isolate": ("SHUTDOWN",), "release": ("GONE",),
    "attach a disk": ("RUNNING",), "larger disk of its own": ("RUNNING",), "keep a disk": ("GONE",),
    "larger disk of a month": ("RUNNING",), "keep a disk in a term": ("GONE",),
    "detach a disk": ("RUNNING",), "erase a disk": ("RUNNING",),
    "network off": ("RUNNING",), "network on": ("RUNNING",), "start without network": ("STOPPED", "RUNNING"),
    "snapshot of a machine": ("RUNNING",), "restore a machine": ("STOPPED",), "snapshot of a disk": ("RUNNING",),
    "restore a disk": ("RUNNING",), "disk of a snapshot": ("RUNNING",), "delete a snapshot": ("RUNNING",),
    # It was turned off for it, and perhaps nobody could turn it on again.
    "image of a machine": ("RUNNING", "STOPPED"),
    "delete an image": ("RUNNING",), "import an image": ("RUNNING",),
    "bind an address": ("RUNNING",), "unbind an address": ("RUNNING",), "faster address": ("RUNNING",),
    "faster address of a month": ("RUNNING",), "slower address of a month": ("RUNNING",),
    "address by the month": ("RUNNING",), "address by traffic": ("RUNNING",),
    "into a package": ("RUNNING",), "out of a package": ("RUNNING",), "faster package": ("RUNNING",),
    "address off": ("RUNNING",), "address on": ("RUNNING",), "release a machine with an address": ("GONE",),
}  # fmt: skip


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("act", [act for act in ACTS if not act.startswith(("deliver", "make"))])
def test_an_engine_that_is_away_until_everybody_has_given_up(world: World, act: str, *, lost: bool) -> None:
    """When it is back, the seller has retried what asks for it and the sweep has been, then everything agrees."""
    for n in range(1, CALLS[act] + 1):
        account = ACTS[act]()
        if lost:
            world.lose_answer("*", n)
            world.fail("*", n + 1, times=100)
        else:
            world.fail("*", n, times=100)
        work()
        world.clear_faults()
        for operation in Operation.objects.filter(attention=True):
            assert "EngineError" in operation.last_error
            assert queue.retry(operation.id)
        work()
        sweep.sweep(ZONE)
        assert list(reconcile()) == [], (act, n)
        machine = Instance.objects.get(account_id=account)
        assert machine.state in SETTLED[act]
        assert machine.latest_operation_state in ("SUCCESS", "FAILED")
        assert not Operation.objects.filter(account_id=account, due_at__lte=clock.now()).exists()


def _try(owner: uuid.UUID) -> None:
    """One attempt at everything that is due."""
    for operation in queue.claim(owner, lanes(), 15, 100):
        loop.work(STEPS, [operation], owner)


@pytest.mark.parametrize("made", [False, True])
def test_an_engine_that_is_away_for_longer_than_the_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch, *, made: bool
) -> None:
    """The money is back at the deadline; a machine it had made before it went is removed when it is back."""
    account = _bought(ONLINE)
    owner = uuid.uuid4()
    if made:
        world.lose_answer("ensure_present")
        _try(owner)
    world.stop_engine()
    late = clock.wall() + dt.timedelta(minutes=10)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "wall", lambda: late)
        _try(owner)
        machine = Instance.objects.get(account_id=account)
        assert machine.state == "LAUNCH_FAILED"
        assert machine.latest_operation_error == "The compute engine does not answer."
        assert purses(account)["available"] == FUNDS_MINOR
        for _ in range(6):
            _try(owner)
    operation = Operation.objects.get(kind="deliver")
    assert (operation.step, operation.attention) == ("clean", True)
    world.start_engine()
    assert world.count_machines() == int(made)
    assert queue.retry(operation.id)
    work()
    assert world.count_machines() == 0
    found = outcome(account)
    assert (found["room"], found["private"], found["public"], found["work"]) == ([], [(0,)], [(0,)], [])
    assert list(reconcile()) == []


def test_an_engine_stopped_during_deliveries(world: World) -> None:
    """Given ten deliveries of which three are made when the engine goes, then all ten run when it is back."""
    accounts = [_bought(ONLINE) for _ in range(10)]
    owner = uuid.uuid4()
    first = queue.claim(owner, [ZONE], 15, 3)
    world.lose_answer("ensure_present", 2)
    loop.work(STEPS, first, owner)
    world.stop_engine()
    for _ in range(3):
        _try(owner)
    assert Instance.objects.filter(state="PENDING").count() == 8
    world.start_engine()
    work()
    assert set(Instance.objects.values_list("state", flat=True)) == {"RUNNING"}
    found = [outcome(account) for account in accounts]
    assert all(one == found[0] for one in found)
    assert {seen.power for seen in engine_of(ZONE).list_ours()} == {Power.RUNNING}
    assert list(reconcile()) == []
