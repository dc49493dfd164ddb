"""The seller's price book in a browser: without JavaScript, by keyboard, at 360 px, in both languages and themes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Customer
from tests.browser.test_every_page import LOCALES, THEMES, _faults
from tests.support.running_shop import RunningShop

pytestmark = pytest.mark.browser
PRICES = "/seller/catalog/prices/"
MONTH, TERMS, SHANGHAI = "bandwidth.month", "term_discounts.tables.default", "regions.ap-shanghai"


def _seller(window: Callable[..., Customer], shop: RunningShop, **options: object) -> Customer:
    seller = window(**options)
    seller.sign_in(shop.ready["operator"]["email"], shop.ready["operator"]["password"])
    seller.page.wait_for_url("**/seller/")
    return seller


def _type(page: Page, **typed: str) -> None:
    for name, text in typed.items():
        page.fill(f"[name='{name}']", text)


def _press(page: Page, act: str) -> None:
    page.click(f"button[value='{act}']:visible")


def test_rows_come_and_go_without_javascript_and_by_keyboard(
    window: Callable[..., Customer], running_shop: RunningShop
) -> None:
    """Given no script and a narrow window, when rows are added and Enter is pressed in a field, then what it does is
    shown and nothing is published or taken away."""
    viewport = {"width": 360, "height": 800}
    seller = _seller(window, running_shop, java_script_enabled=False, viewport=viewport)
    page = seller.open(PRICES)
    page.locator("#steps > summary").press("Enter")
    _press(page, f"add:{MONTH}")
    expect(page.locator(f"[name='{MONTH}.3.above']")).to_be_focused()
    _type(page, **{f"{MONTH}.2.up_to": "20", f"{MONTH}.3.above": "21", f"{MONTH}.3.price": "95"})
    page.press(f"[name='{MONTH}.3.price']", "Enter")
    expect(page.locator(f"id={MONTH}.3.above_error")).to_contain_text("gap: nothing holds between 20 and 21 Mbps")
    expect(page.locator(f"[name='{MONTH}.3.above']")).to_be_focused()
    _type(page, **{f"{MONTH}.3.above": "20"})
    page.press(f"[name='{MONTH}.3.above']", "Enter")
    expect(page.locator("#preview")).to_contain_text("5–20: ¥90.00")
    expect(page.locator("#preview")).to_contain_text("20–: ¥95.00")
    assert page.url.endswith(PRICES)
    page.locator("#terms > summary").press("Enter")
    page.locator(f"button[value='take:{TERMS}.3']").press("Enter")
    expect(page.locator(f"[name='{TERMS}.2.months']")).to_be_focused()
    expect(page.locator(f"[name='{TERMS}.3.months']")).to_have_count(0)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_whole_change_is_seen_well(
    window: Callable[..., Customer], running_shop: RunningShop, axe: str, locale: str
) -> None:
    """Given all parts unfolded, a mistake, then a preview of everything, then axe finds nothing and nothing is wider
    than the window."""
    seller = _seller(window, running_shop, locale=locale, color_scheme=THEMES[locale])
    page = seller.open(PRICES)
    _seen(page, axe)
    _press_unfolded(page, "new:terms")
    expect(page.locator("[name=new_terms]")).to_be_focused()
    _seen(page, axe)
    for thing in ("bandwidth", "instance_types.S5.SMALL1", "traffic_gib"):
        _unfold(page)
        page.select_option("[name='own.ap-shanghai']", thing)
        _press(page, "own:ap-shanghai")
    _press_unfolded(page, f"add:{MONTH}")
    _type(page, **{f"{MONTH}.2.up_to": "20", f"{MONTH}.3.above": "30", f"{MONTH}.3.price": "95"})
    page.locator("button[value=preview]:visible").last.click()
    expect(page.locator(f"id={MONTH}.3.above_error")).to_be_visible()
    _seen(page, axe)
    _type(page, **{f"{MONTH}.3.above": "20", f"{TERMS}.1.factor": "0.80", f"{SHANGHAI}.factor": "1.25"})
    page.check("[name='term_discounts.covers.disk']")
    page.locator("button[value=preview]:visible").last.click()
    expect(page.locator("#preview")).to_be_visible()
    _seen(page, axe)


def _press_unfolded(page: Page, act: str) -> None:
    _unfold(page)
    _press(page, act)
    page.wait_for_load_state()


def _unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true })")


def _seen(page: Page, axe: str) -> None:
    _unfold(page)
    for width in (1440, 768, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        assert _faults(page, axe) == [], width
