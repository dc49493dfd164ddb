"""The engine beside the shop: which one it is, and what is done about images that could not be built."""

import socket
import sys
from pathlib import Path

import pytest

from vmart.config import engine_host
from vmart.config.places import Places, read_json
from vmart.engines.contract import EngineError


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> engine_host.EngineHost:
    monkeypatch.setattr(Places, "run_dir", tmp_path)
    monkeypatch.setattr(Places, "image_dir", tmp_path / "images")
    return engine_host.EngineHost(Places.of(tmp_path), {"deployment": "test"})


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
        f"debian-12 could not be built, again in {pause_s} s; the zone says why" for pause_s in (0, 1)
    ]
    assert read_json(host.places.engine_state_file) == {
        "state": "ready", "why": "image debian-12 is ready", "instance_kind": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("compute", "option"), [("auto", "--incus-socket"), ("incus", "--compute incus")]
)  # fmt: skip
def test_a_socket_that_is_not_there_is_refused_by_its_name(tmp_path: Path, compute: str, option: str) -> None:
    choice = engine_host.choose(compute, test_clock=False, socket=tmp_path / "none")
    assert choice["refused"] == f"{option} is not possible here: there is no Incus socket at {tmp_path}/none"


def test_an_own_incus_is_told_who_we_are_and_images_are_built_where_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, places = tmp_path / "unix.socket", Places.of(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        monkeypatch.setattr(engine_host, "_why_no_images", lambda: "Building images needs root.")
        choice = engine_host.choose("auto", test_clock=False, socket=path, places=places, deployment="d1")
        assert (choice["compute"], choice["engine"]) == ("own", "incus")
        reached = {"socket": str(path), "deployment": "d1", "lock_dir": str(places.engine_dir)}
        assert choice["settings"] == reached
        monkeypatch.setattr(engine_host, "_why_no_images", lambda: "")
        choice = engine_host.choose("auto", test_clock=False, socket=path, places=places, deployment="d1")
        assert choice["settings"] == reached | {"image_cache": str(places.image_dir)}
        assert engine_host.choose("simulated", test_clock=False, socket=path)["compute"] == "simulated"
        assert engine_host.choose("auto", test_clock=True, socket=path)["compute"] == "simulated"


def test_an_own_incus_that_does_not_answer_is_looked_at_again(
    host: engine_host.EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [EngineError("The compute engine does not answer.", transient=True), "virtual-machine"]
    said: list[str] = []

    def kind() -> str:
        answer = answers.pop(0)
        if isinstance(answer, EngineError):
            raise answer
        host.ended.set()  # enough seen
        return answer

    monkeypatch.setattr(host, "instance_kind", kind)
    monkeypatch.setattr(host, "report", said.append)
    monkeypatch.setattr(engine_host, "_LOOK_AGAIN_S", 0.01)
    assert host.accompany() == 0
    assert said == ["failed: The compute engine does not answer.", "ready"]
    assert (read_json(host.places.engine_state_file) or {})["instance_kind"] == "virtual-machine"
