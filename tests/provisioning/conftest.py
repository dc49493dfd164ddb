"""Simulated engines of the test's own, one a zone."""

from pathlib import Path

import pytest
from django.conf import settings

from tests.support.shopper import ZONE
from vmart.engines.simulated.world import World


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The hand from outside on the engine of ``shopper.ZONE``."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.delenv("VMART_SIMULATED_SETTINGS", raising=False)
    return World(tmp_path / "engine" / f"{ZONE}.sqlite")
