"""Card providers for tests: localstripe as a real server, and an endpoint that keeps to Stripe's reference."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.orders.conftest import engine  # noqa: F401  a fixture for this folder too
from tests.payments.exchanges import ReferenceStripe

SECRET_KEY = "sk_test_12345"
WEBHOOK_SECRET = "whsec_tests"
_PICKLE = Path("/tmp/localstripe.pickle")  # where it writes, whatever it is told


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test provider is offered."""
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")


def _offer_stripe(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("VMART_STRIPE_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("VMART_STRIPE_PUBLISHABLE_KEY", "pk_test_12345")
    monkeypatch.setenv("VMART_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET)
    monkeypatch.setenv("VMART_STRIPE_API_BASE", address)


class LocalStripe:
    """The running server, and what a customer's browser does there with Stripe's element."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address, auth=(SECRET_KEY, ""))

    def confirm(self, client_secret: str, number: str = "4242424242424242") -> str:
        """Enter a card and press pay; the PaymentIntent's status, or the error's code."""
        intent = client_secret.partition("_secret_")[0]
        card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}
        method = self.http.post("/v1/payment_methods", data={"type": "card", **card}).json()["id"]
        self.http.post(f"/v1/payment_intents/{intent}", data={"payment_method": method}).raise_for_status()
        answer = self.http.post(f"/v1/payment_intents/{intent}/confirm").json()
        return str(answer.get("status") or answer["error"]["code"])

    def intents(self) -> list[dict[str, object]]:
        return list(self.http.get("/v1/payment_intents", params={"limit": 100}).json()["data"])

    def send_events_to(self, url: str) -> None:
        self.http.post("/_config/webhooks/tests", data={"url": url, "secret": WEBHOOK_SECRET}).raise_for_status()


@pytest.fixture(scope="session")
def localstripe_server() -> Iterator[LocalStripe]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    running = LocalStripe(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(httpx.TransportError):
                running.intents()
                break
            assert server.poll() is None, "localstripe has ended"
            assert time.monotonic() < deadline, "localstripe does not answer"
            time.sleep(0.1)
        yield running
    finally:
        running.http.close()
        server.terminate()
        server.wait(10)
        _PICKLE.unlink(missing_ok=True)


@pytest.fixture
def localstripe(localstripe_server: LocalStripe, monkeypatch: pytest.MonkeyPatch) -> LocalStripe:
    """The shop's Stripe is localstripe, empty."""
    localstripe_server.http.delete("/_config/data").raise_for_status()
    _offer_stripe(monkeypatch, localstripe_server.address)
    return localstripe_server


@pytest.fixture
def reference_stripe(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReferenceStripe]:
    """The shop's Stripe is an endpoint that honours idempotency keys and can lose its answers."""
    with ReferenceStripe() as running:
        _offer_stripe(monkeypatch, running.address)
        yield running
