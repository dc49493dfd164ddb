"""Given workers and statements in full run, when one is killed (kill -9), then another takes its work over."""

import datetime as dt
import os
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from tests.crash.conftest import Child, Nursery
from tests.support.actors import by
from tests.support.database import Databases
from tests.support.outcome import outcome
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, purses, wanted, work
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.functions import resolve
from vmart.network.models import Eip
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.disassociate import disassociate
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.disks.detach import detach
from vmart.orders.disks.grow import grow
from vmart.orders.disks.terminate import terminate as end_disks
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.orders.snapshots.apply import apply
from vmart.orders.snapshots.create import NewSnapshot
from vmart.orders.snapshots.create import create as make_snapshot
from vmart.orders.snapshots.delete import delete
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import zones
from vmart.storage.models import Disk, Snapshot
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]


def _wait(seen: Callable[[], bool], what: str, limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _kill(child: Child) -> None:
    os.kill(child.pid, signal.SIGKILL)
    assert child.answer() is None


def _slow_engine(seconds: float, verb: str = "ensure_present") -> None:
    """What workers that begin from now on find."""
    settings = Zone.objects.get(code=ZONE).engine_settings | {"latency_s": {verb: seconds}}
    Zone.objects.filter(code=ZONE).update(engine_settings=settings)


def test_a_second_worker_delivers_what_a_killed_one_had_in_hand(nursery: Nursery, world: World) -> None:
    """Given a worker in the middle of an engine's calls, then its leases run out and nothing is made twice."""
    _slow_engine(600)
    accounts = [open_purse(f"buyer-{n}", cash_minor=1000) for n in range(5)]
    first = nursery.begin("serve", lease_s=1.0)
    for account in accounts:
        purchase(wanted(account, HOURLY))
    _wait(lambda: Operation.objects.filter(lease_owner__isnull=False).count() == 5, "the first worker takes all")
    _kill(first)
    _slow_engine(0)
    second = nursery.begin("serve", lease_s=1.0)
    _wait(lambda: Instance.objects.filter(state="RUNNING").count() == 5, "the second worker delivers all")
    _kill(second)
    found = [outcome(account) for account in accounts]
    assert all(one == found[0] for one in found)
    assert world.count_machines() == 5
    assert list(reconcile()) == []


def test_a_worker_ends_when_a_step_hangs_and_another_takes_the_work(nursery: Nursery) -> None:
    """Given an engine's call that never returns, when its limit has passed, then its worker is no more."""
    _slow_engine(600)
    hung = nursery.begin("serve", lease_s=0.3, limit_s=1.0)
    purchase(wanted(open_purse(cash_minor=1000), HOURLY))
    assert hung.answer() is None  # the process has ended, and nobody has killed it
    assert Instance.objects.get().state == "PENDING"
    _slow_engine(0)
    second = nursery.begin("serve", lease_s=1.0)
    _wait(lambda: Instance.objects.get().state == "RUNNING", "the second worker delivers it")
    _kill(second)
    assert list(reconcile()) == []


def test_a_machine_whose_delivery_always_hangs_is_given_up_and_its_hold_is_free(nursery: Nursery) -> None:
    """Given an engine that never answers for a machine, when each worker was ended, then nobody pays for ever."""
    _slow_engine(600)
    account = open_purse(cash_minor=1000)
    purchase(wanted(account, HOURLY))
    Operation.objects.filter(kind="deliver").update(attempt=STEPS["deliver"].attempts - 1)
    hung = nursery.begin("serve", lease_s=0.3, limit_s=1.0)
    assert hung.answer() is None
    Operation.objects.filter(kind="deliver").update(not_before=None)
    second = nursery.begin("serve", lease_s=1.0)
    _wait(lambda: Instance.objects.get().state == "LAUNCH_FAILED", "it is given up")
    _kill(second)
    assert purses(account)["held"] == 0
    assert list(reconcile()) == []


def test_a_living_worker_keeps_what_takes_longer_than_its_lease(nursery: Nursery) -> None:
    """Given an engine call of several leases, then no other worker gets the work when a lease would have ended.

    No time is measured: the other worker's clock shows the instant at which the lease as it was before has ended.
    """
    _slow_engine(600)
    worker = nursery.begin("serve", lease_s=1.0)
    purchase(wanted(open_purse(cash_minor=1000), HOURLY))
    _wait(lambda: _lease_until() is not None, "the worker takes it")
    for _ in range(3):
        until = _lease_until()
        assert until is not None
        ended = until + dt.timedelta(microseconds=1)
        _wait(lambda ended=ended: (_lease_until() or ended) > ended, "the worker renews it")  # type: ignore[misc]
        claim = "SELECT id FROM fn.worker_claim(%s, %s, %s, %s, %s, 10)"
        later = ended + dt.timedelta(hours=1)
        assert db.rows(claim, [ZONE], uuid.uuid4(), clock.now(), ended, later) == []
    _kill(worker)
    assert Instance.objects.get().state == "PENDING"


def _lease_until() -> dt.datetime | None:
    return Operation.objects.get(kind="deliver").lease_until


@pytest.mark.parametrize("configuration", [HOURLY, replace(HOURLY, count=3)], ids=["one", "three"])
def test_a_purchase_killed_while_its_statement_runs(
    nursery: Nursery, open_shop: Databases, configuration: object
) -> None:
    """Given the web process dies while its statement waits for the account, then the token answers for it."""
    account = open_purse(cash_minor=1000)
    words = {"count": configuration.count}  # type: ignore[attr-defined]
    with psycopg.connect(open_shop.url()) as holder:
        holder.execute(resolve("SELECT fn.ledger_lock(%s)"), [account])
        buyer = nursery.begin("buy", account=account, configuration=words, token="t")
        _wait(lambda: _waiting(buyer.pid), "the purchase waits for the account")
        _kill(buyer)
    _wait(lambda: not _backends(buyer.pid), "its statement has ended")
    committed = Order.objects.count()  # whether the server missed its client before or after is the server's affair
    assert (committed, Instance.objects.count()) in {(0, 0), (1, words["count"])}
    again = nursery.run("buy", account=account, configuration=words, token="t")
    assert again is not None
    assert again["answer"]["repeated"] == bool(committed)
    assert Order.objects.count() == 1
    work()
    assert list(Instance.objects.values_list("state", flat=True)) == ["RUNNING"] * words["count"]
    assert list(reconcile()) == []


def _backends(pid: int) -> list[dict[str, object]]:
    return db.rows("SELECT wait_event_type FROM pg_stat_activity WHERE application_name = %s", f"child-{pid}")


def _waiting(pid: int) -> bool:
    return "Lock" in {row["wait_event_type"] for row in _backends(pid)}  # beside it, the one that renews leases


def test_an_act_killed_while_its_statement_runs_leaves_nothing(nursery: Nursery, open_shop: Databases) -> None:
    """Given a worker dies while its outcome waits for the account, then nothing of it is there, and it comes anew."""
    account = open_purse(cash_minor=1000)
    purchase(wanted(account, HOURLY))
    with psycopg.connect(open_shop.url()) as holder:
        holder.execute(resolve("SELECT fn.ledger_lock(%s)"), [account])
        worker = nursery.begin("work", lease_s=0.5)
        _wait(lambda: _waiting(worker.pid), "the outcome waits for the account")
        _kill(worker)
        assert Instance.objects.get().state == "PENDING"
    _wait(lambda: not _backends(worker.pid), "its statement has ended")
    _wait(lambda: work() > 0 or Instance.objects.get().state == "RUNNING", "the lease runs out")
    assert Instance.objects.get().state == "RUNNING"
    assert list(reconcile()) == []


def _told_when_a_worker_is_killed_in(
    nursery: Nursery, verb: str, model: type[Disk | Eip | Snapshot], state: str, subject_kind: str
) -> list[str]:
    """The kinds of the subject's events, when a second worker has ended what the first had in hand."""
    _slow_engine(600, verb)
    first = nursery.begin("serve", lease_s=1.0)
    _wait(lambda: Operation.objects.filter(lease_owner__isnull=False).count() == 1, "the first worker takes it")
    time.sleep(0.2)
    _kill(first)
    _slow_engine(0, verb)
    second = nursery.begin("serve", lease_s=1.0)
    _wait(lambda: model.objects.filter(state=state, latest_operation_state="SUCCESS").exists(), "the second ends it")
    _kill(second)
    return list(Event.objects.filter(subject_kind=subject_kind).order_by("id").values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("verb", "acts", "state", "kind"),
    [
        ("ensure_volume", 0, "UNATTACHED", "disk_made"),
        ("ensure_attached", 1, "ATTACHED", "disk_attached"),
        ("ensure_volume", 2, "ATTACHED", "disk_grown"),
        ("ensure_detached", 3, "UNATTACHED", "disk_detached"),
        ("ensure_volume_absent", 5, "GONE", "released"),
    ],
)
def test_a_second_worker_ends_what_a_killed_one_began_of_a_disk(
    nursery: Nursery, verb: str, acts: int, state: str, kind: str
) -> None:
    """Given a worker that is killed in the call of an engine, then the act happens once, and money agrees."""
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account)
    zones.check(ZONE)
    names = create(by(account), NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100)))
    for act in (
        lambda: attach(by(account), machine.public_id, names), lambda: grow(by(account), names[0], 250),
        lambda: detach(by(account), names),
        lambda: end_disks(by(account), names), lambda: end_disks(by(account), names),
    )[:acts]:  # fmt: skip
        work()
        act()
    told = _told_when_a_worker_is_killed_in(nursery, verb, Disk, state, "disk")
    assert (told[-1], told.count(kind)) == (kind, 1)
    assert list(reconcile()) == []


