"""Each page: nothing for axe to find, nothing that moves by itself, nothing wider than the window, in both languages
and themes.
"""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, Customer, shifts
from tests.support.running_shop import RunningShop
from tests.web.second_factor import shown_code

pytestmark = pytest.mark.browser
STRANGERS = [
    "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/accounts/password/reset/done/",
    "/accounts/password/reset/key/a-b/", "/accounts/password/reset/key/done/", "/buy/", "/nothing/",
    "/buy/code/?language=curl",
]  # fmt: skip
CUSTOMERS = [
    "/buy/?charge=postpaid&internet=bandwidth&login=password", "/buy/?mbps=999&count=0&login=key",
    "/buy/?data_disk=CLOUD_SSD&data_gib=100&data_disk=CLOUD_PREMIUM&data_gib=5", "/orders/",
    "/overview/", "{order}", "/search/", "/search/?q=web", "/search/?q=nothing-is-called-so",
    "/machines/", "/machines/?q=web&order=name", "{chosen}&act=end", "{chosen}&act=stop",
    "{machine}", "{machine}stop/", "{machine}end/", "{machine}reset-password/", "{machine}reinstall/",
    "{machine}rescue/", "{machine}leave-rescue/", "{machine}console/", "/console/",
    "{machine}network/", "{machine}host-name/", "{machine}monitoring/", "{machine}monitoring/?span=30d", "/alarms/",
    "{alarm}",
    "{machine}bandwidth/",
    "{machine}keys/",
    "{machine}type/", "{machine}disk/", "{machine}type/?type=S5.LARGE8", "{machine}prepay/", "{machine}planned-end/",
    "{machine}prepay/?months=12", "{prepaid}", "{prepaid}bandwidth/", "{prepaid}bandwidth/window/",
    "{prepaid}type/?type=S5.LARGE8",
    "{renew}", "{renew}&months=60", "{renew}&day=99", "/keys/",
    "/disks/", "/disks/new/", "/disks/new/?zone=ap-guangzhou-3&type=CLOUD_SSD&size=100&count=2&name=n",
    "/disks/new/?zone=ap-guangzhou-3&type=CLOUD_SSD&size=5&count=2&name=n",
    "/snapshots/", "/snapshots/?zone=ap-guangzhou-3", "{snapshot}", "{snapshot}restore/", "{snapshot}delete/",
    "/snapshots/new/?disk={disk_id}", "/snapshots/policies/", "{policy}", "{policy}delete/",
    "/images/", "/images/import/",
    "{image}", "{image}delete/", "/images/new/?machine={machine_id}", "/buy/?image={image_id}",
    "/buy/code/?name=web&data_disk=CLOUD_SSD&data_gib=100", "/buy/code/?language=terraform&login=password",
    "/buy/code/?mbps=999", "/buy/?charge=spot&max_price=0.001", "/charges/by-tag/?key=team",
    "/disks/new/?zone=ap-guangzhou-3&type=CLOUD_SSD&size=100&count=2&name=n&months=12",
    "{disk}", "{disk}attach/", "{disk}size/?size=200", "{disk}end/", "{attached}", "{attached}detach/",
    "{disk}prepay/", "{disk}prepay/?months=12",
    "/templates/", "{template}", "{template}delete/", "{template}delete/?version=2", "{from_template}",
    "/packages/", "/packages/buy/?zone=ap-guangzhou-4&bandwidth=10&name=", "{package}",
    "{package}bandwidth/?bandwidth=20", "/placement-groups/", "{group}", "/addresses/",
    "{address}", "{address}release/", "{address}tags/",
    "{address}bandwidth/?bandwidth=9",
    "/addresses/buy/?zone=ap-guangzhou-4&mode=BANDWIDTH_POSTPAID_BY_HOUR&bandwidth=9&count=2&name=", "/quotas/",
    "/security-groups/", "{security_group}", "{security_group}ingress/0/", "{machine}security-groups/",
    "/buy/?security_group={sg}",
    "/api-keys/", "/members/", "/members/leave/", "/activity/", "/activity/?of=machine&since=2026-01-01",
    "/accounts/settings/", "/invitations/nothing/", "/balance/",
    "/balance/top-up/?amount=67.00&next=/buy/", "{payment}", "/charges/", "/accounts/password/", "/accounts/logout/",
    "/accounts/security/", "/accounts/security/sessions/", "/accounts/email/", "/accounts/reauthenticate/",
    "/accounts/2fa/app/off/", "/accounts/2fa/codes/", "/accounts/2fa/codes/new/",
    "/accounts/passkeys/new/",
]  # fmt: skip
LOCALES = {"en-US": "en", "zh-CN": "zh-hans"}  # what the browser asks for, and what the page says it is in
THEMES = {"en-US": "light", "zh-CN": "dark"}  # each page is seen in both
_RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


