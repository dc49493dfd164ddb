"""Data disks on the purchase page: added and taken out with and without script, priced at once, bought as shown."""

import re
from typing import Any

import pytest
from django.http import HttpResponse

from tests.orders.test_own_disks import new_disk
from tests.orders.test_snapshots import of
from tests.support.shopper import ZONE
from tests.support.written import nothing_written
from tests.web.visiting import Visitor, customer, form_of, order_id_of, text_of, work
from vmart.instances.models import Instance
from vmart.metering.models import Segment
from vmart.orders.models import Order
from vmart.placement.models import Allocation, Host
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import zones
from vmart.storage.models import Disk

TWO = "data_disk=CLOUD_SSD&data_gib=100&data_disk=CLOUD_PREMIUM&data_gib=20"


def _rows(page: HttpResponse) -> list[tuple[str, str]]:
    form = form_of(page)
    return list(zip(form.get("data_disk", []), form.get("data_gib", []), strict=True))


def _due(page: HttpResponse) -> str:
    found = re.search(r'<dd id="due">([^<]*)<', page.content.decode())
    return found[1] if found else ""


def test_the_page_begins_without_one_and_adds_the_smallest_usual_one() -> None:
    """Given no script, when "add" is pressed twice and "remove" once, then the form is kept and the price follows."""
    visitor = customer()
    form = visitor.buy_form("?name=web&mbps=7&disk=CLOUD_SSD")
    assert "data_disk" not in form
    answer = visitor.post("/buy/", form | {"act": "add_disk"})
    assert answer.status_code == 302
    assert answer["Location"].endswith("#data-disks")
    page = visitor.get(answer["Location"], follow=True)
    assert _rows(page) == [("CLOUD_SSD", "50")]  # the type of the system disk
    assert form_of(page)["name"] == "web"
    assert form_of(page)["mbps"] == "7"
    assert _due(page) == "¥130.00"  # 60 + 20 × 1 + 50 × 1
    form = form_of(page) | {"data_disk": ["CLOUD_PREMIUM"], "data_gib": ["100"], "act": "add_disk"}
    page = visitor.get(visitor.post("/buy/", form)["Location"], follow=True)
    assert _rows(page) == [("CLOUD_PREMIUM", "100"), ("CLOUD_SSD", "50")]
    assert _due(page) == "¥165.00"
    page = visitor.get(visitor.post("/buy/", form_of(page) | {"act": "remove_disk-1"})["Location"], follow=True)
    assert _rows(page) == [("CLOUD_SSD", "50")]


def test_bought_charged_and_shown_as_chosen() -> None:
    visitor = customer()
    page = visitor.get(f"/buy/?charge=postpaid&{TWO}", follow=True)
    html = page.content.decode()
    assert '<dd id="hourly">¥0.34</dd>' in html  # 0.18 + 20 × 0.0005 + 100 × 0.0014 + 20 × 0.0005
    assert "SSD Cloud Disk, 100 GiB" in text_of(page)
    order_id = order_id_of(visitor.post("/buy/", form_of(page) | {"act": "buy"}))
    work()
    machine = Instance.objects.get()
    assert list(Disk.objects.order_by("position").values_list("usage", "disk_type", "size_gib")) == [
        ("SYSTEM_DISK", "CLOUD_PREMIUM", 20), ("DATA_DISK", "CLOUD_SSD", 100), ("DATA_DISK", "CLOUD_PREMIUM", 20),
    ]  # fmt: skip
    assert Allocation.objects.get().disk_gib == 140
    assert set(Segment.objects.values_list("component", "quantity")) >= {("disk", 100), ("disk", 20)}
    for address in (f"/orders/{order_id}/", f"/machines/{machine.public_id}/"):
        shown = text_of(visitor.get(address))
        assert "Data disk 1 SSD Cloud Disk, 100 GiB" in shown
        assert "Data disk 2 Premium Cloud Disk, 20 GiB" in shown
        assert "CLOUD_" not in shown


def test_a_prepaid_one_costs_its_term_and_the_order_is_what_was_shown() -> None:
    visitor = customer()
    page = visitor.get(f"/buy/?{TWO}&months=2&count=2", follow=True)
    assert _due(page) == "¥696.00"  # 2 × 2 × (60 + 7 + 100 + 7)
    order = Order.objects.get(id=order_id_of(visitor.post("/buy/", form_of(page) | {"act": "buy"})))
    assert order.total_minor == 69_600
    assert Disk.objects.filter(usage="DATA_DISK").count() == 4


