"""Given a worker that is killed (kill -9) at any point of its work for bandwidth packages, then another one comes to
the same end: what leaves is charged once, as it was when it left, and the engine holds what is charged."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.conftest import Nursery
from tests.crash.points import at_each_point
from tests.support.actors import by
from tests.support.outcome import outcome
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, owe, work
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.kernel import clock
from vmart.network.models import Eip, Package
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.packages import bandwidth
from vmart.orders.packages.create import NewPackages, create
from vmart.orders.packages.members import enter, leave
from vmart.pricing.address import AddressPart
from vmart.pricing.package import PackagePart
from vmart.provisioning import zones
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]

GIB = 1 << 30


def _settle() -> None:
    """All that waits is done, as some seconds later."""
    while Operation.objects.filter(not_before__isnull=False).update(not_before=None) + work():
        pass


def _bound(account: int) -> tuple[str, str]:
    """A package and an address at the account's machine."""
    machine = buy_running(account, HOURLY)
    (package,) = create(by(account), NewPackages(HOURLY.region, PackagePart(10), zone=ZONE))
    part = AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 9)
    (eip,) = allocate(by(account), NewAddresses(HOURLY.region, part, ZONE)).public_ids
    associate(by(account), eip, machine.public_id)
    _settle()
    return package, eip


def _inside(account: int) -> tuple[str, str]:
    package, eip = _bound(account)
    enter(by(account), package, [eip])
    _settle()
    return package, eip


def _enter(account: int, world: World) -> None:
    package, eip = _bound(account)
    world.send_bytes(_machine(eip), GIB)
    enter(by(account), package, [eip])


def _leave(account: int, world: World) -> None:
    package, eip = _inside(account)
    world.send_bytes(_machine(eip), GIB)
    leave(by(account), package, [eip])


def _faster(account: int, _world: World) -> None:
    package, _eip = _inside(account)
    bandwidth.change(by(account), package, 20)


def _ends(account: int, _world: World) -> None:
    """Arrears have lasted too long."""
    _inside(account)
    owe(account)
    _settle()
    Operation.objects.filter(account_id=account, kind="release_package").update(due_at=clock.now())


def _machine(eip: str) -> str:
    instance = Eip.objects.select_related("instance").get(public_id=eip).instance
    assert instance is not None
    return instance.public_id


# Act -> (what is asked for, the address's mode in the end, bytes by traffic, and what its machine shares).
ACTS: dict[str, tuple[Callable[[int, World], None], str, int, int | None]] = {
    "an address comes in": (_enter, "BANDWIDTH_PACKAGE", GIB, 10),
    "an address leaves": (_leave, "TRAFFIC_POSTPAID_BY_HOUR", 0, None),
    "another speed": (_faster, "BANDWIDTH_PACKAGE", 0, 20),
    "it ends in arrears": (_ends, "TRAFFIC_POSTPAID_BY_HOUR", 0, None),
}


@pytest.mark.parametrize("act", ACTS)
def test_the_work_for_packages(nursery: Nursery, let_leases_run_out: Callable[[], int], world: World, act: str) -> None:
    ask, mode, counted, mbps = ACTS[act]

    def asked(name: str) -> int:
        account = open_purse(name, cash_minor=200_000)
        zones.check(ZONE)
        ask(account, world)
        return account

    def come_to(account: int) -> dict[str, Any]:
        eip = Eip.objects.get(account_id=account)
        shares = world.shares(_machine(eip.public_id))
        told = (eip.internet_charge_type, None if shares is None else shares[1])
        return outcome(account) | {"told": told, "package": Package.objects.get(account_id=account).state}

    expected = at_each_point(
        nursery, let_leases_run_out, asked, least=3, come_to=come_to, settle=lambda _account: _settle()
    )
    assert expected["told"] == (mode, mbps)
    assert sum(sent for _, sent in expected["bytes"]) == counted
    assert expected["package"] == ("GONE" if act == "it ends in arrears" else "CREATED")
    assert list(reconcile()) == []