@pytest.fixture(scope="module", params=LOCALES)
def signed_in(request: pytest.FixtureRequest, browser: Browser, running_shop: RunningShop) -> Iterator[Customer]:
    """A customer with a machine, in each language."""
    context = browser.new_context(locale="en-US", color_scheme=THEMES[request.param])
    customer = Customer(context, running_shop)
    customer.sign_up()
    customer.top_up("500")
    customer.places = {"payment": customer.page.url.removeprefix(customer.url)}  # type: ignore[attr-defined]
    page = customer.buy("?charge=postpaid&name=web")
    expect(page.locator("text=ssh root@").first).to_be_visible()
    machine = page.locator("#progress table a").first.get_attribute("href")
    customer.places |= {"order": page.url.removeprefix(customer.url), "machine": machine}  # type: ignore[attr-defined]
    page = customer.open("/keys/")
    page.fill("#create-name", "laptop")
    page.click("button[value=create]")
    page = customer.open(f"{machine}keys/")
    page.check("input[name=key]")
    page.click("button[value=bind]")
    expect(page.locator("text=key pair skey-").first).to_be_visible()
    page = customer.buy("?name=month")
    expect(page.locator("text=ssh root@").first).to_be_visible()
    prepaid = page.locator("#progress table a").first.get_attribute("href") or ""
    renew = f"/machines/renew/?id={prepaid.split('/')[2]}"
    chosen = f"/machines/chosen/?id={prepaid.split('/')[2]}&id={str(machine).split('/')[2]}&id=ins-00000000"
    customer.places |= {"prepaid": prepaid, "renew": renew, "chosen": chosen}  # type: ignore[attr-defined]
    customer.places |= _disks(customer, machine)  # type: ignore[attr-defined]
    customer.places |= _image(customer, machine or "")  # type: ignore[attr-defined]
    customer.places |= _templates(customer)  # type: ignore[attr-defined]
    customer.places |= {"group": _group(customer), "address": _address(customer), "package": _package(customer)}  # type: ignore[attr-defined]
    customer.places |= {"policy": _policy(customer), "alarm": _alarm(customer)}  # type: ignore[attr-defined]
    _second_factor(customer)
    customer.places |= _security_group(customer, machine or "")  # type: ignore[attr-defined]
    if request.param == "zh-CN":
        page.click(".language button")
        page.wait_for_selector("text=简体中文", state="detached")
    yield customer
    context.close()


def _show_again(customer: Customer) -> None:
    """That it is he, where a page asks."""
    if "/reauthenticate/" in customer.page.url:
        customer.page.fill("#id_password", PASSWORD)
        customer.page.click("main .btn-primary")
        customer.page.wait_for_url(lambda url: "/reauthenticate/" not in url)


def _second_factor(customer: Customer) -> None:
    """An authenticator app with recovery codes."""
    page = customer.open("/accounts/2fa/app/on/")
    _show_again(customer)
    page.fill("#id_code", shown_code(page.locator("#totp-secret").inner_text()))
    page.click("main .btn-primary")
    expect(page.locator("#recovery-codes")).to_be_visible()


def _alarm(customer: Customer) -> str:
    """Address of an alarm of all machines."""
    page = customer.open("/alarms/")
    page.fill("#name", "busy")
    page.click("main form.card .btn-primary")
    page.click("td.acts summary")
    return str(page.locator("td.acts a.item").first.get_attribute("href"))


