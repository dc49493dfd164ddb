"""The forms of snapshot policies."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.listings.snapshot_policies import PolicyView
from vmart.orders.snapshots import policies
from vmart.orders.snapshots.policies import Wanted
from vmart.pages import wording
from vmart.pages.forms import ActForm, text
from vmart.web.forms import one_of, regions


def _boxes(label: Any, choices: list[tuple[int, Any]], hint: Any = "") -> forms.TypedMultipleChoiceField:
    widget = forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"})
    return forms.TypedMultipleChoiceField(
        label=label, choices=choices, coerce=int, required=False, widget=widget, help_text=hint
    )


class ChangedPolicy(ActForm):
    """A policy that is there."""

    paths = {
        "policy.name": "name", "policy.*.weekdays": "weekdays", "policy.*.hours": "hours",
        "policy.retention_days": "days",
    }  # fmt: skip

    name = text(_("Name"), maxlength=policies.NAME_MAX)
    weekdays = _boxes(_("Days"), list(wording.DAYS_OF_WEEK.items()))
    hours = _boxes(_("Hours"), [(hour, f"{hour:02}:00") for hour in range(24)])
    days = forms.IntegerField(
        label=_("Days for which a snapshot is kept"), help_text=_("Empty: until you delete it."), required=False,
        min_value=1, widget=forms.NumberInput(attrs={"class": "short"}),
    )  # fmt: skip

    def __init__(self, policy: PolicyView, typed: Mapping[str, Any] | None = None) -> None:
        days = policy.retention_days if policy.retention_days != policies.FOR_GOOD else None
        now = {"name": policy.name, "weekdays": policy.weekdays, "hours": policy.hours, "days": days}
        super().__init__(typed, initial=now)

    def wanted(self, *, active: bool | None = None) -> Wanted:
        """The policy as it was typed."""
        typed = self.cleaned_data
        return Wanted(
            name=typed["name"], active=active, hours=tuple(typed["hours"]), weekdays=tuple(typed["weekdays"]),
            retention_days=policies.FOR_GOOD if typed["days"] is None else typed["days"],
        )  # fmt: skip


class NewPolicy(ChangedPolicy):
    """A further policy, of no disk yet."""

    paths = {**ChangedPolicy.paths, "region": "region"}

    region = one_of(_("Region"))
    field_order = ("name", "region")

    def __init__(self, typed: Mapping[str, Any] | None = None) -> None:
        begun = {"weekdays": list(wording.DAYS_OF_WEEK), "hours": [3], "days": policies.RETENTION_DAYS}
        ActForm.__init__(self, typed, initial=begun)
        self.fields["region"].widget.choices = regions()


class PolicyDiskId(ActForm):
    """The disk that a policy gets."""

    paths = {"disks": "disk"}

    disk = text(
        _("Id of a disk"), maxlength=20, placeholder="disk-…", autocomplete="off", list="disks",
        hint=_("A disk of the policy's region that no policy has: of a machine, or with a life of its own."),
    )  # fmt: skip
