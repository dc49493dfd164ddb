"""Lists that both sides show of an account: statement and events. The seller alone reads which operator it was."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from vmart.events.actor import SELLER
from vmart.listings.activity import Happened
from vmart.listings.overview import Posting
from vmart.pages import event_words, printed, wording
from vmart.pages.cells import soft, together
from vmart.pages.table import FIGURE, FREE, MONO, NUM, Column, Filter, Table


def statement(*, seller: bool) -> Table[Posting]:
    """Postings on an account's purses; ``seller``: also which operator moved money by hand."""
    operator: tuple[Column[Posting], ...] = (Column("operator", "", None, lambda row: row.actor),) if seller else ()
    return Table(
        (
            Column("time", _("Time"), lambda row: printed.instant(row.at), lambda row: row.at, css=NUM),
            Column("kind", _("For what"), lambda row: _for_what(row, seller), lambda row: row.kind),
            Column("machine", "", None, lambda row: row.public_id),
            Column("reason", "", None, lambda row: row.reason),
            *operator,
            Column("purse", _("Purse"), lambda row: wording.PURSES.get(row.purse, row.purse), lambda row: row.purse),
            Column("amount_minor", _("Amount"), lambda row: printed.money(row.amount_minor),
                   lambda row: row.amount_minor, css=FIGURE),
            Column("balance_after_minor", _("Purse after it"), lambda row: printed.money(row.balance_after),
                   lambda row: row.balance_after, css=FIGURE),
        ),
        empty=_("No money has moved yet."),
    )  # fmt: skip


def _for_what(row: Posting, seller: bool) -> SafeString:
    parts: list[object] = [wording.TRANSFERS.get(row.kind, row.kind)]
    if row.public_id:
        parts += [" ", soft(row.public_id, MONO)]
    if row.reason:
        parts += [" ", soft(f"{row.reason} · {row.actor}" if seller else row.reason)]
    return together(*parts)


def activity(*, seller: bool, filters: Sequence[Filter] = (), name: str = "") -> Table[Happened]:
    """What happened in an account and who had it done; ``seller``: also which operator. ``name``: as of a ``Table``."""
    return Table(
        (
            Column("time", _("Time"), lambda row: printed.instant(row.at), lambda row: row.at, css=NUM),
            Column("subject_kind", _("Of what"), _of_what, lambda row: row.subject_kind),
            Column("subject", "", None, lambda row: row.subject),
            Column(
                "event", _("What happened"), lambda row: _what_happened(row, seller), lambda row: row.kind, css=FREE
            ),
            Column("amount_minor", "", None, lambda row: row.detail.get("amount_minor")),
            Column("why", "", None, lambda row: _why(row, seller)),
            Column("changed_to", "", None, lambda row: "; ".join(f"{name}: {value}" for name, value in _after(row))),
            Column("by", _("By whom"), lambda row: _by_whom(row, seller), lambda row: _who(row, seller)),
            Column("from_address", "", None, lambda row: _address(row, seller)),
        ),
        empty=_("Nothing has happened yet."),
        filters=filters,
        name=name,
    )


def _of_what(row: Happened) -> SafeString:
    kind = event_words.SUBJECTS.get(row.subject_kind, row.subject_kind)
    return together(kind, " ", soft(row.subject, MONO)) if row.subject else together(kind)


def _what_happened(row: Happened, seller: bool) -> SafeString:
    parts: list[object] = [event_words.EVENTS.get(row.kind, row.kind)]
    if row.detail.get("amount_minor"):
        parts += [" ", format_html('<span class="num">{}</span>', printed.money(row.detail["amount_minor"]))]
    if why := _why(row, seller):
        parts += [" ", soft(why)]
    for name, value in _after(row):
        shown = printed.instant_told(value) if name == "from_at" else value
        parts += [" ", soft(together(wording.QUOTAS.get(name, name), ": ", shown))]
    return together(*parts)


_WRITTEN = ("order_refunded", "order_voided")  # by the seller, of an order


def _why(row: Happened, seller: bool) -> str:
    """What people wrote of an account as they wrote it, else a stored sentence in the reader's language."""
    if row.subject_kind == "account" or row.kind in _WRITTEN:
        return str(row.detail.get("why") or "")
    return wording.reason(row.detail, seller=seller)


def _after(row: Happened) -> list[tuple[str, Any]]:
    """What the seller set, by name; without what he made empty."""
    after: Mapping[str, Any] = row.detail.get("after") or {}
    return [(name, value) for name, value in after.items() if value != ""]


def _by_whom(row: Happened, seller: bool) -> object:
    if row.by_seller and not seller:
        return _("the seller, on behalf") if row.on_behalf else _("the seller")
    if row.on_behalf:
        return together(row.actor.get("user", ""), " ", soft(_("on behalf")))
    if not row.who:
        return soft(_("by itself"))
    address = _address(row, seller)
    return together(row.who, " ", soft(address, NUM)) if address else row.who


def _who(row: Happened, seller: bool) -> str:
    """The same in a file; "" of what nobody asked for."""
    if row.by_seller and not seller:
        return f"{SELLER} (on behalf)" if row.on_behalf else SELLER
    return row.who


def _address(row: Happened, seller: bool) -> str:
    return "" if row.by_seller and not seller else row.actor.get("address", "")
