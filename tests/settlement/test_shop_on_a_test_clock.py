"""A shop on a test clock: bought by API, two days told to pass, charged for exactly them."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.api.signing import sdk_request
from tests.support.running_shop import RunningShop
from vmart.engines.simulated.world import World
from vmart.kernel.functions import resolve

BOUGHT = "2026-03-30T02:17:30Z"  # in Shanghai the month ends 37 h 42 min 30 s later
WANTED = {
    "InstanceChargeType": "POSTPAID_BY_HOUR",
    "Placement": {"Zone": "ap-guangzhou-4"},
    "InstanceType": "S1.SMALL1",  # 0.42 an hour, half of it from the 96th on
    "ImageId": "img-db12k7x4",
    "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},  # 0.025 an hour
    "LoginSettings": {"Password": "Correct-horse-7"},
}


def _call(shop: RunningShop, action: str, members: dict[str, Any]) -> dict[str, Any]:
    customer = shop.ready["customer"]
    endpoint = shop.ready["api_endpoint"]
    request = sdk_request(
        action,
        members,
        endpoint=endpoint,
        secret=(customer["secret_id"], customer["secret_key"]),
        region="ap-guangzhou",
    )
    with contextlib.closing(http.client.HTTPConnection(endpoint, timeout=30)) as wire:
        wire.request(request.method, request.path, request.body, request.headers)
        response: dict[str, Any] = json.loads(wire.getresponse().read())["Response"]
    assert "Error" not in response, response
    return response


def _rows(shop: RunningShop, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(shop.database_url) as connection:
        return connection.execute(resolve(query)).fetchall()


def _wait(shop: RunningShop, machine: str, ready: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The machine as the API shows it, once it is ``ready``."""
    deadline = time.monotonic() + 60
    while True:
        (found,) = _call(shop, "DescribeInstances", {"InstanceIds": [machine]})["InstanceSet"]
        if ready(found):
            return dict(found)
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _charged(shop: RunningShop) -> dict[str, tuple[int, int, Decimal]]:
    """Component -> (hours, seconds, exact)."""
    found = _rows(
        shop, "SELECT component, count(*), sum(duration_s), sum(exact_e8) FROM bills_charge GROUP BY component"
    )
    return {component: (hours, seconds, exact.scaleb(-8)) for component, hours, seconds, exact in found}


def _cost(cpu_s: int, half_price_s: int, disk_s: int) -> tuple[Decimal, Decimal]:
    """CPU at 0.42 and 0.21 an hour, disk at 0.025: an hour is whole here or begun at 02:17:30, exact to 8 decimals."""
    cpu = (cpu_s * Decimal("0.42") + half_price_s * Decimal("0.21")) / 3600
    return cpu, round(disk_s * Decimal("0.025") / 3600, 8)


def test_time_that_is_told_to_pass_is_charged_exactly(start_shop: Callable[..., RunningShop]) -> None:
    """Given a machine bought at 02:17:30, when 48 h and then 60 h pass, then every closed hour is charged."""
    shop = start_shop("--test-clock", BOUGHT)
    machine = _call(shop, "RunInstances", WANTED)["InstanceIdSet"][0]
    _wait(shop, machine, lambda found: found["InstanceState"] == "RUNNING")
    before = _rows(shop, "SELECT fn.ledger_balance(p) FROM ledger_purses p")[0][0]

    shop.vmart("clock", "advance", "48h")
    # March: 135,750 s at 0.42 are 15.8375, and 0.94270833 of disk; April: 10 h, 4.20 and 0.25
    cpu, disk = _cost(171_750, 0, 171_750)
    assert _charged(shop) == {"cpu": (48, 171_750, cpu), "disk": (48, 171_750, disk)}
    assert before - _rows(shop, "SELECT fn.ledger_balance(p) FROM ledger_purses p")[0][0] == 1678 + 445

    shop.vmart("clock", "advance", "60h")
    # April: 209,850 s at 0.42 and, from the 96th hour on, 42,150 s at 0.21 are 26.94125; 70 h of disk
    cpu, disk = _cost(345_600, 42_150, 387_750)
    assert _charged(shop) == {"cpu": (108, 387_750, cpu), "disk": (108, 387_750, disk)}
    after = _rows(shop, "SELECT fn.ledger_balance(p) FROM ledger_purses p")[0][0]
    assert before - after == 1678 + 2869  # each month rounded once: 16.78020833 and 28.69125
    assert _rows(shop, "SELECT count(*) FROM settlement_hour WHERE closed_at IS NULL") == [(0,)]
    assert "2026-04-03" in shop.vmart("clock", "show").stdout
    shop.vmart("reconcile")


