"""A zone in which what the API sells is delivered by ``tests.support.shopper.work``."""

import json
from pathlib import Path

import pytest

from tests.support.database import Databases
from vmart.kernel import clock
from vmart.provisioning import zones
from vmart.settlement import close


@pytest.fixture
def delivering(shop: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated engine of ap-guangzhou-4 with its images, and the first hour to be closed."""
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", json.dumps({"file": str(tmp_path / "engine.sqlite")}))
    zones.check("ap-guangzhou-4")
    zones.prepare_images("ap-guangzhou-4")
    close.begin(clock.now())
