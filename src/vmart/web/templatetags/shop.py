"""How pages print money, time, sizes and states."""

import datetime as dt
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from vmart.catalog import shop
from vmart.kernel import clock
from vmart.kernel import money as money_shown
from vmart.kernel.money import exponent, half_up
from vmart.listings.attention import Need
from vmart.listings.checklist import Step
from vmart.policy import policy
from vmart.policy.numbers import Policy
from vmart.web import offer, wording

register = template.Library()


@register.filter
def money(amount_minor: int) -> str:
    """Minor units as "¥1,234.50"; negative ones as "−¥1.00"."""
    return money_shown.shown_minor(int(amount_minor), shop.snapshot().currency)


@register.filter
def rate(amount: Decimal) -> str:
    """An exact price with all its decimals, at least those of the currency."""
    currency = shop.snapshot().currency
    places = exponent(currency)
    plain = amount.normalize()
    shown = max(places, -int(plain.as_tuple().exponent)) if plain else places
    return money_shown.shown(amount.quantize(Decimal(1).scaleb(-shown)), currency)


@register.filter
def cents(amount: Decimal) -> str:
    """An exact amount rounded to the currency's decimals."""
    currency = shop.snapshot().currency
    return money_shown.shown(half_up(amount, exponent(currency)), currency)


@register.filter
def instant(at: dt.datetime | None) -> SafeString | str:
    """A time in the billing zone, to the second; one that the clocks show twice in autumn with its distance to UTC."""
    if at is None:
        return "—"
    local = at.astimezone(shop.snapshot().billing_zone)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    which = f" UTC{local.isoformat(timespec='seconds')[19:]}" if twice else ""
    return format_html('<time datetime="{}">{}{}</time>', at.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}", which)


@register.filter
def day(at: dt.datetime) -> SafeString:
    """A date in the billing zone."""
    local = at.astimezone(shop.snapshot().billing_zone)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), f"{local:%Y-%m-%d}")


@register.simple_tag
def billing_zone() -> str:
    """Name of the zone in which all times are shown."""
    return shop.snapshot().billing_zone.key


@register.simple_tag
def policy_now() -> Policy:
    """The numbers of the shop's policy that hold now."""
    return policy.at(clock.now())


@register.filter
def hours(seconds: int) -> int:
    return seconds // 3600


@register.filter
def memory(mib: int) -> str:
    """MiB as GiB where whole."""
    return f"{mib // 1024} GiB" if mib % 1024 == 0 else f"{mib} MiB"


@register.filter
def gib(mib: int) -> int:
    return mib // 1024


@register.filter
def size(count: int) -> str:
    """Bytes in the binary unit that fits; 1 GiB is 2^30."""
    amount = Decimal(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.2f} {unit}"


@register.filter
def in_language(thing: Any, member: str) -> str:
    return wording.in_language(thing, member)


@register.filter
def plain_number(amount: Decimal) -> str:
    """A number without trailing zeros: 12, 16.5."""
    return format(amount.normalize(), "f")


@register.filter
def item(mapping: Any, key: object) -> Any:
    """``errors|item:"count"``; "" where there is none."""
    return mapping.get(key, "")


@register.filter
def stock(option: offer.TypeOption) -> str:
    return offer.stock(option)


@register.filter
def component(name: str) -> Any:
    return wording.component(name)


@register.filter
def zone_name(code: str) -> str:
    """``ap-guangzhou-3`` as the catalog calls it in the reader's language."""
    zone = shop.snapshot().zones.get(code)
    return wording.in_language(zone, "name") if zone else code


@register.filter
def disk_type(code: str) -> str:
    return wording.disk_type(code)


@register.filter
def said(text: str) -> str:
    """A stored English sentence in the reader's language, where known."""
    return wording.said(text)


@register.filter
def said_to_buyer(text: str) -> str:
    """A stored English sentence for a buyer: what only the seller can mend is not told in his words."""
    return wording.said_to_buyer(text)


@register.filter
def filled(step: Step) -> str:
    """What a step of the seller's checklist says, in the reader's language."""
    return gettext(step.sentence).format(**step.params)


@register.filter
def says(need: Need) -> str:
    """What a line of the seller's attention list is, in the reader's language."""
    return wording.says(need.cause.says, need.places)


_WORDS: dict[str, dict[str, Any]] = {
    "charge_type": wording.CHARGE_TYPES,
    "internet": wording.INTERNET,
    "kind": wording.KINDS,
    "event": wording.EVENTS,
    "subject": wording.SUBJECTS,
    "transfer": wording.TRANSFERS,
    "purse": wording.PURSES,
    "operation": wording.OPERATIONS,
    "provider": wording.PROVIDERS,
    "filter": wording.FILTERS,
    "action": wording.ACTIONS,
    "step": wording.STEPS,
    "quota": wording.QUOTAS,
}


@register.filter
def word(code: str, what: str) -> Any:
    """``machine.charge_type|word:"charge_type"``: what people call it."""
    return _WORDS[what].get(code, code)


@register.inclusion_tag("web/parts/badge.html")
def state_badge(state: str) -> dict[str, Any]:
    tone = "busy" if state in wording.IN_BETWEEN else wording.STATE_TONES.get(state, "idle")
    return {"text": wording.STATES.get(state, state), "tone": tone}


@register.inclusion_tag("web/parts/badge.html")
def order_badge(status: int) -> dict[str, Any]:
    text, tone = wording.ORDER_STATUS.get(status, (str(status), "idle"))
    return {"text": text, "tone": tone}


@register.inclusion_tag("web/parts/badge.html")
def payment_badge(state: str) -> dict[str, Any]:
    text, tone = wording.PAYMENT_STATES.get(state, (state, "idle"))
    return {"text": text, "tone": tone}


@register.inclusion_tag("web/parts/badge.html")
def line_badge(state: str) -> dict[str, Any]:
    text, tone = wording.LINE_STATES.get(state, (state, "idle"))
    return {"text": text, "tone": tone}


@register.simple_tag
def focus(shown: offer.Offer, name: str) -> SafeString:
    """Puts the cursor there when a refused form has its first error in this field."""
    return SafeString(" autofocus" if shown.focus == name else "")


@register.simple_tag
def wrong(shown: offer.Offer, name: str) -> SafeString:
    """Marks a field of the purchase form that has an error."""
    return SafeString(' aria-invalid="true"') + focus(shown, name) if name in shown.errors else SafeString("")


@register.inclusion_tag("web/parts/error.html")
def error_of(errors: Any, name: str) -> dict[str, Any]:
    """The message beside a field; its id is ``error-<name>``."""
    return {"name": name, "text": errors.get(name, "") if errors else ""}
