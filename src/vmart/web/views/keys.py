"""SSH key pairs: made here, imported, deleted. A private key is in one answer and nowhere else."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.events.actor import Actor
from vmart.instances import key_pairs
from vmart.instances.models import KeyPair
from vmart.kernel.errors import Refused
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.orders import forget_keys
from vmart.pages import wording
from vmart.pages.forms import ActForm
from vmart.pages.table import Shown
from vmart.tags import new
from vmart.tags.things import KEY_PAIR
from vmart.web import typed_tags
from vmart.web.acting import as_file
from vmart.web.forms import ImportedKeyPair, NewKeyPair
from vmart.web.tables import KEY_PAIRS
from vmart.web.visitor import actor, customer, field


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def keys(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The list, and below it the two ways to a new one."""
    if as_file(request):
        return KEY_PAIRS.file("key-pairs.csv", lambda key: _pairs(account_id, key))
    return _page(request, account_id) if request.method != "POST" else _sent(request, account_id)


def _sent(request: HttpRequest, account_id: int) -> HttpResponse:
    act, who = request.POST.get("act"), actor(request, account_id)
    if act == "delete":
        return _deleted(request, account_id, who)
    form = (ImportedKeyPair if act == "import" else NewKeyPair)(request.POST)
    if not form.is_valid():
        return _page(request, account_id, form, status=422)
    typed = form.cleaned_data
    try:
        if act == "import":
            with new.tagging(who, KEY_PAIR, typed_tags.read(typed["tags"])) as tag:
                pair = key_pairs.import_(who, typed["name"], typed["public_key"])
                tag(pair.public_id)
            messages.success(request, _("The key pair {name} was imported.").format(name=pair.name))
            return redirect("keys")
        with new.tagging(who, KEY_PAIR, typed_tags.read(typed["tags"])) as tag:
            pair, private_key = key_pairs.create(who, typed["name"])
            tag(pair.public_id)
    except Refused as refused:
        form.refuse(refused)
        return _page(request, account_id, form, status=422)
    return _page(request, account_id, made=pair, private_key=private_key)


def _deleted(request: HttpRequest, account_id: int, who: Actor) -> HttpResponse:
    try:
        forget_keys.forget(who, [field(request.POST, "id")])
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return _page(request, account_id, status=422)
    messages.success(request, _("The key pair was deleted."))
    return redirect("keys")


def _page(
    request: HttpRequest, account_id: int, form: ActForm | None = None, *, status: int = 200, **here: Any
) -> HttpResponse:
    """The page with the form that was refused, if one was."""
    here |= {
        "pairs": Shown(KEY_PAIRS, _pairs(account_id, request.GET.get("before", "")), request),
        "create": form if isinstance(form, NewKeyPair) else NewKeyPair(),
        "imported": form if isinstance(form, ImportedKeyPair) else ImportedKeyPair(),
    }
    return render(request, "web/keys.html", here, status=status)


def _pairs(account_id: int, before: str) -> Page[KeyPair]:
    """A page of them, newest first."""
    key = number(before)
    rows = KeyPair.objects.filter(account_id=account_id).order_by("-id")
    if key is not None:
        rows = rows.filter(id__lt=key)
    return cut(list(rows[: PAGE + 1]), lambda row: row.id, first=key is None)
