"""What pages offer a member: nothing that the server would refuse to his role."""

from typing import Any

from django import template
from django.utils.safestring import SafeString

from vmart.customers import roles
from vmart.customers.roles import Permission
from vmart.pages import permitted

register = template.Library()


@register.simple_block_tag(takes_context=True)
def may(context: Any, content: str, name: str = "", sending: bool = False) -> str:
    """``{% may "machine_stop" %}…{% endmay %}``: shown to who may open that page.

    With ``sending=True`` to who may send its form. Without a name the page is the one that is shown.
    """
    request = context["request"]
    match = request.resolver_match
    view = name or (match.view_name if match else "")
    return SafeString(content) if permitted.may(request.user, view, sending=sending) else ""


@register.simple_tag(takes_context=True)
def is_permitted(context: Any, permission: str) -> bool:
    """Whether the member who looks has this permission; who has no role is led to sign in."""
    role = getattr(context["request"].user, "role", "")
    return not role or roles.may(role, Permission(permission))
