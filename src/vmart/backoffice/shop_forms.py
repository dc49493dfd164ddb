"""The form of the shop's own name, look and texts."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from vmart.catalog import colour
from vmart.catalog.brand import LEGAL_MAX, NAME_EN, BrandView
from vmart.pages.forms import ActForm, text


def area(label: Any, hint: Any = "") -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 6, "maxlength": LEGAL_MAX})
    return forms.CharField(label=label, help_text=hint, required=False, strip=True, widget=widget)


def colour_fields() -> tuple[forms.CharField, forms.CharField]:
    """The main colour, light and dark."""

    def chooser(label: Any, hint: Any) -> forms.CharField:
        widget = forms.TextInput(attrs={"type": "color"})
        return forms.CharField(label=label, help_text=hint, required=False, widget=widget)

    return (
        chooser(_("Main colour, light"), _("Of buttons, links and what is chosen. Text in it must be readable.")),
        chooser(_("Main colour, dark"), _("The same for who reads the pages dark: a brighter one.")),
    )


def logo_fields() -> tuple[forms.FileField, forms.BooleanField]:
    """A logo to be sent, and none instead of the one that there is."""
    sent = forms.FileField(
        label=_("Logo"),
        help_text=_("PNG or WebP, at most 2 MiB. It is shown 26 pixels high, also on dark ground."),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/webp"}),
    )
    return sent, forms.BooleanField(label=_("No logo"), required=False)


def logo_sent(files: MultiValueDict[str, Any]) -> tuple[bytes, int] | None:
    """What was sent as the logo, with its real size (``pages/uploads.py``)."""
    file = files.get("logo")
    return (file.read(), file.size) if file is not None and file.size else None


_AS_ENGLISH = _("Left empty, the English one stands here too.")


class Look(ActForm):
    """Whose shop it is; ``based_on`` is the catalog that was shown."""

    paths = {
        "shop.name.en": "name_en", "shop.name.zh": "name_zh", "shop.logo": "logo", "shop.colour.light": "colour_light",
        "shop.colour.dark": "colour_dark", "shop.support": "support", "shop.terms.en": "terms_en",
        "shop.terms.zh": "terms_zh", "shop.imprint.en": "imprint_en", "shop.imprint.zh": "imprint_zh",
    }  # fmt: skip

    name_en = text(_("Name of the shop, in English"), maxlength=40)
    name_zh = text(_("Name of the shop, in Chinese"), hint=_AS_ENGLISH, required=False, maxlength=40)
    logo, without_logo = logo_fields()
    colour_light, colour_dark = colour_fields()
    support = text(
        _("Address for support"), hint=_("Stands below every page and in every mail."), required=False, maxlength=254,
        inputmode="email",
    )  # fmt: skip
    terms_en = area(_("Terms, in English"), _("Plain text. It has a page of its own, linked below every page."))
    terms_zh = area(_("Terms, in Chinese"), _AS_ENGLISH)
    imprint_en = area(_("Imprint, in English"), _("Who sells here: name, address, register."))
    imprint_zh = area(_("Imprint, in Chinese"), _AS_ENGLISH)
    based_on = forms.CharField(required=False, widget=forms.HiddenInput)

    @classmethod
    def shown(cls, brand: BrandView, based_on: int) -> "Look":
        """The form with what is there."""
        held: dict[str, Any] = {name: getattr(brand, name, "") for name in cls.base_fields}
        if brand.name_en == NAME_EN:
            held |= {"name_en": "", "name_zh": ""}
        held |= {"colour_light": brand.colour_light or colour.OWN["light"]}
        held |= {"colour_dark": brand.colour_dark or colour.OWN["dark"]}
        return cls(initial=held | {"logo": None, "based_on": based_on})

    @property
    def said(self) -> Mapping[str, Any]:
        return self.cleaned_data
