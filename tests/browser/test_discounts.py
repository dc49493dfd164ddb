"""A seller gives a customer a discount in a browser: looked at, set by keyboard, withdrawn; the customer reads it."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import AXE, Customer
from tests.support.running_shop import RunningShop

pytestmark = pytest.mark.browser


def _faults(window: Customer) -> list[str]:
    """What axe finds on the page at each width, and whether it is wider than the window."""
    page, found = window.page, []
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 844})
        page.evaluate(AXE.read_text())
        faults = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
        found += [fault["id"] for fault in faults]
        found += ["too wide"] if page.evaluate("document.documentElement.scrollWidth") > width else []
    page.set_viewport_size({"width": 1440, "height": 844})
    return found


@pytest.mark.parametrize(("locale", "theme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_a_discount_is_looked_at_set_and_withdrawn(
    window: Callable[..., Customer], running_shop: RunningShop, locale: str, theme: str
) -> None:
    while time.gmtime().tm_min == 58:  # from the next minute on, what begins with the next hour is not withdrawn
        time.sleep(1)
    seller, buyer = window(locale=locale, color_scheme=theme), window(color_scheme=theme)
    address = buyer.sign_up()
    buyer.top_up("500")
    buyer.buy("?charge=postpaid&name=web")
    seller.sign_in(running_shop.ready["operator"]["email"], running_shop.ready["operator"]["password"])
    seller.page.wait_for_url("**/seller/")
    page = seller.open(f"/seller/customers/?q={address}")
    page.click("main tbody a >> nth=0")
    page.fill("#discount-percent", "12.5")
    page.click("#discount button[value=preview]")
    expect(page.locator("#discount-hour")).to_contain_text("87.5")
    expect(page.locator("#discount-percent")).to_have_value("12.5")
    assert _faults(seller) == []

    page.fill("#discount-reason", "buys much")
    page.press("#discount-reason", "Enter")
    expect(page.locator("#discount tbody")).to_contain_text("buys much")
    assert _faults(seller) == []
    overview = buyer.open("/overview/")
    expect(overview.locator("#discount")).to_contain_text("87.5")
    assert _faults(buyer) == []

    page.fill("#discount-percent", "12.555")
    page.fill("#discount-reason", "too exact")
    page.click("#discount button[value=set]")
    expect(page.locator("#discount-percent_error")).to_be_visible()
    assert _faults(seller) == []
    page.click("#discount button[value=withdraw]")
    expect(page.locator("#discount tbody")).to_have_count(0)
    expect(buyer.open("/overview/").locator("#discount")).to_have_count(0)
