"""Given an image that cannot be had, then why is a whole sentence for customers, and what the host said is apart."""

import ast
from pathlib import Path
from typing import Any

import pytest

import vmart.engines
from vmart.engines.contract import EngineError, ImageSpec, ImageState, ImageStatus
from vmart.engines.incus import build
from vmart.engines.incus.image import Images

DEBIAN = ImageSpec("debian-12", "1")
SAID = "E: Failed to fetch http://mirror.internal/dists/bookworm / E: no space"


class Server:
    """An Incus without images, whose pull ends as ``pull`` says."""

    def __init__(self, pull: dict[str, Any] | None = None) -> None:
        self.pull = pull

    def find(self, path: str, **_: object) -> Any:
        return self.pull if path == "/1.0/operations/1" else None

    def begin(self, *_: object, **__: object) -> str:
        return "/1.0/operations/1"


def _images(cache_dir: Path | None = None, *, server: Any = None, sources: dict[str, Any] | None = None) -> Images:
    return Images(
        server or Server(), pool="p", deployment="d", cache_dir=cache_dir, sources=sources or {}, kind="container"
    )


def test_what_the_builder_met_is_told_to_the_seller_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object, _folder: Path) -> None:
        raise EngineError("The image could not be put together.", transient=True, detail=SAID)

    monkeypatch.setattr(build._Build, "run", broken)
    with pytest.raises(EngineError):
        build.build_image("debian-12", tmp_path)
    assert _images(tmp_path).ensure(DEBIAN) == ImageState(
        ImageStatus.FAILED, why="The image could not be put together.", detail=SAID
    )


@pytest.mark.parametrize(
    ("source", "pull", "why", "detail"),
    [
        ({"alias": "mine"}, None, "The engine has no image of the alias that the zone's settings name.", "mine"),
        ({"server": "https://images.internal", "alias": "debian/12"}, {"status_code": 400, "err": SAID},
         "The engine could not download the image.", SAID),
        ({"server": "https://images.internal", "alias": "debian/12"}, None,
         "The engine could not download the image.", "its operation is gone"),
    ],
)  # fmt: skip
def test_what_the_server_said_is_told_to_the_seller_alone(
    source: dict[str, Any], pull: dict[str, Any] | None, why: str, detail: str
) -> None:
    found = _images(server=Server(pull), sources={"debian-12": source}).ensure(DEBIAN)
    assert found == ImageState(ImageStatus.FAILED, why=why, detail=detail)


def test_a_failed_import_is_told_once_and_then_tried_again(tmp_path: Path) -> None:
    folder = build.image_folder("debian-12", tmp_path)
    folder.mkdir()
    (folder / "image.json").write_text("{}")  # and nothing to import
    images = _images(tmp_path)
    assert images.ensure(DEBIAN).status == ImageStatus.PREPARING
    for thread in images._imports.values():
        thread.join(10)
    found = images.ensure(DEBIAN)
    assert (found.status, found.why) == (ImageStatus.FAILED, "The image could not be brought to the engine.")
    assert str(folder) in found.detail
    assert images.ensure(DEBIAN).status == ImageStatus.PREPARING


def test_engines_speak_in_whole_sentences() -> None:
    """What is put together at run time is in no catalogue, so a reader of Chinese would read English."""
    composed = []
    for file in Path(vmart.engines.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("EngineError", "ImageState", "_Refusal"):
                said = [*call.args[:1], *(word.value for word in call.keywords if word.arg in ("why", "sentence"))]
                composed += [
                    (file.name, arg.lineno) for arg in said if isinstance(arg, ast.JoinedStr | ast.BinOp | ast.Call)
                ]
    assert composed == []
