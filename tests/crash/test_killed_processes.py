"""Given a process of the shop that is killed (kill -9) at any point, then another one comes to the same end.

Each test goes the way once undisturbed, with one customer, and then with another customer for each point
of it. A point is the moment before or after a statement, a commit, an engine verb or a wake-up.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.crash.conftest import Nursery
from tests.crash.points import at_each_point, name_of, points
from tests.instances.test_key_pairs import ED25519
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.outcome import outcome
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse, owe, pay, wanted, work
from vmart.catalog import shop
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.actor import Actor
from vmart.events.models import Event
from vmart.instances import key_pairs
from vmart.instances.models import Instance
from vmart.kernel import clock, db, unix_password
from vmart.kernel.clock import HOUR
from vmart.orders import (
    attributes,
    bandwidth,
    bind_keys,
    grow_disk,
    move,
    passwords,
    planned_end,
    reclaim,
    reinstall,
    renew,
    rescue,
    reset_password,
    resize,
    stop,
    terminate,
    to_traffic,
)
from vmart.orders.addresses import bandwidth as address_bandwidth
from vmart.orders.addresses import mode as address_mode
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.give_back import give_back as return_address
from vmart.orders.bandwidth_window import ACT_OF_WINDOW, Window
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.disks.grow import grow
from vmart.orders.disks.terminate import terminate as end_disks
from vmart.orders.grow_disk import Growth
from vmart.orders.own_network import DEFAULT_NETWORK
from vmart.orders.purchase import purchase
from vmart.orders.reinstall import Reinstall
from vmart.orders.renew import Renewal
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import zones
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement.models import Hour
from vmart.storage.models import Disk
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]

BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=5, public_ip=True)
ONLINE = {"kind": "HOURLY", "bandwidth_mbps": 5, "public_ip": True}
BY_TRAFFIC = replace(MONTHLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
STAYING = (DiskChoice("CLOUD_SSD", 250, delete_with_instance=False),)
KINDS = {
    "arrears": BY_TRAFFIC,
    "top-up after arrears": BY_TRAFFIC,
    "bandwidth by the hour": replace(
        HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True
    ),
    "bandwidth by the month": BY_MONTH,
    "disk that stays": replace(HOURLY, data_disks=STAYING),
    "disk that stays in a term": replace(MONTHLY, data_disks=STAYING),
    "bandwidth to traffic": BY_MONTH,
    **dict.fromkeys(["spot notice", "reclaim"], replace(HOURLY, charge_type="SPOTPAID", instance_type="S5.SMALL1")),
    "bandwidth for today": BY_MONTH,
    "larger type in a term": MONTHLY,
    "smaller type in a term": MONTHLY,
    "grown disk in a term": MONTHLY,
}
MONTHS = {"kind": "MONTHLY", "bandwidth_mbps": 5, "public_ip": True, "count": 2}


def _passwords_open_their_machines(account: int) -> bool:
    """Whether each machine's sealed password is the one that its hash is of."""
    machines = Instance.objects.filter(account_id=account)
    shown = passwords.show(by(account), [machine.public_id for machine in machines])
    return all(unix_password.matches(shown[machine.public_id], machine.password_hash) for machine in machines)


KEYS = {"bind keys": [([ED25519], False)], "take keys away": [([], True)]}


def _opened_by(world: World, account: int) -> list[tuple[list[str], bool]]:
    """Of each machine the keys that open it, and whether SSH takes its password."""
    names = Instance.objects.filter(account_id=account).order_by("id").values_list("public_id", flat=True)
    return [(world.ssh_keys(name), world.takes_passwords(name)) for name in names]


def _speeds(world: World, account: int) -> list[tuple[int, int]]:
    """Of each machine the speed that it pays for, and its cap on the engine."""
    machines = Instance.objects.filter(account_id=account).order_by("id")
    return [(machine.bandwidth_mbps, world.cap_mbps(machine.public_id)) for machine in machines]


