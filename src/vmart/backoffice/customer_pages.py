"""The seller's pages of customers: search, one customer, money by hand, freezing, quotas."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from vmart.backoffice.views import operator, seller, sentence, typed
from vmart.customers.quotas import LEAST
from vmart.kernel.errors import InvalidValue, NotFound, Refused
from vmart.kernel.paths import called
from vmart.listings import activity, customers, orders, overview
from vmart.orders import by_hand, standing

_NUMBER_MAX = 2**63 - 1
# What refusals name, and where each form has it.
_MONEY = {"amount_minor": "amount", "purse": "purse", "reason": "reason", "key": "key"}
_FREEZE = {"reason": "why"}
_QUOTAS = {name: name for name in LEAST}


@never_cache
@require_safe
@operator
def listing(request: HttpRequest) -> HttpResponse:
    """Customers by a part of their address or name, their number, or one of their machines."""
    word = request.GET.get("q", "")
    page = customers.page(word, request.GET.get("before", ""))
    return render(
        request,
        "backoffice/customers.html",
        {"page": page, "word": word, "kept": urlencode({"q": word} if word else {})},
    )


@never_cache
@require_safe
@operator
def detail(request: HttpRequest, number: int) -> HttpResponse:
    """One customer: balance, machines, orders, events, and what the seller may do."""
    return _page(request, _known(number))


@require_POST
@operator
def money(request: HttpRequest, number: int) -> HttpResponse:
    """Credit or debit; a form that is sent twice moves money once."""

    def act() -> str:
        amount_minor = by_hand.amount_of(typed(request, "amount"))
        if typed(request, "act") == "debit":
            amount_minor = -amount_minor
        fresh = by_hand.move(
            by_hand.Movement(number, amount_minor, typed(request, "purse"), typed(request, "reason"), seller(request),
                             typed(request, "key"))
        )  # fmt: skip
        return _("The balance has changed.") if fresh else _("This form had been sent before; nothing has changed.")

    return _done(request, number, act, _MONEY)


@require_POST
@operator
def freeze(request: HttpRequest, number: int) -> HttpResponse:
    """Let the customer buy nothing, or buy again."""

    def act() -> str:
        if typed(request, "act") == "unfreeze":
            standing.unfreeze(number, seller(request))
            return _("The customer may buy again.")
        standing.freeze(number, typed(request, "why"), seller(request))
        return _("The customer buys nothing from now on; what runs goes on.")

    return _done(request, number, act, _FREEZE)


@require_POST
@operator
def quotas(request: HttpRequest, number: int) -> HttpResponse:
    """What the customer may have at most. Only what differs from what was shown: another may set the rest meanwhile."""

    def act() -> str:
        wanted = {name: _whole(name, typed(request, name)) for name in LEAST if name in request.POST}
        changed = {name: value for name, value in wanted.items() if str(value) != typed(request, f"shown_{name}")}
        standing.set_quotas(number, changed, seller(request))
        return _("The quotas are as shown.")

    return _done(request, number, act, _QUOTAS)


def _done(request: HttpRequest, number: int, act: Callable[[], str], form: Mapping[str, str]) -> HttpResponse:
    """The customer's page after the act; with what was typed and why not where it was refused."""
    customer = _known(number)
    try:
        said = act()
    except NotFound as unknown:
        raise Http404 from unknown
    except Refused as refused:
        at_fault = called(form, refused.field or "") or ""
        return _page(request, customer, {at_fault: sentence(refused)}, status=422)
    messages.success(request, said)
    return redirect("seller_customer", number)


def _page(
    request: HttpRequest, customer: customers.Customer, errors: Mapping[str, str] | None = None, status: int = 200
) -> HttpResponse:
    here: dict[str, Any] = {
        "customer": customer,
        "money_held": overview.balance(customer.id),
        "statement": overview.statement(customer.id, request.GET.get("statement_before", "")),
        "machines": overview.machines(customer.id, request.GET.get("machines_before", "")),
        "orders": orders.page(customer.id, request.GET.get("orders_before", "")),
        "activity": activity.of_account(customer.id, request.GET.get("activity_before", "")),
        "quotas": [
            (
                name,
                request.POST.get(name, value),
                _shown(request, name, value),
                LEAST[name],
                name in customer.own_quotas,
            )
            for name, value in customer.quotas.items()
        ],
        "key": secrets.token_hex(16),
        "errors": errors or {},
        "typed": request.POST,
    }
    return render(request, "backoffice/customer.html", here, status=status)


def _shown(request: HttpRequest, name: str, value: int) -> str:
    """The quota beside which the operator typed; a refused form keeps it."""
    return str(request.POST.get(f"shown_{name}", value))


def _known(number: int) -> customers.Customer:
    found = customers.customer(number) if number <= _NUMBER_MAX else None
    if found is None:
        raise Http404
    return found


def _whole(name: str, text: str) -> int | None:
    """What was typed; None for nothing."""
    if not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) <= 10):
        raise InvalidValue(
            "The quota {name} is {value}; it must be a whole number.",
            field=name,
            name=name,
            value=text[:20],
        )
    return int(text.strip())
