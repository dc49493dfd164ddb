"""What roles are called, and what one may with each, in the reader's language."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from vmart.customers.roles import Role

TITLES: dict[str, Any] = {
    Role.OWNER: pgettext_lazy("role", "Owner"),
    Role.ADMIN: pgettext_lazy("role", "Administrator"),
    Role.OPERATOR: pgettext_lazy("role", "Operator"),
    Role.BILLING: pgettext_lazy("role", "Billing"),
    Role.VIEWER: pgettext_lazy("role", "Viewer"),
}
EXPLAINED: dict[str, Any] = {
    Role.OWNER: _("may do everything, and make other owners."),
    Role.ADMIN: _("may do everything except make, change or remove owners."),
    Role.OPERATOR: _("runs and changes machines and all that belongs to them, but buys nothing."),
    Role.BILLING: _("tops up and pays orders that wait; looks at everything else."),
    Role.VIEWER: _("looks at everything and changes nothing."),
}


def title(role: str) -> str:
    """What a role is called."""
    return str(TITLES.get(role, role))


def not_permitted(role: str, having: Iterable[str]) -> str:
    """Why a page is refused to a member."""
    who = ", ".join(title(one) for one in having)
    if not who:
        return gettext("Nobody may do this.")
    text = gettext("Your role in this account is {role}. What you asked for takes one of these: {roles}.")
    return text.format(role=title(role), roles=who)
