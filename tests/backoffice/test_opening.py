"""From nothing to an open shop: closed to buyers until there are a catalog and an operator, whichever comes last."""

import re

import pytest
from django.core import signing
from django.test import Client

from tests.api.calling import send
from tests.api.signing import environ, legacy_request, sdk_request
from tests.support.actors import SELLER
from tests.support.at_once import at_once
from tests.support.database import DEMO_CATALOG, ROOT, Databases
from tests.support.written import nothing_written, refused
from tests.web.visiting import PASSWORD, customer, operator, text_of
from vmart.api.wire.wsgi import api_application
from vmart.backoffice import opening, staffing
from vmart.backoffice.apply_catalog import applied, apply_file
from vmart.catalog import shop as catalog
from vmart.config import bring_up
from vmart.customers.models import Member, User
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.kernel.models import Deployment
from vmart.listings import checklist

pytestmark = pytest.mark.usefixtures("db")
FIRST = {"email": "me@example.org", "password": PASSWORD}
TO_BUYERS = ["/", "/buy/", "/buy/price/", "/machines/", "/orders/1/", "/accounts/signup/", "/nothing/"]


@pytest.fixture(autouse=True)
def _empty(db: Databases, test_clock: object) -> None:
    """As the first ``vmart up`` leaves it."""
    bring_up.start_business()


def _is_open() -> bool:
    return catalog.current().open


# -- closed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", TO_BUYERS)
def test_a_buyer_is_told_that_the_shop_is_not_open_yet(address: str) -> None:
    with nothing_written():
        page = Client().get(address)
    assert page.status_code == 503
    assert "This shop is not open yet" in text_of(page)
    assert "Sign up" not in page.content.decode().partition("<main")[2]


def test_nobody_signs_up_or_buys_before_it_is_open() -> None:
    apply_file(DEMO_CATALOG)
    with nothing_written():
        assert Client().post("/accounts/signup/", {"email": "b@example.org", "password1": PASSWORD}).status_code == 503
    buyer = customer()
    with nothing_written():
        assert buyer.post("/buy/", {"act": "buy"}).status_code == 503
        assert buyer.get("/balance/").status_code == 503


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_a_program_is_told_so_before_its_signature_is_looked_at(language: str) -> None:
    said = {"en-US": "This shop is not open yet", "zh-CN": "本店尚未开业"}[language]
    asked = environ(sdk_request("DescribeZones", {})) | {"HTTP_X_TC_LANGUAGE": language}
    with nothing_written():
        code, sentence = send(api_application, asked).error
    assert code == "ResourceUnavailable"
    assert said in sentence


def test_a_program_of_the_legacy_api_is_told_so_too() -> None:
    body = send(api_application, legacy_request("DescribeZones", {})).body
    assert (body["code"], body["codeDesc"]) == (5200, "ResourceUnavailable")


# -- the two that open it, in both orders ------------------------------------------------------------


def test_it_opens_with_the_operator_when_the_catalog_is_there_already() -> None:
    apply_file(DEMO_CATALOG)
    assert not _is_open()
    staffing.add("me@example.org", by=SELLER)
    assert _is_open()
    assert Client().get("/buy/").status_code == 200


def test_it_opens_with_the_catalog_when_the_operator_is_there_already() -> None:
    staffing.add("me@example.org", by=SELLER)
    assert not _is_open()
    apply_file(ROOT / "catalog" / "starter.yaml")
    assert _is_open()
    assert Client().get("/accounts/signup/").status_code == 200


def test_it_stays_open_and_its_opening_is_written_once(test_clock: object) -> None:
    apply_file(DEMO_CATALOG)
    staffing.add("me@example.org", by=SELLER)
    at = Deployment.objects.get().opened_at
    staffing.add("other@example.org", by=SELLER)
    assert Deployment.objects.get().opened_at == at is not None


# -- the first operator ------------------------------------------------------------------------------


def test_the_link_makes_one_operator_and_leads_to_the_checklist() -> None:
    seller, path = Client(), opening.first_path()
    assert seller.get(path).status_code == 200
    answer = seller.post(path, FIRST)
    assert (answer.status_code, answer["Location"]) == (302, "/seller/first-run/")
    assert "1 of 6 done" in text_of(seller.get("/seller/checklist/"))
    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser, user.check_password(PASSWORD)) == (
        "me@example.org", True, False, True,
    )  # fmt: skip
    assert seller.get("/")["Location"] == "/seller/"
    assert opening.first_path() == ""
    with nothing_written():
        used = Client().get(path)
        assert (used.status_code, "This link has been used" in text_of(used)) == (404, True)
        assert Client().post(path, FIRST | {"email": "second@example.org"}).status_code == 404


@pytest.mark.parametrize("token", ["x", "x:y:z", "%00"])
def test_a_link_that_the_shop_did_not_make_leads_nowhere(token: str) -> None:
    with nothing_written():
        assert Client().post(f"/seller/first/{token}/", FIRST).status_code == 404


def test_a_link_is_good_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    path = opening.first_path()
    monkeypatch.setattr(opening, "LINK_AGE_S", -1)
    assert Client().get(path).status_code == 404


