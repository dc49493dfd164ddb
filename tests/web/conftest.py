"""Every test of the pages visits an open shop with simulated engines of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import translation

from tests.web.visiting import ZONE, open_business
from vmart.engines.simulated.world import World


@pytest.fixture(autouse=True)
def _open_shop(shop: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.delenv("VMART_SIMULATED_SETTINGS", raising=False)
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