def _sizes(world: World, account: int) -> list[tuple[str, tuple[int, int]]]:
    """Of each machine the type that it pays for, and its vCPU and memory on the engine."""
    machines = Instance.objects.filter(account_id=account).order_by("id")
    return [(machine.instance_type_id, world.size(machine.public_id)) for machine in machines]


@pytest.mark.parametrize("generated", [False, True], ids=["", "password made by the shop"])
@pytest.mark.parametrize("configuration", [ONLINE, MONTHS], ids=["postpaid", "prepaid"])
def test_a_purchase(nursery: Nursery, configuration: dict[str, Any], *, generated: bool) -> None:
    """Given the buyer asks again with its token, then it has bought once."""
    undisturbed = open_purse("undisturbed", cash_minor=100_000)
    asked = {"configuration": configuration, "token": "t", "generated": generated}
    control = nursery.run("buy", account=undisturbed, **asked)
    work()
    expected = outcome(undisturbed)
    accounts: dict[int, int] = {}

    def killed(point: int) -> dict[str, Any] | None:
        accounts[point] = open_purse(f"killed-{point}", cash_minor=100_000)
        return nursery.run("buy", kill_at=point, account=accounts[point], **asked)

    def verify(point: int) -> None:
        again = nursery.run("buy", account=accounts[point], **asked)
        assert again is not None
        work()
        assert outcome(accounts[point]) == expected, name_of(control, point)
        assert not generated or _passwords_open_their_machines(accounts[point])

    assert expected["sealed"] == [(expected["orders"][0][2] if generated else 0,)]
    assert points(killed, verify) >= 4
    assert list(reconcile()) == []


@pytest.mark.parametrize("kind", [ONLINE, MONTHS], ids=["postpaid", "prepaid"])
def test_a_delivery(nursery: Nursery, let_leases_run_out: Callable[[], int], kind: dict[str, Any]) -> None:
    def bought(name: str) -> int:
        account = open_purse(name, cash_minor=100_000)
        nursery.run("buy", account=account, configuration=kind)
        return account

    expected = at_each_point(nursery, let_leases_run_out, bought, least=8)
    assert {machine[1] for machine in expected["machines"]} == {"RUNNING"}
    assert list(reconcile()) == []


def test_a_failed_delivery(nursery: Nursery, let_leases_run_out: Callable[[], int], world: Any) -> None:
    """Given the engine refuses the machine, then every way ends in the same refund and nothing on the engine."""

    def bought(name: str) -> int:
        account = open_purse(name, cash_minor=100_000)
        nursery.run("buy", account=account, configuration=MONTHS | {"count": 1})
        world.fail("ensure_present", times=2, transient=False, sentence="No disk is left.")
        return account

    undisturbed = bought("undisturbed")
    control = nursery.run("work")
    expected = outcome(undisturbed)
    assert (expected["orders"][0][0], expected["purses"]["available"]) == (5, 100_000)
    accounts: dict[int, int] = {}

    def killed(point: int) -> dict[str, Any] | None:
        accounts[point] = bought(f"killed-{point}")
        return nursery.run("work", kill_at=point)

    def verify(point: int) -> None:
        let_leases_run_out()
        work()
        world.clear_faults()
        assert outcome(accounts[point]) == expected, name_of(control, point)

    assert points(killed, verify) >= 10
    assert world.count_machines() == 0
    assert list(reconcile()) == []


def _grow(account: int, machine: Instance) -> None:
    """The machine's system disk is to be larger."""
    disk = Disk.objects.get(instance_id=machine.id).public_id
    grow_disk.grow(by(account), Growth([machine.public_id], disk, 60))


def _grow_own(account: int, machine: Instance) -> None:
    """A disk with a life of its own, attached to the machine, is to be larger."""
    asked = NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100))
    (disk,) = create(by(account), asked)
    work()
    attach(by(account), machine.public_id, [disk])
    work()
    grow(by(account), disk, 250)


