"""The search dialog: by keyboard alone, with nothing for axe to find, in a narrow window; without scripts a page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser


def _with_a_machine(customer: Customer) -> str:
    """Address of a machine called web."""
    customer.sign_up()
    customer.top_up("500")
    page = customer.buy("?charge=postpaid&name=web")
    expect(page.locator("text=ssh root@").first).to_be_visible()
    return str(page.locator("#progress table a").first.get_attribute("href"))


def test_by_keyboard_alone(window: Callable[..., Customer], axe: str) -> None:
    customer = window(viewport={"width": 1440, "height": 900})
    machine = _with_a_machine(customer)
    page = customer.open("/overview/")
    page.keyboard.press("Control+k")
    expect(page.locator("#search-word")).to_be_focused()
    page.keyboard.type("we")
    expect(page.locator("#search .found a").first).to_have_attribute("href", machine)
    expect(page.locator("#search-said")).to_have_text("1 result")
    page.evaluate(axe)
    assert page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations") == []
    page.keyboard.press("ArrowDown")
    expect(page.locator("#search .found a").first).to_be_focused()
    page.keyboard.press("ArrowDown")  # round to the field
    expect(page.locator("#search-word")).to_be_focused()
    for place in ("#search-close", "#search .found a", "#search-word", "#search-close"):  # Tab does not leave it
        page.keyboard.press("Tab")
        expect(page.locator(place)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#search .found a")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.press("Enter")  # the first hit
    page.wait_for_url(f"**{machine}")
    page.keyboard.press("Control+k")
    page.keyboard.type("quotas")
    expect(page.locator("#search .found a").first).to_have_attribute("href", "/quotas/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/quotas/")
    page.keyboard.press("Control+k")
    page.keyboard.type("no such thing")
    expect(page.locator("#search-said")).to_have_text("0 results")
    page.keyboard.press("Enter")  # nothing to open: the page says so
    page.wait_for_url("**/search/?q=no+such+thing")


def test_at_360_px_by_touch(window: Callable[..., Customer]) -> None:
    customer = window(viewport={"width": 360, "height": 720}, has_touch=True)
    machine = _with_a_machine(customer)
    page = customer.open("/machines/")
    page.tap("#search-open")
    page.fill("#search-word", "web")
    expect(page.locator("#search .found a").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.tap("#search-close")
    expect(page.locator("#search")).to_be_hidden()
    page.tap("#search-open")
    page.tap("#search .found a")
    page.wait_for_url(f"**{machine}")


def test_script_in_a_name_stays_text(window: Callable[..., Customer]) -> None:
    customer = window()
    customer.sign_up()
    page = customer.open("/overview/")
    page.keyboard.press("Control+k")
    page.keyboard.type("<img src=x onerror=alert(1)>")
    expect(page.locator("#search .found .empty")).to_contain_text("<img src=x onerror=alert(1)>")


def test_without_java_script_the_link_leads_to_a_page(window: Callable[..., Customer]) -> None:
    customer = window(java_script_enabled=False)
    customer.sign_up()
    page = customer.open("/overview/")
    page.click("#search-open")
    page.wait_for_url("**/search/")
    page.fill("#q", "quotas")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/?q=quotas")
    page.click(".found a")
    page.wait_for_url("**/quotas/")
