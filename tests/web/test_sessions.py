"""Where one is signed in: listed, noted every few minutes, ended; and nobody ends another's."""

import datetime as dt
import re

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from tests.support.statements import statements
from tests.support.written import nothing_written
from tests.web.second_factor import give_password, is_in
from tests.web.visiting import PASSWORD, Visitor, customer, operator, text_of
from vmart.kernel import clock
from vmart.web import sessions

SESSIONS = "/accounts/security/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW = "another-Long-passphrase-5"


def _elsewhere(visitor: Visitor) -> Client:
    """The same user, signed in elsewhere."""
    other, answer = give_password(visitor, REMOTE_ADDR="198.51.100.7", HTTP_USER_AGENT=FIREFOX)
    assert answer["Location"] == "/"
    return other


def _row(client: Client) -> UserSession:
    return UserSession.objects.get(session_key=client.session.session_key)


def test_each_session_says_device_address_and_use() -> None:
    visitor = customer()
    _elsewhere(visitor)
    page = visitor.get(SESSIONS)
    assert "Firefox on Linux" in text_of(page)
    assert "198.51.100.7" in text_of(page)
    assert text_of(page).count("This one") == 1
    assert page.content.decode().count("<tr>") == 3
    assert "2 sessions last" in text_of(visitor.get("/accounts/security/"))


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36 MicroMessenger/8.0", "WeChat on Android"),
        ("curl/8.5.0", "curl"), ("", "Unknown device"), ("<script>", "Unknown device"),
    ],
)  # fmt: skip
def test_a_device_is_called_as_people_know_it(user_agent: str, said: str) -> None:
    assert sessions.device(user_agent) == said


def test_one_session_is_ended() -> None:
    visitor = customer()
    other = _elsewhere(visitor)
    answer = visitor.post(SESSIONS, {"session": str(_row(other).pk)}, follow=True)
    assert "The session was ended." in text_of(answer)
    assert (is_in(other), is_in(visitor)) == (False, True)


def test_ones_own_session_is_ended_as_by_signing_out() -> None:
    visitor = customer()
    visitor.post(SESSIONS, {"session": str(_row(visitor).pk)})
    assert not is_in(visitor)


def test_all_others_are_ended() -> None:
    visitor = customer()
    others = [_elsewhere(visitor), _elsewhere(visitor)]
    stranger = customer()
    answer = visitor.post(SESSIONS, {"act": "others"}, follow=True)
    assert "2 other sessions were ended." in text_of(answer)
    assert [is_in(client) for client in (*others, visitor, stranger)] == [False, False, True, True]
    assert UserSession.objects.filter(user=visitor.user).count() == 1


def test_another_ones_session_is_refused_in_a_sentence_and_lasts() -> None:
    visitor, other = customer(), customer()
    for session in (str(_row(other).pk), "0", "", "-1", "9" * 18, "9" * 30, "x", "\u0663", "a\0"):
        with nothing_written():
            answer = visitor.post(SESSIONS, {"session": session})
        assert answer.status_code == 302
        assert "You have no such session" in text_of(visitor.get(SESSIONS)), session
    assert is_in(other)


def test_a_change_of_the_password_ends_the_others() -> None:
    visitor = customer()
    other = _elsewhere(visitor)
    before = visitor.session.session_key
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    answer = visitor.post("/accounts/password/", form, follow=True)
    assert "The password was changed. Other sessions were ended." in text_of(answer)
    assert (is_in(other), is_in(visitor)) == (False, True)
    assert visitor.session.session_key != before
    assert [row.session_key for row in sessions.of(visitor.user)] == [visitor.session.session_key]


def test_a_refused_change_of_the_password_ends_nothing() -> None:
    visitor = customer()
    other = _elsewhere(visitor)
    visitor.post("/accounts/password/", {"oldpassword": "wrong", "password1": NEW, "password2": NEW})
    assert is_in(other)


def test_signing_in_gives_the_session_another_key() -> None:
    visitor = customer()
    other = Client()
    other.cookies["sessionid"] = planted = "a" * 32
    other.post("/accounts/login/", {"login": visitor.user.email, "password": PASSWORD})
    assert is_in(other)
    assert other.session.session_key != planted
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert not is_in(thief)


def test_use_is_noted_every_few_minutes_and_else_takes_no_statement() -> None:
    visitor = customer()
    row = _row(visitor)
    with nothing_written():
        visitor.get("/machines/")
    visitor.get("/machines/")
    with statements() as usual:
        visitor.get("/machines/")
    old = clock.wall() - dt.timedelta(minutes=6)
    UserSession.objects.filter(pk=row.pk).update(last_seen_at=old)
    visitor.get("/machines/", REMOTE_ADDR="198.51.100.9")
    row.refresh_from_db()
    assert row.ip == "198.51.100.9"
    assert clock.wall() - row.last_seen_at < dt.timedelta(minutes=1)
    assert not [text for text in map(str, usual) if re.match("(?i)insert|update", text)]


def test_a_session_of_before_is_listed_at_its_next_use() -> None:
    visitor = customer()
    UserSession.objects.all().delete()
    visitor.get("/machines/")
    assert _row(visitor).user == visitor.user


def test_what_has_ended_by_itself_is_not_listed() -> None:
    visitor = customer()
    other = _elsewhere(visitor)
    Session.objects.filter(session_key=other.session.session_key).update(expire_date=clock.wall())
    assert "Firefox" not in text_of(visitor.get(SESSIONS))


def test_of_fifty_sessions_the_one_used_longest_ago_makes_room() -> None:
    visitor = customer()
    rows = []
    for number in range(49):
        used = clock.wall() - dt.timedelta(hours=1 + number)
        Session.objects.create(session_key=f"{number:032}", session_data="", expire_date=clock.wall() + dt.timedelta(1))
        rows.append(
            UserSession(
                user=visitor.user, session_key=f"{number:032}", ip="198.51.100.7", user_agent="", last_seen_at=used
            )
        )
    UserSession.objects.bulk_create(rows)
    sessions.make_room(visitor.user)
    assert sessions.of(visitor.user).count() == 49
    assert not Session.objects.filter(session_key=f"{48:032}").exists()
    assert is_in(_elsewhere(visitor))
    assert is_in(visitor)


def test_an_operator_sees_his_own() -> None:
    seller = operator()
    assert "This one" in text_of(seller.get(SESSIONS))
