"""Tags as people type them: where something is bought or made (``team=web, cost=a1``), and one by one."""

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.pages.forms import ActForm, text
from vmart.tags.wanted import Tag

TYPED_MAX = 300  # characters that a browser takes


class NewTag(ActForm):
    """A tag for a machine, in the place of the one of this key."""

    paths = {"tags.*.key": "key", "tags.*.value": "value", "tags": "key"}

    key = text(_("Key"), hint=_("Letters, digits, spaces and + - = . _ : / @."), maxlength=127)
    value = text(_("Value"), maxlength=255)


def field() -> forms.CharField:
    """Where they are typed; the path ``tags`` of what an act refuses leads here."""
    return text(
        _("Tags"), hint=_("With commas between them, as team=web, cost=a1: lists and bills are filtered by them."),
        required=False, maxlength=TYPED_MAX,
    )  # fmt: skip


def read(typed: str) -> tuple[Tag, ...]:
    """As typed. The act refuses what is none."""
    pairs = (part.partition("=") for part in typed.split(",") if part.strip())
    return tuple(Tag(key.strip(), value.strip()) for key, _sign, value in pairs)
