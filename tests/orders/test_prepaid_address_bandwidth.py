"""Given an address by the month, when its bandwidth changes, then more costs the rest of its term, and less comes back.

5 Mbps are 115.00 a month and 0.315 an hour, 10 Mbps 565.00 and 1.565.
"""

import datetime as dt

import pytest

from tests.orders.addressing import MONTH_MINOR, again, bound, by_month, by_traffic, latest, lines, new_address, term
from tests.orders.ending import no_closes
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import ZONE, buy_running, open_purse, owe, pay, purses, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.kernel import db
from vmart.kernel.clock import UTC
from vmart.kernel.errors import InvalidParameter, LimitExceeded
from vmart.network.models import Eip
from vmart.orders import actions, errors, paid
from vmart.orders.addresses.allocate import NewAddresses
from vmart.orders.addresses.bandwidth import UPGRADE, Faster, change, reckon
from vmart.orders.addresses.give_back import quote_refund
from vmart.orders.addresses.renew import ACT as RENEWAL
from vmart.orders.downgrade import Downgrade
from vmart.orders.models import Order
from vmart.orders.renew import Renewal
from vmart.pricing.errors import OutOfRange
from vmart.pricing.priced import Priced
from vmart.provisioning.zone_engines import engine_of
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

DAY = dt.timedelta(days=1)
EXPIRY = dt.datetime(2026, 4, 10, 2, tzinfo=UTC)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


def _bought(account: int, asked: NewAddresses) -> Eip:
    no_closes()
    return new_address(account, asked)


def _terms(eip: Eip) -> list[tuple[str, int]]:
    items = Item.objects.filter(subscription_id=eip.id, to_at=None)
    return list(items.values_list("mode", "quantity"))


def _price(account: int, eip: Eip, mbps: int) -> int:
    (cost,) = reckon(account, [eip.public_id], mbps)
    assert isinstance(cost, Priced)
    return cost.due_minor


def _back(account: int, eip: Eip, mbps: int) -> int:
    (cost,) = reckon(account, [eip.public_id], mbps)
    assert isinstance(cost, Downgrade)
    return cost.back_minor


# Up -------------------------------------------------------------------------------------------------------------------


def test_more_of_an_idle_one_costs_the_rest_of_its_term_and_is_there_at_once(
    account: int, test_clock: BusinessClock
) -> None:
    """29 days: 450.00 × 0.95, as 29 × 12 / 365 = 0.953; a return a day later gives 28 of them back."""
    eip = _bought(account, by_month())
    test_clock.advance(days=2)
    before = purses(account)["cash"]
    assert _price(account, eip, 10) == 42_750
    change(by(account), [eip.public_id], 10)
    assert (before - purses(account)["cash"], purses(account)["held"]) == (42_750, 0)
    assert (latest(eip), again(eip).bandwidth_mbps, _terms(eip), term(eip)) == (
        ("UNBIND", "ModifyAddressesBandwidth", "SUCCESS"), 10, [("month", 10)], (START, EXPIRY),
    )  # fmt: skip
    assert lines(eip)[1] == ("faster_address", "delivered", 42_750, 0)
    assert RENEWAL.price(account, Renewal([eip.public_id])).due_minor == 56_500
    assert list(reconcile()) == []
    Account.objects.filter(id=account).update(free_return_used_at=START)
    test_clock.advance(days=1)
    (quoted,) = quote_refund(account, [eip.public_id])
    # 72 h of 5 Mbps at 0.315; of the upgrade 28 of 29 days: 412.7586
    assert quoted.refund_minor == MONTH_MINOR - 2268 + 41_276


def test_more_of_a_bound_one_is_paid_when_it_is_in_force(account: int) -> None:
    """31 days: 450.00 × 1.02."""
    machine = buy_running(account)
    eip = bound(account, machine, by_month())
    held, cash = purses(account)["held"], purses(account)["cash"]
    task = change(by(account), [eip.public_id], 10)
    assert (purses(account)["held"] - held, purses(account)["cash"]) == (45_900, cash)
    assert (latest(eip), again(eip).bandwidth_mbps, again(eip).task) == (
        ("BIND", "ModifyAddressesBandwidth", "OPERATING"), 5, task,
    )  # fmt: skip
    with refused(errors.EipBusy, field="addresses"), nothing_written():
        RENEWAL.order(by(account), Renewal([eip.public_id]))
    work()
    assert (purses(account)["held"], cash - purses(account)["cash"]) == (held, 45_900)
    assert (again(eip).bandwidth_mbps, _terms(eip)) == (10, [("month", 10)])
    assert lines(eip)[1] == ("faster_address", "delivered", 45_900, 0)
    assert list(reconcile()) == []


def test_none_is_faster_by_an_order_that_waits_for_it_no_more(account: int) -> None:
    """It would be so for nothing."""
    eip = bound(account, buy_running(account), by_month())
    change(by(account), [eip.public_id], 10)
    order = Order.objects.get(action="faster_address")
    with db.act():
        paid.give_up(order.id, eip.id, "by hand")
    work()
    assert (latest(eip)[2], again(eip).bandwidth_mbps, _terms(eip)) == ("OPERATING", 5, [("month", 5)])
    assert Operation.objects.filter(kind="address_bandwidth", subject_id=eip.id).exists()


