"""Given a price book that has not begun, when it is withdrawn, then it was never there, whatever happens beside it."""

import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import pytest

from tests.backoffice.test_own_shop import comments_of
from tests.backoffice.test_prices import M4, publish
from tests.support.actors import SELLER
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG
from tests.support.shopper import HOURLY, MONTHLY, open_purse, wanted
from tests.support.written import contents, nothing_written, refused
from tests.web.visiting import customer, operator, text_of
from vmart.backoffice import apply_catalog, catalog_text, prices, withdraw_book
from vmart.catalog import shop as catalog_shop
from vmart.catalog.models import Applied
from vmart.kernel import db
from vmart.kernel.documents import read_yaml
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.pricing import books
from vmart.pricing.models import Book, Rate

pytestmark = pytest.mark.usefixtures("shop")
BEGINS = dt.datetime(2026, 3, 10, 16, tzinfo=dt.UTC)  # 00:00 in Shanghai


@pytest.fixture(autouse=True)
def caches() -> Any:
    yield
    books.forget()


def _dearer(begins: str = "2026-03-11T00:00", hour: str = "0.50") -> None:
    """A further book, from then on."""
    assert publish(operator(), **{f"{M4}.hour": hour, "begins": begins})["Location"] == "/seller/catalog/"


def _withdraw(version: int = 2) -> None:
    withdraw_book.withdraw(version, by=SELLER)


def _hour() -> str:
    return str(read_yaml(apply_catalog.applied())["price_book"]["instance_types"]["S5.MEDIUM4"]["hour"])


def test_the_book_before_goes_on_and_the_file_says_it_again(test_clock: BusinessClock) -> None:
    before = contents()
    text = apply_catalog.applied()
    _dearer()
    _withdraw()
    after = contents()
    assert after["pricing_book"] == before["pricing_book"]
    assert after["pricing_rate"][0] == before["pricing_rate"][0]
    assert read_yaml(apply_catalog.applied()) == read_yaml(text)
    assert comments_of(apply_catalog.applied()) == comments_of(DEMO_CATALOG.read_text())
    assert list(Applied.objects.order_by("id").values_list("by", flat=True))[-1] == SELLER.name
    test_clock.set(BEGINS + dt.timedelta(hours=1))
    assert books.current_book(catalog_shop.current().generation).version == 1
    purchase(wanted(open_purse(cash_minor=1000), HOURLY))
    assert Order.objects.get().book_version == 1


def test_what_else_was_changed_in_the_file_stays_and_the_number_is_free(test_clock: BusinessClock) -> None:
    _dearer()
    prices.sold_out("ap-guangzhou-4", "S5.LARGE8", out=True, by=SELLER)
    _withdraw()
    assert _hour() == "0.35"
    kinds = {one["code"]: one for one in read_yaml(apply_catalog.applied())["instance_types"]}
    assert kinds["S5.LARGE8"]["sold_out"] == ["ap-guangzhou-4"]
    _dearer(hour="0.60")
    assert Book.objects.latest("version").version == 2
    test_clock.set(BEGINS)
    book = books.current_book(catalog_shop.current().generation)
    assert book.document.instance_types["S5.MEDIUM4"].hour == Decimal("0.6")


def test_of_several_to_come_the_last_goes_first() -> None:
    _dearer()
    _dearer("2026-03-12T00:00", "0.70")
    with refused(books.NotToCome, match="withdraw that one first"):
        _withdraw(2)
    _withdraw(3)
    assert _hour() == "0.50"
    assert list(Book.objects.order_by("version").values_list("version", "ends_at")) == [(1, BEGINS), (2, None)]
    _withdraw(2)
    assert _hour() == "0.35"
    assert Rate.objects.values_list("book__version", flat=True).distinct().get() == 1


def test_what_has_begun_and_what_is_not_there_is_not_withdrawn(test_clock: BusinessClock) -> None:
    with refused(books.NotToCome):
        _withdraw(1)
    with refused(NotFound):
        _withdraw(2)
    _dearer()
    test_clock.set(BEGINS)
    with refused(books.NotToCome, match="has begun"):
        _withdraw()


def test_a_file_that_needs_the_book_is_told_and_nothing_changes() -> None:
    """Given a type that only the book to come has a price for, then the file would have none for it."""
    text = apply_catalog.applied()
    new = text.replace("S5.MEDIUM4: {month: 115", "S5.NEW4: {month: 1, hour: 1}\n    S5.MEDIUM4: {month: 115", 1)
    document = read_yaml(new)
    kind = next(one for one in document["instance_types"] if one["code"] == "S5.MEDIUM4")
    changed = catalog_text.changed(
        new,
        {
            ("price_book", "version"): 2,
            ("price_book", "effective_at"): BEGINS,
            ("instance_types",): [*document["instance_types"], kind | {"code": "S5.NEW4", "zones": []}],
        },
    )
    apply_catalog.apply_text(changed)
    with refused(InvalidValue, match="S5.NEW4"):
        _withdraw()


