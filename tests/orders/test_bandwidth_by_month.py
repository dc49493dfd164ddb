"""Given a machine that pays for its bandwidth by the month, when it gets more, then the rest of its term costs more."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.acting import Given, one
from tests.orders.ending import no_closes, now
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, buy_running, go_to, open_purse, purses, raise_prices, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, State
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.orders import actions, bandwidth, renew, return_prepaid, terminate
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.errors import AccountFrozen, Busy, InsufficientBalance, TokenReused, UnknownInstance, WrongMode
from vmart.orders.models import Line, Order
from vmart.orders.renew import Renewal
from vmart.pricing.errors import OutOfRange
from vmart.pricing.priced import Priced
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=3, public_ip=True)
ACT = "ResetInstancesInternetMaxBandwidth"
# A month: 115 CPU and memory, 17.50 disk; network 3 Mbps: 2 × 20 + 25 = 65; 6: 2 × 20 + 3 × 25 + 90 = 205
AT_3_MINOR, AT_6_MINOR = 19750, 33750
EXPIRES = dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC)
# On 12 March 29 days are left: 0.95 months of 140 more
FEE_MINOR = 13300


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


@pytest.fixture
def machine(account: int, test_clock: BusinessClock) -> Instance:
    """Bought on 10 March 2026 at 10:00 in Shanghai for a month; today is the 12th."""
    no_closes()
    bought = buy_running(account, BY_MONTH)
    test_clock.advance(days=2)
    return bought


def _seen(machine: Instance) -> tuple[int, str, str]:
    found = now(machine)
    return found.bandwidth_mbps, found.latest_operation, found.latest_operation_state


def _agreed(machine: Instance) -> list[tuple[int, bool]]:
    found = Item.objects.filter(subscription_id=machine.id, component="bandwidth").order_by("from_at")
    return [(one.quantity, one.to_at is None) for one in found]


def _line(number: int) -> tuple[int, str, int, int]:
    """State of the order; of its line the state, the price and what was paid."""
    line = Line.objects.select_related("order").get(order_id=number)
    return line.order.status, line.state, line.amount_minor, line.paid_cash_minor + line.paid_gift_minor


def _upgrade(machine: Instance, mbps: int = 6) -> int:
    number = UPGRADE.order(by(machine.account_id), Upgrade([machine.public_id], mbps))
    work()
    return number


def test_its_price_is_set_aside_then_taken_when_it_is_in_force(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    cash = purses(account)["cash"]
    number = UPGRADE.order(by(account), Upgrade([machine.public_id], 6))
    assert (_seen(machine), world.cap_mbps(machine.public_id), _agreed(machine)) == (
        (3, ACT, "OPERATING"), 3, [(3, True)],
    )  # fmt: skip
    assert _line(number) == (3, "delivering", FEE_MINOR, 0)
    assert (purses(account)["cash"], purses(account)["held"]) == (cash, FEE_MINOR)
    assert list(reconcile()) == []
    ordered_at = test_clock.at
    in_force = test_clock.advance(seconds=2)
    work()
    assert (_seen(machine), world.cap_mbps(machine.public_id), _agreed(machine)) == (
        (6, ACT, "SUCCESS"), 6, [(3, False), (6, True)],
    )  # fmt: skip
    assert _line(number) == (4, "delivered", FEE_MINOR, FEE_MINOR)
    line = Line.objects.get(order_id=number)
    assert (line.period_from, line.period_to, line.delivered_at) == (ordered_at, EXPIRES, in_force)
    assert now(machine).subscription.expires_at == EXPIRES
    assert (purses(account)["cash"], purses(account)["held"]) == (cash - FEE_MINOR, 0)
    (asked,) = Event.objects.filter(kind=ACT)
    (told,) = Event.objects.filter(kind="bandwidth_changed")
    assert (asked.subject_id, told.subject_id, told.detail) == (machine.id, machine.id, {"old": 3, "new": 6})
    assert list(reconcile()) == []


def test_what_would_be_charged_is_shown_and_writes_nothing(account: int, machine: Instance) -> None:
    with nothing_written():
        priced = UPGRADE.price(account, Upgrade([machine.public_id], 6))
        assert bandwidth.reckon(account, [machine.public_id], 6) == priced
    (line,) = priced.lines
    assert (priced.action, priced.due_minor, priced.list_minor, line.days) == ("bandwidth", FEE_MINOR, FEE_MINOR, 29)
    assert ([one[2] for one in line.had], [one[2] for one in line.terms]) == ([3], [6])
    assert Priced.of(priced.plain()) == priced


def test_a_program_orders_it_by_the_act_that_changes_bandwidth(account: int, machine: Instance) -> None:
    bandwidth.change(by(account), [machine.public_id], 6)
    work()
    (order,) = Order.objects.filter(action="bandwidth")
    assert (_line(order.id), _seen(machine)) == ((4, "delivered", FEE_MINOR, FEE_MINOR), (6, ACT, "SUCCESS"))
    assert Event.objects.filter(kind=ACT).count() == 1
    with nothing_written():
        bandwidth.change(by(account), [machine.public_id], 6)  # sent again it costs nothing again


def test_what_was_shown_is_charged_although_prices_rise(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    asked = Upgrade([machine.public_id], 6)
    shown = UPGRADE.price(account, asked)
    raise_prices(test_clock, "2")
    assert UPGRADE.price(account, asked).due_minor == 2 * FEE_MINOR
    number = UPGRADE.order(by(account), asked, expected=shown, client_token="t")
    work()
    assert _line(number) == (4, "delivered", FEE_MINOR, FEE_MINOR)
    assert UPGRADE.order(by(account), asked, expected=shown, client_token="t") == number
    with refused(TokenReused):
        UPGRADE.order(by(account), Upgrade([machine.public_id], 7), client_token="t")


def test_a_price_is_of_one_act_one_speed_and_the_machine_as_it_is(account: int, machine: Instance) -> None:
    asked, dearer = Upgrade([machine.public_id], 6), Upgrade([machine.public_id], 7)
    shown, renewal = UPGRADE.price(account, asked), renew.price(account, Renewal([machine.public_id]))
    with refused(InvalidParameter, field="bandwidth_mbps", match="of another bandwidth"):
        UPGRADE.order(by(account), dearer, expected=shown)
    with refused(InvalidParameter, field="machines", match="of something else"):
        UPGRADE.order(by(account), asked, expected=renewal)
    with refused(InvalidParameter, field="machines", match="of something else"):
        renew.renew(by(account), Renewal([machine.public_id]), expected=shown)
    _upgrade(machine, 4)
    for act, given, expected in ((UPGRADE, asked, shown), (renew.ACT, Renewal([machine.public_id]), renewal)):
        with refused(InvalidParameter, field="machines", match="was changed meanwhile"):
            act.order(by(account), given, expected=expected)  # type: ignore[arg-type]
    renew.renew(by(account), Renewal([machine.public_id]))
    shown = replace(UPGRADE.price(account, asked), lines=shown.lines)
    with refused(InvalidParameter, field="machines", match="was changed meanwhile"):
        UPGRADE.order(by(account), asked, expected=shown)


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
def test_one_that_fails_costs_nothing(account: int, machine: Instance, world: World, *, lost: bool) -> None:
    before = purses(account)
    number = UPGRADE.order(by(account), Upgrade([machine.public_id], 6))
    (world.lose_answer if lost else world.fail)("ensure_address", times=6)
    work()
    assert (_seen(machine), world.cap_mbps(machine.public_id)) == ((3, ACT, "FAILED"), 3)
    assert (_line(number), purses(account)) == ((5, "failed", FEE_MINOR, 0), before)
    line = Line.objects.get(order_id=number)
    assert (line.reason, line.delivered_at) == ("The bandwidth could not be changed; it is as before.", None)
    assert _agreed(machine) == [(3, True)]
    assert list(reconcile()) == []
    assert _line(_upgrade(machine)) == (4, "delivered", FEE_MINOR, FEE_MINOR)


def test_of_a_machine_that_was_returned_meanwhile_it_costs_nothing(account: int, machine: Instance) -> None:
    number = UPGRADE.order(by(account), Upgrade([machine.public_id], 6))
    terminate.terminate(by(account), [machine.public_id])  # the account's free return
    work()
    assert _line(number) == (5, "failed", FEE_MINOR, 0)
    assert purses(account) == {"cash": 200_000, "gift": 0, "owed": 0, "held": 0, "available": 200_000}
    assert (_seen(machine)[0], _agreed(machine)) == (3, [(3, True)])
    assert list(reconcile()) == []


def test_its_renewal_costs_the_new_speed(account: int, machine: Instance) -> None:
    assert renew.price(account, Renewal([machine.public_id])).due_minor == AT_3_MINOR
    _upgrade(machine)
    assert renew.price(account, Renewal([machine.public_id])).due_minor == AT_6_MINOR


def test_what_is_renewed_already_gets_it_for_all_terms(account: int, machine: Instance) -> None:
    """59 days until 10 May: 1.94 months."""
    renew.renew(by(account), Renewal([machine.public_id]))
    assert _line(_upgrade(machine)) == (4, "delivered", 27160, 27160)
    assert list(reconcile()) == []


def test_on_the_last_day_it_costs_nothing(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    go_to(test_clock, EXPIRES - dt.timedelta(hours=1))
    assert _line(_upgrade(machine)) == (4, "delivered", 0, 0)
    assert return_prepaid.quote_refund(account, [machine.public_id])[0].refund_minor == 0
    assert list(reconcile()) == []


def _no_free_return() -> None:
    Account.objects.update(free_return_used_at=START)


def test_a_return_gives_its_whole_days_left_and_counts_the_term_at_its_own_speed(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """Three days at 0.375 + 0.189 an hour are 40.608 of 197.50; of the upgrade 28 of 29 days."""
    _no_free_return()
    number = _upgrade(machine)
    test_clock.advance(days=1)
    term_minor, upgrade_minor = 15689, 12841
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (quoted.paid_minor, quoted.refund_minor) == (AT_3_MINOR + FEE_MINOR, term_minor + upgrade_minor)
    cash = purses(account)["cash"]
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert dict(Line.objects.values_list("order__action", "refund_minor")) == {
        "purchase": term_minor, "bandwidth": upgrade_minor,
    }  # fmt: skip
    assert Line.objects.get(order_id=number).state == "returned"
    assert purses(account)["cash"] == cash + term_minor + upgrade_minor
    assert list(reconcile()) == []


def test_a_free_return_gives_all_of_it(account: int, machine: Instance) -> None:
    _upgrade(machine)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["cash"] == 200_000
    assert list(reconcile()) == []


def test_a_term_that_was_paid_before_is_returned_at_its_own_speed(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """A day into it: 13.536 of 197.50 are used; of 271.60 for the upgrade 29 of 59 days are left."""
    _no_free_return()
    renew.renew(by(account), Renewal([machine.public_id]))
    _upgrade(machine)
    go_to(test_clock, EXPIRES + dt.timedelta(days=1))
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (quoted.paid_minor, quoted.refund_minor) == (AT_3_MINOR + 27160, 18396 + 13350)


def test_a_term_that_was_paid_after_is_returned_at_the_new_speed(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """A day into it: 24 × (0.375 + 0.565) of 337.50; the upgrade ended with the term before."""
    _no_free_return()
    _upgrade(machine)
    renew.renew(by(account), Renewal([machine.public_id]))
    go_to(test_clock, EXPIRES + dt.timedelta(days=1))
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (quoted.paid_minor, quoted.refund_minor) == (AT_6_MINOR, AT_6_MINOR - 2256)
    terminate.terminate(by(account), [machine.public_id])
    assert list(reconcile()) == []


def test_a_renewal_from_before_orders_kept_their_terms_counts_what_is_agreed(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    _no_free_return()
    number = renew.renew(by(account), Renewal([machine.public_id]))
    order = Order.objects.get(id=number)
    for line in order.quote["lines"]:
        del line["terms"], line["had"]
    order.save()
    go_to(test_clock, EXPIRES + dt.timedelta(days=1))
    assert return_prepaid.quote_refund(account, [machine.public_id])[0].refund_minor == 18396


def test_it_can_be_ordered_and_paid_later(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    number = UPGRADE.place(by(account), Upgrade([machine.public_id], 6))
    assert (Order.objects.get(id=number).status, _seen(machine)[0], purses(account)["held"]) == (1, 3, 0)
    test_clock.advance(minutes=29)
    actions.pay(by(account), number)
    work()
    assert (_line(number), _seen(machine)) == ((4, "delivered", FEE_MINOR, FEE_MINOR), (6, ACT, "SUCCESS"))
    assert Order.objects.get(id=number).request == {}
    assert list(reconcile()) == []


def test_of_two_that_wait_one_can_be_paid(account: int, machine: Instance) -> None:
    first, second = (UPGRADE.place(by(account), Upgrade([machine.public_id], mbps)) for mbps in (6, 7))
    actions.pay(by(account), first)
    with refused(Busy, field="machines"):
        actions.pay(by(account), second)
    work()
    with refused(InvalidParameter, field="machines", match="was changed meanwhile"):
        actions.pay(by(account), second)


def test_while_it_is_under_way_no_term_is_renewed(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    """Nobody knows yet which speed the new term has; renewal by itself waits for it."""
    renew.renew(by(account), Renewal([machine.public_id], renew_flag="NOTIFY_AND_AUTO_RENEW"))
    go_to(test_clock, EXPIRES + dt.timedelta(days=29))
    UPGRADE.order(by(account), Upgrade([machine.public_id], 6))
    with refused(Busy, field="machines"):
        renew.renew(by(account), Renewal([machine.public_id]))
    upgrade = Operation.objects.get(kind=bandwidth.KIND)
    Operation.objects.filter(pk=upgrade.pk).update(lane="held")
    test_clock.advance(days=1)
    work()
    assert Operation.objects.filter(kind="term").get().last_error == "an operation on it is under way"
    assert not Event.objects.filter(kind="renew_failed").exists()
    Operation.objects.filter(pk=upgrade.pk).update(lane=upgrade.lane)
    Operation.objects.update(not_before=None)
    work()
    Operation.objects.update(not_before=None)
    work()
    assert (_seen(machine), now(machine).state) == ((6, ACT, "SUCCESS"), "RUNNING")
    renewals = Line.objects.filter(order__action="renew").order_by("id")
    assert list(renewals.values_list("amount_minor", flat=True)) == [AT_3_MINOR, AT_6_MINOR]
    assert now(machine).subscription.expires_at == dt.datetime(2026, 6, 10, 2, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("given", "mbps", "error", "field"),
    [
        (lambda account: ["ins-00000000"], 9, UnknownInstance, "machines"),
        (one(BY_MONTH), 0, OutOfRange, "bandwidth_mbps"),
        (one(BY_MONTH), 2, OutOfRange, "bandwidth_mbps"),
        (one(BY_MONTH), 201, OutOfRange, "bandwidth_mbps"),
        (one(BY_MONTH, latest_operation_state="OPERATING"), 9, Busy, "machines"),
        (one(BY_MONTH, state=State.STARTING), 9, Refused, "machines"),
        (one(BY_MONTH, state=State.SHUTDOWN), 9, Refused, "machines"),
        (one(MONTHLY), 9, WrongMode, "machines"),
        (lambda account: [name for _ in range(2) for name in one(BY_MONTH)(account)], 9, InvalidParameter, "machines"),
    ],
)
def test_what_cannot_be_ordered(account: int, given: Given, mbps: int, error: type[Refused], field: str) -> None:
    names = given(account)
    for act in (
        lambda: bandwidth.change(by(account), names, mbps),
        lambda: bandwidth.reckon(account, names, mbps),
        lambda: UPGRADE.order(by(account), Upgrade(names, mbps)),
        lambda: UPGRADE.place(by(account), Upgrade(names, mbps)),
    ):
        with refused(error, field=field):
            act()


def test_what_has_no_price_by_the_month_is_no_upgrade(account: int) -> None:
    machine = buy_running(account, replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR",
                                           bandwidth_mbps=3, public_ip=True))  # fmt: skip
    with refused(WrongMode, field="machines", match="does not pay for its bandwidth by the month"):
        UPGRADE.order(by(account), Upgrade([machine.public_id], 6))


def test_the_speed_that_it_has_is_no_upgrade(account: int, machine: Instance) -> None:
    with refused(OutOfRange, field="bandwidth_mbps", match="is 3 Mbps already"):
        UPGRADE.order(by(account), Upgrade([machine.public_id], 3))


def test_the_money_must_be_there(test_clock: BusinessClock) -> None:
    poor = open_purse("poor", cash_minor=AT_3_MINOR + FEE_MINOR - 1)
    machine = buy_running(poor, BY_MONTH)
    test_clock.advance(days=2)
    with refused(InsufficientBalance, match="¥133.00 are needed and ¥132.99 are available"):
        UPGRADE.order(by(poor), Upgrade([machine.public_id], 6))
    assert _line(_upgrade(machine, 5))[0] == 4


def test_a_frozen_account_orders_none(account: int, machine: Instance) -> None:
    Account.objects.filter(id=account).update(frozen_reason="unpaid invoice")
    for verb in (UPGRADE.order, UPGRADE.place):
        with refused(AccountFrozen):
            verb(by(account), Upgrade([machine.public_id], 6))
