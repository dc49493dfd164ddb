"""Given an action, then the errors of its act are found in the code that it reaches, and an unknown one is seen."""

import pytest

from tests.api import calling
from tests.support import act_errors, api_pages
from tests.support.act_errors import Refusal
from vmart.api import services
from vmart.api.registry import Action
from vmart.orders import planned_end

CVM, CBS = ("2017-03-12", "cvm"), ("2017-03-12", "cbs")


def _action(name: str, version: str, service: str) -> Action:
    return services.API.find(name, version, service)


def test_what_an_act_refuses_and_what_it_calls() -> None:
    assert act_errors.of(_action("UnbindAutoSnapshotPolicy", *CBS)) == [
        Refusal("InvalidAutoSnapshotPolicyId.NotFound", "The snapshot policy {id} does not exist."),
        Refusal("InvalidDisk.NotPortable", "The disk {id} was bought with its machine and goes with it."),
        Refusal("InvalidDiskId.NotFound", "The disk {id} does not exist."),
        Refusal("InvalidParameter", "A snapshot policy is named twice."),
        Refusal("InvalidParameter", "DiskIds names a disk twice."),
        Refusal("InvalidParameterValue", "The disk {id} is not bound to the snapshot policy {policy}."),
        Refusal("InvalidParameterValue.LimitExceeded", "At most {most} disks at once."),
        Refusal("InvalidParameterValue.LimitExceeded", "At most {most} snapshot policies at once."),
        Refusal("MissingParameter", "DiskIds names no disk."),
        Refusal("MissingParameter", "No snapshot policy is named."),
    ]
    assert act_errors.of(_action("DescribeAccountBalance", "2018-07-09", "billing")) == []


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        # of a table of functions, and of a lambda in it
        ("RunInstances", "LimitExceeded.PrepayQuota", "The quota of prepaid machines bought in this zone and month"),
        ("RunInstances", "LimitExceeded.UserSpotQuota", "The quota of spot machines in this zone is {quota}"),
        # of a function that is a member of an object
        ("RenewInstances", "UnsupportedOperation.InstanceChargeType", "{id} is postpaid: it has no term to renew."),
        # by a table of codes, and by a name
        ("EnterRescueMode", "UnsupportedOperation.InstanceStateEnterRescueMode", "The instance {id} is in rescue mode"),
        ("RunInstances", planned_end._NOT_POSTPAID, "Only a postpaid machine can be ended at a time."),
        # by what a caller gives
        ("RenewInstances", "UnsupportedOperation.InstanceStateTerminating", "The instance {id} is {state}; it must be"),
        # of a function that a partial one is given
        ("ModifyInstancesChargeType", "UnsupportedOperation.InstanceChargeType", "{id} is prepaid already."),
        # of parts of a configuration, which are asked by what they have in common
        ("RunInstances", "UnsupportedOperation.NoInstanceTypeSupportSpot", "The instance type {instance_type} is not"),
        # by a table of codes that take the place of others
        ("CreateKeyPair", "FailedOperation.TagKeyReserved", "No tag key begins with {reserved}."),
        # of what completes a request before the act
        ("RunInstances", "InvalidParameterValue.LaunchTemplateIdNotExisted", "The launch template {id} does not"),
    ],
)
def test_what_is_reached_by_tables_objects_and_lambdas(name: str, code: str, sentence: str) -> None:
    found = act_errors.of(_action(name, *CVM))
    assert code in [each.code for each in found if each.sentence.startswith(sentence)]


def test_an_error_that_no_page_names_is_seen() -> None:
    name, version = "BindAutoSnapshotPolicy", CBS[0]
    codes = api_pages.codes_of("cbs", name, version)
    assert {"InvalidDisk.AlreadyBound", "InvalidParameterValue.LimitExceeded"} <= codes
    told = {"Error": {"Code": "InvalidVpcId.NotFound", "Message": "…"}}
    with pytest.raises(AssertionError, match="InvalidVpcId"):
        calling._check_error("cbs", name, version, told)
    calling._check_error("cbs", name, version, {"Error": {"Code": "InvalidDisk.AlreadyBound"}})
