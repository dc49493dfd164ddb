"""The sessions of a user: where they are, when they were used last, and their end."""

import contextlib
import datetime as dt
from collections.abc import Callable

from allauth.core import context
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from vmart.customers.models import User
from vmart.kernel import clock
from vmart.pages import local_time

MOST = 50  # of a user: each sign-in looks through them
_EVERY = dt.timedelta(minutes=5)
_BROWSERS = (  # as they name themselves, those that name others too before them
    ("Edg", "Edge"), ("OPR/", "Opera"), ("MicroMessenger/", "WeChat"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"), ("curl/", "curl"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def seen(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: note when a session is used, every few minutes, so that a page does not write at each look."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        local_time.use("")  # the last one's of this thread
        response = get_response(request)
        if hasattr(request, "_cached_user") and _is_due(request):  # somebody asked who it is: no statement for that
            with contextlib.suppress(DatabaseError):  # a database without room shows its pages
                UserSession.objects.create_from_request(request)
        return response

    return answer


def _is_due(request: HttpRequest) -> bool:
    user = request.user
    if not user.is_authenticated or not request.session.session_key:
        return False
    last: dt.datetime | None = getattr(user, "seen_at", None)
    return last is None or clock.wall() - last >= _EVERY


def seen_at() -> Subquery:
    """When the session of the request was used last; for a query of its user."""
    request = context.request
    key = request.session.session_key if request and hasattr(request, "session") else None
    return Subquery(UserSession.objects.filter(session_key=key, user=OuterRef("pk")).values("last_seen_at")[:1])


def of(user: User) -> QuerySet[UserSession]:
    """Those that last, the latest first."""
    lasting = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=clock.wall())
    found: QuerySet[UserSession] = UserSession.objects.filter(Exists(lasting), user=user)
    return found.order_by("-last_seen_at", "-id")


def make_room(user: User) -> None:
    """For one more: of so many as there may be, those end that were used longest ago."""
    used_longest_ago = UserSession.objects.filter(user=user).order_by("-last_seen_at", "-id")[MOST - 1 :]
    get_adapter().end_sessions(list(used_longest_ago))


def end_others(user: User, request: HttpRequest | None) -> int:
    """End all of the user's but the one that asks; how many."""
    here = request.session.session_key if request and request.user == user else None
    others = list(UserSession.objects.filter(user=user).exclude(session_key=here))
    get_adapter().end_sessions(others)
    return len(others)


def end(user: User, session_id: str) -> bool:
    """End one of the user's; False where it is none of his."""
    number = int(session_id) if session_id.isascii() and session_id.isdigit() and len(session_id) < 19 else 0
    found = list(UserSession.objects.filter(user=user, pk=number))
    get_adapter().end_sessions(found)
    return bool(found)


def device(user_agent: str) -> str:
    """``Firefox on Linux``: what a browser says of itself, as far as people know it."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("{browser} on {system}").format(browser=browser, system=system)
    return browser or system or _("Unknown device")
