"""Given a machine, when a program asks for its console, then it gets an address that opens it once, for who has it."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import override_settings

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.signing import SECRET_ID
from tests.api.test_every_action import Things, owner
from tests.support.shopper import ZONE
from vmart.api.wire.signatures import WireRequest
from vmart.catalog.models import Zone
from vmart.consoles import tickets, watch
from vmart.consoles.models import Console
from vmart.customers.models import ApiKey, Member
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")
ASK = "DescribeInstanceVncUrl"


@pytest.fixture(autouse=True)
def _with_a_gateway() -> Any:
    with override_settings(CONSOLE_PORT=8001):
        yield


def _error(client: Client, asked: dict[str, Any]) -> tuple[str, str]:
    with nothing_written():
        error = client.call(ASK, asked).response["Error"]
    return error["Code"], error["Message"]


def _url(client: Client, public_id: str) -> str:
    answer = client.call(ASK, {"InstanceId": public_id}).response
    assert set(answer) == {"RequestId", "InstanceVncUrl"}
    return str(answer["InstanceVncUrl"])


def test_an_address_of_the_shop_whose_ticket_no_server_sees(owner: tuple[Client, Things]) -> None:
    client, has = owner
    url = urlsplit(_url(client, has.running))
    origin = f"{url.scheme}://{url.netloc}"
    assert (origin, url.path, url.query) == ("http://127.0.0.1:8000", "/console/", "")
    account_id = Instance.objects.get(public_id=has.running).account_id
    user_id = Member.objects.get(account_id=account_id).user_id
    ApiKey.objects.create(
        secret_id=SECRET_ID, account_id=account_id, user_id=user_id, secret_sealed=b"", enabled=True,
        created_at=clock.now(),
    )  # fmt: skip
    with pytest.raises(tickets.BadTicket):
        tickets.use(url.fragment + "x", origin, "203.0.113.9")
    opened = tickets.use(url.fragment, origin, "203.0.113.9")
    assert opened.machine == has.running
    with pytest.raises(tickets.BadTicket):
        tickets.use(url.fragment, origin, "203.0.113.9")
    told = Event.objects.filter(kind="console_opened").get()
    assert (told.actor["via"], told.actor["key"], told.detail) == ("api", SECRET_ID, {"address": "203.0.113.9"})
    ApiKey.objects.filter(secret_id=SECRET_ID).update(enabled=False)
    assert watch.why_over([opened.id]) == {opened.id: "key_off"}


def test_the_sellers_own_address_counts(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with override_settings(PUBLIC_URL="https://shop.example.org", CONSOLE_URL="wss://console.example.org"):
        assert _url(client, has.running).startswith("https://shop.example.org/console/#")
    assert Console.objects.get().origin == "https://shop.example.org"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("STOPPED", "UnsupportedOperation.InstanceStateStopped"),
        ("STARTING", "UnsupportedOperation.InstanceStateStarting"),
        ("STOPPING", "UnsupportedOperation.InstanceStateStopping"),
        ("PENDING", "UnsupportedOperation.InstanceStatePending"),
        ("REBOOTING", "UnsupportedOperation.InstanceStateRebooting"),
        ("LAUNCH_FAILED", "UnsupportedOperation.InstanceStateLaunchFailed"),
        ("SHUTDOWN", "UnsupportedOperation.InstanceStateIsolating"),
        ("ENTER_RESCUE_MODE", "UnsupportedOperation.InstanceStateEnterRescueMode"),
    ],
)
def test_a_machine_that_does_not_run_has_none(owner: tuple[Client, Things], state: str, code: str) -> None:
    client, has = owner
    Instance.objects.filter(public_id=has.running).update(state=state)
    assert _error(client, {"InstanceId": has.running})[0] == code


def test_a_rescue_system_has_one(owner: tuple[Client, Things]) -> None:
    client, has = owner
    assert "/console/#" in _url(client, has.rescued)


def test_what_is_no_machine_of_the_account_has_none(owner: tuple[Client, Things]) -> None:
    client, has = owner
    Instance.objects.filter(public_id=has.running).update(state="GONE", gone_at=clock.now())
    for public_id in (has.running, "ins-aaaaaaaa", "x"):
        assert _error(client, {"InstanceId": public_id})[0] == "InvalidInstanceId.NotFound"
    assert _error(client, {})[0] == "MissingParameter"


def test_thirty_a_minute_are_the_most(owner: tuple[Client, Things]) -> None:
    client, has = owner
    for _ in range(30):
        _url(client, has.running)
    code, sentence = _error(client, {"InstanceId": has.running})
    assert (code, "30 times within a minute" in sentence) == ("LimitExceeded", True)


def test_where_there_is_none_it_is_said(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with override_settings(CONSOLE_PORT=0):
        code, sentence = _error(client, {"InstanceId": has.running})
    assert (code, sentence) == (
        "UnsupportedOperation", "The shop has no gateway for consoles at this address; its seller can say one.",
    )  # fmt: skip
    zone = Instance.objects.get(public_id=has.running).zone_id
    Zone.objects.filter(pk=zone).update(capabilities={"missing": {"console": "It has no console."}})
    assert _error(client, {"InstanceId": has.running}) == (
        "UnsupportedOperation",
        f"InstanceId: {zone}: It has no console.",
    )
    assert zone == ZONE


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("shop.example.org", "https://shop.example.org"), ("Shop:8443", "https://shop:8443"),
        ("[::1]:8000", "https://[::1]:8000"), ("", ""), ("evil/path", ""), ("a b", ""), ("x#y", ""), ("u@h", ""),
    ],
)  # fmt: skip
def test_where_the_api_was_called_is_a_host_or_nothing(host: str, endpoint: str) -> None:
    assert WireRequest("GET", "/", "", {"host": host}, b"", scheme="https").endpoint == endpoint
