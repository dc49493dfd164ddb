"""Given a process that is killed while a payment is on its way, then the poll brings it to its end, once."""

import signal
import subprocess
import sys

import pytest

from tests.payments.exchanges import ReferenceStripe
from tests.support.business_clock import START, BusinessClock
from tests.support.database import ROOT
from tests.support.shopper import MONTHLY_MINOR, open_purse, purses, wanted, work
from vmart.instances.models import Instance
from vmart.ledger.models import Transfer
from vmart.orders import place
from vmart.orders.models import Order
from vmart.payments.models import Payment
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("shop", "sandbox")]

_PROGRAM = """
import os, signal, sys, datetime
import django
django.setup()
from vmart.kernel import clock
clock.install(lambda: datetime.datetime.fromisoformat({now!r}))
from vmart.events.actor import PAGE, Actor
from vmart.payments import record, top_up
from vmart.payments.models import Payment

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

point = {point!r}
if point == "before the provider is asked":
    top_up.charge_of = die
elif point == "after the provider's answer":
    top_up.record = die
elif point == "between credit and purchase":
    record.actions.pay_in_act = die
elif point == "before the commit":
    record._forget_poll = die
top_up.begin(Actor({account}, PAGE), {amount}, {provider!r}, "t1", order_id={order}, method={method!r})
"""


def _begin_and_die(point: str, account: int, order: int | None, provider: str = "sandbox") -> None:
    method = "4242424242424242" if provider == "sandbox" else ""
    program = _PROGRAM.format(
        now=START.isoformat(), point=point, account=account, amount=MONTHLY_MINOR, provider=provider, order=order,
        method=method,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(
    "point",
    [
        "before the provider is asked",
        "after the provider's answer",
        "between credit and purchase",
        "before the commit",
    ],
)
def test_killed_while_an_order_is_paid(test_clock: BusinessClock, point: str) -> None:
    account = open_purse()
    order = place.place(wanted(account))
    _begin_and_die(point, account, order)
    assert Payment.objects.get().state == "created"
    assert Order.objects.get().status == 1
    assert not Transfer.objects.exists()
    assert not Instance.objects.exists()
    test_clock.advance(seconds=10)
    work()
    assert Payment.objects.get().state == "succeeded"
    assert Order.objects.get().status in (3, 4)
    assert Transfer.objects.filter(kind="top_up").count() == 1
    assert Instance.objects.count() == 1
    assert not Operation.objects.filter(kind__in=["payment_poll", "expire_order"]).exists()


def test_killed_after_stripe_has_made_the_payment(test_clock: BusinessClock, reference_stripe: ReferenceStripe) -> None:
    """Its answer died with the process; the poll learns of the same PaymentIntent, not of a second one."""
    account = open_purse()
    _begin_and_die("after the provider's answer", account, None, "stripe")
    assert len(reference_stripe.intents) == 1
    test_clock.advance(seconds=10)
    work()
    assert Payment.objects.get().reference == next(iter(reference_stripe.intents))
    reference_stripe.pay()
    test_clock.advance(seconds=10)
    work()
    assert len(reference_stripe.intents) == 1
    assert purses(account)["cash"] == MONTHLY_MINOR
