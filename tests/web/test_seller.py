"""The seller's page: for operators alone; sales, capacity, failures and retries."""

import html
import re
from pathlib import Path

import pytest

from tests.orders.test_own_disks import new_disk
from tests.orders.test_snapshots import of
from tests.support.actors import by
from tests.support.missed import an_interval_ago
from tests.web.visiting import ZONE, Form, Visitor, customer, operator, order_id_of, text_of, work
from vmart.catalog.models import Zone, ZoneImage
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.listings import attention
from vmart.listings.paging import PAGE
from vmart.orders import sweep
from vmart.orders.models import EngineDrift
from vmart.orders.snapshots import delete
from vmart.payments import unexplained
from vmart.placement.models import Host
from vmart.provisioning import zones
from vmart.storage.models import Disk
from vmart.worker.models import Operation


def test_customers_are_refused_and_operators_begin_here() -> None:
    assert customer().get("/seller/").status_code == 403
    assert customer().post("/seller/operations/1/retry/").status_code == 403
    seller = operator()
    assert seller.get("/")["Location"] == "/seller/"
    assert seller.get("/seller/").status_code == 200
    assert seller.get("/machines/")["Location"] == "/seller/"


def test_sales_and_capacity_of_what_was_sold() -> None:
    buyer = customer()
    buyer.buy("?count=2&type=S5.MEDIUM4")
    work()
    page = text_of(operator().get("/seller/"))
    assert "Revenue today ¥244.00" in page  # 2 × (115 + 7)
    assert "Orders today 1" in page
    assert "Delivered today 2" in page
    assert "4 / 8192" in page
    assert "8 / 2048 GiB" in page
    assert "243 / 245" in page


def test_the_seller_sees_how_full_a_real_pool_is_and_how_often_it_is_sold() -> None:
    buyer = customer()
    buyer.buy("?count=2&type=S5.MEDIUM4")
    work()
    seller = operator()
    assert "times its size" not in text_of(seller.get("/seller/"))  # a simulated zone fills nothing
    sold = sum(Host.objects.filter(zone_id=ZONE).values_list("disk_used_gib", flat=True))
    assert sold == 40
    pools = {"a": [10, 20], "b": [5, 12]}
    Zone.objects.filter(code=ZONE).update(capabilities={"instance_kind": "container", "pools": pools})
    page = text_of(seller.get("/seller/"))
    assert "15 of 32 GiB filled, sold 1.25 times its size" in page
    assert "Storage fills up" not in page
    Zone.objects.filter(code=ZONE).update(capabilities={"instance_kind": "container", "pools": {"a": [80, 100]}})
    assert "Storage fills up 80 of 100 GiB filled, sold 0.40 times its size" in text_of(seller.get("/seller/"))


def test_a_failed_delivery_is_shown_with_its_reason(world: World) -> None:
    buyer = customer()
    buyer.buy()
    world.fail("ensure_present", transient=False, sentence="The host refused.")
    work()
    page = text_of(operator().get("/seller/"))
    assert "Failed today 1" in page
    assert f"Deliveries failed {ZONE} Zone 1 The host refused. The money went back." in page
    listed = text_of(operator().get("/seller/deliveries/"))
    assert f"{buyer.user.email} {ZONE} The host refused." in listed
    assert customer().get("/seller/deliveries/").status_code == 403


def test_the_attention_list_names_a_machine_only_where_the_operation_is_about_one() -> None:
    """Given a payment whose number is a machine's too, then the list names the number, not somebody's machine."""
    order_id_of(customer().buy())
    machine = Instance.objects.get()
    Operation.objects.all().delete()
    for kind, subject, lane in (("payment_poll", "payment", "cards"), ("expire", "machine", "")):
        Operation.objects.create(kind=kind, subject_kind=subject, subject_id=machine.id, lane=lane, attempt=6,
                                 due_at=clock.now(), attention=True, last_error="x",
                                 created_at=clock.wall())  # fmt: skip
    assert [(row.places["operation"], row.subject) for row in attention.page().rows] == [
        ("expire", machine.public_id), ("payment_poll", str(machine.id)),
    ]  # fmt: skip


def test_a_card_message_that_fits_no_payment_is_shown_until_it_is_seen() -> None:
    unexplained.keep("stripe", "pi_1", "succeeded, 5000 CNY: no payment here is called vmart-9-<b>")
    seller = operator()
    page = seller.get("/seller/").content.decode()
    assert "Card message that fits no payment" in page
    assert "Card: succeeded, 5000 CNY" in page
    assert "called vmart-9-&lt;b&gt;" in page
    found = re.search(r'action="(/seller/card-messages/\d+/dismiss/)"', page)
    assert found
    assert customer().post(found[1]).status_code == 403
    assert "pi_1" in text_of(seller.get("/seller/"))
    assert "Card message" not in text_of(seller.post(found[1], follow=True))
    assert seller.post(found[1]).status_code == 302