# -- races ---------------------------------------------------------------------------------------------


def test_its_beginning_while_the_lock_is_waited_for_comes_first(test_clock: BusinessClock) -> None:
    """Given a withdrawal that waits for a reader of the books until the book has begun, then it is refused."""
    _dearer()
    outcome: list[Any] = []

    def late() -> None:
        try:
            _withdraw()
            outcome.append("withdrawn")
        except Exception as error:  # noqa: BLE001
            outcome.append(type(error).__name__)
        finally:
            db.connection.close()

    thread = threading.Thread(target=late)
    with db.act():
        assert books.book_in_force(test_clock.at).version == 1  # reads, and holds on
        thread.start()
        wait_until_blocked()
        test_clock.set(BEGINS)
        assert books.book_in_force(test_clock.at).version == 2  # sold by the new prices from now on
    thread.join(30)
    assert outcome == ["NotToCome"]
    assert Book.objects.count() == 2


def test_control_without_the_lock_a_book_is_gone_that_somebody_has_sold_by(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a withdrawal that looks at the clock, then waits for anything, then commits."""
    _dearer()
    monkeypatch.setattr(books, "_lock", lambda: None)
    account = open_purse(cash_minor=50_000)
    delete = Book.delete

    def slow(row: Book, *arguments: Any, **named: Any) -> Any:
        test_clock.set(BEGINS)
        bought = at_once(lambda: purchase(wanted(account, MONTHLY)))
        assert [type(one).__name__ for one in bought] == ["Bought"]
        return delete(row, *arguments, **named)

    monkeypatch.setattr(Book, "delete", slow)
    _withdraw()
    assert Order.objects.get().book_version == 2
    assert not Book.objects.filter(version=2).exists()  # nobody could return it


def test_a_purchase_while_it_is_withdrawn_waits_and_buys_at_the_prices_of_before(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _dearer()
    account = open_purse(cash_minor=50_000)
    outcome: list[Any] = []
    delete = Book.delete

    def buy() -> None:
        try:
            outcome.append(purchase(wanted(account, MONTHLY)))
        finally:
            db.connection.close()

    thread = threading.Thread(target=buy)

    def slow(row: Book, *arguments: Any, **named: Any) -> Any:
        books.forget()  # as in another process, which reads the books at the instant
        test_clock.set(BEGINS)
        thread.start()
        wait_until_blocked()
        return delete(row, *arguments, **named)

    monkeypatch.setattr(Book, "delete", slow)
    _withdraw()
    thread.join(30)
    assert len(outcome) == 1
    assert Order.objects.get().book_version == 1


def test_a_reader_that_goes_on_for_long_is_not_waited_for() -> None:
    _dearer()
    with db.act():
        assert Book.objects.count() == 2
        (outcome,) = at_once(_withdraw)
    assert isinstance(outcome, books.BeingRead)
    assert Book.objects.count() == 2
    _withdraw()


def test_of_two_who_withdraw_at_once_one_does() -> None:
    _dearer()
    outcomes = at_once(_withdraw, _withdraw)
    assert sorted(type(one).__name__ for one in outcomes) == ["NoneType", "NotFound"]
    assert Book.objects.count() == 1


# -- page and command ----------------------------------------------------------------------------------


def test_it_is_withdrawn_on_the_page_of_the_catalog(test_clock: BusinessClock) -> None:
    seller, stranger = operator(), customer()
    address = "/seller/catalog/books/2/withdraw/"
    assert address not in seller.get("/seller/catalog/").content.decode()
    _dearer()
    assert address in seller.get("/seller/catalog/").content.decode()
    with nothing_written():
        assert "the prices of version 1 go on" in text_of(seller.get(address))
        assert stranger.post(address).status_code == 403
        for nobody in ("9", "99999999999", str(2**70)):
            assert seller.post(f"/seller/catalog/books/{nobody}/withdraw/").status_code == 404
        assert "cannot be withdrawn" in text_of(seller.get("/seller/catalog/books/1/withdraw/", follow=True))
        assert "has begun" in text_of(seller.post("/seller/catalog/books/1/withdraw/", follow=True))
    assert "the prices of before go on" in text_of(seller.post(address, follow=True))
    assert seller.post(address).status_code == 404
    assert Book.objects.count() == 1
    assert Applied.objects.latest("id").by == seller.user.email
