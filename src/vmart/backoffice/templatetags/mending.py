"""What a line of the attention list is about, with the way to where it is mended, for who may go there."""

from typing import Any

from django import template
from django.urls import resolve
from django.utils.html import format_html
from django.utils.safestring import SafeString

from vmart.backoffice.mending import where
from vmart.listings.attention import Need
from vmart.pages import event_words, permitted
from vmart.pages.cells import NOTHING, link, soft, together
from vmart.pages.table import MONO

register = template.Library()


@register.simple_tag(takes_context=True)
def attention_subject(context: Any, need: Need) -> SafeString:
    name, place = need.subject or NOTHING, where(need)
    opens = place and permitted.may(context["request"].user, resolve(place).view_name)
    named = link(place, name, MONO) if opens else format_html('<span class="mono">{}</span>', name)
    return together(named, soft(event_words.SUBJECTS.get(need.subject_kind, need.subject_kind)))
