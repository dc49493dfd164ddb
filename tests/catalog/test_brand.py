"""The shop's own look: which colours can be read, which files are a logo, and what a catalog file may say of it."""

import base64
import io
import re
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.database import DEMO_CATALOG
from tests.support.running_shop import ROOT
from vmart.catalog import colour, logo
from vmart.catalog.document import parse_catalog
from vmart.kernel.documents import DocumentError, read_yaml

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
THEMES = st.sampled_from([colour.LIGHT, colour.DARK])


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 100), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", size, (8, 105, 90, 255)).save(file, kind, **options)
    return file.getvalue()


def test_contrast_is_that_of_the_standard() -> None:
    assert colour.contrast("#000000", "#ffffff") == 21
    assert colour.contrast("#ffffff", "#ffffff") == 1
    assert round(colour.contrast("#777777", "#ffffff"), 2) == 4.48  # the grey that just fails
    assert round(colour.contrast("#767676", "#ffffff"), 2) == 4.54


def test_the_grounds_and_the_shops_own_colour_are_those_of_the_tokens() -> None:
    tokens = (ROOT / "src/vmart/pages/static/pages/tokens.css").read_text()

    def said(name: str) -> dict[str, str]:
        found = re.search(rf"--{name}: light-dark\((#[0-9a-f]{{6}}), (#[0-9a-f]{{6}})\)", tokens)
        assert found, name
        return {"light": found[1], "dark": found[2]}

    for name in ("paper", "ground", "sunk"):
        assert said(name) == {theme: colour.GROUNDS[theme][name] for theme in ("light", "dark")}
    assert said("brand") == dict(colour.OWN)


@given(theme=THEMES, chosen=COLOURS)
def test_what_is_proposed_can_be_read_and_what_can_be_read_is_left_alone(theme: str, chosen: str) -> None:
    near = colour.nearest(theme, chosen)
    assert colour.too_pale(theme, near) is None
    assert (near == chosen) is (colour.too_pale(theme, chosen) is None)
    assert min(colour.contrast(near, ground) for ground in colour.GROUNDS[theme].values()) >= 4.5
    assert colour.contrast(near, colour.soft(theme, near)) >= 4.5


@given(theme=THEMES, chosen=COLOURS)
def test_what_stands_on_a_button_can_be_read(theme: str, chosen: str) -> None:
    near, strong = colour.nearest(theme, chosen), {"light": 0, "dark": 1}[theme]
    tokens = colour.tokens(*([near, colour.OWN["dark"]] if theme == "light" else [colour.OWN["light"], near]))
    pairs = {name: re.findall(r"#[0-9a-f]{6}", value)[strong] for name, value in tokens.items()}
    assert colour.contrast(pairs["--on-brand"], pairs["--brand"]) >= 4.5
    assert colour.contrast(pairs["--on-brand"], pairs["--brand-strong"]) >= 4.5


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_logo_becomes_a_small_png(kind: str) -> None:
    made = logo.read(picture(kind, (1200, 400)))
    assert (made.width, made.height) == (384, 128)
    with Image.open(io.BytesIO(made.icon)) as icon:
        assert (icon.format, icon.size) == ("PNG", (64, 64))
    again = logo.of_text(made.text)
    assert (again.png, again.icon) == (made.png, made.icon)


def test_what_hides_in_a_picture_stays_behind() -> None:
    sent = picture()
    text = b"tEXtComment\0<script>alert(1)</script>"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    sent = sent[:33] + chunk + sent[33:] + b"<?php tail ?>"
    assert b"script" in sent
    made = logo.read(sent)
    assert b"script" not in made.png + made.icon
    assert b"php" not in made.png + made.icon


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (SVG, "SVG pictures are not taken, since they can hold programs: save it as PNG or WebP."),
        (b"<html><script>alert(1)</script>", "This is no picture in PNG or WebP."),
        (b"", "This is no picture in PNG or WebP."),
        (b"GIF89a\1\0\1\0\0\0\0;", "This is no picture in PNG or WebP."),
        (picture("GIF"), "This is no picture in PNG or WebP."),
        (picture()[:60], "The picture is damaged: save it anew."),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "This is no picture in PNG or WebP."),
        (b"\0" * (2 * 1024 * 1024 + 1), "The picture is larger than 2 MiB: save a smaller one."),
        (picture(size=(4097, 1)), "The picture is more than 4096 pixels wide or high: save a smaller one."),
        (picture(size=(20000, 20000)), "The picture is more than 4096 pixels wide or high: save a smaller one."),
    ],
    ids=["svg", "html", "nothing", "broken gif", "gif", "cut", "head alone", "too large", "too wide", "bomb"],
)
def test_what_is_no_logo_is_refused(sent: bytes, says: str) -> None:
    with pytest.raises(logo.NoLogo) as refused:
        logo.read(sent)
    assert str(refused.value) == says


def _with(section: object) -> list[str]:
    try:
        parse_catalog(read_yaml(DEMO_CATALOG.read_text()) | {"shop": section})
    except DocumentError as error:
        return error.problems
    return []


def test_a_catalog_file_says_whose_shop_it_is() -> None:
    assert _with({"name": {"en": "Northwind", "zh": "北风"}, "support": "help@northwind.example"}) == []
    assert _with({"colour": {"light": "#0B5CAD", "dark": "#7db8ff"}, "logo": logo.read(picture()).text}) == []


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"colour": {"light": "#ffcc00", "dark": "#7db8ff"}},
         "shop.colour: light: #ffcc00 has a contrast of 1.34 : 1 on #eef2f0; 4.5 : 1 is needed. #846a00 would do"),
        ({"colour": {"light": "#0b5cad", "dark": "#0b5cad"}},
         "shop.colour: dark: #0b5cad has a contrast of 2.35 : 1 on #1d2522; 4.5 : 1 is needed. #568ec6 would do"),
        ({"colour": {"light": "red;}", "dark": "#7db8ff"}},
         "shop.colour.light: 'red;}' is no colour: six hexadecimal digits are expected, as in #08695a"),
        ({"logo": "https://elsewhere.example/logo.png"},
         "shop.logo: A logo in a catalog file begins with data:image/png;base64,"),
        ({"logo": "data:image/png;base64," + base64.b64encode(SVG).decode()},
         "shop.logo: SVG pictures are not taken, since they can hold programs: save it as PNG or WebP."),
        ({"logo": "data:image/png;base64,%%%"}, "shop.logo: The logo is not written in base64."),
        ({"name": {"en": "a\nb", "zh": "a"}},
         "shop.name.en: one line of printable text is expected, without blanks around it"),
        ({"motto": "x"}, "shop.motto: is not known here"),
    ],
    ids=["pale", "dark", "no colour", "address", "svg", "no base64", "two lines", "unknown"],
)  # fmt: skip
def test_what_a_file_says_wrongly_is_refused_at_its_path(section: object, problem: str) -> None:
    assert [said.partition(", not ")[0] for said in _with(section)] == [problem]
