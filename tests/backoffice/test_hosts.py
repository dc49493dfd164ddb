"""Given a host that the seller drains, then nothing more is placed on it, and what is there stays."""

import threading
from typing import Any

import pytest

from tests.support.actors import SELLER, by
from tests.support.at_once import wait_until_blocked
from tests.support.database import DEMO_CATALOG
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, wanted, work
from tests.support.written import nothing_written, refused
from tests.web.visiting import Visitor, customer, operator, text_of
from vmart.backoffice.apply_catalog import apply_file
from vmart.catalog import shop as catalog_shop
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import NotFound
from vmart.listings import hosts, sales, stock
from vmart.listings.paging import PAGE
from vmart.orders import errors, start, stop
from vmart.orders.purchase import purchase
from vmart.placement import draining
from vmart.placement.models import Allocation, Host
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("shop")
MEDIUM = (ZONE, "S5.MEDIUM4")


def _room() -> int:
    return stock.room(catalog_shop.current(), 50).get(MEDIUM, 0)


def _drain_all() -> None:
    for name in Host.objects.filter(zone_id=ZONE).values_list("name", flat=True):
        assert draining.drain(ZONE, name, SELLER)


def _names(zone: str = ZONE) -> list[str]:
    return [row.name for row in hosts.page(zone).rows]


def test_stock_falls_at_once_and_comes_back_with_the_undo() -> None:
    account = open_purse(cash_minor=10_000)
    before, (first, *rest) = _room(), _names()
    assert draining.drain(ZONE, first, SELLER)
    of_first = before - _room()
    assert of_first > 0
    host = Host.objects.get(zone_id=ZONE, name=first)
    assert (host.enabled, host.drained_by, host.drained_at is not None) == (False, "command line (me)", True)
    for _ in range(3):
        purchase(wanted(account, HOURLY))
    assert not Allocation.objects.filter(host=host).exists()
    for name in rest:
        draining.drain(ZONE, name, SELLER)
    assert _room() == 0
    with refused(errors.SoldOut):
        purchase(wanted(account, HOURLY))
    assert draining.undrain(ZONE, first, SELLER)
    assert _room() == of_first
    purchase(wanted(account, HOURLY))
    assert Allocation.objects.filter(host=host).count() == 1
    host.refresh_from_db()
    assert (host.enabled, host.drained_by, host.drained_at) == (True, "", None)


def test_twice_is_once_and_nobodys_host_is_refused() -> None:
    (first, *_rest) = _names()
    assert draining.drain(ZONE, first, SELLER)
    with nothing_written():
        assert not draining.drain(ZONE, first, SELLER)
    for zone, name in ((ZONE, "nobody"), ("nowhere", first), (ZONE, "\0"), (ZONE, "'; --")):
        with refused(NotFound):
            draining.drain(zone, name, SELLER)
        with refused(NotFound):
            draining.undrain(zone, name, SELLER)