def test_one_that_is_not_made_faster_costs_nothing(account: int, world: World) -> None:
    eip = bound(account, buy_running(account), by_month())
    cash, held = purses(account)["cash"], purses(account)["held"]
    change(by(account), [eip.public_id], 10)
    world.fail("ensure_address", times=6)
    work()
    assert (latest(eip)[2], again(eip).bandwidth_mbps, purses(account)["held"], purses(account)["cash"]) == (
        "FAILED", 5, held, cash,
    )  # fmt: skip
    assert (lines(eip)[1], Order.objects.get(action="faster_address").status) == (
        ("faster_address", "failed", 45_900, 0), 5,
    )  # fmt: skip
    work()
    assert list(reconcile()) == []


def test_several_of_all_kinds_change_in_one_task(account: int) -> None:
    """One goes up, one down, one by traffic."""
    slow, fast = _bought(account, by_month()), _bought(account, by_month(10))
    traffic = new_address(account, by_traffic())
    machine = buy_running(account)
    no_closes()
    other = bound(account, machine, by_month())
    cash = purses(account)["cash"]
    names = [eip.public_id for eip in (slow, fast, traffic, other)]
    task = change(by(account), names, 7)
    work()
    assert set(Eip.objects.values_list("bandwidth_mbps", "task", "latest_operation_state")) == {(7, task, "SUCCESS")}
    # up: 180.00 × 1.02 each; down: 565.00 − 295.00 × 1.02
    assert cash - purses(account)["cash"] == 2 * 18_360 - (56_500 - 30_090)
    assert Order.objects.filter(action="faster_address").values_list("count", "status").get() == (2, 4)
    assert list(reconcile()) == []


def test_an_unpaid_order_of_more_is_paid_later(account: int) -> None:
    eip = _bought(account, by_month())
    asked = Faster([eip.public_id], 10)
    number = UPGRADE.place(by(account), asked)
    actions.pay(by(account), number)
    assert (again(eip).bandwidth_mbps, lines(eip)[1][2]) == (10, 45_900)
    with refused(InvalidParameter, field="addresses"), nothing_written():
        UPGRADE.order(by(account), asked)  # it is as fast already
    postpaid = new_address(account, by_traffic()).public_id
    with refused(InvalidParameter, field="addresses"), nothing_written():
        UPGRADE.order(by(account), Faster([postpaid], 10))


def test_the_same_bandwidth_moves_no_money(account: int) -> None:
    eip = _bought(account, by_month())
    assert _price(account, eip, 5) == 0
    cash = purses(account)["cash"]
    change(by(account), [eip.public_id], 5)
    assert (purses(account)["cash"], lines(eip)) == (cash, [("buy_address", "delivered", MONTH_MINOR, 0)])
    assert Item.objects.filter(subscription_id=eip.id).count() == 1
    assert list(reconcile()) == []


# Down -----------------------------------------------------------------------------------------------------------------


def test_less_gives_back_what_the_rest_is_worth_more(account: int, test_clock: BusinessClock) -> None:
    """Worth 565.00 − 240 × 1.565 = 189.40; 21 days of 5 Mbps: 115.00 × 0.69 = 79.35."""
    eip = _bought(account, by_month(10))
    test_clock.advance(days=10)
    assert _back(account, eip, 5) == 11_005
    cash = purses(account)["cash"]
    change(by(account), [eip.public_id], 5)
    assert purses(account)["cash"] - cash == 11_005
    assert (again(eip).bandwidth_mbps, _terms(eip), term(eip)) == (5, [("month", 5)], (START, EXPIRY))
    assert lines(eip) == [
        ("buy_address", "returned", 56_500, 18_940), ("downgrade", "delivered", 7_935, 0),
    ]  # fmt: skip
    event = Event.objects.get(subject_id=eip.id, kind="bandwidth_changed")
    assert event.detail == {"old": 10, "new": 5, "refund_minor": 11_005}
    assert Account.objects.get(id=account).free_return_used_at is None
    assert list(reconcile()) == []