def test_an_operation_that_needs_attention_is_retried_once() -> None:
    Operation.objects.create(
        kind="release", subject_kind="machine", subject_id=7, lane=ZONE, due_at=clock.now(), attempt=12, attention=True,
        last_error="RuntimeError: <b>stuck</b>", created_at=clock.wall(),
    )  # fmt: skip
    seller = operator()
    page = seller.get("/seller/").content.decode()
    assert "RuntimeError: &lt;b&gt;stuck&lt;/b&gt;" in page
    found = re.search(r'action="(/seller/operations/\d+/retry/)"', page)
    assert found
    assert "The worker tries it again." in text_of(seller.post(found[1], follow=True))
    operation = Operation.objects.get(kind="release")
    assert (operation.attention, operation.attempt) == (False, 0)
    assert "Nothing to retry" in text_of(seller.post(found[1], follow=True))
    assert seller.get(found[1]).status_code == 405


@pytest.mark.parametrize(
    ("language", "heads"),
    [
        ("en", "Type All hosts Online Taking machines vCPU Memory Disk"),
        ("zh-hans", "机型 全部宿主机 在线 接收云服务器 vCPU 内存 云硬盘"),
    ],
)
def test_the_page_of_a_zone_says_what_there_is_too_little_of(language: str, heads: str) -> None:
    seller = operator()
    seller.cookies["django_language"] = language
    assert f'href="/seller/zones/{ZONE}/"' in seller.get("/seller/").content.decode()
    hosts = Host.objects.filter(zone_id=ZONE)
    hosts.update(memory_capacity_mib=4095)
    page = text_of(seller.get(f"/seller/zones/{ZONE}/"))
    assert heads in page
    count = hosts.count()
    assert f"S5.MEDIUM4 2 vCPU · 4 GiB · 50 GiB {count} {count} {count} {count} 0 0 " in page
    assert f"S5.SMALL2 1 vCPU · 2 GiB · 50 GiB {count} {count} {count} {count} {count} {count} " in page
    assert "1 vCPU · 2 GiB · 90 GiB" in text_of(seller.get(f"/seller/zones/{ZONE}/?disk=90"))
    assert seller.get("/seller/zones/nowhere/").status_code == 404
    assert customer().get(f"/seller/zones/{ZONE}/").status_code == 403


OTHER_ZONE = "ap-guangzhou-4"
DIFFERS = {
    "en": (
        "Machine not found {} Machine 1 Sold, and not found on the engine of zone {}.",
        "Machine on another zone's engine {} Machine 1 On the engine of zone {}, and sold in {}.",
    ),
    "zh-hans": (
        "未找到云服务器 {} 云服务器 1 已售出，但没有在可用区 {} 的引擎上找到。",
        "在其他可用区引擎上的云服务器 {} 云服务器 1 在可用区 {} 的引擎上，但售于 {}。",
    ),
}


@pytest.mark.parametrize("language", DIFFERS)
def test_where_engines_differ_from_what_was_sold_the_seller_is_shown_it(
    world: World, tmp_path: Path, language: str
) -> None:
    """Given a machine that its engine lost, and one that is on another zone's engine, when both are swept."""
    buyer, seller = customer(), operator()
    seller.cookies["django_language"] = language
    buyer.buy("?count=2")
    work()
    lost, kept = Instance.objects.order_by("id")
    missing, elsewhere = DIFFERS[language]
    assert lost.public_id not in text_of(seller.get("/seller/"))
    world.remove_machine(lost.public_id)
    settings = Zone.objects.get(code=OTHER_ZONE).engine_settings
    file = str(tmp_path / "engine" / f"{ZONE}.sqlite")
    Zone.objects.filter(code=OTHER_ZONE).update(engine_settings=settings | {"file": file})
    for zone in (ZONE, OTHER_ZONE):
        sweep.sweep(zone)
    page = html.unescape(text_of(seller.get("/seller/")))
    assert missing.format(lost.public_id, ZONE) in page
    assert elsewhere.format(kept.public_id, OTHER_ZONE, ZONE) in page
    Zone.objects.filter(code=OTHER_ZONE).update(engine_settings=settings)
    sweep.sweep(OTHER_ZONE)
    assert kept.public_id not in text_of(seller.get("/seller/"))


def test_a_lost_machine_is_delivered_again_refunded_or_ended_from_the_page(world: World) -> None:
    buyer, seller = customer(), operator()
    buyer.buy("?count=3")  # prepaid
    work()
    names = list(Instance.objects.order_by("id").values_list("public_id", flat=True))
    for name in names:
        world.remove_machine(name)
    sweep.sweep(ZONE)
    assert "Deliver again" not in text_of(seller.get("/seller/"))
    an_interval_ago()
    sweep.sweep(ZONE)
    page = seller.get("/seller/").content.decode()
    acts = dict(zip(names, ("redeliver", "refund", "end"), strict=True))
    for name, act in acts.items():
        address = f"/seller/machines/{name}/{act}/"
        assert (f'href="{address}"' if act == "redeliver" else f'action="{address}"') in page
        assert customer().post(address).status_code == 403
        form = confirmed(seller, name) if act == "redeliver" else {}
        assert "It is under way." in text_of(seller.post(address, form, follow=True))
    work()
    assert list(Instance.objects.order_by("id").values_list("state", flat=True)) == ["RUNNING", "GONE", "GONE"]
    again = text_of(seller.post(f"/seller/machines/{names[0]}/end/", follow=True))
    assert f"The instance {names[0]} is not lost" in again
    assert "does not exist" in text_of(seller.post("/seller/machines/nobody/end/", follow=True))
    assert seller.post(f"/seller/machines/{names[0]}/burn/").status_code == 404


