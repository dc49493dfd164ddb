"""The pictures of the documentation: a whole window each, of the furnished shop, and of one that is set up just now."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.support import pictures
from tests.support.running_shop import ROOT, open_shop
from tests.support.scene import CUSTOMER, SELLER, Scene, settle

FOLDER = ROOT / "docs" / "images"
_COLOURS = 256  # as many as a page has, with the edges of its letters
_PASSWORD = "Correct-horse-7"
# An hour of a machine that serves visitors; what stands on the shop's own clock.
_VALUES = """
INSERT INTO monitoring_minute (instance_id, at, cpu_percent, memory_percent, received_bytes, sent_bytes)
SELECT i.id, date_trunc('minute', d.test_clock_at) - n * interval '1 minute', 34 + 18 * sin(n / 7.0) + 6 * sin(n * 1.7),
       52 + 4 * cos(n / 11.0), 15000 * (5 + 3 * sin(n / 5.0)), 60000 * (5 + 3 * cos(n / 9.0))
FROM instances_instance i, kernel_deployment d, generate_series(0, 59) AS n WHERE i.public_id = %s
ON CONFLICT (instance_id, at) DO UPDATE SET cpu_percent = EXCLUDED.cpu_percent,
  memory_percent = EXCLUDED.memory_percent, received_bytes = EXCLUDED.received_bytes, sent_bytes = EXCLUDED.sent_bytes
"""


def keep_all(scene: Scene, browser: Browser) -> None:
    """Each of them anew, but for those that show what they did."""
    for name, who, address, theme in (
        ("purchase", CUSTOMER, "/buy/", "light"), ("purchase-dark", CUSTOMER, "/buy/", "dark"),
        ("overview", CUSTOMER, "/overview/", "light"), ("machine", CUSTOMER, "{machine}", "light"),
        ("order", CUSTOMER, "{order}", "light"), ("prices", SELLER, "/seller/catalog/prices/", "light"),
        ("today", SELLER, "/seller/", "light"),
    ):  # fmt: skip
        with scene.window(who, color_scheme=theme) as page:
            page.goto(address.format(**scene.places))
            _keep(name, page)
    _monitoring(scene)
    _console(scene)
    with _new_shop(browser) as page:
        _first_run(page)


def _keep(name: str, page: Page) -> None:
    settle(page)
    picture = pictures.whole(page, 1440)
    file = FOLDER / f"{name}.png"
    small = picture.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    if not file.exists() or pictures.compare(Image.open(file), small) is not None:
        small.save(file, optimize=True)


def _monitoring(scene: Scene) -> None:
    with psycopg.connect(scene.shop.database_url, autocommit=True) as own:
        own.execute(_VALUES, [scene.places["machine"].split("/")[2]])
    with scene.window(CUSTOMER) as page:
        page.goto(f"{scene.places['machine']}monitoring/")
        expect(page.locator(".chart:visible canvas").first).to_be_visible()
        _keep("monitoring", page)


def _console(scene: Scene) -> None:
    """A login on a machine whose password is known."""
    with scene.window(CUSTOMER) as page:
        page.goto("/buy/?charge=postpaid&name=shell&login=password")
        page.fill("#password", _PASSWORD)
        page.click("#buy")
        page.wait_for_url("**/orders/*/")
        page.click("text=Open the console")
        page.wait_for_url("**/console/")
        expect(page.locator("#console-state")).to_have_text("Open", timeout=120_000)
        rows = page.locator("#console-screen .xterm-rows")
        for asked, typed in (("login:", "root"), ("Password:", _PASSWORD), (":~#", "uname"), ("Linux", "free")):
            expect(rows).to_contain_text(asked)
            page.keyboard.type(f"{typed}\n")
        expect(rows).to_contain_text("Mem")
        page.wait_for_timeout(500)  # the last prompt is there
        _keep("console", page)


@contextmanager
def _new_shop(browser: Browser) -> Iterator[Page]:
    """The seller's window of a shop that has nothing yet, at the first question."""
    shop = open_shop(demo=False)
    context = browser.new_context(locale="en-US", viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    try:
        page = context.new_page()
        link = re.search(r"first operator (http\S+)", shop.log)
        assert link
        page.goto(link[1])
        page.fill("#email", "seller@example.org")
        page.fill("#password", "a-Long-passphrase-4")
        page.click("main button.btn-primary")
        yield page
    finally:
        context.close()
        shop.remove()


def _first_run(page: Page) -> None:
    kept: dict[str, Callable[[], None]] = {
        "name": lambda: page.fill("#name_en", "Northwind Cloud"),
        "prices": lambda: _keep("first-run-prices", page),
    }
    for step in ("name", "place", "images", "host", "prices", "addresses", "payment", "terms"):
        page.wait_for_url(f"**/seller/first-run/{step}/")
        kept.get(step, lambda: None)()
        page.click("main button.btn-primary")
    page.wait_for_url("**/seller/first-run/open/")
    page.click("main button.btn-primary")
    page.wait_for_url("**/seller/first-run/test/")
    page.click("main button.btn-primary")
    expect(page.locator("text=Your first sale is delivered")).to_be_visible(timeout=120_000)
    _keep("first-run-sale", page)
