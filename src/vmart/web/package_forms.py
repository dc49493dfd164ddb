"""The customer's forms about bandwidth packages."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop
from vmart.pages import wording
from vmart.pages.forms import ActForm, text
from vmart.web import typed_tags
from vmart.web.forms import one_of

_MBPS_MOST = 10**6


class PackageName(ActForm):
    """What a package is called."""

    paths = {"name": "name"}

    name = text(_("Name"), hint=_("Letters, digits, hyphens and underscores."), maxlength=60)


class PackageSpeed(ActForm):
    """How fast all that is in it is to be together."""

    paths = {"bandwidth_mbps": "bandwidth"}

    bandwidth = forms.IntegerField(
        label=_("Bandwidth"), help_text=_("Mbps out, of all its addresses together."), min_value=0, max_value=_MBPS_MOST
    )


class NewPackage(PackageSpeed):
    """A package to be bought."""

    paths = {
        **PackageSpeed.paths, "zone": "zone", "region": "zone", "count": "zone", "name": "name", "tags": "tags",
    }  # fmt: skip

    zone = one_of(_("Zone"))
    name = text(_("Name"), hint=_("Letters, digits, hyphens and underscores."), required=False, maxlength=60)
    tags = typed_tags.field()
    field_order = ("zone", "bandwidth", "name", "tags")

    def __init__(self, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"bandwidth": 10})
        zones = [zone for zone in shop.snapshot().zones.values() if zone.on_sale]
        self.fields["zone"].widget.choices = [(zone.code, wording.in_language(zone, "name")) for zone in zones]


class PackageAddress(ActForm):
    """Which address comes into it. ``free``: ids of those that can, and how each is called."""

    address = one_of(_("Public address"))

    def __init__(self, free: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.fields["address"].widget.choices = free
