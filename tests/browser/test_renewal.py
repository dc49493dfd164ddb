"""A prepaid machine's owner renews it, sees what is paid ahead and what a return gives, and lets it renew itself."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser
Window = Callable[..., Customer]


def test_renew_see_what_is_ahead_and_what_a_return_gives(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("1000")
    page = customer.buy("?name=web")
    page.click("text=web")
    expect(page.locator("#live .state.good")).to_have_text("Running")
    page.click("#acts-billing summary")
    page.click("#renew")
    expect(page.locator("#due")).to_have_text("¥67.00")
    page.select_option("#months", "12")
    page.click("#reckon")
    expect(page.locator("#due")).to_have_text("¥681.60")  # 12 × (60 × 0.83 + 7)
    page.click("#renew")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("h2:has-text('Renewal')")).to_be_visible()
    page.click("td.mono a")
    expect(page.locator("dd:has-text('¥681.60')")).to_be_visible()
    page.select_option("select[name=flag]", "NOTIFY_AND_AUTO_RENEW")
    page.click("text=Save")
    expect(page.locator(".notice.success")).to_have_text("Saved.")
    expect(page.locator("select[name=flag]")).to_have_value("NOTIFY_AND_AUTO_RENEW")
    page.click("#live >> text=Return")
    expect(page.locator("#refund")).to_have_text("¥748.60")
    assert customer.complaints == []


def test_several_from_the_list(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.buy("?name=web&count=2")
    expect(page.locator("#progress")).not_to_have_attribute("hx-trigger", "every 1s")
    page = customer.open("/machines/")
    for box in page.locator("input[name=id]").all():
        box.check()
    page.click("#chosen button[formaction='/machines/renew/']")
    expect(page.locator("#due")).to_have_text("¥134.00")
    page.click("#renew")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("text=¥67.00")).to_have_count(2)