def test_the_address_holds_them_and_another_one_like_it_has_them() -> None:
    visitor = customer()
    update = visitor.get(f"/buy/price/?{TWO}")
    assert TWO in update["HX-Replace-Url"]
    shared = Visitor().get(update["HX-Replace-Url"], follow=True)
    assert _rows(shared) == [("CLOUD_SSD", "100"), ("CLOUD_PREMIUM", "20")]
    stranger = Visitor().post("/buy/", form_of(shared) | {"act": "buy"})
    assert "data_disk%3DCLOUD_SSD%26data_gib%3D100%26data_disk%3DCLOUD_PREMIUM" in stranger["Location"]


def test_the_scripts_update_changes_rows_only_when_a_button_was_pressed() -> None:
    """A field in which somebody types is not replaced under the hands."""
    visitor = customer()
    typed = visitor.get(f"/buy/price/?{TWO}").content.decode()
    assert 'name="data_gib"' not in typed
    assert re.search(r'id="data-note-2" hx-swap-oob="true"', typed)
    assert "¥100.00 a month" in typed
    hourly = visitor.get(f"/buy/price/?{TWO}&charge=postpaid").content.decode()
    assert "¥0.14 an hour" in hourly
    added = visitor.get(f"/buy/price/?{TWO}&act=add_disk")
    assert added.content.decode().count('name="data_gib"') == 3
    assert re.search(r'id="data_gib-3"[^>]* autofocus', added.content.decode())
    assert "act=" not in added["HX-Replace-Url"]
    removed = visitor.get(f"/buy/price/?{TWO}&act=remove_disk-1")
    assert removed["HX-Replace-Url"].count("data_disk=") == 1
    assert "data_disk=CLOUD_PREMIUM&data_gib=20" in removed["HX-Replace-Url"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("data_gib=5", "Enter a number from 10 to 32000."),
        ("data_gib=32001", "Enter a number from 10 to 32000."),
        ("data_gib=15", "A CLOUD_PREMIUM disk of 15 GiB is not sold here"),
        ("data_gib=abc", "Enter a whole number."),
        ("data_gib=", "Enter a whole number."),
        ("data_gib=-20", "Enter a whole number."),
        ("data_disk=CLOUD_SSD&data_gib=10", "Enter a number from 20 to 32000."),
        ("data_disk=nonsense&data_gib=5", "Enter a number from 10 to 32000."),
    ],
)
def test_a_wrong_size_is_kept_and_named(row: str, sentence: str) -> None:
    visitor = customer()
    second = row if "disk=" in row else f"data_disk=CLOUD_PREMIUM&{row}"
    page = visitor.get(f"/buy/?data_disk=CLOUD_BSSD&data_gib=40&{second}", follow=True)
    found = re.search(r'id="error-data_gib-2"[^>]*>([^<]*)<', page.content.decode())
    assert found
    assert sentence in found[1]
    assert 'id="error-data_gib-1"' not in page.content.decode()
    assert f'value="{row.rpartition("=")[2]}"' in page.content.decode()
    assert _due(page) == ""
    with nothing_written():
        assert visitor.post("/buy/", form_of(page) | {"act": "buy"}).status_code in (409, 422)


def test_at_most_twenty() -> None:
    visitor = customer(gift_minor=1_000_000)
    twenty = "&".join(["data_disk=CLOUD_PREMIUM&data_gib=10"] * 20)
    page = visitor.get(f"/buy/?{twenty}", follow=True)
    assert len(_rows(page)) == 20
    assert "A machine has at most 20 data disks." in text_of(page)
    assert 'value="add_disk"' not in page.content.decode()
    assert _due(page) == "¥137.00"  # 67 + 20 × 3.5
    too_many = visitor.get(f"/buy/?{twenty}&data_disk=CLOUD_SSD&data_gib=100", follow=True)
    assert 'id="error-data_disks"' in too_many.content.decode()
    assert _due(too_many) == ""
    with nothing_written():
        assert visitor.post("/buy/", form_of(too_many) | {"act": "buy"}).status_code in (409, 422)
    order_id_of(visitor.post("/buy/", form_of(page) | {"act": "buy"}))
    assert Disk.objects.filter(usage="DATA_DISK").count() == 20


