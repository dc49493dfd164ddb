"""From sign-up to a running machine and its end, as people do it."""

import base64
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Customer

pytestmark = pytest.mark.browser
Window = Callable[..., Customer]


def test_sign_up_top_up_buy_watch_it_run_and_terminate(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("100")
    page = customer.open("/buy/")
    expect(page.locator("#due")).to_have_text("¥67.00")
    page.check("#charge-postpaid")
    expect(page.locator("#hourly")).to_have_text("¥0.19")
    page.check("#internet-bandwidth")
    page.fill("#count", "2")
    expect(page.locator("#hourly")).to_have_text("2 × ¥0.505")  # 0.18 + 0.01 + 5 × 0.063
    assert "charge=postpaid" in page.url
    assert "internet=bandwidth" in page.url
    page.fill("#name", "web")
    expect(page.locator("#hold")).to_have_text("¥1.02")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    page.click("text=Show the passwords")
    assert [text.count("-") for text in page.locator("code.password").all_inner_texts()] == [3, 3]
    page.click("text=I have it")
    page.wait_for_url("**/orders/*/")
    assert page.locator("text=Show the password").count() == 0
    expect(page.locator("text=ssh root@").first).to_be_visible()
    expect(page.locator("#progress")).not_to_have_attribute("hx-trigger", re.compile(".*"))
    page.click("text=web1")
    expect(page.locator("#live .state.good")).to_have_text("Running")
    page.click("text=Terminate")
    page.click("main .btn-danger")
    expect(page.locator("#live .state.warn")).to_have_text("Recycle bin")


def test_every_change_is_priced_at_once_and_the_page_can_be_shared(window: Window) -> None:
    customer = window()
    page = customer.open("/buy/")
    expect(page.locator("#due")).to_have_text("¥67.00")
    page.check("#region-ap-shanghai")
    expect(page.locator("#due")).to_have_text("¥73.70")
    expect(page.locator("#zone-ap-shanghai-2")).to_be_checked()
    page.check("#type-S5\\.SMALL1")
    page.focus("#months")
    page.select_option("#months", "12")
    expect(page.locator("#due")).to_have_text("¥502.26")  # 12 × (49.5 × 0.69 + 7.7)
    assert page.locator("#months").evaluate("e => e === document.activeElement")
    page.fill("#mbps", "999")
    expect(page.locator("#error-mbps")).to_contain_text("from 1 to 200")
    expect(page.locator("#due")).to_have_count(0)
    page.fill("#mbps", "10")
    expect(page.locator("#due")).to_have_text("¥502.26")
    shared = page.url
    other = window().open(shared.removeprefix(customer.url))
    expect(other.locator("#due")).to_have_text("¥502.26")
    expect(other.locator("#mbps")).to_have_value("10")
    expect(other.locator("#type-S5\\.SMALL1")).to_be_checked()


def test_data_disks_are_added_priced_and_taken_out_without_leaving_the_page(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/buy/")
    page.check("#login-password")
    page.fill("#password", "Secret-word-77")
    page.fill("#count", "2")
    expect(page.locator("#due")).to_have_text("¥134.00")
    page.click("#add-disk")
    expect(page.locator("#data_gib-1")).to_be_focused()
    expect(page.locator("#due")).to_have_text("¥169.00")  # 2 × (67 + 50 × 0.35)
    page.fill("#data_gib-1", "100")
    expect(page.locator("#due")).to_have_text("¥204.00")
    expect(page.locator("#data-note-1")).to_contain_text("¥35.00 a month")
    page.click("#add-disk")
    page.select_option("#data_disk-2", "CLOUD_SSD")
    expect(page.locator("#due")).to_have_text("¥304.00")
    page.fill("#data_gib-2", "15")
    expect(page.locator("#error-data_gib-2")).to_have_text("Enter a number from 20 to 32000.")
    expect(page.locator("#due")).to_have_count(0)
    page.fill("#data_gib-2", "20")
    expect(page.locator("#due")).to_have_text("¥244.00")
    page.click("[aria-label='Remove data disk 1']")
    expect(page.locator("#due")).to_have_text("¥174.00")
    expect(page.locator("#add-disk")).to_be_focused()
    assert "data_disk=CLOUD_SSD&data_gib=20" in page.url
    assert "act=" not in page.url
    expect(page.locator("#password")).to_have_value("Secret-word-77")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("text=SSD Cloud Disk, 20 GiB")).to_be_visible()
    expect(page.locator("text=ssh root@").first).to_be_visible()


def test_a_typed_password_survives_every_repricing_and_never_enters_the_address(window: Window) -> None:
    customer = window()
    customer.sign_up()
    page = customer.open("/buy/")
    page.check("#login-password")
    page.fill("#password", "Secret-word-77")
    page.check("#charge-postpaid")
    expect(page.locator("#hourly")).to_be_visible()
    expect(page.locator("#password")).to_have_value("Secret-word-77")
    assert "Secret" not in page.url


DOCUMENT = "#cloud-config\nruncmd: [s3cretw0rd]\n"


@pytest.mark.parametrize("scripted", [True, False])
def test_user_data_goes_along_by_forms_and_never_by_an_address(window: Window, scripted: bool) -> None:
    customer = window(java_script_enabled=scripted)
    asked: list[str] = []
    customer.page.on("request", lambda request: asked.append(request.url))
    customer.sign_up()
    page = customer.open("/buy/?charge=postpaid")
    expect(page.locator("#first-boot .unset")).to_be_visible()
    page.click("#first-boot summary")
    page.fill("#user_data", DOCUMENT)
    expect(page.locator("#first-boot .set")).to_have_text("given")
    expect(page.locator("#first-boot .unset")).to_be_hidden()
    page.fill("#name", "web")
    if scripted:
        page.wait_for_url("**name=web**")
    page.click("#add-disk")
    expect(page.locator("#data_gib-1")).to_be_visible()
    expect(page.locator("#user_data")).to_have_value(DOCUMENT)
    page.click(".besides button:has-text('As code')")
    page.click("nav button:has-text('curl')")
    expect(page.locator("#program")).to_contain_text(base64.b64encode(DOCUMENT.encode()).decode())
    page.click("main button:has-text('Back to the form')")
    expect(page.locator("#user_data")).to_have_value(DOCUMENT)
    expect(page.locator("#name")).to_have_value("web")
    expect(page.locator("#data_gib-1")).to_be_visible()
    page.click("#buy")  # the balance is empty
    page.wait_for_url("**/balance/top-up/**")
    customer.open("/buy/?charge=postpaid")
    expect(page.locator("#user_data")).to_have_value(DOCUMENT)
    assert not [address for address in asked if "s3cretw0rd" in address]


def test_what_is_changed_while_a_price_is_on_its_way_is_not_lost(window: Window) -> None:
    page = window().open("/buy/")
    held: list[Route] = []
    page.route("**/buy/price**", lambda route: held.append(route), times=1)  # noqa: PLW0108  its signature is looked at
    with page.expect_request("**/buy/price**"):
        page.check("#type-S5\\.SMALL1")
    page.select_option("#months", "12")
    page.check("#address-no")
    page.fill("#disk_gib", "50")
    with page.expect_response("**/buy/price**"):
        held.pop().continue_()
    expect(page.locator("#due")).to_have_text("¥582.60")  # 12 × (45 × 0.69 + 50 × 0.35)
    expect(page.locator("#months")).to_have_value("12")
    expect(page.locator("#address-no")).to_be_checked()
    expect(page.locator("#disk_gib")).to_have_value("50")


def test_a_refused_form_leads_to_its_first_field_and_keeps_its_address(window: Window) -> None:
    customer = window(viewport={"width": 360, "height": 740})
    customer.sign_up()
    customer.top_up("100")
    page = customer.open("/buy/")
    page.check("#charge-postpaid")
    page.check("#login-password")
    page.fill("#password", "short")
    page.fill("#name", "web")
    page.wait_for_url("**name=web**")
    page.click("#buy")
    expect(page.locator("#refused")).to_contain_text("A password has 8 to 30 characters")
    expect(page.locator("#password")).to_be_focused()
    expect(page.locator("#password")).to_be_in_viewport()
    field, bar = page.locator("#password").bounding_box(), page.locator("#price").bounding_box()
    assert field and bar
    assert field["y"] + field["height"] <= bar["y"]  # the price at the bottom does not hide it
    assert "charge=postpaid" in page.url and "name=web" in page.url
    shared = window().open(page.url.removeprefix(customer.url))
    expect(shared.locator("#name")).to_have_value("web")
    page.fill("#count", "0")
    page.click(".faults a >> text=Number")
    assert page.url.endswith("#count")


@pytest.mark.parametrize("scripted", [True, False])
def test_a_key_pair_is_made_on_the_purchase_page_and_bought_with(window: Window, scripted: bool) -> None:
    customer = window(java_script_enabled=scripted)
    customer.sign_up()
    customer.top_up("100") if scripted else _top_up_plainly(customer)
    page = customer.open("/buy/?charge=postpaid&name=web")
    page.check("#login-key")
    page.fill("#key_name", "laptop")
    page.click("text=Create a key pair")
    expect(page.locator("#private-key")).to_have_value(re.compile("^-----BEGIN RSA PRIVATE KEY-----"))
    expect(page.locator("#login-key")).to_be_checked()
    expect(page.locator("input[name=key]")).to_be_checked()
    expect(page.locator("#name")).to_have_value("web")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    assert page.locator("text=Show the password").count() == 0
    page.click("text=web")
    expect(page.locator("dd:has-text('key pair skey-')")).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False])
