"""The seller's logo: any picture that somebody sends becomes a small PNG of our own making, or is refused.

Nothing of the file itself is ever served: its pixels are read and written anew, so that what hides in a picture
(text, places, programs) stays behind. SVG is a program as much as a picture, and is refused.
"""

import base64
import binascii
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Pillow is loaded with the first picture: a shop that stands idle does not pay for it
    from PIL import Image

BYTES_MAX = 2 * 1024 * 1024
SIDE_MAX = 4096  # px of what is sent
WIDTH, HEIGHT = 512, 128  # px at most of what is kept
ICON = 64  # px
_PREFIX = "data:image/png;base64,"
_FORMATS = ("PNG", "WEBP")


class NoLogo(ValueError):
    """What was sent is no picture that this shop takes; the text is the English msgid of a page's sentence."""


@dataclass(frozen=True, slots=True)
class Logo:
    """PNG files: the logo as the pages show it, with its size in px, and a square of it for the browser's tab."""

    png: bytes
    icon: bytes
    width: int
    height: int

    @property
    def text(self) -> str:
        """As a catalog file has it."""
        return _PREFIX + base64.b64encode(self.png).decode()


def read(sent: bytes) -> Logo:
    """The logo out of a PNG or WebP file. Raises NoLogo."""
    from PIL import Image

    if len(sent) > BYTES_MAX:
        raise NoLogo("The picture is larger than 2 MiB: save a smaller one.")
    picture = _pixels(sent)
    picture.thumbnail((WIDTH, HEIGHT))
    icon = picture.copy()
    icon.thumbnail((ICON, ICON))
    square = Image.new("RGBA", (ICON, ICON))
    square.paste(icon, ((ICON - icon.width) // 2, (ICON - icon.height) // 2))
    return Logo(_png(picture), _png(square), picture.width, picture.height)


def of_text(text: str) -> Logo:
    """The logo out of what a catalog file says. Raises NoLogo."""
    if not text.startswith(_PREFIX):
        raise NoLogo("A logo in a catalog file begins with data:image/png;base64,")
    try:
        return read(base64.b64decode(text.removeprefix(_PREFIX), validate=True))
    except binascii.Error as error:
        raise NoLogo("The logo is not written in base64.") from error


def _pixels(sent: bytes) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    if b"<svg" in sent[:4096].lower():
        raise NoLogo("SVG pictures are not taken, since they can hold programs: save it as PNG or WebP.")
    try:
        with Image.open(io.BytesIO(sent), formats=_FORMATS) as picture:
            if max(picture.size) > SIDE_MAX:  # known before a pixel is read
                raise _too_many()
            return picture.convert("RGBA")
    except NoLogo:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many() from error
    except UnidentifiedImageError as error:
        raise NoLogo("This is no picture in PNG or WebP.") from error
    except Exception as error:  # a broken file makes Pillow's readers raise whatever they like
        raise NoLogo("The picture is damaged: save it anew.") from error


def _too_many() -> NoLogo:
    return NoLogo("The picture is more than 4096 pixels wide or high: save a smaller one.")


def _png(picture: "Image.Image") -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
