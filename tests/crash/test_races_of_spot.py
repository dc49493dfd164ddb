"""A spot machine is taken back while something else is done with it: one goes first; without the locks both do."""

from typing import Any

import pytest

from tests.crash.gate import GATE, Edit, at_the_gate, of, without_locks
from tests.orders.test_reclaim import ORDINARY, _only_room_for
from tests.orders.test_spot import SPOT
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.database import Databases
from tests.support.shopper import ZONE, buy_running, open_purse, purses, wanted, work
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.customers.models import Account
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.orders import reclaim, terminate
from vmart.orders.errors import RoomIsMade, WrongState
from vmart.orders.purchase import purchase
from vmart.provisioning import zones
from vmart.worker import loop
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]


def _against_its_owner(shop: Databases, edit: Edit, test_clock: BusinessClock) -> tuple[list[str], list[Any]]:
    """The notice is over and the machine is being ended for it; meanwhile its owner ends it."""
    machine = buy_running(open_purse(cash_minor=20_000), SPOT)
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    work()
    test_clock.set(test_clock.at + reclaim.NOTICE)
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(
        shop.url(), lambda: loop.run_until_idle({"reclaim": STEPS["reclaim"]}, lanes),
        lambda: terminate.terminate(by(machine.account_id), [machine.public_id]),
    )  # fmt: skip


def test_it_ends_once(open_shop: Databases, edit: Edit, test_clock: BusinessClock) -> None:
    waited, results = _against_its_owner(open_shop, edit, test_clock)
    assert waited == ["advisory", "transactionid"]
    assert of(WrongState, results) == 1
    assert Event.objects.filter(kind="terminated").count() == 1
    Operation.objects.update(lease_until=None, attention=False)  # the race's loop has no step for its erasure
    work()
    assert Instance.objects.get().state == "GONE"
    assert list(reconcile()) == []


def test_control_without_locks_it_ends_twice(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _, results = _against_its_owner(open_shop, edit, test_clock)
    assert of(WrongState, results) == 0
    assert Event.objects.filter(kind="terminated").count() == 2


def _two_purchases(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    """One spot machine stands in the way of two purchases of one machine each."""
    zones.check(ZONE)
    _only_room_for(9)
    buy_running(open_purse(cash_minor=20_000), SPOT)
    _only_room_for(1)
    buyers = [open_purse(name, cash_minor=20_000) for name in ("one", "two")]
    edit("events_write", ("BEGIN\n", f"BEGIN\n  IF _kind = '{reclaim.ACT}' THEN {GATE} END IF;\n"))
    return at_the_gate(shop.url(), *(lambda buyer=buyer: purchase(wanted(buyer, ORDINARY)) for buyer in buyers))  # type: ignore[misc]


def test_it_has_notice_once_and_the_room_is_sold_once(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock
) -> None:
    waited, results = _two_purchases(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert of(RoomIsMade, results) == 2
    assert Event.objects.filter(kind="reclaim_announced").count() == 1
    test_clock.set(test_clock.at + reclaim.NOTICE)
    work()
    assert purchase(wanted(_account("one"), ORDINARY)).instance_ids
    work()
    assert sorted(Instance.objects.values_list("charge_type", "state")) == [
        ("POSTPAID_BY_HOUR", "RUNNING"), ("SPOTPAID", "GONE"),
    ]  # fmt: skip
    assert purses(_account("two"))["held"] == 0
    assert list(reconcile()) == []


def test_control_without_locks_it_has_notice_twice(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _two_purchases(open_shop, edit)
    assert Event.objects.filter(kind="reclaim_announced").count() == 2


def _account(name: str) -> int:
    return int(Account.objects.get(name=name).id)
