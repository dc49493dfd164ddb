"""A zone in which what the API sells is delivered by ``tests.support.shopper.work``."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.database import Databases
from vmart.kernel import clock
from vmart.provisioning import zones
from vmart.settlement import close


@pytest.fixture
def engine_file(shop: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the simulated engine of every zone is."""
    file = tmp_path / "engine.sqlite"
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", json.dumps({"file": str(file)}))
    return file


def _deliver() -> None:
    """The simulated engine of ap-guangzhou-4 with its images, and the first hour to be closed."""
    zones.check("ap-guangzhou-4")
    zones.prepare_images("ap-guangzhou-4")
    close.begin(clock.now())


@pytest.fixture
def delivering(engine_file: Path) -> None:
    _deliver()


@pytest.fixture
def scene(shop: Databases, engine_file: Path) -> Callable[[str, Callable[[], Any]], Any]:
    """``scene("owner", build)``: what ``build()`` makes in such a zone, once a process; its rows and its machines."""

    def of(name: str, build: Callable[[], Any]) -> Any:
        kept = shop.folder / f"{shop.worker}-{name}.sqlite"

        def build_and_keep() -> Any:
            _deliver()
            made = build()
            _copy(engine_file, kept)
            return made

        made = shop.use_scene(name, build_and_keep)
        if not engine_file.exists():
            _copy(kept, engine_file)
        return made

    return of


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
