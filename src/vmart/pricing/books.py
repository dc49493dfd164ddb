"""The price books of the database: which is in force, and publishing a new one."""

import datetime as dt
import threading

from django.db import OperationalError, connection, transaction

from vmart.customers import discounts
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, NotFound, Unsupported
from vmart.pricing.book import PriceBook, hourly_rates, parse_book
from vmart.pricing.models import Book, Rate

_caching = threading.Lock()
_parsed: dict[str, PriceBook] = {}  # by sha256: a published book never changes
_current: tuple[int, dt.datetime, dt.datetime | None, PriceBook] | None = None


class NotEffectiveYet(InvalidValue):
    """A book that would start before the one in force or in the past, or a first one in the future."""


class NotToCome(Unsupported):
    """A book that has begun, or behind which another is published, is not withdrawn."""


class BeingRead(Unsupported):
    """Somebody has been reading the price books for longer than is waited for."""


def book_of(row: Book) -> PriceBook:
    """The parsed book of a row; parsed once a process."""
    if row.sha256 not in _parsed:
        _parsed[row.sha256] = parse_book(row.document)
    return _parsed[row.sha256]


def current_book(generation: int, now: dt.datetime | None = None) -> PriceBook:
    """The book in force at ``now`` (business time), cached for one generation of the deployment."""
    global _current
    now = now or clock.now()
    cached = _current
    if cached and cached[0] == generation and cached[1] <= now and (cached[2] is None or now < cached[2]):
        return cached[3]
    with _caching:
        row = _in_force(now)
        book = book_of(row)
        _current = (generation, row.effective_at, row.ends_at, book)
        return book


def _in_force(now: dt.datetime) -> Book:
    return Book.objects.filter(effective_at__lte=now).latest("effective_at")


def book_in_force(now: dt.datetime) -> PriceBook:
    """The book in force at ``now`` as the database has it in this transaction."""
    return book_of(_in_force(now))


def newest() -> PriceBook:
    """The book that begins last, perhaps at an instant to come."""
    return book_of(Book.objects.latest("effective_at"))


def dated() -> list[Book]:
    """All books without what they say, the newest first."""
    return list(Book.objects.defer("document").order_by("-effective_at"))


def book_by_version(version: int) -> PriceBook:
    """The book of an order. Raises Book.DoesNotExist."""
    return book_of(Book.objects.get(version=version))


def own_book(account_id: int | None, generation: int, now: dt.datetime | None = None) -> PriceBook:
    """The book in force at the prices that the account pays; None: list prices, of whoever has not signed in."""
    book = current_book(generation, now)
    return book if account_id is None else book.at(discounts.factor(account_id, now))


def forget() -> None:
    """Drop the cached books and discounts: another database, or a test's end."""
    global _current
    _current = None
    discounts.forget()


def publish(book: PriceBook, now: dt.datetime) -> bool:
    """Store ``book`` and its rates, in force from ``book.effective_at``; False when it is there already.

    The past is never rewritten: the first book may start at any time up to now, every later one after
    now and after the newest. Belongs into the act's transaction. Raises NotEffectiveYet.
    """
    db.require_transaction()
    newest = Book.objects.select_for_update().order_by("-effective_at").first()
    if newest and newest.sha256 == book.sha256():
        return False
    if newest is None and book.effective_at > now:
        raise NotEffectiveYet(
            "price_book.effective_at is {at}; the first price book is in force at once: it is now {now}.",
            field="price_book.effective_at",
            at=book.effective_at.isoformat(),
            now=now.isoformat(),
        )
    if newest and (book.effective_at <= newest.effective_at or book.effective_at < now):
        raise NotEffectiveYet(
            "price_book.effective_at is {at}; it must be after {after}.",
            field="price_book.effective_at",
            at=book.effective_at.isoformat(),
            after=max(now, newest.effective_at).isoformat(),
        )
    if newest and book.version <= newest.version:
        raise NotEffectiveYet(
            "price_book.version is {version}; it must be above {newest}.",
            field="price_book.version",
            version=book.version,
            newest=newest.version,
        )
    if newest:
        _refuse_dropped_prices(book, newest)
        Book.objects.filter(pk=newest.pk).update(ends_at=book.effective_at)
    row = Book.objects.create(
        version=book.version,
        effective_at=book.effective_at,
        currency=book.currency,
        document=book.plain(),
        sha256=book.sha256(),
        created_at=now,
    )
    Rate.objects.bulk_create(
        Rate(
            book=row, price_key=rate.price_key, step_from=rate.step_from, step_to=rate.step_to,
            tier_from_s=rate.tier_from_s, tier_to_s=rate.tier_to_s, rate=rate.rate,
        )
        for rate in hourly_rates(book)
    )  # fmt: skip
    return True


def before_it(book: Book) -> Book | None:
    """The one that was in force when this one begins."""
    return Book.objects.filter(effective_at__lt=book.effective_at).order_by("-effective_at").first()


def withdraw(version: int) -> Book:
    """Take back the book that begins last, if it has not begun: nobody has read a price in it. The one before goes on.

    Belongs into an act, at its end: until that commits nobody else reads any book, so that none is in force for
    somebody and gone for the next; whoever read this one as in force before has the time behind its beginning.
    Raises NotFound, NotToCome, BeingRead.
    """
    db.require_transaction()
    _lock()
    row = Book.objects.filter(version=version).first()
    if row is None:
        raise NotFound("There is no price book {version}.", version=version)
    before = before_it(row)
    if row.effective_at <= clock.now() or before is None:
        raise NotToCome("The price book {version} has begun: publish another one.", version=version)
    if row.ends_at is not None:
        raise NotToCome("A later price book is published: withdraw that one first.")
    Rate.objects.filter(book=row).delete()
    row.delete()
    Book.objects.filter(pk=before.pk).update(ends_at=None)
    before.ends_at = None
    return before


def _lock() -> None:
    """No reader of books until this act ends; not waited for long, since all others wait behind it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute("LOCK TABLE pricing_book IN ACCESS EXCLUSIVE MODE")
            cursor.execute("SET LOCAL lock_timeout = '10s'")
    except OperationalError as error:
        if db.sqlstate(error) != "55P03":
            raise
        raise BeingRead("The price books are being read by a close or a backup: try again in a while.") from error


def _refuse_dropped_prices(book: PriceBook, newest: Book) -> None:
    """A machine keeps running when its type is no longer sold: a price once given stays in every later book."""
    kept = {rate.price_key for rate in hourly_rates(book)}
    dropped = sorted(set(Rate.objects.filter(book=newest).values_list("price_key", flat=True)) - kept)
    if dropped:
        raise NotEffectiveYet(
            "price_book has no price for {keys}; machines may be running at it: take it off sale, keep its price.",
            field="price_book",
            keys=", ".join(dropped[:5]),
        )
