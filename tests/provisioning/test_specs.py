"""Given machines that were bought, then the engine is told exactly what was sold."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.shopper import HOURLY, IMAGE, open_purse, wanted
from vmart.catalog.models import ZoneImage
from vmart.engines.contract import Disk, ImageSpec, ImageStatus, PublicAddress
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import clock, db
from vmart.network.models import Subnet
from vmart.orders.login import Login
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.placement.models import Allocation
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import specs
from vmart.storage.models import Disk as DiskRow

pytestmark = pytest.mark.usefixtures("shop")

FULL = replace(
    HOURLY,
    data_disks=(DiskChoice("CLOUD_SSD", 20), DiskChoice("CLOUD_BSSD", 40)),
    internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR",
    bandwidth_mbps=7,
    public_ip=True,
)


def _buy(count: int = 1) -> list[Instance]:
    machine = Machine(IMAGE, Login("$6$s$h", ("skey-1",), ("ssh-ed25519 AAAA me",)), "web", "node", b"\x00#!/bin/sh")
    account = open_purse(cash_minor=100_000)
    KeyPair.objects.create(
        public_id="skey-1", account_id=account, name="me", public_key="ssh-ed25519 AAAA me", created_at=clock.now()
    )
    purchase(wanted(account, replace(FULL, count=count), machine=machine))
    return list(Instance.objects.order_by("id"))


def test_a_machine_is_specified_as_it_was_bought() -> None:
    (machine,) = _buy()
    spec = specs.load([machine.id])[machine.id].spec
    subnet = Subnet.objects.get()
    assert (spec.name, spec.image, spec.vcpu, spec.memory_mib) == (
        machine.public_id, ImageSpec("debian-12", "1"), 2, 4096,
    )  # fmt: skip
    assert spec.member == Allocation.objects.select_related("host").get().host.name
    keys = list(DiskRow.objects.order_by("position").values_list("public_id", flat=True))
    assert spec.system_disk == Disk(keys[0], "CLOUD_PREMIUM", 50)
    assert spec.data_disks == (Disk(keys[1], "CLOUD_SSD", 20), Disk(keys[2], "CLOUD_BSSD", 40))
    assert (spec.subnet.key, spec.subnet.cidr) == (subnet.public_id, f"{subnet.cidr}/20")
    assert spec.subnet.gateway == str(subnet.cidr).rsplit(".", 1)[0] + ".1"
    assert (spec.private_ip, spec.mac, spec.hostname) == (machine.private_ip, machine.mac, "node")
    assert (spec.login_user, spec.password_hash, spec.ssh_keys) == ("root", "$6$s$h", ("ssh-ed25519 AAAA me",))
    assert (spec.user_data, spec.public_address) == (b"\x00#!/bin/sh", PublicAddress(machine.public_ip or "", 7))


def test_a_batch_is_read_in_one_query_and_one_for_its_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = _buy(5)
    asked: list[str] = []
    read = db.prepared
    monkeypatch.setattr(db, "prepared", lambda sql, *arguments: (asked.append(sql), read(sql, *arguments))[1])
    with CaptureQueriesContext(connection) as others:
        loaded = specs.load([machine.id for machine in machines])
    assert (len(asked), len(others.captured_queries)) == (1, 1)
    assert set(loaded) == {machine.id for machine in machines}
    assert len({ordered.spec.private_ip for ordered in loaded.values()}) == 5


def test_an_image_that_its_zone_knows_nothing_of_is_waited_for() -> None:
    (machine,) = _buy()
    ZoneImage.objects.all().delete()
    assert specs.load([machine.id])[machine.id].image_status == ImageStatus.MISSING


def test_a_machine_that_holds_no_room_is_left_out() -> None:
    one, other = _buy(2)
    Allocation.objects.filter(instance_id=one.id).delete()
    assert set(specs.load([one.id, other.id])) == {other.id}
