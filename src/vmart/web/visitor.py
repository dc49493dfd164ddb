"""Who asks: a customer, an operator, or somebody who has not signed in."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from vmart.customers.models import Account
from vmart.events.actor import PAGE, Actor
from vmart.orders.open_account import open_account

View = Callable[..., HttpResponseBase]


def field(form: QueryDict, name: str) -> str:
    """What a form says there, "" where it says nothing; without NUL, which is text for no database."""
    return str(form.get(name, "")).replace("\0", "")


def account_id_of(request: HttpRequest) -> int | None:
    """The account that the visitor acts for; None for strangers and for operators without one."""
    user: Any = request.user
    return getattr(user, "account_id", None) if user.is_authenticated else None


def actor(request: HttpRequest, account_id: int) -> Actor:
    """The customer who asks, on the pages, for the account."""
    user: Any = request.user
    return Actor(
        account_id, PAGE, user.email, address=request.META.get("REMOTE_ADDR", ""),
        request_id=str(request.META.get("vmart.request_id", "")),
    )  # fmt: skip


def customer(view: View) -> View:
    """A page for people with an account: the view gets ``account_id`` as its second argument.

    Strangers are sent to sign in, operators without an account to their own page. A user whose account
    was never opened (the process ended within sign-up of an older version) gets it now.
    """

    @functools.wraps(view)
    def checked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        account_id = account_id_of(request)
        if account_id is None:
            user: Any = request.user
            if user.is_staff:
                return redirect("seller")
            account_id = Account.objects.filter(member__user=user).values_list("id", flat=True).first()
            account_id = account_id or open_account(user, user.email).id
        return view(request, account_id, *arguments, **named)

    return login_required(checked)
