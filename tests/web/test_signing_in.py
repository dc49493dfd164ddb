"""Sign up, in and out: an account with its purses at once, throttled, back to where one came from."""

import pytest
from django.test import Client

from tests.support.written import nothing_written
from tests.web.visiting import PASSWORD, Visitor, customer, text_of
from vmart.customers.models import Account, Member, User
from vmart.listings import overview
from vmart.orders import open_account

NEW = {"email": "new@example.org", "password1": PASSWORD}


def test_sign_up_opens_an_account_with_empty_purses_and_leads_back() -> None:
    visitor = Client()
    answer = visitor.post("/accounts/signup/?next=/buy/%3Fcharge%3Dpostpaid", NEW | {"next": "/buy/?charge=postpaid"})
    assert answer.status_code == 302, text_of(answer)
    assert answer["Location"] == "/buy/?charge=postpaid"
    account = Account.objects.get(member__user__email="new@example.org")
    assert overview.balance(account.id) == overview.Balance(0, 0, 0, 0)
    assert visitor.get("/machines/").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"email": "no address"}, {"email": ""}, {"password1": "Tin7-x"}, {"password1": "1234567890"}]
)
def test_a_refused_sign_up_says_why_keeps_the_address_and_writes_nothing(wrong: dict[str, str]) -> None:
    answer = Client().post("/accounts/signup/", NEW | wrong)
    assert answer.status_code == 200
    assert 'class="field-error"' in answer.content.decode()
    assert not User.objects.exists()
    assert not Account.objects.exists()
    if "password1" in wrong:
        assert 'value="new@example.org"' in answer.content.decode()
        assert wrong["password1"] not in answer.content.decode()


def test_when_the_account_cannot_be_opened_there_is_no_user_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(open_account.accounts, "create", broken)
    with pytest.raises(RuntimeError, match="ends here"):
        Client().post("/accounts/signup/", NEW)
    assert not User.objects.exists()


def test_a_taken_address_is_refused() -> None:
    taken = customer().user.email
    answer = Client().post("/accounts/signup/", NEW | {"email": taken.upper()})
    assert answer.status_code == 200
    assert User.objects.count() == Account.objects.count() == 1


def test_a_user_whose_account_was_never_opened_gets_it_at_the_first_page() -> None:
    visitor = Visitor()
    visitor.user = User.objects.create_user("old@example.org", PASSWORD, date_joined="2026-01-01T00:00:00Z")
    visitor.force_login(visitor.user)
    assert visitor.get("/machines/").status_code == 200
    assert visitor.get("/machines/").status_code == 200
    assert Member.objects.filter(user=visitor.user).count() == 1


def test_sign_in_by_address_and_out() -> None:
    user = customer().user
    visitor = Client()
    assert visitor.post("/accounts/login/", {"login": user.email, "password": "wrong"}).status_code == 200
    answer = visitor.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert visitor.get("/").headers["Location"] == "/buy/"
    assert visitor.post("/accounts/logout/").status_code == 302
    assert visitor.get("/machines/").status_code == 302


def test_guessing_a_password_is_throttled() -> None:
    user = customer().user
    visitor = Client()
    answers = [visitor.post("/accounts/login/", {"login": user.email, "password": f"wrong {n}"}) for n in range(6)]
    assert "Too many" in text_of(answers[-1])
    right = visitor.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert right.status_code in (200, 429)
    assert visitor.get("/machines/").status_code == 302


def test_opening_accounts_is_throttled_by_address() -> None:
    """Twenty a minute, whatever they send and whatever a header says; another address is not kept waiting."""
    here = Client(REMOTE_ADDR="198.51.100.7")
    for number in range(20):
        answer = here.post("/accounts/signup/", {"email": "not an address"}, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
        assert answer.status_code == 200
    refused = here.post("/accounts/signup/", NEW, HTTP_X_FORWARDED_FOR="192.0.2.99")
    assert refused.status_code == 429
    assert "Too many" in text_of(refused)
    assert not User.objects.filter(email=NEW["email"]).exists()
    assert Client(REMOTE_ADDR="198.51.100.8").post("/accounts/signup/", NEW).status_code == 302
    assert User.objects.filter(email=NEW["email"]).exists()


def test_no_open_redirect() -> None:
    user = customer().user
    for there in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = Client().post("/accounts/login/", {"login": user.email, "password": PASSWORD, "next": there})
        assert answer["Location"] == "/", there


def test_a_form_without_the_token_is_refused_in_the_shops_own_words() -> None:
    answer = Client(enforce_csrf_checks=True).post("/accounts/signup/", NEW)
    assert answer.status_code == 403
    assert "The form did not come from this shop" in text_of(answer)
    with nothing_written():
        Client(enforce_csrf_checks=True).post("/accounts/signup/", NEW)


def test_pages_that_need_mail_are_not_offered() -> None:
    for address in ("/accounts/confirm-email/", "/accounts/confirm-email/a-b/"):
        assert Client().get(address).status_code == 404


def test_one_link_leads_to_a_new_password() -> None:
    assert Client().get("/accounts/login/").content.decode().count('href="/accounts/password/reset/"') == 1


def test_the_policy_allows_our_own_files_alone() -> None:
    answer = Client().get("/buy/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer["X-Frame-Options"] == "DENY"


def test_the_language_switch_holds() -> None:
    visitor = customer()
    visitor.post("/i18n/setlang/", {"language": "zh-hans", "next": "/balance/"})
    page = text_of(visitor.get("/balance/"))
    assert "可用余额" in page
    assert "Available" not in page
