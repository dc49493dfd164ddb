"""The seller's pages of card payments: search, one payment whole, and what goes back to its card."""

import csv
import io
from typing import Any

import pytest
from django.db import connection

from tests.support.actors import SELLER, by
from tests.support.business_clock import BusinessClock
from tests.support.plans import read_whole
from tests.support.shopper import MONTHLY_MINOR, ZONE, open_purse, owe, purses, wanted
from tests.support.written import nothing_written
from tests.web.visiting import Form, Visitor, customer, operator, text_of, work
from vmart.kernel import clock
from vmart.listings import card_payments
from vmart.listings.paging import PAGE
from vmart.orders import place, refund
from vmart.payments import to_card, top_up
from vmart.payments.models import CardRefund, Payment
from vmart.payments.providers.sandbox import PAYS, REFUNDS_LATE, TAKES_NOTHING_BACK
from vmart.payments.to_card import Asked
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("shop", "cards")
SCRIPT = '<script>alert("1")</script>'


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")


def paid(account: int, minor: int = 5000, card: str = PAYS, token: str = "t") -> int:
    begun = top_up.begin(by(account), minor, "sandbox", token, method=card)
    assert begun.state == "succeeded"
    return begun.payment_id


def _found(word: str) -> list[int]:
    return [row.id for row in card_payments.page(word).rows]


# -- the list ------------------------------------------------------------------------------------------


def test_a_payment_is_found_by_its_number_customer_and_the_providers_number() -> None:
    one, bert = paid(open_purse("anna")), open_purse("bert")
    two, three = paid(bert), paid(bert, token="u")
    assert _found("") == [three, two, one]
    assert _found("anna") == [one]
    assert _found("bert") == [three, two]
    assert set(_found(str(bert))) >= {three, two}
    assert one in _found(str(one))
    assert _found(Payment.objects.get(id=two).reference) == [two]
    assert _found("nobody") == _found("'; DROP TABLE x; --") == _found("pi_x") == []