def test_another_signature_of_the_shop_is_no_link() -> None:
    assert not opening.is_first_token(signing.dumps("first operator", salt="another"))


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"email": "nobody"}, "email", "nobody is no e-mail address."),
        ({"email": ""}, "email", "is no e-mail address."),
        ({"email": "a\0@example.org"}, "email", "Null characters are not allowed."),
        ({"password": f"{PASSWORD}\0"}, "password", "Null characters are not allowed."),
        ({"password": "short"}, "password", "at least 10 characters"),
        ({"password": "1234567890123"}, "password", "entirely numeric"),
        ({"password": ""}, "password", "at least 10 characters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(changed: dict[str, str], field: str, said: str) -> None:
    seller, path = Client(), opening.first_path()
    with nothing_written():
        page = seller.post(path, FIRST | changed)
    assert page.status_code == 422
    html = page.content.decode()
    found = re.search(rf'<div id="{field}_error"><p class="field-error" role="alert">([^<]*)<', html)
    assert found and said in found[1]
    assert re.search(rf'<input [^>]*name="{field}"[^>]*aria-invalid="true"', html)
    password = re.search(r'<input type="password"[^>]*>', html)
    assert password and " value=" not in password[0]


def test_of_two_who_follow_the_link_at_once_one_is_the_first() -> None:
    outcomes = at_once(
        lambda: opening.make_first("one@example.org", PASSWORD), lambda: opening.make_first("two@example.org", PASSWORD)
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["OperatorExists", "User"]
    assert User.objects.count() == 1


# -- further ones ------------------------------------------------------------------------------------


def test_a_customer_may_become_an_operator_and_keeps_the_account_but_not_the_password() -> None:
    """Anybody may have signed up with the address: neither his password nor his session is an operator's."""
    apply_file(DEMO_CATALOG)
    staffing.add("me@example.org", by=SELLER)
    buyer = customer()
    assert buyer.get("/machines/").status_code == 200
    added = staffing.add(buyer.user.email.upper(), by=SELLER)
    assert (added.user.pk, added.new) == (buyer.user.pk, True)
    assert Member.objects.get(user=added.user).account_id == buyer.account_id
    assert not added.user.has_usable_password()
    assert buyer.get("/seller/")["Location"] == "/accounts/login/?next=/seller/"
    buyer.post("/accounts/login/", {"login": buyer.user.email, "password": PASSWORD})
    assert buyer.get("/seller/")["Location"] == "/accounts/login/?next=/seller/"


def test_an_operator_who_is_added_again_keeps_the_password() -> None:
    user = operator().user
    added = staffing.add(user.email, by=SELLER)
    assert (added.user.pk, added.new, added.user.check_password(PASSWORD)) == (user.pk, False, True)


def test_one_without_a_password_gets_a_link_again() -> None:
    assert staffing.add("me@example.org", by=SELLER).new is True
    assert staffing.add("me@example.org", by=SELLER).new is True
    assert User.objects.count() == 1


def test_a_closed_user_and_no_address_are_refused() -> None:
    User.objects.filter(pk=operator().user.pk).update(is_active=False)
    with refused(InvalidValue, field="email", match="has been closed"):
        staffing.add(User.objects.get().email, by=SELLER)
    with refused(InvalidValue, field="email", match="is no e-mail address"):
        staffing.add("me at home", by=SELLER)


# -- removing one --------------------------------------------------------------------------------------


def test_one_who_is_removed_sees_no_seller_page_in_a_session_that_lasts() -> None:
    apply_file(DEMO_CATALOG)
    one, other = operator(), operator()
    assert staffing.remove(one.user.email.upper(), by=SELLER).pk == one.user.pk
    assert (one.get("/seller/checklist/").status_code, other.get("/seller/checklist/").status_code) == (403, 200)
    with refused(InvalidValue, field="email", match="There is no operator"):
        staffing.remove(one.user.email, by=SELLER)


def test_the_last_operator_is_not_removed_beside_a_closed_one_either() -> None:
    last, closed = operator().user, operator().user
    User.objects.filter(pk=closed.pk).update(is_active=False)
    with refused(staffing.LastOperator, match=f"^{last.email} is the last admin: make another one first"):
        staffing.remove(last.email, by=SELLER)
    staffing.remove(closed.email, by=SELLER)
    assert list(User.objects.filter(is_staff=True)) == [last]


def test_of_two_who_remove_each_other_one_stays() -> None:
    one, other = operator().user.email, operator().user.email
    outcomes = at_once(lambda: staffing.remove(one, by=SELLER), lambda: staffing.remove(other, by=SELLER))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LastOperator", "User"]
    assert User.objects.filter(is_staff=True).count() == 1


@pytest.mark.parametrize("opened", [True, False])
def test_the_first_operators_link_works_no_more_where_there_was_one(opened: bool) -> None:
    """Given a shop that has opened, or whose operator is closed, then a link of before makes nobody."""
    path = opening.first_path()
    if opened:
        Deployment.objects.update(opened_at=clock.now())
    else:
        User.objects.filter(pk=operator().user.pk).update(is_active=False)
    assert opening.first_path() == ""
    with nothing_written():
        assert Client().get(path).status_code == 404
        assert Client().post(path, FIRST).status_code == 404
    with refused(opening.OperatorExists):
        opening.make_first("second@example.org", PASSWORD)


# -- the checklist -----------------------------------------------------------------------------------


def test_the_checklist_names_what_is_missing() -> None:
    assert [(step.name, step.done) for step in checklist.steps()] == [
        ("operator", False), ("catalog", False), ("engine", False), ("addresses", False), ("payment", False),
        ("test_order", False),
    ]  # fmt: skip
    with pytest.raises(NotFound, match="No catalog has been applied yet"):
        applied()


def test_the_checklist_is_the_sellers_alone() -> None:
    assert Client().get("/seller/checklist/")["Location"] == "/accounts/login/?next=/seller/checklist/"
    apply_file(DEMO_CATALOG)
    seller = operator()
    page = text_of(seller.get("/seller/checklist/"))
    assert "12 machine types are on sale in 5 zones." in page
    assert customer().get("/seller/checklist/").status_code == 403
