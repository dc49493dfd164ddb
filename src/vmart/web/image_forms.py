"""The customer's forms about images of his own."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop
from vmart.orders.images import systems
from vmart.pages import wording
from vmart.pages.forms import ActForm, text
from vmart.web import typed_tags
from vmart.web.forms import one_of


class ImageName(ActForm):
    """What an image is called."""

    paths = {"image.name": "name", "image.description": "description"}

    name = text(_("Name"), maxlength=60)
    description = text(_("Description"), required=False, maxlength=256)


class NewOwnImage(ImageName):
    """An image of a machine."""

    paths = {**ImageName.paths, "tags": "tags"}

    turned_off = forms.BooleanField(label=_("Turn the machine off meanwhile, and on again"), required=False)
    tags = typed_tags.field()


class NewImport(ImageName):
    """An image of a system of one's own. ``zones``: that take one."""

    paths = {
        **ImageName.paths, "image.url": "url", "image.sha256": "sha256", "image.base": "base", "image.zone": "zone",
    }  # fmt: skip

    base = one_of(_("System"))
    zone = one_of(_("Zone"))
    url = text(
        _("Address of the file"), type="url", maxlength=2048, spellcheck="false",
        hint=_("A tar (plain, gzip, xz or bzip2) or squashfs of the whole system, or a qcow2 disk."),
    )  # fmt: skip
    sha256 = text(
        _("SHA-256 of the file"), required=False, maxlength=64, spellcheck="false",
        hint=_("64 digits; a file with another one is not imported."),
    )  # fmt: skip

    def __init__(self, zones: Sequence[str], typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed)
        here = shop.snapshot()
        self.fields["zone"].widget.choices = [(code, wording.in_language(here.zones[code], "name")) for code in zones]
        self.fields["base"].widget.choices = [(image.public_id, image.os_name) for image in systems.images()]


class ImageShares(ActForm):
    """The account that an image is shared with."""

    paths = {"accounts": "account"}

    account = text(_("Number of the account"), maxlength=20)
