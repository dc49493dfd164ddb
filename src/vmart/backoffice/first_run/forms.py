"""The questions of the first run: each with its default filled in, and why it is asked."""

from collections.abc import Mapping
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from vmart.backoffice.first_run import answers, document
from vmart.backoffice.shop_forms import area, colour_fields, logo_fields
from vmart.catalog import countries
from vmart.kernel.money import CURRENCIES
from vmart.pages.forms import ActForm, text

_OTHERS = {"disk": _("Disk, a GiB"), "mbps": _("Bandwidth, a Mbps")}


class Question(ActForm):
    """One step. ``why`` says what it is for; ``paths`` are the catalog file's, in which a problem may be found."""

    step: ClassVar[str]
    title: ClassVar[Any]
    why: ClassVar[Any]

    def said(self) -> dict[str, Any]:
        """What was typed, as it is kept."""
        return {name: str(self.cleaned_data[name] or "").replace("\r\n", "\n") for name in self.fields}


def _select(label: Any, choices: Any, hint: Any = "") -> forms.CharField:
    return forms.CharField(label=label, help_text=hint, required=False, widget=forms.Select(choices=choices))


def _number(label: Any, hint: Any = "", unit: str = "numeric") -> forms.CharField:
    return text(label, hint=hint, maxlength=13, inputmode=unit)


class Name(Question):
    step, title = "name", _("Name and money")
    why = _("The name stands on every page and in every mail. Currency and billing zone are the shop's for good once"
            " it has sold something.")  # fmt: skip
    paths = {"shop.name.en": "name_en", "shop.name.zh": "name_zh", "shop.billing_zone": "billing_zone",
             "shop.logo": "logo", "shop.colour.light": "colour_light", "shop.colour.dark": "colour_dark",
             "price_book.currency": "currency", **{name: name for name in ("name_en", "currency")}}  # fmt: skip

    name_en = text(_("Name of the shop, in English"), maxlength=40)
    name_zh = text(
        _("Name of the shop, in Chinese"), hint=_("Left empty, the English one stands here too."), required=False,
        maxlength=40,
    )  # fmt: skip
    currency = _select(
        _("Currency"),
        [(code, code) for code in sorted(CURRENCIES)],
        _("All prices, balances and statements are in it."),
    )
    billing_zone = _select(
        _("Billing zone"), [(name, name) for name in sorted(available_timezones()) if "/" in name],
        _("Months begin at its midnight, and all times are shown in it."),
    )  # fmt: skip
    logo, without_logo = logo_fields()
    colour_light, colour_dark = colour_fields()

    def said(self) -> dict[str, Any]:
        """Without the logo, which is kept as the picture that is made of it."""
        return {name: typed for name, typed in super().said().items() if name not in ("logo", "without_logo")}


class Place(Question):
    step, title = "place", _("Place and engine")
    why = _("A zone is where machines run: one engine serves it. You can add zones later.")
    paths = {"regions.*.name.en": "place_en", "regions.*.name.zh": "place_zh", "regions.*.code": "code",
             "regions.*.country": "country",
             "regions.*.zones.*.code": "code", "regions.*.zones.*.engine": "engine"}  # fmt: skip

    engine = forms.CharField(label=_("Engine"), required=False, widget=forms.RadioSelect)
    place_en = text(_("Name of the place, in English"), hint=_("As buyers know it: Berlin, Home."), maxlength=70)
    place_zh = text(_("Name of the place, in Chinese"), required=False, maxlength=70)
    country = _select(_("Country"), (), _("Its flag stands beside the name; without it there is none."))
    code = text(
        _("Code of the region"), hint=_("What programs call it: small letters, digits and hyphens."), maxlength=30
    )

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        found = answers.engine_found()
        here = _("Incus, found on this machine: what you sell is real") if found.is_real else _(
            "What this machine has: no Incus yet, so machines are simulated until there is one"
        )  # fmt: skip
        widget: Any = self.fields["engine"].widget
        own: Any = self.fields["country"].widget
        own.choices = [("", _("Not said")), *countries.names(get_language() or "en")]
        widget.choices = [("auto", here), ("simulated", _("Simulated: nothing is real, to look around"))]