def _erase(account: int, machine: Instance) -> None:
    """The machine, in the bin, is to be erased; a data disk of it stays."""
    terminate.terminate(by(account), [machine.public_id])
    work()
    terminate.terminate(by(account), [machine.public_id])


def _for_a_month(account: int, machine: Instance | None = None) -> str:
    """A disk with a life of its own is ordered for a month; its public id."""
    asked = NewDisks(HOURLY.region, ZONE, "PREPAID", DiskChoice("CLOUD_SSD", 100), months=1)
    (disk,) = create(by(account), asked)
    return disk


def _grow_for_a_month(account: int, machine: Instance) -> None:
    disk = _for_a_month(account)
    work()
    attach(by(account), machine.public_id, [disk])
    work()
    grow(by(account), disk, 250)


def _return_disk(account: int, machine: Instance) -> None:
    disk = _for_a_month(account)
    work()
    end_disks(by(account), [disk])


_DISKS: dict[str, Callable[[int, Instance], object]] = {
    "grown disk": _grow, "grown disk in a term": _grow, "disk of its own": _grow_own, "disk that stays": _erase,
    "disk for a month": _for_a_month, "bigger disk of a month": _grow_for_a_month, "returned disk": _return_disk,
    "disk that stays in a term": _erase,
}  # fmt: skip


def _monthly_address(account: int, machine: Instance) -> str:
    """A public address by the month, bound to the machine."""
    asked = NewAddresses(HOURLY.region, AddressPart("BANDWIDTH_PREPAID_BY_MONTH", 5), ZONE, months=1)
    (eip,) = allocate(by(account), asked).public_ids
    associate(by(account), eip, machine.public_id)
    work()
    return eip


def _return_address(account: int, machine: Instance) -> None:
    asked = NewAddresses(HOURLY.region, AddressPart("BANDWIDTH_PREPAID_BY_MONTH", 5), ZONE, months=1)
    (eip,) = allocate(by(account), asked).public_ids
    return_address(by(account), [eip])


_EIPS: dict[str, Callable[[int, Instance], object]] = {
    "faster monthly address": lambda account, machine: address_bandwidth.change(
        by(account), [_monthly_address(account, machine)], 9
    ),
    "slower monthly address": lambda account, machine: address_bandwidth.change(
        by(account), [_monthly_address(account, machine)], 2
    ),
    "monthly address by traffic": lambda account, machine: address_mode.change(
        by(account), _monthly_address(account, machine), AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 9)
    ),
    "returned address": _return_address,
}
_OF_250_GIB = ("disk of its own", "disk that stays", "bigger disk of a month", "disk that stays in a term")


def _change_bandwidth(who: Actor, name: str, act: str) -> None:
    """To 9 Mbps, in the way that ``act`` says."""
    if "today" in act:
        today = f"{clock.now().astimezone(shop.snapshot().billing_zone):%Y-%m-%d}"
        ACT_OF_WINDOW.order(who, Window([name], 9, today, today))
    elif "traffic" in act:
        to_traffic.change(who, [name], 9)
    else:
        bandwidth.change(who, [name], 9)


def _notice(name: str) -> None:
    reclaim.announce([Instance.objects.get(public_id=name).id], reclaim.BY_SELLER)


def _reclaim(name: str) -> None:
    """The notice is over already."""
    _notice(name)
    Instance.objects.filter(public_id=name).update(reclaim_at=clock.now())
    Operation.objects.filter(kind=reclaim.KIND, subject_id=Instance.objects.get(public_id=name).id).update(
        due_at=clock.now()
    )


def _leave_rescue(who: Actor, name: str) -> None:
    rescue.enter(who, name, RESCUE)
    work()
    rescue.leave(who, name)


def _end_in_rescue(who: Actor, name: str) -> None:
    rescue.enter(who, name, RESCUE)
    work()
    terminate.terminate(who, [name])


