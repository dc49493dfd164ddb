"""What cells of tables are made of: a second line, a link, a badge of a state. All of it is safe HTML."""

from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from vmart.catalog import shop
from vmart.orders.disks import own
from vmart.orders.things import is_under_way
from vmart.pages import wording
from vmart.storage.models import Disk

NOTHING = "—"


def together(*parts: object) -> SafeString:
    """The parts one after the other, each escaped unless it is HTML already."""
    return format_html_join("", "{}", ((part,) for part in parts))


def soft(text: object, css: str = "") -> SafeString:
    """A second, softer line; nothing for an empty text."""
    return format_html('<span class="{}">{}</span>', f"soft {css}".strip(), text) if text else SafeString("")


def link(address: str, text: object, css: str = "") -> SafeString:
    if css:
        return format_html('<a href="{}" class="{}">{}</a>', address, css, text)
    return format_html('<a href="{}">{}</a>', address, text)


def struck(text: object) -> SafeString:
    """What does not hold any more."""
    return format_html('<s class="soft">{}</s>', text)


def badge(text: object, tone: str) -> SafeString:
    """``tone``: good, warn, bad, busy or idle."""
    return format_html('<span class="state {}">{}</span>', tone, text)


def flag(country: str) -> SafeString:
    """The flag of a country, by its two letters, beside the name of a place there; nothing where none is said."""
    if not country:
        return SafeString("")
    shape = '<img class="flag" src="{}" width="20" height="15" alt="">'
    return format_html(shape, static(f"vendor/flags/{country.lower()}.svg"))


def region(code: str) -> SafeString:
    """``ap-guangzhou`` as the catalog calls it in the reader's language, with its flag."""
    found = shop.snapshot().regions[code]
    return together(flag(found.country), wording.in_language(found, "name"))


def state(code: str) -> SafeString:
    """A machine's."""
    tone = "busy" if code in wording.IN_BETWEEN else wording.STATE_TONES.get(code, "idle")
    return badge(wording.STATES.get(code, code), tone)


def disk_state(disk: Disk) -> SafeString:
    """Of a disk with a life of its own."""
    return badge(*wording.DISK_STATES["EXPANDING" if is_under_way(disk, own.RESIZE) else disk.state])


def snapshot_state(code: str) -> SafeString:
    return badge(*wording.SNAPSHOT_STATES[code])


def image_state(code: str) -> SafeString:
    return badge(*wording.IMAGE_STATES[code])


def order_status(status: int) -> SafeString:
    return badge(*wording.ORDER_STATUS.get(status, (str(status), "idle")))


def payment_state(code: str) -> SafeString:
    return badge(*wording.PAYMENT_STATES.get(code, (code, "idle")))


def card_refund_state(code: str) -> SafeString:
    return badge(*wording.CARD_REFUND_STATES.get(code, (code, "idle")))


def line_state(code: str) -> SafeString:
    """Of a machine in an order."""
    return badge(*wording.LINE_STATES.get(code, (code, "idle")))
