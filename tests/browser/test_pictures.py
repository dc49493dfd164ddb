"""The fifteen main pages look as their pictures in ``pictures`` do. What should look otherwise: ``bin/pictures``."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from bench import paint
from tests.support import pictures
from tests.support.scene import MAIN_PAGES, MainPage, Scene, scene

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def furnished(browser: Browser) -> Iterator[Scene]:
    with scene(browser) as made:
        yield made


def _faults(name: str, seen: Image.Image, folder: Path) -> list[str]:
    """What is unlike in the picture of this name, with files that show it."""
    file = pictures.kept(name)
    if not file.exists():
        return [f"{name}: there is no {file}"]
    fault = pictures.compare(Image.open(file), seen)
    if fault is None:
        return []
    seen.save(folder / f"{name}.png")
    fault.difference.save(folder / f"{name}-difference.png")
    return [f"{name}: {fault.sentence}: {folder / name}.png, {folder / name}-difference.png"]


@pytest.mark.parametrize("page", MAIN_PAGES, ids=lambda page: page.name)
def test_a_main_page_looks_as_it_did(furnished: Scene, page: MainPage, tmp_path: Path) -> None:
    for _ in range(2):  # a line of text is seldom drawn half a pixel lower; what has changed is unlike each time
        faults = [fault for name, seen in pictures.taken(furnished, page) for fault in _faults(name, seen, tmp_path)]
        if not faults:
            break
    assert faults == [], "look at them; if they are as they should be: bin/pictures"


@pytest.mark.parametrize("page", [MAIN_PAGES[0], MAIN_PAGES[-1]], ids=lambda page: page.name)
def test_how_soon_a_page_is_painted_is_measured(furnished: Scene, page: MainPage) -> None:
    """By ``bin/bench paint``: how long it takes is a figure, and no fault. Another page than was asked for is one."""
    wrong: list[str] = []
    figures = paint.medians(furnished, page, 1, wrong)
    assert wrong == []
    assert set(figures) == {"first", "again"}
    assert all(ms > 0 for ms in figures.values())
    paint.medians(furnished, replace(page, address="/nothing/"), 1, wrong)
    assert [line.partition(": ")[2][:4] for line in wrong] == ["404 ", "404 "]


def test_there_is_no_picture_but_of_a_main_page() -> None:
    names = {name for page in MAIN_PAGES for name, _theme, _width in pictures.names_of(page)}
    assert {file.stem for file in pictures.KEPT.iterdir()} == names
    assert len(MAIN_PAGES) == 15
    assert sum(file.stat().st_size for file in pictures.KEPT.iterdir()) < 3_000_000


def test_a_moved_word_is_seen_and_another_edge_of_a_letter_is_not(tmp_path: Path) -> None:
    """Given a kept picture: what one would see is told, with the picture of it; what one would not is borne."""
    kept = Image.open(pictures.kept("sign-in-1440")).convert("RGB")
    assert pictures.compare(kept, kept) is None
    assert pictures.compare(kept, kept.point(lambda value: max(0, value - 5))) is None
    moved = kept.copy()
    moved.paste(kept.crop((0, 30, kept.width, 60)), (0, 32))
    edge = kept.copy()
    ImageDraw.Draw(edge).line((10, 10, 21, 10), fill="black")
    assert pictures.compare(kept, edge) is None
    ImageDraw.Draw(edge).line((10, 11, 11, 11), fill="black")
    for seen, sentence in (
        (moved, "pixels are unlike, and 12 may be"),
        (kept.point(lambda value: max(0, value - 6)), "of it have another shade, and 3% may have"),
        (edge, "14 pixels are unlike, and 12 may be"),
        (kept.crop((0, 0, kept.width, kept.height - 1)), f"and was {kept.width} × {kept.height}"),
    ):
        fault = pictures.compare(kept, seen)
        assert fault is not None
        assert fault.sentence.endswith(sentence)
        colours = {colour for _number, colour in fault.difference.getcolors(1 << 24) or ()}
        assert colours & {(255, 0, 0), (255, 215, 0)}
    assert _faults("sign-in-1440", kept, tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    (told,) = _faults("sign-in-1440", moved, tmp_path)
    assert all(str(file) in told for file in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 2
    assert "there is no" in _faults("nothing", kept, tmp_path)[0]
