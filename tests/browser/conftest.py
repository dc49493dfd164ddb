"""A real browser, and customers of the running shop who use it."""

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.running_shop import ROOT, RunningShop

AXE = ROOT / "assets" / "node_modules" / "axe-core" / "axe.min.js"
# What moves by itself while a page is shown, by Layout Instability: how much, which elements, from where to where.
_SHIFTS = """
window.shifted = [];
const place = rect => [rect.x, rect.y, rect.width, rect.height].map(Math.round).join(" ");
const moved = source => `${source.node?.id || source.node?.className || source.node?.nodeName}:`
  + ` ${place(source.previousRect)} -> ${place(source.currentRect)}`;
new PerformanceObserver(list => list.getEntries().filter(entry => !entry.hadRecentInput).forEach(entry =>
  window.shifted.push(`${entry.value.toFixed(4)} ${entry.sources.map(moved).join(", ")}`)
)).observe({type: "layout-shift", buffered: true});
"""
PASSWORD = "a-Long-passphrase-4"
expect.set_options(timeout=30_000)  # a delivery on a busy machine takes longer than Playwright's 5 s
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium on this machine (bin/setup --dev installs it as root)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Customer:
    """A browser window of the shop; what it asks for elsewhere, and what its console says, is kept."""

    def __init__(self, context: BrowserContext, shop: RunningShop) -> None:
        self.url = shop.url
        context.add_init_script(_SHIFTS)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.outside: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("console", lambda said: self._said(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url + "/", "data:")):
            self.outside.append(url)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "status of 4" not in text:
            self.complaints.append(text)

    def open(self, address: str) -> Page:
        self.page.goto(self.url + address)
        return self.page

    def sign_up(self) -> str:
        """A new account; its address."""
        self.open("/accounts/signup/?next=/buy/")
        return self.fill_in_sign_up()

    def fill_in_sign_up(self) -> str:
        """A new account on the page for it, which leads back to the purchase page; its address."""
        email = f"browser{os.getpid()}-{next(_numbers)}@example.org"
        ends = time.monotonic() + 90
        while self._sends_sign_up(email) == 429:  # the shop lets 20 a minute sign up from one address
            assert time.monotonic() < ends
            self.page.wait_for_timeout(1000)
            self.page.go_back()
        self.page.wait_for_url("**/buy/**")
        return email

    def _sends_sign_up(self, email: str) -> int:
        """The answer's status."""
        self.page.fill("#id_email", email)
        self.page.fill("#id_password1", PASSWORD)
        with self.page.expect_response(lambda answer: answer.request.method == "POST") as sent:
            self.page.click("main .btn-primary")
        return sent.value.status

    def top_up(self, amount: str = "500") -> None:
        """Money by the test card."""
        self.open("/balance/top-up/")
        self.page.fill("#amount", amount)
        self.page.click("main .btn-primary")
        self.page.wait_for_selector("text=The money is in your balance.")

    def buy(self, query: str = "") -> Page:
        """What the purchase page sells by this query, with nothing changed: the order's page."""
        self.open(f"/buy/{query}")
        self.page.click("#buy")
        self.page.wait_for_url("**/orders/*/")
        return self.page

    def sign_in(self, email: str, password: str) -> None:
        self.open("/accounts/login/")
        self.page.fill("#id_login", email)
        self.page.fill("#id_password", password)
        self.page.click("main .btn-primary")
        self.page.wait_for_url(lambda url: "/accounts/" not in url)


def shifts(page: Page) -> object:
    """What has moved on the page since it is open."""
    return page.evaluate("window.shifted")


@pytest.fixture
def window(browser: Browser, running_shop: RunningShop) -> Iterator[Callable[..., Customer]]:
    """``window(java_script_enabled=False, locale="zh-CN")``: a browser window with cookies of its own.

    After the test: no address outside the shop was asked for, and the console has no complaint.
    """
    opened: list[tuple[BrowserContext, Customer]] = []

    def open_window(**options: object) -> Customer:
        context = browser.new_context(**({"locale": "en-US"} | options))  # type: ignore[arg-type]
        customer = Customer(context, running_shop)
        opened.append((context, customer))
        return customer

    yield open_window
    for context, customer in opened:
        context.close()
        assert customer.outside == []
        assert customer.complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's source."""
    if not Path(AXE).exists():
        pytest.skip("axe-core is not installed (bin/setup --dev does)")
    return AXE.read_text()