def test_choices_survive_sign_up_and_a_top_up_of_what_lacks(window: Window, scripted: bool) -> None:
    customer = window(java_script_enabled=scripted)
    page = customer.open("/buy/" if scripted else "/buy/?count=2&name=web")
    if scripted:
        page.fill("#count", "2")
        page.fill("#name", "web")
        page.wait_for_url("**name=web**")
    page.click("header >> text=Sign up")
    customer.fill_in_sign_up()
    expect(page.locator("#name")).to_have_value("web")
    expect(page.locator("#buy")).to_have_text("Top up ¥134.00 and create")
    page.click("#buy")
    expect(page.locator("#amount")).to_have_value("134.00")
    page.click("main .btn-primary")
    expect(page.locator(".notice.success")).to_have_text("The money is in your balance.")
    expect(page.locator("#count")).to_have_value("2")
    expect(page.locator("#buy")).to_have_text("Pay and create")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("text=web2")).to_be_visible()


def _top_up_plainly(customer: Customer) -> None:
    customer.open("/balance/top-up/")
    customer.page.fill("#amount", "500")
    customer.page.click("main .btn-primary")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("query", ["", "&charge=postpaid"])
def test_on_a_phone_each_type_has_its_price_and_stock_within_the_window(
    window: Window, locale: str, query: str
) -> None:
    page = window(viewport={"width": 360, "height": 740}, locale=locale).open(f"/buy/?family=all{query}")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    rows = page.locator(".types tbody tr")
    assert rows.count() == 12
    for row in rows.all():
        for cell in (".pick", ".counts > span", ".stock > span"):
            box = row.locator(cell).bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["width"] >= 20, cell
            assert row.locator(cell).inner_text().strip()
    grey = page.locator(".types tr:has(:disabled)")
    expect(grey).to_have_count(1)
    expect(grey.locator(".stock")).to_have_text("Sold out" if locale == "en-US" else "售罄")


