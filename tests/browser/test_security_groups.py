"""A buyer closes machines to all but what they serve: a group, a rule, a purchase with it, and the warning of SSH."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser
Window = Callable[..., Customer]


def test_make_a_group_add_a_rule_and_buy_with_it(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/security-groups/")
    page.fill("#name", "front")
    page.select_option("#starting", "empty")
    page.click("form.card button.btn-primary")
    page.wait_for_url("**/security-groups/sg-*/")
    expect(page.locator(".ssh-closed")).to_be_visible()
    page.fill("#port", "443")
    page.fill("#cidr", "0.0.0.0/0")
    page.click("button[value=add]")
    expect(page.locator(".notice.success")).to_contain_text("It holds for new connections within seconds")
    expect(page.locator("#ingress tbody tr")).to_have_count(1)
    group = page.url.split("/")[-2]
    page = customer.open("/buy/?charge=postpaid&name=web")
    expect(page.locator(".ssh-closed")).to_have_count(0)
    page.click("#other-groups summary")
    page.check(f"#security_group-{group}")
    page.uncheck("#security_group input >> nth=0")  # the default group
    expect(page.locator("#price .ssh-closed")).to_be_visible()
    expect(page.locator(f"#security_group-{group}")).to_be_checked()
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    page.click("text=web")
    expect(page.locator("#live .state.good")).to_have_text("Running")
    expect(page.locator("#live .ssh-closed")).to_be_visible()
    page.click("#live >> text=front")
    page.wait_for_url(f"**/{group}/")
    expect(page.locator("#machines tbody tr")).to_have_count(1)
    page.fill("#port", "22")
    page.fill("#cidr", "203.0.113.0/24")
    page.click("button[value=add]")
    expect(page.locator("#ingress tbody tr")).to_have_count(2)
    expect(page.locator(".ssh-closed")).to_have_count(0)
    expect(page.locator(".ssh-some")).to_be_visible()
    page.click("#ingress button[value=down] >> nth=0")
    expect(page.locator("#ingress tbody tr >> nth=1")).to_contain_text("203.0.113.0/24")
    page.click("#ingress button[value=remove] >> nth=1")
    expect(page.locator(".ssh-closed")).to_be_visible()
    assert customer.complaints == []
