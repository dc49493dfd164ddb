"""A shop on a test clock: bought by API, two days told to pass, charged for exactly them."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg

from tests.api.signing import sdk_request
from tests.support.running_shop import RunningShop

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


def _state(shop: RunningShop, machine: str) -> str:
    found = _call(shop, "DescribeInstances", {"InstanceIds": [machine]})
    return str(found["InstanceSet"][0]["InstanceState"])


def _rows(shop: RunningShop, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(shop.database_url) as connection:
        return connection.execute(query).fetchall()


def _charged(shop: RunningShop) -> dict[str, tuple[int, int, Decimal]]:
    """Component -> (hours, seconds, minor units)."""
    found = _rows(
        shop, "SELECT component, count(*), sum(duration_s), sum(deducted_minor) FROM bills_charge GROUP BY component"
    )
    return {component: (hours, seconds, minor) for component, hours, seconds, minor in found}


def test_time_that_is_told_to_pass_is_charged_exactly(start_shop: Callable[..., RunningShop]) -> None:
    """Given a machine bought at 02:17:30, when 48 h and then 60 h pass, then every closed hour is charged."""
    shop = start_shop("--test-clock", BOUGHT)
    machine = _call(shop, "RunInstances", WANTED)["InstanceIdSet"][0]
    deadline = time.monotonic() + 60
    while _state(shop, machine) != "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    before = _rows(shop, "SELECT fn.ledger_balance(p) FROM ledger_purses p")[0][0]

    shop.vmart("clock", "advance", "48h")
    # March: 135,750 s at 0.42 are 15.8375, and 0.94270833 of disk; April: 10 h, 4.20 and 0.25
    assert _charged(shop) == {"cpu": (48, 171_750, 1584 + 420), "system_disk": (48, 171_750, 94 + 25)}

    shop.vmart("clock", "advance", "60h")
    # April: 209,850 s at 0.42 and, from the 96th hour on, 42,150 s at 0.21 are 26.94125; 70 h of disk
    assert _charged(shop) == {"cpu": (108, 387_750, 1584 + 2694), "system_disk": (108, 387_750, 94 + 175)}
    after = _rows(shop, "SELECT fn.ledger_balance(p) FROM ledger_purses p")[0][0]
    assert before - after == 1584 + 2694 + 94 + 175
    assert _rows(shop, "SELECT count(*) FROM settlement_hour WHERE closed_at IS NULL") == [(0,)]
    assert "2026-04-03" in shop.vmart("clock", "show").stdout
    shop.vmart("reconcile")