def _prepaid(months: int, **internet: Any) -> dict[str, Any]:
    return WANTED | {
        "InstanceChargeType": "PREPAID", "InstanceType": "S5.SMALL1", "InternetAccessible": internet,
        "InstanceChargePrepaid": {"Period": months, "RenewFlag": "NOTIFY_AND_MANUAL_RENEW"},
    }  # fmt: skip


def test_a_prepaid_machine_is_without_its_network_from_two_hours_in_arrears_to_the_next_credit(
    start_shop: Callable[..., RunningShop],
) -> None:
    """Given 100 GiB that 40.00 cannot pay for, then it runs on without; a refund of another machine brings it back."""
    shop = start_shop("--test-clock", BOUGHT)
    by_traffic = {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5}
    machine = _call(shop, "RunInstances", _prepaid(1, **by_traffic))["InstanceIdSet"][0]
    other = _call(shop, "RunInstances", _prepaid(12))["InstanceIdSet"][0]
    _wait(shop, other, lambda found: found["InstanceState"] == "RUNNING")
    running = _wait(shop, machine, lambda found: found["InstanceState"] == "RUNNING")
    world = World(shop.data_dir / "engine" / "ap-guangzhou-4.sqlite")
    world.send_bytes(machine, 100 << 30)
    _rows(
        shop,
        "SELECT transfer_id FROM ledger_purses p, fn.ledger_deduct('test', '', ARRAY[account_id],"
        " ARRAY[fn.ledger_balance(p) - 4000], 'revenue', '2026-03-30T02:17:30Z')",
    )

    shop.vmart("clock", "advance", "2h42m")  # 04:59:30: the close of 03:00 took 80.00, two hours are not over
    world.send_bytes(machine, 1 << 30)
    shop.vmart("clock", "advance", "30s")
    off = _wait(shop, machine, lambda found: found["RestrictState"] != "NORMAL")
    assert (off["InstanceState"], off["RestrictState"], off["IsolatedSource"]) == ("RUNNING", "EXPIRED", "ARREAR")
    assert off["PublicIpAddresses"] == running["PublicIpAddresses"]
    with pytest.raises(ValueError, match="without a public address"):
        world.send_bytes(machine, 1)
    shop.vmart("clock", "advance", "30h")
    assert _rows(shop, "SELECT sum(out_bytes), sum(exact_e8) FROM bills_charge") == [(101 << 30, 8_080_000_000)]
    assert _rows(shop, "SELECT fn.ledger_balance(p) FROM ledger_purses p") == [(-4080,)]
    shop.vmart("reconcile")

    _call(shop, "TerminateInstances", {"InstanceIds": [other]})
    shop.vmart("clock", "advance", "1s")  # with it everything that is due
    on = _wait(shop, machine, lambda found: found["RestrictState"] == "NORMAL")
    assert (on["IsolatedSource"], on["PublicIpAddresses"]) == ("NOTISOLATED", running["PublicIpAddresses"])
    world.send_bytes(machine, 1 << 30)
    shop.vmart("clock", "advance", "2h")
    assert _rows(shop, "SELECT sum(out_bytes) FROM bills_charge") == [(102 << 30,)]
    events = _rows(shop, "SELECT e.kind FROM events_event e JOIN instances_instance i ON i.id = e.subject_id"
                   f" WHERE e.subject_kind = 'machine' AND public_id = '{machine}' ORDER BY e.id")  # fmt: skip
    assert events == [("delivered",), ("network_off",), ("network_on",)]
    shop.vmart("reconcile")
