"""Terraform and OpenTofu with the provider tencentcloud. What that has no attribute for, a comment says."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from vmart.kernel.paths import leaves
from vmart.orders import naming
from vmart.pricing.configuration import POSTPAID_BY_HOUR, SPOTPAID
from vmart.tags.things import INSTANCE
from vmart.web.as_code.layout import STEP, aligned, commented, quoted
from vmart.web.as_code.request import Call, Members, Variable
from vmart.web.as_code.said import environment, has_password

Pairs = list[tuple[str, str]]

VARIABLE = Variable("machine_password")  # its password
# Members of RunInstances and of its data disks, and the attributes of tencentcloud_instance that fill them.
ATTRIBUTES = {
    "Placement.Zone": "availability_zone",
    "InstanceType": "instance_type",
    "ImageId": "image_id",
    "InstanceChargeType": "instance_charge_type",
    "InstanceChargePrepaid.Period": "instance_charge_type_prepaid_period",
    "InstanceChargePrepaid.RenewFlag": "instance_charge_type_prepaid_renew_flag",
    "InstanceMarketOptions.SpotOptions.MaxPrice": "spot_max_price",
    "SystemDisk.DiskType": "system_disk_type",
    "SystemDisk.DiskSize": "system_disk_size",
    "SystemDisk.DiskName": "system_disk_name",
    "InternetAccessible.InternetChargeType": "internet_charge_type",
    "InternetAccessible.InternetMaxBandwidthOut": "internet_max_bandwidth_out",
    "InternetAccessible.PublicIpAssigned": "allocate_public_ip",
    "VirtualPrivateCloud.VpcId": "vpc_id",
    "VirtualPrivateCloud.SubnetId": "subnet_id",
    "VirtualPrivateCloud.Ipv6AddressCount": "ipv6_address_count",
    "SecurityGroupIds": "orderly_security_groups",
    "LoginSettings.KeyIds": "key_ids",
    "LoginSettings.Password": "password",
    "UserData": "user_data",
    "DisableApiTermination": "disable_api_termination",
}
OF_DATA_DISKS = {
    "DiskType": "data_disk_type",
    "DiskSize": "data_disk_size",
    "DiskName": "data_disk_name",
    "SnapshotId": "data_disk_snapshot_id",
    "DeleteWithInstance": "delete_with_instance",
}
_NAME_MIN = 2  # the provider's


def program(call: Call) -> str:
    """Raises NameTooLong, BadHostName and InvalidParameter, as a purchase does: each machine is told its name."""
    password = [_block(f'variable "{VARIABLE}"', [("type", "string"), ("sensitive", "true")])]
    return "\n".join([_SOURCE, _provider(call), *(password if has_password(call) else ()), _machine(call.members)])


_SOURCE = """terraform {
  required_providers {
    tencentcloud = {
      source = "tencentcloudstack/tencentcloud"
    }
  }
}
"""


def _provider(call: Call) -> str:
    scheme, host = call.endpoint.scheme.upper(), call.endpoint.host
    services = ", ".join(f"{service}.{host}" for service in ("cvm", "cbs", "vpc", "tag"))
    lines = environment(call, f"TF_VAR_{VARIABLE}")
    lines.append(_("The provider asks these hosts, which must lead to the shop: {hosts}.").format(hosts=services))
    pairs = [("region", quoted(call.region)), ("protocol", quoted(scheme)), ("domain", quoted(host))]
    return commented(*lines) + _block('provider "tencentcloud"', pairs)


def _block(head: str, pairs: Pairs) -> str:
    return f"{head} {{\n{aligned(pairs, STEP)}\n}}\n"


def _machine(members: Members) -> str:
    pairs = list(_attributes(members))
    parts = [aligned(pairs, STEP), *_tags(members), *_data_disks(members), *_by_default(members)]
    count = members.get("InstanceCount", 1)
    if count > 1:
        parts.insert(0, f"{STEP}count = {count}")
    return (
        f'{commented(*_unsaid(members))}resource "tencentcloud_instance" "machine" {{\n' + "\n\n".join(parts) + "\n}\n"
    )


def _attributes(members: Members) -> Iterator[tuple[str, str]]:
    yield from _each_its_own(members)
    for path, value in _said(members):
        if path in ATTRIBUTES:
            yield ATTRIBUTES[path], _value(value)
    if members["InstanceChargeType"] == SPOTPAID:
        yield "spot_instance_type", _value("ONE-TIME")
    for group in members.get("DisasterRecoverGroupIds", ()):
        yield "placement_group_id", _value(group)


def _said(members: Members) -> Iterator[tuple[str, Any]]:
    """Path and value. The VPC is always said with what lies in it: without it the provider says nothing of that."""
    network = members.get("VirtualPrivateCloud")
    if network:
        members = members | {"VirtualPrivateCloud": {"VpcId": "DEFAULT", "SubnetId": "DEFAULT"} | network}
    return leaves(members)


def _each_its_own(members: Members) -> Iterator[tuple[str, str]]:
    """What differs from machine to machine: each is bought by a request of its own."""
    count = members.get("InstanceCount", 1)
    if name := members.get("InstanceName"):
        yield "instance_name", _one_of(naming.names(name, count))
    if hostname := members.get("HostName"):
        yield "hostname", _one_of(naming.host_names(hostname, count))
    if addresses := members.get("VirtualPrivateCloud", {}).get("PrivateIpAddresses"):
        yield "private_ip", _one_of(addresses)


def _one_of(texts: list[str]) -> str:
    return _value(texts[0]) if len(texts) == 1 else f"{_value(texts)}[count.index]"


def _tags(members: Members) -> list[str]:
    """Those of the machine."""
    kinds = {one["ResourceType"]: one["Tags"] for one in members.get("TagSpecification", ())}
    pairs = [(_value(tag["Key"]), _value(tag["Value"])) for tag in kinds.get(INSTANCE, ())]
    return [f"{STEP}tags = {{\n{aligned(pairs, STEP * 2)}\n{STEP}}}"] if pairs else []


def _data_disks(members: Members) -> Iterator[str]:
    always_stays = members["InstanceChargeType"] != POSTPAID_BY_HOUR
    for disk in members.get("DataDisks", ()):
        said = disk | ({"DeleteWithInstance": False} if always_stays else {})
        pairs = [(OF_DATA_DISKS[name], _value(value)) for name, value in said.items()]
        yield f"{STEP}data_disks {{\n{aligned(pairs, STEP * 2)}\n{STEP}}}"


def _by_default(members: Members) -> list[str]:
    """Ids that the shop finds are no change to be undone."""
    network = members.get("VirtualPrivateCloud")
    if not network or {"VpcId", "SubnetId"} <= network.keys():
        return []
    return [f"{STEP}lifecycle {{\n{STEP * 2}ignore_changes = [vpc_id, subnet_id]\n{STEP}}}"]


def _unsaid(members: Members) -> Iterator[str]:
    """What a purchase by the provider has otherwise than the one on the page."""
    if "ActionTimer" in members:
        at = members["ActionTimer"]["ActionTime"]
        yield _("The provider cannot say that the machine is to be ended by itself, at {at}.").format(at=at)
    if any(one["ResourceType"] != INSTANCE for one in members.get("TagSpecification", ())):
        yield _("The provider gives the tags to the machine and not to its disks.")
    if members.get("DataDisks") and members["InstanceChargeType"] == SPOTPAID:
        yield _("The provider cannot buy data disks with a spot machine: it has them stay, which the shop refuses.")
    elif members.get("DataDisks") and members["InstanceChargeType"] != POSTPAID_BY_HOUR:
        yield _(
            "The provider has data disks stay when a machine that is paid ahead ends: in the recycle bin for a while."
        )
    if 0 < len(members.get("InstanceName", "")) < _NAME_MIN:
        yield _("The provider refuses names of one letter.")


def _value(value: Any) -> str:
    if isinstance(value, Variable):
        return f"var.{VARIABLE}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else str(value)


def _text(text: str) -> str:
    """A text as it stands: ``${`` and ``%{`` would begin an expression."""
    return quoted(text).replace("${", "$${").replace("%{", "%%{")