@pytest.mark.parametrize(
    "query",
    ["data_gib=1" + "&data_gib=1" * 500, "data_disk=%00&data_gib=%ff", "act=remove_disk-0",
     "act=remove_disk-9999&data_gib=10", "act=remove_disk-x"],
)  # fmt: skip
def test_hostile_addresses_give_a_page(query: str) -> None:
    visitor = customer()
    for address in ("/buy/", "/buy/price/"):
        page = visitor.get(f"{address}?{query}", follow=True)
        assert page.status_code == 200
    assert not Order.objects.exists()


def test_what_was_changed_after_its_price_was_shown_is_asked_again() -> None:
    visitor = customer()
    form = visitor.buy_form(f"?{TWO}") | {"act": "buy", "data_gib": ["200", "20"]}
    with nothing_written():
        answer = visitor.post("/buy/", form)
    assert answer.status_code == 409
    assert "changed after its price was shown" in text_of(answer)
    assert _rows(answer) == [("CLOUD_SSD", "200"), ("CLOUD_PREMIUM", "20")]


def test_stock_counts_the_data_disks() -> None:
    """Given a zone with 500 GiB left, then a machine with a disk of 480 beside its 20 fits once, and a larger never."""
    visitor = customer()
    Host.objects.filter(zone_id="ap-guangzhou-3").update(disk_capacity_gib=0)
    Host.objects.filter(zone_id="ap-guangzhou-3", name="gz3-a").update(disk_capacity_gib=500)
    assert "1 left" in text_of(visitor.get("/buy/?family=all&data_disk=CLOUD_PREMIUM&data_gib=480", follow=True))
    page = visitor.get("/buy/?family=all&data_disk=CLOUD_PREMIUM&data_gib=490", follow=True)
    assert "1 left" not in text_of(page)
    assert "Sold out" in text_of(page)


def test_the_configuration_is_the_one_of_the_api() -> None:
    visitor = customer()
    visitor.buy(f"?{TWO}")
    held: Any = Order.objects.get().quote["configuration"]["data_disks"]
    assert [DiskChoice(**disk) for disk in held] == [DiskChoice("CLOUD_SSD", 100), DiskChoice("CLOUD_PREMIUM", 20)]


def test_in_chinese() -> None:
    visitor = customer(headers={"accept-language": "zh-CN"})
    page = text_of(visitor.get(f"/buy/?{TWO}", follow=True))
    assert "数据盘 1" in page
    assert "SSD云硬盘" in page


def test_one_that_holds_a_snapshot_is_bought_by_its_id_and_refused_beside_its_field() -> None:
    visitor = customer()
    account = visitor.account_id
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    source = new_disk(account)
    snapshot = of(account, source).public_id
    rows = "data_disk=CLOUD_SSD&data_gib=20&data_snapshot=&data_disk=CLOUD_SSD&data_gib=100&data_snapshot="
    page = visitor.get(f"/buy/?charge=postpaid&zone={ZONE}&{rows}{snapshot}", follow=True)
    assert form_of(page)["data_snapshot"] == ["", snapshot]
    wrong = form_of(visitor.get(f"/buy/?charge=postpaid&zone={ZONE}&{rows}snap-none", follow=True))
    answer = visitor.post("/buy/", wrong | {"act": "buy"})
    assert (answer.status_code, Instance.objects.count()) == (422, 0)
    assert 'id="data_snapshot-2" name="data_snapshot" value="snap-none"' in answer.content.decode()
    assert "The snapshot snap-none does not exist." in answer.content.decode()
    smaller = rows.replace("data_gib=100", "data_gib=90")
    small = form_of(visitor.get(f"/buy/?charge=postpaid&zone={ZONE}&{smaller}{snapshot}", follow=True))
    assert "has at least 100 GiB" in visitor.post("/buy/", small | {"act": "buy"}).content.decode()
    order_id_of(visitor.post("/buy/", form_of(page) | {"act": "buy"}))
    work()
    disks = Disk.objects.filter(instance_id=Instance.objects.get().id, usage="DATA_DISK").order_by("position")
    assert [(disk.size_gib, disk.snapshot_id) for disk in disks] == [(20, ""), (100, snapshot)]
    assert Instance.objects.get().state == "RUNNING"
