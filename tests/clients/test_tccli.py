"""Given a running shop, when the unmodified tccli is pointed at it, then a person's scripts buy and run machines."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Access
from tests.clients.test_sdk_python import POSTPAID, PREPAID

# (exit status, members of the answer or the error's text)
Run = Callable[..., tuple[int, Any]]
WAIT = {"expr": "InstanceSet[0].InstanceState", "timeout": 60, "interval": 1}


@pytest.fixture
def tccli(access: Access, tmp_path: Path) -> Run:
    """``tccli("RunInstances", {...}, "--waiter", …)``; a home folder of its own."""
    program = Path(sys.executable).parent / "tccli"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TENCENTCLOUD_SECRET_ID": access.secret_id,
        "TENCENTCLOUD_SECRET_KEY": access.secret_key,
        "TENCENTCLOUD_REGION": "ap-guangzhou",
    }

    def run(
        action: str, members: dict[str, Any] | None = None, *words: str, service: str = "cvm", **changes: str
    ) -> tuple[int, Any]:
        file = tmp_path / "members.json"
        file.write_text(json.dumps(members or {}))
        command = [program, service, action, "--endpoint", f"http://{access.endpoint}", "--language", "en-US", *words]
        if members:
            command += ["--cli-input-json", f"file://{file}"]
        done = subprocess.run(
            command, env={**environment, **changes}, capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            return done.returncode, done.stdout + done.stderr
        return 0, json.loads(done.stdout) if done.stdout.strip() else {}

    return run


def _wait(tccli: Run, public_id: str, state: str) -> dict[str, Any]:
    """tccli's own waiter."""
    waiter = repr({**WAIT, "to": state})
    status, answer = tccli("DescribeInstances", None, "--InstanceIds", json.dumps([public_id]), "--waiter", waiter)
    assert status == 0, answer
    machine: dict[str, Any] = answer["InstanceSet"][0]
    return machine


@pytest.mark.parametrize("order", [POSTPAID, PREPAID], ids=["postpaid", "prepaid"])
def test_a_machine_from_price_to_release(tccli: Run, order: dict[str, Any]) -> None:
    status, price = tccli("InquiryPriceRunInstances", order)
    assert status == 0, price
    assert price["Price"]["InstancePrice"]
    asked = {**order, "ClientToken": str(uuid.uuid4()), "InstanceName": "cli"}
    status, bought = tccli("RunInstances", asked)
    assert status == 0, bought
    (public_id,) = bought["InstanceIdSet"]
    assert tccli("RunInstances", asked)[1]["InstanceIdSet"] == [public_id]
    assert _wait(tccli, public_id, "RUNNING")["InstanceChargeType"] == order["InstanceChargeType"]
    ids = ("--InstanceIds", json.dumps([public_id]))
    for action, state in [("StopInstances", "STOPPED"), ("StartInstances", "RUNNING"), ("RebootInstances", "RUNNING")]:
        status, answer = tccli(action, None, *ids)
        assert status == 0, answer
        _wait(tccli, public_id, state)
    assert tccli("TerminateInstances", None, *ids)[0] == 0
    assert _wait(tccli, public_id, "SHUTDOWN")["RestrictState"] == "NORMAL"
    while _wait(tccli, public_id, "SHUTDOWN")["LatestOperationState"] == "OPERATING":
        time.sleep(0.1)
    assert tccli("TerminateInstances", None, *ids)[0] == 0


def test_looking_around(tccli: Run) -> None:
    assert tccli("DescribeRegions")[1]["TotalCount"] == 2
    status, balance = tccli("DescribeAccountBalance", service="billing")
    assert status == 0, balance
    assert balance["Balance"] > 0
    status, zones = tccli("DescribeZones", {"Product": "cvm"}, service="region")
    assert status == 0, zones
    assert zones["TotalCount"] == 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Placement": {"Zone": "ap-nowhere-1"}}, "InvalidParameterValue.ZoneNotSupported"),
        ({"InstanceType": "C3.2XLARGE16"}, "ResourcesSoldOut.SpecifiedInstanceType"),
        ({"LoginSettings": {"Password": "weak"}}, "InvalidParameterValue.InvalidPassword"),
    ],
)
def test_refusals(tccli: Run, change: dict[str, Any], code: str) -> None:
    status, told = tccli("RunInstances", {**POSTPAID, **change})
    assert status != 0
    assert code in told


def test_a_wrong_key(tccli: Run) -> None:
    status, told = tccli("DescribeRegions", TENCENTCLOUD_SECRET_KEY="x" * 32)
    assert status != 0
    assert "AuthFailure.SignatureFailure" in told
