"""Prices and stock changed by page or command: values of the catalog file, applied as any other file."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vmart.backoffice import apply_catalog, book_names, catalog_text, own_shop
from vmart.backoffice.book_names import Value
from vmart.catalog import shop
from vmart.catalog.models import Applied
from vmart.events.actor import Actor
from vmart.kernel import clock
from vmart.kernel.documents import DocumentError, read_yaml
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.listings import effect
from vmart.pricing import books
from vmart.pricing.book import PriceBook

BOOK = "price_book"
# Later prices begin after those that are published: one of a far year would hold up every change until then.
_AHEAD = dt.timedelta(days=366)
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Change:
    """One price or table by its name, as it is and as it is to be; None: it is not there."""

    name: str
    old: Value | None
    new: Value | None

    @property
    def before(self) -> "Shown":
        return Shown.of(self.old)

    @property
    def after(self) -> "Shown":
        return Shown.of(self.new)

    @property
    def is_money(self) -> bool:
        """Prices, in the shop's currency; else factors, or names of tables."""
        rows = self.new or self.old
        if isinstance(rows, tuple):
            return "price" in rows[0]
        return self.name.rpartition(".")[2] in (*book_names.PER, "spot", *book_names.ALONE)


@dataclass(frozen=True, slots=True)
class Shown:
    """One side of a change: an amount, a text, or lines with the range of each."""

    amount: Decimal | None = None
    text: str = ""
    lines: tuple[tuple[str, Decimal], ...] = ()

    @classmethod
    def of(cls, value: Value | None) -> "Shown":
        if isinstance(value, tuple):
            return cls(lines=tuple((book_names.ranged(row), Decimal(row[list(row)[-1]])) for row in value))
        plain = book_names.plain(value)
        return cls(amount=plain) if isinstance(plain, Decimal) else cls(text=value or "")


@dataclass(frozen=True, slots=True)
class Preview:
    """A changed file that is not applied yet, and what it would do."""

    text: str
    changes: tuple[Change, ...]
    begins_at: dt.datetime
    whole: effect.Whole

    @property
    def shown(self) -> str:
        """What a confirmation repeats: another file, or another day, has another."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def section() -> Mapping[str, Any]:
    """The price book of the file that was applied last. Raises NotFound."""
    found: Mapping[str, Any] = read_yaml(apply_catalog.applied())[BOOK]
    return found


def preview(typed: Mapping[str, Value], begins: str, based_on: int) -> Preview:
    """``preview_whole`` of a book in which these are typed otherwise; names that it does not have count for nothing."""
    held = book_names.named(section())
    return preview_whole(held | {name: typed[name] for name in held if name in typed}, begins, based_on)


def preview_whole(wanted: Mapping[str, Value], begins: str, based_on: int) -> Preview:
    """What a book of these prices, by ``book_names``, would do from then on.

    Raises InvalidValue with a name of ``book_names`` or a path of the file, ChangedMeanwhile.
    """
    last = apply_catalog.last_applied()
    if last.id != based_on:
        raise apply_catalog.changed_meanwhile()
    before = read_yaml(last.text)[BOOK]
    after = book_names.with_named(before, wanted)
    changes = tuple(_changes(before, after))
    if not changes:
        raise InvalidValue("No price is another than it was.")
    begins_at = instant(begins)
    values = dict(catalog_text.differences(before, after, (BOOK,)))
    values |= {(BOOK, "version"): before["version"] + 1, (BOOK, "effective_at"): begins_at}
    try:
        text = catalog_text.changed(last.text, values)
        _catalog, book = apply_catalog.read(text)
    except DocumentError as error:
        raise own_shop.refused(error) from error
    _check_begin(begins_at)
    return Preview(text, changes, begins_at, effect.of_book(_newest(), book))


def publish(wanted: Preview, *, based_on: int, by: Actor) -> None:
    """Apply it. Raises Refused where the shop has changed since it was shown."""
    try:
        apply_catalog.apply_text(wanted.text, by=by, based_on=based_on)
    except DocumentError as error:
        raise own_shop.refused(error) from error
    shop.refresh()


def instant(text: str) -> dt.datetime:
    """``2026-12-01T00:00``, as a page has it, of the billing zone. Raises InvalidValue."""
    zone = shop.snapshot().billing_zone
    try:
        if not _AT.fullmatch(text):
            raise ValueError(text)
        return dt.datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidValue("{value} is no day and time.", field="begins", value=text[:20] or "(empty)") from error


def next_midnight() -> str:
    """The next day's begin in the billing zone, as a page's field has it."""
    local = clock.now().astimezone(shop.snapshot().billing_zone)
    return f"{local.date() + dt.timedelta(days=1)}T00:00"


def sold_out(zone: str, type_code: str, *, out: bool, by: Actor) -> bool:
    """Show a type as sold out in a zone, or sell it there again; False where it is so already.

    Raises NotFound, ChangedMeanwhile, InvalidValue where the file cannot be changed by a page.
    """
    try:
        return _switched(zone, type_code, out, by)
    except DocumentError as error:
        raise InvalidValue(
            "The catalog file cannot be changed here. {problem}", field="document", problem=error.problems[0]
        ) from error


def _switched(zone: str, type_code: str, out: bool, by: Actor) -> bool:
    last = apply_catalog.last_applied()
    catalog, _book = apply_catalog.read(last.text)
    for number, item in enumerate(catalog.instance_types):
        shown = [one.code for one in catalog.zones] if item.zones is None else item.zones
        if item.code != type_code or zone not in shown:
            continue
        if (zone in item.sold_out) == out:
            return False
        wanted = [code for code in shown if (code in item.sold_out and code != zone) or (code == zone and out)]
        path: catalog_text.Path = ("instance_types", number, "sold_out")
        text = catalog_text.changed(last.text, {path: wanted or catalog_text.GONE})
        apply_catalog.apply_text(text, by=by, based_on=last.id)
        shop.refresh()
        return True
    raise NotFound("{type} is not sold in {zone}.", type=type_code[:40], zone=zone[:40])


def history() -> list[Applied]:
    """The files that were applied, the latest first, without their text; the last hundred."""
    return list(Applied.objects.defer("text").order_by("-id")[:100])


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = book_names.named(before), book_names.named(after)
    for name in old | new:
        one, other = old.get(name), new.get(name)
        if book_names.plain(one) != book_names.plain(other):
            yield Change(name, one, other)


def _check_begin(begins_at: dt.datetime) -> None:
    newest = _newest().effective_at
    if begins_at <= max(newest, clock.now()):
        raise InvalidValue(
            "Prices begin at an instant to come, after those that are published already ({after}).",
            field="begins", after=_shown(newest),
        )  # fmt: skip
    latest = clock.now() + _AHEAD
    if begins_at > latest:
        raise InvalidValue(
            "“In force from” is at most a year ahead: until {latest}.", field="begins", latest=_shown(latest)
        )


def _shown(instant: dt.datetime) -> str:
    return f"{instant.astimezone(shop.snapshot().billing_zone):%Y-%m-%d %H:%M}"


def _newest() -> PriceBook:
    return books.newest()
