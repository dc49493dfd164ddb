"""Given a prepaid machine, when it becomes smaller, then its term pays for it, and what is over comes back."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.ending import no_closes, now
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import MONTHLY, MONTHLY_MINOR, buy_running, go_to, open_purse, owe, purses, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidValue, LimitExceeded
from vmart.ledger.models import Transfer
from vmart.orders import renew, resize, return_prepaid, terminate
from vmart.orders.downgrade import MOST, Downgrade
from vmart.orders.errors import Busy
from vmart.orders.models import Line, Order
from vmart.orders.renew import Renewal
from vmart.orders.resize import UPGRADE, Resize
from vmart.subscriptions.models import Item

pytestmark = pytest.mark.usefixtures("in_business")

ACT = "ResetInstancesType"
YEAR = replace(MONTHLY, period_months=12)
YEAR_MINOR = 135_540  # 12 × (115 × 0.83 + 17.50)
EXPIRES = dt.datetime(2027, 3, 10, 2, tzinfo=dt.UTC)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=500_000)


@pytest.fixture
def machine(account: int, test_clock: BusinessClock) -> Instance:
    """Bought on 10 March 2026 for a year; today is 10 May."""
    no_closes()
    bought = buy_running(account, YEAR)
    go_to(test_clock, dt.datetime(2026, 5, 10, 2, tzinfo=dt.UTC))
    return bought


def _reckoned(machine: Instance, to: str = "S5.SMALL2") -> Downgrade:
    with nothing_written():
        found = resize.reckon(machine.account_id, Resize([machine.public_id], to))
    assert isinstance(found, Downgrade)
    return found


def _change(machine: Instance, to: str = "S5.SMALL2") -> None:
    resize.change(by(machine.account_id), [machine.public_id], to)
    work()


def _lines() -> list[tuple[str, str, int, int]]:
    """Of each order its action; of its line the state, what was paid and what of it came back."""
    found = Line.objects.select_related("order").order_by("id")
    return [(one.order.action, one.state, one.paid_cash_minor + one.paid_gift_minor, one.refund_minor) for one in found]


# Two whole months of 132.50 are used: 1,355.40 − 265.00. Ten months of 60 × 0.88 + 17.50 are left to pay.
WORTH_MINOR, REST_MINOR = 109_040, 70_300
BACK_MINOR = WORTH_MINOR - REST_MINOR


def test_what_it_comes_to_is_told_and_writes_nothing(machine: Instance) -> None:
    found = _reckoned(machine)
    assert (found.refund.refund_minor, found.priced.due_minor, found.back_minor) == (
        WORTH_MINOR, REST_MINOR, BACK_MINOR,
    )  # fmt: skip
    (line,) = found.priced.lines
    assert (line.list_minor, line.days, line.period_to) == (77_500, 304, EXPIRES)
    assert sorted(term[2] for term in line.terms) == [1, 50]


def test_it_comes_back_when_the_type_is_in_force(account: int, machine: Instance, world: World) -> None:
    cash = purses(account)["cash"]
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    assert (purses(account), _lines()) == (
        {"cash": cash, "gift": 0, "owed": 0, "held": 0, "available": cash},
        [("purchase", "delivered", YEAR_MINOR, 0)],
    )
    assert list(reconcile()) == []
    work()
    found = now(machine)
    assert (found.instance_type_id, found.state, found.latest_operation_state) == ("S5.SMALL2", "RUNNING", "SUCCESS")
    assert (world.size(machine.public_id), world.boots(machine.public_id)) == ((1, 2048), 2)
    assert purses(account)["cash"] == cash + BACK_MINOR
    assert Event.objects.get(kind="type_changed").detail == {
        "old": "S5.MEDIUM4", "new": "S5.SMALL2", "refund_minor": BACK_MINOR,
    }  # fmt: skip
    assert _lines() == [
        ("purchase", "returned", YEAR_MINOR, WORTH_MINOR), ("downgrade", "delivered", REST_MINOR, 0),
    ]  # fmt: skip
    assert found.subscription.expires_at == EXPIRES
    assert Account.objects.get(id=account).free_return_used_at is None
    assert Line.objects.filter(returned_at__isnull=False).count() == 0  # no return counts against the quota
    assert renew.price(account, Renewal([machine.public_id])).due_minor == 7_750
    assert list(reconcile()) == []


def test_a_return_after_it_gives_what_a_return_before_would(account: int, machine: Instance) -> None:
    Account.objects.update(free_return_used_at=START)
    (before,) = return_prepaid.quote_refund(account, [machine.public_id])
    _change(machine)
    (after,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (before.refund_minor, after.refund_minor) == (WORTH_MINOR, REST_MINOR)
    cash = purses(account)["cash"]
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["cash"] == cash + REST_MINOR
    assert list(reconcile()) == []


def test_a_term_that_went_on_is_returned_at_the_smaller_type(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """One month of 60 + 17.50 is used of it."""
    _change(machine)
    go_to(test_clock, dt.datetime(2026, 6, 10, 2, tzinfo=dt.UTC))
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (quoted.paid_minor, quoted.refund_minor, quoted.first_free) == (REST_MINOR, REST_MINOR - 7_750, False)


def test_renewals_not_begun_and_upgrades_are_worth_something_too(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    _change(machine, "S5.LARGE8")
    renew.renew(by(account), Renewal([machine.public_id], 1))
    upgrade = 115 * 304 * 12 / 365  # months × 0.88
    found = _reckoned(machine, "S5.MEDIUM4")
    assert found.refund.refund_minor == WORTH_MINOR + round(upgrade * 88) + 24_750
    _change(machine, "S5.MEDIUM4")
    assert [state for _, state, _, _ in _lines()] == ["returned", "returned", "returned", "delivered"]
    assert now(machine).subscription.expires_at == dt.datetime(2027, 4, 10, 2, tzinfo=dt.UTC)
    assert list(reconcile()) == []


def test_where_the_smaller_one_costs_more_it_still_happens_and_nothing_comes_back(
    account: int, test_clock: BusinessClock
) -> None:
    """A month of which fifteen days are used to the second, at the prices by the hour, has less left than it costs."""
    no_closes()
    machine = buy_running(account, MONTHLY)
    test_clock.advance(days=14)
    found = _reckoned(machine, "SA2.MEDIUM4")  # 98 a month
    assert found.refund.refund_minor == MONTHLY_MINOR - 12_600  # 336 h at 0.375
    assert (found.back_minor, found.priced.due_minor) == (0, 650)
    cash = purses(account)["cash"]
    _change(machine, "SA2.MEDIUM4")
    assert (purses(account)["cash"], now(machine).instance_type_id) == (cash, "SA2.MEDIUM4")
    assert _lines()[-1] == ("downgrade", "delivered", 650, 0)
    assert list(reconcile()) == []


def test_of_a_term_that_is_worth_nothing_any_more(account: int, test_clock: BusinessClock) -> None:
    no_closes()
    machine = buy_running(account, MONTHLY)
    test_clock.advance(days=20)
    _change(machine)
    assert _lines() == [("purchase", "returned", MONTHLY_MINOR, 0), ("downgrade", "delivered", 0, 0)]
    assert not Transfer.objects.filter(kind="refund").exists()
    assert list(reconcile()) == []


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
def test_one_that_fails_leaves_all_as_it_was(account: int, machine: Instance, world: World, *, lost: bool) -> None:
    before = purses(account)
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    (world.lose_answer if lost else world.fail)("ensure_size", times=6)
    work()
    assert (now(machine).instance_type_id, now(machine).latest_operation_state) == ("S5.MEDIUM4", "FAILED")
    assert (world.size(machine.public_id), purses(account)) == ((2, 4096), before)
    assert _lines() == [("purchase", "delivered", YEAR_MINOR, 0)]
    found = Item.objects.get(subscription_id=machine.id, component="cpu", to_at=None)
    assert found.price_key == "ap-guangzhou/cpu/S5.MEDIUM4"
    assert list(reconcile()) == []


def test_of_a_machine_that_was_returned_meanwhile_nothing_more_moves(account: int, machine: Instance) -> None:
    cash = purses(account)["cash"]
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (purses(account)["cash"], now(machine).instance_type_id) == (cash + WORTH_MINOR, "S5.MEDIUM4")
    assert _lines() == [("purchase", "returned", YEAR_MINOR, WORTH_MINOR)]
    assert list(reconcile()) == []


def test_a_machine_becomes_smaller_five_times_at_most(account: int, machine: Instance) -> None:
    for _ in range(MOST):
        _change(machine)
        _change(machine, "S5.MEDIUM4")
    assert Order.objects.filter(action="downgrade").count() == MOST == 5
    with refused(LimitExceeded, field="machines", match="5 times"), nothing_written():
        resize.change(by(account), [machine.public_id], "S5.SMALL2")
    assert list(reconcile()) == []


def test_one_that_costs_as_much_is_an_order_of_nothing(account: int, machine: Instance) -> None:
    assert resize.is_ordered(machine, "S5.LARGE8")
    with refused(InvalidValue, field="instance_type", match="costs less a month"):
        UPGRADE.order(by(account), Resize([machine.public_id], "S5.SMALL2"))
    assert (resize.is_ordered(machine, "S5.SMALL2"), resize.is_ordered(machine, "S9.HUGE")) == (False, False)


def test_while_it_is_under_way_nothing_else_of_its_terms_changes(account: int, machine: Instance) -> None:
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    with refused(Busy, field="machines"):
        renew.renew(by(account), Renewal([machine.public_id]))
    with refused(Busy, field="machines"):
        resize.change(by(account), [machine.public_id], "S5.SMALL1")


def test_an_account_that_owes_more_than_comes_back_keeps_the_machine_as_it_is(account: int, machine: Instance) -> None:
    """What came back would pay what is owed, and nothing is left that pays for the smaller machine."""
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    owe(account, WORTH_MINOR)
    before = purses(account)
    for _ in range(8):
        work()
    assert (now(machine).instance_type_id, purses(account)) == ("S5.MEDIUM4", before)
    assert _lines() == [("purchase", "delivered", YEAR_MINOR, 0)]
