"""Given a process that is killed (kill -9) at any point of what it does with a machine that has an IPv6 address, then
the machine has exactly one as long as it is there, its engine leads that and no other to it, and none stays behind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.crash.conftest import Nursery
from tests.crash.points import at_each_point, name_of, points
from tests.support.actors import by
from tests.support.outcome import outcome
from tests.support.shopper import HOURLY, IMAGE, LOGIN, ZONE, open_purse, wanted, work
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.network.models import Ipv6Address
from vmart.orders import move, reinstall, start, stop, terminate
from vmart.orders.own_network import DEFAULT_NETWORK, NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.reinstall import Reinstall
from vmart.orders.wanted import Machine
from vmart.provisioning.zone_engines import engine_of

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]

ONLINE = {"bandwidth_mbps": 5, "public_ip": True, "internet_charge_type": "TRAFFIC_POSTPAID_BY_HOUR"}
SIX = NetworkWanted(ipv6_addresses=1)


def _buy(name: str) -> int:
    account = open_purse(name, cash_minor=100_000)
    purchase(wanted(account, replace(HOURLY, **ONLINE), machine=Machine(IMAGE, LOGIN, name="web", network=SIX)))
    return account


def _led(machine: Instance) -> str:
    seen = engine_of(ZONE).observe(machine.public_id)
    return f"{seen.power}, {'its own' if machine.ipv6 and seen.public_ipv6 == machine.ipv6 else seen.public_ipv6}"


def _come_to(account: int) -> dict[str, Any]:
    """With who has which address, by row, by table and on the engine."""
    machines = Instance.objects.filter(account_id=account).order_by("id")
    held = dict(Ipv6Address.objects.filter(account_id=account).values_list("instance_id", "ip"))
    assert held == {machine.id: machine.ipv6 for machine in machines if machine.ipv6}
    return outcome(account) | {"led": [(machine.state, bool(machine.ipv6), _led(machine)) for machine in machines]}


def _off_without_charge(account: int, names: list[str]) -> None:
    stop.stop(by(account), names, stopped_mode=stop.STOP_CHARGING)


def _on_again(account: int, names: list[str]) -> None:
    _off_without_charge(account, names)
    work()
    start.start(by(account), names)


def _erased(account: int, names: list[str]) -> None:
    terminate.terminate(by(account), names)
    work()
    terminate.terminate(by(account), names)


def _moved(account: int, names: list[str]) -> None:
    move.move(by(account), names, DEFAULT_NETWORK)


def _anew(account: int, names: list[str]) -> None:
    reinstall.reinstall(by(account), names[0], Reinstall(IMAGE))


@pytest.mark.parametrize(
    ("act", "ended", "least"),
    [
        (None, ("RUNNING", True, "running, its own"), 8),
        (_off_without_charge, ("STOPPED", True, "stopped, "), 8),
        (_on_again, ("RUNNING", True, "running, its own"), 8),
        (_moved, ("RUNNING", True, "running, its own"), 8),
        (_anew, ("RUNNING", True, "running, its own"), 8),
        (_erased, ("GONE", False, "absent, "), 8),
    ],
    ids=["bought", "off without charge", "on again", "moved", "made anew", "erased"],
)
def test_a_worker(
    nursery: Nursery, let_leases_run_out: Callable[[], int], act: Callable[[int, list[str]], None] | None,
    ended: tuple[str, bool, str], least: int,
) -> None:  # fmt: skip
    def asked(name: str) -> int:
        account = _buy(name)
        if act is not None:
            work()
            act(account, list(Instance.objects.filter(account_id=account).values_list("public_id", flat=True)))
        return account

    expected = at_each_point(nursery, let_leases_run_out, asked, least=least, come_to=_come_to)
    assert expected["led"] == [ended]
    assert list(reconcile()) == []


def test_a_worker_whose_engine_makes_no_machine(
    nursery: Nursery, world: World, let_leases_run_out: Callable[[], int]
) -> None:
    """Given an engine that refuses for good, then the address is had again by anybody, and money is back."""

    def asked(name: str) -> int:
        world.clear_faults()
        world.fail("ensure_present", times=99, transient=False)
        return _buy(name)

    expected = at_each_point(nursery, let_leases_run_out, asked, least=8, come_to=_come_to)
    assert expected["led"] == [("LAUNCH_FAILED", False, "absent, ")]
    assert expected["purses"]["held"] == 0
    assert Ipv6Address.objects.count() == 0
    assert list(reconcile()) == []


def test_a_purchase(nursery: Nursery) -> None:
    """Given the buyer asks again with its token, then each machine has one address."""
    asked = {"configuration": ONLINE | {"count": 2}, "token": "t", "ipv6": True}
    undisturbed = open_purse("undisturbed", cash_minor=100_000)
    control = nursery.run("buy", account=undisturbed, **asked)
    work()
    expected = _come_to(undisturbed)
    accounts: dict[int, int] = {}

    def killed(point: int) -> dict[str, Any] | None:
        accounts[point] = open_purse(f"killed-{point}", cash_minor=100_000)
        return nursery.run("buy", kill_at=point, account=accounts[point], **asked)

    def verify(point: int) -> None:
        assert nursery.run("buy", account=accounts[point], **asked) is not None
        work()
        assert _come_to(accounts[point]) == expected, name_of(control, point)

    assert points(killed, verify) >= 4
    assert expected["led"] == [("RUNNING", True, "running, its own")] * 2
    assert list(reconcile()) == []
