"""Given OpenTofu and the unmodified provider, when a configuration is applied, changed and destroyed, then the shop
follows, plans in between are empty, and nothing is left.

``bin/setup --terraform`` builds both (ADR 0070), or ``VMART_TERRAFORM`` names a folder with ``tofu`` and
``terraform-provider-tencentcloud``; else these tests are skipped, and ``test_terraform_calls.py`` replays the calls.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Access
from tests.clients.test_sdk_python import Cvm
from tests.clients.test_terraform_calls import Provider
from tests.instances.test_key_pairs import ED25519
from vmart.config import os_users

_BUILT = Path(__file__).resolve().parents[2] / "build" / "terraform"
PROGRAMS = Path(os.environ.get("VMART_TERRAFORM") or _BUILT)
_MISSING = [name for name in ("tofu", "terraform-provider-tencentcloud") if not (PROGRAMS / name).exists()]
WITHOUT = f"bin/setup --terraform has not built {' and '.join(_MISSING)}" if _MISSING else ""
CONFIGURATIONS = Path(__file__).parent / "terraform"
DOMAIN = "vmart.test"
_SERVICES = ("cvm", "cbs", "vpc", "tag", "sts", "api")
LIMIT_S = 900
pytestmark = [
    pytest.mark.skipif(bool(WITHOUT), reason=WITHOUT),
    pytest.mark.skipif(not os_users.is_root(), reason="a hosts file of one's own needs root"),
    pytest.mark.timeout(3600),  # the provider waits 10 s after many a step
]


class Tofu:
    """``tofu("apply", name="web")``: a command on the configuration; ``name`` and others are its variables."""

    def __init__(self, access: Access, folder: Path, configuration: str) -> None:
        self._access, self._folder = access, folder
        shutil.copy(CONFIGURATIONS / configuration, folder)
        (folder / "hosts").write_text(f"127.0.0.1 localhost {' '.join(f'{s}.{DOMAIN}' for s in _SERVICES)}\n")
        (folder / "cli.tfrc").write_text(
            f'provider_installation {{ dev_overrides {{ "tencentcloudstack/tencentcloud" = "{PROGRAMS}" }} }}\n'
        )

    def __call__(self, *words: str, **variables: Any) -> str:
        """What it prints. The names of the API's hosts are known in a mount namespace of its own alone."""
        (self._folder / "terraform.tfvars.json").write_text(json.dumps(variables))
        script = f'mount --bind "{self._folder}/hosts" /etc/hosts && exec "{PROGRAMS}/tofu" "$@"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *words], cwd=self._folder, env=self._environment(),
            capture_output=True, text=True, check=False, timeout=LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self._folder), "TF_CLI_CONFIG_FILE": str(self._folder / "cli.tfrc"),
            "TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color", "TENCENTCLOUD_SECRET_ID": self._access.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self._access.secret_key,
            "TF_VAR_domain": f"{DOMAIN}:{self._access.endpoint.rpartition(':')[2]}", "TF_VAR_public_key": ED25519,
        }  # fmt: skip

    def apply(self, **variables: Any) -> None:
        """Then a plan has nothing to do."""
        self("apply", "-auto-approve", "-input=false", **variables)
        self("plan", "-input=false", "-detailed-exitcode", **variables)

    def output(self) -> dict[str, Any]:
        return {name: told["value"] for name, told in json.loads(self("output", "-json")).items()}

    def destroy(self) -> None:
        """With the variables as they are by default, so that nothing is protected."""
        self("destroy", "-auto-approve", "-input=false")


@pytest.fixture
def tofu(access: Access, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tofu]:
    tofu = Tofu(access, tmp_path, getattr(request, "param", "main.tf"))
    yield tofu
    tofu.destroy()


def _seen(cvm: Cvm, machines: list[str], look: Callable[[dict[str, Any]], Any]) -> list[Any]:
    return [look(machine) for machine in cvm.DescribeInstances({"InstanceIds": machines})["InstanceSet"]]


