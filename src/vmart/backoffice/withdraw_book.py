"""A price book that has not begun is withdrawn: the book before goes on, and the catalog file says it again."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F

from vmart.backoffice import apply_catalog, catalog_text
from vmart.backoffice.prices import BOOK
from vmart.catalog import shop
from vmart.catalog.models import Applied
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.documents import DocumentError, read_yaml
from vmart.kernel.errors import InvalidValue
from vmart.kernel.models import Deployment
from vmart.pricing import books
from vmart.pricing.models import Book


def withdraw(version: int, *, by: Actor) -> None:
    """Withdraw the book, in one commit with the file: what else was changed in that since stays.

    Raises NotFound, NotToCome, BeingRead, and InvalidValue where the file needs the book: it sells what no book before
    has a price for.
    """
    try:
        with db.act():
            apply_catalog.lock()
            text = _file_without(version)
            books.withdraw(version)  # last: until the commit nobody buys
            apply_catalog.apply_in_act(text, by)
            Deployment.objects.update(generation=F("generation") + 1)
    except DocumentError as error:
        raise InvalidValue("The catalog file needs this price book. {problem}", problem=error.problems[0]) from error
    books.forget()
    shop.refresh()


def _file_without(version: int) -> str:
    """The file that was applied last, with the prices of the book before this one; as it is where that is none."""
    last = apply_catalog.last_applied()
    book = Book.objects.filter(version=version).first()
    before = books.before_it(book) if book else None
    if before is None:  # it will be refused
        return last.text
    section = read_yaml(last.text)[BOOK]
    return catalog_text.changed(last.text, dict(catalog_text.differences(section, _section(before), (BOOK,))))


def _section(book: Book) -> Mapping[str, Any]:
    """The book as its file had it; of one that no kept file has, as it was read."""
    for row in Applied.objects.order_by("-id").iterator(chunk_size=5):
        section: Mapping[str, Any] = read_yaml(row.text)[BOOK]
        if section["version"] == book.version:
            return section
    return dict(book.document)
