"""A forgotten password is chosen anew by a link: mailed where the shop sends mail, else made by the seller."""

import re
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests.support.mail_sink import Sink, link
from tests.support.written import nothing_written
from tests.web.visiting import PASSWORD, customer, text_of
from vmart.customers.models import User
from vmart.pages import reset_link

RESET = "/accounts/password/reset/"
NEW = "another-Long-passphrase-5"


def _choose(visitor: Client, address: str, **typed: str) -> str:
    """Follow a link and send the form; the page one gets to."""
    page = visitor.get(urlsplit(address).path, follow=True)
    action = re.search(r'action="(/accounts/password/reset/key/[^"]+)"', page.content.decode())
    if not action:
        return text_of(page)
    return text_of(visitor.post(action[1], {"password1": NEW, "password2": NEW} | typed, follow=True))


def test_a_link_comes_by_mail_and_works_once(sink: Sink) -> None:
    visitor = customer()
    page = Client().post(RESET, {"email": visitor.user.email.upper()}, follow=True)
    assert "If there is an account with this address, a link is on its way to it." in text_of(page)
    ((sender, receivers, message),) = sink.mails
    assert (sender, [address.lower() for address in receivers]) == ("shop@example.org", [visitor.user.email])
    assert (message["Subject"], message["From"]) == ("Choose a new password", "shop@example.org")
    assert "If it was not you, do nothing: your password stays as it is." in message.get_content()
    stranger, address = Client(), link(sink)
    assert "Whoever was signed in with the old one is signed out." in _choose(stranger, address)
    assert visitor.get("/machines/").status_code == 302  # whoever was signed in is out
    assert stranger.post("/accounts/login/", {"login": visitor.user.email, "password": PASSWORD}).status_code == 200
    assert stranger.post("/accounts/login/", {"login": visitor.user.email, "password": NEW}).status_code == 302
    assert "This link was used already, or is older than 24 hours." in _choose(Client(), address)


def test_the_link_leads_to_the_shops_address_whatever_the_request_claims(sink: Sink) -> None:
    Client().post(
        RESET, {"email": customer().user.email}, HTTP_HOST="evil.example", HTTP_X_FORWARDED_HOST="evil.example"
    )
    assert link(sink).startswith("https://shop.example.org/accounts/password/reset/key/")
    assert "evil" not in sink.mails[0][2].as_string()


def test_the_mail_is_in_the_language_of_the_page(sink: Sink) -> None:
    Client(headers={"accept-language": "zh-CN"}).post(RESET, {"email": customer().user.email})
    ((_sender, _receivers, message),) = sink.mails
    assert message["Subject"] == "设置新密码"
    assert "如果不是您本人操作" in message.get_content()


def test_an_address_without_an_account_is_answered_the_same_and_gets_no_mail(sink: Sink) -> None:
    known, closed = customer().user, customer().user
    User.objects.filter(pk=closed.pk).update(is_active=False)
    answers = [
        text_of(Client().post(RESET, {"email": email}, follow=True))
        for email in (known.email, "nobody@example.org", closed.email)
    ]
    assert len(set(answers)) == 1
    assert [receivers for _, receivers, _ in sink.mails] == [[known.email]]


@pytest.mark.parametrize("email", ["", "no address", "a@b\r\nBcc: all@example.org", "x" * 5000])
def test_what_is_no_address_is_refused(sink: Sink, email: str) -> None:
    with nothing_written():
        answer = Client().post(RESET, {"email": email})
    assert answer.status_code == 200
    assert 'class="field-error"' in answer.content.decode()
    assert sink.mails == []


def test_a_server_that_takes_no_mail_is_logged_and_tells_a_visitor_nothing(
    sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    sink.refuses = True
    user = customer().user
    asked = [text_of(Client().post(RESET, {"email": email}, follow=True)) for email in (user.email, "no@example.org")]
    assert asked[0] == asked[1]
    assert [record.getMessage() for record in caplog.records if record.name == "vmart.web.signing_in"] == [
        "a mail could not be sent: account/email/password_reset_key"
    ]


def test_asking_is_throttled_for_an_address(sink: Sink) -> None:
    user = customer().user
    answers = [Client(REMOTE_ADDR=f"198.51.100.{n}").post(RESET, {"email": user.email}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429]
    assert len(sink.mails) == 5


@pytest.mark.parametrize(
    "wrong", [{"password1": "short", "password2": "short"}, {"password2": "something-Else-77"}, {"password1": ""}]
)
def test_a_refused_new_password_changes_nothing(wrong: dict[str, str]) -> None:
    user = customer().user
    visitor = Client()
    assert "Choose a new password" in _choose(visitor, reset_link.path(user), **wrong)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("key", ["a-b", "1-c0ffee-0123456789abcdef", "zzzzzzzzzzzzzzzzzzzz-x", "1-set-password"])
def test_a_made_up_link_opens_nothing(key: str) -> None:
    customer()
    page = Client().get(f"{RESET}key/{key}/", follow=True)
    assert page.status_code == 200
    assert "This link was used already, or is older than 24 hours." in text_of(page)
    assert 'name="password1"' not in page.content.decode()


def test_a_shop_without_mail_says_who_helps_and_a_link_of_the_sellers_works() -> None:
    visitor = customer()
    assert f'href="{RESET}"' in Client().get("/accounts/login/").content.decode()
    for page in (Client().get(RESET), Client().post(RESET, {"email": visitor.user.email})):
        assert page.status_code == 200
        assert "This shop sends no mail. Ask the seller for a link" in text_of(page)
    assert "Whoever was signed in" in _choose(Client(), reset_link.path(visitor.user))
    visitor.user.refresh_from_db()
    assert visitor.user.check_password(NEW)
