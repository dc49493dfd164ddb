"""A passkey in a real browser, on Chromium's virtual device: added, asked for after the password, enough by itself."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Customer
from tests.support.running_shop import RunningShop

pytestmark = pytest.mark.browser
Window = Callable[..., Customer]
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def named(running_shop: RunningShop, window: Window) -> Customer:
    """A window on the shop by its name: a passkey is of a name, never of an IP address."""
    customer = window()
    customer.url = running_shop.url.replace("127.0.0.1", "localhost")
    return customer


def _device(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})


def _add(customer: Customer, *, alone: bool) -> None:
    """A passkey on the page of one who is signed in."""
    page = customer.open("/accounts/security/")
    page.click("text=Add a passkey")
    page.fill("#id_password", PASSWORD)
    page.click("main .btn-primary")
    page.wait_for_url("**/passkeys/new/")
    page.fill("#id_name", "laptop")
    page.set_checked("#id_passwordless", alone)
    page.click("main .btn-primary")
    expect(page.locator("#recovery-codes")).to_be_visible()
    page.click("text=I have kept them")
    expect(page.locator("#passkeys tbody tr")).to_have_count(1)
    expect(page.locator("#passkeys tbody")).to_contain_text("laptop")


def _sign_out(page: Page) -> None:
    page.click("header button:has-text('Sign out')")
    page.wait_for_url("**/buy/")


def test_a_passkey_is_asked_for_after_the_password(named: Customer) -> None:
    email = named.sign_up()
    _device(named.page)
    _add(named, alone=False)
    _sign_out(named.page)
    page = named.open("/accounts/login/")
    page.fill("#id_login", email)
    page.fill("#id_password", PASSWORD)
    page.click("main .btn-primary")
    page.wait_for_url("**/2fa/authenticate/")
    page.click("text=Use a passkey")
    page.wait_for_url("**/buy/**")
    expect(page.locator("header .who")).to_have_text(email)


def test_a_passkey_signs_in_by_itself_and_leads_back(named: Customer) -> None:
    email = named.sign_up()
    _device(named.page)
    _add(named, alone=True)
    _sign_out(named.page)
    page = named.open("/accounts/login/?next=/quotas/")
    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/quotas/")
    expect(page.locator("header .who")).to_have_text(email)


def test_a_device_that_has_none_is_told_and_may_try_again(named: Customer) -> None:
    page = named.open("/accounts/login/")
    _device(page)
    for _ in range(2):
        page.click("text=Sign in with a passkey")
        expect(page.locator("[data-passkey-error]")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_where_there_can_be_none_a_sentence_stands_in_its_place(window: Window, script: bool) -> None:
    """At an IP address, and without JavaScript."""
    page = window(java_script_enabled=script).open("/accounts/login/")
    expect(page.locator("[data-passkeys-need]")).to_be_visible()
    expect(page.locator("form[data-passkey] button")).to_be_hidden()