@pytest.mark.parametrize(
    ("verb", "acts", "state", "kind"),
    [
        ("ensure_address", 1, "BIND", "address_bound"),
        ("counters", 1, "BIND", "address_bound"),
        ("ensure_address", 2, "UNBIND", "address_unbound"),
        ("counters", 2, "UNBIND", "address_unbound"),
    ],
)
def test_a_second_worker_ends_what_a_killed_one_began_of_an_address(
    nursery: Nursery, verb: str, acts: int, state: str, kind: str
) -> None:
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account)
    part = AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 9)
    (name,) = allocate(by(account), NewAddresses(HOURLY.region, part, ZONE)).public_ids
    for act in (
        lambda: associate(by(account), name, machine.public_id), lambda: disassociate(by(account), name),
    )[:acts]:  # fmt: skip
        work()
        act()
    told = _told_when_a_worker_is_killed_in(nursery, verb, Eip, state, "address")
    assert (told[-1], told.count(kind)) == (kind, 1)
    assert list(reconcile()) == []


@pytest.mark.parametrize(
    ("verb", "acts", "ended"),
    [
        ("ensure_snapshot", 1, ("NORMAL", "snapshot_made")),
        ("ensure_volume_restored", 2, ("NORMAL", "ApplySnapshot")),
        ("ensure_snapshot_absent", 3, ("GONE", "released")),
    ],
)
def test_a_second_worker_ends_what_a_killed_one_began_of_a_snapshot(
    nursery: Nursery, world: World, verb: str, acts: int, ended: tuple[str, str]
) -> None:
    """Given a worker that is killed in the call of an engine, then the act happens once, and money agrees."""
    state, kind = ended
    account = open_purse(cash_minor=10_000)
    zones.check(ZONE)
    (disk,) = create(by(account), NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100)))
    work()
    world.write(disk, "first")
    for act in (
        lambda: make_snapshot(by(account), NewSnapshot(disk)),
        lambda: apply(by(account), Snapshot.objects.get().public_id, disk),
        lambda: delete(by(account), [Snapshot.objects.get().public_id]),
    )[:acts]:  # fmt: skip
        work()
        act()
    if acts == 2:
        world.write(disk, "second")
    told = _told_when_a_worker_is_killed_in(nursery, verb, Snapshot, state, "snapshot")
    assert (told[-1], told.count(kind)) == (kind, 1)
    assert world.read(disk) == "first"
    assert list(reconcile()) == []
