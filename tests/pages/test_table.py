"""Given a table declared once, then page, phone and file say the same of it."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import pytest
from django.http import QueryDict
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.html import format_html

from vmart.listings.paging import Page, cut
from vmart.pages.table import MONO, NUM, RIGHT, Column, Filter, Shown, Table, listed


@dataclass(frozen=True)
class Thing:
    name: str
    number: int
    price: Decimal = Decimal("0.5")
    at: dt.datetime = dt.datetime(2026, 3, 10, 2, tzinfo=dt.timezone(dt.timedelta(hours=8)))


THINGS: Table[Thing] = Table(
    (
        Column("name", "Name", lambda row: row.name, lambda row: row.name, ordered=True),
        Column("number", "Number", lambda row: format_html("<b>{}</b>", row.number), lambda row: row.number,
               css=f"{RIGHT} {NUM}"),
        Column("price", "", None, lambda row: row.price),
        Column("at", "Since", lambda row: "then", lambda row: row.at, css=MONO, ordered=True),
    ),
    empty="There is none.",
    onward=("home", "Go home"),
    filters=(Filter("q", "Word"), Filter("kind", "Kind", lambda: [("a", "An A"), ("b", "A B")])),
)  # fmt: skip
RADIO = Thing("<radio>", 7)


def _drawn(shown: Shown[Thing], tag: str = "table") -> str:
    drawn = Template("{% load parts %}{% " + tag + " shown %}").render(Context({"shown": shown}))
    return " ".join(drawn.split()).replace("> <", "><")


def _shown(page: Page[Thing], query: str = "") -> Shown[Thing]:
    return Shown(THINGS, page, RequestFactory().get(f"/things/?{query}"))


def test_heads_cells_and_the_titles_of_a_phone() -> None:
    assert _drawn(_shown(Page([RADIO]))) == (
        '<table class="list folds"><thead><tr>'
        '<th scope="col" aria-sort="none"><a href="?order=name">Name</a></th>'
        '<th scope="col" class="right">Number</th>'
        '<th scope="col" aria-sort="none"><a href="?order=at">Since</a></th></tr></thead><tbody><tr>'
        '<td data-title="Name">&lt;radio&gt;</td>'
        '<td data-title="Number" class="right num"><b>7</b></td>'
        '<td data-title="Since" class="mono">then</td></tr></tbody></table>'
    )


@pytest.mark.parametrize(
    ("query", "order", "sort", "address"),
    [
        ("order=name", "name", "ascending", "?order=-name"),
        ("order=-name&kind=a&before=9", "-name", "descending", "?order=name&amp;kind=a"),
        ("order=number", "", "none", "?order=name"),
        ("order=--name", "", "none", "?order=name"),
    ],
)
def test_an_order_is_turned_and_begins_at_the_first_page(query: str, order: str, sort: str, address: str) -> None:
    assert THINGS.order(QueryDict(query)) == order
    assert f'<th scope="col" aria-sort="{sort}"><a href="{address}">Name</a></th>' in _drawn(
        _shown(Page([RADIO]), query)
    )


def test_the_next_page_keeps_order_and_filters() -> None:
    shown = _shown(Page([RADIO], older="31", first=False), "kind=b&before=40&order=name")
    assert shown.older == "?kind=b&order=name&before=31"
    assert shown.newest == "?kind=b&order=name"
    assert shown.file_address == "?kind=b&order=name&as=csv"
    assert _drawn(shown).endswith(
        '<nav class="pages" aria-label="Pages"><a href="?kind=b&amp;order=name">Newest</a>'
        '<a href="?kind=b&amp;order=name&amp;before=31" rel="next">Older →</a></nav>'
    )


def test_nothing_says_why_and_what_to_do() -> None:
    assert _drawn(_shown(Page([]))) == (
        '<div class="empty">There is none.<br><a class="btn btn-primary" href="/">Go home</a></div>'
    )
    assert _drawn(_shown(Page([]), "kind=a")) == '<div class="empty">Nothing here is like that.</div>'


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("", {"q": "", "kind": ""}),
        ("q=+radio%00+&kind=b", {"q": "radio", "kind": "b"}),
        ("kind=c", {"q": "", "kind": ""}),
        ("q=" + "x" * 300, {"q": "x" * 254, "kind": ""}),
    ],
)
def test_a_filter_takes_its_choices_alone(query: str, chosen: dict[str, str]) -> None:
    assert THINGS.chosen(QueryDict(query)) == chosen


def test_the_form_of_the_filters_shows_what_is_chosen_and_keeps_the_order() -> None:
    assert _drawn(_shown(Page([RADIO]), "kind=b&q=%22&order=-name&before=3"), "filters") == (
        '<form method="get" role="search" class="row-form filters"><input type="hidden" name="order" value="-name">'
        '<label for="q" class="visually-hidden">Word</label><input class="form-control" type="search" name="q" id="q"'
        ' value="&quot;" maxlength="254" placeholder="Word"><label for="kind" class="visually-hidden">Kind</label>'
        '<select class="form-select" name="kind" id="kind"><option value="">Kind: all</option><option value="a">An A'
        '</option><option value="b" selected>A B</option></select><button class="btn">Search</button></form>'
    )


def test_a_file_has_every_page_exact_values_and_no_formula() -> None:
    things = [Thing("=1+1", 1), Thing("two", 2, Decimal("1E-8")), Thing("＠three", 3)]

    def page_before(key: str) -> Page[Thing]:
        left = [thing for thing in things if thing.number > int(key or 0)]
        return cut(left[:3], lambda thing: thing.number, first=key == "", size=2)

    answer = THINGS.file("things.csv", page_before)
    assert answer["Content-Disposition"] == 'attachment; filename="things.csv"'
    assert b"".join(answer).decode() == (
        "\ufeffname,number,price,at\r\n'=1+1,1,0.5,2026-03-09T18:00:00Z\r\n"
        "two,2,0.00000001,2026-03-09T18:00:00Z\r\n'＠three,3,0.5,2026-03-09T18:00:00Z\r\n"
    )


def test_a_list_that_is_whole_leads_nowhere() -> None:
    shown = listed(THINGS, [RADIO], RequestFactory().get("/things/?before=9"))
    assert (shown.older, shown.page.first) == ("", True)
    assert "<nav" not in _drawn(shown)