RESCUE = "Rescue-pass-1"
# Of each act: the number that machine and engine have in the end, and whether the password of the rescue opens it.
RESCUED = {"rescue": (1, True), "leave rescue": (2, False), "end in rescue": (2, False)}
_OF_ONE: dict[str, Callable[[Actor, str], None]] = {
    "reset password": reset_password.generate,
    "reinstall": lambda who, name: reinstall.reinstall(who, name, Reinstall()),
    "rescue": lambda who, name: rescue.enter(who, name, RESCUE),
    "leave rescue": _leave_rescue,
    "end in rescue": _end_in_rescue,
    "move": lambda who, name: move.move(who, [name], DEFAULT_NETWORK),
    "spot notice": lambda who, name: _notice(name),
    "reclaim": lambda who, name: _reclaim(name),
    "host name": lambda who, name: attributes.modify(who, [name], hostname="web-2"),
}


@pytest.mark.parametrize(
    "act",
    [
        "terminate", "stop", "stop without charge", "reset password", "arrears", "top-up after arrears",
        "bind keys", "take keys away", "host name", "reinstall", "spot notice", "reclaim", "move",
        "rescue", "leave rescue", "end in rescue",
        "bandwidth by the hour", "bandwidth by the month", "bandwidth to traffic", "bandwidth for today",
        "larger type", "larger type in a term", "smaller type in a term",
        "grown disk", "grown disk in a term", "disk of its own", "disk that stays",
        "disk for a month", "bigger disk of a month", "returned disk", "disk that stays in a term",
        *_EIPS,
    ],
)  # fmt: skip
def test_the_work_after_a_request(
    nursery: Nursery, let_leases_run_out: Callable[[], int], test_clock: BusinessClock, world: World, act: str
) -> None:
    """What the engine is told after each: isolation, power, network off and on, another speed, size, disk or keys."""

    def asked(name: str) -> int:
        account = open_purse(name, cash_minor=200_000)
        zones.check(ZONE)
        machine = buy_running(account, KINDS.get(act, HOURLY))
        if act in _EIPS:
            _EIPS[act](account, machine)
        elif "bandwidth" in act:
            _change_bandwidth(by(account), machine.public_id, act)
        elif "larger" in act:
            resize.change(by(account), [machine.public_id], "S5.LARGE8")
        elif "smaller" in act:
            resize.change(by(account), [machine.public_id], "S5.SMALL2")
        elif "disk" in act:
            _DISKS[act](account, machine)
        elif "arrears" in act:
            owe(account)
            if act != "arrears":
                work()
                pay(account, 100)
        elif act == "terminate":
            terminate.terminate(by(account), [machine.public_id])
        elif act in _OF_ONE:
            _OF_ONE[act](by(account), machine.public_id)
        elif "keys" in act:
            pair = key_pairs.import_(by(account), "laptop", ED25519).public_id
            bind_keys.bind(by(account), [machine.public_id], [pair])
            if act != "bind keys":
                work()
                bind_keys.unbind(by(account), [machine.public_id], [pair])
        else:
            mode = stop.STOP_CHARGING if act != "stop" else stop.KEEP_CHARGING
            stop.stop(by(account), [machine.public_id], stopped_mode=mode)
        return account

    undisturbed = asked("undisturbed")
    control = nursery.run("work")
    expected = outcome(undisturbed)
    accounts: dict[int, int] = {}

    def killed(point: int) -> dict[str, Any] | None:
        accounts[point] = asked(f"killed-{point}")
        return nursery.run("work", kill_at=point)

    def verify(point: int) -> None:
        let_leases_run_out()
        work()
        assert outcome(accounts[point]) == expected, name_of(control, point)
        assert act not in ("reset password", "reinstall") or _passwords_open_their_machines(accounts[point])
        assert "bandwidth" not in act or _speeds(world, accounts[point]) == [(9, 9)], name_of(control, point)
        if act == "host name":
            (machine,) = Instance.objects.filter(account_id=accounts[point])
            assert (machine.hostname, world.system(machine.public_id)[1]) == ("web-2", "web-2"), name_of(control, point)
        if act == "reinstall":
            (machine,) = Instance.objects.filter(account_id=accounts[point])
            assert world.erased(machine.public_id) == 1, name_of(control, point)
        if act in RESCUED:
            (machine,) = Instance.objects.filter(account_id=accounts[point])
            number, is_open = RESCUED[act]
            opens = unix_password.matches(RESCUE, world.password_hash(machine.public_id))
            assert (machine.rescue, world.rescue(machine.public_id), opens) == (number, number, is_open), name_of(
                control, point
            )
        if act == "move":
            (machine,) = Instance.objects.filter(account_id=accounts[point])
            seen_ip = engine_of(ZONE).observe(machine.public_id).private_ip
            assert (machine.private_ip[-3:], seen_ip) == (".11", machine.private_ip), name_of(control, point)
        if "grown" in act:
            (machine,) = Instance.objects.filter(account_id=accounts[point])
            assert list(world.grown_gib(machine.public_id).values()) == [60], name_of(control, point)
        if act in _OF_250_GIB:
            (own,) = Disk.objects.filter(account_id=accounts[point]).exclude(state="")
            seen = world.volume(own.public_id)
            assert (own.size_gib, seen and seen[0]) == (250, 250), name_of(control, point)
        if "smaller" in act:
            assert _sizes(world, accounts[point]) == [("S5.SMALL2", (1, 2048))], name_of(control, point)
        if "larger" in act:
            assert _sizes(world, accounts[point]) == [("S5.LARGE8", (4, 8192))], name_of(control, point)
        assert "keys" not in act or _opened_by(world, accounts[point]) == KEYS[act], name_of(control, point)

    assert points(killed, verify) >= 10
    assert list(reconcile()) == []


