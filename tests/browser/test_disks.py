"""A customer buys a disk of its own, and it goes to a machine, grows there, and is ended."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser


def test_the_life_of_a_disk(window: Callable[..., Customer]) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.buy("?charge=postpaid&name=web")
    expect(page.locator("text=ssh root@").first).to_be_visible()
    page = customer.open("/disks/")
    page.click("text=Buy a disk >> nth=0")
    page.select_option("#type", "CLOUD_SSD")
    page.fill("#name", "data")
    page.click("#reckon")
    expect(page.locator("#hourly")).to_have_text("¥0.14")
    page.click("#buy")
    page.wait_for_url("**/disks/disk-*/")
    address = page.url.removeprefix(customer.url)
    expect(page.locator("#live .state")).to_have_text("At no machine")
    page.click("text=Attach…")
    page.click("#attach")
    expect(page.locator("#live .state")).to_have_text("Attached")
    page.click("text=Larger disk…")
    page.fill("#size", "200")
    page.click("#reckon")
    expect(page.locator("#hourly")).to_have_text("¥0.28")
    page.click("#change")
    expect(page.locator("#live dd:has-text('200 GiB')")).to_be_visible()
    page.click("#live a:has-text('web')")
    expect(page.locator("dd:has-text('data')")).to_contain_text("SSD Cloud Disk, 200 GiB")
    page = customer.open(address)
    page.fill("#name", "logs")
    page.check("#ends")
    page.click("#save")
    expect(page.locator("h1")).to_have_text("logs")
    expect(page.locator("#ends")).to_be_checked()
    page.click("text=Detach…")
    page.click("#detach")
    expect(page.locator("#live .state")).to_have_text("At no machine")
    page.click("text=Terminate…")
    page.click("#end")
    expect(page.locator("#live .state")).to_have_text("Recycle bin")
    expect(page.locator("text=Erase now…")).to_be_visible()
    assert customer.complaints == []
