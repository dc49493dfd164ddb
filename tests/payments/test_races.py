"""Given webhook, poll and page that learn of one success at the same moment, then it has one effect.

The control shows that these threads do meet: the same deed without the lock credits more than once.
"""

import threading
import uuid
from collections.abc import Callable

import pytest

from tests.payments.exchanges import ReferenceStripe
from tests.payments.signing import event, signed
from tests.support.actors import by
from tests.support.at_once import at_once
from tests.support.business_clock import BusinessClock
from tests.support.shopper import MONTHLY_MINOR, open_purse, purses, wanted, work
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.ledger.models import Transfer
from vmart.orders import place
from vmart.orders.credit import credit
from vmart.payments import top_up
from vmart.payments.models import Payment
from vmart.payments.webhook import receive

pytestmark = pytest.mark.usefixtures("shop")


def _at_once(*deeds: Callable[[], object]) -> list[object]:
    results = at_once(*deeds)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


@pytest.mark.parametrize("round_number", range(5))
def test_all_learn_of_it_at_once(
    reference_stripe: ReferenceStripe, test_clock: BusinessClock, round_number: int
) -> None:
    account = open_purse()
    order = place.place(wanted(account))
    begun = top_up.begin(by(account), MONTHLY_MINOR, "stripe", "t1", order_id=order)
    headers, body = signed(event("succeeded", reference_stripe.pay()))
    test_clock.advance(seconds=10)

    def told() -> int:
        return receive("stripe", headers, body)

    def seen() -> str:
        return top_up.refresh(account, begun.payment_id).state

    assert _at_once(told, told, told, work, seen, seen)[:3] == [200, 200, 200]
    assert Payment.objects.get().state == "succeeded"
    assert Transfer.objects.count() == 1
    assert Instance.objects.count() == 1
    assert purses(account) == {"cash": MONTHLY_MINOR, "gift": 0, "owed": 0, "held": MONTHLY_MINOR, "available": 0}


def test_control_without_the_lock_it_is_credited_more_than_once(reference_stripe: ReferenceStripe) -> None:
    """Read whether it has succeeded, decide, write: as ``record`` would be without lock and fixed transfer id."""
    account = open_purse()
    payment_id = top_up.begin(by(account), 5000, "stripe", "t1").payment_id
    have_read = threading.Barrier(2)

    def naive() -> None:
        payment = Payment.objects.get(id=payment_id)
        have_read.wait(10)
        if payment.state != Payment.State.SUCCEEDED:
            with db.act():
                credit(uuid.uuid4(), "top_up", account, "card", cash_minor=payment.amount_minor)
                Payment.objects.filter(id=payment_id).update(state=Payment.State.SUCCEEDED)

    _at_once(naive, naive)
    assert purses(account)["cash"] == 10_000


def test_the_same_form_sent_twice_at_once_is_one_payment(reference_stripe: ReferenceStripe) -> None:
    account = open_purse()

    def begin() -> int:
        return top_up.begin(by(account), 5000, "stripe", "t1").payment_id

    first, second = _at_once(begin, begin)
    assert first == second
    assert Payment.objects.count() == 1
    assert len(reference_stripe.intents) == 1


def test_two_payments_for_one_order_buy_it_once(reference_stripe: ReferenceStripe) -> None:
    account = open_purse()
    order = place.place(wanted(account))
    numbers = [
        top_up.begin(by(account), MONTHLY_MINOR, "stripe", token, order_id=order).payment_id for token in ("t1", "t2")
    ]
    for reference in reference_stripe.intents:
        reference_stripe.pay(reference)
    _at_once(*[lambda number=number: top_up.refresh(account, number) for number in numbers])  # type: ignore[misc]
    assert Instance.objects.count() == 1
    assert purses(account) == {
        "cash": 2 * MONTHLY_MINOR, "gift": 0, "owed": 0, "held": MONTHLY_MINOR, "available": MONTHLY_MINOR,
    }  # fmt: skip
    assert sorted(bool(reason) for reason in Payment.objects.values_list("reason", flat=True)) == [False, True]
