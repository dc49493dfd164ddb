"""Given an order, then paper has whose it is and what was bought, black on white, and nothing that can be pressed."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser
_COLOURS = """() => [document.body, document.querySelector(".card"), document.querySelector(".card td")].map((part) =>
  [getComputedStyle(part).backgroundColor, getComputedStyle(part).color])"""
_PAPER = {"width": 700, "height": 1000}  # A4 within its margins


def _printed(page: Page) -> Page:
    page.emulate_media(media="print")
    page.set_viewport_size(_PAPER)  # type: ignore[arg-type]
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_order_on_paper(window: Callable[..., Customer], theme: str) -> None:
    customer = window(color_scheme=theme)
    email = customer.sign_up()
    customer.top_up("500")
    page = customer.buy("?charge=postpaid&name=web&count=2")
    expect(page.locator("text=ssh root@").first).to_be_visible()
    order = page.locator("h1").inner_text()
    page = _printed(page)
    for seen in (
        ".brand",
        ".who",
        "h1",
        ".timeline",
        ".facts",
        "#progress td:has-text('203.0.113.') >> nth=0",
        "footer",
    ):
        expect(page.locator(seen).first).to_be_visible()
    assert page.locator(".who").inner_text() == email
    assert re.fullmatch(r"Order \d+", order)
    heads = page.locator("#progress thead th:visible").all_inner_texts()  # a list, not folded
    assert heads == ["Machine", "Public address", "Private address", "How to log in", "State"]
    for gone in (
        "nav",
        ".actions",
        "button",
        ".btn",
        "form",
        "a:has-text('Open the console')",
        "text=Show the password",
    ):
        assert page.locator(f"{gone} >> visible=true").count() == 0, gone
    white, black = "rgb(255, 255, 255)", "rgb(0, 0, 0)"
    body, card, cell = page.evaluate(_COLOURS)
    assert (body, card[0], cell[1]) == ([white, black], white, black)
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1


def test_a_statement_on_paper_stays_a_table(window: Callable[..., Customer]) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = _printed(customer.open("/balance/"))
    assert page.locator("thead th:visible").all_inner_texts() == [
        "Time",
        "For what",
        "Purse",
        "Amount",
        "Purse after it",
    ]
    assert page.locator("a.btn >> visible=true").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
