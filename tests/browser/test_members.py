"""Given somebody who is invited to look but not to buy, then he joins by the link and is offered no act."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Customer
from tests.browser.test_every_page import LOCALES, THEMES, _faults

pytestmark = pytest.mark.browser
_WIDTHS = (1440, 1024, 360)


def _sound(page: Page, axe: str, name: str, locale: str) -> None:
    """Nothing for axe to find, nothing wider than the window. ``VMART_PICTURES`` names a folder for pictures of it."""
    assert _faults(page, axe) == [], name
    for width in _WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        if folder := os.environ.get("VMART_PICTURES"):
            page.screenshot(path=Path(folder) / f"{name}-{LOCALES[locale]}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 800})


def _invite(owner: Customer, email: str, role: str) -> str:
    """The path of the link, which a shop without mail shows once."""
    page = owner.open("/members/")
    page.fill("#email", email)
    page.select_option("#role", role)
    page.click("#invite .btn-primary")
    return page.locator("#invitation-link").inner_text().removeprefix(owner.url)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_viewer_is_invited_looks_and_does_nothing(window: Callable[..., Customer], axe: str, locale: str) -> None:
    how = {"locale": locale, "color_scheme": THEMES[locale]}
    owner, viewer = window(), window(**how)
    owner.sign_up()
    owner.top_up("500")
    page = owner.buy("?charge=postpaid&name=web")
    expect(page.locator("text=ssh root@").first).to_be_visible()
    machine = page.locator("#progress table a").first.get_attribute("href") or ""
    email = f"viewer-{os.getpid()}-{locale.lower()}@example.org"
    link = _invite(owner, email, "viewer")
    _sound(owner.page, axe, "members", locale)
    page = viewer.open(link)
    _sound(page, axe, "invited", locale)
    page.click("main .btn-primary")
    expect(page.locator("#id_email")).to_have_value(email)
    page.fill("#id_password1", PASSWORD)
    page.click("main .btn-primary")
    page.wait_for_url(lambda url: "/accounts/" not in url)
    page = viewer.open(machine)
    expect(page.locator("main form")).to_have_count(0)
    assert [link.get_attribute("href") for link in page.locator("main a.btn").all()] == [f"{machine}monitoring/"]
    _sound(page, axe, "viewers-machine", locale)
    page = viewer.open("/buy/")
    expect(page.locator("#may-not-buy")).to_be_visible()
    expect(page.locator("#buy")).to_have_count(0)
    _sound(page, axe, "viewers-purchase", locale)
    page = viewer.open("/activity/")
    assert page.locator("h1").inner_text() in ("Not allowed", "无权访问")
    _sound(page, axe, "refused", locale)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_user_of_two_accounts_chooses_and_an_owner_changes_and_removes(
    window: Callable[..., Customer], axe: str, locale: str
) -> None:
    how = {"locale": locale, "color_scheme": THEMES[locale]}
    owner, other = window(**how), window(**how)
    owner.sign_up()
    own = other.sign_up()
    other.open(_invite(owner, own, "operator"))
    other.page.click("main .btn-primary")
    other.page.wait_for_url("**/overview/")
    page = other.open("/members/")
    page.click("#places summary")
    expect(page.locator("#places button.item")).to_have_count(2)
    _sound(page, axe, "switcher", locale)
    page = other.open("/members/")
    page.click("#places summary")
    page.locator("#places button.item").first.click()
    page.wait_for_url(lambda url: "/members/" not in url)
    page = other.open("/members/")
    expect(page.locator("#members tbody tr")).to_have_count(1)
    page = owner.open("/members/")
    page.locator("#members tbody tr", has_text=own).locator("a.btn").click()
    _sound(page, axe, "member", locale)
    page.select_option("#role", "billing")
    page.click("button[value=role]")
    expect(page.locator("#members tbody tr", has_text=own)).to_have_count(1)
    page.locator("#members tbody tr", has_text=own).locator("a.btn").click()
    page.click("button[value=remove]")
    expect(page.locator("#members tbody tr", has_text=own)).to_have_count(0)
    page = owner.open("/activity/")
    expect(page.locator("tbody tr")).not_to_have_count(0)
    _sound(page, axe, "audit", locale)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_key_and_the_settings(window: Callable[..., Customer], axe: str, locale: str) -> None:
    owner = window(locale=locale, color_scheme=THEMES[locale])
    owner.sign_up()
    page = owner.open("/api-keys/")
    page.click("button[value=create]")
    _sound(page, axe, "api-keys", locale)
    page.locator("td a").first.click()
    page.fill("#addresses", "300.1.1.1")
    page.click("form.card .btn-primary")
    expect(page.locator(".field-error")).to_be_visible()
    _sound(page, axe, "api-key", locale)
    page.fill("#addresses", "203.0.113.0/24\n2001:db8::/32")
    page.click("form.card .btn-primary")
    expect(page.locator(".notice.success")).to_be_visible()
    page = owner.open("/accounts/settings/")
    page.select_option("#time_zone", "America/New_York")
    page.click("form.card .btn-primary")
    expect(page.locator("footer")).to_contain_text("America/New_York")
    _sound(page, axe, "settings", locale)
