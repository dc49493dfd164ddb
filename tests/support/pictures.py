"""Pictures of pages: taken, kept small in the repository, compared with a tolerance.

A kept picture has half the page's width, without loss: what a reader would see is in it, how a font's edges are drawn
is hardly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageColor
from playwright.sync_api import Page

from tests.support.running_shop import ROOT
from tests.support.scene import MAIN_PAGES, MainPage, Scene, settle

KEPT = ROOT / "tests" / "browser" / "pictures"
WIDTHS = (1440, 360)
_UNLIKE = 40  # of 255, in one of the three colours: less is the edge of a letter, drawn by another browser
_ALLOWED = 12  # pixels that may be unlike: a letter of the smallest text has as many
_FAINT, _ALLOWED_FAINT = 5, 0.03  # less is nothing; of a picture so much may be so: no surface has another colour
# In a picture of one page's own part the menu has no height: a new entry changes one picture, and not all.
_NO_MENU = """document.querySelectorAll("nav.side").forEach((menu) => {
  menu.style.setProperty("visibility", "hidden"); menu.style.setProperty("height", "0"); })"""
# As one whole: what was laid out step by step, as scripts came, may lie a fraction of a pixel elsewhere.
_LAID_OUT_ANEW = """() => { const page = document.body.style;
  page.display = "none"; document.body.offsetHeight; page.display = ""; }"""
_HEIGHT = "document.documentElement.scrollHeight"
_OWN = """() => { const own = document.querySelector("main").getBoundingClientRect();
  return {x: own.x, y: own.y, width: own.width, height: own.height}; }"""


@dataclass(frozen=True)
class Fault:
    """Why two pictures are not alike, and one that shows where, on the faded page."""

    sentence: str
    difference: Image.Image


def names_of(page: MainPage) -> list[tuple[str, str, int]]:
    """Name, theme and width in pixels of each picture of a page."""
    themes = ("light", "dark") if page.dark else ("light",)
    return [
        (f"{page.name}-{width}{'-dark' if theme == 'dark' else ''}", theme, width)
        for theme in themes
        for width in WIDTHS
    ]


def taken(scene: Scene, what: MainPage) -> Iterator[tuple[str, Image.Image]]:
    """Each picture of the page by its name, at half the width."""
    with scene.window(what.who) as page:
        page.goto(scene.address(what))
        settle(page)
        if not what.whole:
            page.evaluate(_NO_MENU)
        for name, theme, width in names_of(what):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            yield name, whole(page, width, own_part=not what.whole).reduce(2)


def whole(page: Page, width: int, *, own_part: bool = False) -> Image.Image:
    """The page from its head to its end, in a window as high: what sticks to an edge is at the page's own."""
    page.set_viewport_size({"width": width, "height": 600})
    page.set_viewport_size({"width": width, "height": page.evaluate(_HEIGHT)})
    page.evaluate(_LAID_OUT_ANEW)
    clip = page.evaluate(_OWN) if own_part else None
    return Image.open(BytesIO(page.screenshot(clip=clip, animations="disabled"))).convert("RGB")


def compare(kept: Image.Image, seen: Image.Image) -> Fault | None:
    """None where nobody would see a difference."""
    kept, seen = kept.convert("RGB"), seen.convert("RGB")
    if kept.size != seen.size:
        return Fault(f"it is {_size(seen)} pixels large, and was {_size(kept)}", _difference(kept, seen)[0])
    difference, unlike, faint = _difference(kept, seen)
    if unlike > _ALLOWED:
        return Fault(f"{unlike} pixels are unlike, and {_ALLOWED} may be", difference)
    if faint > _ALLOWED_FAINT:
        return Fault(f"{faint:.0%} of it have another shade, and {_ALLOWED_FAINT:.0%} may have", difference)
    return None


def _size(picture: Image.Image) -> str:
    return f"{picture.width} × {picture.height}"


def _difference(kept: Image.Image, seen: Image.Image) -> tuple[Image.Image, int, float]:
    """The page with what is unlike in red and what has another shade in yellow; how many pixels are unlike, and which
    part of them is faintly so. What only one picture has is unlike.
    """
    size = max(kept.width, seen.width), max(kept.height, seen.height)
    one, other = (_on_ground(picture, size) for picture in (kept, seen))
    red, green, blue = ImageChops.difference(one, other).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    shown = Image.blend(other, Image.new("RGB", size, "white"), 0.6)
    for least, colour in ((_FAINT, "gold"), (_UNLIKE, "red")):
        shown.paste(ImageColor.getrgb(colour), mask=most.point([0] * (least + 1) + [255] * (255 - least)))
    number = most.histogram()
    return shown, sum(number[_UNLIKE + 1 :]), sum(number[_FAINT + 1 :]) / (size[0] * size[1])


def _on_ground(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    ground = Image.new("RGB", size, (255, 0, 255))
    ground.paste(picture)
    return ground


def kept(name: str) -> Path:
    return KEPT / f"{name}.webp"


def keep(name: str, picture: Image.Image) -> None:
    """Write it anew, unless what is kept shows the same."""
    file = kept(name)
    if file.exists() and compare(Image.open(file), picture) is None:
        return
    KEPT.mkdir(exist_ok=True)
    picture.save(file, lossless=True, quality=100, method=6)


def keep_all(scene: Scene) -> None:
    """All of the main pages; what belongs to no page any more is removed."""
    wanted = {kept(name) for page in MAIN_PAGES for name, _theme, _width in names_of(page)}
    for page in MAIN_PAGES:
        for name, picture in taken(scene, page):
            keep(name, picture)
    for file in set(KEPT.glob("*.webp")) - wanted:
        file.unlink()
