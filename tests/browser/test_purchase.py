"""From sign-up to a running machine and its end, as people do it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser
Window = Callable[..., Customer]


def test_sign_up_top_up_buy_watch_it_run_and_terminate(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("100")
    page = customer.open("/buy/")
    expect(page.locator("#due")).to_have_text("¥67.00")
    page.check("#charge-postpaid")
    expect(page.locator("#hourly")).to_have_text("¥0.19")
    page.check("#internet-bandwidth")
    page.fill("#count", "2")
    expect(page.locator("#hourly")).to_have_text("2 × ¥0.505")  # 0.18 + 0.01 + 5 × 0.063
    assert "charge=postpaid" in page.url
    assert "internet=bandwidth" in page.url
    page.fill("#name", "web")
    expect(page.locator("#hold")).to_have_text("¥1.02")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    assert page.locator("#password").inner_text().count("-") == 3
    expect(page.locator("text=ssh root@").first).to_be_visible()
    expect(page.locator("#progress")).not_to_have_attribute("hx-trigger", re.compile(".*"))
    page.click("text=web-1")
    expect(page.locator("#live .state.good")).to_have_text("Running")
    page.click("text=Terminate")
    page.click("main .btn-danger")
    expect(page.locator("#live .state.warn")).to_have_text("Recycle bin")


def test_every_change_is_priced_at_once_and_the_page_can_be_shared(window: Window) -> None:
    customer = window()
    page = customer.open("/buy/")
    expect(page.locator("#due")).to_have_text("¥67.00")
    page.check("#region-ap-shanghai")
    expect(page.locator("#due")).to_have_text("¥73.70")
    expect(page.locator("#zone-ap-shanghai-2")).to_be_checked()
    page.check("#type-S5\\.SMALL1")
    page.focus("#months")
    page.select_option("#months", "12")
    expect(page.locator("#due")).to_have_text("¥502.26")  # 12 × (49.5 × 0.69 + 7.7)
    assert page.locator("#months").evaluate("e => e === document.activeElement")
    page.fill("#mbps", "999")
    expect(page.locator("#error-mbps")).to_contain_text("from 1 to 200")
    expect(page.locator("#due")).to_have_count(0)
    page.fill("#mbps", "10")
    expect(page.locator("#due")).to_have_text("¥502.26")
    shared = page.url
    other = window().open(shared.removeprefix(customer.url))
    expect(other.locator("#due")).to_have_text("¥502.26")
    expect(other.locator("#mbps")).to_have_value("10")
    expect(other.locator("#type-S5\\.SMALL1")).to_be_checked()


def test_data_disks_are_added_priced_and_taken_out_without_leaving_the_page(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/buy/")
    page.check("#login-password")
    page.fill("#password", "Secret-word-77")
    page.fill("#count", "2")
    expect(page.locator("#due")).to_have_text("¥134.00")
    page.click("#add-disk")
    expect(page.locator("#data_gib-1")).to_be_focused()
    expect(page.locator("#due")).to_have_text("¥169.00")  # 2 × (67 + 50 × 0.35)
    page.fill("#data_gib-1", "100")
    expect(page.locator("#due")).to_have_text("¥204.00")
    expect(page.locator("#data-note-1")).to_contain_text("¥35.00 a month")
    page.click("#add-disk")
    page.select_option("#data_disk-2", "CLOUD_SSD")
    expect(page.locator("#due")).to_have_text("¥304.00")
    page.fill("#data_gib-2", "15")
    expect(page.locator("#error-data_gib-2")).to_have_text("Enter a number from 20 to 32000.")
    expect(page.locator("#due")).to_have_count(0)
    page.fill("#data_gib-2", "20")
    expect(page.locator("#due")).to_have_text("¥244.00")
    page.click("[aria-label='Remove data disk 1']")
    expect(page.locator("#due")).to_have_text("¥174.00")
    expect(page.locator("#add-disk")).to_be_focused()
    assert "data_disk=CLOUD_SSD&data_gib=20" in page.url
    assert "act=" not in page.url
    expect(page.locator("#password")).to_have_value("Secret-word-77")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("text=SSD Cloud Disk, 20 GiB")).to_be_visible()
    expect(page.locator("text=ssh root@").first).to_be_visible()


def test_a_typed_password_survives_every_repricing_and_never_enters_the_address(window: Window) -> None:
    customer = window()
    customer.sign_up()
    page = customer.open("/buy/")
    page.check("#login-password")
    page.fill("#password", "Secret-word-77")
    page.check("#charge-postpaid")
    expect(page.locator("#hourly")).to_be_visible()
    expect(page.locator("#password")).to_have_value("Secret-word-77")
    assert "Secret" not in page.url


def test_double_click_back_and_reload_buy_once(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/buy/")
    page.dblclick("#buy")
    page.wait_for_url("**/orders/*/")
    page.go_back()
    page.wait_for_url("**/buy/**")
    page.reload()
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    page = customer.open("/orders/")
    assert page.locator("tbody tr").count() == 1


def test_bought_by_keyboard_alone(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/buy/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.id")
        if focused == "charge-prepaid":
            page.keyboard.press("ArrowDown")
            expect(page.locator("#hourly")).to_be_visible()
            expect(page.locator("#charge-postpaid")).to_be_focused()
        if focused == "buy":
            break
    expect(page.locator("#buy")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("text=ssh root@").first).to_be_visible()


def test_bought_without_java_script(window: Window) -> None:
    customer = window(java_script_enabled=False)
    customer.sign_up()
    customer.open("/balance/top-up/")
    customer.page.fill("#amount", "500")
    customer.page.click("main .btn-primary")
    page = customer.open("/buy/")
    page.check("#charge-postpaid")
    page.fill("#name", "plain")
    page.click("#add-disk")
    page.fill("#data_gib-1", "60")
    page.click("#add-disk")
    page.click("[aria-label='Remove data disk 2']")
    expect(page.locator("#data_gib-1")).to_have_value("60")
    expect(page.locator("#hourly")).to_have_text("¥0.22")
    page.click("[aria-label='Remove data disk 1']")
    page.click("main .price button:has-text('Recalculate')")
    expect(page.locator("#hourly")).to_have_text("¥0.19")
    expect(page.locator("#name")).to_have_value("plain")
    page.fill("#count", "2")
    page.click("#buy")  # changed after the price was shown: asked again
    expect(page.locator(".notice").first).to_contain_text("changed after its price was shown")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    for _ in range(240):
        if page.locator("text=ssh root@").count() == 2:
            break
        page.wait_for_timeout(250)
        page.reload()
    assert page.locator("text=ssh root@").count() == 2
    page.click("text=plain-1")
    page.click("text=Terminate")
    page.click("main .btn-danger")
    expect(page.locator("text=Recycle bin").first).to_be_visible()