def _disks(customer: Customer, machine: str | None) -> dict[str, str]:
    """Pages of two disks of their own, of a long name; one is at the machine."""
    found = {}
    for name in ("disk", "attached"):
        page = customer.open("/disks/new/")
        page.fill("#name", "Data of the shop, which goes from machine to machine whenever one is made anew")
        page.click("#reckon")
        page.click("#buy")
        page.wait_for_url("**/disks/disk-*/")
        expect(page.locator("#live .state.idle")).to_be_visible()
        found[name] = page.url.removeprefix(customer.url)
    found["disk_id"] = found["disk"].split("/")[2]
    page = customer.open(f"/snapshots/new/?disk={found['disk_id']}")
    page.click("#make")
    page.wait_for_url("**/snapshots/snap-*/")
    expect(page.locator("#live .state.good")).to_be_visible()
    found["snapshot"] = page.url.removeprefix(customer.url)
    page = customer.open(f"{found['attached']}attach/")
    page.select_option("#machine", str(machine).split("/")[2])
    page.click("#attach")
    expect(page.locator("#live .state.good")).to_be_visible()
    return found


def _image(customer: Customer, machine: str) -> dict[str, str]:
    """The page of an image of the machine, of a long name."""
    machine_id = machine.split("/")[2]
    page = customer.open(f"/images/new/?machine={machine_id}")
    page.fill("#name", "Image of the shop's own web machine, as long as it may be")
    page.click("#make")
    page.wait_for_url("**/images/img-*/")
    expect(page.locator(".state.good").first).to_be_visible(timeout=20_000)
    image = page.url.removeprefix(customer.url)
    return {"image": image, "image_id": image.split("/")[2], "machine_id": machine_id}


def _address(customer: Customer) -> str:
    """A public address bought by itself: its page."""
    page = customer.open("/addresses/buy/")
    page.click("#reckon")
    page.click("#buy")
    page.wait_for_url("**/addresses/eip-*/")
    return page.url.removeprefix(customer.url)


def _package(customer: Customer) -> str:
    """A bandwidth package: its page."""
    page = customer.open("/packages/buy/")
    page.click("#reckon")
    page.click("#buy")
    page.wait_for_url("**/packages/bwp-*/")
    return page.url.removeprefix(customer.url)


def _policy(customer: Customer) -> str:
    """A snapshot policy of a disk of a long name: its page."""
    disk = str(customer.places["disk_id"])  # type: ignore[attr-defined]
    page = customer.open("/snapshots/policies/")
    page.fill("#name", "Each night and each noon of all disks that matter to the shop")
    page.check("input[name=hours][value='12']")
    page.click("form.card button.btn-primary")
    page.wait_for_url("**/snapshots/policies/asp-*/")
    page.fill("#disk", disk)
    page.click("#disks-of-it .btn:not(.danger)")
    expect(page.locator("#disks-of-it td").first).to_contain_text(disk)
    return page.url.removeprefix(customer.url)


def _group(customer: Customer) -> str:
    """A placement group of a long name: its page."""
    page = customer.open("/placement-groups/")
    page.fill("#name", "Databases of the shop, of which no two lie on one host")
    page.click("form.card button.btn-primary")
    page.click("#groups td a")
    page.wait_for_url("**/placement-groups/ps-*/")
    return page.url.removeprefix(customer.url)


def _security_group(customer: Customer, machine: str) -> dict[str, str]:
    """A security group of a long name, with a machine and a rule of each direction, that lets nobody in by SSH."""
    page = customer.open("/security-groups/")
    page.fill("#name", "Databases " + "x" * 50)
    page.fill("#description", "A description of a hundred characters, which is as much as one may say of a group here")
    page.select_option("#starting", "empty")
    page.click("form.card button.btn-primary")
    page.wait_for_url("**/security-groups/sg-*/")
    for way in ("ingress", "egress"):
        page.select_option("#way", way)
        page.fill("#port", "1-21,23-1000,1002-2000,2002-3000,3002-4000,4002-5000,5002-6000,6002-7000,7002-8000")
        page.fill("#cidr", "203.0.113.0/24")
        page.fill("#description", "Ports of the databases " + "x" * 70)
        page.click("button[value=add]")
        expect(page.locator(f"#{way} tbody tr")).to_have_count(1)
    address = page.url.removeprefix(customer.url)
    sg = address.split("/")[-2]
    page = customer.open(f"{machine}security-groups/")
    page.check(f"#security_group-{sg}")
    page.click("form.card button.btn-primary")
    page.wait_for_url(f"**{machine}")
    return {"security_group": address, "sg": sg}


