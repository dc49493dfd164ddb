"""Lists. A column is declared once: its head, its cell, its title on a phone, its order and its value in a file.

The address holds what a list is asked for: ``before`` (key of the next page), ``order`` (a column's key, with a minus
sign from the last to the first), one parameter a filter, ``as=csv`` for the whole list as a file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise

from vmart.customers import kept_lists
from vmart.customers.kept_lists import Kept
from vmart.listings.paging import Page
from vmart.pages import csv_file, permitted

Row = TypeVar("Row")
Words = str | Promise

# Classes of cells: to the right, digits of one width, amounts and numbers (both), ids and addresses, what people wrote
# and no line may be too narrow for.
RIGHT, NUM, FIGURE, MONO, FREE, ON_SCREEN = "right", "num", "right num", "mono", "free", "screen-only"
_LONGEST_WORD = 254


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """``cell`` gives what the cell shows, or names a template that has the row as ``row``; None: no page shows it.

    ``value`` gives what stands in a file under ``key``; without it the column is not in one. ``css``: classes of its
    cells. ``ordered``: the list's reader knows an order of this key. ``hidden``: shown to who has chosen it.
    """

    key: str
    title: Words
    cell: Callable[[Row], object] | str | None
    value: Callable[[Row], object] | None = None
    css: str = ""
    ordered: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class RowAct:
    """What a row offers: the way to a page, or (``sent``) a button. ``view``: the name by which a role is asked."""

    view: str
    address: str
    title: Words
    sent: bool = False
    danger: bool = False


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Row]):
    """What may be done with rows that are ticked: names of addresses, each with its button.

    ``pick`` gives the id of a row, and what its box is called. ``acts``: (name of the address, code of the act there,
    "" for a page of one act, title, whether it is a danger).
    """

    pick: Callable[[Row], tuple[str, str]]
    acts: Sequence[tuple[str, str, Words, bool]]

    def buttons(self, user: Any) -> list[tuple[str, str, Words, bool]]:
        """Of those that the user may send: (address, code, title, danger)."""
        return [(reverse(view), *rest) for view, *rest in self.acts if permitted.may(user, view, sending=True)]  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows that have one of some codes; without ``choices`` those in which a word is found.

    ``type``: HTML's own, of what is typed.
    """

    key: str
    title: Words
    choices: Callable[[], Sequence[tuple[str, Words]]] | None = None
    type: str = "search"

    def chosen(self, given: QueryDict) -> str:
        """What the address asks for; "" for all, and for what is no choice."""
        said = given.get(self.key, "").replace("\0", "").strip()[:_LONGEST_WORD]
        return said if self.choices is None or said in dict(self.choices()) else ""


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """``empty`` is said where there is no row; ``onward`` is what to do then: name of an address, title of its button.
    ``none_such`` may say in other words that the filters leave none.

    ``dense``: many columns, of which each takes less room on a narrow screen. ``name``: by which users keep filters and
    columns of it; "" where they cannot. ``acts``: what a row offers; ``chosen``: what is offered for ticked ones.
    """

    columns: Sequence[Column[Row]]
    empty: Words
    onward: tuple[str, Words] | None = None
    dense: bool = False
    filters: Sequence[Filter] = ()
    none_such: Words = ""
    name: str = ""
    acts: Callable[[Row], Sequence[RowAct]] | None = None
    chosen_acts: Chosen[Row] | None = None

    @property
    def on_page(self) -> list[Column[Row]]:
        return [column for column in self.columns if column.cell is not None]

    @property
    def choosable(self) -> list[Column[Row]]:
        """Those that a user may leave out or add: neither the first, which names the row, nor what has no head."""
        return [column for column in self.on_page[1:] if column.title]

    def shown(self, columns: Sequence[str] | None) -> list[Column[Row]]:
        """The columns that are shown to who has chosen these; None: chosen nothing."""
        optional = {column.key for column in self.choosable}
        wanted = {column.key for column in self.on_page if not column.hidden} if columns is None else set(columns)
        return [column for column in self.on_page if column.key not in optional or column.key in wanted]

    def narrowed(self, given: QueryDict) -> dict[str, str]:
        """What of an address is worth keeping under a name: its filters, and its order."""
        order = self.order(given)
        return {key: said for key, said in self.chosen(given).items() if said} | ({"order": order} if order else {})

    def order(self, given: QueryDict) -> str:
        """The order that the address asks for; "" for the list's own."""
        asked = given.get("order", "")
        return asked if asked.removeprefix("-") in {column.key for column in self.columns if column.ordered} else ""

    def chosen(self, given: QueryDict) -> dict[str, str]:
        """What the address asks for of each filter."""
        return {one.key: one.chosen(given) for one in self.filters}

    def file(self, name: str, page_before: Callable[[str], Page[Row]]) -> StreamingHttpResponse:
        """The whole list as a file, page after page."""
        held = [column for column in self.columns if column.value is not None]
        rows = ([column.value(row) for column in held if column.value] for row in _all(page_before))
        return csv_file.response(name, [column.key for column in held], rows)


def _all(page_before: Callable[[str], Page[Row]]) -> Iterator[Row]:
    page = page_before("")
    yield from page.rows
    while page.older:
        page = page_before(page.older)
        yield from page.rows


def _head_css(column: Column[Any]) -> str:
    """A head stands over its figures, and goes where its cells do; it has no digits of one width itself."""
    return next((css for css in (RIGHT, ON_SCREEN) if css in column.css.split()), "")


