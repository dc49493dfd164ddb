"""Given an order that changed or renewed what was there, when the seller gives back of it, then no cent too much."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.ending import no_closes
from tests.orders.test_bandwidth_window import BEGINS, BY_MONTH, UPGRADE, _order, account, machine, now  # noqa: F401
from tests.support.actors import SELLER, by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import MONTHLY, buy_running, open_purse, purses, wanted, work
from tests.support.written import nothing_written
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidValue
from vmart.orders import refund, return_prepaid, terminate, to_traffic
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.by_hand import Movement, move
from vmart.orders.models import Line
from vmart.orders.purchase import purchase
from vmart.orders.refund import After, Asked

pytestmark = pytest.mark.usefixtures("in_business")


def test_all_of_it_is_taken_off_what_the_days_left_are_worth(machine: Instance, test_clock: BusinessClock) -> None:  # noqa: F811
    """Given a window of which days are used, then a return gives what they are worth less what was given already."""
    number = _order(machine)
    test_clock.set(BEGINS + dt.timedelta(days=5, hours=1))
    work()
    line = Line.objects.get(order_id=number)

    def worth() -> int:
        (quoted,) = return_prepaid.ordinary([now(machine)], test_clock.at)
        return dict(quoted.by_line)[line.id]

    assert worth() == 968  # of 24.19
    refund.give(Asked(number, 300, After.STAYS), "why", SELLER, "k")
    assert worth() == 668
    refund.give(Asked(number, 700, After.STAYS), "why", SELLER, "l")
    assert worth() == 0
    assert list(reconcile()) == []


def test_gift_of_bandwidth_that_became_traffic_comes_back_once(test_clock: BusinessClock) -> None:
    no_closes()
    buyer = open_purse(cash_minor=200_000)
    move(Movement(buyer, 17_250 + 3000, "gift", "a welcome", SELLER, "k"))
    bought = buy_running(buyer, BY_MONTH)  # with gift alone
    number = UPGRADE.order(by(buyer), Upgrade([bought.public_id], 5))
    work()
    upgrade = Line.objects.get(order_id=number)
    assert (upgrade.paid_cash_minor, upgrade.paid_gift_minor) == (4650, 3000)
    test_clock.advance(days=2)
    to_traffic.change(by(buyer), [bought.public_id], 5)
    work()
    upgrade.refresh_from_db()
    assert (upgrade.refund_minor, upgrade.gift_left_minor, upgrade.left_minor) == (7156, 0, 494)
    told = refund.give(Asked(number, 494, After.STAYS), "why", SELLER, "k")
    assert told is not None and (told.cash_minor, told.gift_minor) == (494, 0)
    terminate.terminate(by(buyer), [bought.public_id])
    work()
    assert (purses(buyer)["cash"], purses(buyer)["gift"]) == (200_000, 20_250)
    assert list(reconcile()) == []


def test_what_was_there_before_stays(machine: Instance) -> None:  # noqa: F811
    number = _order(machine)
    with nothing_written(), pytest.raises(InvalidValue) as refused:
        refund.give(Asked(number, None, After.ENDS), "why", SELLER, "k")
    assert refused.value.field == "after"
    assert refused.value.sentence == (
        f"Order {number} changed or renewed what was there already: that stays. End it on its own page."
    )


def test_what_ends_is_all_that_is_meant(account: int, machine: Instance) -> None:  # noqa: F811
    bought = purchase(wanted(account, replace(MONTHLY, count=3)))
    work()
    with nothing_written(), pytest.raises(InvalidValue) as refused:
        refund.give(Asked(bought.order_id, 2, After.ENDS), "why", SELLER, "k")
    assert (refused.value.field, refused.value.sentence) == (
        "line",
        "Of 3 things of the order 2 would get a part of the amount, and only those would end: name a line, or a larger"
        " amount.",
    )
    told = refund.give(Asked(bought.order_id, 3, After.ENDS), "why", SELLER, "k")
    assert told is not None and len(told.parts) == 3
    ended = Instance.objects.filter(public_id__in=bought.instance_ids)
    assert set(ended.values_list("state", flat=True)) == {"SHUTDOWN"}
    assert now(machine).state == "RUNNING"