# One after the other, each in place: variable, value, and what is told of both machines then.
_CHANGES: list[tuple[str, Any, Callable[[dict[str, Any]], Any], Any]] = [
    ("protected", True, lambda machine: machine["DisableApiTermination"], True),
    ("protected", False, lambda machine: machine["DisableApiTermination"], False),
    ("bandwidth", 9, lambda machine: machine["InternetAccessible"]["InternetMaxBandwidthOut"], 9),
    ("disk_size", 60, lambda machine: machine["SystemDisk"]["DiskSize"], 60),
    ("data_disk_size", 30, lambda machine: machine["DataDisks"][0]["DiskSize"], 30),
    ("instance_type", "S5.MEDIUM4", lambda machine: machine["InstanceType"], "S5.MEDIUM4"),
    ("with_key", False, lambda machine: machine["LoginSettings"]["KeyIds"], None),
    ("running", False, lambda machine: machine["InstanceState"], "STOPPED"),
    ("running", True, lambda machine: machine["InstanceState"], "RUNNING"),
    ("name", "shop", lambda machine: machine["InstanceName"].rpartition("-")[0], "shop"),
    ("tags", {"team": "b", "env": "test"}, lambda machine: machine["Tags"], [
        {"Key": "env", "Value": "test"}, {"Key": "team", "Value": "b"},
    ]),
]  # fmt: skip

# As above, of the things beside the machines: service, action, what is asked by the thing's id, and what is told.
_OF_THINGS: list[tuple[str, Any, str, str, str, Callable[[str], dict[str, Any]], Callable[[Any], Any], Any]] = [
    (
        "vpc_name", "shop-vpc", "vpc", "vpc", "DescribeVpcs",
        lambda one: {"VpcIds": [one]}, lambda told: told["VpcSet"][0]["VpcName"], "shop-vpc",
    ),
    (
        "subnet_name", "shop-subnet", "subnet", "vpc", "DescribeSubnets",
        lambda one: {"SubnetIds": [one]}, lambda told: told["SubnetSet"][0]["SubnetName"], "shop-subnet",
    ),
    (
        "group_name", "shop-group", "group", "vpc", "DescribeSecurityGroups",
        lambda one: {"SecurityGroupIds": [one]},
        lambda told: told["SecurityGroupSet"][0]["SecurityGroupName"], "shop-group",
    ),
    (
        "ingress", ["DROP#203.0.113.0/24#22#TCP", "ACCEPT#0.0.0.0/0#22,443#TCP"], "group", "vpc",
        "DescribeSecurityGroupPolicies", lambda one: {"SecurityGroupId": one},
        lambda told: [
            (rule["Action"], rule["CidrBlock"], rule["Port"]) for rule in told["SecurityGroupPolicySet"]["Ingress"]
        ],
        [("DROP", "203.0.113.0/24", "22"), ("ACCEPT", "0.0.0.0/0", "22,443")],
    ),
    (
        "placement_name", "shop-apart", "placement", "cvm", "DescribeDisasterRecoverGroups",
        lambda one: {"DisasterRecoverGroupIds": [one]},
        lambda told: [told["DisasterRecoverGroupSet"][0][name] for name in ("Name", "CurrentNum")], ["shop-apart", 2],
    ),
    (
        "storage_name", "shop-data", "disk", "cbs", "DescribeDisks",
        lambda one: {"DiskIds": [one]}, lambda told: told["DiskSet"][0]["DiskName"], "shop-data",
    ),
    (
        "snapshot_name", "shop-before", "snapshot", "cbs", "DescribeSnapshots", lambda one: {"SnapshotIds": [one]},
        lambda told: [told["SnapshotSet"][0][name] for name in ("SnapshotName", "SnapshotState", "Tags")],
        ["shop-before", "NORMAL", [{"Key": "env", "Value": "test"}, {"Key": "team", "Value": "b"}]],
    ),
    (
        "storage_size", 30, "disk", "cbs", "DescribeDisks", lambda one: {"DiskIds": [one]},
        lambda told: [told["DiskSet"][0][name] for name in ("DiskSize", "DiskState")], [30, "ATTACHED"],
    ),
]  # fmt: skip


