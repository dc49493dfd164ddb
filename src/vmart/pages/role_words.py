"""What roles are called, and what one may with each, in the reader's language."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from vmart.customers.roles import BEHALF, SELLER_ACTS, SELLER_LOOKS, Role
from vmart.customers.staff import StaffRole

TITLES: dict[str, Any] = {
    Role.OWNER: pgettext_lazy("role", "Owner"),
    Role.ADMIN: pgettext_lazy("role", "Administrator"),
    Role.OPERATOR: pgettext_lazy("role", "Operator"),
    Role.BILLING: pgettext_lazy("role", "Billing"),
    Role.VIEWER: pgettext_lazy("role", "Viewer"),
    SELLER_LOOKS: pgettext_lazy("role", "Seller, looking on behalf"),
    SELLER_ACTS: pgettext_lazy("role", "Seller, acting on behalf"),
}
EXPLAINED: dict[str, Any] = {
    Role.OWNER: _("may do everything, and make other owners."),
    Role.ADMIN: _("may do everything except make, change or remove owners."),
    Role.OPERATOR: _("runs and changes machines and all that belongs to them, but buys nothing."),
    Role.BILLING: _("tops up and pays orders that wait; looks at everything else."),
    Role.VIEWER: _("looks at everything and changes nothing."),
}
STAFF_TITLES: dict[str, Any] = {
    StaffRole.ADMIN: pgettext_lazy("role", "Administrator"),
    StaffRole.SUPPORT: pgettext_lazy("role", "Support"),
    StaffRole.FINANCE: pgettext_lazy("role", "Finance"),
    StaffRole.OPERATIONS: pgettext_lazy("role", "Operations"),
}
STAFF_EXPLAINED: dict[str, Any] = {
    StaffRole.ADMIN: _("may do everything: prices, the shop, staff, and to act for customers."),
    StaffRole.SUPPORT: _("looks at customers, also at their pages as they see them; writes notes; mends deliveries."),
    StaffRole.FINANCE: _(
        "moves customers' money, sets their discounts and quotas, freezes customers; looks at prices."
    ),
    StaffRole.OPERATIONS: _("looks after zones and stock, mends deliveries, and shows types as sold out."),
}


def staff_title(role: str) -> str:
    """What a role of the staff is called; "" of none."""
    return str(STAFF_TITLES.get(role, role))


def not_permitted_to_staff(role: str, having: Iterable[str]) -> str:
    """Why a page of the seller is refused to one of the staff."""
    who = ", ".join(staff_title(one) for one in having)
    if not who or not role:
        return gettext("Nobody may do this.") if role else gettext("This page is for those who sell here.")
    text = gettext("Your role is {role}. What you asked for takes one of these: {roles}.")
    return text.format(role=staff_title(role), roles=who)


def title(role: str) -> str:
    """What a role is called."""
    return str(TITLES.get(role, role))


def not_permitted(role: str, having: Iterable[str]) -> str:
    """Why a page is refused to a member, or to who acts on behalf of the customer."""
    if role in BEHALF:
        return gettext("On behalf of a customer you may not do this. End it first, or ask the customer.")
    who = ", ".join(title(one) for one in having)
    if not who:
        return gettext("Nobody may do this.")
    text = gettext("Your role in this account is {role}. What you asked for takes one of these: {roles}.")
    return text.format(role=title(role), roles=who)
