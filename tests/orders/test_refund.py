"""Given an order that was paid ahead, then the seller gives of it back what was paid and has not come back, once."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.orders.addressing import by_month, new_address
from tests.orders.ending import no_closes
from tests.orders.prepaying import MONTH_MINOR, prepaid_disk
from tests.support.actors import SELLER, by
from tests.support.at_once import at_once
from tests.support.business_clock import BusinessClock
from tests.support.happened import kinds_of
from tests.support.shopper import (
    HOURLY,
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
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.ledger.models import Transfer
from vmart.orders import errors, refund, renew, return_prepaid, terminate, to_traffic
from vmart.orders.by_hand import Movement, move
from vmart.orders.models import Line, Order, Refund, Status
from vmart.orders.purchase import purchase
from vmart.orders.refund import After, Asked
from vmart.orders.renew import Renewal
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def machine(in_business: None) -> Instance:
    """Paid with 50.00 of gift and 82.50 of cash."""
    return _bought()


def _bought(name: str = "buyer", gift_minor: int = 5000) -> Instance:
    account = open_purse(name, cash_minor=50_000)
    move(Movement(account, gift_minor, "gift", "a welcome", SELLER, "k"))
    return buy_running(account, MONTHLY)


def _order(machine: Instance) -> Order:
    return Order.objects.get(id=Line.objects.filter(subscription_id=machine.id).order_by("id")[0].order_id)


def _asked(machine: Instance, minor: int | None, after: str = After.STAYS, line: int = 0) -> Asked:
    return Asked(_order(machine).id, minor, after, line)


def _give(machine: Instance, minor: int | None, after: str = After.STAYS, **named: Any) -> refund.Foretold | None:
    key = named.pop("key", "one")
    return refund.give(_asked(machine, minor, after), named.pop("reason", "slow network"), SELLER, key, **named)


def test_a_part_comes_back_in_the_proportion_in_which_it_was_paid(machine: Instance) -> None:
    before = purses(machine.account_id)
    told = _give(machine, 3001)
    assert told is not None
    # 30.01 × 82.50 / 132.50 = 18.6855…: half-up of the minor unit
    assert (told.refund_minor, told.cash_minor, told.gift_minor) == (3001, 1869, 1132)
    after = purses(machine.account_id)
    assert (after["cash"] - before["cash"], after["gift"] - before["gift"]) == (1869, 1132)
    line = Line.objects.get(subscription_id=machine.id)
    assert (line.state, line.refund_minor, line.seller_back_minor, line.seller_gift_back_minor) == (
        "delivered", 3001, 3001, 1132,
    )  # fmt: skip
    made = Refund.objects.get()
    assert (made.cash_minor, made.gift_minor, made.ended, made.reason, made.actor) == (
        1869, 1132, False, "slow network", "command line (me)",
    )  # fmt: skip
    transfer = Transfer.objects.get(id=made.transfer_id)
    assert (transfer.kind, transfer.amount_minor, transfer.subject_id) == ("refund", 3001, machine.id)
    event = Event.objects.get(kind="order_refunded")
    assert event.detail == {"amount_minor": 3001, "why": "slow network", "ends": False}
    assert Instance.objects.get(id=machine.id).state == "RUNNING"
    assert _order(machine).status == Status.DELIVERED
    assert list(reconcile()) == []


def test_what_is_left_is_the_most_and_the_last_cent_comes_back(machine: Instance) -> None:
    _give(machine, 3001)
    with refused(InvalidValue, field="amount_minor", match="at most ¥102.49"):
        _give(machine, MONTHLY_MINOR - 3001 + 1, key="two")
    _give(machine, None, key="three")
    line = Line.objects.get(subscription_id=machine.id)
    assert (line.refund_minor, line.left_minor, line.gift_left_minor) == (MONTHLY_MINOR, 0, 0)
    assert purses(machine.account_id)["cash"] == 50_000
    assert purses(machine.account_id)["gift"] == 5000
    assert _order(machine).status == Status.REFUNDED
    with refused(errors.NothingToRefund):
        _give(machine, 1, key="four")
    assert list(reconcile()) == []


@pytest.mark.parametrize("minor", [0, -1, -(10**12), MONTHLY_MINOR + 1, 2**70])
def test_an_amount_out_of_bounds_gives_nothing(machine: Instance, minor: int) -> None:
    with refused(InvalidValue, field="amount_minor"):
        _give(machine, minor)


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201, "a\0b"])
def test_without_a_reason_of_one_line_nothing_is_given(machine: Instance, reason: str) -> None:
    with refused(InvalidValue, field="reason"):
        _give(machine, 1, reason=reason)


def test_nobodys_order_and_no_such_line(machine: Instance) -> None:
    with refused(NotFound, field="order_id"):
        refund.give(Asked(10**9, 1, After.STAYS), "why", SELLER, "k")
    with refused(InvalidValue, field="line"):
        refund.give(_asked(machine, 1, line=2), "why", SELLER, "k")
    with refused(InvalidValue, field="after"):
        refund.give(_asked(machine, 1, "perhaps"), "why", SELLER, "k")
    with refused(InvalidValue, field="key"):
        refund.give(_asked(machine, 1), "why", SELLER, "")


def test_what_is_charged_by_the_hour_has_nothing_to_give_back() -> None:
    machine = buy_running(open_purse(cash_minor=1000), HOURLY)
    with refused(errors.NothingToRefund):
        _give(machine, 1)


def test_the_same_key_gives_once_and_another_refund_under_it_is_refused(machine: Instance) -> None:
    assert _give(machine, 100) is not None
    with nothing_written():
        assert _give(machine, 100) is None
    for other in ({"minor": 101}, {"reason": "another"}, {"after": After.ENDS}):
        said: dict[str, Any] = {"minor": 100} | other
        with refused(errors.TokenReused, field="key"):
            _give(machine, said.pop("minor"), **said)


def test_what_was_shown_before_another_refund_is_not_done(machine: Instance) -> None:
    """Given two operators who look at the same order, then the second is shown what the first has done."""
    shown = refund.foretell(_asked(machine, 100)).shown
    assert _give(machine, 100, shown=shown) is not None
    with refused(errors.ChangedMeanwhile):
        _give(machine, 100, key="two", shown=shown)
    with refused(errors.ChangedMeanwhile):
        _give(machine, 101, key="two", shown=refund.foretell(_asked(machine, 100)).shown)


def test_foretelling_writes_nothing(machine: Instance) -> None:
    with nothing_written():
        told = refund.foretell(_asked(machine, None, After.ENDS))
    assert (told.refund_minor, told.ends, told.also) == (MONTHLY_MINOR, True, ())


def test_of_two_refunds_at_once_one_is_made(machine: Instance) -> None:
    """By one form that is sent twice, and by two operators who were shown the same."""
    twice = at_once(*[lambda: _give(machine, 100)] * 2)
    assert sorted(type(one).__name__ for one in twice) == ["Foretold", "NoneType"]
    shown = refund.foretell(_asked(machine, 100)).shown
    two = at_once(*[lambda key=key: _give(machine, 100, key=key, shown=shown) for key in ("a", "b")])
    assert sorted(type(one).__name__ for one in two) == ["ChangedMeanwhile", "Foretold"]
    assert Line.objects.get(subscription_id=machine.id).refund_minor == 200
    assert list(reconcile()) == []


def test_of_two_whole_refunds_at_once_one_is_made(machine: Instance) -> None:
    both = at_once(*[lambda key=key: _give(machine, None, key=key) for key in ("a", "b")])
    assert sorted(type(one).__name__ for one in both) == ["Foretold", "NothingToRefund"]
    assert Line.objects.get(subscription_id=machine.id).left_minor == 0
    assert list(reconcile()) == []


# -- of several lines ----------------------------------------------------------------------------------


def test_of_several_lines_each_gives_its_part() -> None:
    account = open_purse(cash_minor=100_000)
    bought = purchase(wanted(account, replace(MONTHLY, count=3)))
    buy_running(open_purse("other", cash_minor=100_000), HOURLY)  # and the worker delivers all
    work()
    order_id = Line.objects.get(subscription_id=Instance.objects.get(public_id=bought.instance_ids[0]).id).order_id
    told = refund.give(Asked(order_id, 100, After.STAYS), "why", SELLER, "k")
    assert told is not None
    assert [part.refund_minor for part in told.parts] == [34, 33, 33]
    told = refund.give(Asked(order_id, 100, After.STAYS, line=3), "why", SELLER, "k2")
    assert told is not None
    assert [(part.line.number, part.refund_minor) for part in told.parts] == [(3, 100)]
    back = Line.objects.filter(order_id=order_id).order_by("number").values_list("refund_minor", flat=True)
    assert list(back) == [34, 33, 133]
    assert list(reconcile()) == []


# -- what was bought -----------------------------------------------------------------------------------


def test_what_ends_is_in_the_bin_with_what_was_given(machine: Instance, test_clock: BusinessClock) -> None:
    _give(machine, 1000, After.ENDS)
    ended = Instance.objects.select_related("subscription").get(id=machine.id)
    assert (ended.state, ended.subscription.isolated_source) == ("SHUTDOWN", "MANMADE")
    assert ended.subscription.expires_at == test_clock.at
    line = Line.objects.get(subscription_id=machine.id)
    assert (line.state, line.refund_minor, line.returned_at) == ("returned", 1000, None)
    assert Refund.objects.get().ended
    assert kinds_of(machine)[-1] == "returned"
    work()
    assert list(reconcile()) == []
    _give(machine, None, key="later")  # the rest, although it has ended
    assert Line.objects.get(subscription_id=machine.id).left_minor == 0
    assert (purses(machine.account_id)["cash"], purses(machine.account_id)["gift"]) == (50_000, 5000)
    assert list(reconcile()) == []
    with refused(errors.NothingToRefund):
        _give(machine, None, After.ENDS, key="last")


def test_what_is_in_the_bin_does_not_end_again(machine: Instance) -> None:
    _give(machine, 1000, After.ENDS)
    work()
    with refused(errors.WrongState):
        _give(machine, 1000, After.ENDS, key="two")


def test_other_orders_of_what_ends_are_told_and_can_be_given_back(machine: Instance) -> None:
    renew.renew(by(machine.account_id), Renewal([machine.public_id], 1))
    renewal = Line.objects.filter(subscription_id=machine.id).order_by("id").last()
    assert renewal is not None
    told = refund.foretell(_asked(machine, 500, After.ENDS))
    assert told.also == ((renewal.order_id, renewal.amount_minor),)
    _give(machine, 500, After.ENDS)
    work()
    assert list(reconcile()) == []
    refund.give(Asked(renewal.order_id, None, After.STAYS), "not begun", SELLER, "k2")
    assert list(reconcile()) == []


def test_a_busy_machine_is_waited_for(machine: Instance) -> None:
    Instance.objects.filter(id=machine.id).update(
        latest_operation="ResetInstancesType", latest_operation_state="OPERATING"
    )
    for after in After:
        with refused(errors.Busy, match="busy with ResetInstancesType"):
            _give(machine, 100, after)


# -- a return after it ---------------------------------------------------------------------------------


def test_a_free_return_gives_the_rest_back(machine: Instance) -> None:
    _give(machine, 3001)
    (quoted,) = return_prepaid.quote_refund(machine.account_id, [machine.public_id])
    assert (quoted.first_free, quoted.refund_minor) == (True, MONTHLY_MINOR - 3001)
    terminate.terminate(by(machine.account_id), [machine.public_id])
    work()
    assert (purses(machine.account_id)["cash"], purses(machine.account_id)["gift"]) == (50_000, 5000)
    assert list(reconcile()) == []


def test_an_ordinary_return_takes_off_what_came_back(machine: Instance, test_clock: BusinessClock) -> None:
    test_clock.advance(days=10)
    (before,) = return_prepaid.quote_refund(machine.account_id, [machine.public_id])
    assert (before.first_free, before.refund_minor > 3001) == (False, True)
    _give(machine, 3001)
    (after,) = return_prepaid.quote_refund(machine.account_id, [machine.public_id])
    assert after.refund_minor == before.refund_minor - 3001
    _give(machine, None, key="rest")
    (nothing,) = return_prepaid.quote_refund(machine.account_id, [machine.public_id])
    assert nothing.refund_minor == 0
    terminate.terminate(by(machine.account_id), [machine.public_id])
    work()
    assert list(reconcile()) == []


def test_after_an_ordinary_return_what_was_used_may_be_given_back(machine: Instance, test_clock: BusinessClock) -> None:
    test_clock.advance(days=10)
    terminate.terminate(by(machine.account_id), [machine.public_id])
    work()
    line = Line.objects.get(subscription_id=machine.id)
    assert 0 < line.refund_minor < MONTHLY_MINOR
    for key in range(7):  # cent by cent at the end: never more of either purse than was paid of it
        _give(machine, 1, key=str(key))
    _give(machine, None, key="rest")
    assert (purses(machine.account_id)["cash"], purses(machine.account_id)["gift"]) == (50_000, 5000)
    assert list(reconcile()) == []


# -- beside what else gives back -----------------------------------------------------------------------


def test_bandwidth_that_ends_gives_back_no_more_than_is_left(test_clock: BusinessClock) -> None:
    no_closes()
    online = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=2, public_ip=True)
    machine = buy_running(open_purse(cash_minor=50_000), online)
    test_clock.advance(hours=36)
    _give(machine, 17_250 - 2000)  # 20.00 are left, and its bandwidth alone would give back 35.46
    to_traffic.change(by(machine.account_id), [machine.public_id], 2)
    work()
    line = Line.objects.get(subscription_id=machine.id)
    assert (line.refund_minor, line.bandwidth_ended_minor) == (17_250 - 2000 + 1546, 2000)  # 20.00 − 4.54 of use
    assert list(reconcile()) == []
    _give(machine, None, key="rest")
    (nothing,) = return_prepaid.quote_refund(machine.account_id, [machine.public_id])
    assert nothing.refund_minor == 0
    terminate.terminate(by(machine.account_id), [machine.public_id])
    work()
    assert purses(machine.account_id)["cash"] == 50_000
    assert list(reconcile()) == []


def test_a_disk_and_an_address_end_with_what_was_given() -> None:
    account = open_purse(cash_minor=100_000)
    assert zones.check(ZONE)  # it keeps disks by themselves
    disk, eip = prepaid_disk(account), new_address(account, by_month())
    for thing, of in ((disk, "disk"), (eip, "address")):
        line = Line.objects.get(subscription_id=thing.id)
        told = refund.give(Asked(line.order_id, 700, After.ENDS), "why", SELLER, "k")
        assert told is not None
        assert [(part.kind, part.refund_minor) for part in told.parts] == [(of, 700)]
        thing.subscription.refresh_from_db()
        assert (thing.subscription.standing, thing.subscription.isolated_source) == ("isolated", "MANMADE")
        assert Line.objects.get(id=line.id).state == "returned"
    work()
    assert Line.objects.get(subscription_id=disk.id).left_minor == MONTH_MINOR - 700
    assert list(reconcile()) == []


def test_control_without_the_lock_two_give_more_than_was_left(
    machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either writes: the database's own bound is all that stands between."""
    meet = threading.Barrier(2)
    call = refund.db.call
    monkeypatch.setattr(refund.db, "call", lambda name, *a: None if name == "ledger_lock" else call(name, *a))
    monkeypatch.setattr(Line.objects.all().__class__, "select_for_update", lambda self, **_named: self)
    foretold = refund._foretold

    def both_look(*asked: Any) -> refund.Foretold:
        told = foretold(*asked)
        meet.wait(10)
        return told

    monkeypatch.setattr(refund, "_foretold", both_look)
    both = at_once(*[lambda key=key: _give(machine, 100, key=key) for key in ("a", "b")])
    assert [type(one).__name__ for one in both] == ["Foretold", "Foretold"]
    assert sum(one.cash_minor + one.gift_minor for one in Refund.objects.all()) == 200
    assert Line.objects.get(subscription_id=machine.id).refund_minor == 100  # one is lost from the line
    assert any("gave back" in line for line in reconcile())
