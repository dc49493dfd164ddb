"""Given a postpaid machine, when it is paid ahead, then its hours are charged until that second and its term after."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.acting import ONLINE, one, stopped_without_charge
from tests.orders.ending import now
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    buy_running,
    go_to,
    open_purse,
    owe,
    parts,
    purses,
    raise_prices,
    work,
)  # fmt: skip
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, State
from vmart.kernel.errors import InvalidParameter, InvalidValue, Refused
from vmart.metering.models import Segment
from vmart.orders import actions, convert, grow_disk, renew, return_prepaid, start, stop, terminate
from vmart.orders.convert import Conversion
from vmart.orders.errors import (
    AccountFrozen,
    Busy,
    InArrears,
    InsufficientBalance,
    TokenReused,
    UnknownInstance,
    WrongMode,
    WrongState,
)  # fmt: skip
from vmart.orders.grow_disk import Growth
from vmart.orders.models import EngineDrift, Line, Order
from vmart.orders.renew import Renewal
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import PeriodNotSold
from vmart.storage.models import Disk
from vmart.subscriptions.models import Item, Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

AT = START + dt.timedelta(hours=2, minutes=20)
EXPIRES = dt.datetime(2026, 4, 10, 4, 20, tzinfo=dt.UTC)
OPEN_HOUR_MINOR = 13  # 20 minutes of 0.375, rounded up
USED_MINOR = 88  # 2 hours and 20 minutes of 0.375, half-up
BY_TRAFFIC = replace(ONLINE, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR")


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


@pytest.fixture
def machine(account: int, test_clock: BusinessClock) -> Instance:
    """Bought on 10 March 2026, 2 hours and 20 minutes ago; two hours are closed."""
    bought = buy_running(account)
    go_to(test_clock, AT)
    return bought


def _convert(machine: Instance, months: int = 1) -> int:
    return convert.ACT.order(by(machine.account_id), Conversion([machine.public_id], months))


def _timers() -> dict[str, dt.datetime]:
    return dict(Operation.objects.filter(kind__in=["expire", "term"]).values_list("kind", "due_at"))


def _modes(machine: Instance) -> list[tuple[str, str]]:
    """Component and mode of each open item."""
    found = Item.objects.filter(subscription_id__in=parts(machine), to_at=None).order_by("component", "mode")
    return list(found.values_list("component", "mode"))


def _no_free_return() -> None:
    Account.objects.update(free_return_used_at=START)


def test_the_price_is_that_of_a_purchase_and_writes_nothing(account: int, machine: Instance) -> None:
    with nothing_written():
        priced = convert.ACT.price(account, Conversion([machine.public_id]))
    (line,) = priced.lines
    assert (priced.action, priced.due_minor, line.months, line.days) == ("convert", MONTHLY_MINOR, 1, 0)
    assert (line.anchor_at, line.period_from, line.period_to, line.had) == (AT, AT, EXPIRES, ())
    assert sorted(term[2] for term in line.terms) == [1, 50]


def test_the_whole_way_of_the_money(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    assert purses(account) == {
        "cash": 199_925, "gift": 0, "owed": 0, "held": HOURLY_HOLD_MINOR, "available": 199_925 - HOURLY_HOLD_MINOR,
    }  # fmt: skip
    number = _convert(machine)
    cash = 199_925 - MONTHLY_MINOR
    assert purses(account) == {
        "cash": cash, "gift": 0, "owed": 0, "held": OPEN_HOUR_MINOR, "available": cash - OPEN_HOUR_MINOR,
    }  # fmt: skip
    line = Line.objects.select_related("order").get(order_id=number)
    assert (line.order.action, line.order.status, line.state, line.amount_minor, line.paid_cash_minor) == (
        "convert", 4, "delivered", MONTHLY_MINOR, MONTHLY_MINOR,
    )  # fmt: skip
    assert (line.period_from, line.period_to, line.delivered_at) == (AT, EXPIRES, AT)
    assert list(reconcile()) == []
    go_to(test_clock, START + dt.timedelta(hours=3))
    cash = 200_000 - USED_MINOR - MONTHLY_MINOR
    assert purses(account) == {"cash": cash, "gift": 0, "owed": 0, "held": 0, "available": cash}
    assert now(machine).subscription.hold_id is None
    assert list(reconcile()) == []
    go_to(test_clock, AT + dt.timedelta(days=3))  # three days of a prepaid term charge nothing
    assert purses(account)["cash"] == cash
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    refund_minor = MONTHLY_MINOR - 2700  # 72 hours of 0.375 are used
    assert (quoted.paid_minor, quoted.refund_minor, quoted.first_free) == (MONTHLY_MINOR, refund_minor, False)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["cash"] == cash + refund_minor
    assert Line.objects.get(order_id=number).state == "returned"
    assert list(reconcile()) == []


def test_its_bundle_is_as_if_it_had_been_bought_so(account: int, machine: Instance, world: World) -> None:
    boots = world.boots(machine.public_id)
    convert.ACT.order(by(account), Conversion([machine.public_id], 1, "NOTIFY_AND_AUTO_RENEW"))
    bundle = now(machine).subscription
    assert (bundle.charge_type, bundle.renew_flag, bundle.standing) == ("PREPAID", "NOTIFY_AND_AUTO_RENEW", "active")
    assert (bundle.started_at, bundle.anchor_at, bundle.expires_at) == (START, AT, EXPIRES)
    assert _timers() == {"expire": EXPIRES, "term": EXPIRES - dt.timedelta(days=7)}
    assert _modes(machine) == [("cpu", "month"), ("disk", "month")]
    assert not Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None).exists()
    assert Event.objects.get(kind="converted").detail == {"until": EXPIRES.isoformat(), "paid_minor": MONTHLY_MINOR}
    assert (now(machine).state, world.boots(machine.public_id)) == ("RUNNING", boots)


def test_it_expires_and_is_renewed_as_any_other(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    _convert(machine)
    go_to(test_clock, EXPIRES)
    assert (now(machine).state, now(machine).subscription.isolated_source) == ("SHUTDOWN", "EXPIRE")
    renew.renew(by(account), Renewal([machine.public_id]))
    work()
    assert now(machine).state == "RUNNING"
    assert now(machine).subscription.expires_at == dt.datetime(2026, 5, 10, 4, 20, tzinfo=dt.UTC)
    assert list(reconcile()) == []


def test_by_itself_it_is_renewed_at_its_end(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    convert.ACT.order(by(account), Conversion([machine.public_id], 1, "NOTIFY_AND_AUTO_RENEW"))
    go_to(test_clock, EXPIRES)
    assert list(Line.objects.filter(order__action="renew").values_list("amount_minor", "period_from")) == [
        (MONTHLY_MINOR, EXPIRES)
    ]
    assert now(machine).state == "RUNNING"


def test_its_disks_go_along_and_traffic_stays(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account, replace(BY_TRAFFIC, data_disks=(DiskChoice("CLOUD_PREMIUM", 100),)))
    test_clock.advance(minutes=10)
    assert Order.objects.get(id=_convert(machine)).total_minor == MONTHLY_MINOR + 3500
    assert _modes(machine) == [("cpu", "month"), ("disk", "month"), ("disk", "month"), ("traffic", "traffic")]
    open_now = Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None)
    assert [segment.component for segment in open_now] == ["traffic"]
    assert now(machine).internet_charge_type == "TRAFFIC_POSTPAID_BY_HOUR"
    work()
    assert list(reconcile()) == []


def test_without_an_address_nothing_stays_that_a_prepaid_machine_cannot_have(account: int) -> None:
    machine = buy_running(account, replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR"))
    _convert(machine)
    assert now(machine).internet_charge_type == "BANDWIDTH_PREPAID"


def test_in_the_second_of_its_delivery_it_costs_no_hour(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    _convert(machine)
    assert (purses(account)["held"], _modes(machine)) == (0, [("cpu", "month"), ("disk", "month")])
    assert Item.objects.filter(subscription_id__in=parts(machine)).count() == 2
    test_clock.advance(hours=1)
    work()
    assert purses(account)["cash"] == 200_000 - MONTHLY_MINOR
    assert list(reconcile()) == []


def test_a_stopped_one_is_paid_ahead_and_started_without_a_hold(account: int, machine: Instance) -> None:
    stop.stop(by(account), [machine.public_id])
    work()
    _convert(machine)
    assert (now(machine).state, now(machine).stop_charging_mode) == ("STOPPED", "NOT_APPLICABLE")
    start.start(by(account), [machine.public_id])
    work()
    assert (now(machine).state, purses(account)["held"]) == ("RUNNING", OPEN_HOUR_MINOR)
    assert list(reconcile()) == []


def test_the_discount_of_the_term_is_a_purchases(machine: Instance) -> None:
    assert Order.objects.get(id=_convert(machine, 12)).total_minor == 135_540  # 12 × (115 × 0.83 + 17.50)


def test_what_the_hold_frees_may_be_part_of_the_price(test_clock: BusinessClock) -> None:
    """Of 133.37 two closed hours take 0.75: 132.50 and 0.12 are left, and 0.13 is what the open hour needs."""
    short, enough = (open_purse(name, cash_minor=MONTHLY_MINOR + 75 + more) for name, more in (("a", 12), ("b", 13)))
    machines = [buy_running(one) for one in (short, enough)]
    go_to(test_clock, AT)
    with refused(InsufficientBalance, match="¥132.50 are needed and ¥132.49 are available"):
        _convert(machines[0])
    _convert(machines[1])
    assert purses(enough) == {"cash": 13, "gift": 0, "owed": 0, "held": 13, "available": 0}


def test_several_are_paid_ahead_together_or_none(account: int, machine: Instance) -> None:
    other = buy_running(account)
    names = [machine.public_id, other.public_id]
    Instance.objects.filter(pk=other.pk).update(latest_operation_state="OPERATING")
    with refused(Busy, field="machines"):
        convert.ACT.order(by(account), Conversion(names))
    Instance.objects.filter(pk=other.pk).update(latest_operation_state="SUCCESS")
    number = convert.ACT.order(by(account), Conversion(names))
    assert Order.objects.get(id=number).total_minor == 2 * MONTHLY_MINOR
    assert {one.charge_type for one in Subscription.objects.filter(id__in=[machine.id, other.id])} == {"PREPAID"}
    assert list(reconcile()) == []


def test_a_repeated_token_gets_the_first_order(account: int, machine: Instance) -> None:
    asked = Conversion([machine.public_id])
    number = convert.ACT.order(by(account), asked, client_token="t")
    assert convert.ACT.order(by(account), asked, client_token="t") == number
    with refused(TokenReused):
        convert.ACT.order(by(account), replace(asked, months=2), client_token="t")
    assert Order.objects.filter(action="convert").count() == 1


def test_one_that_is_paid_later_begins_when_it_is_paid(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    number = convert.ACT.place(by(account), Conversion([machine.public_id]))
    assert (Order.objects.get(id=number).status, now(machine).subscription.charge_type) == (1, "POSTPAID_BY_HOUR")
    go_to(test_clock, AT + dt.timedelta(minutes=29))
    raise_prices(test_clock, "2")  # it keeps the price at which it was placed
    actions.pay(by(account), number)
    line, expires_at = Line.objects.get(order_id=number), EXPIRES + dt.timedelta(minutes=29)
    assert (line.amount_minor, line.period_from, line.period_to) == (MONTHLY_MINOR, test_clock.at, expires_at)
    bundle = now(machine).subscription
    assert (bundle.anchor_at, bundle.expires_at) == (test_clock.at, expires_at)
    assert Order.objects.get(id=number).request == {}
    assert list(reconcile()) == []


def test_of_two_that_wait_one_can_be_paid(account: int, machine: Instance) -> None:
    first, second = (convert.ACT.place(by(account), Conversion([machine.public_id], months)) for months in (1, 2))
    actions.pay(by(account), first)
    with refused(WrongMode, field="machines", match="is prepaid already"):
        actions.pay(by(account), second)


def test_one_that_expires_unpaid_leaves_the_machine_as_it_is(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    number = convert.ACT.place(by(account), Conversion([machine.public_id]))
    go_to(test_clock, AT + dt.timedelta(minutes=31))
    assert (Order.objects.get(id=number).status, now(machine).subscription.charge_type) == (8, "POSTPAID_BY_HOUR")


def test_a_price_is_of_one_term_and_of_the_machine_as_it_is(account: int, machine: Instance) -> None:
    asked = Conversion([machine.public_id])
    shown = convert.ACT.price(account, asked)
    with refused(InvalidParameter, field="months", match="of another term"):
        convert.ACT.order(by(account), replace(asked, months=2), expected=shown)
    disk = Disk.objects.get(instance_id=machine.id)
    grow_disk.grow(by(account), Growth([machine.public_id], disk.public_id, 60))
    work()
    with refused(InvalidParameter, field="machines", match="was changed meanwhile"):
        convert.ACT.order(by(account), asked, expected=shown)


def test_the_hold_ends_with_its_hour_though_a_renewal_moved_the_days_of_the_term(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    _convert(machine)
    renew.renew(by(account), Renewal([machine.public_id], months=0, day=25))
    assert purses(account)["held"] == OPEN_HOUR_MINOR
    go_to(test_clock, START + dt.timedelta(hours=3))
    assert (purses(account)["held"], now(machine).subscription.hold_id) == (0, None)
    assert list(reconcile()) == []


def test_one_that_is_ended_in_its_last_postpaid_hour_keeps_the_hold_until_its_close(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    _no_free_return()
    _convert(machine)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["held"] == OPEN_HOUR_MINOR
    go_to(test_clock, START + dt.timedelta(hours=3))
    assert purses(account) == {
        "cash": 200_000 - USED_MINOR, "gift": 0, "owed": 0, "held": 0, "available": 200_000 - USED_MINOR,
    }  # fmt: skip
    assert list(reconcile()) == []


@pytest.mark.parametrize(
    ("given", "error", "code", "said"),
    [
        (lambda account: ["ins-00000000"], UnknownInstance, "InvalidInstanceId.NotFound", "does not exist"),
        (one(MONTHLY), WrongMode, "UnsupportedOperation.InstanceChargeType", "is prepaid already"),
        (one(ONLINE), WrongMode, "UnsupportedOperation.InstanceChargeType", "pays for its bandwidth by the hour"),
        (one(HOURLY, latest_operation_state="OPERATING"), Busy, Busy.code, "is busy"),
        (one(HOURLY, state=State.SHUTDOWN), WrongState, "UnsupportedOperation.InstanceStateIsolating", "recycle bin"),
        (one(HOURLY, state=State.PENDING), WrongState, "UnsupportedOperation.InstanceStateNotRunning", "PENDING"),
    ],
    ids=["unknown", "prepaid", "by bandwidth", "busy", "binned", "pending"],
)
def test_what_is_refused(account: int, given: object, error: type[Refused], code: str, said: str) -> None:
    names = given(account)  # type: ignore[operator]
    for verb in (convert.ACT.order, convert.ACT.place):
        with refused(error, field="machines", code=code, match=said):
            verb(by(account), Conversion(names))
    with refused(error, field="machines", code=code, match=said):
        convert.ACT.price(account, Conversion(names))


def test_one_that_is_off_without_charge_is_refused(account: int, test_clock: BusinessClock) -> None:
    machine = stopped_without_charge(account, test_clock)
    Instance.objects.filter(pk=machine.pk).update(internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR")
    code = "UnsupportedOperation.StoppedModeStopCharging"
    with refused(WrongState, field="machines", code=code, match="is off without charge"):
        _convert(machine)


def test_in_arrears_it_is_refused(account: int, machine: Instance) -> None:
    owe(account)
    for verb in (convert.ACT.order, convert.ACT.place):
        with refused(InArrears, field="machines"):
            verb(by(account), Conversion([machine.public_id]))


def test_one_that_its_engine_has_lost_is_refused(machine: Instance) -> None:
    EngineDrift.objects.create(
        zone_id=machine.zone_id, name=machine.public_id, kind=EngineDrift.Kind.LOST, since_wall_at=AT
    )
    with refused(WrongState, field="machines", match="is lost by its host"):
        _convert(machine)


def test_the_term_and_the_flag_are_checked(account: int, machine: Instance) -> None:
    for months in (0, -1, 13):
        with refused(PeriodNotSold, field="months"):
            _convert(machine, months)
    with refused(InvalidValue, field="renew_flag"):
        convert.ACT.order(by(account), Conversion([machine.public_id], 1, "ALWAYS"))


def test_a_frozen_account_pays_nothing_ahead(account: int, machine: Instance) -> None:
    Account.objects.filter(id=account).update(frozen_reason="unpaid invoice")
    for verb in (convert.ACT.order, convert.ACT.place):
        with refused(AccountFrozen):
            verb(by(account), Conversion([machine.public_id]))
