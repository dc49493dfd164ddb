"""API keys: a secret is in one answer and nowhere else."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.customers import api_keys
from vmart.customers.models import Account, ApiKey
from vmart.kernel.errors import Refused
from vmart.listings.paging import Page
from vmart.pages import wording
from vmart.pages.table import listed
from vmart.web.acting import as_file, found
from vmart.web.member_forms import KeyAddresses
from vmart.web.member_tables import API_KEYS, enabled
from vmart.web.visitor import actor, customer, field

_SHOWN = 500  # of all members of an account


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def keys(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """One's own keys, and those of members whom one may remove; a new one, on and off, gone."""
    if as_file(request):
        return API_KEYS.file("api-keys.csv", lambda _key: Page(_seen(request, account_id)))
    if request.method != "POST":
        return _page(request, account_id)
    account: Any = Account.objects.get(id=account_id)
    user: Any = request.user
    who = actor(request, account_id)
    act, secret_id = request.POST.get("act"), field(request.POST, "secret_id")
    try:
        if act == "create":
            made, secret = api_keys.create(who, account, user)
            return _page(request, account_id, made=made, secret=secret)
        if act in ("enable", "disable"):
            api_keys.set_enabled(who, secret_id, act == "enable")
            messages.success(request, _("The key works again.") if act == "enable" else _("The key was disabled."))
        elif act == "delete":
            api_keys.delete(who, secret_id)
            messages.success(request, _("The key was deleted."))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    return redirect("api_keys")


def _seen(request: HttpRequest, account_id: int) -> list[ApiKey]:
    user: Any = request.user
    return list(api_keys.seen_by(account_id, user.pk, user.role).order_by("-id")[:_SHOWN])


def _page(request: HttpRequest, account_id: int, **here: Any) -> HttpResponse:
    here |= {
        "keys": listed(API_KEYS, _seen(request, account_id), request),
        "most": api_keys.KEYS_PER_MEMBER,
        "endpoint": request.get_host(),
        "scheme": request.scheme,
    }
    return render(request, "web/api_keys.html", here)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def key(request: HttpRequest, account_id: int, number: int) -> HttpResponse:
    """One key: when it was used last, and from where it may be."""
    user: Any = request.user
    one: ApiKey = found(api_keys.seen_by(account_id, user.pk, user.role).filter(pk=number).first())
    typed = request.POST if request.method == "POST" else {"addresses": "\n".join(one.addresses)}
    form = KeyAddresses(typed)
    if request.method == "POST" and form.takes(
        lambda: api_keys.use_from(actor(request, account_id), one.secret_id, form.cleaned_data["addresses"])
    ):
        messages.success(request, _("The addresses were changed."))
        return redirect("api_key", number)
    here = {"key": one, "form": form, "enabled": enabled(one)}
    return render(request, "web/api_key.html", here, status=422 if form.errors else 200)
