"""Given the shop at localstripe, when a customer enters a card there, then what Stripe says is what happens here."""

import http.server
import queue
import threading
from collections.abc import Iterator

import pytest
from django.test import Client

from tests.payments.conftest import LocalStripe
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import MONTHLY, MONTHLY_MINOR, open_purse, purses, wanted, work
from vmart.instances.models import Instance
from vmart.ledger.models import Transfer
from vmart.orders import place
from vmart.orders.models import Order
from vmart.payments import top_up
from vmart.payments.models import Payment
from vmart.provisioning import zones
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop", "localstripe")

DECLINED, SECURE = "4000000000000341", "4000002500003155"


@pytest.fixture
def events() -> Iterator[tuple[str, "queue.Queue[tuple[dict[str, str], bytes]]"]]:
    """An address that takes messages, and the messages it has taken."""
    taken: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.put((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", taken
    server.shutdown()
    server.server_close()


def test_the_page_gets_what_stripes_element_needs() -> None:
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "stripe", "t1")
    assert stands.state == "pending"
    assert stands.page["client_secret"].startswith(Payment.objects.get().reference + "_secret_")
    assert stands.page["publishable_key"] == "pk_test_12345"
    assert top_up.refresh(account, stands.payment_id) == stands
    assert not Transfer.objects.exists()


def test_stripe_is_asked_for_exactly_this(localstripe: LocalStripe) -> None:
    top_up.begin(by(open_purse()), 5000, "stripe", "t1")
    (intent,) = localstripe.intents()
    payment = Payment.objects.get()
    assert (intent["amount"], intent["currency"], intent["metadata"]) == (
        5000, "cny", {"vmart_payment": top_up.provider_token(payment), "vmart_deployment": top_up.deployment()},
    )  # fmt: skip


def test_a_card_that_pays_is_found_by_the_poll(localstripe: LocalStripe, test_clock: BusinessClock) -> None:
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "stripe", "t1")
    test_clock.advance(seconds=10)
    assert work() == 1  # still waits for its customer
    assert Payment.objects.get().state == "pending"
    assert localstripe.confirm(stands.page["client_secret"]) == "succeeded"
    assert work() == 0  # not before its time
    test_clock.advance(seconds=10)
    assert work() == 1
    assert Payment.objects.get().state == "succeeded"
    assert purses(account)["cash"] == 5000
    assert not Operation.objects.exists()


def test_a_card_that_pays_is_told_by_stripes_own_message(
    localstripe: LocalStripe, events: tuple[str, "queue.Queue[tuple[dict[str, str], bytes]]"]
) -> None:
    address, taken = events
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "stripe", "t1")
    localstripe.send_events_to(address)
    localstripe.confirm(stands.page["client_secret"])
    client = Client(enforce_csrf_checks=True)
    while Payment.objects.get().state != "succeeded":  # messages about what came before arrive late; they are ignored
        headers, body = taken.get(timeout=10)
        signature = {"Stripe-Signature": headers["Stripe-Signature"]}
        posted = client.post("/payments/webhook/stripe", body, "application/json", headers=signature)
        assert posted.status_code == 200
    assert purses(account)["cash"] == 5000


def test_an_order_paid_by_card_is_delivered(localstripe: LocalStripe) -> None:
    account = open_purse()
    zones.check(MONTHLY.zone)
    zones.prepare_images(MONTHLY.zone)
    order = place.place(wanted(account))
    stands = top_up.begin(by(account), MONTHLY_MINOR, "stripe", "t1", order_id=order)
    assert Order.objects.get().status == 1
    localstripe.confirm(stands.page["client_secret"])
    assert top_up.refresh(account, stands.payment_id).state == "succeeded"
    assert Order.objects.get().status == 3
    work()
    assert (Order.objects.get().status, Instance.objects.get().state) == (4, "RUNNING")
    assert purses(account) == {"cash": 0, "gift": 0, "owed": 0, "held": 0, "available": 0}


def test_a_card_that_is_declined_is_shown_and_credits_nothing(localstripe: LocalStripe) -> None:
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "stripe", "t1")
    assert localstripe.confirm(stands.page["client_secret"], DECLINED) == "card_declined"
    shown = top_up.refresh(account, stands.payment_id)
    assert (shown.state, shown.reason) == ("pending", "Your card was declined.")
    assert not Transfer.objects.exists()


@pytest.mark.parametrize(("answer", "state", "cash"), [("true", "succeeded", 5000), ("false", "pending", 0)])
def test_a_card_that_asks_its_holder(localstripe: LocalStripe, answer: str, state: str, cash: int) -> None:
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "stripe", "t1")
    secret = stands.page["client_secret"]
    assert localstripe.confirm(secret, SECURE) == "requires_action"
    assert top_up.refresh(account, stands.payment_id).state == "pending"
    localstripe.http.post(
        f"/v1/payment_intents/{Payment.objects.get().reference}/_authenticate",
        data={"client_secret": secret, "success": answer},
    )
    assert top_up.refresh(account, stands.payment_id).state == state
    assert purses(account)["cash"] == cash


def test_what_its_customer_has_left_is_canceled_at_stripe(localstripe: LocalStripe, test_clock: BusinessClock) -> None:
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "stripe", "t1")
    test_clock.advance(minutes=29, seconds=50)
    work()
    assert Payment.objects.get().state == "pending"
    test_clock.advance(minutes=5)
    work()
    payment = Payment.objects.get()
    assert (payment.state, payment.reason) == ("failed", "The payment was not completed in time.")
    assert localstripe.intents()[0]["status"] == "canceled"
    assert localstripe.http.post(f"/v1/payment_intents/{payment.reference}/confirm").status_code == 400
    assert top_up.refresh(account, stands.payment_id).state == "failed"
    assert not Operation.objects.exists()
    assert purses(account)["cash"] == 0
