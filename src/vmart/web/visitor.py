"""Who asks: a customer, an operator, or somebody who has not signed in."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from vmart.customers import members, roles, staff
from vmart.customers.roles import Permission
from vmart.customers.staff import StaffPermission
from vmart.events.actor import PAGE, SELLER, Actor
from vmart.kernel.errors import Refused
from vmart.orders import on_behalf
from vmart.orders.open_account import place_of
from vmart.pages import behalf, permitted, role_words
from vmart.pages.behalf import Behalf

View = Callable[..., HttpResponseBase]
_PERMISSION = "vmart.permission"  # what this request was found to be permitted


def field(form: QueryDict, name: str) -> str:
    """What a form says there, "" where it says nothing; without NUL, which is text for no database."""
    return str(form.get(name, "")).replace("\0", "")


def account_id_of(request: HttpRequest) -> int | None:
    """The account that the visitor acts for; None for strangers and for operators without one."""
    user: Any = request.user
    return getattr(user, "account_id", None) if user.is_authenticated else None


def whence(request: HttpRequest) -> tuple[str, str]:
    """The address that asks, and what the log names the request by."""
    return request.META.get("REMOTE_ADDR", ""), str(request.META.get("vmart.request_id", ""))


def require(request: HttpRequest, permission: Permission | None) -> None:
    """Refuse, with the shop's page for it, a member whose role lacks the permission; None: everybody.

    What is done in this request is done by who has it: acts ask again, in their own commit.
    """
    user: Any = request.user
    if permission is None or not roles.may(user.role, permission):
        raise PermissionDenied(role_words.not_permitted(user.role, roles.having(permission) if permission else ()))
    request.META[_PERMISSION] = permission


def actor(request: HttpRequest, account_id: int) -> Actor:
    """The customer who asks, on the pages, for the account."""
    user: Any = request.user
    address, request_id = whence(request)
    if getattr(user, "behalf", None):
        return Actor(
            account_id, SELLER, user.email, address=address, request_id=request_id, staff=user.pk, behalf=True,
            roles=staff.having_on_behalf(request.META[_PERMISSION]),
        )  # fmt: skip
    return Actor(
        account_id, PAGE, user.email, address=address, request_id=request_id, member=user.pk,
        roles=roles.having(request.META[_PERMISSION]),
    )  # fmt: skip


def act_for(request: HttpRequest, account_id: int | None) -> None:
    """From now on the session is about this account; forms that were opened for another are refused."""
    request.session[members.CHOSEN] = account_id
    rotate_token(request)


def to_another(request: HttpRequest) -> HttpResponseRedirect:
    """Have who is no longer a member of the account that he acted for act for the first of his others, and say so."""
    user: Any = request.user
    left = request.session.get(members.CHOSEN, user.account_id)
    place = next((one for one in user.places if one.account != left), None)
    act_for(request, place.account if place else None)
    if place:
        messages.info(request, _("You act for {account} now.").format(account=place.name))
    return redirect("home")


def refuse_on_behalf(request: HttpRequest, name: str) -> None:
    """Refuse what another page than this one does, where that is not for who acts on behalf of a customer."""
    user: Any = request.user
    if getattr(user, "behalf", None) and name in permitted.NOT_ON_BEHALF:
        raise PermissionDenied(role_words.not_permitted(user.role, ()))


def ended_on_behalf(request: HttpRequest) -> HttpResponse:
    """What was meant for the customer's account is done in none: say so, and go back to the customer.

    A part of a page that comes anew has no place for the sentence: the whole page is asked for, and says it.
    """
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Refresh": "true"})
    kept = end_on_behalf(request)
    messages.warning(request, _("You act for the customer no more: nothing was done."))
    if kept is None or not permitted.staff_role_of(request.user):
        return redirect("home")
    return behalf.back_to(request, kept)


def end_on_behalf(request: HttpRequest) -> Behalf | None:
    """Whatever ends it, the customer's log tells of it; what the session was about, None where about none."""
    user: Any = request.user
    kept = behalf.end(request)
    if kept is None or not permitted.staff_role_of(user):
        return kept
    address, request_id = whence(request)
    by = Actor(
        None, SELLER, user.email, address=address, request_id=request_id, staff=user.pk,
        roles=staff.having(StaffPermission.LOOK),
    )  # fmt: skip
    with contextlib.suppress(Refused):  # who has lost his place meanwhile tells of nothing
        on_behalf.end(kept.account, by)
    return kept


def customer(view: View) -> View:
    """A page for people with an account: the view gets ``account_id`` as its second argument.

    Strangers are sent to sign in, operators without an account to their own page. A user without any account (the one
    whose member he was has removed him) gets his own now. Members whose role lacks what the page takes are refused.
    """

    @functools.wraps(view)
    def checked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        account_id = account_id_of(request)
        if account_id is None:
            user: Any = request.user
            if behalf.of_session(request.session):
                return ended_on_behalf(request)
            if request.session.get(members.CHOSEN):
                messages.warning(request, _("You are no longer a member of that account."))
                return to_another(request)
            if user.is_staff:
                return redirect("seller")
            place = place_of(user)
            account_id, user.role = place.account_id, place.role
            user.account_id = account_id
            act_for(request, account_id)
        require(request, permitted.needed(request))
        return view(request, account_id, *arguments, **named)

    return login_required(checked)
