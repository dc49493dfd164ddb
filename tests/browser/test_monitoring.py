"""Given a machine with values, then its page draws them; lines are hidden by keyboard, and stay so each minute."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import AXE, Customer, shifts
from tests.support.running_shop import RunningShop

pytestmark = pytest.mark.browser
_VALUES = """
INSERT INTO monitoring_minute (instance_id, at, cpu_percent, memory_percent, received_bytes, sent_bytes)
SELECT i.id, date_trunc('minute', now()) - n * interval '1 minute', n, 50, 1000 * n, 2000 * n
FROM instances_instance i, generate_series(0, 50) AS n WHERE i.public_id = %s AND n NOT BETWEEN 20 AND 25
ON CONFLICT (instance_id, at) DO NOTHING
"""
_RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(one => one.id)"


@contextmanager
def _without_scripts(browser: Browser, context: BrowserContext, shop: RunningShop) -> Iterator[Page]:
    """The same visitor in a window that runs no scripts."""
    options = {"base_url": shop.url, "locale": "en-US", "storage_state": context.storage_state()}
    plain = browser.new_context(java_script_enabled=False, **options)  # type: ignore[arg-type]
    yield plain.new_page()
    plain.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts(browser: Browser, running_shop: RunningShop, scheme: str) -> None:
    context = browser.new_context(locale="en-US", color_scheme=scheme, viewport={"width": 360, "height": 800})
    customer = Customer(context, running_shop)
    customer.sign_up()
    customer.top_up("100")
    page = customer.buy("?charge=postpaid&name=web")
    expect(page.locator("text=ssh root@").first).to_be_visible()
    machine = page.locator("#progress table a").first.get_attribute("href") or ""
    with psycopg.connect(running_shop.database_url, autocommit=True) as own:
        own.execute(_VALUES, [machine.split("/")[2]])
    page = customer.open(f"{machine}monitoring/")
    expect(page.locator(".chart:visible canvas")).to_have_count(3)  # of the rest nothing is known
    assert shifts(page) == []
    with _without_scripts(browser, context, running_shop) as plain:
        plain.goto(page.url)
        expect(plain.locator("#figures table").first).to_be_visible()
        expect(plain.locator("#charts, .chart")).to_have_count(8)
        expect(plain.locator("#charts")).to_be_hidden()
    line = page.get_by_role("button", name="Network out", exact=False).first
    line.focus()
    page.keyboard.press("Enter")
    expect(line).to_have_attribute("aria-pressed", "false")
    page.evaluate("htmx.ajax('GET', '?span=1h', {target: '#figures', select: '#figures', swap: 'outerHTML'})")
    page.wait_for_timeout(800)
    expect(page.locator(".chart:visible canvas")).to_have_count(3)
    expect(line).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate(AXE.read_text())
    assert page.evaluate(_RUN) == []
    assert (customer.complaints, customer.outside) == ([], [])
    context.close()
