"""The address one signs in with: confirmed by a link where the shop sends mail, changed by another; else as ever."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from tests.support.mail_sink import Sink, link
from tests.support.written import nothing_written
from tests.web.second_factor import give_password, is_in, set_up_app, show_again
from tests.web.visiting import PASSWORD, Visitor, customer, operator, text_of
from vmart.customers.models import Account, User

SIGN_UP, LOGIN, ADDRESS = "/accounts/signup/", "/accounts/login/", "/accounts/email/"
NEW = {"email": "new@example.org", "password1": PASSWORD}
LOOK = "/accounts/confirm-email/"


def _follow(client: Client, address: str) -> HttpResponse:
    """Open a link and press its button."""
    path = urlsplit(address).path
    page = client.get(path).content.decode()
    assert f'action="{path}"' in page, page
    return client.post(path)


def _confirmed(visitor: Visitor) -> Visitor:
    """As one who has followed the link of the mail."""
    EmailAddress.objects.create(user=visitor.user, email=visitor.user.email, verified=True, primary=True)
    return visitor


def _change_to(visitor: Visitor, email: str) -> HttpResponse:
    show_again(visitor)
    return visitor.post(ADDRESS, {"action_add": "yes", "email": email}, follow=True)


def _signs_in(email: str) -> bool:
    client = Client()
    client.post(LOGIN, {"login": email, "password": PASSWORD})
    return is_in(client)


def test_whoever_signs_up_confirms_the_address_and_goes_on_where_he_began(sink: Sink) -> None:
    visitor = Client()
    answer = visitor.post(SIGN_UP, NEW | {"next": "/buy/?charge=postpaid"})
    assert (answer.status_code, answer["Location"]) == (302, LOOK)
    assert "A link is on its way to you." in text_of(visitor.get(LOOK))
    assert Account.objects.count() == 1
    assert not is_in(visitor)
    assert [mail[1] for mail in sink.mails] == [["new@example.org"]]
    assert link(sink).startswith("https://shop.example.org/accounts/confirm-email/")
    answer = _follow(visitor, link(sink))
    assert (answer.status_code, answer["Location"]) == (302, "/buy/?charge=postpaid")
    assert is_in(visitor)
    assert EmailAddress.objects.get().verified
    assert _signs_in("new@example.org")


def test_the_link_confirms_elsewhere_too_but_lets_nobody_in_there(sink: Sink) -> None:
    Client().post(SIGN_UP, NEW)
    elsewhere = Client()
    answer = _follow(elsewhere, link(sink))
    assert (answer.status_code, answer["Location"]) == (302, LOGIN)
    assert not is_in(elsewhere)
    assert _signs_in("new@example.org")
    assert "This link was used already" in text_of(elsewhere.get(urlsplit(link(sink)).path))
    assert elsewhere.post(urlsplit(link(sink)).path).status_code == 404


def test_nobody_signs_in_before_and_is_sent_another_link(sink: Sink) -> None:
    Client().post(SIGN_UP, NEW)
    cache.clear()  # three minutes later
    visitor = Client()
    answer = visitor.post(LOGIN, {"login": NEW["email"], "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, LOOK)
    assert not is_in(visitor)
    assert len(sink.mails) == 2
    assert visitor.post(LOGIN, {"login": NEW["email"], "password": PASSWORD}).status_code == 302
    assert len(sink.mails) == 2  # at most one in three minutes


def test_an_operator_gets_in_unconfirmed(sink: Sink) -> None:
    other, answer = give_password(operator())
    assert answer["Location"] == "/"
    assert is_in(other)
    assert sink.mails == []


@pytest.mark.parametrize("key", ["a-b", "x:y:z", "0" * 3000, "MQ:1:1"])
def test_a_made_up_link_confirms_nothing(sink: Sink, key: str) -> None:
    with nothing_written():
        page = Client().get(f"{LOOK}{key}/")
        assert Client().post(f"{LOOK}{key}/").status_code == 404
    assert "This link was used already, or is too old." in text_of(page)


def test_whoever_signs_up_again_is_answered_the_same_and_told_by_mail(sink: Sink) -> None:
    known = customer().user
    answers = [Client().post(SIGN_UP, NEW | {"email": email}) for email in ("new@example.org", known.email)]
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, LOOK)] * 2
    assert User.objects.count() == 2
    assert sink.mails[1][2]["Subject"] == "You have an account already"
    assert link(sink) == "https://shop.example.org/accounts/password/reset/"


def test_the_address_is_changed_by_a_link_to_the_new_one(sink: Sink) -> None:
    visitor = _confirmed(customer())
    old, account = visitor.user.email, Account.objects.get(id=visitor.account_id)
    assert account.name == old
    page = _change_to(visitor, "Next@example.org")
    assert "A link was sent to next@example.org." in text_of(page)
    assert (_signs_in(old), visitor.get("/machines/").status_code) == (True, 200)
    assert sink.mails[-1][1] == ["next@example.org"]
    answer = _follow(visitor, link(sink))
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/security/")
    visitor.user.refresh_from_db()
    account.refresh_from_db()
    assert visitor.user.email == account.name == "next@example.org"
    assert (_signs_in(old), _signs_in("next@example.org")) == (False, True)
    assert [one.email for one in EmailAddress.objects.filter(user=visitor.user)] == ["next@example.org"]
    _sender, receivers, told = sink.mails[-1]
    assert receivers == [old]
    assert "The address was changed" in told.get_content()


def test_what_was_never_confirmed_is_not_lost_by_a_change(sink: Sink) -> None:
    """allauth's own form would leave such a user without any address."""
    visitor = customer()
    old = visitor.user.email
    for email in ("next@example.org", "other@example.org"):
        cache.clear()
        _change_to(visitor, email)
        visitor.user.refresh_from_db()
        assert visitor.user.email == old
    waiting = EmailAddress.objects.filter(user=visitor.user).values_list("email", flat=True)
    assert sorted(waiting) == sorted([old, "other@example.org"])


