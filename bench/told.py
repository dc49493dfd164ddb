"""How late a buyer's page knows that the machine is delivered: it asks each second (ADR 0074).

Buys ``--purchases`` machines one after the other on the purchase page, in Chromium on this machine. Looks every 5 ms
at the database for the outcome, and notes in the page when it shows the way to log in. Prints the milliseconds between
the two: medians and the most.
"""

import argparse
import json
import shutil
import statistics
import sys
import time

import psycopg
from playwright.sync_api import Page, sync_playwright

from tests.support.scene import CUSTOMER, Scene, scene

_LOOK_S = 0.005
_WATCH = """() => { window.told = 0; new MutationObserver(() => {
  if (!window.told && document.querySelector("#progress tbody .state.good")) window.told = Date.now();
}).observe(document.querySelector("main"), {childList: true, subtree: true}); }"""
_DELIVERED = "SELECT count(*) FROM orders_line WHERE order_id = %s AND state = 'delivered'"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--purchases", type=int, default=20)
    options = parser.parse_args()
    program = shutil.which("chromium")
    if program is None:
        sys.exit("there is no chromium on this machine (bin/setup --dev installs it as root)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with scene(browser) as furnished, psycopg.connect(furnished.shop.database_url, autocommit=True) as database:
            late = [late_ms(furnished, database) for _ in range(options.purchases)]
        browser.close()
    figures = {"median_ms": round(statistics.median(late)), "most_ms": round(max(late))}
    print(json.dumps({"bench": "told", "purchases": options.purchases, **figures}))


def late_ms(furnished: Scene, database: "psycopg.Connection[tuple[int]]") -> float:
    """Of one purchase. Half a look at the database is in it."""
    with furnished.window(CUSTOMER, still=False) as page:
        page.goto("/buy/?charge=postpaid&name=told")
        page.click("#buy")
        page.wait_for_url("**/orders/*/")
        page.evaluate(_WATCH)
        order = int(page.url.rstrip("/").rpartition("/")[2])
        while database.execute(_DELIVERED, [order]).fetchone() != (1,):
            time.sleep(_LOOK_S)
        delivered = time.time() * 1000
        return max(0.0, _told_ms(page) - delivered)


def _told_ms(page: Page) -> float:
    """When the page showed it, in milliseconds since 1970; at once where it came with it."""
    if page.locator("#progress tbody .state.good").count() and not page.evaluate("window.told"):
        return 0
    page.wait_for_selector("#progress tbody .state.good")
    return float(page.evaluate("window.told"))


if __name__ == "__main__":
    main()