def test_several_become_slower_by_one_order_as_each_would_alone(account: int, test_clock: BusinessClock) -> None:
    """After 10 days back to 5 Mbps: 110.05 of 10 Mbps, of 20 Mbps 1,465.00 − 240 × 4.065 − 79.35."""
    pay(account, 100_000)
    alone = open_purse("alone", cash_minor=300_000)
    pairs = [(_bought(owner, by_month(10)), _bought(owner, by_month(20))) for owner in (account, alone)]
    test_clock.advance(days=10)
    for owner, (ten, twenty) in zip((account, alone), pairs, strict=True):
        cash, names = purses(owner)["cash"], [[ten.public_id, twenty.public_id]]
        for several in names if owner == account else [[ten.public_id], [twenty.public_id]]:
            change(by(owner), several, 5)
        assert purses(owner)["cash"] - cash == 11_005 + 41_005
    orders = Order.objects.filter(action="downgrade").order_by("id")
    assert list(orders.values_list("account_id", "count", "total_minor")) == [
        (account, 2, 15_870), (alone, 1, 7_935), (alone, 1, 7_935),
    ]  # fmt: skip
    test_clock.advance(days=5)
    told = [[quote_refund(eip.account_id, [eip.public_id])[0].refund_minor for eip in pair] for pair in pairs]
    assert told[0] == told[1]
    assert [lines(eip) for eip in pairs[0]] == [lines(eip) for eip in pairs[1]]
    assert list(reconcile()) == []


def test_none_of_several_becomes_slower_where_one_cannot(account: int) -> None:
    often, other = _bought(account, by_month(10)), _bought(account, by_month(10))
    for mbps in (9, 8, 7, 6, 5):
        change(by(account), [often.public_id], mbps)
    with refused(LimitExceeded, field="addresses", match=often.public_id), nothing_written():
        change(by(account), [other.public_id, often.public_id], 4)


def test_less_of_a_bound_one_comes_back_when_it_is_in_force(account: int) -> None:
    """At once: 565.00 − 115.00 × 1.02."""
    machine = buy_running(account)
    eip = bound(account, machine, by_month(10))
    cash = purses(account)["cash"]
    change(by(account), [eip.public_id], 5)
    assert (purses(account)["cash"], again(eip).bandwidth_mbps) == (cash, 10)
    work()
    assert (purses(account)["cash"] - cash, again(eip).bandwidth_mbps) == (56_500 - 11_730, 5)
    assert engine_of(ZONE).observe(machine.public_id).public_ip == eip.ip
    assert list(reconcile()) == []


def test_less_that_is_worth_nothing_happens_all_the_same(account: int, test_clock: BusinessClock) -> None:
    """480 × 1.565 are more than what was paid."""
    eip = _bought(account, by_month(10))
    test_clock.advance(days=20)
    cash = purses(account)["cash"]
    change(by(account), [eip.public_id], 5)
    assert (purses(account)["cash"], again(eip).bandwidth_mbps) == (cash, 5)
    assert lines(eip) == [("buy_address", "returned", 56_500, 0), ("downgrade", "delivered", 0, 0)]
    assert list(reconcile()) == []


def test_one_that_is_not_made_slower_gives_nothing_back(account: int, world: World) -> None:
    eip = bound(account, buy_running(account), by_month(10))
    cash = purses(account)["cash"]
    change(by(account), [eip.public_id], 5)
    world.fail("ensure_address", times=6)
    work()
    assert (latest(eip)[2], again(eip).bandwidth_mbps, purses(account)["cash"]) == ("FAILED", 10, cash)
    assert lines(eip) == [("buy_address", "delivered", 56_500, 0)]


def test_five_times_at_most(account: int) -> None:
    eip = _bought(account, by_month(10))
    for mbps in (9, 8, 7, 6, 5):
        change(by(account), [eip.public_id], mbps)
    with refused(LimitExceeded, field="addresses"), nothing_written():
        change(by(account), [eip.public_id], 4)
    change(by(account), [eip.public_id], 6)
    assert list(reconcile()) == []


# Bad input ------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused(account: int, test_clock: BusinessClock) -> None:
    eip = _bought(account, by_month())
    code = "InvalidParameterValue.BandwidthOutOfRange"
    for mbps in (0, 201):
        with refused(OutOfRange, field="bandwidth_mbps", code=code), nothing_written():
            change(by(account), [eip.public_id], mbps)
    with refused(errors.InsufficientBalance, code="FailedOperation.BalanceInsufficient"), nothing_written():
        change(by(account), [eip.public_id], 200)
    test_clock.set(EXPIRY)
    for mbps in (4, 10):
        with refused(errors.EipExpired, field="addresses"), nothing_written():
            change(by(account), [eip.public_id], mbps)
    work()
    with refused(errors.EipExpired, field="addresses"), nothing_written():
        change(by(account), [eip.public_id], 10)


def test_a_price_of_another_bandwidth_is_none(account: int) -> None:
    eip = _bought(account, by_month())
    due = UPGRADE.price(account, Faster([eip.public_id], 10))
    change(by(account), [eip.public_id], 6)
    with refused(InvalidParameter, field="addresses"), nothing_written():
        UPGRADE.order(by(account), Faster([eip.public_id], 10), expected=due)
    assert not Operation.objects.filter(kind="address_bandwidth").exists()


def test_more_must_be_paid_for(account: int) -> None:
    eip = _bought(account, by_month())
    owe(account, 1)
    with refused(errors.InsufficientBalance), nothing_written():
        change(by(account), [eip.public_id], 10)
    pay(account, 50_000)
    change(by(account), [eip.public_id], 10)
    assert again(eip).bandwidth_mbps == 10