@pytest.mark.parametrize("kind", [KINDS["bandwidth by the hour"], BY_MONTH], ids=["by the hour", "by the month"])
def test_a_bandwidth_that_the_engine_refuses(
    nursery: Nursery, let_leases_run_out: Callable[[], int], world: World, kind: Any
) -> None:
    """Given no attempt succeeds, then every way ends with the speed and the money of before."""

    def asked(name: str) -> int:
        account = open_purse(name, cash_minor=200_000)
        machine = buy_running(account, kind)
        bandwidth.change(by(account), [machine.public_id], 9)
        world.fail("ensure_address", times=50)
        return account

    _refused_at_every_point(nursery, let_leases_run_out, world, asked, lambda account: _speeds(world, account))


def _refused_at_every_point(
    nursery: Nursery, let_leases_run_out: Callable[[], int], world: World, asked: Callable[[str], int],
    seen: Callable[[int], Any],
) -> None:  # fmt: skip
    """The work after ``asked``, which the engine refuses; ``seen`` is what is as it was before in the end."""

    def fail_to_the_end(account: int) -> None:
        while Instance.objects.get(account_id=account).latest_operation_state == "OPERATING":
            Operation.objects.update(not_before=None)
            work()
        world.clear_faults()
        Operation.objects.update(not_before=None)
        work()

    before: list[Any] = []

    def asked_and_looked_at(name: str) -> int:
        account = asked(name)
        before.append(seen(account))
        return account

    expected = at_each_point(
        nursery, let_leases_run_out, asked_and_looked_at, least=10, settle=fail_to_the_end,
        come_to=lambda account: outcome(account) | {"seen": seen(account)},
    )  # fmt: skip
    assert (expected["machines"][0][4], before) == ("FAILED", [expected["seen"]] * len(before))
    assert list(reconcile()) == []