def _templates(customer: Customer) -> dict[str, str]:
    """A template of two versions, saved on the purchase page: its page, and the purchase page that begins with it."""
    page = customer.open("/buy/?charge=postpaid&name=web&data_disk=CLOUD_SSD&data_gib=100")
    page.click("#save summary")
    page.fill("#template_name", "A template of a long name, as long as one may well be, for all that it holds")
    page.fill("#template_description", "With a data disk")
    page.click("button[value=save_template]")
    page.wait_for_url("**/templates/*/")
    template = page.url.removeprefix(customer.url)
    begun = page.locator("a:has-text('Buy from this template')").first.get_attribute("href") or ""
    page = customer.open(begun)
    page.fill("#name", "other")
    page.click("#save summary")
    page.click("button[value=save_version]")
    page.wait_for_url("**/templates/*/")
    expect(page.locator("section.card")).to_have_count(2)
    return {"template": template, "from_template": begun}


def _faults(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    return [
        f"{fault['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for fault in page.evaluate(_RUN)
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("address", STRANGERS)
def test_strangers_pages(window: Callable[..., Customer], axe: str, address: str, locale: str) -> None:
    page = window(locale=locale, color_scheme=THEMES[locale]).open(address)
    assert page.evaluate("document.documentElement.lang") == LOCALES[locale]
    assert _faults(page, axe) == []
    assert shifts(page) == []


def test_the_answer_that_shows_passwords(signed_in: Customer, axe: str) -> None:
    page = signed_in.open(signed_in.places["order"])  # type: ignore[attr-defined]
    page.click("button[value=show]")
    expect(page.locator("code.password")).to_have_count(1)
    assert _faults(page, axe) == []
    for width in (1440, 1024, 360):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize("locale", LOCALES)
def test_the_pages_of_a_new_app(window: Callable[..., Customer], axe: str, locale: str) -> None:
    """There are none any more once the app is set up: what asks for the password, and the picture."""
    customer = window(locale=locale)
    customer.sign_up()
    page = customer.open("/accounts/2fa/app/on/")
    for _ in range(2):
        assert _faults(page, axe) == []
        for width in (1440, 360):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        _show_again(customer)
    expect(page.locator("#totp-secret")).to_be_visible()


@pytest.mark.parametrize("address", CUSTOMERS)
def test_customers_pages(signed_in: Customer, axe: str, address: str) -> None:
    page = signed_in.open(address.format(**signed_in.places))  # type: ignore[attr-defined]
    if "/2fa/" in address or "/passkeys/" in address:
        _show_again(signed_in)
    assert _faults(page, axe) == []
    assert shifts(page) == []
    for width in (1440, 1024, 360):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    assert _faults(page, axe) == []
    page.set_viewport_size({"width": 1280, "height": 800})
    assert signed_in.outside == []
    assert signed_in.complaints == []


@pytest.fixture
def needed(running_shop: RunningShop) -> Iterator[str]:
    """Something of each shape in the list of what needs the seller: long words, and a line of several buttons."""
    with psycopg.connect(running_shop.database_url, autocommit=True) as own:
        (zone,) = own.execute("SELECT code FROM catalog_zone ORDER BY position LIMIT 1").fetchone() or ("",)
        own.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"chores {zone}"])  # no sweep finds it untrue
        own.execute(
            "INSERT INTO orders_engine_drift (zone_id, name, kind, since_wall_at, missed_at)"
            " VALUES (%s, 'ins-browser1', 'lost', now(), now())",
            [zone],
        )
        own.execute(
            "INSERT INTO payments_unexplained (provider, reference, why, times, first_wall_at, last_wall_at)"
            " VALUES ('stripe', %s, %s, 3, now(), now())",
            ["pi_" + "3" * 60, "succeeded, 5000 CNY: no payment here is called " + "vmart-" * 20],
        )
        yield zone
        own.execute("DELETE FROM orders_engine_drift WHERE name = 'ins-browser1'")
        own.execute("DELETE FROM payments_unexplained WHERE provider = 'stripe'")


