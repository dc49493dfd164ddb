"""Given no room for a machine, then the seller reads how many hosts each filter left, and its buyer does not."""

import logging
from dataclasses import replace

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.actors import by
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, wanted, work
from tests.support.written import nothing_written, refused
from vmart.kernel import db
from vmart.orders import start, stop
from vmart.orders.errors import SoldOut
from vmart.orders.purchase import purchase
from vmart.orders.without_charge import STOP_CHARGING
from vmart.placement import explain
from vmart.placement.models import Allocation, Host

pytestmark = pytest.mark.usefixtures("in_business")
FITS = {"vcpu_capacity": 2, "memory_capacity_mib": 4096, "disk_capacity_gib": 50}
FAILS_ONE = {
    "online": {"online": False},
    "accepting": {"enabled": False},
    "vCPU": {"vcpu_capacity": 1},
    "memory": {"memory_capacity_mib": 4095},
    "disk": {"disk_capacity_gib": 49},
}


def _hosts(*several: dict[str, int | bool]) -> None:
    Host.objects.filter(zone_id=ZONE).delete()
    Host.objects.bulk_create(Host(zone_id=ZONE, name=f"h{n}", **(FITS | own)) for n, own in enumerate(several))


def test_each_filter_takes_the_hosts_that_fail_it_and_no_other() -> None:
    _hosts(*FAILS_ONE.values(), {})
    assert explain.in_zone(ZONE, 2, 4096, 50) == {
        "hosts": 6, "online": 5, "accepting": 4, "vCPU": 3, "memory": 2, "disk": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", FAILS_ONE)
def test_a_host_that_fails_one_filter_falls_at_that_one(name: str) -> None:
    _hosts(FAILS_ONE[name])
    left = explain.in_zone(ZONE, 2, 4096, 50)
    at = explain.FILTERS.index(name)
    assert list(left.values()) == [1] * at + [0] * (len(explain.FILTERS) - at)


def test_a_host_that_fails_all_falls_at_the_first_and_is_counted_once() -> None:
    _hosts({name: value for own in FAILS_ONE.values() for name, value in own.items()}, {})
    assert list(explain.in_zone(ZONE, 2, 4096, 50).values()) == [2, 1, 1, 1, 1, 1]


def test_a_claim_reads_the_rule_as_if_it_were_written_out() -> None:
    """A call for each host would cost a claim more than all the rest of it."""
    rows = db.rows(
        "EXPLAIN (VERBOSE) SELECT h.id FROM placement_host h"
        " WHERE h.zone_id = %s AND fn.placement_passed(h, %s, %s, %s) = 5", ZONE, 2, 4096, 50,
    )  # fmt: skip
    plan = " ".join(row["QUERY PLAN"] for row in rows)
    assert "memory_capacity_mib" in plan and "placement_passed" not in plan


def test_a_zone_without_hosts_and_one_that_is_not_there() -> None:
    _hosts()
    assert list(explain.in_zone(ZONE, 2, 4096, 50).values()) == [0] * 6
    assert list(explain.in_zone("ap-nowhere-1", 2, 4096, 50).values()) == [0] * 6


_small = st.integers(0, 3)
_host = st.fixed_dictionaries(
    {"online": st.sampled_from([True, True, False]), "enabled": st.sampled_from([True, True, False]),
     "vcpu_capacity": _small, "memory_capacity_mib": _small, "disk_capacity_gib": _small,
     "vcpu_used": _small, "memory_used_mib": _small, "disk_used_gib": _small}
)  # fmt: skip


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hosts=st.lists(_host, max_size=3), vcpu=st.integers(1, 3), memory=st.integers(1, 3), disk=_small)
def test_a_claim_finds_a_host_exactly_where_one_is_left(
    hosts: list[dict[str, int | bool]], vcpu: int, memory: int, disk: int
) -> None:
    """Also on hosts that carry more than they have; against the rule in plain Python."""
    with transaction.atomic():
        _hosts(*hosts)
        left = explain.in_zone(ZONE, vcpu, memory, disk)
        claimed = db.call("placement_claim", ZONE, 1, [7], vcpu, memory, disk)
        transaction.set_rollback(True)
    fit = [
        one for one in hosts
        if one["online"] and one["enabled"] and one["vcpu_used"] + vcpu <= one["vcpu_capacity"]
        and one["memory_used_mib"] + memory <= one["memory_capacity_mib"]
        and one["disk_used_gib"] + disk <= one["disk_capacity_gib"]
    ]  # fmt: skip
    counts = list(left.values())
    assert (claimed, counts[-1], counts[0]) == (min(len(fit), 1), len(fit), len(hosts))
    assert counts == sorted(counts, reverse=True)


def test_a_refused_purchase_is_explained_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Three are asked for, one finds room; what is left then is told."""
    _hosts({}, {"enabled": False}, {"memory_capacity_mib": 1024})
    account = open_purse(cash_minor=1000)
    said = f"The instance type S5.MEDIUM4 is sold out in {ZONE}: there is room for 1."
    with caplog.at_level(logging.INFO, "vmart.orders.refusals"), refused(SoldOut, match=said):
        purchase(wanted(account, replace(HOURLY, count=3)))
    assert [record.getMessage() for record in caplog.records if record.name == "vmart.orders.refusals"] == [
        f"no room for 3 of S5.MEDIUM4 in {ZONE}: 1 were placed; hosts left for one more: hosts 3, online 3,"
        " accepting 2, vCPU 1, memory 0, disk 0"
    ]


def test_a_refused_start_is_explained_of_the_one_host_that_has_the_disks(caplog: pytest.LogCaptureFixture) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    stop.stop(by(account), [machine.public_id], stopped_mode=STOP_CHARGING)
    work()
    host = Allocation.objects.get(instance_id=machine.id).host
    assert list(explain.on_its_host(machine.id, 2, 4096).values()) == [1, 1, 1, 1, 1]
    Host.objects.filter(id=host.id).update(memory_used_mib=host.memory_capacity_mib - 4095, disk_capacity_gib=1)
    said = f"There is no room for {machine.public_id} on its host now."
    with caplog.at_level(logging.INFO, "vmart.orders.start"), refused(SoldOut, match=said):
        start.start(by(account), [machine.public_id])
    assert [record.getMessage() for record in caplog.records if record.name == "vmart.orders.start"] == [
        f"no room to start {machine.public_id}: hosts 1, online 1, accepting 1, vCPU 1, memory 0"
    ]
    Host.objects.filter(id=host.id).update(memory_used_mib=host.memory_capacity_mib - 4096)
    with nothing_written():
        assert list(explain.on_its_host(machine.id, 2, 4096).values()) == [1, 1, 1, 1, 1]
    start.start(by(account), [machine.public_id])  # its disks lie there: they are no filter
    assert explain.on_its_host(machine.id + 1, 2, 4096) == dict.fromkeys(explain.FILTERS[:-1], 0)
