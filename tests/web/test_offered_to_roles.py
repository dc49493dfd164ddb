"""Given a member in each role, when any page opens for him, then it offers nothing that is refused him."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, resolve, reverse

from tests.web import test_others_things as things
from tests.web.membership import member_of
from tests.web.test_others_things import NAMED, Things
from tests.web.visiting import Visitor
from vmart.customers import roles
from vmart.customers.roles import Role
from vmart.pages.permitted import NEEDS
from vmart.web.urls import urlpatterns

owner = things.owner
# Opened by other ways than their plain address.
_NOT_HERE = {
    "charges_csv", "buy_price", "buy_code", "payment_state", "machines_renew", "disks_renew", "addresses_renew",
}  # fmt: skip


class Offers(HTMLParser):
    """(address, whether it is sent to) of each link and form of a page."""

    def __init__(self, html: str, here: str) -> None:
        super().__init__()
        self.found: set[tuple[str, bool]] = set()
        self._here = here
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in have:
            self.found.add((have["href"], False))
        if tag == "form":
            self.found.add((have.get("action") or self._here, have.get("method") == "post"))
        if tag == "button" and "formaction" in have:
            self.found.add((have["formaction"], True))


def refused_offers(page: str, here: str, role: str) -> set[tuple[str, str]]:
    """(name of the address, how) of what the page offers though the role may not."""
    wrong = set()
    for address, sent in Offers(page, here).found:
        try:
            name = resolve(urlsplit(address).path or here).view_name
        except Resolver404:
            continue
        if name in NEEDS:
            permission = (sent and NEEDS[name].sent) or NEEDS[name].opened
            if not roles.may(role, permission) and name != "buy":
                wrong.add((name, "form" if sent else "link"))
    return wrong


def addresses(has: Things) -> list[tuple[str, str]]:
    """(name, address) of each page."""
    found = []
    for pattern in urlpatterns:
        name = str(pattern.name)
        if name not in NEEDS or name in _NOT_HERE:
            continue
        if name in NAMED:
            found += [(name, reverse(name, kwargs=arguments(has))) for arguments in NAMED[name]]
        elif not pattern.pattern.converters:
            found.append((name, reverse(name)))
    return found


@pytest.mark.parametrize("role", list(Role))
def test_no_page_offers_what_is_refused(owner: tuple[Visitor, Things], role: str) -> None:
    buyer, has = owner
    visitor = member_of(buyer.account_id, role)
    wrong: dict[str, set[tuple[str, str]]] = {}
    opened = set()
    for name, address in addresses(has):
        answer = visitor.get(address, follow=True)
        if not roles.may(role, NEEDS[name].opened):
            assert answer.status_code in (403, 405), (name, answer.status_code)
            continue
        if answer.status_code == 200:
            opened.add(name)
            if offers := refused_offers(answer.content.decode(), address, role):
                wrong[name] = offers
    assert wrong == {}
    assert len(opened) > 30
