"""Given spot machines, then they are sold at their own price, charged by the second, and stay as they were bought."""

import datetime as dt
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.orders.ending import nothing_left, now
from tests.support import quotas
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import (
    HOURLY,
    IMAGE,
    LOGIN,
    buy_running,
    go_to,
    open_purse,
    owe,
    pay,
    purses,
    wanted,
    work,
)
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidValue
from vmart.kernel.money import exact, to_minor
from vmart.orders import actions, convert, place, planned_end, renew, resize, start, stop, terminate
from vmart.orders.convert import Conversion
from vmart.orders.errors import NoOwnDisks, QuotaReached, WrongMode
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.orders.renew import Renewal
from vmart.orders.wanted import Machine
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import ChargeTypeNotSold, Contradiction
from vmart.subscriptions.models import Subscription

pytestmark = pytest.mark.usefixtures("in_business")

SPOT = replace(HOURLY, charge_type="SPOTPAID", instance_type="S5.SMALL1")  # 0.028 an hour, and 50 × 0.0005
HOLD_MINOR = 5


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=20_000)


def _bidding(max_price: str | None) -> Machine:
    return Machine(IMAGE, LOGIN, attributes=Attributes(max_price=None if max_price is None else Decimal(max_price)))


@pytest.mark.parametrize(("said", "kept"), [(None, "0.028"), ("0.028", "0.028"), ("1.5", "1.5")])
def test_one_is_bought_at_its_own_price(account: int, said: str | None, kept: str) -> None:
    bought = purchase(wanted(account, SPOT, machine=_bidding(said)))
    assert purses(account)["held"] == HOLD_MINOR
    machine = Instance.objects.select_related("subscription").get(public_id=bought.instance_ids[0])
    assert (machine.charge_type, machine.subscription.charge_type) == ("SPOTPAID", "SPOTPAID")
    assert (machine.max_price, machine.reclaim_at) == (Decimal(kept), None)
    assert Order.objects.get().charge_type == "SPOTPAID"


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.integers(1, 3 * 3600))
def test_it_is_charged_to_the_second(account: int, test_clock: BusinessClock, seconds: int) -> None:
    buyer, begun = open_purse(uuid.uuid4().hex, cash_minor=20_000), test_clock.at
    machine = buy_running(buyer, SPOT)
    ends = begun + dt.timedelta(seconds=seconds)
    go_to(test_clock, ends)
    terminate.terminate(by(buyer), [machine.public_id])
    go_to(test_clock, ends.replace(minute=0, second=0) + 2 * HOUR)
    expected = _of_hours(begun, ends, Decimal("0.028")) + _of_hours(begun, ends, Decimal("0.025"))
    assert sum(Charge.objects.filter(account_id=buyer).values_list("exact_e8", flat=True)) == expected * 10**8
    assert (purses(buyer)["cash"], purses(buyer)["held"]) == (20_000 - to_minor(expected, 2), 0)
    assert now(machine).state == "GONE"


def _of_hours(begun: dt.datetime, ends: dt.datetime, rate: Decimal) -> Decimal:
    """What one component costs, each clock hour rounded to 8 decimals by itself."""
    total, at = Decimal(0), begun
    while at < ends:
        until = min(ends, at.replace(minute=0, second=0) + HOUR)
        total += exact(Decimal(int((until - at).total_seconds())) * rate / 3600)
        at = until
    return total


def test_age_makes_it_no_cheaper(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account, SPOT)
    go_to(test_clock, START + 100 * HOUR)
    hours = Charge.objects.filter(subscription_id=machine.id, component="cpu", duration_s=3600)
    assert set(hours.values_list("exact_e8", flat=True)) == {2_800_000}


def test_its_end_erases_it_at_once(account: int, test_clock: BusinessClock, world: World) -> None:
    machine = buy_running(account, SPOT)
    go_to(test_clock, START + dt.timedelta(minutes=30))
    terminate.terminate(by(account), [machine.public_id])
    assert now(machine).state == "TERMINATING"
    work()
    assert now(machine).state == "GONE"
    nothing_left(world)
    go_to(test_clock, START + 2 * HOUR)
    assert (purses(account)["cash"], purses(account)["held"]) == (19_997, 0)  # half an hour of 0.053, half-up
    assert list(reconcile()) == []


