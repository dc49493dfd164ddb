"""A second factor: set up, asked for after the password, limited, sealed; and what is made up is refused."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.cache import cache
from django.test import Client, override_settings

from tests.support.actors import SELLER
from tests.support.written import nothing_written
from tests.web.second_factor import (
    AUTHENTICATE,
    CODES,
    OFF,
    ON,
    give_password,
    is_in,
    recovery_codes,
    secret_on,
    set_up_app,
    show_again,
    shown_code,
    stored_passkey,
)
from tests.web.visiting import PASSWORD, Visitor, customer, operator, text_of
from vmart.backoffice import staffing
from vmart.kernel import db
from vmart.kernel.secrets import SecretsUnreadable
from vmart.web.second_factor import Adapter

PASSKEY, PASSKEYS = "/accounts/passkeys/new/", "/accounts/passkeys/"
SECURITY = "/accounts/security/"
WRONG = "This code is wrong, or was used before."


def _held(visitor: Visitor) -> dict[str, Any]:
    """What is stored of the visitor's factors, by kind."""
    return dict(Authenticator.objects.filter(user=visitor.user).order_by("type").values_list("type", "data"))


@pytest.mark.parametrize("who", [customer, operator])
def test_an_app_is_set_up_and_then_asked_for(who: Callable[[], Visitor]) -> None:
    visitor = who()
    secret = set_up_app(visitor)
    assert "The authenticator app was set up." in text_of(visitor.get(SECURITY))
    other, answer = give_password(visitor)
    assert (answer.status_code, answer["Location"]) == (302, AUTHENTICATE)
    assert not is_in(other)
    answer = other.post(AUTHENTICATE, {"code": shown_code(secret)})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_in(other)


def test_the_picture_says_the_secret_the_shop_and_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    drawn = Adapter.build_totp_svg
    monkeypatch.setattr(Adapter, "build_totp_svg", lambda self, url: said.append(url) or drawn(self, url))
    visitor = customer()
    show_again(visitor)
    page = visitor.get(ON).content.decode()
    assert 'src="data:image/svg+xml;base64,' in page
    secret, email = secret_on(page), visitor.user.email.replace("@", "%40")
    assert said == [f"otpauth://totp/{email}?secret={secret}&issuer=testserver"]
    with override_settings(PUBLIC_URL="https://shop.example.org"):
        visitor.get(ON)
    assert said[1].endswith("&issuer=shop.example.org")


def test_the_session_gets_another_key_at_each_step() -> None:
    visitor = customer()
    secret = set_up_app(visitor)
    other = Client()
    other.get("/accounts/login/")
    other, _answer = give_password(visitor)
    before = other.session.session_key
    assert before
    other.post(AUTHENTICATE, {"code": shown_code(secret)})
    assert other.session.session_key != before
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = before
    assert not is_in(stolen)


def test_a_wrong_code_lets_nobody_in_and_changes_nothing() -> None:
    visitor = customer()
    secret = set_up_app(visitor)
    held = _held(visitor)
    right = {shown_code(secret, n) for n in (-1, 0, 1)}
    other, _answer = give_password(visitor)
    for code in [code for code in ("000000", "", "12345", "\u0663" * 6, "x" * 99) if code not in right][:4]:
        answer = other.post(AUTHENTICATE, {"code": code})
        assert answer.status_code == 200
        assert 'class="field-error"' in answer.content.decode(), code
    assert not is_in(other)
    assert _held(visitor) == held


def test_a_code_is_good_once_in_all_the_time_in_which_it_is_right() -> None:
    visitor = customer()
    secret = set_up_app(visitor)
    code = shown_code(secret, 1)
    first, _answer = give_password(visitor)
    assert first.post(AUTHENTICATE, {"code": code}).status_code == 302
    for key in _used_keys("allauth.mfa.totp.used"):  # allauth's own note lasts one period of the three
        cache.delete(key)
    second, _answer = give_password(visitor)
    assert WRONG in text_of(second.post(AUTHENTICATE, {"code": code[:3] + "-" + code[3:]}))
    assert not is_in(second)


def _used_keys(begin: str) -> list[str]:
    keys = [row["cache_key"] for row in db.rows("SELECT cache_key FROM config_cache")]
    return [key.partition(":1:")[2] for key in keys if begin in key]


def test_the_code_that_set_the_app_up_signs_nobody_in() -> None:
    visitor = customer()
    secret = set_up_app(visitor)
    other, _answer = give_password(visitor)
    assert WRONG in text_of(other.post(AUTHENTICATE, {"code": shown_code(secret, -1)}))


