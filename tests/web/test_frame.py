"""The frame of every page: its theme, its menu, its pictures."""

import re

import pytest

from tests.support.running_shop import ROOT
from tests.web.visiting import Visitor, customer, operator
from vmart.pages import menu

ICONS = {line for line in (ROOT / "assets/icons.txt").read_text().splitlines() if line and not line.startswith("#")}


def _theme(visitor: Visitor) -> str:
    found = re.search(r'<html lang="en"(?: data-theme="([^"]*)")?>', visitor.get("/buy/", follow=True).content.decode())
    assert found
    return found[1] or ""


def test_a_theme_is_kept_until_it_is_taken_back() -> None:
    visitor = Visitor()
    assert _theme(visitor) == ""
    for theme, shown in [("dark", "dark"), ("light", "light"), ("pink", ""), ("dark", "dark"), ("", "")]:
        answer = visitor.post("/i18n/theme/", {"theme": theme, "next": "/buy/?count=2"})
        assert (answer.status_code, answer["Location"], _theme(visitor)) == (302, "/buy/?count=2", shown)


def test_a_forged_cookie_is_no_theme() -> None:
    visitor = Visitor()
    visitor.cookies["theme"] = '"><script>'
    assert _theme(visitor) == ""


@pytest.mark.parametrize("onward", ["https://elsewhere.invalid/", "//elsewhere.invalid/", "javascript:alert(1)", ""])
def test_a_theme_leads_nowhere_else(onward: str) -> None:
    assert Visitor().post("/i18n/theme/", {"theme": "dark", "next": onward})["Location"] == "/"


def test_a_theme_is_not_chosen_by_a_link() -> None:
    assert Visitor().get("/i18n/theme/?theme=dark").status_code == 405
    assert Visitor(enforce_csrf_checks=True).post("/i18n/theme/", {"theme": "dark"}).status_code == 403


def _here(visitor: Visitor, address: str) -> set[str]:
    page = visitor.get(address, follow=True).content.decode()
    return set(re.findall(r'href="([^"]*)" aria-current="page"', page))


def test_each_entry_of_the_menu_leads_to_a_page_that_marks_it_alone() -> None:
    visitor = customer()
    page = visitor.get("/buy/", follow=True).content.decode()
    side = page[page.index('<div class="always">') : page.index("</nav>")]
    addresses = re.findall(r'<a [^>]*href="([^"]*)"', side)
    assert len(addresses) == 1 + sum(len(group.entries) for group in menu.GROUPS if not group.of_staff)
    assert {address: _here(visitor, address) for address in addresses} == {address: {address} for address in addresses}


def test_a_page_of_one_thing_marks_the_list_it_came_from() -> None:
    visitor = customer()
    assert _here(visitor, "/snapshots/policies/") == {"/snapshots/"}
    assert _here(visitor, "/balance/top-up/") == {"/balance/"}
    assert _here(visitor, "/disks/new/") == {"/disks/"}


def test_sellers_and_strangers_see_what_they_may_open() -> None:
    seller, stranger = operator().get("/seller/").content.decode(), Visitor().get("/buy/", follow=True).content.decode()
    assert ('href="/seller/customers/"' in seller, 'href="/machines/"' in seller) == (True, False)
    assert ('href="/seller/"' in stranger, 'href="/machines/"' in stranger) == (False, False)


def test_every_icon_that_is_used_is_there_and_every_one_there_is_used() -> None:
    """``bin/setup`` makes one file of those in the list: another would be an empty place."""
    named = {entry.icon for group in menu.GROUPS for entry in group.entries} | {menu.BUY.icon}
    for place in (ROOT / "src/vmart").glob("*/templates/**/*.html"):
        named |= set(re.findall(r'{% icon "([a-z0-9-]+)" %}', place.read_text()))
    named |= set(re.findall(r'"(brand-[a-z]+|disc)"', (ROOT / "src/vmart/pages/templatetags/parts.py").read_text()))
    assert named == ICONS