def _many(account: int, count: int, begin: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_payment (id, account_id, provider, reference, amount_minor, state, reason, token,"
            " created_at) SELECT %s + n, %s, 'stripe', 'pi_' || %s + n, 100, 'failed', '', %s + n, %s"
            " FROM generate_series(1, %s) AS n",
            [10_000_000 + begin, account, begin, begin, clock.now(), count],
        )


def test_pages_go_by_key_and_a_file_has_all() -> None:
    account = open_purse("anna")
    _many(account, 2 * PAGE + 1)
    for word in ("", "anna", str(account)):
        seen, before = [], ""
        while True:
            page = card_payments.page(word, before)
            seen += [row.id for row in page.rows]
            if not (before := page.older):
                break
        assert seen == sorted(Payment.objects.values_list("id", flat=True), reverse=True)
    answer: Any = operator().get("/seller/payments/?q=anna&as=csv")
    table = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert len(table) == 2 * PAGE + 2
    assert table[0] == [
        "payment", "begun", "customer_number", "customer", "provider", "reference", "order", "amount_minor",
        "refunded_minor", "state",
    ]  # fmt: skip
    assert table[1][2:] == [str(account), "anna@example.com", "stripe", "pi_101", "", "100", "0", "failed"]


def test_a_page_reads_no_more_however_many_payments_there_are() -> None:
    for number in range(25):
        _many(open_purse(f"anna{number}"), 200, 200 * number)
    open_purse("bert")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE payments_payment")
    for asked in (("",), ("anna",), ("bert",), ("10000001",), ("pi_77",), ("anna", "10004000")):
        assert read_whole(lambda asked=asked: card_payments.page(*asked)) == [], asked  # type: ignore[misc]


# -- one payment ---------------------------------------------------------------------------------------


def _address(payment: int, act: str = "") -> str:
    return f"/seller/payments/{payment}/{act}"


def test_one_payment_is_shown_whole() -> None:
    payment = paid(open_purse("anna"))
    to_card.give(Asked(payment, 2000), SCRIPT, SELLER, "k")
    page = operator().get(_address(payment))
    for told in ("anna@example.com", "Back to the card ¥20.00", "May go back yet ¥30.00", "Sent to the card"):
        assert told in text_of(page), told
    assert SCRIPT not in page.content.decode()
    assert "&lt;script&gt;alert(" in page.content.decode()
    assert f'{_address(payment, "refund/")}"' in page.content.decode()
    assert customer().get(_address(payment)).status_code == 403
    for number in (10**9, 2**63, 2**70):
        for act in ("", "refund/"):
            assert operator().get(_address(number, act)).status_code == 404


def _shown(seller: Visitor, payment: int, **typed: str) -> dict[str, Any]:
    """The form as the page shows it after what it does."""
    sent = {"amount": "20.00", "reason": "not wanted", "act": "preview"} | typed
    page = seller.post(_address(payment, "refund/"), sent)
    assert page.status_code == 200, text_of(page)
    return Form(page.content.decode(), "").data | {"act": "refund"}


def test_what_it_does_is_shown_first_and_done_once() -> None:
    account = open_purse("anna")
    payment, seller = paid(account), operator("finance")
    owe(account, -4000)
    begun = seller.get(_address(payment, "refund/"))
    assert Form(begun.content.decode(), "").data["amount"] == "40.00"  # no more is in the balance
    with nothing_written():
        page = seller.post(_address(payment, "refund/"), {"amount": "20", "reason": "not wanted", "act": "preview"})
    for told in ("To the card ¥20.00", "Available after it ¥20.00", "May go back yet ¥30.00", "anna@example.com",
                 "the one that paid ¥50.00", Payment.objects.get().reference, "No money moves"):  # fmt: skip
        assert told in text_of(page), told
    form = _shown(seller, payment)
    done = seller.post(_address(payment, "refund/"), form, follow=True)
    assert "¥20.00 have been sent to the card." in text_of(done)
    assert purses(account)["cash"] == 2000
    refund = CardRefund.objects.get()
    assert (refund.actor, refund.reason) == (seller.user.email, "not wanted")
    with nothing_written():
        again = seller.post(_address(payment, "refund/"), form, follow=True)
    assert "¥20.00 have been sent to the card." in text_of(again)
    assert purses(account)["cash"] == 2000


def test_of_two_who_were_shown_the_same_the_second_is_shown_what_the_first_did() -> None:
    account = open_purse()
    payment, first, second = paid(account), operator(), operator()
    forms = [_shown(first, payment), _shown(second, payment)]
    assert first.post(_address(payment, "refund/"), forms[0]).status_code == 302
    with nothing_written():
        late = second.post(_address(payment, "refund/"), forms[1])
    assert (late.status_code, "changed since it was shown" in text_of(late)) == (422, True)
    assert purses(account)["cash"] == 3000


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"amount": "50.01"}, "at most ¥50.00"), ({"amount": "0"}, "above 0"), ({"amount": "-1"}, "a number of CNY"),
        ({"amount": "1.001"}, "at most 2 decimals"), ({"amount": ""}, "(empty)"), ({"amount": "١٠"}, "a number of CNY"),
        ({"amount": "10"}, "¥10.00 cannot go back to the card: ¥9.00 lie free in cash."),
        ({"amount": "5", "reason": ""}, "A reason is one line"), ({"amount": "5", "reason": "a\nb"}, "A reason is one"),
        ({"amount": "9" * 400}, "a number of CNY"), ({"amount": "5\0"}, "Null characters"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_done(typed: dict[str, str], says: str) -> None:
    account = open_purse()
    payment, seller = paid(account), operator()
    owe(account, -900)
    sent = {"amount": "5", "reason": "x", "key": "k" * 32} | typed
    for act in ("preview", "refund"):
        with nothing_written():
            page = seller.post(_address(payment, "refund/"), sent | {"act": act})
        assert (page.status_code, says in text_of(page)) == (422, True), text_of(page)


def test_a_form_without_what_was_shown_is_not_done() -> None:
    payment, seller = paid(open_purse()), operator()
    for shown in ({}, {"shown": "1:1"}, {"shown": "\0"}):
        sent = {"amount": "5", "reason": "x", "act": "refund", "key": "k" * 32} | shown
        with nothing_written():
            assert seller.post(_address(payment, "refund/"), sent).status_code == 422
    with nothing_written():
        assert seller.post(_address(payment, "refund/"), {"act": "refund"}).status_code == 422


def test_where_nothing_can_go_back_the_page_says_why() -> None:
    account = open_purse()
    payment, seller = paid(account), operator()
    owe(account, 0)
    page = seller.get(_address(payment, "refund/"), follow=True)
    assert "¥0.00 lie free in cash" in text_of(page)
    Payment.objects.update(state="failed")
    assert "No card has paid payment" in text_of(seller.get(_address(payment, "refund/"), follow=True))


def test_what_failed_is_said_and_waits_on_the_sellers_list() -> None:
    account = open_purse("anna")
    payment, seller = paid(account, card=TAKES_NOTHING_BACK), operator()
    page = seller.post(_address(payment, "refund/"), _shown(seller, payment), follow=True)
    assert "¥20.00 did not go back to the card; the money is in the balance. The card takes no money back." in text_of(
        page
    )
    assert purses(account)["available"] == 5000
    today = seller.get("/seller/")
    assert "Refund to a card failed" in text_of(today)
    assert f'href="{_address(payment)}"' in today.content.decode()
    number = CardRefund.objects.get().id
    for other in (0, 2**63, 2**70):
        with nothing_written():
            seller.post(f"/seller/card-refunds/{other}/seen/")
    assert operator("support").post(f"/seller/card-refunds/{number}/seen/").status_code == 403
    seller.post(f"/seller/card-refunds/{number}/seen/")
    assert "Refund to a card failed" not in text_of(seller.get("/seller/"))


def test_what_is_on_its_way_is_said_to_seller_and_customer(test_clock: BusinessClock) -> None:
    buyer, seller = customer(gift_minor=0), operator()
    payment = paid(buyer.account_id, card=REFUNDS_LATE)
    page = seller.post(_address(payment, "refund/"), _shown(seller, payment), follow=True)
    assert "¥20.00 are set aside and on their way to the card" in text_of(page)
    assert "Money is on its way to the card" in text_of(page)
    assert "¥20.00 of what is set aside are on their way back to your card." in text_of(buyer.get("/balance/"))
    assert "back to the card ¥20.00" in text_of(buyer.get("/balance/top-up/"))
    mine = text_of(buyer.get(f"/payments/{payment}/"))
    assert "Waiting for the provider" in mine
    assert "not wanted" in mine
    assert seller.user.email not in mine
    test_clock.advance(seconds=10)
    work()
    balance = text_of(buyer.get("/balance/"))
    assert "on their way back" not in balance
    assert "Given back to the card" in balance
    assert "Sent to the card" in text_of(buyer.get(f"/payments/{payment}/"))


def test_the_money_of_an_order_goes_to_the_balance_and_on_to_its_card() -> None:
    """The way from the page of an order: refund it, then give it back to the card that paid."""
    account, seller = open_purse("anna"), operator()
    order = place.place(wanted(account))
    payment = top_up.begin(by(account), MONTHLY_MINOR, "sandbox", "t", order_id=order, method=PAYS).payment_id
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    work()
    link = f'href="{_address(payment, "refund/")}"'
    assert link not in seller.get(f"/seller/orders/{order}/").content.decode()
    refund.give(refund.Asked(order, None, "ends"), "gone", SELLER, "k")
    assert link in seller.get(f"/seller/orders/{order}/").content.decode()
    form = _shown(seller, payment, amount="132.50")
    assert seller.post(_address(payment, "refund/"), form).status_code == 302
    assert purses(account)["cash"] == 0
    assert link not in seller.get(f"/seller/orders/{order}/").content.decode()
    assert Payment.objects.get().left_minor == 0