def test_what_runs_stays_and_what_gave_up_its_room_waits() -> None:
    account = open_purse(cash_minor=10_000)
    runs, off = buy_running(account), buy_running(account)
    stop.stop(by(account), [off.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    _drain_all()
    work()
    assert Instance.objects.get(id=runs.id).state == "RUNNING"
    assert list(reconcile()) == []
    with refused(errors.NoRoomOnHost):
        start.start(by(account), [off.public_id])
    stop.stop(by(account), [runs.public_id])  # an ordinary stop keeps the room
    work()
    start.start(by(account), [runs.public_id])
    work()
    assert Instance.objects.get(id=runs.id).state == "RUNNING"
    draining.undrain(ZONE, Allocation.objects.get(instance_id=off.id).host.name, SELLER)
    start.start(by(account), [off.public_id])
    work()
    assert Instance.objects.get(id=off.id).state == "RUNNING"
    assert list(reconcile()) == []


def test_neither_a_catalog_nor_a_look_at_the_engine_ends_it() -> None:
    (first, *_rest) = _names()
    draining.drain(ZONE, first, SELLER)
    apply_file(DEMO_CATALOG)
    assert zones.check(ZONE)
    assert not Host.objects.get(zone_id=ZONE, name=first).enabled


def test_a_purchase_that_has_the_host_in_hand_ends_before_it() -> None:
    """And one that comes while it is being drained is placed elsewhere, or waits and finds it drained."""
    account = open_purse(cash_minor=10_000)
    names = _names()
    for name in names[1:]:
        draining.drain(ZONE, name, SELLER)
    outcome: list[Any] = []

    def buy() -> None:
        try:
            outcome.append(purchase(wanted(account, HOURLY)))
        except errors.SoldOut as sold_out:
            outcome.append(sold_out)
        finally:
            db.connection.close()

    thread = threading.Thread(target=buy)
    with db.act():
        Host.objects.select_for_update(no_key=True).get(zone_id=ZONE, name=names[0])
        thread.start()
        wait_until_blocked()  # all others are drained: it waits for this one
        Host.objects.filter(zone_id=ZONE, name=names[0]).update(enabled=False)
    thread.join(30)
    assert [isinstance(one, errors.SoldOut) for one in outcome] == [True]
    assert not Allocation.objects.exists()


# -- the page ------------------------------------------------------------------------------------------


def _send(seller: Visitor, host: str, act: str = "drain", zone: str = ZONE) -> str:
    return text_of(seller.post(f"/seller/zones/{zone}/hosts/", {"host": host, "act": act}, follow=True))


def test_a_host_is_drained_and_undone_on_its_zones_page() -> None:
    (first, *_rest) = _names()
    machine = buy_running(open_purse(cash_minor=10_000))
    on = Allocation.objects.get(instance_id=machine.id).host.name
    seller, stranger = operator(), customer()
    page = text_of(seller.get(f"/seller/zones/{ZONE}/"))
    row = next(one for one in hosts.page(ZONE).rows if one.name == on)
    assert (row.machines, row.vcpu_used, row.memory_used_mib, row.disk_used_gib) == (1, 2, 4096, 50)
    assert f"threads sold {row.vcpu_ratio} times" in page
    assert f"Nothing more is placed on {first}" in _send(seller, first)
    assert "It is so already." in _send(seller, first)
    page = text_of(seller.get(f"/seller/zones/{ZONE}/"))
    assert "Drained 2" in page  # since when
    assert seller.user.email in page
    assert "1 host drained" in text_of(seller.get("/seller/"))
    (zone,) = [one for one in sales.zones() if one.code == ZONE]
    assert (zone.hosts_drained, zone.hosts_off) == (1, 0)
    assert f"{first} takes machines again." in _send(seller, first, "undo")
    assert "There is no host" in _send(seller, "<script>")
    with nothing_written():
        assert seller.post("/seller/zones/nowhere/hosts/", {"host": first}).status_code == 404
        assert stranger.post(f"/seller/zones/{ZONE}/hosts/", {"host": first}).status_code == 403
        assert seller.get(f"/seller/zones/{ZONE}/hosts/").status_code == 405


def test_hosts_are_paged_by_name() -> None:
    Host.objects.bulk_create(
        Host(zone_id=ZONE, name=f"more-{number:03}", vcpu_capacity=1, memory_capacity_mib=1, disk_capacity_gib=1)
        for number in range(PAGE)
    )
    seen, after = [], ""
    while True:
        page = hosts.page(ZONE, after)
        seen += [row.name for row in page.rows]
        if not (after := page.older):
            break
    assert seen == sorted(Host.objects.filter(zone_id=ZONE).values_list("name", flat=True))
    assert "more-049" in text_of(operator().get(f"/seller/zones/{ZONE}/?after={ZONE}~more-000"))
    assert hosts.page(ZONE, "\0nonsense").rows[0].name == seen[0]
