"""Given rows that do not agree with each other, then reconcile says which: a check that is blind proves nothing."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, buy_running, open_purse
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.metering.models import Horizon
from vmart.placement.models import Allocation
from vmart.settlement import close


@pytest.fixture(autouse=True)
def in_business(shop: object, test_clock: BusinessClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop whose first hour is open, with engines of the test's own."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.delenv("VMART_SIMULATED_SETTINGS", raising=False)
    close.begin(test_clock.at)


def _said(what: str) -> list[str]:
    return [line for line in reconcile() if line.startswith(what)]


def _closed_hours(test_clock: BusinessClock, count: int) -> None:
    for _ in range(count):
        hour = test_clock.at
        test_clock.advance(hours=1)
        close.close(hour)


def test_a_months_deductions_that_are_not_its_exact_total(test_clock: BusinessClock) -> None:
    """Given 0.025 an hour that was twice rounded by itself, as where an hour was closed before its predecessor."""
    what = "what a month deducted for a component is not its exact total, half-up"
    test_clock.set(dt.datetime(2026, 3, 31, 14, tzinfo=dt.UTC))  # the second hour is the last of March in Shanghai
    Horizon.objects.update(closed_until=test_clock.at)
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    _closed_hours(test_clock, 3)
    disk = Charge.objects.filter(component="system_disk").order_by("hour")
    assert [(row.deducted_minor, row.month_exact) for row in disk] == [
        (3, Decimal("0.025")), (2, Decimal("0.05")), (3, Decimal("0.025")),
    ]  # fmt: skip
    assert _said(what) == []
    second = disk[1].hour
    wrong = {"deducted_minor": 3, "month_exact": Decimal("0.025")}
    for column, value in wrong.items():
        Charge.objects.filter(component="system_disk", hour=second).update(**{column: value})
        (said,) = _said(what)
        assert f"instance_id {machine.id}, component system_disk, since 2026-03-31 14:00:00+00:00" in said
        Charge.objects.filter(component="system_disk", hour=second).update(deducted_minor=2, month_exact="0.05")
    assert _said(what) == []


def test_a_machine_stopped_without_charge_that_keeps_what_it_gave_up(test_clock: BusinessClock) -> None:
    what = "a machine stopped without charge holds vCPU, memory or a public address"
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, replace(HOURLY, public_ip=True, bandwidth_mbps=1))
    Instance.objects.update(state="STOPPED", stop_charging_mode="KEEP_CHARGING")
    assert _said(what) == []
    Instance.objects.update(stop_charging_mode="STOP_CHARGING")
    assert _said(what) == [
        f"{what}: public_id {machine.public_id}, vcpu 2, memory_mib 4096, public_ip {machine.public_ip},"
        f" ip {machine.public_ip}"
    ]
    Instance.objects.update(public_ip=None)
    Allocation.objects.update(vcpu=0, memory_mib=0)
    assert _said(what) == [
        f"{what}: public_id {machine.public_id}, vcpu 0, memory_mib 0, public_ip None, ip {machine.public_ip}"
    ]
    db.call("network_free_public", [machine.id], test_clock.at)
    assert _said(what) == []
