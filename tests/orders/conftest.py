"""A simulated engine of the test's own."""

import json
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of the simulated engine that serves every zone in this test."""
    file = tmp_path / "engine.sqlite"
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", json.dumps({"file": str(file)}))
    return file
