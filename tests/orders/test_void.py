"""Given an order that is not delivered yet, when the seller voids it, then nothing of it is there or held any more."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.support.actors import SELLER, by
from tests.support.at_once import at_once
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    open_purse,
    purses,
    wanted,
    work,
)
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Engine
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.orders import actions, errors, place, resize, void
from vmart.orders import deliver as delivering
from vmart.orders.models import Line, Order, Status
from vmart.orders.purchase import purchase
from vmart.placement.models import Allocation
from vmart.provisioning import zones
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture(autouse=True)
def image_ready(in_business: None) -> None:
    assert zones.check(ZONE)
    assert zones.prepare_images(ZONE)


def _void(order: Order, reason: str = "ordered twice") -> void.Voided | None:
    return void.void(order.id, reason, SELLER)


def _clean(account: int, cash_minor: int) -> None:
    """What must be left: the money, no room, no work, agreeing books."""
    assert purses(account) == {"cash": cash_minor, "gift": 0, "owed": 0, "held": 0, "available": cash_minor}
    assert not Allocation.objects.exists()
    assert not Operation.objects.filter(kind="deliver").exists()
    assert list(reconcile()) == []


@pytest.mark.parametrize(("configuration", "held"), [(MONTHLY, MONTHLY_MINOR), (HOURLY, HOURLY_HOLD_MINOR)])
def test_what_was_set_aside_is_free_at_once_and_its_room_when_its_engine_is_clean(
    configuration: Any, held: int
) -> None:
    account = open_purse(cash_minor=50_000)
    purchase(wanted(account, configuration))
    order = Order.objects.get()
    with nothing_written():
        assert void.foretell(order.id) == void.Voided(1, held)
    assert _void(order) == void.Voided(1, held)
    assert purses(account)["available"] == 50_000
    order.refresh_from_db()
    assert (order.status, order.reason, order.closed_at is not None) == (
        Status.CLOSED,
        "The seller voided the order.",
        True,
    )
    line = Line.objects.get()
    assert (line.state, line.paid_cash_minor, line.reason) == ("failed", 0, "The seller voided the order.")
    assert Instance.objects.get().state == "LAUNCH_FAILED"
    event = Event.objects.get(kind="order_voided")
    assert event.detail == {"why": "ordered twice", "amount_minor": held, "machines": 1}
    assert Allocation.objects.exists()
    work()
    _clean(account, 50_000)
    with nothing_written():
        assert _void(order) is None


def test_an_unpaid_order_is_closed_and_cannot_be_paid() -> None:
    account = open_purse(cash_minor=50_000)
    place.place(wanted(account))
    order = Order.objects.get()
    assert _void(order) == void.Voided(0, 0)
    assert Order.objects.get().status == Status.CLOSED
    with refused(errors.OrderNotPayable):
        actions.pay(by(account), order.id)
    with nothing_written():
        assert _void(order) is None
    _clean(account, 50_000)


def test_machines_that_are_delivered_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=50_000)
    purchase(wanted(account, replace(MONTHLY, count=2)))
    first = Operation.objects.filter(kind="deliver").order_by("id").first()
    assert first is not None
    Operation.objects.filter(kind="deliver").exclude(id=first.id).update(attention=True)  # as after a fault of ours
    work()
    order = Order.objects.get()
    assert order.status == Status.DELIVERING
    assert _void(order) == void.Voided(1, MONTHLY_MINOR)
    work()
    order.refresh_from_db()
    assert (order.status, order.closed_at, order.reason) == (Status.DELIVERED, None, "The seller voided the order.")
    assert sorted(Line.objects.values_list("state", flat=True)) == ["delivered", "failed"]
    assert purses(account)["available"] == 50_000 - MONTHLY_MINOR
    assert list(reconcile()) == []
    with refused(errors.NotVoidable, field="order_id"):
        _void(order)


def test_what_is_delivered_or_being_changed_is_not_voided() -> None:
    machine = buy_running(open_purse(cash_minor=90_000), MONTHLY)
    with refused(errors.NotVoidable, match="what is delivered is refunded"):
        _void(Order.objects.get())
    resize.UPGRADE.order(by(machine.account_id), resize.Resize([machine.public_id], "S5.LARGE8"))
    change = Order.objects.latest("id")
    assert change.status == Status.DELIVERING
    with refused(errors.NotVoidable, match="ends by itself"):
        _void(change)


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "x" * 201])
def test_without_a_reason_nothing_is_voided(reason: str) -> None:
    purchase(wanted(open_purse(cash_minor=50_000)))
    with refused(InvalidValue, field="reason"):
        _void(Order.objects.get(), reason)


def test_nobodys_order() -> None:
    with refused(NotFound, field="order_id"):
        void.void(10**9, "why", SELLER)


# -- beside a delivery ---------------------------------------------------------------------------------


def _voided_while_made(monkeypatch: pytest.MonkeyPatch, order: Order) -> None:
    """The worker has the machine in hand; the seller voids the order before it tells."""
    made = delivering.ensure_present_many

    def slow(engine: Engine, specs: Any) -> Any:
        found = made(engine, specs)
        _void(order)
        return found

    monkeypatch.setattr(delivering, "ensure_present_many", slow)


def test_a_machine_that_is_made_meanwhile_is_removed_by_who_made_it(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    account = open_purse(cash_minor=50_000)
    purchase(wanted(account))
    owner = uuid.uuid4()
    _voided_while_made(monkeypatch, Order.objects.get())
    batch = queue.claim(owner, [ZONE], 60.0, 10)
    delivering.deliver(batch, owner)
    assert world.count_machines() == 0
    assert Order.objects.get().status == Status.CLOSED
    # It keeps its lease until then: nobody cleans up beside it.
    assert queue.claim(uuid.uuid4(), [ZONE], 60.0, 10) == []
    Operation.objects.filter(kind="deliver").update(lease_until=None)
    work()
    _clean(account, 50_000)


def test_control_without_the_turn_it_is_delivered_and_its_hold_is_gone(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """Given a void that forgets the work in hand, then the delivery finds no hold, and fails for good."""
    purchase(wanted(open_purse(cash_minor=50_000)))
    order = Order.objects.get()
    call = void.db.call

    def without_turn(name: str, *arguments: Any) -> Any:
        if name != "orders_voided":
            return call(name, *arguments)
        line = Line.objects.get()
        call("ledger_void", line.hold_id, arguments[-1])
        return 1

    monkeypatch.setattr(void.db, "call", without_turn)
    _voided_while_made(monkeypatch, order)
    owner = uuid.uuid4()
    with pytest.raises(Exception, match="was not pending at its delivery"):
        delivering.deliver(queue.claim(owner, [ZONE], 60.0, 10), owner)
    assert world.count_machines() == 1


def test_of_void_and_delivery_at_once_one_wins() -> None:
    account = open_purse(cash_minor=50_000)
    purchase(wanted(account))
    order = Order.objects.get()

    voided, _delivered = at_once(lambda: _void(order), lambda: loop.run_until_idle(STEPS, lambda: [ZONE]))
    work()
    Operation.objects.filter(kind="deliver").update(lease_until=None)
    work()
    line = Line.objects.get()
    if isinstance(voided, void.Voided):
        assert line.state == "failed"
        assert purses(account)["available"] == 50_000
    else:
        assert isinstance(voided, errors.NotVoidable)
        assert line.state == "delivered"
        assert purses(account)["available"] == 50_000 - MONTHLY_MINOR
    assert list(reconcile()) == []
