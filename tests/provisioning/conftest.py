"""Simulated engines of the test's own, one a zone."""

from pathlib import Path

import pytest

from tests.support.shopper import ZONE
from vmart.engines.simulated.world import World


@pytest.fixture(autouse=True)
def world(tmp_path: Path) -> World:
    """The hand from outside on the engine of ``shopper.ZONE``."""
    return World(tmp_path / "engine" / f"{ZONE}.sqlite")