def test_a_customers_whole_configuration_is_applied_changed_in_place_and_destroyed(tofu: Tofu, access: Access) -> None:
    cvm, provider = Cvm(access), Provider(access)
    before, keys = cvm.ids(), cvm.DescribeKeyPairs({})["TotalCount"]
    tofu.apply()
    told = tofu.output()
    machines, things = list(told["machines"].values()), told["things"]
    assert (told["zones"], told["type"]) == (["ap-guangzhou-3", "ap-guangzhou-4", "ap-guangzhou-6"], "S5.SMALL1")
    assert list(told["machines"]) == ["web-0", "web-1"]
    assert cvm.ids() - before == set(machines)
    assert sorted(_seen(cvm, machines, lambda one: (one["PrivateIpAddresses"], one["SecurityGroupIds"]))) == [
        (["10.7.3.10"], [things["group"]]), (["10.7.3.11"], [things["group"]]),
    ]  # fmt: skip

    variables: dict[str, Any] = {}
    for name, value, look, seen in _CHANGES:
        variables[name] = value
        tofu.apply(**variables)
        assert _seen(cvm, machines, look) == [seen, seen], name
    for name, value, thing, service, action, asked, of, expected in _OF_THINGS:
        variables[name] = value
        tofu.apply(**variables)
        assert of(provider(service, action, asked(things[thing]))) == expected, name
    tofu.apply(**variables, with_group=False)
    assert _seen(cvm, machines, lambda one: one["SecurityGroupIds"]) == [[things["other"]], [things["other"]]]
    assert (tofu.output()["things"], sorted(tofu.output()["machines"].values())) == (things, sorted(machines))

    tofu.destroy()
    assert cvm.ids() - before == set()
    assert cvm.DescribeKeyPairs({})["TotalCount"] == keys
    assert json.loads(tofu("show", "-json")).get("values", {}) == {}
    assert provider.disks([things["disk"], things["copy"]]) == []
    assert provider("cbs", "DescribeSnapshots", {"SnapshotIds": [things["snapshot"]]})["SnapshotSet"] == []


@pytest.mark.parametrize("tofu", ["address.tf"], indirect=True)
def test_an_address_is_bought_bound_changed_moved_and_given_back(tofu: Tofu, access: Access) -> None:
    provider = Provider(access)

    def told() -> tuple[Any, ...]:
        (one,) = provider("vpc", "DescribeAddresses", {"AddressIds": [tofu.output()["address"]]})["AddressSet"]
        return one["AddressStatus"], one["InstanceId"], one["AddressName"], one["Bandwidth"], one["TagSet"]

    tofu.apply()
    first, second = tofu.output()["machines"]
    assert told() == ("BIND", first, "front", 5, [{"Key": "team", "Value": "a"}])
    tofu.apply(name="back", bandwidth=9, team="b")
    assert told() == ("BIND", first, "back", 9, [{"Key": "team", "Value": "b"}])
    tofu.apply(name="back", bandwidth=9, team="b", at=1)
    assert told()[:2] == ("BIND", second)
    tofu.destroy()
    assert provider("vpc", "DescribeAddresses")["AddressSet"] == []


