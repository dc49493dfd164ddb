"""The seller's pages of customers: search, one customer, money by hand, discount, freezing, quotas."""

import contextlib
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from vmart.backoffice import tables
from vmart.backoffice.forms import ActAs, Discount, Freeze, Money, Note, Quotas
from vmart.backoffice.views import operator, seller
from vmart.customers import notes as noted
from vmart.customers import roles, staff
from vmart.kernel.errors import InvalidValue, NotFound, Refused
from vmart.listings import activity, customers, discounts, machines, notes, orders, overview
from vmart.orders import by_hand, on_behalf, standing
from vmart.orders import discount as discounting
from vmart.pages import behalf, permitted, wording
from vmart.pages.forms import ActForm
from vmart.pages.table import Shown

_NUMBER_MAX = 2**63 - 1


@never_cache
@require_safe
@operator
def listing(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Customers by words of their address or name, their number, a machine or its address; as a file if asked."""
    word, order = tables.CUSTOMERS.chosen(request.GET)["q"], tables.CUSTOMERS.order(request.GET)
    if request.GET.get("as") == "csv":
        return tables.CUSTOMERS.file("customers.csv", lambda key: customers.of_file(word, key, order))
    page = customers.page(word, request.GET.get("before", ""), order)
    return render(request, "backoffice/customers.html", {"customers": Shown(tables.CUSTOMERS, page, request)})


@never_cache
@require_safe
@operator
def detail(request: HttpRequest, number: int) -> HttpResponse | StreamingHttpResponse:
    """One customer: balance, machines, orders, events, and what the seller may do; a list of it as a file if asked."""
    customer = _known(number)
    if request.GET.get("as") == "csv":
        return _file(request.GET.get("list", ""), customer.id)
    return _page(request, customer)


def _file(name: str, of: int) -> StreamingHttpResponse:
    if name == "statement":
        return tables.STATEMENT.file(f"statement-{of}.csv", lambda key: overview.statement(of, key))
    if name == "events":
        return tables.EVENTS.file(f"events-{of}.csv", lambda key: activity.of_account(of, key))
    raise Http404


@require_POST
@operator
def money(request: HttpRequest, number: int) -> HttpResponse:
    """Credit or debit; a form that is sent twice moves money once."""
    form = Money(request.POST)

    def act() -> str:
        said = form.cleaned_data
        amount_minor = by_hand.amount_of(said["amount"])
        if request.POST.get("act") == "debit":
            amount_minor = -amount_minor
        key = str(request.POST.get("key", ""))
        fresh = by_hand.move(
            by_hand.Movement(number, amount_minor, said["purse"], said["reason"], seller(request), key)
        )
        return _("The balance has changed.") if fresh else _("This form had been sent before; nothing has changed.")

    return _done(request, _known(number), "money", form, act)


@require_POST
@operator
def discount(request: HttpRequest, number: int) -> HttpResponse:
    """Set how much less the customer pays from the next full hour on, look at what that costs, or withdraw it."""
    customer, form = _known(number), Discount(request.POST)
    if request.POST.get("act") == "preview":
        tried = form.made(lambda: discounting.factor_of(form.cleaned_data["percent"]))
        return _page(request, customer, {"discount": form}, 422 if tried is None else 200, tried)

    def act() -> str:
        if request.POST.get("act") == "withdraw":
            fresh = discounting.withdraw(number, seller(request))
            return _("What had not begun is withdrawn.") if fresh else _("Nothing is set that could be withdrawn.")
        said = form.cleaned_data
        fresh = discounting.set_factor(number, discounting.factor_of(said["percent"]), said["reason"], seller(request))
        return _("The discount is set.") if fresh else _("It is so already.")

    return _done(request, customer, "discount", form, act)


@require_POST
@operator
def freeze(request: HttpRequest, number: int) -> HttpResponse:
    """Let the customer buy nothing, or buy again."""
    form = Freeze(request.POST)

    def act() -> str:
        if request.POST.get("act") == "unfreeze":
            standing.unfreeze(number, seller(request))
            return _("The customer may buy again.")
        standing.freeze(number, form.cleaned_data["why"], seller(request))
        return _("The customer buys nothing from now on; what runs goes on.")

    return _done(request, _known(number), "freeze", form, act)


@require_POST
@operator
def quotas(request: HttpRequest, number: int) -> HttpResponse:
    """What the customer may have at most. Only what differs from what was shown: another may set the rest meanwhile."""
    customer = _known(number)
    form = Quotas(customer, request.POST)

    def act() -> str:
        wanted = {name: _whole(name, value) for name, value in form.differing().items()}
        standing.set_quotas(number, wanted, seller(request))
        return _("The quotas are as shown.")

    return _done(request, customer, "quotas", form, act)


@require_POST
@operator
def note(request: HttpRequest, number: int) -> HttpResponse:
    """Write what colleagues should know."""
    form = Note(request.POST)

    def act() -> str:
        noted.add(number, form.cleaned_data["text"], seller(request))
        return _("The note is written.")

    return _done(request, _known(number), "note", form, act)


@require_POST
@operator
def strike(request: HttpRequest, number: int, note: int) -> HttpResponse:
    """Strike a note out; it stays, with who did it."""
    customer = _known(number)
    try:
        fresh = noted.strike(number, note, seller(request)) if note <= _NUMBER_MAX else None
    except NotFound:
        fresh = None
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("seller_customer", customer.id)
    if fresh is None:
        raise Http404
    messages.success(request, _("The note is struck out.") if fresh else _("It is so already."))
    return redirect("seller_customer", customer.id)


@require_POST
@operator
def act_as(request: HttpRequest, number: int) -> HttpResponse:
    """Open the customer's pages as the customer, for an hour; what is done there says who did it."""
    customer, form = _known(number), ActAs(request.POST)
    before = behalf.of_session(request.session)
    if not form.takes(lambda: on_behalf.begin(number, form.cleaned_data["reason"], seller(request))):
        return _page(request, customer, {"act_as": form}, status=422)
    if before and before.account != number:
        with contextlib.suppress(Refused):
            on_behalf.end(before.account, seller(request))
    behalf.begin(request, customer.id, customer.email or customer.name)
    return redirect("overview")


@require_POST
@operator
def end_act_as(request: HttpRequest) -> HttpResponse:
    """Back to the customer's page of the seller."""
    kept = behalf.end(request)
    if kept is None:
        return redirect("seller")
    try:
        on_behalf.end(kept.account, seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("seller")
    messages.success(request, _("You act for {customer} no more.").format(customer=kept.name))
    return behalf.back_to(request, kept)


def _done(
    request: HttpRequest, customer: customers.Customer, name: str, form: ActForm, act: Callable[[], str]
) -> HttpResponse:
    """The customer's page after the act; with what was typed and why not where it was refused."""
    if not form.is_valid():
        return _page(request, customer, {name: form}, status=422)
    try:
        said = act()
    except NotFound as unknown:
        raise Http404 from unknown
    except Refused as refused:
        form.refuse(refused)
        return _page(request, customer, {name: form}, status=422)
    messages.success(request, said)
    return redirect("seller_customer", customer.id)


def _page(
    request: HttpRequest,
    customer: customers.Customer,
    refused: dict[str, ActForm] | None = None,
    status: int = 200,
    tried: Decimal | None = None,
) -> HttpResponse:
    here: dict[str, Any] = {
        "customer": customer,
        "behalf_acts": staff.on_behalf(permitted.staff_role_of(request.user)) == roles.SELLER_ACTS,
        "money_held": overview.balance(customer.id),
        "key": secrets.token_hex(16),
        "discount": _discount(customer.id, tried),
        "forms": {
            "money": Money(),
            "discount": Discount(),
            "freeze": Freeze(),
            "quotas": Quotas(customer),
            "act_as": ActAs(),
            "note": Note(),
        }
        | (refused or {}),
        **_lists(request, customer.id),
    }
    return render(request, "backoffice/customer.html", here, status=status)


def _discount(of: int, tried: Decimal | None) -> dict[str, Any]:
    """What holds, what begins next, and what an hour costs by the one and by the other or by what is tried."""
    held = discounts.held(of)
    last = held.last if tried is None else None
    then = last.factor if last else held.factor if tried is None else tried
    return {
        "held": held,
        "tried": tried,
        "then": then,
        "then_at": last.from_at if last else discounts.begins(),
        "begins_at": discounts.begins(),
        "hour": discounts.hour(of, held.factor, then),
    }


def _lists(request: HttpRequest, of: int) -> dict[str, Shown[Any]]:
    """Each goes through its pages by itself."""
    before = {
        name: request.GET.get(f"{name}_before", "")
        for name in ("notes", "discounts", "machines", "orders", "statement", "activity")
    }
    return {
        "notes": Shown(tables.NOTES, notes.of_account(of, before["notes"]), request, _("Notes"), "notes_before"),
        "discounts": Shown(
            tables.DISCOUNTS, discounts.of_account(of, before["discounts"]), request, _("Discount"), "discounts_before"
        ),
        "machines": Shown(
            tables.MACHINES, machines.by_key(of, before=before["machines"]), request, _("Machines"), "machines_before"
        ),
        "orders": Shown(tables.ORDERS, orders.page(of, before["orders"]), request, _("Orders"), "orders_before"),
        "statement": Shown(
            tables.STATEMENT, overview.statement(of, before["statement"]), request, _("Statement"), "statement_before"
        ),
        "activity": Shown(
            tables.EVENTS, activity.of_account(of, before["activity"]), request, _("Events"), "activity_before"
        ),
    }


def _known(number: int) -> customers.Customer:
    found = customers.customer(number) if number <= _NUMBER_MAX else None
    if found is None:
        raise Http404
    return found


def _whole(name: str, text: str) -> int | None:
    """What was typed; None for nothing."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidValue(
            "The quota {name} is {value}; it must be a whole number.",
            field=name,
            name=name,
            value=text[:20],
        )
    return int(text)
