"""Given prices that have changed since the purchase, then a hold is one hour at the price of its own moment."""

from dataclasses import replace

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, buy_running, open_purse, purses, raise_prices, work
from tests.support.written import refused
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.orders import errors, start, stop
from vmart.subscriptions.models import Item

pytestmark = pytest.mark.usefixtures("in_business")

SMALL = replace(HOURLY, instance_type="S5.SMALL2")  # 0.18 an hour, and 0.025 for its disk


def test_holds_are_taken_and_kept_at_today_s_price(test_clock: BusinessClock) -> None:
    """Given 0.18 + 0.025 raised to 0.36 + 0.05, then 0.05 is held while it is stopped, 0.41 once it is started."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, SMALL)
    assert purses(account)["held"] == 21
    test_clock.advance(minutes=1)
    raise_prices(test_clock, "2")
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    assert purses(account)["held"] == 5
    start.start(by(account), [machine.public_id])
    assert purses(account)["held"] == 41
    work()
    assert Instance.objects.get(pk=machine.pk).state == "RUNNING"
    assert list(reconcile()) == []


def test_a_stop_is_never_refused_it_keeps_at_most_what_was_held(test_clock: BusinessClock) -> None:
    """Given prices twenty times as high and no money left, then the stop keeps the 0.21 that were held."""
    account = open_purse(cash_minor=21)
    machine = buy_running(account, SMALL)
    raise_prices(test_clock, "20")
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    assert (Instance.objects.get(pk=machine.pk).state, purses(account)["held"]) == ("STOPPED", 21)
    with refused(errors.InsufficientBalance, match="¥4.10 are needed and ¥0.21 are available"):
        start.start(by(account), [machine.public_id])


def test_what_has_no_price_any_more_can_be_stopped_and_not_started(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, SMALL)
    Item.objects.update(price_key="mars/cpu/X")
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    assert purses(account)["held"] == 21
    with refused(errors.NotSoldHere, match="has no price any more", field="machines"):
        start.start(by(account), [machine.public_id])
