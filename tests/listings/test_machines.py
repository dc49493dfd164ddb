"""Given machines of two customers, when they are listed, then each sees its own, by any condition and page."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, IMAGE, LOGIN, MONTHLY, buy_running, open_purse, wanted
from vmart.instances.models import Instance
from vmart.kernel import clock, ids
from vmart.listings import machines
from vmart.listings.machines import Wanted
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.pricing.configuration import DiskChoice

pytestmark = pytest.mark.usefixtures("shop", "engine")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", f'{{"file": "{tmp_path}/engine.sqlite"}}')


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=10_000_000)


def _buy(account: int, name: str, count: int = 1, **changes: Any) -> tuple[str, ...]:
    configuration = replace(HOURLY, count=count, **changes)
    return purchase(wanted(account, configuration, machine=Machine(IMAGE, LOGIN, name=name))).instance_ids


def test_a_machine_as_it_is(account: int) -> None:
    disks = (DiskChoice("CLOUD_SSD", 100), DiskChoice("CLOUD_PREMIUM", 20))
    monthly = replace(
        MONTHLY, data_disks=disks, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=2, public_ip=True
    )
    row = buy_running(account, monthly)
    total, (view,) = machines.page(account, Wanted())
    assert total == 1
    assert (view.public_id, view.name, view.hostname, view.state) == (row.public_id, "web", row.public_id, "RUNNING")
    assert (view.zone, view.legacy_zone_id, view.instance_type) == ("ap-guangzhou-4", 100004, "S5.MEDIUM4")
    assert (view.vcpu, view.memory_mib, view.image_id, view.os_name) == (2, 4096, IMAGE, "Debian 12 64-bit")
    assert [(disk.usage, disk.disk_type, disk.size_gib) for disk in view.disks] == [
        ("SYSTEM_DISK", "CLOUD_PREMIUM", 50),
        ("DATA_DISK", "CLOUD_SSD", 100),
        ("DATA_DISK", "CLOUD_PREMIUM", 20),
    ]
    assert (view.private_ip, view.public_ip) == (row.private_ip, row.public_ip)
    assert view.public_ip is not None
    assert view.vpc_id.startswith("vpc-")
    assert view.subnet_id.startswith("subnet-")
    assert (view.charge_type, view.internet_charge_type, view.bandwidth_mbps) == ("PREPAID", "BANDWIDTH_PREPAID", 2)
    assert (view.created_at, view.expires_at) == (clock.now(), dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC))
    assert (view.latest_operation, view.latest_operation_state) == ("RunInstances", "SUCCESS")
    assert (view.key_ids, view.login_user) == ((), "root")


def test_pages_cover_all_and_tell_the_total(account: int) -> None:
    bought = [*_buy(account, "a", 5), *_buy(open_purse("other", cash_minor=100_000), "theirs", 2)][:5]
    newest_first = list(reversed(bought))
    for offset, limit, expected in [(0, 2, 2), (2, 2, 2), (4, 2, 1), (5, 2, 0), (0, 5, 5), (0, 100, 5), (99, 1, 0)]:
        total, views = machines.page(account, Wanted(), offset=offset, limit=limit)
        assert total == 5
        assert [view.public_id for view in views] == newest_first[offset : offset + limit]
        assert len(views) == expected
        assert machines.states(account, Wanted(), offset=offset, limit=limit) == (
            5,
            [(public_id, "PENDING") for public_id in newest_first[offset : offset + limit]],
        )


def test_newest_first_is_by_time(account: int, test_clock: BusinessClock) -> None:
    """Web processes take ids in blocks, so that a later machine may have the lower number."""
    (later,) = _buy(account, "later")
    (earlier,) = _buy(account, "earlier")
    Instance.objects.filter(public_id=later).update(created_at=test_clock.at + dt.timedelta(seconds=1))
    assert [view.name for view in machines.page(account, Wanted())[1]] == ["later", "earlier"]
    assert machines.states(account, Wanted())[1] == [(later, "PENDING"), (earlier, "PENDING")]


def test_another_customers_and_erased_machines_are_not_there(account: int) -> None:
    (theirs,) = _buy(open_purse("other", cash_minor=100_000), "theirs")
    (gone,) = _buy(account, "gone")
    Instance.objects.filter(public_id=gone).update(state="GONE", gone_at=clock.now())
    assert machines.page(account, Wanted(public_ids=[theirs, gone, "ins-unknown0"])) == (0, [])
    assert machines.states(account, Wanted()) == (0, [])


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"names": ["a"]}, "a"),
        ({"names": ["a", "b", "x"]}, "ab"),
        ({"names": ["A"]}, ""),
        ({"names": ["%"]}, ""),
        ({"zones": ["ap-guangzhou-6"]}, "c"),
        ({"zones": ["ap-guangzhou-4", "ap-guangzhou-6"]}, "abc"),
        ({"region": "ap-guangzhou"}, "abc"),
        ({"region": "ap-shanghai"}, ""),
        ({"charge_types": ["PREPAID"]}, "b"),
        ({"states": ["RUNNING"]}, "a"),
        ({"states": ["PENDING", "STOPPED"]}, "bc"),
        ({"word": "B"}, "b"),
        ({"word": "%"}, ""),
        ({"word": "'; DROP TABLE instances_instance; --"}, ""),
        ({"private_ips": ["not an address"]}, ""),
        ({"public_ips": ["203.0.113.1"]}, ""),
        ({"created_from": dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)}, "abc"),
        ({"created_from": dt.datetime(2026, 3, 10, 2, 0, 1, tzinfo=dt.UTC)}, "c"),
        ({"created_to": dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)}, "ab"),
        ({"zones": ["ap-guangzhou-4"], "charge_types": ["POSTPAID_BY_HOUR"]}, "a"),
        ({"vpc_ids": ["vpc-unknown0"]}, ""),
        ({"public_ids": []}, ""),
    ],
)
def test_conditions(account: int, test_clock: BusinessClock, condition: dict[str, Any], found: str) -> None:
    (running,) = _buy(account, "a")
    Instance.objects.filter(public_id=running).update(state="RUNNING")
    _buy(account, "b", charge_type="PREPAID", period_months=1)
    test_clock.advance(hours=1)
    _buy(account, "c", zone="ap-guangzhou-6")
    total, views = machines.page(account, Wanted(**condition))
    assert sorted(view.name for view in views) == list(found)
    assert total == len(found)


def test_conditions_by_what_a_machine_was_given(account: int) -> None:
    (mine,) = _buy(account, "a", internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=1, public_ip=True)
    _buy(account, "b")
    _buy(account, "c", zone="ap-guangzhou-6")
    (view,) = machines.page(account, Wanted(public_ids=[mine]))[1]
    for condition in (
        {"private_ips": [view.private_ip], "zones": [view.zone]},
        {"public_ips": [view.public_ip]},
        {"uuids": [str(ids.machine_uuid(mine))]},
        {"word": view.public_ip},
        {"word": view.private_ip, "zones": [view.zone]},
    ):
        assert machines.page(account, Wanted(**condition)) == (1, [view]), condition
    assert machines.page(account, Wanted(vpc_ids=[view.vpc_id]))[0] == 3
    assert machines.page(account, Wanted(subnet_ids=[view.subnet_id]))[0] == 2


@pytest.mark.parametrize("count", [1, 30])
def test_the_number_of_queries_does_not_grow(account: int, count: int) -> None:
    _buy(account, "a", count, data_disks=(DiskChoice("CLOUD_SSD", 100),))
    for offset, limit, taken in [(0, 100, 2), (0, 1, 2), (count - 1, 100, 2), (count, 100, 1)]:
        with CaptureQueriesContext(connection) as queries:
            machines.page(account, Wanted(), offset=offset, limit=limit)
        assert len(queries) == taken
