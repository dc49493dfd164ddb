"""A seller's way without the demo: from an empty folder to the first sale, in a browser and a terminal."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import AXE, PASSWORD, Customer
from tests.support.running_shop import ROOT, RunningShop, open_shop

pytestmark = pytest.mark.browser
SELLER = "seller@example.org"


@pytest.fixture
def own_shop() -> Iterator[RunningShop]:
    shop = open_shop(demo=False)
    yield shop
    shop.remove()


@pytest.fixture
def visit(browser: Browser, own_shop: RunningShop) -> Iterator[Callable[[], Customer]]:
    """``visit()``: a browser window of the seller's own shop."""
    contexts = []

    def open_window() -> Customer:
        context = browser.new_context(locale="en-US")
        contexts.append(context)
        return Customer(context, own_shop)

    yield open_window
    for context in contexts:
        context.close()


def _faults(window: Customer) -> list[str]:
    """What axe finds on the page, and whether it is wider than the window."""
    page = window.page
    page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [fault["id"] for fault in found] + (["wider than the window"] if wide else [])


def test_from_nothing_to_the_first_sale(own_shop: RunningShop, visit: Callable[[], Customer]) -> None:
    seller, buyer = visit(), visit()
    expect(buyer.open("/buy/").locator("h1")).to_have_text("This shop is not open yet")
    assert _faults(buyer) == []

    link = re.search(r"first operator (http\S+)", own_shop.log)
    assert link
    page = seller.page
    page.goto(link[1])
    assert _faults(seller) == []
    page.fill("#email", SELLER)
    page.fill("#password", PASSWORD)
    page.click("main .btn-primary")
    page.wait_for_url("**/seller/first-run/name/")
    seller.open("/seller/checklist/")
    expect(page.locator("h2")).to_have_text("1 of 6 done")
    assert _faults(seller) == []

    starter = str(ROOT / "catalog" / "starter.yaml")
    assert own_shop.vmart("catalog", "apply", starter, "--yes").stdout.endswith(" changes are on sale\n")
    ends = time.monotonic() + 15  # its processes are told of the catalog a moment later
    while buyer.open("/buy/").locator("h1").inner_text() == "This shop is not open yet":
        assert time.monotonic() < ends
        buyer.page.wait_for_timeout(100)
    address = buyer.sign_up()

    seller.open("/seller/customers/")
    assert _faults(seller) == []
    page.fill("#q", address)
    page.click("form[role=search] button")
    page.click(f"text={address}")
    page.fill("#amount", "200.00")
    page.fill("#reason", "bank transfer 7")
    page.click("button[value=credit]")
    expect(page.locator("#available")).to_have_text("¥200.00")
    assert _faults(seller) == []

    shop_page = buyer.open("/buy/?charge=postpaid&name=web")
    shop_page.click("#buy")
    shop_page.wait_for_url("**/orders/*/")
    expect(shop_page.locator("text=ssh root@").first).to_be_visible()
    seller.open("/seller/checklist/")
    for done in ("An operator", "A catalog", "Payment", "A test order"):
        expect(page.locator("tr", has_text=done).locator(".state")).to_have_text("Done")
    page.reload()
    expect(page.locator("h2")).to_have_text("4 of 6 done")  # its machines are simulated, and so are their addresses
