"""The seller's first run in a browser: from an empty folder to a delivered test order; by mouse, by keyboard alone, and
without JavaScript.
"""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import AXE, PASSWORD, Customer
from tests.catalog.test_brand import picture
from tests.support.running_shop import open_shop

pytestmark = pytest.mark.browser
STEPS = ("name", "place", "images", "host", "prices", "addresses", "payment", "terms")


def _faults(page: Page, *, scripts: bool) -> list[str]:
    """What axe finds, and whether the page is wider than the window."""
    if not scripts:
        return []
    page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [f"{fault['id']}: {fault['nodes'][0]['html']}" for fault in found] + (
        ["wider than the window"] if wide else []
    )


def _by_mouse(page: Page, button: str) -> None:
    page.click(button)


def _by_keyboard(page: Page, button: str) -> None:
    """Tab from the beginning of the page to the button, then Enter."""
    page.evaluate("document.activeElement && document.activeElement.blur()")
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({button!r})"):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"the keyboard does not reach {button}")


@pytest.mark.parametrize(
    ("press", "options"),
    [
        (_by_mouse, {"viewport": {"width": 1440, "height": 900}}),
        (_by_keyboard, {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}),
        (_by_mouse, {"java_script_enabled": False}),
    ],
    ids=["mouse", "keyboard", "no script"],
)
def test_from_an_empty_shop_to_a_delivered_test_order(
    browser: Browser, press: Callable[[Page, str], None], options: dict[str, object]
) -> None:
    scripts = options.get("java_script_enabled", True) is True
    shop = open_shop(demo=False)
    context = browser.new_context(locale="en-US", **options)  # type: ignore[arg-type]
    try:
        window = Customer(context, shop)
        page = window.page
        link = re.search(r"first operator (http\S+)", shop.log)
        assert link
        began = time.monotonic()
        page.goto(link[1])
        page.fill("#email", "seller@example.org")
        page.fill("#password", PASSWORD)
        press(page, "main button.btn-primary")
        for step in STEPS:
            page.wait_for_url(f"**/seller/first-run/{step}/")
            assert _faults(page, scripts=scripts) == [], step
            if step == "name":
                page.fill("#name_en", "Northwind Cloud")
                page.set_input_files("#logo", {"name": "l.png", "mimeType": "image/png", "buffer": picture()})
            if step == "place":
                page.select_option("#country", "DE")
            press(page, "main button.btn-primary")
        page.wait_for_url("**/seller/first-run/open/")
        assert _faults(page, scripts=scripts) == []
        press(page, "main button.btn-primary")
        page.wait_for_url("**/seller/first-run/test/")
        expect(page).to_have_title("Test order · Northwind Cloud")
        expect(page.locator(".brand img").first).to_have_js_property("naturalWidth", 300)
        assert _faults(page, scripts=scripts) == []
        press(page, "main button.btn-primary")
        expect(page.locator("text=Your first sale is delivered")).to_be_visible(timeout=60_000)
        assert _faults(page, scripts=scripts) == []
        press(page, "main a.btn-primary")
        page.wait_for_url("**/seller/")
        expect(page.locator("h1")).to_have_text("Today")
        assert _faults(page, scripts=scripts) == []
        assert time.monotonic() - began < 120
        assert (window.outside, window.complaints) == ([], [])
    finally:
        context.close()
        shop.remove()