def test_a_recovery_code_lets_in_once() -> None:
    visitor = customer()
    set_up_app(visitor)
    codes = recovery_codes(visitor)
    assert len(set(codes)) == 10
    first, _answer = give_password(visitor)
    assert first.post(AUTHENTICATE, {"code": codes[3]}).status_code == 302
    assert is_in(first)
    held = _held(visitor)
    second, _answer = give_password(visitor)
    assert WRONG in text_of(second.post(AUTHENTICATE, {"code": codes[3]}))
    assert _held(visitor) == held
    assert recovery_codes(visitor) == codes[:3] + codes[4:]
    assert "9 are left" in text_of(visitor.get(SECURITY))


def test_new_recovery_codes_take_the_place_of_the_old() -> None:
    visitor = customer()
    set_up_app(visitor)
    old = recovery_codes(visitor)
    assert visitor.post(f"{CODES}new/").status_code == 302
    new = recovery_codes(visitor)
    assert not set(old) & set(new)
    other, _answer = give_password(visitor)
    assert WRONG in text_of(other.post(AUTHENTICATE, {"code": old[0]}))
    assert other.post(AUTHENTICATE, {"code": new[0]}).status_code == 302


def test_guessing_codes_is_limited_for_the_user_from_wherever_it_is_tried() -> None:
    """Counted in the database, which all web processes share."""
    visitor = customer()
    secret = set_up_app(visitor)
    for number in range(5):
        other, _answer = give_password(visitor, REMOTE_ADDR=f"198.51.100.{number}")
        other.post(AUTHENTICATE, {"code": "000000"})
    other, _answer = give_password(visitor, REMOTE_ADDR="198.51.100.77")
    answer = other.post(AUTHENTICATE, {"code": shown_code(secret)})
    assert "Too many" in text_of(answer)
    assert not is_in(other)
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")
    assert _used_keys("login_failed")


def test_showing_again_that_it_is_he_is_limited_too() -> None:
    visitor = customer()
    answers = [visitor.post("/accounts/reauthenticate/", {"password": "wrong"}) for _ in range(6)]
    assert "Too many" in text_of(answers[-1]) or answers[-1].status_code == 429
    visitor.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert visitor.get(ON).status_code == 302


@pytest.mark.parametrize("address", [ON, OFF, CODES, f"{CODES}new/", PASSKEY, "{passkey}"])
def test_nothing_is_changed_before_he_has_shown_again_that_it_is_he(address: str) -> None:
    visitor = customer()
    set_up_app(visitor)
    address = address.format(passkey=f"{PASSKEYS}{stored_passkey(visitor).pk}/remove/")
    visitor.post("/accounts/logout/")
    visitor.force_login(visitor.user)
    visitor.get(SECURITY)
    held = _held(visitor)
    asked = [visitor.get(address), *([visitor.post(address, {"code": "000000"})] if address != CODES else [])]
    for answer in asked:
        assert answer.status_code == 302
        assert answer["Location"].startswith(("/accounts/reauthenticate/?next=", OFF))
    assert _held(visitor) == held


def test_turned_off_the_password_is_enough_and_the_recovery_codes_are_gone() -> None:
    visitor = customer()
    set_up_app(visitor)
    assert (visitor.post(OFF).status_code, _held(visitor)) == (302, {})
    other, answer = give_password(visitor)
    assert (answer["Location"], is_in(other)) == ("/", True)
    assert visitor.get(OFF).status_code == visitor.get(CODES).status_code == 404


def test_a_refused_first_code_turns_nothing_on() -> None:
    visitor = customer()
    show_again(visitor)
    visitor.get(ON)
    for code in ("000000", "", "x"):
        answer = visitor.post(ON, {"code": code})
        assert 'class="field-error"' in answer.content.decode()
    assert _held(visitor) == {}


def test_secrets_lie_sealed_under_the_shops_key() -> None:
    visitor = customer()
    secret = set_up_app(visitor)
    held = _held(visitor)
    stored = json.dumps(held)
    assert secret not in stored
    sealed = base64.b64decode(held["totp"]["secret"])
    assert settings.SECRETS.open(sealed, "second factor") == secret
    with pytest.raises(SecretsUnreadable):
        settings.SECRETS.open(sealed, "another purpose")
    seed = settings.SECRETS.open(base64.b64decode(held["recovery_codes"]["seed"]), "second factor")
    assert re.fullmatch("[0-9a-f]{80}", seed)
    assert seed not in stored


def test_a_factor_that_another_key_sealed_is_refused_in_a_sentence() -> None:
    visitor = customer()
    set_up_app(visitor)
    Authenticator.objects.filter(user=visitor.user, type="totp").update(data={"secret": "AAAA"})
    Authenticator.objects.filter(user=visitor.user, type="recovery_codes").delete()
    other, _answer = give_password(visitor)
    assert "Ask the seller to remove it." in text_of(other.post(AUTHENTICATE, {"code": "123456"}))