DISKS = {
    "en": (
        "A new system; what was on it is lost", "What the snapshot holds that it was bought with",
        "Nothing: the snapshot that it was bought with is not there any more", "has changed meanwhile",
        "Empty since the snapshot is not there any more: {}.",
    ),
    "zh-hans": (
        "全新的系统；原有内容已丢失", "购买时所用快照的内容", "空：购买时所用的快照已不存在", "期间已发生变化",
        "因快照已不存在而为空：{}。",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", DISKS)
def test_what_the_disks_of_a_lost_machine_will_hold_is_shown_before_it_is_delivered_again(
    tmp_path: Path, language: str
) -> None:
    """Given its snapshot is deleted after it was shown, then nothing is done before that is shown, too."""
    buyer, seller = customer(), operator()
    for visitor in (buyer, seller):
        visitor.cookies["django_language"] = language
    world = World(tmp_path / "engine" / f"{OTHER_ZONE}.sqlite")
    zones.check(OTHER_ZONE)
    zones.prepare_images(OTHER_ZONE)
    snapshot = of(buyer.account_id, new_disk(buyer.account_id)).public_id
    buyer.buy(f"?zone={OTHER_ZONE}&data_disk=CLOUD_SSD&data_gib=100&data_snapshot={snapshot}")
    work()
    machine = Instance.objects.get()
    disk = Disk.objects.get(instance_id=machine.id, usage="DATA_DISK").public_id
    world.lose_disk(disk)
    lose(world, machine.public_id)
    system, held, gone, changed, empty = DISKS[language]
    address, first = f"/seller/machines/{machine.public_id}/redeliver/", confirmed(seller, machine.public_id)
    page = html.unescape(text_of(seller.get(address)))
    assert system in page and f"{held} {snapshot}" in page and gone not in page
    delete.delete(by(buyer.account_id), [snapshot])
    work()
    page = html.unescape(text_of(seller.post(address, first)))
    assert f"{gone} {snapshot}" in page and changed in page
    assert Instance.objects.get().latest_operation_state == "SUCCESS"
    seller.post(address, confirmed(seller, machine.public_id))
    work()
    assert empty.format(disk) in html.unescape(text_of(buyer.get(f"/machines/{machine.public_id}/")))


def confirmed(seller: Visitor, name: str) -> dict[str, str]:
    """What the seller confirms when a lost machine is delivered again."""
    return Form(seller.get(f"/seller/machines/{name}/redeliver/").content.decode(), "").data


def lose(world: World, name: str) -> None:
    world.remove_machine(name)
    for _ in range(2):
        sweep.sweep(OTHER_ZONE)
        an_interval_ago()


def test_nothing_is_foretold_of_a_machine_that_is_not_lost() -> None:
    buyer, seller = customer(), operator()
    buyer.buy()
    work()
    name = Instance.objects.get().public_id
    assert customer().get(f"/seller/machines/{name}/redeliver/").status_code == 403
    assert f"The instance {name} is not lost" in text_of(seller.get(f"/seller/machines/{name}/redeliver/", follow=True))
    assert "does not exist" in text_of(seller.post("/seller/machines/a%00b/redeliver/", follow=True))


def test_much_drift_is_shown_a_page_at_a_time() -> None:
    EngineDrift.objects.bulk_create(
        EngineDrift(zone_id=ZONE, name=f"ins-{number:08}", kind="unknown", since_wall_at=clock.wall())
        for number in range(PAGE + 1)
    )
    seller = operator()
    first = seller.get("/seller/").content.decode()
    assert (first.count("ins-000"), "ins-00000000" in first) == (PAGE, False)
    found = re.search(r'href="(\?before=[^"]+)"', first)
    assert found
    assert re.findall(r"ins-\d{8}", seller.get(f"/seller/{found[1]}").content.decode()) == ["ins-00000000"]


@pytest.mark.parametrize(
    ("language", "says"), [("en", "The image could not be put together."), ("zh-hans", "镜像未能组装完成。")]
)
def test_why_an_image_failed_is_said_to_all_and_what_the_builder_met_to_the_seller(language: str, says: str) -> None:
    met = "E: Failed to fetch http://mirror.internal/debian"
    ZoneImage.objects.filter(zone_id=ZONE, image_id="img-db12k7x4").update(
        status="failed", why="The image could not be put together.", detail=met
    )
    buyer, seller = customer(), operator()
    for visitor in (buyer, seller):
        visitor.cookies["django_language"] = language
    page = text_of(seller.get("/seller/"))
    assert f"{says} {met}" in page
    shown = text_of(buyer.get(f"/buy/?zone={ZONE}", follow=True))
    assert says in shown and "mirror.internal" not in shown