_COMBINATION = "InvalidParameterCombination"
_NO_TYPE = "UnsupportedOperation.NoInstanceTypeSupportSpot"
_NO_TIMER = "UnsupportedOperation.NotSupportImportInstancesActionTimer"
_STAYS = DiskChoice("CLOUD_SSD", 20, delete_with_instance=False)
BAD: list[tuple[dict[str, Any], Machine, tuple[type[Exception], str, str]]] = [
    ({}, _bidding("0.02799999"), (InvalidValue, "attributes.max_price", "InvalidParameterValue")),
    ({}, _bidding("0"), (InvalidValue, "attributes.max_price", "InvalidParameterValue")),
    ({"charge_type": "POSTPAID_BY_HOUR"}, _bidding("1"), (Contradiction, "attributes.max_price", _COMBINATION)),
    ({"instance_type": "S5.MEDIUM4"}, _bidding(None), (ChargeTypeNotSold, "instance_type", _NO_TYPE)),
    ({"period_months": 1}, _bidding(None), (Contradiction, "term", _COMBINATION)),
    (
        {"internet_charge_type": "BANDWIDTH_PREPAID"}, _bidding(None),
        (Contradiction, "internet_charge_type", _COMBINATION),
    ),
    ({"data_disks": (_STAYS,)}, _bidding(None), (NoOwnDisks, "data_disks.0.delete_with_instance", _COMBINATION)),
    ({}, Machine(IMAGE, LOGIN, ends_at=START + HOUR), (WrongMode, "ends_at", _NO_TIMER)),
]  # fmt: skip


@pytest.mark.parametrize(("change", "machine", "refusal"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_is_not_sold_so_writes_nothing(
    account: int, change: dict[str, Any], machine: Machine, refusal: tuple[type[Exception], str, str]
) -> None:
    error, field, code = refusal
    with refused(error, field=field, code=code):
        purchase(wanted(account, replace(SPOT, **change), machine=machine))


def test_it_stays_as_it_was_bought(account: int) -> None:
    machine = buy_running(account, SPOT)
    name, who = machine.public_id, by(account)
    with refused(WrongMode, field="machines", code="UnsupportedOperation.InstanceChargeType"):
        resize.change(who, [name], "S5.SMALL2")
    with refused(WrongMode, field="machines", code="UnsupportedOperation.InstanceChargeType"):
        convert.ACT.order(who, Conversion([name]))
    with refused(WrongMode, field="machines"):
        renew.renew(who, Renewal([name]))
    with refused(WrongMode, field="machines", code="UnsupportedOperation.NotSupportImportInstancesActionTimer"):
        planned_end.plan(who, [name], START + HOUR)
    with refused(WrongMode, field="stopped_mode", code="UnsupportedOperation.StoppedModeStopCharging"):
        stop.stop(who, [name], stopped_mode=stop.STOP_CHARGING)
    stop.stop(who, [name])
    work()
    assert (now(machine).state, now(machine).stop_charging_mode) == ("STOPPED", "KEEP_CHARGING")
    start.start(who, [name])
    work()
    assert now(machine).state == "RUNNING"


def test_its_quota_is_its_own(account: int) -> None:
    quotas.one(account, spot_per_zone=1, postpaid_per_zone=1)
    buy_running(account, SPOT)
    with refused(QuotaReached, field="count", code="LimitExceeded.UserSpotQuota"):
        purchase(wanted(account, SPOT))
    buy_running(account, replace(HOURLY, instance_type="S5.SMALL1"))


def test_arrears_stop_it_and_a_payment_has_it_back(account: int) -> None:
    machine = buy_running(account, SPOT)
    owe(account)
    work()
    assert (now(machine).state, purses(account)["held"]) == ("SHUTDOWN", 0)
    pay(account, 10_000)
    work()
    assert now(machine).state == "STOPPED"
    start.start(by(account), [machine.public_id])
    work()
    assert (now(machine).state, purses(account)["held"]) == ("RUNNING", HOLD_MINOR)
    assert list(reconcile()) == []


def test_an_order_that_waits_keeps_its_bid(account: int) -> None:
    number = place.place(wanted(account, SPOT))
    assert Order.objects.get(id=number).request["machine"]["attributes"]["max_price"] == "0.028"
    actions.pay(by(account), number)
    assert Instance.objects.get().max_price == Decimal("0.028")


def test_the_database_knows_spot_from_others(account: int) -> None:
    machine, other = buy_running(account, SPOT), buy_running(account, HOURLY)
    for key, columns in (
        (machine.id, {"max_price": None}), (machine.id, {"max_price": Decimal(0)}),
        (other.id, {"max_price": Decimal(1)}), (other.id, {"reclaim_at": START}),
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            Instance.objects.filter(id=key).update(**columns)
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.filter(id=machine.id).update(expires_at=START)
