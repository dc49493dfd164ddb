"""The forms of disks with a life of their own, and of snapshots."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.pages import local_time, printed, wording
from vmart.pages.forms import ActForm, text
from vmart.pricing import books
from vmart.pricing.book_document import SizeRange
from vmart.storage.models import Disk
from vmart.web import typed_tags
from vmart.web.forms import first_terms, one_of, periods


class FirstTermOfDisk(ActForm):
    """The months for which a postpaid disk is paid ahead first."""

    paths = {"months": "months"}

    months = forms.IntegerField(label=_("Term"), widget=forms.Select())

    def __init__(self, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"months": 1})
        self.fields["months"].widget.choices = first_terms()


def _size(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=1, max_value=2**31 - 1,
        widget=forms.NumberInput(attrs={"class": "short", "required": True}),
    )  # fmt: skip


class NewDisk(ActForm):
    """Disks with a life of their own that are bought, alike."""

    paths = {
        "zone": "zone", "disk.disk_type": "type", "disk.size_gib": "size", "count": "count", "disk.name": "name",
        "months": "months", "charge_type": "months",
        "disk.snapshot_id": "snapshot", "snapshots": "snapshot", "tags": "tags",
    }  # fmt: skip

    zone = one_of(_("Zone"))
    type = one_of(_("Disk type"))
    size = _size(_("Size, GiB"))
    count = _size(_("Number"))
    months = forms.IntegerField(label=_("Billing"), widget=forms.Select(), required=False)
    name = text(_("Name"), required=False, maxlength=128)
    snapshot = text(_("Snapshot"), required=False, maxlength=20, hint=_("Its id, for a disk that holds what it holds."))
    tags = typed_tags.field()

    def __init__(self, zones: Sequence[str], typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"size": 100, "count": 1, "months": 0})
        here = shop.snapshot()
        book = books.current_book(here.generation)
        self.fields["zone"].widget.choices = [(code, wording.in_language(here.zones[code], "name")) for code in zones]
        self.fields["type"].widget.choices = [
            (code, f"{wording.disk_type(code)} · {_sizes(book.disk(code).data_gib)}") for code in here.disk_types
        ]
        ahead = [(term, f"{wording.CHARGE_TYPES['PREPAID']}, {printed.months(term)}") for term in periods(book)]
        self.fields["months"].widget.choices = [(0, wording.CHARGE_TYPES["POSTPAID_BY_HOUR"]), *ahead]

    def clean_months(self) -> int:
        return int(self.cleaned_data["months"] or 0)


def _sizes(sold: SizeRange) -> str:
    return f"{sold.min}–{sold.max} GiB"


class SnapshotName(ActForm):
    """What a snapshot is called, and when it is deleted by itself, in the shop's zone; empty: never."""

    paths = {"name": "name", "delete_at": "delete_at"}

    name = text(_("Name"), required=False, maxlength=60)
    delete_at = forms.CharField(
        label=_("Deleted by itself"), required=False, max_length=40, help_text=_("Empty: until you delete it."),
        widget=forms.TextInput(attrs={"type": "datetime-local", "step": "1"}),
    )  # fmt: skip

    def clean_delete_at(self) -> dt.datetime | None:
        typed = self.cleaned_data["delete_at"]
        at = local_time.read(typed) if typed else None
        if typed and at is None:
            raise forms.ValidationError(local_time.WRONG)
        return at


class NewSnapshot(SnapshotName):
    """A snapshot that is made."""

    paths = {**SnapshotName.paths, "tags": "tags"}

    tags = typed_tags.field()


class OwnDiskSize(ActForm):
    """A larger size for a disk."""

    paths = {"disk.size_gib": "size"}

    size = _size(_("New size, GiB"))


class DiskAttributes(ActForm):
    """What its owner says of a disk as it stands."""

    paths = {"disk.name": "name"}

    name = text(_("Name"), required=False, maxlength=128)
    ends = forms.BooleanField(label=_("It ends with the machine that has it"), required=False)

    def __init__(self, disk: Disk, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"name": disk.name, "ends": disk.delete_with_instance})
        for field in self.fields.values():
            field.show_hidden_initial = True  # the page may be stale: only what is changed on it is asked for

    def changed(self) -> dict[str, Any]:
        """What its owner changed of what the page showed."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class DiskMachine(ActForm):
    """The machine that gets a disk."""

    paths = {"machines": "machine"}

    machine = one_of(_("Machine"))

    def __init__(self, machines: Sequence[Instance], typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed)
        self.fields["machine"].widget.choices = [(one.public_id, f"{one.name} · {one.public_id}") for one in machines]
