"""How pages print money, time, sizes and states."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString

from vmart.catalog import shop
from vmart.catalog.brand import BrandView
from vmart.kernel import clock
from vmart.pages import cells, console_words, event_words, local_time, printed, role_words, wording
from vmart.policy import policy
from vmart.policy.numbers import Policy

register = template.Library()


for _printed in (
    printed.money,
    printed.rate,
    printed.cents,
    printed.instant,
    printed.instant_told,
    printed.day,
    printed.hours,
    printed.memory,
    printed.size,
    printed.term,
    printed.percent,
    printed.plain_number,
):
    register.filter(_printed.__name__, _printed)


@register.simple_tag
def brand() -> BrandView:
    """Whose shop it is."""
    return shop.snapshot().brand


@register.simple_tag
def readers_zone() -> str:
    """Name of the zone in which all times are shown."""
    return local_time.zone().key


@register.simple_tag
def billing_zone() -> str:
    """Name of the zone whose days and months are charged."""
    return shop.snapshot().billing_zone.key


@register.simple_tag
def policy_now() -> Policy:
    """The numbers of the shop's policy that hold now."""
    return policy.at(clock.now())


@register.filter
def in_language(thing: Any, member: str) -> str:
    return wording.in_language(thing, member)


@register.filter
def item(mapping: Any, key: object) -> Any:
    """``errors|item:"count"``; "" where there is none."""
    return mapping.get(key, "")


@register.filter
def role(code: str) -> str:
    """What a member's role is called."""
    return role_words.title(code)


@register.filter
def component(name: str) -> Any:
    return wording.component(name)


@register.filter
def zone_name(code: str) -> str:
    """A zone, as ``ap-guangzhou-3``, or a region, as the catalog calls it in the reader's language."""
    here = shop.snapshot()
    named = here.zones.get(code) or here.regions.get(code)
    return wording.in_language(named, "name") if named else code


@register.filter
def region(code: str) -> SafeString:
    """``ap-guangzhou`` as the catalog calls it in the reader's language, with its flag."""
    return cells.region(code)


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
def reason(kept: Mapping[str, Any]) -> str:
    """Why, as an event's detail keeps it, for a buyer; "" of none."""
    return wording.reason(kept or {})


_WORDS: dict[str, dict[str, Any]] = {
    "charge_type": wording.CHARGE_TYPES,
    "internet": wording.INTERNET,
    "kind": wording.KINDS,
    "event": event_words.EVENTS,
    "provider": wording.PROVIDERS,
    "action": wording.ACTIONS,
    "apart": wording.APART,
    "ssh_reach": wording.SSH_REACH,
    "console_end": console_words.ENDS,
}


@register.filter
def word(code: str, what: str) -> Any:
    """``machine.charge_type|word:"charge_type"``: what people call it."""
    return _WORDS[what].get(code, code)


register.simple_tag(cells.state, name="state_badge")
register.simple_tag(cells.disk_state, name="disk_badge")
register.simple_tag(cells.snapshot_state, name="snapshot_badge")
register.simple_tag(cells.image_state, name="image_badge")
register.simple_tag(cells.order_status, name="order_badge")
register.simple_tag(cells.payment_state, name="payment_badge")
register.simple_tag(cells.line_state, name="line_badge")


@register.inclusion_tag("pages/error.html")
def error_of(errors: Any, name: str) -> dict[str, Any]:
    """The message beside a field; its id is ``error-<name>``."""
    return {"name": name, "text": errors.get(name, "") if errors else ""}