@pytest.mark.parametrize("kind", [HOURLY, MONTHLY], ids=["by the hour", "by the month"])
def test_a_type_that_the_engine_refuses(
    nursery: Nursery, let_leases_run_out: Callable[[], int], world: World, kind: Any
) -> None:
    """Given the new size is set each time and no answer comes, then every way ends with all of before."""

    def asked(name: str) -> int:
        account = open_purse(name, cash_minor=200_000)
        machine = buy_running(account, kind)
        resize.change(by(account), [machine.public_id], "S5.LARGE8")
        world.lose_answer("ensure_size", times=50)
        return account

    _refused_at_every_point(nursery, let_leases_run_out, world, asked, lambda account: _sizes(world, account))


@pytest.mark.parametrize(
    ("act", "configuration", "words"), [("more bandwidth", BY_MONTH, {"mbps": 9}), ("convert", HOURLY, {})],
)  # fmt: skip
def test_an_order_of_a_priced_act(nursery: Nursery, act: str, configuration: Any, words: dict[str, Any]) -> None:
    """Given the buyer confirms again with its token, then it is ordered and paid once."""

    def running(name: str) -> dict[str, Any]:
        account = open_purse(name, cash_minor=200_000)
        return {"account": account, "public_id": buy_running(account, configuration).public_id, "token": "t"} | words

    undisturbed = running("undisturbed")
    control = nursery.run(act, **undisturbed)
    work()
    expected = outcome(undisturbed["account"])
    asked: dict[int, dict[str, Any]] = {}

    def killed(point: int) -> dict[str, Any] | None:
        asked[point] = running(f"killed-{point}")
        return nursery.run(act, kill_at=point, **asked[point])

    def verify(point: int) -> None:
        assert nursery.run(act, **asked[point]) is not None
        work()
        assert outcome(asked[point]["account"]) == expected, name_of(control, point)

    assert points(killed, verify) >= 10
    assert list(reconcile()) == []


@pytest.mark.parametrize("configuration", [HOURLY, MONTHLY], ids=["terminate", "return"])
def test_a_request_to_end_a_machine(nursery: Nursery, configuration: Any) -> None:
    """Given the page asks again where it sees nothing done, then the machine is in the bin, paid back once."""

    def running(name: str) -> tuple[int, str]:
        account = open_purse(name, cash_minor=20000)
        return account, buy_running(account, configuration).public_id

    undisturbed, machine = running("undisturbed")
    control = nursery.run("terminate", account_id=undisturbed, public_ids=[machine])
    work()
    expected = outcome(undisturbed)
    asked: dict[int, tuple[int, str]] = {}

    def killed(point: int) -> dict[str, Any] | None:
        asked[point] = running(f"killed-{point}")
        return nursery.run("terminate", kill_at=point, account_id=asked[point][0], public_ids=[asked[point][1]])

    def verify(point: int) -> None:
        account, name = asked[point]
        if Instance.objects.get(public_id=name).state == "RUNNING":
            terminate.terminate(by(account), [name])
        work()
        assert outcome(account) == expected, name_of(control, point)

    assert points(killed, verify) >= 10
    assert list(reconcile()) == []


def test_a_planned_end(nursery: Nursery, let_leases_run_out: Callable[[], int], test_clock: BusinessClock) -> None:
    """Given the worker is killed while an end is due, then the machine is ended once, charged until its time."""

    begun_at = test_clock.at

    def due(name: str) -> int:
        test_clock.set(begun_at)  # each lives the same minutes
        account = open_purse(name, cash_minor=20000)
        machine = buy_running(account, HOURLY)
        planned_end.plan(by(account), [machine.public_id], begun_at + dt.timedelta(minutes=10))
        test_clock.advance(minutes=10)
        return account

    def come_to(account: int) -> dict[str, Any]:
        told = Event.objects.filter(account_id=account, kind="terminated").count()
        return outcome(account) | {"told": told}

    expected = at_each_point(nursery, let_leases_run_out, due, least=15, come_to=come_to)
    assert (expected["machines"][0][1], expected["told"]) == ("SHUTDOWN", 1)
    assert list(reconcile()) == []