def _noted(seller: Customer) -> str:
    """The page of a customer with a long note, and one struck out."""
    page = seller.open("/seller/customers/")
    page.click("main tbody a >> nth=0")
    page.wait_for_selector("#notes")
    for text in ("Calls at noon.\n" + "A word as long as it may be " + "x" * 200, "Pays late."):
        page.fill("#note-text", text)
        page.click("#notes .card-body .btn")
        expect(page.locator("#notes td", has_text=text.partition("\n")[0]).first).to_be_visible()
    page.click("#notes td .btn >> nth=0")
    expect(page.locator("#notes s").first).to_be_visible()
    return page.url.removeprefix(seller.url)


def _given_back_to_the_card(seller: Customer, payment: str, axe: str) -> None:
    """A part of what a card paid, by keyboard alone; what it does is shown first."""
    page = seller.open(f"{payment}refund/")
    page.fill("#amount", "12.50")
    page.fill("#reason", "A reason of a long word " + "x" * 150)
    page.press("#reason", "Enter")
    expect(page.locator("#preview")).to_be_visible()
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        assert _faults(page, axe) == []
    page.focus("#preview button")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{payment}")
    expect(page.locator("#refunded dd, #refunded")).to_contain_text("12.50")


def _staff(seller: Customer) -> str:
    """The page of one of the staff."""
    return seller.open("/seller/staff/").locator("#staff a.btn").first.get_attribute("href") or ""


@pytest.mark.parametrize("locale", LOCALES)
def test_pages_on_behalf_of_a_customer(
    window: Callable[..., Customer], running_shop: RunningShop, axe: str, locale: str
) -> None:
    """Each has the banner, what is refused too; the button ends it, by keyboard alone."""
    seller = window(locale=locale, color_scheme=THEMES[locale])
    seller.sign_in(running_shop.ready["operator"]["email"], running_shop.ready["operator"]["password"])
    seller.page.wait_for_url("**/seller/")
    page = seller.open("/seller/customers/")
    page.click("main tbody a >> nth=0")
    page.fill("#act-as-reason", "Ticket 7: the machine does not answer")
    page.press("#act-as-reason", "Enter")
    page.wait_for_url("**/overview/")
    for address in ("/overview/", "/machines/", "/buy/", "/members/", "/seller/"):
        page = seller.open(address)
        expect(page.locator(".behalf")).to_be_visible()
        for width in (1440, 768, 360):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
        assert _faults(page, axe) == []
    page.set_viewport_size({"width": 1440, "height": 844})
    page.focus(".behalf button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/seller/customers/*/")
    expect(page.locator(".behalf")).to_have_count(0)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_sellers_pages(
    window: Callable[..., Customer], running_shop: RunningShop, axe: str, locale: str, needed: str
) -> None:
    seller = window(locale=locale, color_scheme=THEMES[locale])
    seller.sign_in(running_shop.ready["operator"]["email"], running_shop.ready["operator"]["password"])
    seller.page.wait_for_url("**/seller/")
    assert seller.page.evaluate("document.documentElement.lang") == LOCALES[locale]
    of_customer = _noted(seller)
    buyer = window()
    buyer.sign_up()
    buyer.top_up("500")
    payment = f"/seller{buyer.page.url.removeprefix(buyer.url)}"
    order = f"/seller{buyer.buy('?name=sold').url.removeprefix(buyer.url)}"
    for _ in range(60):
        if seller.open(order).locator("a[href$='/refund/']").count():
            break
        seller.page.wait_for_timeout(500)
    else:
        pytest.fail("the order was not delivered")
    _given_back_to_the_card(seller, payment, axe)
    for address in ("/seller/orders/", order, f"{order}refund/", "/seller/payments/", payment, f"{payment}refund/",
                    "/seller/", "/seller/deliveries/",
                    f"/seller/zones/{needed}/", "/seller/catalog/", "/seller/catalog/prices/", "/seller/shop/",
                    "/seller/first-run/test/", "/seller/customers/", of_customer, "/seller/staff/",
                    _staff(seller)):  # fmt: skip
        page = seller.open(address)
        acts = page.locator("form[action*='ins-browser1'], a.btn[href*='ins-browser1']")
        assert acts.count() == (3 if address == "/seller/" else 0)
        for width in (1440, 1024, 768, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
        assert _faults(page, axe) == []
        page.set_viewport_size({"width": 1440, "height": 844})
        assert _faults(page, axe) == []
