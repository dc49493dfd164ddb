"""The customer's forms; the purchase's is ``web.choice``."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.instances.models import Instance
from vmart.pages.forms import ActForm, text

_KEY_NAME: dict[str, Any] = {"maxlength": 25, "pattern": "[A-Za-z0-9_]+"}


class NewKeyPair(ActForm):
    """A key pair that the shop makes."""

    paths = {"key_name": "name"}
    prefix_id = "create-"

    name = text(_("Name"), hint=_("Letters, digits and underscores."), **_KEY_NAME)


class ImportedKeyPair(ActForm):
    """A key pair whose private part is its owner's."""

    paths = {"key_name": "name", "public_key": "public_key"}
    prefix_id = "import-"

    name = text(_("Name"), **_KEY_NAME)
    public_key = forms.CharField(
        label=_("Public key"),
        required=False,
        widget=forms.Textarea(attrs={"class": "mono", "rows": 4, "spellcheck": "false", "required": True}),
    )


class OwnPassword(ActForm):
    """A password that its owner chooses; none of them is shown again."""

    paths = {"login.password": "password"}

    password = forms.CharField(
        label=_("Your own password"),
        help_text=_(
            "8 to 30 characters, at least three of lower case letters, upper case letters, digits and signs;"
            " no slash first."
        ),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"maxlength": 64, "autocomplete": "new-password"}),
    )


class Bandwidth(ActForm):
    """How fast a machine sends, in Mbps."""

    paths = {"bandwidth_mbps": "bandwidth"}

    bandwidth = forms.IntegerField(
        label=_("Bandwidth, Mbps"),
        min_value=1,
        max_value=2**31 - 1,
        widget=forms.NumberInput(attrs={"class": "short", "required": True}),
    )

    @property
    def mbps(self) -> int:
        return int(self.cleaned_data["bandwidth"])

    @classmethod
    def now(cls, machine: Instance) -> "Bandwidth":
        """The form as it is first shown."""
        return cls(initial={"bandwidth": machine.bandwidth_mbps})
