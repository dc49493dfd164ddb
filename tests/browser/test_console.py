"""A machine's console in a real browser: opened from the order, logged in to, resized, ended, opened again."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Customer
from tests.support.console_client import Cvm

pytestmark = pytest.mark.browser
PASSWORD = "Correct-horse-7"
_AXE = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map((one) => one.id)"


def _buy(customer: Customer) -> Page:
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/buy/?charge=postpaid&name=web&login=password")
    page.fill("input[name=password]", PASSWORD)
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    return page


def _shows(page: Page, text: str) -> None:
    expect(page.locator("#console-screen .xterm-rows")).to_contain_text(text)


def _log_in(page: Page) -> None:
    _shows(page, "login:")
    page.keyboard.type("root\n")
    _shows(page, "Password:")
    page.keyboard.type(PASSWORD + "\n")
    _shows(page, ":~#")


def test_from_the_order_to_a_command_and_back(window: Callable[..., Customer], axe: str) -> None:
    customer = window(viewport={"width": 1200, "height": 800})
    page = _buy(customer)
    page.click("text=Open the console")
    page.wait_for_url("**/console/")
    state = page.locator("#console-state")
    expect(state).to_have_text("Open", timeout=30_000)  # the gateway's process may have to start
    _log_in(page)
    page.evaluate(axe)
    assert page.evaluate(_AXE) == []
    page.keyboard.type("stty\n")
    rows = page.locator("#console-screen .xterm-rows")
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('.xterm-screen').clientWidth") < 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.keyboard.type("clear\n")
    expect(rows).not_to_contain_text("Password:")
    page.keyboard.type("stty\n")
    expect(rows).to_contain_text("stty")
    page.keyboard.press("Control+Shift+Enter")  # out of the terminal, by keyboard alone
    assert page.evaluate("document.activeElement.id") == "content"
    machine = page.url.removesuffix("console/")
    with page.context.expect_page() as opened:
        page.evaluate("address => window.open(address)", machine + "console/")
    second = opened.value
    expect(second.locator("#console-state")).to_have_text("Open")
    expect(state).to_have_text("It ended because the machine's console was opened in another window.")
    again = page.locator("#console-again")
    expect(again).to_be_visible()
    second.close()
    again.click()
    expect(state).to_have_text("Open")
    _log_in(page)
    page.goto(machine)
    expect(page.locator(".history")).to_contain_text("It ended because the machine's console was opened in another")
    expect(page.locator(".history")).to_contain_text("Console opened")


def test_signed_out_it_ends_and_says_so(window: Callable[..., Customer]) -> None:
    customer = window()
    page = _buy(customer)
    page.click("text=Open the console")
    state = page.locator("#console-state")
    expect(state).to_have_text("Open", timeout=30_000)
    other = page.context.new_page()
    other.goto(customer.url + "/overview/")
    other.click("text=Sign out")
    expect(state).to_have_text("It ended because you signed out.")
    page.click("#console-again")
    expect(state).to_have_text("The connection was lost. The machine runs on.")


def test_an_address_of_the_api_opens_it_once_for_whoever_has_it(window: Callable[..., Customer], running_shop) -> None:  # type: ignore[no-untyped-def]
    cvm = Cvm(running_shop)
    url = cvm.console_url(cvm.buy_running())
    customer = window()
    page = customer.page
    page.goto(url)
    expect(page.locator("#console-state")).to_have_text("Open", timeout=30_000)
    assert page.url == customer.url + "/console/"  # nothing of the ticket stays in the history
    _log_in(page)
    page.reload()
    expect(page.locator("#console-state")).to_have_text("This address opens no console any more: ask for a new one.")
    expect(page.locator("#console-again")).to_be_hidden()
    page.goto("about:blank")
    page.goto(url)
    expect(page.locator("#console-state")).to_contain_text("This ticket is not good any more")
