"""The page where a card is entered, in a real browser: Stripe's script is played, Stripe's server is localstripe.

The script of js.stripe.com never comes to this machine. Its part here has the calls that our page makes of it
(Stripe.js reference: ``elements``, ``create``, ``mount``, ``confirmPayment``); entering the card is localstripe's.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Customer
from tests.payments.conftest import SECRET_KEY, LocalStripe, localstripe_server  # noqa: F401  a fixture
from tests.support.running_shop import RunningShop, open_shop

pytestmark = pytest.mark.browser
PAYS, DECLINED = "4242424242424242", "4000000000000341"
SCRIPT = """
window.Stripe = (key) => ({
  elements: ({ clientSecret }) => ({
    clientSecret,
    create: (kind) => ({ mount: (place) => document.querySelector(place).append(`${kind} for ${key}`) }),
  }),
  confirmPayment: ({ elements, confirmParams, redirect }) =>
    window.enterCard(elements.clientSecret, confirmParams.return_url, redirect),
});
"""


@pytest.fixture(scope="module")
def stripe_shop(localstripe_server: LocalStripe) -> Iterator[RunningShop]:  # noqa: F811
    shop = open_shop(
        environment={
            "VMART_STRIPE_SECRET_KEY": SECRET_KEY,
            "VMART_STRIPE_PUBLISHABLE_KEY": "pk_test_12345",
            "VMART_STRIPE_API_BASE": localstripe_server.address,
        }
    )
    yield shop
    shop.remove()


class Card:
    """What the customer types into Stripe's element; ``asked`` is what our page told it each time."""

    def __init__(self, page: Page, stripe: LocalStripe) -> None:
        self.number, self.answer = PAYS, ""
        self.asked: list[tuple[str, str]] = []
        self._stripe = stripe
        page.expose_function("enterCard", self._enter)

    def _enter(self, client_secret: str, return_url: str, redirect: str) -> dict[str, object]:
        self.asked.append((return_url, redirect))
        said = self.answer or self._stripe.confirm(client_secret, self.number)
        return {} if said == "succeeded" else {"error": {"message": f"Stripe says: {said}"}}


@pytest.fixture
def customer(browser: Browser, stripe_shop: RunningShop) -> Iterator[Customer]:
    context = browser.new_context(locale="en-US")
    context.route("https://js.stripe.com/**", lambda route: route.fulfill(body=SCRIPT, content_type="text/javascript"))
    customer = Customer(context, stripe_shop)
    customer.sign_up()
    yield customer
    context.close()


def _begin(customer: Customer) -> Page:
    """As far as the page with Stripe's element."""
    page = customer.open("/balance/top-up/")
    page.fill("#amount", "50")
    page.check("input[name=provider][value=stripe]")
    page.click("main .btn-primary")
    page.wait_for_url("**/payments/*/")
    return page


def _held_to_the_policy(customer: Customer) -> None:
    """Stripe's script is let in, nothing else from outside is asked for, nothing was refused."""
    assert set(customer.outside) == {"https://js.stripe.com/v3/"}
    assert customer.complaints == []


def test_a_card_that_pays(customer: Customer, localstripe_server: LocalStripe) -> None:  # noqa: F811
    card, page = Card(customer.page, localstripe_server), _begin(customer)
    expect(page.locator("#card-element")).to_have_text("payment for pk_test_12345")
    page.click("#card-form .btn-primary")
    page.wait_for_selector("text=The money is in your balance.")
    expect(page.locator("#card-form")).to_have_count(0)
    assert card.asked == [(page.url, "if_required")]
    assert "¥50.00" in customer.open("/balance/").inner_text("main")
    _held_to_the_policy(customer)


def test_a_card_that_is_declined(customer: Customer, localstripe_server: LocalStripe) -> None:  # noqa: F811
    """The page says why and lets another be tried; nothing is credited."""
    card, page = Card(customer.page, localstripe_server), _begin(customer)
    card.number = DECLINED
    page.click("#card-form .btn-primary")
    expect(page.locator("#card-error")).to_have_text("Stripe says: card_declined")
    card.answer = "try_again"  # localstripe confirms a payment once only
    page.click("#card-form .btn-primary")
    expect(page.locator("#card-error")).to_have_text("Stripe says: try_again")
    assert len(card.asked) == 2
    assert "¥50.00" not in customer.open("/balance/").inner_text("main")
    _held_to_the_policy(customer)


def test_without_scripts_the_page_says_what_else_there_is(browser: Browser, stripe_shop: RunningShop) -> None:
    context = browser.new_context(locale="en-US", java_script_enabled=False)
    customer = Customer(context, stripe_shop)
    customer.sign_up()
    _begin(customer)
    expect(customer.page.locator("#card-element p")).to_be_visible()  # it stands in noscript
    assert "Without it you can pay from your balance." in (
        customer.page.locator("#card-element p").text_content() or ""
    )
    assert customer.outside == []
    context.close()
