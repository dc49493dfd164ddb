"""The audit log of an account: what happened, and who had it done."""

import datetime as dt

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.listings.activity import Happened, Wanted, of_account
from vmart.pages import event_words, lists, local_time
from vmart.pages.table import Filter, Shown, Table
from vmart.web.visitor import customer

_NOT_AN_ACCOUNTS = {"zone", "host", "image", "hour", "deployment", "card_message"}  # subjects of the shop's own


@never_cache
@require_safe
@customer
def activity(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """A page of it, narrowed by its filters; ``as=csv``: all that they leave, as a file."""
    table = audit_log()
    wanted = _wanted(table, request.GET)
    if request.GET.get("as") == "csv":
        return table.file("activity.csv", lambda key: of_account(account_id, key, wanted))
    page = of_account(account_id, request.GET.get("before", ""), wanted)
    return render(request, "web/activity.html", {"activity": Shown(table, page, request)})


def audit_log() -> Table[Happened]:
    """The list, with its choices in the reader's language."""
    kinds = sorted(event_words.EVENTS.items(), key=lambda kind: str(kind[1]))
    subjects = [(kind, title) for kind, title in event_words.SUBJECTS.items() if kind not in _NOT_AN_ACCOUNTS]
    return lists.activity(
        seller=False,
        name="activity",
        filters=(
            Filter("user", _("Member")),
            Filter("of", _("Kind of thing"), lambda: subjects),
            Filter("thing", _("Id or name")),
            Filter("kind", _("What happened"), lambda: kinds),
            Filter("since", _("From"), type="date"),
            Filter("until", _("To"), type="date"),
        ),
    )


def _wanted(table: Table[Happened], given: QueryDict) -> Wanted:
    said = table.chosen(given)
    return Wanted(
        said["user"], said["of"], said["thing"], said["kind"], _begins(said["since"]), _begins(said["until"], days=1)
    )


def _begins(day: str, days: int = 0) -> dt.datetime | None:
    """When a day, or the one so many later, begins in the reader's zone; None of what is none."""
    try:
        first = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), local_time.zone())
        return (first + dt.timedelta(days=days)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
