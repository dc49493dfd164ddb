"""How long a client token is remembered."""

import datetime as dt

import pytest

from tests.support.shopper import HOURLY, open_purse, wanted
from vmart.kernel import clock
from vmart.orders import idempotency
from vmart.orders.models import Idempotency, Order
from vmart.orders.purchase import purchase

pytestmark = pytest.mark.usefixtures("in_business")
A_SECOND = dt.timedelta(seconds=1)


def test_answers_are_kept_for_two_days_to_the_second() -> None:
    wall = clock.wall()
    for token, age in [("new", dt.timedelta(0)), ("kept", idempotency.KEPT), ("old", idempotency.KEPT + A_SECOND)]:
        Idempotency.objects.create(account_id=7, token=token, fingerprint=b"", answer={}, created_wall_at=wall - age)
    assert idempotency.forget_old(wall) == 1
    assert set(Idempotency.objects.values_list("token", flat=True)) == {"new", "kept"}
    assert idempotency.forget_old(wall) == 0
    assert dt.timedelta(hours=24) <= idempotency.KEPT  # what the field promises


def test_a_token_is_the_same_purchase_until_it_is_forgotten() -> None:
    account = open_purse(cash_minor=1000)
    request = wanted(account, HOURLY, client_token="t")
    first = purchase(request)
    Idempotency.objects.update(created_wall_at=clock.wall() - dt.timedelta(hours=24))
    idempotency.forget_old(clock.wall())
    assert purchase(request).instance_ids == first.instance_ids
    Idempotency.objects.update(created_wall_at=clock.wall() - idempotency.KEPT - A_SECOND)
    idempotency.forget_old(clock.wall())
    assert purchase(request).instance_ids != first.instance_ids
    assert Order.objects.count() == 2
