"""How money, time and sizes are printed: on pages by the filters of the same names, in cells of tables by these."""

import datetime as dt
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from vmart.catalog import shop
from vmart.kernel import money as money_shown
from vmart.kernel.money import exponent, half_up
from vmart.pages import local_time
from vmart.pricing.book import BANDWIDTH, CPU
from vmart.pricing.priced import Term


def money(amount_minor: int) -> str:
    """Minor units as "¥1,234.50"; negative ones as "−¥1.00"."""
    return money_shown.shown_minor(int(amount_minor), shop.snapshot().currency)


def months(count: int) -> str:
    """A term."""
    return ngettext("{count} month", "{count} months", count).format(count=count)


def rate(amount: Decimal) -> str:
    """An exact price with all its decimals, at least those of the currency."""
    currency = shop.snapshot().currency
    places = exponent(currency)
    plain = amount.normalize()
    shown = max(places, -int(plain.as_tuple().exponent)) if plain else places
    return money_shown.shown(amount.quantize(Decimal(1).scaleb(-shown)), currency)


def cents(amount: Decimal) -> str:
    """An exact amount rounded to the currency's decimals."""
    currency = shop.snapshot().currency
    return money_shown.shown(half_up(amount, exponent(currency)), currency)


def instant(at: dt.datetime | None) -> SafeString | str:
    """A time in the reader's zone, to the second; one that the clocks show twice in autumn with its distance to UTC."""
    if at is None:
        return "—"
    local = at.astimezone(local_time.zone())
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    which = f" UTC{local.isoformat(timespec='seconds')[19:]}" if twice else ""
    return format_html('<time datetime="{}">{}{}</time>', at.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}", which)


def instant_told(text: str) -> SafeString | str:
    """``instant`` of what an event keeps of one."""
    return instant(dt.datetime.fromisoformat(text))


def day(at: dt.datetime) -> SafeString:
    """A date in the billing zone."""
    local = at.astimezone(shop.snapshot().billing_zone)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), f"{local:%Y-%m-%d}")


def hours(seconds: int) -> int:
    return seconds // 3600


def memory(mib: int) -> str:
    """MiB as GiB where whole."""
    return f"{mib // 1024} GiB" if mib % 1024 == 0 else f"{mib} MiB"


def gib(mib: int) -> int:
    return mib // 1024


def size(count: int) -> str:
    """Bytes in the binary unit that fits; 1 GiB is 2^30."""
    amount = Decimal(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.2f} {unit}"


def term(paid: Term) -> str:
    """What is paid for by the month: a type, a size, a speed."""
    component, key, quantity = paid
    if component == CPU:
        return key.rpartition("/")[2]
    return f"{quantity} Mbps" if component == BANDWIDTH else f"{quantity} GiB"


def percent(factor: Decimal) -> str:
    """A part of something: "87.5 %" of 0.875, in one line."""
    return f"{plain_number(factor * 100)}\N{NO-BREAK SPACE}%"


def plain_number(amount: Decimal) -> str:
    """A number without trailing zeros: 12, 16.5."""
    return format(amount.normalize(), "f")
