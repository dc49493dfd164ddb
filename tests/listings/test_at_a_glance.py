"""The overview: an hour costs what the close will charge for it, and all that waits or ends soon is there."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.conftest import World
from tests.orders.test_spot import SPOT
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, buy_running, open_purse, purses, wanted, work
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.clock import HOUR
from vmart.listings import at_a_glance
from vmart.listings.at_a_glance import SHOWN, Cost, Ending, Waiting
from vmart.orders import live_cost, place, purchase, reclaim, stop, terminate
from vmart.orders.login import GENERATED
from vmart.orders.wanted import Machine
from vmart.settlement import close

OLD = replace(HOURLY, instance_type="S1.SMALL1")  # half the price from hour 96 on, a third from hour 360 on


@pytest.fixture(autouse=True)
def shop_is_open(in_business: None) -> None:
    pass


def _charged(account: int, machines: list[Instance], test_clock: BusinessClock) -> Decimal:
    """What the rule of the close charges for the hour that begins now."""
    sums = []
    for until in (test_clock.at, test_clock.at + HOUR):
        found = live_cost.open_hours(account, [machine.id for machine in machines], until)
        sums.append(sum((charge.exact for hours in found.values() for charge in hours), Decimal(0)))
    return sums[1] - sums[0]


@pytest.mark.parametrize(("age_h", "cost"), [(0, "1.265"), (95, "1.265"), (96, "0.845"), (361, "0.7106")])
def test_an_hour_costs_what_the_close_will_charge_for_it(test_clock: BusinessClock, age_h: int, cost: str) -> None:
    """Given two machines that become cheaper with their age and another, then it is the rule's hour at each age."""
    account = open_purse(cash_minor=100_000)
    machines = [buy_running(account, configuration) for configuration in (OLD, OLD, HOURLY)]
    test_clock.advance(hours=age_h)
    hour = at_a_glance.per_hour(account, test_clock.at)
    assert hour == _charged(account, machines, test_clock) == Decimal(cost)


def test_what_begins_with_the_next_hour_is_as_new_as_can_be(test_clock: BusinessClock) -> None:
    """Given a horizon ahead of the clock, as while an hour is closed, then the price is that of the first tier."""
    account = open_purse(cash_minor=1000)
    buy_running(account, OLD)
    assert at_a_glance.per_hour(account, test_clock.at - dt.timedelta(minutes=1)) == Decimal("0.445")


def test_what_is_stopped_without_charge_costs_its_disks_alone(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    assert at_a_glance.per_hour(account, test_clock.at) == Decimal("0.375")
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    assert at_a_glance.per_hour(account, test_clock.at) == Decimal("0.025")


def test_what_is_paid_ahead_and_what_is_anothers_costs_no_hour(test_clock: BusinessClock) -> None:
    account, other = open_purse(cash_minor=20_000), open_purse("other", cash_minor=1000)
    buy_running(account, MONTHLY)
    buy_running(other)
    assert at_a_glance.per_hour(account, test_clock.at) == 0


def test_the_month_and_what_it_comes_to(test_clock: BusinessClock) -> None:
    """Given an hour that is closed and one that is open, then the month has the first, and the rest is to come."""
    account = open_purse(cash_minor=1000)
    first = test_clock.at
    buy_running(account)
    test_clock.set(first + HOUR)
    close.close(first)
    test_clock.advance(minutes=20)
    left = dt.datetime(2026, 3, 31, 16, tzinfo=dt.UTC) - (first + HOUR)  # the billing zone's April begins then
    expected = 38 + round(Decimal("37.5") * (left // HOUR))
    assert at_a_glance.glance(account).cost == Cost(Decimal("0.375"), 38, expected)
    assert purses(account)["cash"] == 1000 - 38


def test_without_a_price_nothing_is_projected(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    buy_running(account)
    db.rows("UPDATE metering_segment SET price_key = 'mars/cpu' WHERE component = 'cpu' RETURNING id")
    assert at_a_glance.glance(account).cost == Cost(None, 0, None)


def test_nothing_has_no_cost_and_waits_for_nobody() -> None:
    account = open_purse()
    found = at_a_glance.glance(account)
    assert (found.all, found.running, found.ending, found.waiting, found.more) == (0, 0, [], [], False)
    assert found.cost == Cost(Decimal(0), 0, 0)
    assert not at_a_glance.has_anything(account)


def test_what_ends_within_two_weeks_is_listed_the_soonest_first(test_clock: BusinessClock) -> None:
    account, other = open_purse(cash_minor=50_000), open_purse("other", cash_minor=20_000)
    first = buy_running(account, MONTHLY)
    buy_running(other, MONTHLY)
    test_clock.advance(days=3)
    second = buy_running(account, MONTHLY)
    found = at_a_glance.glance(account)
    assert (found.ending, found.ending_count, found.running) == ([], 0, 2)
    ends = [machine.subscription.expires_at for machine in (first, second)]
    assert ends[0] and ends[1]
    test_clock.set(ends[0] - dt.timedelta(days=14) + dt.timedelta(seconds=1))
    flag = "NOTIFY_AND_MANUAL_RENEW"
    assert at_a_glance.glance(account).ending == [Ending("machine", first.public_id, "web", ends[0], flag)]
    test_clock.set(ends[1] - dt.timedelta(days=14) + dt.timedelta(seconds=1))
    found = at_a_glance.glance(account)
    assert [one.public_id for one in found.ending] == [first.public_id, second.public_id]
    assert found.ending_count == 2
    assert at_a_glance.has_anything(account)


def test_what_waits_is_listed_the_most_urgent_first(test_clock: BusinessClock, world: World) -> None:
    account, other = open_purse(cash_minor=100_000), open_purse("other", cash_minor=20_000)
    spot, ended = buy_running(account, SPOT), buy_running(account)
    buy_running(other)
    order_id = place.place(wanted(account))
    terminate.terminate(by(account), [ended.public_id])
    made = purchase.purchase(wanted(account, HOURLY, machine=Machine("img-db12k7x4", GENERATED, name="own")))
    work()
    world.fail("ensure_present", transient=False, sentence="The host has no disk left.")
    failed = purchase.purchase(wanted(account, HOURLY))
    work()
    reclaim.announce([spot.id], reclaim.FOR_ROOM)
    ended.subscription.refresh_from_db()
    spot.refresh_from_db()
    found = at_a_glance.glance(account)
    assert [(one.kind, one.public_id, one.at) for one in found.waiting] == [
        ("reclaim", spot.public_id, spot.reclaim_at),
        ("failed", failed.instance_ids[0], test_clock.at),
        ("unpaid", str(order_id), found.waiting[2].at),
        ("bin", ended.public_id, ended.subscription.release_at),
        ("password", made.instance_ids[0], test_clock.at),
    ]
    assert at_a_glance.glance(other).waiting == []


def test_no_more_is_listed_than_a_page_has_room_for() -> None:
    account = open_purse(cash_minor=100_000)
    for _ in range(SHOWN + 1):
        place.place(wanted(account))
    found = at_a_glance.glance(account)
    assert (len(found.waiting), found.more) == (SHOWN, True)
    assert found.waiting[0] == Waiting("unpaid", found.waiting[0].public_id, "", found.waiting[0].at)