@pytest.mark.parametrize("tofu", ["disks.tf"], indirect=True)
def test_disks_are_paid_ahead_switched_made_larger_converted_and_given_back(tofu: Tofu, access: Access) -> None:
    provider = Provider(access)

    def told(name: str) -> tuple[Any, ...]:
        (one,) = provider.disks([tofu.output()[name]])
        return one["DiskChargeType"], one["RenewFlag"], one["DiskSize"], one["DiskState"]

    tofu.apply()
    both = tofu.output()
    assert told("ahead") == ("PREPAID", "NOTIFY_AND_MANUAL_RENEW", 20, "UNATTACHED")
    assert told("converted") == ("POSTPAID_BY_HOUR", "NOTIFY_AND_MANUAL_RENEW", 20, "UNATTACHED")
    tofu.apply(renew_flag="NOTIFY_AND_AUTO_RENEW")
    assert told("ahead")[1] == "NOTIFY_AND_AUTO_RENEW"
    tofu.apply(renew_flag="NOTIFY_AND_AUTO_RENEW", size=30)
    assert told("ahead")[2:] == (30, "UNATTACHED")
    tofu.apply(renew_flag="NOTIFY_AND_AUTO_RENEW", size=30, charge_type="PREPAID")
    assert told("converted")[0] == "PREPAID"
    assert tofu.output() == both
    tofu.destroy()
    assert provider.disks(list(both.values())) == []


@pytest.mark.parametrize("tofu", ["address_by_month.tf"], indirect=True)
def test_an_address_by_the_month_is_paid_ahead_renewed_and_given_back(tofu: Tofu, access: Access) -> None:
    """A longer period in the configuration is a renewal by that period."""
    provider = Provider(access)

    def told(*names: str) -> list[Any]:
        (one,) = provider("vpc", "DescribeAddresses", {"AddressIds": [tofu.output()["address"]]})["AddressSet"]
        return [one[name] for name in names]

    def months() -> int:
        begun, ends = (datetime.fromisoformat(text) for text in told("CreatedTime", "DeadlineDate"))
        return (ends.year - begun.year) * 12 + ends.month - begun.month

    what = ("AddressName", "Bandwidth", "InternetChargeType", "RenewFlag", "TagSet", "IsArrears")
    by_month = "BANDWIDTH_PREPAID_BY_MONTH"
    tofu.apply()
    address = tofu.output()
    team = {"Key": "team", "Value": "a"}
    assert (told(*what), months()) == (["front", 5, by_month, "NOTIFY_AND_MANUAL_RENEW", [team], False], 1)
    changed: dict[str, Any] = {"name": "back", "bandwidth": 9, "team": "b"}
    tofu.apply(**changed)
    team["Value"] = "b"
    assert told(*what) == ["back", 9, by_month, "NOTIFY_AND_MANUAL_RENEW", [team], False]
    tofu.apply(**changed, period=2, renew_flag=1)
    assert (told("RenewFlag"), months()) == (["NOTIFY_AND_AUTO_RENEW"], 3)
    assert tofu.output() == address
    tofu.destroy()
    assert provider("vpc", "DescribeAddresses")["AddressSet"] == []