def test_another_ones_passkey_is_not_found_and_stays() -> None:
    owner, other = customer(), customer()
    key = stored_passkey(owner)
    show_again(other)
    address = f"{PASSKEYS}{key.pk}/remove/"
    with nothing_written():
        answers = [other.get(address), other.post(address), other.post(f"{PASSKEYS}{'9' * 30}/remove/")]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert Authenticator.objects.get() == key


def test_ones_own_passkey_is_removed() -> None:
    visitor = customer()
    key = stored_passkey(visitor)
    show_again(visitor)
    assert "laptop" in text_of(visitor.get(f"{PASSKEYS}{key.pk}/remove/"))
    assert visitor.post(f"{PASSKEYS}{key.pk}/remove/", follow=True).redirect_chain[-1] == (SECURITY, 302)
    assert _held(visitor) == {}


MADE_UP: list[Any] = [
    "", "x", "{}", "[]", "null", "1", "0", "0.0", "false", "NaN", '"a"', "[" * 5000, "[" * 100_000, '{"a": "\\u0000"}',
    *(
        json.dumps({"id": key, "rawId": key, "type": kind, "clientExtensionResults": {}, "response": response})
        for key in ("AA", "!", None, "\u0663")
        for kind in ("public-key", None)
        for response in (
            {}, [], None, "x", {"clientDataJSON": "AA", "attestationObject": "AA"},
            {"clientDataJSON": "e30", "attestationObject": "oA"},
            {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA", "userHandle": "AA"},
            {"clientDataJSON": "e30", "authenticatorData": "A" * 50, "signature": "AA", "userHandle": None},
            {"clientDataJSON": "e30", "authenticatorData": "A" * 50, "signature": "AA", "userHandle": "/"},
        )
    ),
]  # fmt: skip


@override_settings(ACCOUNT_RATE_LIMITS=False, MFA_RATE_LIMITS=False)
def test_a_made_up_passkey_is_refused_in_a_sentence_wherever_it_is_shown() -> None:
    visitor = customer()
    set_up_app(visitor)
    stored_passkey(visitor)
    held = _held(visitor)
    stranger, _answer = give_password(visitor)
    sent = 0
    for credential in MADE_UP:
        visitor.get(PASSKEY)  # a challenge to answer
        answer = visitor.post(PASSKEY, {"name": "n", "credential": credential, "passwordless": "on"})
        assert "The passkey was not accepted." in text_of(answer), credential
        stranger.get(AUTHENTICATE)
        answer = stranger.post(AUTHENTICATE, {"credential": credential})
        assert "The passkey was not accepted." in text_of(answer), credential
        Client().get("/accounts/passkeys/login/", headers={"accept": "application/json"})
        answer = Client().post("/accounts/passkeys/login/", {"credential": credential}, follow=True)
        assert "The passkey was not accepted." in text_of(answer), credential
        sent += 1
    assert sent == len(MADE_UP) > 70
    assert _held(visitor) == held
    assert not is_in(stranger)


def test_the_pages_have_no_script_of_their_own() -> None:
    """Only files of the shop's run: what else stands in a page is data."""
    visitor = customer()
    show_again(visitor)
    pages = [Client().get("/accounts/login/"), visitor.get(PASSKEY), visitor.get(ON)]
    for page in pages:
        html = page.content.decode()
        for tag in re.findall(r"<script[^>]*>", html):
            assert 'src="/static/' in tag or 'type="application/json"' in tag, tag
        assert not re.search(r"\son\w+=", html)
    assert "Passkeys need JavaScript" in text_of(pages[1])


def test_a_customer_who_becomes_an_operator_keeps_no_way_in() -> None:
    visitor = customer()
    set_up_app(visitor)
    stored_passkey(visitor)
    EmailAddress.objects.create(user=visitor.user, email="next@example.org")
    staffing.add(visitor.user.email, by=SELLER)
    assert _held(visitor) == {}
    assert not EmailAddress.objects.filter(email="next@example.org").exists()


def test_an_operator_finds_the_page_in_the_menu() -> None:
    for visitor in (customer(), operator()):
        page = visitor.get(SECURITY)
        assert page.status_code == 200
        assert f'<a href="{SECURITY}" aria-current="page">' in page.content.decode()
        assert 'href="/accounts/password/"' in page.content.decode()


def test_the_page_is_in_chinese_too() -> None:
    visitor = customer()
    visitor.post("/i18n/setlang/", {"language": "zh-hans", "next": "/"})
    page = text_of(visitor.get(SECURITY))
    for words in ("登录与安全", "身份验证器", "通行密钥", "会话"):
        assert words in page, words
