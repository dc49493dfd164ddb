"""What a user keeps of lists: filters under a name, and columns. The forms stand beside each list's filters."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from vmart.customers import kept_lists
from vmart.kernel.errors import Refused
from vmart.pages import wording
from vmart.pages.table import Table
from vmart.pages.way_back import way_back
from vmart.web.acting import found
from vmart.web.kept import LISTS
from vmart.web.visitor import customer, field

_QUERY_MAX = 4000


@require_POST
@customer
def keep(request: HttpRequest, account_id: int) -> HttpResponse:
    """How the list is narrowed now, under a name; the filters' own parameters alone are kept."""
    name, table = _list(request)
    query = table.narrowed(QueryDict(field(request.POST, "query")[:_QUERY_MAX]))
    try:
        kept_lists.keep(request.user.pk or 0, account_id, name, field(request.POST, "name"), query)
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        messages.success(request, _("The filter is kept; it stands above this list, for you alone."))
    return _back(request, name)


@require_POST
@customer
def remove(request: HttpRequest, account_id: int, number: int) -> HttpResponse:
    """By its owner; for everybody else it is not there."""
    kept = found(kept_lists.one(request.user.pk or 0, account_id, number))
    kept.delete()
    return _back(request, kept.list_name)


@require_POST
@customer
def columns(request: HttpRequest, account_id: int) -> HttpResponse:
    """Those that are ticked, or the list's own again."""
    name, table = _list(request)
    known, ticked = [column.key for column in table.choosable], request.POST.getlist("column")
    chosen = None if "usual" in request.POST else [key for key in known if key in ticked]
    kept_lists.choose_columns(request.user.pk or 0, name, chosen)
    return _back(request, name)


def _list(request: HttpRequest) -> tuple[str, Table[object]]:
    name = field(request.POST, "list")
    if name not in LISTS:
        raise Http404
    return name, LISTS[name]()


def _back(request: HttpRequest, name: str) -> HttpResponse:
    return redirect(way_back(request) or name)
