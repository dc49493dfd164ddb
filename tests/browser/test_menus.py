"""Acts behind a button: unfolded by mouse and keyboard, folded again, kept while the page refreshes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser
_REFRESH = """htmx.ajax("GET", document.querySelector("#live").getAttribute("hx-get"),
    {target: "#live", swap: "outerHTML"})"""


def test_a_menu_of_acts(window: Callable[..., Customer]) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.buy("?charge=postpaid&name=web")
    page.click("text=web")
    expect(page.locator("#live .state.good")).to_have_text("Running")
    change, billing = page.locator("#acts-change .item").first, page.locator("#acts-billing .item").first
    expect(change).to_be_hidden()
    page.click("#acts-change summary")
    expect(change).to_be_visible()
    page.click("#acts-billing summary")  # one at a time
    expect(billing).to_be_visible()
    expect(change).to_be_hidden()
    with page.expect_response("**/live/"):
        page.evaluate(_REFRESH)
    expect(billing).to_be_visible()
    page.keyboard.press("Escape")
    expect(billing).to_be_hidden()
    page.focus("#acts-change summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/type/")
    assert customer.complaints == []


def test_a_menu_without_java_script(window: Callable[..., Customer]) -> None:
    customer = window(java_script_enabled=False)
    customer.sign_up()
    page = customer.open("/balance/top-up/")
    page.fill("#amount", "500")
    page.click("main .btn-primary")
    page = customer.buy("?charge=postpaid&name=web")
    page.click("text=web")
    page.click("#acts-login summary")
    page.click("#acts-login >> text=Host name")
    page.wait_for_url("**/host-name/")
