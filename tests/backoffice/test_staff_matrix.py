"""Given each role of the staff, when any page of the seller is opened or sent, then what docs/roles.md says is let.

The addresses are the shop's own table of them: one that is added and says nothing of roles is refused to everybody,
and fails here.
"""

from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.urls import resolve, reverse

from tests.support import roles_table
from tests.support.actors import SELLER, by
from tests.support.database import DEMO_CATALOG
from tests.support.shopper import MONTHLY, buy_running, open_purse
from tests.support.written import nothing_written
from tests.web.test_offered_to_roles import Offers
from tests.web.test_others_things import NAMED, Things
from tests.web.visiting import ZONE, Visitor, customer, open_business, operator, text_of, work
from vmart.backoffice.apply_catalog import apply_text
from vmart.backoffice.urls import urlpatterns
from vmart.customers import staff
from vmart.customers.staff import StaffRole
from vmart.kernel import clock
from vmart.orders.models import Line
from vmart.pages.permitted import STAFF_NEEDS
from vmart.payments import to_card, top_up, unexplained
from vmart.payments.providers.sandbox import PAYS, TAKES_NOTHING_BACK
from vmart.worker.models import Operation

ROWS = roles_table.written()["Pages of the seller"]
ROLES = list(StaffRole)


@pytest.fixture(autouse=True)
def _open_shop(shop: object) -> None:
    open_business()


def _address(name: str) -> str:
    return reverse(name, kwargs=NAMED[name][0](Things()) if name in NAMED else {})


def _answer(visitor: Visitor, name: str, how: str) -> HttpResponse:
    return visitor.get(_address(name)) if how == "opened" else visitor.post(_address(name), {})


def test_every_page_of_the_seller_is_in_the_table() -> None:
    names = {str(pattern.name) for pattern in urlpatterns} - {"first_operator"}  # of who has no role yet
    assert set(STAFF_NEEDS) == names
    assert {row[0] for row in ROWS} == names


def test_a_page_that_is_in_no_table_is_refused_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    seller = operator()
    assert seller.get("/seller/checklist/").status_code == 200
    monkeypatch.delitem(STAFF_NEEDS, "seller_checklist")
    refused = seller.get("/seller/checklist/")
    assert (refused.status_code, "Nobody may do this." in text_of(refused)) == (403, True)


@pytest.mark.parametrize("role", ROLES)
def test_pages(role: StaffRole) -> None:
    """What is let finds nothing of that id, or an empty form; what is refused says so and writes nothing."""
    visitor, here = operator(role), 3 + ROLES.index(role)
    expected = {(row[0], row[1]): row[here] for row in ROWS}
    found = {}
    for (name, how), cell in expected.items():
        if cell == roles_table.YES:
            answer = _answer(visitor, name, how)
            assert answer.status_code in (200, 302, 404, 422), (name, how, answer.status_code)
            found[name, how] = roles_table.YES
    with nothing_written():
        for (name, how), cell in expected.items():
            if cell == roles_table.NO:
                answer = _answer(visitor, name, how)
                assert answer.status_code == 403, (name, how, answer.status_code)
                assert "Your role is" in text_of(answer)
                found[name, how] = roles_table.NO
    assert found == expected
    assert len(found) == len(ROWS) > 30


@pytest.mark.parametrize("who", ["customer", "former"])
def test_who_sells_no_more_and_customers_are_refused_all_of_it(who: str) -> None:
    visitor = customer() if who == "customer" else operator("")
    with nothing_written():
        for row in ROWS:
            answer = _answer(visitor, row[0], row[1])
            assert (answer.status_code, "for those who sell here" in text_of(answer)) == (403, True), row
    stranger = Visitor()
    for row in ROWS:
        answer = _answer(stranger, row[0], row[1])
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/login/"), row


def _things() -> Visitor:
    """A customer with a machine, work that needs attention, a card message: all that pages make buttons of."""
    buyer = customer()
    buyer.buy()
    work()
    Operation.objects.create(
        kind="isolate", subject_kind="account", subject_id=buyer.account_id, account_id=buyer.account_id, lane=ZONE,
        due_at=clock.now(), attention=True, created_at=clock.wall(), last_error="stuck",
    )  # fmt: skip
    unexplained.keep("stripe", "pi_1", "no payment here is called so")
    book = "version: {}\n  effective_at: {}"
    apply_text(DEMO_CATALOG.read_text().replace(book.format(1, 2010), book.format(2, 2030)))
    return buyer


@pytest.mark.parametrize("role", ROLES)
def test_no_page_offers_what_is_refused(role: StaffRole, monkeypatch: pytest.MonkeyPatch) -> None:
    buyer, visitor = _things(), operator(role)
    prepaid = buy_running(open_purse("second", cash_minor=50_000), MONTHLY)
    order = Line.objects.get(subscription_id=prepaid.id).order_id
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    paid, refused = (
        top_up.begin(by(buyer.account_id), 5000, "sandbox", card, method=card).payment_id
        for card in (PAYS, TAKES_NOTHING_BACK)
    )
    to_card.give(to_card.Asked(refused), "x", SELLER, "k")
    pages = {
        "seller": [], "seller_checklist": [], "seller_customers": [], "seller_customer": [buyer.account_id],
        "seller_deliveries": [], "seller_zone": [ZONE], "seller_catalog": [], "seller_prices": [], "seller_shop": [],
        "seller_staff": [], "seller_staff_member": [visitor.user.pk], "seller_orders": [], "seller_order": [order],
        "seller_order_refund": [order], "seller_payments": [], "seller_payment": [paid],
        "seller_payment_refund": [paid],
    }  # fmt: skip
    wrong, offered = set(), set()
    for name, arguments in pages.items():
        address = reverse(name, args=arguments)
        answer = visitor.get(address)
        assert answer.status_code == (200 if staff.may(role, STAFF_NEEDS[name].opened or "") else 403), name  # type: ignore[arg-type]
        if answer.status_code != 200:
            continue
        for place, sent in Offers(answer.content.decode(), address).found:
            if not place.startswith(("/seller/", "?")):
                continue
            view = resolve(urlsplit(place).path or address).view_name
            permission = (STAFF_NEEDS[view].sent if sent else None) or STAFF_NEEDS[view].opened
            offered.add((view, sent))
            if permission is None or not staff.may(role, permission):
                wrong.add((name, view, sent))
    assert wrong == set()
    assert (("seller_retry", True) in offered) is (role != StaffRole.FINANCE)
    assert (("seller_dismiss", True) in offered) is (role in (StaffRole.ADMIN, StaffRole.FINANCE))
    assert (("seller_customer_money", True) in offered) is (role in (StaffRole.ADMIN, StaffRole.FINANCE))
    assert (("seller_sold_out", True) in offered) is (role in (StaffRole.ADMIN, StaffRole.OPERATIONS))
    assert (("seller_order_refund", False) in offered) is (role in (StaffRole.ADMIN, StaffRole.FINANCE))
    assert (("seller_payment_refund", False) in offered) is (role in (StaffRole.ADMIN, StaffRole.FINANCE))
    assert (("seller_card_refund_seen", True) in offered) is (role in (StaffRole.ADMIN, StaffRole.FINANCE))
    assert (("seller_host", True) in offered) is (role in (StaffRole.ADMIN, StaffRole.OPERATIONS))
    assert (("seller_book_withdraw", False) in offered) is (role == StaffRole.ADMIN)
    assert (("seller_staff", False) in offered) is (role == StaffRole.ADMIN)