def test_less_bandwidth_of_a_renewal(
    nursery: Nursery, let_leases_run_out: Callable[[], int], test_clock: BusinessClock, world: World
) -> None:
    """Given the worker is killed when the renewal begins, then the machine agrees to it once, and its engine knows."""

    begun_at = test_clock.at

    def due(name: str) -> int:
        test_clock.set(begun_at)  # each lives the same month
        account = open_purse(name, cash_minor=200_000)
        machine = buy_running(account, BY_MONTH)
        renew.renew(by(account), Renewal([machine.public_id], bandwidth_mbps=2))
        work()
        Operation.objects.filter(kind__in=["close_hour", "term"]).delete()
        test_clock.set(Operation.objects.get(kind="lower_bandwidth", account_id=account).due_at)
        return account

    def come_to(account: int) -> dict[str, Any]:
        told = Event.objects.filter(account_id=account, kind="bandwidth_changed").count()
        return outcome(account) | {"speeds": _speeds(world, account), "told": told}

    expected = at_each_point(nursery, let_leases_run_out, due, least=10, come_to=come_to)
    assert (expected["speeds"], expected["told"]) == ([(2, 2)], 1)
    assert list(reconcile()) == []


def test_a_release(nursery: Nursery, let_leases_run_out: Callable[[], int]) -> None:
    def asked(name: str) -> int:
        account = open_purse(name, cash_minor=1000)
        machine = buy_running(account, HOURLY)
        terminate.terminate(by(account), [machine.public_id])
        work()
        terminate.terminate(by(account), [machine.public_id])
        return account

    expected = at_each_point(nursery, let_leases_run_out, asked, least=15)
    assert (expected["machines"][0][1], expected["engine"]) == ("GONE", [None])
    assert list(reconcile()) == []


def test_the_close_of_an_hour(
    nursery: Nursery, let_leases_run_out: Callable[[], int], test_clock: BusinessClock
) -> None:
    """Given the closing worker is killed, then every second is charged once and the hour's sum is the same.

    Each hour is closed with a kill at the next point. Every account ran through the same hour.
    """
    accounts = [open_purse(f"buyer-{n}", cash_minor=100_000) for n in range(3)]
    for account in accounts:
        buy_running(account, HOURLY)
    passed = killed = 0
    while True:
        hour = test_clock.at
        passed += 1
        test_clock.advance(hours=1)
        answer = nursery.run("work", kill_at=passed)
        let_leases_run_out()
        work()
        charges = db.rows("SELECT count(*) AS n, min(duration_s) AS low, max(duration_s) AS high FROM bills_charge"
                          " WHERE hour = %s", hour)[0]  # fmt: skip
        taken = db.rows("SELECT sum(amount_minor) AS sum FROM ledger_transfer WHERE kind = 'hour' AND at = %s",
                        test_clock.at)[0]  # fmt: skip
        assert (charges["n"], charges["low"], charges["high"]) == (6, 3600, 3600)
        row = Hour.objects.get(start=hour)
        assert (row.charges, row.deducted_minor) == (6, taken["sum"]), f"point {passed}"
        assert row.closed_at == test_clock.at
        assert list(Operation.objects.filter(kind="close_hour").values_list("due_at", flat=True)) == [
            test_clock.at + HOUR
        ]
        if answer is not None:
            break
        killed += 1
    assert killed >= 15
    outcomes = [outcome(account)["charges"] for account in accounts]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert list(reconcile()) == []


def test_until_the_lease_has_run_out_nobody_takes_over(nursery: Nursery, let_leases_run_out: Callable[[], int]) -> None:
    account = open_purse(cash_minor=1000)
    purchase(wanted(account, HOURLY))
    assert nursery.run("work", kill_at=4) is None
    assert work() == 0
    assert Instance.objects.get().state == "PENDING"
    assert let_leases_run_out() == 1
    assert work() == 1
    assert Instance.objects.get().state == "RUNNING"
