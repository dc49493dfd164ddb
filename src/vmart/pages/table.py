"""Lists. A column is declared once: its head, its cell, its title on a phone, its order and its value in a file.

The address holds what a list is asked for: ``before`` (key of the next page), ``order`` (a column's key, with a minus
sign from the last to the first), one parameter a filter, ``as=csv`` for the whole list as a file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.functional import Promise

from vmart.listings.paging import Page
from vmart.pages import csv_file

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
    cells. ``ordered``: the list's reader knows an order of this key.
    """

    key: str
    title: Words
    cell: Callable[[Row], object] | str | None
    value: Callable[[Row], object] | None = None
    css: str = ""
    ordered: bool = False


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

    ``dense``: many columns, of which each takes less room on a narrow screen.
    """

    columns: Sequence[Column[Row]]
    empty: Words
    onward: tuple[str, Words] | None = None
    dense: bool = False
    filters: Sequence[Filter] = ()
    none_such: Words = ""

    @property
    def on_page(self) -> list[Column[Row]]:
        return [column for column in self.columns if column.cell is not None]

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
        return [self._head(column, now) for column in self.table.on_page]

    def _head(self, column: Column[Row], now: str) -> Head:
        if not column.ordered:
            return Head(column.title, _head_css(column), "", "")
        sorted_as = {column.key: "ascending", f"-{column.key}": "descending"}.get(now, "none")
        turned = f"-{column.key}" if now == column.key else column.key
        return Head(column.title, _head_css(column), self._address(order=turned), sorted_as)

    @property
    def rows(self) -> Iterator[list[tuple[Words, str, object]]]:
        """(title, classes, what is shown) of each cell."""
        for row in self.page.rows:
            yield [(column.title, column.css, self._cell(column, row)) for column in self.table.on_page]

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


def listed(table: Table[Row], rows: Sequence[Row], request: HttpRequest, label: Words = "") -> Shown[Row]:
    """Rows that are all there are."""
    return Shown(table, Page(rows), request, label)
