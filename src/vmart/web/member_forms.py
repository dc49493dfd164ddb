"""Forms about members, API keys and what a user chooses for himself."""

import zoneinfo
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from vmart.customers.roles import Role
from vmart.pages import role_words
from vmart.pages.forms import ActForm, text
from vmart.web.forms import one_of

# Zones of the tz database that are no place: they are kept for old programs, or have no clock change that people know.
_NO_PLACES = ("Etc/", "SystemV/", "US/", "Brazil/", "Canada/", "Chile/", "Mexico/")


class NewMember(ActForm):
    """Whom to invite."""

    paths = {"email": "email", "role": "role"}

    email = text(_("E-mail address"), hint=_("A link to join goes there."), maxlength=254, type="email")
    role = one_of(_("Role"))

    def __init__(self, roles: Iterable[Role], typed: Any = None) -> None:
        super().__init__(typed)
        self.fields["role"].widget.choices = _titles(roles)
        self.fields["role"].initial = str(Role.VIEWER)


class OtherRole(ActForm):
    """What a member is to be from now on."""

    paths = {"role": "role", "member": "role"}

    role = one_of(_("Role"))

    def __init__(self, roles: Iterable[Role], now: str, typed: Any = None) -> None:
        super().__init__(typed, initial={"role": now})
        self.fields["role"].widget.choices = _titles(roles)


def _titles(roles: Iterable[Role]) -> list[tuple[str, Any]]:
    return [(str(role), role_words.TITLES[role]) for role in roles]


class KeyAddresses(ActForm):
    """From where a key may be used."""

    paths = {"addresses": "addresses"}

    addresses = forms.CharField(
        label=_("Addresses"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 4, "maxlength": 2000}),
        help_text=_(
            "One a line, as 203.0.113.0/24 or 2001:db8::7. With none, the key works from everywhere. Where a proxy"
            " stands before the shop, the proxy's address is compared."
        ),
    )  # fmt: skip


def time_zones() -> Sequence[str]:
    """Zones by the names of their places."""
    return sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(_NO_PLACES))


class Settings(forms.Form):
    """In which language and in which zone a user reads."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    def __init__(self, shops: str, typed: Any = None, **named: Any) -> None:
        super().__init__(typed, auto_id="%s", **named)
        first = ("", _("The shop's: {zone}").format(zone=shops))
        self.fields["time_zone"].choices = [first, *((name, name) for name in time_zones())]  # type: ignore[attr-defined]
