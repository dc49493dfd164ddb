"""Lists of the page on which one sees how one signs in."""

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.utils.translation import gettext_lazy as _

from vmart.pages import printed
from vmart.pages.table import FREE, MONO, NUM, RIGHT, Column, Table
from vmart.web import sessions

PASSKEYS: Table[Authenticator] = Table(
    (
        Column("name", _("Name"), lambda row: row.data["name"], css=FREE),
        Column("created", _("Added"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("used", _("Last used"), lambda row: printed.instant(row.last_used_at), css=NUM),
        Column("acts", "", "web/parts/passkey_acts.html", css=RIGHT),
    ),
    empty=_("You have no passkey yet."),
)

SESSIONS: Table[UserSession] = Table(
    (
        Column("device", _("Device"), lambda row: sessions.device(row.user_agent)),
        Column("address", _("Address"), lambda row: row.ip, css=MONO),
        Column("began", _("Signed in"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("used", _("Last used"), lambda row: printed.instant(row.last_seen_at), css=NUM),
        Column("acts", "", "web/parts/session_acts.html", css=RIGHT),
    ),
    empty="",
)
