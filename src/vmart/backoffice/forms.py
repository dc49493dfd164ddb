"""The seller's forms."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vmart.customers.notes import TEXT_MAX
from vmart.customers.quotas import LEAST, MOST
from vmart.customers.staff import StaffRole
from vmart.listings.customers import Customer
from vmart.pages import role_words, wording
from vmart.pages.forms import ActForm, text


class Money(ActForm):
    """A credit or a debit; ``key`` makes a repeat known and is no field, since each page that is shown has its own."""

    paths = {"amount_minor": "amount", "purse": "purse", "reason": "reason", "key": "key"}

    amount = text(_("Amount"), inputmode="decimal", maxlength=20)
    purse = forms.CharField(
        label=_("Purse"),
        required=False,
        widget=forms.Select(choices=[(code, wording.PURSES[code]) for code in ("cash", "gift")]),
    )
    reason = text(_("Reason"), hint=_("The customer reads it in the statement."), maxlength=200)


class Discount(ActForm):
    """How much less than list prices a customer pays from the next full hour on."""

    paths = {"factor": "percent", "reason": "reason"}
    prefix_id = "discount-"

    percent = text(
        _("Percent off list prices"),
        hint=_("From 0 to 100, with two decimals at most; 0 ends a discount."),
        inputmode="decimal", maxlength=20,
    )  # fmt: skip
    reason = text(_("Reason"), hint=_("The customer reads it in the audit log."), maxlength=200)


class Freeze(ActForm):
    """Why a customer may buy nothing."""

    paths = {"reason": "why"}

    why = text(
        _("Why the customer may buy nothing"),
        hint=_("The customer reads it where buying is refused. Machines run on."),
        maxlength=200,
    )


class Note(ActForm):
    """What colleagues should know of a customer."""

    paths = {"text": "text"}
    prefix_id = "note-"

    text = forms.CharField(
        label=_("Note"), help_text=_("For those who sell here. The customer never sees it."), required=False,
        strip=False, widget=forms.Textarea(attrs={"rows": 3, "maxlength": TEXT_MAX, "required": True}),
    )  # fmt: skip


class ActAs(ActForm):
    """Why one of the staff opens a customer's pages as the customer."""

    paths = {"reason": "reason"}
    prefix_id = "act-as-"

    reason = text(_("Why"), hint=_("The customer reads it in the audit log."), maxlength=200)


class Quotas(ActForm):
    """What a customer may have at most. Beside each stands what was shown, so that only what differs is set."""

    paths = {name: name for name in LEAST}
    prefix_id = "quota-"

    def __init__(self, customer: Customer, typed: Mapping[str, Any] | None = None) -> None:
        held: dict[str, Any] = dict(customer.quotas) | {_shown(name): value for name, value in customer.quotas.items()}
        super().__init__(None if typed is None else held | dict(typed.items()), initial=held)
        for name in customer.quotas:
            self.fields[name] = _quota(name, is_own=name in customer.own_quotas)
            self.fields[_shown(name)] = forms.CharField(required=False, widget=forms.HiddenInput)

    def differing(self) -> dict[str, str]:
        """What was typed that is not what was shown, by the quota's name."""
        said = self.cleaned_data
        return {name: said[name] for name in LEAST if said[name] != said[_shown(name)]}


def _shown(name: str) -> str:
    return f"shown_{name}"


def _quota(name: str, *, is_own: bool) -> forms.CharField:
    hint = _("This customer's own. Empty it, and the catalog's number holds again.") if is_own else ""
    widget = forms.NumberInput(attrs={"min": LEAST[name], "max": MOST})
    return forms.CharField(label=wording.QUOTAS[name], help_text=hint, required=False, widget=widget)


def _staff_role() -> forms.CharField:
    return forms.CharField(
        label=_("Role"), required=False, strip=False,
        widget=forms.Select(choices=[(str(role), role_words.STAFF_TITLES[role]) for role in StaffRole]),
    )  # fmt: skip


class NewStaff(ActForm):
    """Whom to have sell here."""

    paths = {"email": "email", "role": "role"}

    email = text(_("E-mail address"), hint=_("A link that sets a password goes there."), maxlength=254, type="email")
    role = _staff_role()

    def __init__(self, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"role": str(StaffRole.SUPPORT)})


class OtherStaffRole(ActForm):
    """What one of the staff is to be from now on."""

    paths = {"role": "role", "email": "role"}

    role = _staff_role()

    def __init__(self, now: str, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed, initial={"role": now})


class FirstOperator(ActForm):
    """Address and password of who runs the shop; the password is never shown again."""

    paths = {"email": "email", "password": "password"}

    email = forms.CharField(
        label=_("E-mail address"),
        required=False,
        strip=False,
        widget=forms.EmailInput(attrs={"maxlength": 254, "required": True, "autocomplete": "email"}),
    )
    password = forms.CharField(
        label=_("Password"),
        help_text=_("At least 10 characters, not only digits, not a common password."),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"required": True, "autocomplete": "new-password"}),
    )
