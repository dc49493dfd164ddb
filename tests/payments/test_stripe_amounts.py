"""Given any currency and amount, then what Stripe is asked for is that amount, as its reference has it counted.

Stripe, "Supported currencies": currencies without decimals, with three decimals, and special cases.
"""

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.payments.exchanges import ReferenceStripe
from tests.support.actors import by
from tests.support.shopper import MONTHLY_MINOR, open_purse, wanted
from tests.support.written import refused
from vmart.catalog import shop as catalog_shop
from vmart.kernel.models import Deployment
from vmart.kernel.money import CURRENCIES, from_minor, to_minor
from vmart.orders import place
from vmart.payments import rules, top_up
from vmart.payments.errors import AmountOutOfRange
from vmart.payments.models import Payment
from vmart.payments.providers import provider_of, stripe_card
from vmart.payments.providers.contract import Charge
from vmart.payments.providers.sandbox import PAYS, Sandbox

WITHOUT_DECIMALS = {
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
}  # fmt: skip
THREE_DECIMALS = {"BHD", "JOD", "KWD", "OMR", "TND"}  # whose last digit is 0
AS_IF_TWO_DECIMALS = {"ISK", "UGX"}  # whose last two digits are 0
NOT_AT_STRIPE = {"IQD", "LYD"}


def _decimals(currency: str) -> int:
    return 0 if currency in WITHOUT_DECIMALS else 3 if currency in THREE_DECIMALS else 2


def test_every_amount_from_001_to_2000_is_asked_for_in_whole_cents() -> None:
    """By type, not by a product of floats: 19.99 × 100 is 1998.9999999999998 there."""
    for cents in range(1, 200_001):
        amount_minor = to_minor(Decimal(f"{cents // 100}.{cents % 100:02}"))
        asked = stripe_card.units(amount_minor, "CNY")
        assert (type(asked), asked, amount_minor) == (int, cents, cents)


@pytest.mark.parametrize("amount", [19.99 * 100, 1999.0, Decimal(1999), "1999", True, None])
def test_an_amount_of_another_type_is_never_asked_for(amount: Any) -> None:
    with pytest.raises(TypeError, match="whole minor units"):
        Charge("vmart-1-x", amount, "CNY")


@given(st.sampled_from(sorted(CURRENCIES)), st.integers(0, 10**12))
def test_stripe_is_asked_for_the_amount_and_its_answer_is_read_as_it(currency: str, steps: int) -> None:
    assume(currency not in NOT_AT_STRIPE)
    amount_minor = steps * stripe_card.step_minor(currency)
    units = stripe_card.units(amount_minor, currency)
    assert Decimal(units).scaleb(-_decimals(currency)) == from_minor(amount_minor, CURRENCIES[currency])
    assert stripe_card.minor(units, currency) == amount_minor
    if currency in THREE_DECIMALS:
        assert units % 10 == 0
    if currency in AS_IF_TWO_DECIMALS:
        assert units % 100 == 0


@pytest.mark.parametrize(
    ("currency", "amount_minor", "units"),
    [("CNY", 5050, 5050), ("XOF", 100, 100), ("JPY", 500, 500), ("ISK", 5, 500), ("UGX", 5, 500), ("MGA", 500, 5),
     ("KWD", 5120, 5120), ("TND", 10, 10)],
)  # fmt: skip
def test_examples(currency: str, amount_minor: int, units: int) -> None:
    assert stripe_card.units(amount_minor, currency) == units


@pytest.mark.parametrize(("currency", "amount_minor"), [("KWD", 5124), ("MGA", 550)])
def test_what_stripe_cannot_take_is_not_rounded(currency: str, amount_minor: int) -> None:
    with pytest.raises(ValueError, match=currency):
        stripe_card.units(amount_minor, currency)


def test_a_part_of_a_unit_that_stripe_should_not_have_taken_is_no_amount() -> None:
    """The seller is then shown that the amounts differ."""
    assert stripe_card.minor(550, "ISK") is None


@pytest.fixture
def in_dinars(shop: object) -> None:
    """The shop's currency has three decimals."""
    Deployment.objects.update(currency="KWD", generation=F("generation") + 1)
    catalog_shop.refresh()


@pytest.mark.usefixtures("in_dinars")
def test_a_top_up_that_the_provider_cannot_take_is_refused_before_it_is_asked(
    reference_stripe: ReferenceStripe,
) -> None:
    account = open_purse()
    with refused(AmountOutOfRange, match=r"multiple of KWD 0\.010", field="amount_minor"):
        top_up.begin(by(account), 5124, "stripe", "t1")
    assert reference_stripe.requests == []
    top_up.begin(by(account), 5120, "stripe", "t2")
    (intent,) = reference_stripe.intents.values()
    assert (intent["amount"], intent["currency"]) == (5120, "kwd")


@pytest.mark.usefixtures("in_dinars")
def test_an_order_needs_the_next_amount_that_a_card_can_pay(reference_stripe: ReferenceStripe) -> None:
    account = open_purse(cash_minor=3)
    order = place.place(wanted(account))
    assert top_up.least_minor(account, order) == MONTHLY_MINOR  # 3 more than is missing: balance
    assert top_up.asked_minor(account, order) == MONTHLY_MINOR
    top_up.begin(by(account), top_up.asked_minor(account, order), "stripe", "t1", order_id=order)
    assert Payment.objects.get().amount_minor == MONTHLY_MINOR


@pytest.mark.parametrize(
    ("due", "available", "asked"), [(5124, 0, 5130), (5124, 5, 5120), (5124, 6000, 5130), (7, 9, 100)]
)
def test_what_the_page_asks_for_is_an_amount_that_the_provider_takes(due: int, available: int, asked: int) -> None:
    assert rules.asked_minor(due, available, 100, stripe_card.step_minor("KWD")) == asked


@pytest.mark.usefixtures("in_dinars", "sandbox")
def test_the_test_provider_takes_any_amount() -> None:
    account = open_purse(cash_minor=3)
    order = place.place(wanted(account))
    assert Sandbox().step_minor("KWD") == provider_of("sandbox").step_minor("KWD") == 1
    assert top_up.least_minor(account, order) == MONTHLY_MINOR - 3
    assert (
        top_up.begin(by(account), MONTHLY_MINOR - 3, "sandbox", "t1", order_id=order, method=PAYS).state == "succeeded"
    )
