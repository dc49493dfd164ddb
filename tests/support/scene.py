"""The shop as its pictures show it: a clock that stands, a customer with some of everything, and the main pages.

Whoever sees a page of it twice sees the same, but for what is random: public ids, keys, and what the machine's own
clock says. ``settle`` puts fixed words in their place.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.support.running_shop import RunningShop, open_shop

BEGINS = "2026-03-09T01:20:00+00:00"
_PATIENCE_MS = 60_000  # a busy machine is no fault of a page
STRANGER, CUSTOMER, SELLER = "stranger", "customer", "seller"


@dataclass(frozen=True)
class MainPage:
    """``address`` may name things of the scene: ``{machine}``. ``dark``: it is seen in both themes.

    ``whole``: with head and menu. Of the others only what is their own is in the picture, so that a new entry of the
    menu changes one picture and not all.
    """

    name: str
    address: str
    who: str = CUSTOMER
    dark: bool = False
    whole: bool = False


MAIN_PAGES = (
    MainPage("purchase", "/buy/", dark=True),
    MainPage("quick-purchase", "/buy/?quick=1", STRANGER, whole=True),
    MainPage("sign-in", "/accounts/login/", STRANGER),
    MainPage("sign-up", "/accounts/signup/", STRANGER),
    MainPage("overview", "/overview/", dark=True, whole=True),
    MainPage("machines", "/machines/"),
    MainPage("machine", "{machine}", dark=True),
    MainPage("orders", "/orders/"),
    MainPage("order", "{order}"),
    MainPage("disks", "/disks/"),
    MainPage("security-group", "{security_group}"),
    MainPage("balance", "/balance/"),
    MainPage("charges", "/charges/"),
    MainPage("security", "/accounts/security/"),
    MainPage("seller-today", "/seller/", SELLER, dark=True),
)

# Text nodes and fields in which something random stands, and what stands there in a picture. All have the width of
# what they replace, or lie where nothing is laid out by it.
_SAME = """
(rules) => {
  const same = (text) => rules.reduce((so_far, [what, by]) => so_far.replace(new RegExp(what, "g"), by), text);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.nodeValue, fixed = same(text);
    if (fixed !== text) walker.currentNode.nodeValue = fixed;
  }
  for (const input of document.querySelectorAll("input")) {
    const fixed = same(input.value);
    if (fixed !== input.value) input.value = fixed;
  }
}
"""
_RULES = (
    (r"\b(ins|disk|eip|sg|lt|snap|img|vpc|subnet|ps|bwp|skey|asp)-(?!db12k7x4)[0-9a-z]{8}\b", "$1-0a1b2c3d"),
    (r"\bAKID[0-9A-Za-z]{8,}", "AKID0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p"),
)
# No caret blinks, no part moves, no bar of the window's own is drawn; what is in a font of the machine is not seen.
_STILL = """
*, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent !important; }
::-webkit-scrollbar { display: none; }
main > footer { visibility: hidden; }
.language [lang] { visibility: hidden; width: 4rem; overflow: hidden; white-space: nowrap; }
"""


def _still(route: Route) -> None:
    """The tokens, with fonts that are waited for (on the pages one that comes late is left out), and nothing moves."""
    answer = route.fetch()
    body = answer.text().replace("font-display: optional", "font-display: block")
    route.fulfill(response=answer, body=body + _STILL)


def _not_again(route: Route) -> None:
    """A page that asks anew would have its random words again."""
    if route.request.resource_type in ("xhr", "fetch"):
        route.abort()
    else:
        route.fallback()


def settle(page: Page) -> None:
    """Wait until everything is drawn; put fixed words where random ones stand. From then on the page stays so."""
    page.route("**/*", _not_again)
    page.evaluate("document.fonts.ready.then(() => document.activeElement?.blur())")
    page.evaluate(_SAME, [list(rule) for rule in _RULES])
    page.mouse.move(0, 0)


@dataclass
class Scene:
    """``places``: addresses of what the customer has. ``window(who, …)`` opens a browser window, signed in."""

    shop: RunningShop
    browser: Browser
    places: dict[str, str] = field(default_factory=dict)
    _cookies: dict[str, object] = field(default_factory=dict)

    @contextmanager
    def window(self, who: str, *, width: int = 1440, still: bool = True, **options: object) -> Iterator[Page]:
        """A window that is 900 px high, at one pixel a point, in English unless ``locale`` says otherwise.

        ``still``: for a picture; without it the page comes as everybody has it.
        """
        context = self._context(self._cookies.get(who), still, width=width, **options)
        try:
            yield context.new_page()
        finally:
            context.close()

    def address(self, page: MainPage) -> str:
        return page.address.format(**self.places)

    def _context(self, cookies: object, still: bool, *, width: int, **options: object) -> BrowserContext:
        chosen = {"locale": "en-US", "viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"} | options
        context = self.browser.new_context(base_url=self.shop.url, storage_state=cookies, **chosen)  # type: ignore[arg-type]
        context.set_default_timeout(_PATIENCE_MS)
        if still:
            context.route(re.compile(r"/tokens\.[^/]*css"), _still)
        return context

    def _sign_in(self, who: str, login: dict[str, str]) -> None:
        with self.window(who) as page:
            page.goto("/accounts/login/")
            page.fill("#id_login", login["email"])
            page.fill("#id_password", login["password"])
            page.click("main .btn-primary")
            page.wait_for_url(lambda url: "/accounts/" not in url)
            self._cookies[who] = page.context.storage_state()

    def _furnish(self) -> None:
        """One after the other: what is bought at once would be delivered in an order of its own."""
        with self.window(CUSTOMER) as page:
            self.places["order"] = _buy(page, "charge=postpaid&name=web&count=2&internet=bandwidth&mbps=5", 2)
            self.places["machine"] = page.locator("#progress table a").first.get_attribute("href") or ""
            _buy(page, "name=database&months=12&data_disk=CLOUD_SSD&data_gib=100&type=S5.LARGE8", 1)
            self.places["security_group"] = _group(page)
            for name in ("Archive", "Uploads"):
                page.goto("/disks/new/")
                page.fill("#name", name)
                page.click("#reckon")
                page.click("#buy")
                page.wait_for_url("**/disks/disk-*/")
                expect(page.locator("#live .state.idle")).to_be_visible(timeout=_PATIENCE_MS)
            page.goto("/balance/top-up/")
            page.fill("#amount", "500")
            page.click("main .btn-primary")
            page.wait_for_selector("text=The money is in your balance.")
        self.shop.vmart("clock", "advance", "5h")


def _buy(page: Page, query: str, count: int) -> str:
    """What the purchase page sells by this query: its order's page, once all of it runs."""
    page.goto(f"/buy/?{query}")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("#progress tbody .state.good")).to_have_count(count, timeout=_PATIENCE_MS)
    return re.sub(r"^https?://[^/]+", "", page.url)


def _group(page: Page) -> str:
    """A security group with two rules: its page."""
    page.goto("/security-groups/")
    page.fill("#name", "Web servers")
    page.fill("#description", "What visitors reach")
    page.select_option("#starting", "empty")
    page.click("form.card button.btn-primary")
    page.wait_for_url("**/security-groups/sg-*/")
    for number, (port, what) in enumerate((("443", "The site"), ("22", "Us, from the office")), 1):
        page.fill("#port", port)
        page.fill("#cidr", "0.0.0.0/0" if port == "443" else "203.0.113.0/24")
        page.fill("#description", what)
        page.click("button[value=add]")
        expect(page.locator("#ingress tbody tr")).to_have_count(number, timeout=_PATIENCE_MS)
    return re.sub(r"^https?://[^/]+", "", page.url)


@contextmanager
def scene(browser: Browser) -> Iterator[Scene]:
    """A shop of its own, furnished, and ended after it."""
    shop = open_shop("--test-clock", BEGINS)
    try:
        made = Scene(shop, browser)
        for who, login in ((CUSTOMER, "customer"), (SELLER, "operator")):
            made._sign_in(who, shop.ready[login])
        made._furnish()
        yield made
    finally:
        shop.remove()