def test_double_click_back_and_reload_buy_once(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/buy/")
    page.dblclick("#buy")
    page.wait_for_url("**/orders/*/")
    page.go_back()
    page.wait_for_url("**/buy/**")
    page.reload()
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    page = customer.open("/orders/")
    assert page.locator("tbody tr").count() == 1


def test_bought_by_keyboard_alone(window: Window) -> None:
    customer = window()
    customer.sign_up()
    customer.top_up("500")
    page = customer.open("/buy/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.id")
        if focused == "charge-prepaid":
            page.keyboard.press("ArrowDown")
            expect(page.locator("#hourly")).to_be_visible()
            expect(page.locator("#charge-postpaid")).to_be_focused()
        if focused == "buy":
            break
    expect(page.locator("#buy")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/*/")
    expect(page.locator("text=ssh root@").first).to_be_visible()


def test_bought_without_java_script(window: Window) -> None:
    customer = window(java_script_enabled=False)
    customer.sign_up()
    _top_up_plainly(customer)
    page = customer.open("/buy/")
    page.check("#charge-postpaid")
    page.fill("#name", "plain")
    page.click("#add-disk")
    page.fill("#data_gib-1", "60")
    page.click("#add-disk")
    page.click("[aria-label='Remove data disk 2']")
    expect(page.locator("#data_gib-1")).to_have_value("60")
    expect(page.locator("#hourly")).to_have_text("¥0.22")
    page.click("[aria-label='Remove data disk 1']")
    page.click("main .price button:has-text('Recalculate')")
    expect(page.locator("#hourly")).to_have_text("¥0.19")
    expect(page.locator("#name")).to_have_value("plain")
    page.fill("#count", "2")
    page.click("#buy")  # changed after the price was shown: asked again
    expect(page.locator(".notice").first).to_contain_text("changed after its price was shown")
    page.click("#buy")
    page.wait_for_url("**/orders/*/")
    for _ in range(240):
        if page.locator("text=ssh root@").count() == 2:
            break
        page.wait_for_timeout(250)
        page.reload()
    assert page.locator("text=ssh root@").count() == 2
    page.click("text=plain1")
    page.click("text=Terminate")
    page.click("main .btn-danger")
    expect(page.locator("text=Recycle bin").first).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False])
def test_the_quick_form_asks_four_things_and_buys(window: Window, scripted: bool) -> None:
    customer = window(java_script_enabled=scripted)
    customer.sign_up()
    customer.top_up("100") if scripted else _top_up_plainly(customer)
    page = customer.open("/buy/")
    page.click("label:has(#quick-1)")
    hidden = ("#zones", "#disks-row", "#data-disks", "#network", "#way-in", "#life")
    assert [page.locator(place).is_visible() for place in hidden] == [False] * 6
    assert [page.locator(place).is_visible() for place in ("#modes", "#types", "#images", "#buy")] == [True] * 4
    page.click("#buy")
    page.wait_for_url("**/orders/*/")


def test_a_fault_in_what_the_quick_form_hides_shows_it(window: Window) -> None:
    page = window().open("/buy/?quick=1&mbps=0")
    expect(page.locator("#mbps")).to_be_visible()
    expect(page.locator("#network-note .field-error")).to_have_text("Enter a number from 1 to 200.")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_another_tab_of_images_shows_them_and_keeps_what_is_chosen(window: Window, scripts: bool) -> None:
    customer = window(java_script_enabled=scripts)
    customer.sign_up()
    page = customer.open("/buy/")
    expect(page.locator(".images.public")).to_be_visible()
    expect(page.locator(".images.own")).to_be_hidden()
    page.click("label:has(#images-own)")
    expect(page.locator("text=No image of your own is in this zone.")).to_be_visible()
    expect(page.locator(".images.public")).to_be_hidden()
    if scripts:
        expect(page.locator("text=Chosen: Debian 12 64-bit")).to_be_visible()
        page.wait_for_url("**images=own**")
        expect(page.locator("#due")).to_have_text("¥67.00")
        page.click("label:has(#images-public)")
    expect(page.locator("#image-img-db12k7x4")).to_be_checked()
