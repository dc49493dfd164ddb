"""Every test of the pages visits an open shop with simulated engines of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import override_settings
from django.utils import translation

from tests.support.mail_sink import Sink, mail_sink
from tests.web.visiting import ZONE, open_business
from vmart.config.mail import MailSettings
from vmart.engines.simulated.world import World


@pytest.fixture(autouse=True)
def _open_shop(shop: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmart.worker.loop._BACKOFF_S", (0.0,) * 8)  # what is put off is due again at once
    open_business()


@pytest.fixture(autouse=True)
def _language_as_found() -> Iterator[None]:
    """A request leaves its reader's language with the thread that answered it."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _not_throttled(_open_shop: None) -> None:
    """Whoever signed in, in a test before, counts no more."""
    cache.clear()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The hand from outside on the engine of the zone that is preselected."""
    return World(tmp_path / "engine" / f"{ZONE}.sqlite")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """The shop sends its mail to a server of our own, and confirms addresses."""
    with mail_sink() as sink:
        mail = MailSettings(f"smtp+plain://127.0.0.1:{sink.port}", "shop@example.org", "https://shop.example.org/")
        mail.check()
        told = {"ACCOUNT_EMAIL_VERIFICATION": "mandatory", "ACCOUNT_EMAIL_NOTIFICATIONS": True}
        with override_settings(SENDS_MAIL=True, PUBLIC_URL="https://shop.example.org", **told, **mail.django()):
            yield sink
