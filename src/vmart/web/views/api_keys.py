"""API keys: a secret is in one answer and nowhere else."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.customers import api_keys
from vmart.customers.models import Account, ApiKey
from vmart.kernel.errors import Refused
from vmart.pages import wording
from vmart.pages.table import listed
from vmart.web.tables import API_KEYS
from vmart.web.visitor import actor, customer, field


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def keys(request: HttpRequest, account_id: int) -> HttpResponse:
    """The account's keys; a new one, on and off, gone."""
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


def _page(request: HttpRequest, account_id: int, **here: Any) -> HttpResponse:
    held = list(ApiKey.objects.filter(account_id=account_id).order_by("-id")[: api_keys.KEYS_PER_ACCOUNT])
    here |= {
        "keys": listed(API_KEYS, held, request),
        "most": api_keys.KEYS_PER_ACCOUNT,
        "endpoint": request.get_host(),
        "scheme": request.scheme,
    }
    return render(request, "web/api_keys.html", here)
