"""The lists that both sides show of an account: on the page, and as a file with exact values."""

import re

import pytest
from django.http import HttpResponse

from tests.support.actors import SELLER
from tests.support.business_clock import BusinessClock
from tests.web.visiting import Visitor, customer, operator, text_of
from vmart.customers.models import User
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock
from vmart.ledger.queries import statement
from vmart.orders import standing
from vmart.orders.by_hand import Movement, move

pytestmark = pytest.mark.usefixtures("shop")
INSIDE = "The engine is too old: Incus 6.0 or newer is needed."
TOLD = "This is for the seller to mend, who can see what it is."


@pytest.fixture
def buyer(test_clock: BusinessClock) -> Visitor:
    """With ¥3.00 in gift, ¥12.50 credited and ¥2.50 of it debited, each a second later."""
    visitor = customer(gift_minor=300)
    for number, (minor, reason) in enumerate([(1250, '=HYPERLINK("x")'), (-250, 'a, "b"')]):
        test_clock.advance(seconds=1)
        move(Movement(visitor.account_id, minor, "cash", reason, _operator(), f"k{number}"))
    return visitor


def _operator() -> Actor:
    return Actor(None, "seller", "boss@example.net", address="192.0.2.7")


def _lines(answer: HttpResponse) -> list[str]:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return b"".join(answer).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]


def _instants(buyer: Visitor) -> list[str]:
    return [f"{line.at:%Y-%m-%dT%H:%M:%SZ}" for line in statement(buyer.account_id, before=None, limit=9)]


def test_the_statement_as_a_file_has_exact_values_and_no_operator(buyer: Visitor) -> None:
    debited, credited, granted = _instants(buyer)
    answer = buyer.get("/balance/?as=csv&before=1")
    assert answer["Content-Disposition"] == 'attachment; filename="statement.csv"'
    assert _lines(answer) == [
        "time,kind,machine,reason,purse,amount_minor,balance_after_minor",
        f'{debited},debit,,"a, ""b""",cash,-250,1000',
        f'{credited},credit,,"\'=HYPERLINK(""x"")",cash,1250,1250',
        f"{granted},grant,,,gift,300,300",
    ]
    assert 'href="?as=csv">As CSV</a>' in buyer.get("/balance/").content.decode()


def test_the_sellers_file_of_the_statement_names_the_operator(buyer: Visitor) -> None:
    debited, credited, granted = _instants(buyer)
    seller, page = operator(), f"/seller/customers/{buyer.account_id}/"
    assert f'href="{page}?as=csv&amp;list=statement"' in seller.get(page).content.decode()
    answer = seller.get(f"{page}?as=csv&list=statement")
    assert answer["Content-Disposition"] == f'attachment; filename="statement-{buyer.account_id}.csv"'
    assert _lines(answer) == [
        "time,kind,machine,reason,operator,purse,amount_minor,balance_after_minor",
        f'{debited},debit,,"a, ""b""",boss@example.net,cash,-250,1000',
        f'{credited},credit,,"\'=HYPERLINK(""x"")",boss@example.net,cash,1250,1250',
        f"{granted},grant,,,,gift,300,300",
    ]
    assert seller.get(f"{page}?as=csv&list=machines").status_code == 404
    assert buyer.get(f"{page}?as=csv&list=statement").status_code == 403


def _happen(buyer: Visitor, test_clock: BusinessClock) -> str:
    """Four things at one instant: of the seller, of the buyer, of a program, and by itself."""
    test_clock.advance(seconds=1)
    of, user = buyer.account_id, User.objects.get(member__account_id=buyer.account_id).email
    standing.freeze(of, "=stolen", _operator())
    standing.set_quotas(of, {"run_per_s": 3}, SELLER)
    names = [{"name": "=laptop"}]
    record.write(of, record.KEY_PAIR, [1], "CreateKeyPair", details=names, actor=Actor(of, "page", user, address="::1"))
    record.write(of, record.ORDER, [7], "order_closed", details=[{"why": INSIDE}])
    return f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"


def test_what_happened_as_a_file(buyer: Visitor, test_clock: BusinessClock) -> None:
    at = _happen(buyer, test_clock)
    answer = buyer.get("/activity/?as=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="activity.csv"'
    lines = _lines(answer)
    assert lines[:5] == [
        "time,subject_kind,subject,event,amount_minor,why,changed_to,by,from_address",
        f'{at},order,7,order_closed,,"{TOLD}",,,',
        f"{at},key_pair,'=laptop,CreateKeyPair,,,,{buyer.user.email},::1",
        f"{at},account,,quotas,,,run_per_s: 3,seller,",
        f"{at},account,,frozen,,,frozen_reason: =stolen,seller,",
    ]
    credited = next(line for line in lines if ",credited," in line)
    assert credited.split(",", 1)[1] == 'account,,credited,1250,"\'=HYPERLINK(""x"")",,seller,'
    assert not re.search(r"boss|192\.0\.2\.7|command line|Incus", "\n".join(lines))


def test_the_sellers_file_of_what_happened_names_the_operator(buyer: Visitor, test_clock: BusinessClock) -> None:
    at = _happen(buyer, test_clock)
    seller = operator()
    answer = seller.get(f"/seller/customers/{buyer.account_id}/?as=csv&list=events")
    assert answer["Content-Disposition"] == f'attachment; filename="events-{buyer.account_id}.csv"'
    assert _lines(answer)[1:5] == [
        f"{at},order,7,order_closed,,{INSIDE},,,",
        f"{at},key_pair,'=laptop,CreateKeyPair,,,,{buyer.user.email},::1",
        f"{at},account,,quotas,,,run_per_s: 3,command line (me),",
        f"{at},account,,frozen,,,frozen_reason: =stolen,boss@example.net,192.0.2.7",
    ]


def test_the_pages_say_the_same_and_the_buyer_is_not_told_who(buyer: Visitor, test_clock: BusinessClock) -> None:
    _happen(buyer, test_clock)
    told, seen = (
        text_of(page) for page in (buyer.get("/activity/"), operator().get(f"/seller/customers/{buyer.account_id}/"))
    )
    assert f"Key pair =laptop Key pair made {buyer.user.email} ::1" in told
    assert "Account Frozen: buys nothing Reason: =stolen the seller" in told
    assert "Account Frozen: buys nothing Reason: =stolen boss@example.net 192.0.2.7" in seen
    assert "Account Quotas changed API purchases a second: 3 command line (me)" in seen
    assert f"Order 7 Order closed: it cannot be had any more {TOLD} by itself" in told
    assert f"Order 7 Order closed: it cannot be had any more {INSIDE} by itself" in seen
    assert "Account Debited by the seller ¥2.50 a, &quot;b&quot; the seller" in told
    assert not re.search(r"boss|192\.0\.2\.7|command line|Incus", told)
    assert "Debited by the seller a, &quot;b&quot; · boss@example.net Cash −¥2.50 ¥10.00" in seen
    statement_page = text_of(buyer.get("/balance/"))
    assert "Debited by the seller a, &quot;b&quot; Cash −¥2.50 ¥10.00" in statement_page
    assert "boss" not in statement_page


def test_what_has_not_happened_yet_is_said() -> None:
    visitor = customer(gift_minor=0)
    assert "No money has moved yet." in text_of(visitor.get("/balance/"))
    assert "Nothing has happened yet." in text_of(visitor.get("/activity/"))
    assert _lines(visitor.get("/balance/?as=csv")) == [
        "time,kind,machine,reason,purse,amount_minor,balance_after_minor"
    ]
