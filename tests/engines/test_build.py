"""The builder's bookkeeping: what an image is named after, and how far a build says it is."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vmart.engines.contract import EngineError
from vmart.engines.incus import build
from vmart.engines.incus.build import Progress, image_folder, is_built, metadata_of, read_progress, recipe_hash


def test_a_changed_recipe_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe_hash("debian-12")
    assert recipe_hash("debian-12") == before
    assert recipe_hash("debian-13") != before
    changed = dataclasses.replace(build.RECIPES["debian-12"], title="Debian 12, other")
    monkeypatch.setitem(build.RECIPES, "debian-12", changed)
    assert recipe_hash("debian-12") != before


def test_progress_is_what_the_builder_wrote_and_a_finished_folder_is_ready(tmp_path: Path) -> None:
    assert read_progress("debian-12", tmp_path) is None
    said = Progress("failed", 40, "installing packages", why="no mirror")
    (tmp_path / "debian-12.json").write_text(json.dumps(dataclasses.asdict(said)))
    assert read_progress("debian-12", tmp_path) == said
    folder = image_folder("debian-12", tmp_path)
    folder.mkdir()
    assert not is_built("debian-12", tmp_path)  # a folder without its last file is not finished
    (folder / "image.json").write_text("{}")
    assert is_built("debian-12", tmp_path)
    finished = read_progress("debian-12", tmp_path)
    assert finished is not None
    assert (finished.status, finished.percent, finished.folder) == ("ready", 100, str(folder))


def test_a_builder_that_was_killed_is_no_progress_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from vmart.engines.incus import build\n"
        "def begin(self, folder):\n    self.tell(40, 'installing packages'); print(flush=True); time.sleep(60)\n"
        "build._Build.run = begin; build.build_image('debian-12', Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as builder:
            assert builder.stdout is not None
            builder.stdout.readline()
            assert read_progress("debian-12", tmp_path) == Progress("preparing", 40, "installing packages")
            builder.kill()
            builder.wait()
        assert read_progress("debian-12", tmp_path) is None


def test_a_progress_file_cut_short_is_no_progress(tmp_path: Path) -> None:
    (tmp_path / "debian-12.json").write_text('{"status": "prep')
    assert read_progress("debian-12", tmp_path) is None


def test_the_image_carries_every_template_of_the_seed() -> None:
    metadata = yaml.safe_load(metadata_of(build.RECIPES["debian-12"]))
    assert set(metadata["templates"]) == {
        "/etc/hostname",
        *(
            f"/var/lib/cloud/seed/nocloud/{file}"
            for file in ("meta-data", "user-data", "user-data.base64", "vendor-data", "network-config")
        ),
    }
    assert metadata["creation_date"] > 0  # Incus refuses an image without
    assert all(template["when"] == ["create", "copy"] for template in metadata["templates"].values())


def test_an_image_without_a_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no recipe"):
        build.build_image("plan9", tmp_path)
    assert list(tmp_path.iterdir()) == []
