"""The customer's forms of public addresses with a life of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop
from vmart.pages import printed, wording
from vmart.pages.forms import ActForm, text
from vmart.pricing import books
from vmart.pricing.address import MODES
from vmart.pricing.configuration import BANDWIDTH_PACKAGE, BANDWIDTH_PREPAID_BY_MONTH
from vmart.web import typed_tags
from vmart.web.forms import one_of, periods


class NewEip(ActForm):
    """Public addresses to be bought by themselves."""

    paths = {
        "zone": "zone", "region": "zone", "internet_charge_type": "mode", "bandwidth_mbps": "bandwidth",
        "count": "count", "name": "name", "months": "months", "tags": "tags", "packages": "package",
    }  # fmt: skip

    zone = one_of(_("Zone"))
    mode = one_of(_("Charged"))
    bandwidth = forms.IntegerField(label=_("Bandwidth"), help_text=_("Mbps out."), min_value=0, max_value=10**6)
    months = forms.IntegerField(label=_("Term, by the month"), widget=forms.Select(), required=False)
    package = one_of(_("Bandwidth package"))
    count = forms.IntegerField(label=_("Number"), min_value=0, max_value=1000)
    name = text(_("Name"), hint=_("Letters, digits, hyphens and underscores."), required=False, maxlength=128)
    tags = typed_tags.field()

    def __init__(self, packages: Sequence[tuple[str, str]], typed: Mapping[str, Any] | None = None) -> None:
        """``packages``: ids and names of those that they can be in."""
        super().__init__(typed, initial={"bandwidth": 5, "count": 1, "months": 1})
        zones = [zone for zone in shop.snapshot().zones.values() if zone.on_sale]
        self.fields["zone"].widget.choices = [(zone.code, wording.in_language(zone, "name")) for zone in zones]
        modes = (*MODES, BANDWIDTH_PACKAGE) if packages else MODES
        self.fields["mode"].widget.choices = [(mode, wording.INTERNET[mode]) for mode in modes]
        self.fields["package"].widget.choices = [(one, f"{name} · {one}" if name else one) for one, name in packages]
        if not packages:
            del self.fields["package"]
        book = books.current_book(shop.snapshot().generation)
        self.fields["months"].widget.choices = [(term, printed.months(term)) for term in periods(book)]

    def clean_months(self) -> int:
        """Of what has no term 0, whatever the form says."""
        by_month = self.cleaned_data.get("mode") == BANDWIDTH_PREPAID_BY_MONTH
        return int(self.cleaned_data["months"] or 0) if by_month else 0


class EipName(ActForm):
    """What a bought public address is called."""

    paths = {"name": "name"}

    name = text(_("Name"), hint=_("Letters, digits, hyphens and underscores."), maxlength=128)


class EipBandwidth(ActForm):
    """How fast a bought public address is to be."""

    paths = {"bandwidth_mbps": "bandwidth"}

    bandwidth = forms.IntegerField(label=_("Bandwidth"), help_text=_("Mbps out."), min_value=0, max_value=10**6)


class EipMode(ActForm):
    """How a bought public address is to be charged from now on."""

    paths = {"internet_charge_type": "mode", "bandwidth_mbps": "bandwidth", "months": "months", "addresses": "mode"}

    mode = one_of(_("Charged from now on"))
    bandwidth = forms.IntegerField(label=_("Bandwidth"), help_text=_("Mbps out."), min_value=0, max_value=10**6)
    months = forms.IntegerField(label=_("Term, by the month"), widget=forms.Select(), required=False)

    def __init__(self, now: str, mbps: int, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"bandwidth": mbps, "months": 1})
        self.fields["mode"].widget.choices = [(mode, wording.INTERNET[mode]) for mode in MODES if mode != now]
        book = books.current_book(shop.snapshot().generation)
        self.fields["months"].widget.choices = [(term, printed.months(term)) for term in periods(book)]


class EipMachine(ActForm):
    """The machine that a bought public address is bound to."""

    paths = {"machines": "machine"}

    machine = one_of(_("Machine"))

    def __init__(self, machines: Sequence[tuple[str, str]], typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed)
        self.fields["machine"].widget.choices = [(public_id, f"{name} · {public_id}") for public_id, name in machines]
