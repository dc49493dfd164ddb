"""Whose shop it is: the section ``shop`` of a catalog file, and how pages have it out of the snapshot."""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vmart.catalog import colour, logo
from vmart.kernel import clock

NAME_EN = NAME_ZH = "vmart"  # of a shop that says none
LEGAL_MAX = 20_000
_EMAIL = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("one line of printable text is expected, without blanks around it")
    return text


class ShopName(_Part):
    """What the shop is called, in both languages."""

    en: str = Field(min_length=1, max_length=40)
    zh: str = Field(min_length=1, max_length=40)

    _line = field_validator("en", "zh")(_one_line)


class LegalText(_Part):
    """Plain text of some pages, in both languages; an empty line parts paragraphs."""

    en: str = Field(min_length=1, max_length=LEGAL_MAX)
    zh: str = Field(min_length=1, max_length=LEGAL_MAX)


class Colour(_Part):
    """The main colour in each theme; text in it has a contrast of 4.5 : 1 on everything that it stands on."""

    light: str
    dark: str

    @field_validator("light", "dark")
    @classmethod
    def _is_a_colour(cls, text: str) -> str:
        if not colour.is_colour(text.lower()):
            raise ValueError(f"{text!r:.20} is no colour: six hexadecimal digits are expected, as in #08695a")
        return text.lower()

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        for theme in (colour.LIGHT, colour.DARK):
            if found := colour.too_pale(theme, getattr(self, theme)):
                raise ValueError(
                    f"{theme}: {getattr(self, theme)} has a contrast of {found.contrast:.2f} : 1 on {found.ground};"
                    f" {colour.CONTRAST_LEAST} : 1 is needed. {found.instead} would do"
                )
        return self


class Brand(_Part):
    """The section ``shop`` of a catalog file. What it leaves away is vmart's own, or is not shown."""

    name: ShopName = ShopName(en=NAME_EN, zh=NAME_ZH)
    logo: str | None = None
    colour: Colour | None = None
    support: Annotated[str, Field(pattern=_EMAIL, max_length=254)] | None = None
    terms: LegalText | None = None
    imprint: LegalText | None = None
    billing_zone: str | None = None  # before the first price book; then it is the shop's for good

    @field_validator("billing_zone")
    @classmethod
    def _has_whole_hours(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError(f"there is no time zone {name!r:.40} (Asia/Shanghai, Europe/Berlin)")
        if name is not None and not clock.has_whole_hours(ZoneInfo(name), clock.wall()):
            raise ValueError(f"{name} is not whole hours from UTC, and charges are of whole UTC hours")
        return name

    @field_validator("logo")
    @classmethod
    def _is_a_picture(cls, text: str | None) -> str | None:
        if text is not None:
            logo.of_text(text)
        return text

    def row(self) -> dict[str, Any]:
        """As the catalog's table keeps it, but for the pictures; "" for what is left away."""
        texts = {"name": self.name, "terms": self.terms, "imprint": self.imprint}
        row = {f"{what}_{language}": getattr(said, language) if said else ""
               for what, said in texts.items() for language in ("en", "zh")}  # fmt: skip
        return row | {
            "colour_light": self.colour.light if self.colour else "",
            "colour_dark": self.colour.dark if self.colour else "",
            "support": self.support or "",
            "logo_sha256": hashlib.sha256(self.logo.encode()).hexdigest() if self.logo else "",
        }

    def pictures(self) -> dict[str, Any]:
        """The logo's files and size; empty of a shop without one."""
        if self.logo is None:
            return {"logo": b"", "icon": b"", "logo_width": 0, "logo_height": 0}
        made = logo.of_text(self.logo)
        return {"logo": made.png, "icon": made.icon, "logo_width": made.width, "logo_height": made.height}


@dataclass(frozen=True, slots=True)
class BrandView:
    """The shop's own look and words, as every page has them. Texts are "" where the seller says none."""

    name_en: str = NAME_EN
    name_zh: str = NAME_ZH
    colour_light: str = ""
    colour_dark: str = ""
    support: str = ""
    terms_en: str = ""
    terms_zh: str = ""
    imprint_en: str = ""
    imprint_zh: str = ""
    logo_sha256: str = ""
    logo_width: int = 0
    logo_height: int = 0
    logo: bytes = field(default=b"", repr=False)
    icon: bytes = field(default=b"", repr=False)

    @property
    def logo_id(self) -> str:
        """What the logo's address ends with: another logo has another; "" where there is none."""
        return self.logo_sha256[:16]

    @property
    def style(self) -> str:
        """The style sheet of the shop's own colour; "" where there is none."""
        return colour.style(self.colour_light, self.colour_dark) if self.colour_light else ""

    @property
    def style_id(self) -> str:
        """What the style sheet's address ends with; "" where there is none."""
        return hashlib.sha256(self.style.encode()).hexdigest()[:16] if self.colour_light else ""
