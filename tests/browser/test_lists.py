"""Lists: ticked by mouse and keyboard, kept while the list comes anew, acted on with and without scripts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser
_REFRESH = """htmx.ajax("GET", location.href, {target: "#machines", select: "#machines", swap: "outerHTML"})"""


def _with_machines(customer: Customer, count: int = 3) -> None:
    customer.sign_up()
    customer.open("/balance/top-up/")
    customer.page.fill("#amount", "500")
    customer.page.click("main .btn-primary")
    page = customer.buy(f"?charge=postpaid&name=web&count={count}")
    for _ in range(40):
        page.reload()
        if page.locator("text=ssh root@").count() == count:
            return
        page.wait_for_timeout(250)
    raise AssertionError("they do not run")


def _bar(page: Page) -> str:
    return " ".join(page.locator("#chosen .count:visible").inner_text().split())


def test_rows_are_ticked_and_stay_so_when_the_list_comes_anew(window: Callable[..., Customer]) -> None:
    customer = window(viewport={"width": 1440, "height": 900})
    _with_machines(customer)
    page = customer.open("/machines/?order=name")
    assert _bar(page) == "Tick rows to act on several at once."
    expect(page.locator("#chosen button").first).to_be_hidden()
    page.focus("#pick-all")
    page.keyboard.press("Space")
    assert _bar(page) == "With the chosen ones: 3"
    page.locator("input.pick[name=id]").nth(1).uncheck()
    assert page.evaluate("document.getElementById('pick-all').indeterminate") is True
    with page.expect_response("**/machines/**"):
        page.evaluate(_REFRESH)
    expect(page.locator("#pick-all")).to_be_visible()
    assert [box.is_checked() for box in page.locator("input.pick[name=id]").all()] == [True, False, True]
    assert _bar(page) == "With the chosen ones: 2"
    page.click("#chosen button[value=stop]")
    page.wait_for_url("**/machines/chosen/?**act=stop")
    expect(page.locator("#do")).to_have_text("Yes, all 2")
    page.click("#do")
    expect(page.locator("#results .state.good")).to_have_count(2)
    page = customer.open("/machines/?order=name")
    expect(page.locator("#machines .state.idle")).to_have_count(2)  # from then on the list is not asked again
    page.locator("td.acts summary").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("td.acts .item").first).to_have_text("Start")
    page.keyboard.press("Enter")
    page.wait_for_url("**/machines/?order=name")
    expect(page.locator("#machines .state.good")).to_have_count(2)


def test_a_filter_is_kept_and_columns_are_chosen_at_360_px(window: Callable[..., Customer]) -> None:
    customer = window(viewport={"width": 360, "height": 740})
    _with_machines(customer, 1)
    page = customer.open("/machines/?q=web")
    page.click("#keep-filter summary")
    page.fill("#filter-name", "Web servers")
    page.click("#keep-filter .btn-primary")
    expect(page.locator(".kept-filter a[aria-current]")).to_have_text("Web servers")
    page.click("#columns summary")
    page.uncheck("#columns input[value=zone]")
    page.check("#columns input[value=host_name]")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.click("#columns .btn-primary")
    expect(page.locator("td[data-title='Host name']")).to_be_visible()
    expect(page.locator("td[data-title=Zone]")).to_have_count(0)
    page.click("td.acts summary")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_several_at_once_without_java_script(window: Callable[..., Customer]) -> None:
    customer = window(java_script_enabled=False)
    _with_machines(customer, 2)
    page = customer.open("/machines/")
    for box in page.locator("input.pick[name=id]").all():
        box.check()
    page.click("#chosen button[value=end]")
    expect(page.locator("#do")).to_have_text("Yes, all 2")
    page.click("#do")
    expect(page.locator("#results .state.good")).to_have_count(2)
    page = customer.open("/machines/")
    page.click("#chosen button[value=stop]")  # nothing is ticked
    expect(page.locator(".notice.error")).to_have_text("Tick rows of the list first.")