@dataclass(frozen=True, slots=True)
class Head:
    """``address``: where the list is ordered by this column; "" where it cannot be. ``sorted``: for aria-sort."""

    title: Words
    css: str
    address: str
    sorted: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    """``cells``: (title, classes, what is shown); ``pick``: id and title of its box; ``key`` tells its acts apart."""

    cells: Sequence[tuple[Words, str, object]]
    pick: tuple[str, str] | None
    acts: Sequence[RowAct]
    key: str


@dataclass(frozen=True, slots=True)
class Shown(Generic[Row]):
    """A page of a list as a template shows it by ``{% table shown %}``.

    ``parameter`` is what the address calls the key of the next page, ``label`` tells several lists of a page apart.
    """

    table: Table[Row]
    page: Page[Row]
    request: HttpRequest
    label: Words = ""
    parameter: str = "before"

    @property
    def heads(self) -> list[Head]:
        now = self.table.order(self.request.GET)
        return [self._head(column, now) for column in self.columns]

    @property
    def kept(self) -> Kept:
        """What the user keeps of this list; read once a request."""
        return kept_of(self.request, self.table.name)

    @property
    def columns(self) -> list[Column[Row]]:
        return self.table.shown(self.kept.columns)

    @property
    def choices(self) -> list[tuple[str, Words, bool]]:
        """(key, title, whether it is shown) of each column that can be chosen; none where nobody keeps any."""
        shown = {column.key for column in self.columns}
        keeps = self.table.name and getattr(getattr(self.request, "user", None), "account_id", None)
        return [(one.key, one.title, one.key in shown) for one in self.table.choosable] if keeps else []

    @property
    def filters_kept(self) -> list[tuple[int, str, str, bool]]:
        """(number, name, address, whether the list is narrowed so now) of each."""
        now = self.table.narrowed(self.request.GET)
        return [(one.number, one.name, self._kept_at(one), dict(one.query) == now) for one in self.kept.filters]

    def _kept_at(self, kept: kept_lists.Filter) -> str:
        """Its address, with the parameters in the order in which the form sends them."""
        names = [*(one.key for one in self.table.filters), "order"]
        return f"?{urlencode({name: kept.query[name] for name in names if name in kept.query})}"

    @property
    def can_keep(self) -> bool:
        """Whether how the list is narrowed now can be kept, and is not yet."""
        now = self.table.narrowed(self.request.GET)
        return bool(self.choices and now and now not in [dict(one.query) for one in self.kept.filters])

    @property
    def chosen_buttons(self) -> list[tuple[str, str, Words, bool]]:
        user = getattr(self.request, "user", None)
        return self.table.chosen_acts.buttons(user) if self.table.chosen_acts and self.page.rows else []

    def _head(self, column: Column[Row], now: str) -> Head:
        if not column.ordered:
            return Head(column.title, _head_css(column), "", "")
        sorted_as = {column.key: "ascending", f"-{column.key}": "descending"}.get(now, "none")
        turned = f"-{column.key}" if now == column.key else column.key
        return Head(column.title, _head_css(column), self._address(order=turned), sorted_as)

    @property
    def rows(self) -> Iterator[ShownRow]:
        columns, chosen, ticked = self.columns, self.table.chosen_acts, bool(self.chosen_buttons)
        for number, row in enumerate(self.page.rows):
            cells = [(column.title, column.css, self._cell(column, row)) for column in columns]
            pick = chosen.pick(row) if chosen else None
            yield ShownRow(cells, pick if ticked else None, self._acts(row), pick[0] if pick else str(number))

    def _acts(self, row: Row) -> list[RowAct]:
        """Of those that the user may do."""
        user = getattr(self.request, "user", None)
        offered = self.table.acts(row) if self.table.acts else ()
        return [act for act in offered if permitted.may(user, act.view, sending=act.sent)]

    def _cell(self, column: Column[Row], row: Row) -> object:
        if isinstance(column.cell, str):
            return render_to_string(column.cell, {"row": row}, self.request)
        return column.cell(row) if column.cell else ""

    @property
    def newest(self) -> str:
        return self._address()

    @property
    def older(self) -> str:
        """Address of the next page; "" on the last."""
        return self._address(**{self.parameter: self.page.older}) if self.page.older else ""

    @property
    def file_address(self) -> str:
        """Where the whole list, narrowed and ordered as here, is a file."""
        return self._address(**{"as": "csv"})

    def _address(self, **changed: str) -> str:
        """This one with a list that begins anew, and what else is changed in it."""
        query = self.request.GET.copy()
        query.pop(self.parameter, None)
        for name, value in changed.items():
            query[name] = value
        return f"?{query.urlencode()}"

    @property
    def is_narrowed(self) -> bool:
        """Whether a filter leaves rows out."""
        return any(self.table.chosen(self.request.GET).values())

    @property
    def controls(self) -> list[Mapping[str, Any]]:
        """The filters as a form shows them."""
        return [
            {
                "filter": one,
                "value": one.chosen(self.request.GET),
                "choices": one.choices() if one.choices else None,
            }
            for one in self.table.filters
        ]


def kept_of(request: HttpRequest, name: str) -> Kept:
    """What who asks keeps of the list of this name; read once a request."""
    user = getattr(request, "user", None)
    account_id = getattr(user, "account_id", None)
    if not name or user is None or not account_id:
        return Kept()
    read: dict[str, Kept] = request.__dict__.setdefault("_kept_lists", {})
    if name not in read:
        read[name] = kept_lists.of(user.pk, account_id, name)
    return read[name]


def listed(table: Table[Row], rows: Sequence[Row], request: HttpRequest, label: Words = "") -> Shown[Row]:
    """Rows that are all there are."""
    return Shown(table, Page(rows), request, label)
