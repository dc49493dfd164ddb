"""SSH key pairs: made here, imported, deleted. A private key is in one answer and nowhere else."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.instances import key_pairs
from vmart.instances.models import KeyPair
from vmart.kernel.errors import Refused
from vmart.listings.paging import PAGE, cut, number
from vmart.orders import forget_keys
from vmart.web import fields, wording
from vmart.web.visitor import actor, customer, field


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def keys(request: HttpRequest, account_id: int) -> HttpResponse:
    """The list, and below it the two ways to a new one."""
    if request.method != "POST":
        return _page(request, account_id)
    form, act, who = request.POST, request.POST.get("act"), actor(request, account_id)
    try:
        if act == "delete":
            forget_keys.forget(who, [field(form, "id")])
            messages.success(request, _("The key pair was deleted."))
            return redirect("keys")
        if act == "import":
            pair = key_pairs.import_(who, form.get("name", ""), form.get("public_key", ""))
            messages.success(request, _("The key pair {name} was imported.").format(name=pair.name))
            return redirect("keys")
        pair, private_key = key_pairs.create(who, form.get("name", ""))
    except Refused as refused:
        error = {(act or "create", fields.at_fault(fields.KEY_PAIR, refused)): wording.sentence(refused)}
        return _page(request, account_id, error=error, typed=form.dict(), status=422)
    return _page(request, account_id, made=pair, private_key=private_key)


def _page(
    request: HttpRequest, account_id: int, *, error: dict[tuple[str, str], str] | None = None, status: int = 200,
    **here: Any,
) -> HttpResponse:  # fmt: skip
    key = number(request.GET.get("before", ""))
    rows = KeyPair.objects.filter(account_id=account_id).order_by("-id")
    if key is not None:
        rows = rows.filter(id__lt=key)
    page = cut(list(rows[: PAGE + 1]), lambda row: row.id, first=key is None)
    ((act, wrong), text), *_rest = (error or {("", ""): ""}).items()
    here |= {"page": page, "wrong_act": act, "errors": {wrong: text}, "error": text if not wrong else ""}
    return render(request, "web/keys.html", here, status=status)
