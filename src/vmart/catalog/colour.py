"""The seller's main colour: whether text in it can be read, and the tokens that it makes (docs/design.md).

Pure. Contrast is that of WCAG 2.2 (relative luminance of sRGB); what the colour stands on are the tokens of
``pages/static/pages/tokens.css``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

CONTRAST_LEAST = 4.5
LIGHT, DARK = "light", "dark"
GROUNDS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    LIGHT: {"paper": "#ffffff", "ground": "#f5f7f6", "sunk": "#eef2f0"},
    DARK: {"paper": "#151b19", "ground": "#0d1211", "sunk": "#1d2522"},
})  # fmt: skip
OWN: Mapping[str, str] = MappingProxyType({LIGHT: "#08695a", DARK: "#58d3b9"})  # of a shop that says none
_ON = {LIGHT: "#ffffff", DARK: "#0d1211"}  # what stands on a button
_TOWARDS = {LIGHT: "#000000", DARK: "#ffffff"}
_HEX = re.compile(r"#[0-9a-f]{6}")
_STRONGER, _SOFT_PERCENT = 25, 10


@dataclass(frozen=True, slots=True)
class TooPale:
    """Where text of a colour is not read well: the worst ground, its contrast, and the next colour that would do."""

    theme: str
    ground: str
    contrast: float
    instead: str


def is_colour(text: str) -> bool:
    """Whether the text is a colour as this shop writes it: ``#08695a``."""
    return _HEX.fullmatch(text) is not None


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def too_pale(theme: str, colour: str) -> TooPale | None:
    """What is wrong with a colour in a theme; None where text in it is read on everything that it stands on."""
    worst = min(GROUNDS[theme].values(), key=lambda ground: contrast(colour, ground))
    found = contrast(colour, worst)
    return None if found >= CONTRAST_LEAST else TooPale(theme, worst, found, nearest(theme, colour))


def nearest(theme: str, colour: str) -> str:
    """The colour itself, or the first towards black (dark theme: white) that can be read."""
    for percent in range(101):
        mixed = mix(colour, _TOWARDS[theme], percent)
        if all(contrast(mixed, ground) >= CONTRAST_LEAST for ground in GROUNDS[theme].values()):
            return mixed
    raise AssertionError("black and white can be read on every ground")


def mix(colour: str, other: str, percent: int) -> str:
    """``percent`` of ``other`` and the rest of ``colour``, each channel rounded down."""
    return "#" + "".join(
        f"{(a * (100 - percent) + b * percent) // 100:02x}"
        for a, b in zip(_channels(colour), _channels(other), strict=True)
    )


def tokens(light: str, dark: str) -> dict[str, str]:
    """The tokens of the shop's own colour, each for both themes; the colours can be read."""
    both = {LIGHT: light, DARK: dark}
    return {
        "--brand": _of_both(both),
        "--brand-strong": _of_both({theme: mix(own, _TOWARDS[theme], _STRONGER) for theme, own in both.items()}),
        "--on-brand": _of_both(_ON),
        "--brand-soft": _of_both({theme: soft(theme, own) for theme, own in both.items()}),
    }


def soft(theme: str, colour: str) -> str:
    """The sheet with a little of the colour in it, on which the colour itself can still be read."""
    paper = GROUNDS[theme]["paper"]
    for percent in range(_SOFT_PERCENT, 0, -1):
        mixed = mix(paper, colour, percent)
        if contrast(colour, mixed) >= CONTRAST_LEAST:
            return mixed
    return paper


def style(light: str, dark: str) -> str:
    """The style sheet that puts the colour over the shop's own."""
    said = " ".join(f"{name}: {value};" for name, value in tokens(light, dark).items())
    return f":root {{ {said} }}\n"


def _of_both(colours: Mapping[str, str]) -> str:
    return f"light-dark({colours[LIGHT]}, {colours[DARK]})"


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
