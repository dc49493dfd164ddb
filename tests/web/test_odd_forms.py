"""Given any text in any field, query or address of the pages, when it is sent, then nothing is a fault of ours."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import override_settings

from tests.support.actors import by
from tests.web.second_factor import show_again
from tests.web.test_keys_and_money import PUBLIC
from tests.web.test_others_things import CARD
from tests.web.visiting import PASSWORD, Visitor, customer, operator, order_id_of, work
from vmart.instances.models import Instance
from vmart.payments.models import Payment
from vmart.security import change, starting

TEXTS = [
    "", "\0", "a\0b", "x" * 5000, "-1", "9" * 19, "9" * 30,
    "2026-01-01T00:00:00+23:59~1~cpu~0", "1e999", "1e-999", "NaN", "\u0663", "\r\nX: y", "%00", "'",
    "\ufffe", "true", " 1 ", "1_0", "//evil.example/", "https://evil.example/",
]  # fmt: skip
BIG = [2**31, 2**63, 10**30, "9" * 5000]
TOKEN = "t" * 43


@pytest.fixture(autouse=True)
def _asked_often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """More often than any person could: without throttling, and without what takes its time on purpose."""
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    cache.clear()
    quick = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(ACCOUNT_RATE_LIMITS=False, PASSWORD_HASHERS=quick):
        yield


@pytest.fixture
def buyer() -> Visitor:
    """A customer with a machine, an order that waits for a card, a payment."""
    visitor = customer(gift_minor=10_000_000)
    visitor.buy("?charge=postpaid")
    work()
    visitor.post("/balance/top-up/", CARD | {"amount": "10"})
    return visitor


def _faults(asked: Iterable[tuple[Any, Callable[[], HttpResponse]]]) -> list[Any]:
    """What was answered with a fault of ours, or led to another site."""
    found = []
    for what, ask in asked:
        try:
            answer = ask()
            wrong = answer.status_code >= 500 or "evil" in answer.headers.get("Location", "").partition("?")[0]
        except Exception as error:  # noqa: BLE001  the test client lets it through
            found.append((what, repr(error)))
            continue
        if wrong:
            found.append((what, answer.status_code, answer.headers.get("Location")))
    return found


def _posts(visitor: Visitor, address: str, base: dict[str, Any], fields: Iterable[str]) -> Iterator[Any]:
    for field in fields:
        for text in TEXTS:
            data = base | {field: text}
            yield (address, field, text[:20]), lambda data=data: visitor.post(address, data)


@pytest.mark.parametrize("act", ["buy", "card", "add_disk", ""])
def test_the_purchase_form(buyer: Visitor, act: str) -> None:
    form = buyer.buy_form("?data_disk=CLOUD_SSD&data_gib=50") | {"act": act}
    fields = [*form, "key", "password"] if act == "buy" else ["form", "quote", "key", "act", "zone", "data_gib"]
    for login in ("generated", "key", "password"):
        base = form | {"login": login, "key": "skey-unknown0", "password": PASSWORD}
        assert _faults(_posts(buyer, "/buy/", base, fields if login == "generated" else ["key", "password"])) == []
    assert _faults(_posts(Visitor(), "/buy/", form, ["form", "zone", "act"])) == []


@pytest.mark.parametrize(
    ("address", "acts", "base", "fields"),
    [
        ("/keys/", ["delete", "import"], {"name": "n", "public_key": PUBLIC, "id": "skey-x"},
         ["id", "name", "public_key"]),
        ("/keys/", ["create"], {"name": "-"}, ["name"]),
        ("/security-groups/", [""], {"name": "n", "region": "-", "starting": "web"},
         ["name", "description", "region", "starting"]),
        ("{group}", ["add"], {"way": "ingress", "action": "DROP", "cidr": "-"},
         ["way", "place", "action", "protocol", "port", "cidr", "group", "description", "version"]),
        ("{group}", ["change"], {"name": ""}, ["name", "description"]),
        ("{group}rules/", ["remove", "up", "down"], {"way": "ingress", "index": "7"}, ["way", "index", "version"]),
        ("{group}egress/0/", [""], {"action": "-", "cidr": "0.0.0.0/0"},
         ["action", "protocol", "port", "cidr", "group"]),
        ("/api-keys/", ["enable", "disable", "delete"], {"secret_id": "AKIDx"}, ["secret_id"]),
        ("/balance/top-up/", [""], CARD | {"amount": "10", "token": TOKEN}, ["amount", "token", "provider", "card"]),
        ("/accounts/password/", [""], {"oldpassword": PASSWORD, "password1": "-"}, ["oldpassword", "password1"]),
        ("/accounts/security/sessions/", ["others", ""], {"session": "0"}, ["session"]),
        ("/accounts/reauthenticate/", [""], {"password": "-"}, ["password", "next"]),
        ("/accounts/2fa/app/on/", [""], {"code": "000000"}, ["code"]),
        ("/accounts/passkeys/new/", [""], {"name": "n", "credential": "{}"}, ["name", "credential", "passwordless"]),
        ("/i18n/setlang/", [""], {"language": "en", "next": "/"}, ["language", "next"]),
    ],
)  # fmt: skip
def test_the_other_forms(
    buyer: Visitor, address: str, acts: list[str], base: dict[str, Any], fields: list[str]
) -> None:
    group = change.create(by(buyer.account_id), "ap-guangzhou", "web", "", starting.rules("web")).public_id
    address = address.format(group=f"/security-groups/{group}/")
    show_again(buyer)
    for act in acts:
        assert _faults(_posts(buyer, address, base | {"act": act}, [*fields, "act"])) == []


def test_the_forms_of_a_machine_and_of_an_order(buyer: Visitor) -> None:
    public_id = Instance.objects.get().public_id
    unpaid = order_id_of(buyer.buy(act="card"))
    pay = CARD | {"by": "card", "token": TOKEN}
    assert _faults(_posts(buyer, f"/orders/{unpaid}/pay/", pay, ["token", "provider", "card", "by"])) == []
    assert _faults(_posts(buyer, f"/machines/{public_id}/stop/", {}, ["charge", "hard"])) == []
    assert _faults(_posts(buyer, f"/machines/{public_id}/security-groups/", {}, ["security_group"])) == []


@pytest.mark.parametrize("address", ["/accounts/login/", "/accounts/signup/"])
def test_the_forms_of_strangers(address: str) -> None:
    base = {"email": "a@example.org", "login": "a@example.org", "password": "-", "password1": "-"}
    fields = ["email", "login", "password", "password1", "next", "remember"]
    assert _faults(_posts(Visitor(), address, base, fields)) == []


def test_who_signs_in_is_led_to_no_other_site() -> None:
    known = customer()
    for there in ("//evil.example/", "https://evil.example/", "/\\evil.example/", "javascript:alert(1)"):
        form = {"login": known.user.email, "password": PASSWORD, "next": there}
        assert Visitor().post("/accounts/login/", form)["Location"] == "/"
    assert Visitor().post("/accounts/login/", form | {"next": "/keys/"})["Location"] == "/keys/"


def test_queries(buyer: Visitor) -> None:
    seller, stranger = operator(), Visitor()
    queries = {
        "/buy/": ["form", "zone", "region", "type", "image", "disk", "disk_gib", "mbps", "count", "months", "key",
                  "security_group"],
        "/buy/price/": ["form", "zone", "data_disk", "data_gib", "act", "months", "name"],
        "/charges/": ["day", "month", "before"],
        "/charges.csv": ["month"], "/security-groups/": ["before", "q"],
        "/balance/": ["before"], "/machines/": ["before"], "/orders/": ["before"],
        "/keys/": ["before"], "/seller/": ["before"], "/seller/deliveries/": ["before"],
        "/seller/zones/ap-guangzhou-3/": ["disk"], "/seller/zones/nowhere/": ["disk"],
        "/accounts/login/": ["next"], "/accounts/signup/": ["next"],
    }  # fmt: skip
    asked = [
        ((address, name, text[:20]), lambda v=visitor, a=address, n=name, t=text: _read(v.get(a, {n: t})))
        for address, names in queries.items()
        for visitor in (buyer, seller, stranger)
        for name in names
        for text in TEXTS
    ]
    assert _faults(asked) == []


def _read(answer: HttpResponse) -> HttpResponse:
    list(answer)  # also of a stream
    return answer


def test_numbers_in_addresses(buyer: Visitor) -> None:
    asked = [
        (
            (path, str(number)[:20], method, by),
            lambda v=visitor, p=path, n=number, m=method, b=by: getattr(v, m)(p.format(n), CARD | {"by": b}),
        )
        for number in BIG
        for path in (
            "/orders/{}/", "/orders/{}/progress/", "/orders/{}/pay/", "/payments/{}/", "/payments/{}/state/",
            "/seller/operations/{}/retry/", "/accounts/passkeys/{}/remove/",
        )
        for visitor in (buyer, operator(), Visitor())
        for method in ("get", "post")
        for by in ("card", "")
    ]  # fmt: skip
    assert _faults(asked) == []
    assert Payment.objects.count() == 1


def test_cookies(buyer: Visitor) -> None:
    order_id = 1 + Payment.objects.count()
    asked = []
    for name in ("sessionid", "csrftoken", "django_language", "messages"):
        for text in ("x", "a" * 4000, "zh-hans", "../..", "=", "\u0663".encode().decode("latin-1")):

            def ask(name: str = name, text: str = text) -> HttpResponse:
                visitor = Visitor()
                visitor.cookies.update(buyer.cookies)
                visitor.cookies[name] = text
                return visitor.get(f"/orders/{order_id}/", follow=True)

            asked.append(((name, text[:10]), ask))
    assert _faults(asked) == []
