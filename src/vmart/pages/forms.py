"""Forms of acts. A field is declared once: label, hint, what a browser helps with, and where a refusal names it.

What is right is the act's to say: fields take any text, the act refuses, and ``refuse`` puts its sentence beside the
field at fault.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django import forms
from django.forms.renderers import TemplatesSetting

from vmart.kernel.errors import Refused
from vmart.kernel.paths import called
from vmart.pages import wording

_Made = TypeVar("_Made")


class Renderer(TemplatesSetting):
    """Forms and fields as the shop's pages show them."""

    form_template_name = "pages/form.html"
    field_template_name = "pages/field.html"


class ActForm(forms.Form):
    """``paths``: paths of the act's value (ADR 0031) and the fields in which each is typed."""

    paths: ClassVar[Mapping[str, str]] = {}
    prefix_id = ""  # before the ids of its fields, where two forms of a page have fields of one name

    def __init__(self, typed: Mapping[str, Any] | None = None, **named: Any) -> None:
        super().__init__(typed, auto_id=f"{self.prefix_id}%s", **named)

    def refuse(self, refused: Refused) -> None:
        """Say why beside the field at fault; above the form where none is."""
        name = called(self.paths, refused.field or "", first=1)
        self.add_error(name if name in self.fields else None, wording.sentence(refused))

    def made(self, act: Callable[[], _Made]) -> _Made | None:
        """What ``act`` makes of what was sent; None where nothing was, or where it is wrong, which the form says."""
        try:
            return act() if self.is_valid() else None
        except Refused as refused:
            self.refuse(refused)
        return None

    def takes(self, act: Callable[[], object]) -> bool:
        """Whether ``act``, which makes nothing to be told of, was done with what was sent."""
        return self.made(lambda: [act()]) is not None


def text(label: Any, *, hint: Any = "", required: bool = True, **attributes: Any) -> forms.CharField:
    """A line of text as it was typed; ``attributes`` are HTML's own (``maxlength``, ``inputmode``)."""
    widget = forms.TextInput(attrs={"required": required, **attributes})
    return forms.CharField(label=label, help_text=hint, required=False, strip=False, widget=widget)
