"""The private engine beside the shop: what it does about images that could not be built."""

import sys
from pathlib import Path

import pytest

from vmart.config import engine_host
from vmart.config.places import Places, read_json


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> engine_host.EngineHost:
    monkeypatch.setattr(Places, "run_dir", tmp_path)
    monkeypatch.setattr(Places, "image_dir", tmp_path / "images")
    return engine_host.EngineHost(Places.of(tmp_path), "test")


def test_an_image_whose_builder_was_killed_is_built_again_after_a_pause(
    host: engine_host.EngineHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given builders that are killed, or fail, when the pause is over, then each is begun again until it is through."""
    begun = tmp_path / "begun"
    killed_once_then_failing_once = (
        "import os, pathlib, signal, sys; begun = pathlib.Path(sys.argv[1]); print(7, flush=True)\n"
        "begun.write_text((begun.read_text() if begun.exists() else '') + sys.argv[2] + ' ')\n"
        "times = begun.read_text().split().count('debian-12')\n"
        "if sys.argv[2] == 'debian-12' and times == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
        "if sys.argv[2] == 'debian-12' and times == 2: sys.exit('no mirror')\n"
    )
    monkeypatch.setattr(
        engine_host, "_builder",
        lambda recipe, _folder: [sys.executable, "-c", killed_once_then_failing_once, str(begun), recipe],
    )  # fmt: skip
    monkeypatch.setattr(engine_host, "_BUILD_AGAIN_S", (0.1, 1.4))
    said: list[str] = []
    monkeypatch.setattr(host, "report", said.append)
    host.build_images()
    assert begun.read_text().split() == ["debian-12", "debian-13", "debian-12", "debian-12"]
    assert [line for line in said if "could not" in line] == [
        f"ready debian-12 could not be built, again in {pause_s} s; the zone says why" for pause_s in (0, 1)
    ]
    assert read_json(host.places.engine_state_file) == {
        "state": "ready", "why": "image debian-12 is ready", "instance_kind": "",
    }  # fmt: skip
