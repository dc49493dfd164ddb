"""Lists of an account's members, of those who are invited, and of API keys."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from vmart.customers.models import ApiKey, Invitation, Member
from vmart.pages import cells, printed, role_words
from vmart.pages.table import FREE, MONO, NUM, RIGHT, Column, Table

MEMBERS: Table[Member] = Table(
    (
        Column("email", _("E-mail address"), lambda row: row.user.email, lambda row: row.user.email, css=FREE),
        Column("role", _("Role"), lambda row: role_words.title(row.role), lambda row: row.role),
        Column(
            "joined", _("Member since"), lambda row: printed.instant(row.joined_at), lambda row: row.joined_at, css=NUM
        ),
        Column("acts", "", "web/parts/member_acts.html", css=RIGHT),
    ),
    empty="",
)

INVITATIONS: Table[Invitation] = Table(
    (
        Column("email", _("E-mail address"), lambda row: row.email, css=FREE),
        Column("role", _("Role"), lambda row: role_words.title(row.role)),
        Column("by", _("Invited by"), lambda row: row.invited_by.email, css=FREE),
        Column("until", _("Good until"), lambda row: printed.instant(row.expires_at), css=NUM),
        Column("acts", "", "web/parts/invitation_acts.html", css=RIGHT),
    ),
    empty=_("No invitation is open."),
)

API_KEYS: Table[ApiKey] = Table(
    (
        Column(
            "id",
            "SecretId",
            lambda row: cells.link(reverse("api_key", args=[row.pk]), row.secret_id),
            lambda row: row.secret_id,
            css=MONO,
        ),
        Column("member", _("Member"), lambda row: row.user.email, lambda row: row.user.email, css=FREE),
        Column(
            "state",
            _("State"),
            lambda row: cells.badge(*enabled(row)),
            lambda row: "enabled" if row.enabled else "disabled",
        ),
        Column(
            "from",
            _("May come from"),
            lambda row: ", ".join(row.addresses) or _("everywhere"),
            lambda row: " ".join(row.addresses),
            css=FREE,
        ),
        Column(
            "used", _("Last used"), lambda row: printed.instant(row.last_used_at), lambda row: row.last_used_at, css=NUM
        ),
        Column("acts", "", "web/parts/api_key_acts.html", css=RIGHT),
    ),
    empty=_("You have no API key yet."),
)


def enabled(key: ApiKey) -> tuple[Any, str]:
    """Whether it works, with the tone of its badge."""
    return (_("Enabled"), "good") if key.enabled else (_("Disabled"), "idle")
