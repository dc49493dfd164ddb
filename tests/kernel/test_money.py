"""Minor units are ISO 4217's, and no amount changes on its way through them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmart.kernel import money

NO_DECIMALS = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
]  # fmt: skip
THREE_DECIMALS = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]


def test_the_exponents_that_are_not_two_are_those_of_iso_4217() -> None:
    assert [code for code in money.CURRENCIES if money.exponent(code) == 0] == NO_DECIMALS
    assert [code for code in money.CURRENCIES if money.exponent(code) == 3] == THREE_DECIMALS
    assert {money.exponent(code) for code in money.CURRENCIES} == {0, 2, 3}


def test_every_currency_in_use_is_known_by_three_letters() -> None:
    assert len(money.CURRENCIES) == 155
    assert {len(code) for code in money.CURRENCIES} == {3}
    assert all(code.isascii() and code.isupper() for code in money.CURRENCIES)
    assert {"CNY", "USD", "EUR", "GBP", "HKD", "INR", "MGA", "MRU", "SLE", "XCD", "ZWG"} <= set(money.CURRENCIES)


@pytest.mark.parametrize("code", ["CNX", "XAU", "XXX", "XTS", "CLF", "BTC", "DEM", "", "YUAN"])
def test_what_is_no_currency_has_no_minor_unit(code: str) -> None:
    """A guessed exponent would be wrong by a factor of a hundred."""
    with pytest.raises(money.UnknownCurrency, match="ISO 4217"):
        money.exponent(code)


@given(st.sampled_from(sorted(money.CURRENCIES)), st.integers(-(2**63), 2**63 - 1))
def test_minor_units_and_amounts_are_the_same_to_the_unit(code: str, amount_minor: int) -> None:
    places = money.exponent(code)
    amount = money.from_minor(amount_minor, places)
    assert money.to_minor(amount, places) == amount_minor
    assert amount == Decimal(amount_minor) / 10**places