class Images(Question):
    step, title = "images", _("Images")
    why = _("What a machine starts with. These are built here out of Debian's packages; customers can bring their own.")
    paths = {"images": "images"}

    images = forms.MultipleChoiceField(
        label=_("Systems on sale"), required=False,
        choices=[(name, image["os_name"]) for name, image in document.IMAGES.items()],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip

    def said(self) -> dict[str, Any]:
        return {"images": " ".join(self.cleaned_data["images"])}


class Cost(Question):
    step, title = "host", _("What your host costs")
    why = _("From this the shop works out prices that pay for the host. You can change each of them in the next step.")
    paths = {name: name for name in ("month", "vcpu", "memory_gib", "disk_gib", "vcpu_overcommit", "fill_percent",
                                     "margin_percent", "cpu_percent", "memory_percent", "line_month", "line_mbps",
                                     "hour_factor")}  # fmt: skip

    month = _number(_("Cost of the host a month"), _("Rent or write-off, power, room, your time."), "decimal")
    vcpu = _number(_("Its threads"), _("As this machine has them."))
    memory_gib = _number(_("Its memory, GiB"))
    disk_gib = _number(_("Its disks, GiB"))
    vcpu_overcommit = _number(
        _("Each thread is sold so often"), _("Most machines idle most of the time: 4 is usual, 1 is for heavy work.")
    )
    fill_percent = _number(_("Sold in an ordinary month, %"), _("Nobody sells all of it: 70 is careful."))
    margin_percent = _number(_("Margin, in percent of the price"), _("What is left of a price when the host is paid."))
    cpu_percent = _number(_("Part of the cost that processors bear, %"))
    memory_percent = _number(_("Part of the cost that memory bears, %"), _("Disks bear the rest."))
    line_month = _number(_("Cost of the line to the internet a month"), "", "decimal")
    line_mbps = _number(_("Its speed, Mbps"))
    hour_factor = _number(
        _("An hour by itself costs so many times its part of a month"),
        _("Who pays ahead gets it cheaper: 1.5 is usual."), "decimal",
    )  # fmt: skip


class Prices(Question):
    """A month and an hour of each type, and what else has a price; empty month: the type is not sold."""

    step, title = "prices", _("Types and prices")
    why = _("Worked out of what your host costs. Change what you like; empty the month of a type to leave it out.")

    def __init__(self, typed: Mapping[str, Any] | None = None, **named: Any) -> None:
        super().__init__(typed, **named)
        for name in self._names():
            self.fields[name] = _number(self._label(name), "", "decimal")
            self.fields[name].widget.attrs.pop("required", None)
        self.paths = {name: name for name in self.fields}  # type: ignore[misc]
        for code, _vcpu, _gib in answers.TYPES:
            self.paths |= {f"price_book.instance_types.{code}.{per}": f"type_{code}_{per}" for per in ("month", "hour")}  # type: ignore[misc]

    @staticmethod
    def _names() -> list[str]:
        things = [*(f"type_{code}" for code, _vcpu, _gib in answers.TYPES), "disk", "mbps"]
        return [f"{name}_{per}" for name in things for per in ("month", "hour")] + ["traffic_gib"]

    @staticmethod
    def _label(name: str) -> Any:
        if name == "traffic_gib":
            return _("Traffic, a GiB")
        thing, _rest, per = name.rpartition("_")
        what = _OTHERS.get(thing, thing.removeprefix("type_"))
        return format_lazy("{}: {}", what, _("month") if per == "month" else _("hour"))

    def rows(self) -> list[dict[str, Any]]:
        """Each thing with its two fields, for the table."""
        sizes = {f"type_{code}": f"{vcpu} vCPU · {gib} GiB" for code, vcpu, gib in answers.TYPES}
        return [
            {"name": name.removeprefix("type_"), "size": sizes.get(name, ""), "title": _OTHERS.get(name),
             "fields": [self[f"{name}_month"], self[f"{name}_hour"]]}
            for name in [*sizes, "disk", "mbps"]
        ]  # fmt: skip


class Addresses(Question):
    step, title = "addresses", _("Public addresses")
    why = _("Machines are reached at these. They have to be routed to this machine; those filled in are for examples"
            " alone. Without any, machines have a private network only.")  # fmt: skip
    paths = {name: name for name in ("cidr", "first", "last")} | {"regions.*.zones.*.address_pools.*": "first"}

    cidr = text(_("Network"), hint=_("As your provider gave it: 198.51.100.0/24"), required=False, maxlength=18)
    first = text(_("First address for a machine"), required=False, maxlength=15)
    last = text(_("Last address for a machine"), required=False, maxlength=15)


class Payment(Question):
    step, title = "payment", _("Payment")
    why = _("Customers pay from a balance. How money comes into it:")

    def said(self) -> dict[str, Any]:
        return {"seen": "1"}


class Terms(Question):
    step, title = "terms", _("Terms and support")
    why = _("Who sells here and under which terms. All of it can be empty now and filled in later under “Your shop”.")
    paths = {"shop.support": "support", "shop.terms.en": "terms_en", "shop.terms.zh": "terms_zh",
             "shop.imprint.en": "imprint_en", "shop.imprint.zh": "imprint_zh"}  # fmt: skip

    support = text(
        _("Address for support"), hint=_("Stands below every page and in every mail."), required=False, maxlength=254,
        inputmode="email",
    )  # fmt: skip
    terms_en = area(_("Terms, in English"))
    terms_zh = area(_("Terms, in Chinese"), _("Left empty, the English one stands here too."))
    imprint_en = area(_("Imprint, in English"), _("Who sells here: name, address, register."))
    imprint_zh = area(_("Imprint, in Chinese"), _("Left empty, the English one stands here too."))


QUESTIONS: Mapping[str, type[Question]] = {
    form.step: form for form in (Name, Place, Images, Cost, Prices, Addresses, Payment, Terms)
}
TITLES: Mapping[str, Any] = {step: form.title for step, form in QUESTIONS.items()} | {
    "open": _("Open the shop"), "test": _("Test order"),
}  # fmt: skip
