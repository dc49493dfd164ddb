"""Customers and operators who visit the shop in these tests, and what they find on a page."""

import functools
import itertools
import re
from html.parser import HTMLParser
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import get_hasher, make_password
from django.http import HttpResponse
from django.test import Client

from vmart.config import bring_up, steps
from vmart.customers.models import Member, User
from vmart.kernel import clock
from vmart.orders import open_account
from vmart.provisioning import zones
from vmart.worker import loop

PASSWORD = "a-Long-passphrase-4"
ZONE = "ap-guangzhou-3"  # the zone that is preselected
_REPEATED = ("data_disk", "data_gib", "data_snapshot", "security_group", "beside")
_numbers = itertools.count(1)


class Form(HTMLParser):
    """The fields of a page's forms as a browser would send them, without pressing a button."""

    def __init__(self, html: str, action: str) -> None:
        super().__init__()
        self.values: list[tuple[str, str]] = []
        self._action, self._inside, self._select, self._area = action, False, "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = have.get("action", "").partition("?")[0] == self._action
        elif not self._inside:
            return
        elif tag == "input" and "name" in have and "disabled" not in have:
            if have.get("type") not in ("radio", "checkbox") or "checked" in have:
                self.values.append((have["name"], have.get("value", "")))
        elif tag == "select":
            self._select = have["name"]
        elif tag == "option" and "selected" in have:
            self.values.append((self._select, have["value"]))
        elif tag == "textarea" and "name" in have:
            self._area = have["name"]
            self.values.append((self._area, ""))

    def handle_data(self, data: str) -> None:
        if self._area:  # its first line break is the page's
            told = data if self.values[-1][1] else data.removeprefix("\n")
            self.values[-1] = (self._area, self.values[-1][1] + told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea":
            self._area = ""

    @property
    def data(self) -> dict[str, Any]:
        """By name; of data disks and groups, which are there more than once, a list."""
        several = {name: [value for other, value in self.values if other == name] for name in _REPEATED}
        return dict(self.values) | {name: values for name, values in several.items() if values}


def form_of(page: HttpResponse) -> dict[str, Any]:
    """The purchase form of a page."""
    return Form(page.content.decode(), "/buy/").data


class Visitor(Client):
    """A browser signed in as a user of an account of its own."""

    user: User
    account_id: int

    def buy_form(self, query: str = "") -> dict[str, Any]:
        """The purchase form as the page shows it."""
        page = self.get(f"/buy/{query}", follow=True)
        assert page.status_code == 200, page.status_code
        return form_of(page)

    def buy(self, query: str = "", **changed: str) -> HttpResponse:
        """Open the purchase page and press the button."""
        return self.post("/buy/", self.buy_form(query) | {"act": "buy"} | changed)


@functools.cache
def _hashed_by(hasher: str) -> str:
    """PASSWORD as it is stored: a tenth of a second, once a process instead of once a visitor."""
    return make_password(PASSWORD, hasher=hasher)


def _hashed() -> str:
    return _hashed_by(get_hasher().algorithm)  # of the settings in force


def _sign_in(visitor: Visitor) -> None:
    """As the page for it does, without its hundred milliseconds: a session that is listed."""
    visitor.force_login(visitor.user)
    UserSession.objects.create(
        user=visitor.user, session_key=visitor.session.session_key, ip="127.0.0.1", user_agent=""
    )


def customer(*, gift_minor: int = 100_000, **options: Any) -> Visitor:
    """A new customer with some gift money, signed in."""
    visitor = Visitor(**options)
    user = User(email=f"customer{next(_numbers)}@example.org", date_joined=clock.now())
    user.password = _hashed()
    visitor.account_id = open_account.sign_up(user, user.email).id
    if gift_minor:
        open_account.grant(visitor.account_id, gift_minor, "first")
    visitor.user = user
    _sign_in(visitor)
    return visitor


def operator(role: str = "admin") -> Visitor:
    """One of those who sell, signed in; without an account."""
    visitor = Visitor()
    visitor.user = User.objects.create_user(
        f"seller{next(_numbers)}@example.org", is_staff=True, staff_role=role, date_joined=clock.now()
    )
    User.objects.filter(id=visitor.user.id).update(password=_hashed())
    visitor.user.refresh_from_db()
    _sign_in(visitor)
    assert not Member.objects.filter(user=visitor.user).exists()
    return visitor


def open_business() -> None:
    """As ``vmart up`` leaves a shop: partitions, the hour to close next, the first zone's engine and images ready."""
    bring_up.start_business()
    zones.check(ZONE)
    zones.prepare_images(ZONE)


def work() -> None:
    """The worker does all that is due."""
    loop.run_until_idle(steps.STEPS, steps.lanes, wait=True)


def text_of(page: HttpResponse) -> str:
    """What a reader sees: tags away, white space single."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def order_id_of(answer: HttpResponse) -> int:
    """The order that a purchase led to."""
    assert answer.status_code == 303, text_of(answer)
    found = re.fullmatch(r"/orders/(\d+)/", answer["Location"])
    assert found
    return int(found[1])