@pytest.mark.parametrize("tofu", ["backups.tf"], indirect=True)
def test_an_image_and_policies_of_snapshots_are_made_changed_and_destroyed(tofu: Tofu, access: Access) -> None:
    """Of the image its snapshot alone is left: DeleteImages deletes it where it is asked to, and is not."""
    cvm, provider = Cvm(access), Provider(access)
    before = cvm.ids()

    def image() -> list[Any]:
        (one,) = provider("cvm", "DescribeImages", {"ImageIds": [tofu.output()["image"]]})["ImageSet"]
        return [one[name] for name in ("ImageState", "ImageName", "ImageDescription", "Tags")]

    def policy() -> list[Any]:
        asked = {"AutoSnapshotPolicyIds": [tofu.output()["policy"]]}
        (one,) = provider("cbs", "DescribeAutoSnapshotPolicies", asked)["AutoSnapshotPolicySet"]
        (times,) = one["Policy"]
        named = [one[name] for name in ("AutoSnapshotPolicyName", "RetentionDays")]
        return [*named, times["DayOfWeek"], times["Hour"], sorted(one["DiskIdSet"])]

    tofu.apply()
    made = tofu.output()
    (address,) = made["ipv6_addresses"]
    assert ip_address(address) in ip_network("2001:db8:4::/64")
    network = ("IPv6Addresses", "VirtualPrivateCloud")
    (ours, virtual), *_ = _seen(cvm, [made["machine"]], lambda one: [one[name] for name in network])
    assert (ours, virtual["Ipv6AddressCount"]) == ([address], 1)
    assert image() == ["NORMAL", "tf-golden", "with nginx", [{"Key": "team", "Value": "a"}]]
    assert policy() == ["tf-nightly", 7, [0, 3], [2], sorted(made["disks"])]
    changed: dict[str, Any] = {"policy_name": "tf-weekly", "retention_days": 30}
    tofu.apply(**changed)
    assert policy() == ["tf-weekly", 30, [0, 3], [2], sorted(made["disks"])]
    changed |= {"weekdays": [1], "hours": [4, 16]}
    changed |= {"image_name": "tf-other", "image_description": "with caddy", "team": "b"}
    tofu.apply(**changed)
    assert policy() == ["tf-weekly", 30, [1], [4, 16], sorted(made["disks"])]
    assert image() == ["NORMAL", "tf-other", "with caddy", [{"Key": "team", "Value": "b"}]]
    assert tofu.output() == made

    (one,) = provider("cvm", "DescribeImages", {"ImageIds": [made["image"]]})["ImageSet"]
    snapshots = [snapshot["SnapshotId"] for snapshot in one["SnapshotSet"]]
    tofu.destroy()
    assert cvm.ids() == before
    assert provider("cvm", "DescribeImages", {"ImageIds": [made["image"]]})["ImageSet"] == []
    assert provider.disks(made["disks"]) == []
    asked = {"AutoSnapshotPolicyIds": [made["policy"]]}
    assert provider("cbs", "DescribeAutoSnapshotPolicies", asked)["AutoSnapshotPolicySet"] == []
    left = provider("cbs", "DescribeSnapshots")["SnapshotSet"]
    assert [snapshot["SnapshotId"] for snapshot in left] == snapshots
    provider("cbs", "DeleteSnapshots", {"SnapshotIds": snapshots})


@pytest.mark.parametrize("tofu", ["shared_bandwidth.tf"], indirect=True)
def test_addresses_share_a_bandwidth_that_is_changed_in_place(tofu: Tofu, access: Access) -> None:
    provider = Provider(access)

    def package() -> list[Any]:
        asked = {"BandwidthPackageIds": [tofu.output()["package"]]}
        (one,) = provider("vpc", "DescribeBandwidthPackages", asked)["BandwidthPackageSet"]
        named = [one[name] for name in ("BandwidthPackageName", "Bandwidth", "ChargeType", "Status")]
        return [*named, sorted(inside["ResourceId"] for inside in one["ResourceSet"])]

    def of_team(team: str) -> list[str]:
        asked = {"Filters": [{"Name": "tag:team", "Values": [team]}]}
        found = provider("vpc", "DescribeBandwidthPackages", asked)["BandwidthPackageSet"]
        return [one["BandwidthPackageId"] for one in found]

    tofu.apply()
    made = tofu.output()
    front, back = made["addresses"]
    both = sorted([front, back])
    assert package() == ["shared", 10, "BANDWIDTH_POSTPAID_BY_DAY", "CREATED", both]
    assert (of_team("a"), of_team("b")) == ([made["package"]], [])
    tofu.apply(name="other", bandwidth=20, team="b")
    assert package() == ["other", 20, "BANDWIDTH_POSTPAID_BY_DAY", "CREATED", both]
    assert (of_team("a"), of_team("b")) == ([], [made["package"]])
    tofu.apply(name="other", bandwidth=20, team="b", attached=False)
    assert package()[4] == [back]
    assert tofu.output() == made
    tofu.destroy()
    assert provider("vpc", "DescribeAddresses")["AddressSet"] == []
    assert provider("vpc", "DescribeBandwidthPackages")["BandwidthPackageSet"] == []
