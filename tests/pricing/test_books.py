"""Given price books of the database, then there is one in force at every instant from the first on."""

import copy
import datetime as dt
from typing import Any

import pytest

from tests.pricing.demo import demo_catalog
from tests.support.business_clock import BusinessClock
from tests.support.written import refused
from vmart.kernel import db
from vmart.pricing import books
from vmart.pricing.book import PriceBook, parse_book

pytestmark = pytest.mark.usefixtures("db")


def _from(instant: dt.datetime, version: int = 1) -> PriceBook:
    document: dict[str, Any] = copy.deepcopy(dict(demo_catalog().price_book))
    return parse_book(document | {"effective_at": instant, "version": version})


def test_a_first_book_of_the_future_is_refused(test_clock: BusinessClock) -> None:
    """Until it began nothing would have a price, and every page and answer would be an error."""
    with refused(books.NotEffectiveYet, match="the first price book", field="price_book.effective_at"), db.act():
        books.publish(_from(test_clock.at + dt.timedelta(seconds=1)), test_clock.at)


def test_a_first_book_of_this_second_is_in_force(test_clock: BusinessClock) -> None:
    with db.act():
        assert books.publish(_from(test_clock.at), test_clock.at)
    assert books.current_book(1).version == 1


def test_a_later_book_of_the_future_is_taken_and_the_first_is_in_force_until_then(test_clock: BusinessClock) -> None:
    with db.act():
        assert books.publish(_from(test_clock.at), test_clock.at)
        assert books.publish(_from(test_clock.at + dt.timedelta(hours=1), version=2), test_clock.at)
    assert books.current_book(1).version == 1
    test_clock.advance(hours=1)
    assert books.current_book(1).version == 2
