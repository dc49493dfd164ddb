"""One of the seller's staff acts for a customer: which account his session is about meanwhile, and until when."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect

from vmart.customers import staff
from vmart.kernel import clock
from vmart.pages import permitted

KEPT = "behalf"  # the key under which a session has it
LASTS = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Behalf:
    """``name``: of the customer, as the banner shows it. ``until``: by the machine's clock, as sessions are."""

    account: int
    name: str
    until: dt.datetime


def of_session(session: SessionBase) -> Behalf | None:
    """What the session says, whether it is over or not."""
    kept = session.get(KEPT)
    return Behalf(kept["account"], kept["name"], dt.datetime.fromisoformat(kept["until"])) if kept else None


def take(user: Any, kept: Behalf | None) -> None:
    """Give the user, read for a request, the account and the role in which he acts for a customer, as ``behalf``.

    Where that is over, or his role among the staff allows it no more, he acts for nobody until he is told so: what was
    meant for the customer's account is none of his own.
    """
    user.behalf = None
    if kept is None:
        return
    user.account_id, user.role = None, ""
    role = staff.on_behalf(user.staff_role) if user.is_staff else ""
    if role and clock.wall() < kept.until:
        user.account_id, user.role, user.behalf = kept.account, role, kept


def begin(request: HttpRequest, account_id: int, name: str) -> None:
    """From now on the session is about the customer; forms that were opened before are refused."""
    until = clock.wall() + LASTS
    request.session[KEPT] = {"account": account_id, "name": name, "until": until.isoformat()}
    rotate_token(request)


def end(request: HttpRequest) -> Behalf | None:
    """From now on it is about one's own again; what it was about."""
    kept = of_session(request.session)
    if kept:
        del request.session[KEPT]
        rotate_token(request)
    return kept


def back_to(request: HttpRequest, kept: Behalf) -> HttpResponseRedirect:
    """To the seller's page of the customer, for who may open it still."""
    if permitted.may(request.user, "seller_customer"):
        return redirect("seller_customer", kept.account)
    return redirect("seller")
