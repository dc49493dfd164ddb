"""Simulated engines of the test's own, one a zone, as in a shop."""

from pathlib import Path

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE
from vmart.engines.simulated.world import World
from vmart.settlement import close


@pytest.fixture(autouse=True)
def engine(tmp_path: Path) -> Path:
    """File of the simulated engine that serves ``shopper.ZONE`` in this test."""
    return tmp_path / "engine" / f"{ZONE}.sqlite"


@pytest.fixture
def world(engine: Path) -> World:
    """The hand from outside on that engine."""
    return World(engine)


@pytest.fixture
def in_business(shop: object, test_clock: BusinessClock) -> None:
    """The shop's first hour is open: its close is queued, charging has where to begin."""
    close.begin(test_clock.at)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off after a fault is due again at once."""
    monkeypatch.setattr("vmart.worker.loop._BACKOFF_S", (0.0,) * 8)
    monkeypatch.setattr("vmart.orders.deliver._SHORTEST_PAUSE_S", 0.0)
    monkeypatch.setattr("vmart.orders.deliver._LONGEST_PAUSE_S", 0.0)
