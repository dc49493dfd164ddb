"""A priced act before it is done: figures, lines and the button; what was shown is what is charged."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from vmart.events.actor import Actor
from vmart.orders.priced_act import A, PricedAct
from vmart.pages import cells, printed, shown_quote, wording
from vmart.pages.shown_quote import NotShown
from vmart.pages.table import FIGURE, MONO, NUM, Column, Shown, Table, listed
from vmart.pages.way_back import top_up_address
from vmart.payments import providers
from vmart.pricing.priced import Priced, PricedLine

_PAGES = {"disk": "disk", "eip": "address"}  # of what an id begins with


def _thing(line: PricedLine) -> object:
    kind = _PAGES.get(line.public_id.split("-")[0], "machine")
    return cells.link(reverse(kind, args=[line.public_id]), line.public_id)


def _price(line: PricedLine) -> object:
    """What a line costs; what it would cost without discount, struck out beside it."""
    due = printed.money(line.amount_minor)
    if line.list_minor == line.amount_minor:
        return due
    return cells.together(due, " ", cells.struck(printed.money(line.list_minor)))


LINES: Table[PricedLine] = Table(
    (
        Column("thing", _("Resource"), _thing, css=MONO),
        Column("from", _("From"), lambda line: printed.instant(line.period_from), css=NUM),
        Column("until", _("Until"), lambda line: printed.instant(line.period_to), css=NUM),
        Column("price", _("Price"), _price, css=FIGURE),
    ),
    empty="",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A price that waits for a yes. ``lacks_minor`` is missing in the balance; ``cards`` may pay instead."""

    priced: Priced
    lines: Shown[PricedLine]
    signed: str
    token: str
    lacks_minor: int
    top_up_address: str
    cards: Sequence[str]


def ask(request: HttpRequest, account_id: int, priced: Priced, *, available_minor: int) -> Asked:
    """What ``pages/confirm.html`` shows; its form is sent to the address that it stands at."""
    lacks = max(0, priced.due_minor - available_minor)
    return Asked(
        priced, listed(LINES, priced.lines, request), shown_quote.sign(account_id, priced), shown_quote.new_token(),
        lacks, top_up_address(lacks, request.get_full_path()), providers.offered(),
    )  # fmt: skip


def ordered(request: HttpRequest, actor: Actor, act: PricedAct[A], asked: A) -> HttpResponse | None:
    """The way to the order of what was confirmed, to be paid by card or paid; None where the price does not hold any
    more, which is said. Raises refusals."""
    try:
        return redirect("order", _order(request, actor, act, asked))
    except NotShown:
        messages.warning(request, wording.SHOWN_TOO_LONG_AGO)
    return None


def _order(request: HttpRequest, actor: Actor, act: PricedAct[A], asked: A) -> int:
    expected = shown_quote.read_as(actor.account, request.POST.get("quote", ""), Priced.of)
    token = request.POST.get("form", "")
    if not shown_quote.is_token(token):
        raise NotShown(expired=False)
    verb = act.place if request.POST.get("act") == "card" else act.order
    return verb(actor, asked, expected=expected, client_token=shown_quote.client_token(token))
