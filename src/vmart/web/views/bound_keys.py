"""Key pairs of a machine: which open it, others in their place, taken away."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.instances.models import Instance, KeyPair
from vmart.kernel.errors import Refused
from vmart.orders import bind_keys
from vmart.pages import wording
from vmart.pages.table import listed
from vmart.web.acting import machine_of
from vmart.web.tables import BOUND_KEYS, BoundKey
from vmart.web.visitor import actor, customer

_ACTS = {"bind": bind_keys.bind, "unbind": bind_keys.unbind}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def keys_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The pairs marked take the place of those of before; one of them goes by itself."""
    machine = machine_of(account_id, public_id)
    act, chosen = _ACTS.get(request.POST.get("act", "")), request.POST.getlist("key")
    if act is None:
        return _page(request, machine)
    if not chosen:
        return _page(request, machine, chosen, _("Choose a key pair."))
    try:
        act(actor(request, account_id), [public_id], chosen)
    except Refused as refused:
        if refused.field == "key_ids":
            return _page(request, machine, chosen, wording.sentence(refused))
        messages.error(request, wording.sentence(refused))
    return redirect("machine", public_id)


def _page(request: HttpRequest, machine: Instance, chosen: list[str] | None = None, error: str = "") -> HttpResponse:
    """As it is first shown, the pairs are marked that the machine has; a refused choice stays marked."""
    pairs = list(KeyPair.objects.filter(account_id=machine.account_id).order_by("-id"))
    names = {pair.public_id: pair.name for pair in pairs}
    bound = [
        BoundKey(machine, key_id, names.get(key_id, ""), key, is_certain=key_id in machine.key_ids)
        for key_id, key in bind_keys.may_open(machine).items()
    ]
    here = {
        "machine": machine, "bound": listed(BOUND_KEYS, bound, request), "pairs": pairs, "error": error,
        "chosen": machine.key_ids if chosen is None else chosen,
    }  # fmt: skip
    return render(request, "web/machines/keys.html", here, status=422 if error else 200)
