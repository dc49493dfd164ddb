"""Given a running shop, when Cloud Custodian is led there unmodified, then its policies find, tag and stop machines.

It knows the published hosts only (``published_hosts.py``). ``bin/setup --dev`` installs it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Access, wait_for
from tests.clients.published_hosts import PublishedHosts, trusted_by
from tests.clients.test_other_sdks import BUILT
from tests.clients.test_sdk_python import POSTPAID, Cvm
from tests.clients.test_terraform_calls import Provider
from vmart.config import os_users

CUSTODIAN = BUILT / "custodian"
TEAM = [{"Key": "custodian", "Value": "a"}]
pytestmark = pytest.mark.skipif(not os_users.is_root(), reason="authorities of one's own need root")


class Custodian:
    """``custodian(policy)``: runs one policy, and tells what it chose."""

    def __init__(self, hosts: PublishedHosts, access: Access, folder: Path) -> None:
        self._hosts, self._folder = hosts, folder
        self._key = {"TENCENTCLOUD_SECRET_ID": access.secret_id, "TENCENTCLOUD_SECRET_KEY": access.secret_key}

    def __call__(self, resource: str, filters: list[Any], *actions: Any) -> list[dict[str, Any]]:
        policy = {"name": "one", "resource": f"tencentcloud.{resource}", "filters": filters, "actions": list(actions)}
        file, out = self._folder / "policies.json", self._folder / "out"
        file.write_text(json.dumps({"policies": [policy]}))
        words = ["run", "--cache-period", "0", "--region", "ap-guangzhou", "-s", str(out), str(file)]
        done = self._hosts.run([str(CUSTODIAN / "run"), *words], trusted_by(CUSTODIAN), **self._key)
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads((out / "one" / "resources.json").read_text())
        return found


@pytest.fixture
def custodian(access: Access, tmp_path: Path) -> Iterator[Custodian]:
    if not (CUSTODIAN / "run").exists():
        pytest.skip((CUSTODIAN / "why").read_text().strip())
    with PublishedHosts(access.endpoint, tmp_path) as hosts:
        yield Custodian(hosts, access, tmp_path)


def test_machines_are_found_by_tag_tagged_stopped_and_ended(custodian: Custodian, access: Access) -> None:
    cvm = Cvm(access)
    tagged = {**POSTPAID, "TagSpecification": [{"ResourceType": "instance", "Tags": TEAM}]}
    (one,) = cvm.RunInstances(tagged)["InstanceIdSet"]
    (other,) = cvm.RunInstances(POSTPAID)["InstanceIdSet"]
    wait_for(lambda: cvm.states([one, other]), {"RUNNING"})
    cvm.settle([one, other])

    def told(machine: str, *names: str) -> list[Any]:
        (seen,) = cvm.DescribeInstances({"InstanceIds": [machine]})["InstanceSet"]
        return [seen[name] for name in names]

    ours = [{"tag:custodian": "a"}]
    (found,) = custodian("cvm", ours)
    assert found["InstanceId"] == one
    assert found["Tags"] == TEAM
    custodian("cvm", ours, {"type": "tag", "key": "owner", "value": "b"})
    assert told(one, "Tags") == [[*TEAM, {"Key": "owner", "Value": "b"}]]
    custodian("cvm", ours, {"type": "rename-tag", "old_key": "owner", "new_key": "keeper"})
    assert told(one, "Tags") == [[*TEAM, {"Key": "keeper", "Value": "b"}]]
    custodian("cvm", ours, {"type": "remove-tag", "tags": ["keeper"]})
    assert (told(one, "Tags"), told(other, "Tags")) == ([TEAM], [[]])
    custodian("cvm", ours, "stop")
    wait_for(lambda: told(one, "InstanceState", "StopChargingMode", "LatestOperationState"), [
        "STOPPED", "STOP_CHARGING", "SUCCESS",
    ])  # fmt: skip
    assert told(other, "InstanceState") == ["RUNNING"]
    assert custodian("cvm", [*ours, {"InstanceState": "RUNNING"}]) == []
    custodian("cvm", ours, "start")
    wait_for(lambda: told(one, "InstanceState", "LatestOperationState"), ["RUNNING", "SUCCESS"])
    custodian("cvm", ours, "terminate")
    wait_for(lambda: told(one, "InstanceState", "LatestOperationState"), ["SHUTDOWN", "SUCCESS"])
    custodian("cvm", ours, "terminate")
    wait_for(lambda: cvm.states([one]), set())
    assert custodian("cvm", ours) == []
    cvm.end([other])


def test_disks_that_no_machine_has_are_found(custodian: Custodian, access: Access) -> None:
    cvm, provider = Cvm(access), Provider(access)
    (machine,) = cvm.RunInstances(POSTPAID)["InstanceIdSet"]
    asked = {"DiskType": "CLOUD_SSD", "DiskSize": 20, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskCount": 2}
    disks = provider("cbs", "CreateDisks", {**asked, "Placement": POSTPAID["Placement"]})["DiskIdSet"]
    wait_for(lambda: [one["DiskState"] for one in provider.disks(disks)], ["UNATTACHED"] * 2)
    wait_for(lambda: cvm.states([machine]), {"RUNNING"})
    cvm.settle([machine])
    provider("cbs", "AttachDisks", {"DiskIds": disks[:1], "InstanceId": machine})
    wait_for(lambda: [one["DiskState"] for one in provider.disks(disks[:1])], ["ATTACHED"])
    loose = custodian("cbs", [{"DiskState": "UNATTACHED"}])
    assert [disk["DiskId"] for disk in loose if disk["DiskId"] in disks] == disks[1:]
    cvm.end([machine])
    for state in (["TORECYCLE"] * 2, []):
        wait_for(lambda: {one["DiskState"] for one in provider.disks(disks)} <= {"UNATTACHED", "TORECYCLE"}, True)
        provider("cbs", "TerminateDisks", {"DiskIds": disks})
        wait_for(lambda: [found["DiskState"] for found in provider.disks(disks)], state)
