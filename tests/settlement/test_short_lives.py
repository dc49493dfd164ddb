"""A thousand short lives cost what one long one does: rounding happens once an account, not once a machine."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.support import quotas
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, open_purse, purses, wanted, work
from vmart.bills.models import Carry, Charge
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.orders import terminate
from vmart.orders.purchase import purchase
from vmart.provisioning import zones
from vmart.settlement import close

BASE = replace(HOURLY, instance_type="S5.SMALL1", count=100)  # 0.14 an hour, and 0.025 for 50 GiB of disk


@pytest.mark.usefixtures("shop")
def test_a_thousand_lives_of_128_s_are_charged_to_the_cent(test_clock: BusinessClock) -> None:
    """Given ten times a hundred machines, each running 128 s of one hour and ended twice."""
    hour = test_clock.at
    close.begin(hour)
    account = open_purse(cash_minor=10_000)
    quotas.one(account, postpaid_per_zone=100)
    zones.check(BASE.zone)
    zones.prepare_images(BASE.zone)
    for _ in range(10):
        bought = purchase(wanted(account, BASE))
        work()
        test_clock.advance(seconds=128)
        ids = list(bought.instance_ids)
        terminate.terminate(by(account), ids)
        work()
        terminate.terminate(by(account), ids)
        work()
    assert Instance.objects.filter(state="GONE").count() == 1000
    assert test_clock.at == hour + dt.timedelta(seconds=1280)
    test_clock.set(hour + HOUR)
    work()
    by_component = {
        component: sum(Charge.objects.filter(component=component).values_list("exact_e8", flat=True))
        for component in ("cpu", "disk")
    }
    assert by_component == {"cpu": 497_778_000, "disk": 88_889_000}
    assert Carry.objects.values_list("exact_e8", "deducted_minor").get() == (586_667_000, 587)
    assert purses(account) == {"cash": 9413, "gift": 0, "owed": 0, "held": 0, "available": 9413}
    assert list(reconcile()) == []
