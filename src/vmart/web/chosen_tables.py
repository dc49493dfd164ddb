"""What several chosen things are shown as: before an act, and after it."""

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from vmart.pages import cells, printed
from vmart.pages.cells import NOTHING, link, soft, together
from vmart.pages.table import FIGURE, FREE, MONO, Column, Table
from vmart.web.chosen import Asked, Item, Kind, Result


def _name(kind: Kind, row: Item | Result) -> SafeString | str:
    if row.thing is None:
        return row.public_id[:20]
    shown = link(reverse(kind.page, args=[row.public_id]), kind.name(row.thing))
    return together(shown, soft(row.public_id, MONO))


def asked_table(kind: Kind, asked: Asked) -> Table[Item]:
    """What would be done to each; what comes back where something does."""
    refund: tuple[Column[Item], ...] = ()
    if asked.refund_minor is not None:
        refund = (Column("refund", _("Comes back"), _refund, css=FIGURE),)
    return Table(
        (
            Column("name", kind.title, lambda row: _name(kind, row)),
            Column("state", _("State"), lambda row: kind.state(row.thing) if row.thing else NOTHING),
            *refund,
            Column("why_not", _("Possible"), _possible, css=FREE),
        ),
        empty="",
    )


def _refund(row: Item) -> str:
    return printed.money(row.quote.refund_minor) if row.quote else NOTHING


def _possible(row: Item) -> SafeString:
    return together(_badge(False, _("No")), " ", row.why_not) if row.why_not else _badge(True, _("Yes"))


def _badge(well: bool, word: str | Promise) -> SafeString:
    return cells.badge(word, "good" if well else "bad")


def results_table(kind: Kind) -> Table[Result]:
    """What became of each."""
    return Table(
        (
            Column("name", kind.title, lambda row: _name(kind, row)),
            Column("result", _("Result"), _result, css=FREE),
        ),
        empty="",
    )


def _result(row: Result) -> SafeString:
    return together(_badge(row.accepted, _("Accepted") if row.accepted else _("Refused")), " ", row.said)
