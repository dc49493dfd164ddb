"""The page of a machine's console: its own policy, its ticket, and what it says where there is none."""

import re

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Visitor, customer, text_of, work
from vmart.catalog.models import Zone
from vmart.consoles import tickets
from vmart.consoles.models import Console
from vmart.instances.models import Instance
from vmart.orders.models import Order

GATEWAY = override_settings(CONSOLE_PORT=8001, CONSOLE_TLS_PORT=8444)
PLAIN = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@pytest.fixture
def buyer() -> Visitor:
    visitor = customer()
    visitor.buy()
    work()
    return visitor


def _machine() -> str:
    return Instance.objects.get().public_id


def _policy(page: object) -> set[str]:
    return set(page["Content-Security-Policy"].split("; "))  # type: ignore[index]


@GATEWAY
def test_the_page_may_speak_to_the_gateway_and_no_other_page_may(buyer: Visitor) -> None:
    page = buyer.get(reverse("machine_console", args=[_machine()]))
    (nonce,) = re.findall(r'console\.js" nonce="([^"]+)"', page.content.decode())
    assert _policy(page) - set(PLAIN.split("; ")) == {
        "connect-src 'self' ws://testserver:8001", f"style-src 'self' 'nonce-{nonce}'",
    }  # fmt: skip
    assert 'data-gateway="ws://testserver:8001"' in page.content.decode()
    for other in (reverse("machine", args=[_machine()]), reverse("overview")):
        assert _policy(buyer.get(other)) == set(PLAIN.split("; "))


@GATEWAY
def test_over_tls_it_is_the_gateways_own_port_for_tls(buyer: Visitor) -> None:
    page = buyer.get(reverse("machine_console", args=[_machine()]), secure=True)
    assert "connect-src 'self' wss://testserver:8444" in _policy(page)
    with override_settings(CONSOLE_URL="wss://console.example.org:7000"):
        page = buyer.get(reverse("machine_console", args=[_machine()]), secure=True)
    assert "connect-src 'self' wss://console.example.org:7000" in _policy(page)


@GATEWAY
def test_a_ticket_is_of_the_session_and_the_page(buyer: Visitor) -> None:
    answer = buyer.post(reverse("machine_console_ticket", args=[_machine()]))
    assert set(answer.json()) == {"ticket"}
    kept = Console.objects.get()
    assert (kept.origin, kept.session_key, kept.user_id) == (
        "http://testserver", buyer.session.session_key, buyer.user.id,
    )  # fmt: skip
    assert "no-store" in answer["Cache-Control"]
    assert tickets.use(answer.json()["ticket"], "http://testserver", "203.0.113.9").machine == _machine()


@GATEWAY
def test_a_ticket_needs_the_pages_own_token(buyer: Visitor) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = buyer.cookies
    with nothing_written():
        assert strict.post(reverse("machine_console_ticket", args=[_machine()])).status_code == 403
        assert buyer.get(reverse("machine_console_ticket", args=[_machine()])).status_code == 405


@GATEWAY
def test_what_is_refused_is_said_to_the_page(buyer: Visitor) -> None:
    Instance.objects.update(state="STOPPED")
    with nothing_written():
        answer = buyer.post(reverse("machine_console_ticket", args=[_machine()]))
    assert answer.status_code == 422
    assert answer.json() == {"refused": f"The instance {_machine()} is STOPPED; it must be RESCUE_MODE or RUNNING."}
    page = buyer.get(reverse("machine_console", args=[_machine()]))
    assert "must be RESCUE_MODE or RUNNING" in text_of(page)
    assert "xterm" not in page.content.decode()
    assert _policy(page) == set(PLAIN.split("; "))
    assert "machine_console" not in buyer.get(reverse("machine", args=[_machine()])).content.decode()


def test_without_a_gateway_and_without_a_console_it_says_why(buyer: Visitor) -> None:
    with override_settings(CONSOLE_PORT=0):
        page = buyer.get(reverse("machine_console", args=[_machine()]))
    assert "The shop has no gateway for consoles at this address" in text_of(page)
    Zone.objects.filter(pk=ZONE).update(capabilities={"missing": {"console": "It has no console."}})
    with GATEWAY:
        assert f"{ZONE}: It has no console." in text_of(buyer.get(reverse("machine_console", args=[_machine()])))
    assert "Open the console" not in text_of(buyer.get(reverse("machine", args=[_machine()])))


@GATEWAY
def test_without_java_script_the_page_says_how_to_log_in(buyer: Visitor) -> None:
    machine = Instance.objects.get()
    said = text_of(buyer.get(reverse("machine_console", args=[machine.public_id])))
    assert "The console needs JavaScript" in said
    assert f"ssh root@{machine.public_ip}" in said


@GATEWAY
def test_who_cannot_log_in_is_led_to_four_ways(buyer: Visitor) -> None:
    page = buyer.get(reverse("machine", args=[_machine()])).content.decode()
    (ways,) = re.findall(r'<details[^>]*id="cannot-log-in">(.*?)</details>', page, re.DOTALL)
    assert re.findall(r'href="[^"]*/([a-z-]+)/"', ways) == ["reset-password", "keys", "console", "rescue"]
    order = buyer.get(reverse("order", args=[Order.objects.get().id]))
    assert reverse("machine_console", args=[_machine()]) in order.content.decode()


@GATEWAY
def test_whoever_has_an_address_needs_no_login(buyer: Visitor) -> None:
    page = Client().get(reverse("console"))
    assert page.status_code == 200
    assert 'data-ticket=""' in page.content.decode()
    assert "connect-src 'self' ws://testserver:8001" in _policy(page)


@GATEWAY
def test_a_host_that_is_none_makes_no_policy(buyer: Visitor) -> None:
    for host in ("evil.example;script-src *", "a b", "x/y"):
        assert buyer.get(reverse("machine_console", args=[_machine()]), headers={"host": host}).status_code == 400
