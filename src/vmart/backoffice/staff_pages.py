"""The seller's pages of the staff: who sells here in which role, who is invited, changed and removed."""

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.backoffice import staffing, tables
from vmart.backoffice.forms import NewStaff, OtherStaffRole
from vmart.backoffice.views import operator, seller
from vmart.customers.models import User
from vmart.customers.staff import StaffRole
from vmart.kernel.errors import Refused
from vmart.pages import reset_link, role_words, wording
from vmart.pages.table import listed

log = logging.getLogger(__name__)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def listing(request: HttpRequest) -> HttpResponse:
    """Everybody with a role; who is invited gets a link by mail, or from whom invited him where the shop sends none."""
    form = NewStaff(request.POST if request.method == "POST" else None)
    said = form.cleaned_data if form.is_valid() else {}
    added = form.made(lambda: staffing.add(said["email"], said["role"], by=seller(request)))
    if added is None:
        return _page(request, form)
    if settings.SENDS_MAIL and _mailed(request, added.user):
        messages.success(request, _("An invitation was sent to {email}.").format(email=added.user.email))
        return redirect("seller_staff")
    link = request.build_absolute_uri(reset_link.path(added.user))
    return _page(request, NewStaff(), link=link, invited=added.user.email)


def _mailed(request: HttpRequest, user: User) -> bool:
    """Send the link; False where that failed, which is in the log."""
    told = {"link": settings.PUBLIC_URL + reset_link.path(user)}
    with override(user.language or get_language()):
        told["role"] = role_words.staff_title(user.staff_role)
        try:
            DefaultAccountAdapter(request).send_mail("account/email/staff_invitation", user.email, told)
        except OSError:
            log.exception("an invitation of staff could not be sent")
            return False
    return True


def _page(request: HttpRequest, form: NewStaff, **shown: str) -> HttpResponse:
    here = {
        "form": form,
        "staff": listed(tables.STAFF, list(staffing.everybody()), request),
        "changes": listed(tables.STAFF_CHANGES, staffing.changes(), request, _("Changes of the staff")),
        "roles": [(role_words.STAFF_TITLES[role], role_words.STAFF_EXPLAINED[role]) for role in StaffRole],
        **shown,
    }
    return render(request, "backoffice/staff.html", here, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def one(request: HttpRequest, number: int) -> HttpResponse:
    """Another role, or the end of the place."""
    user = staffing.everybody().filter(pk=number).first() if number < 2**63 else None
    if user is None:
        raise Http404
    if request.POST.get("act") == "remove":
        return _removed(request, user)
    form = OtherStaffRole(user.staff_role, request.POST if request.method == "POST" else None)
    if form.takes(lambda: staffing.change(user.email, form.cleaned_data["role"], by=seller(request))):
        messages.success(request, _("The role was changed."))
        return redirect(_onward(request, user))
    here: dict[str, Any] = {"one": user, "form": form}
    return render(request, "backoffice/staff_member.html", here, status=422 if form.errors else 200)


def _removed(request: HttpRequest, user: User) -> HttpResponse:
    try:
        staffing.remove(user.email, by=seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("seller_staff_member", user.pk)
    messages.success(request, _("{email} sells here no more.").format(email=user.email))
    return redirect(_onward(request, user))


def _onward(request: HttpRequest, user: User) -> str:
    """Who has given his own role away may not come back here."""
    return "home" if user.pk == request.user.pk else "seller_staff"
