"""The parts that pages are put together from: frame, lists, facts, figures."""

from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, Select
from django.http import HttpRequest
from django.middleware import csrf
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from vmart.pages import cells, menu, permitted, theme
from vmart.pages.table import Shown

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture beside a word that says the same; its names are in ``assets/icons.txt``."""
    shape = '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>'
    return format_html(shape, static("vendor/icons.svg"), name)


_SYSTEMS = {"Debian": "brand-debian", "Ubuntu": "brand-ubuntu", "Windows": "brand-windows"}


@register.simple_tag
def system_icon(os_name: str) -> SafeString:
    """The mark of an operating system, ``Debian 12 64-bit``; a disc for one that has none here."""
    return icon(next((mark for name, mark in _SYSTEMS.items() if os_name.startswith(name)), "disc"))


@register.simple_tag
def flag(country: str) -> SafeString:
    """``{% flag region.country %}`` beside the region's name."""
    return cells.flag(country)


@register.simple_tag
def theme_of(request: HttpRequest) -> str:
    """``light`` or ``dark``; "" where the browser decides."""
    return theme.chosen(request)


@register.inclusion_tag("pages/links.html")
def menu_for(request: HttpRequest) -> dict[str, Any]:
    """The menu of who looks at the page, with the page's own entry marked."""
    match = request.resolver_match
    view = match.view_name if match else ""
    groups = [(group.title, group.marked(view, request.user)) for group in menu.groups_for(request.user)]
    may_buy = permitted.may(request.user, menu.BUY.view, sending=True)
    return {"buy": menu.BUY, "buys": menu.BUY.is_of(view), "may_buy": may_buy, "groups": groups}


def _token(shown: Shown[Any]) -> dict[str, Any]:
    """For ``{% csrf_token %}`` in a part that has no context of the page; a list without a page has none."""
    return {"csrf_token": csrf.get_token(shown.request)} if hasattr(shown.request, "META") else {}


@register.inclusion_tag("pages/table.html")
def table(shown: Shown[Any]) -> dict[str, Any]:
    """A list with its heads, its rows and the way to the next page; what to do where there is none."""
    onward = shown.table.onward
    user = getattr(shown.request, "user", None)  # of none: a list without a page
    offered = onward and permitted.may(user, onward[0], sending=onward[0] == menu.BUY.view)
    here = {"shown": shown, "onward": reverse(onward[0]) if onward and offered else ""}
    rows = list(shown.rows)
    acts = any(row.acts for row in rows)
    return here | {"rows": rows, "buttons": shown.chosen_buttons, "acts": acts} | (_token(shown) if acts else {})


@register.inclusion_tag("pages/filters.html")
def filters(shown: Shown[Any]) -> dict[str, Any]:
    """The form that narrows a list; its order stays."""
    order = shown.table.order(shown.request.GET)
    here = {"shown": shown, "kept": [("order", order)] if order else []}
    return here | (_token(shown) if shown.choices else {})


@register.simple_block_tag
def fact(content: str, title: str, css: str = "") -> SafeString:
    """``{% fact title %}value{% endfact %}`` in ``<dl class="facts">``."""
    return render_to_string("pages/fact.html", {"content": content, "title": title, "css": css})


@register.simple_block_tag
def figure(content: str, title: str, first: bool = False, id: str = "") -> SafeString:
    """A large number with its name, in ``<dl class="figures">``; ``first`` is the one that counts."""
    return render_to_string("pages/figure.html", {"content": content, "title": title, "first": first, "id": id})


@register.simple_block_tag
def drop(content: str, title: str, id: str) -> SafeString:
    """A button that unfolds acts (``class="item"``); nothing where there is none."""
    if not content.strip():
        return SafeString("")
    return render_to_string("pages/drop.html", {"content": content, "title": title, "id": id})


@register.simple_tag
def control(field: BoundField, hint: str = "") -> SafeString:
    """What a field is typed into; its label says what it is, so there is no placeholder. ``hint``: beside its own.

    With what the page showed beside it, where the form asks what was changed of that.
    """
    widget = field.field.widget
    css = "form-check-input" if isinstance(widget, CheckboxInput) else "form-control"
    css = "form-select" if isinstance(widget, Select) else css
    own = widget.attrs.get("class", "")
    attrs: dict[str, str | bool] = {"class": f"{css} {own}".strip(), "placeholder": False}
    if hint and not field.help_text:
        told = [f"{field.auto_id}_helptext", *([f"{field.auto_id}_error"] if field.errors else [])]
        attrs["aria-describedby"] = " ".join(told)
    shown = field.as_widget(attrs=attrs)
    return shown + field.as_hidden(only_initial=True) if field.field.show_hidden_initial else shown
