"""Tags of the purchase page alone."""

from django import template
from django.utils.safestring import SafeString

from vmart.listings.launch_templates import TemplateView
from vmart.web import from_template, offer

register = template.Library()


@register.simple_tag
def focus(shown: offer.Offer, name: str) -> SafeString:
    """Puts the cursor there when a refused form has its first error in this field."""
    return SafeString(" autofocus" if shown.focus == name else "")


@register.simple_tag
def wrong(shown: offer.Offer, name: str) -> SafeString:
    """Marks a field of the purchase form that has an error."""
    return SafeString(' aria-invalid="true"') + focus(shown, name) if name in shown.errors else SafeString("")


@register.simple_tag
def version_address(row: TemplateView) -> str:
    """The purchase page's query with the default version of a launch template in it."""
    return from_template.address_of(row.public_id, row.default_version, row.contents)