def test_the_change_is_given_up(sink: Sink) -> None:
    visitor = _confirmed(customer())
    _change_to(visitor, "next@example.org")
    page = visitor.post(ADDRESS, {"action_remove": "yes", "email": "next@example.org"}, follow=True)
    assert "The old address stays." in text_of(page)
    assert "This link was used already" in text_of(Client().get(urlsplit(link(sink)).path))


@pytest.mark.parametrize(
    "form",
    [
        {"action_add": "yes", "email": "no address"}, {"action_add": "yes", "email": ""},
        {"action_add": "yes", "email": "x" * 300 + "@example.org"}, {"action_add": "yes", "email": "a\0@example.org"},
        {"action_add": "yes"}, {"action_send": "yes", "email": "other@example.org"},
        {"action_remove": "yes", "email": "{own}"}, {"action_remove": "yes", "email": "\0"},
        {"action_primary": "yes", "email": "{own}"}, {}, {"email": "other@example.org"},
    ],
)  # fmt: skip
def test_what_is_no_change_writes_nothing_and_sends_nothing(sink: Sink, form: dict[str, str]) -> None:
    visitor = _confirmed(customer())
    show_again(visitor)
    before = list(EmailAddress.objects.values())
    sent = {name: text.replace("{own}", visitor.user.email) for name, text in form.items()}
    assert visitor.post(ADDRESS, sent).status_code in (200, 302)
    assert list(EmailAddress.objects.values()) == before
    assert sink.mails == []
    visitor.user.refresh_from_db()
    assert visitor.user.email.startswith("customer")


def test_an_address_that_waits_cannot_be_made_his_without_its_link(sink: Sink) -> None:
    visitor = customer()
    old = visitor.user.email
    _change_to(visitor, "next@example.org")
    visitor.post(ADDRESS, {"action_primary": "yes", "email": "next@example.org"})
    visitor.user.refresh_from_db()
    assert visitor.user.email == old


def test_another_ones_address_is_refused_when_it_is_confirmed(sink: Sink) -> None:
    """Nobody is told before that there is an account; the link goes to its owner alone."""
    visitor, owner = _confirmed(customer()), customer()
    old = visitor.user.email
    _change_to(visitor, owner.user.email)
    answer = _follow(visitor, link(sink))
    assert answer.status_code == 302
    assert "There is an account with this address already" in text_of(visitor.get("/accounts/security/"))
    visitor.user.refresh_from_db()
    assert visitor.user.email == old
    assert not EmailAddress.objects.get(user=visitor.user, email=owner.user.email).verified


def test_before_a_change_he_shows_again_that_it_is_he(sink: Sink) -> None:
    visitor = _confirmed(customer())
    before = list(EmailAddress.objects.values())
    answer = visitor.post(ADDRESS, {"action_add": "yes", "email": "next@example.org"})
    assert answer["Location"].startswith("/accounts/reauthenticate/?next=")
    assert list(EmailAddress.objects.values()) == before
    assert sink.mails == []


def test_an_app_stands_in_the_way_of_no_change(sink: Sink) -> None:
    visitor = _confirmed(customer())
    set_up_app(visitor)
    assert sink.mails[-1][2]["Subject"] == "Your account was changed"
    assert "An authenticator app was set up." in sink.mails[-1][2].get_content()
    assert "A link was sent to next@example.org." in text_of(_change_to(visitor, "next@example.org"))


def test_mails_are_in_the_language_of_the_page(sink: Sink) -> None:
    Client(headers={"accept-language": "zh-CN"}).post(SIGN_UP, NEW)
    ((_sender, _receivers, message),) = sink.mails
    assert message["Subject"] == "请确认您的邮箱地址"


def test_a_shop_without_mail_says_so_and_signs_up_at_once() -> None:
    visitor = customer()
    for page in (visitor.get(ADDRESS), visitor.post(ADDRESS, {"action_add": "yes", "email": "next@example.org"})):
        assert page.status_code == 200
        assert "This shop sends no mail, so no other address can be confirmed." in text_of(page)
    assert not EmailAddress.objects.exists()
    stranger: Any = Client()
    assert stranger.post(SIGN_UP, NEW)["Location"] == "/"
    assert is_in(stranger)
    assert not re.search("Confirmed|Not confirmed", text_of(stranger.get("/accounts/security/")))
