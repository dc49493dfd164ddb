"""Given the API of cvm, when images are made, told of, shared and bought from, then as programs need it."""

import re
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support import quotas
from tests.support.shopper import work
from vmart.instances.models import Instance
from vmart.storage.models import OwnImage

pytestmark = pytest.mark.usefixtures("shop", "delivering")

PUBLIC = ["img-db12k7x4", "img-db13q2m9"]
TAGS = [{"ResourceType": "image", "Tags": [{"Key": "team", "Value": "a"}]}]


@pytest.fixture
def client() -> Client:
    return open_customer("owner")[0]


def machine(client: Client, **asked: Any) -> str:
    """Running."""
    (bought,) = client.call("RunInstances", HOURLY | asked).response["InstanceIdSet"]
    work()
    return str(bought)


def image(client: Client, name: str = "web", **asked: Any) -> str:
    """Made, of a machine of its own."""
    made = client.call("CreateImage", {"InstanceId": machine(client), "ImageName": name, **asked}).response["ImageId"]
    work()
    return str(made)


def listed(client: Client, **asked: Any) -> list[dict[str, Any]]:
    found = client.call("DescribeImages", asked).response
    assert found["TotalCount"] == len(found["ImageSet"])
    return list(found["ImageSet"])


def by(client: Client, name: str, *values: str) -> list[str]:
    """Ids of the images that meet the filter."""
    return [one["ImageId"] for one in listed(client, Filters=[{"Name": name, "Values": list(values)}])]


def code(client: Client, action: str, asked: dict[str, Any]) -> tuple[str, str]:
    """What it is refused with, and of which member."""
    with nothing_written():
        given, sentence = client.call(action, asked).error
    return given, re.findall(r"[A-Z][A-Za-z]+(?:\.\d+\.[A-Z][A-Za-z]+|\.[A-Z][A-Za-z]+)?", sentence)[0]


def test_what_a_provider_does_from_the_first_to_the_last_call(client: Client) -> None:
    source = machine(client)
    asked = {
        "InstanceId": source, "ImageName": "web", "ImageDescription": "with nginx", "ForcePoweroff": "TRUE",
        "Sysprep": "FALSE", "TagSpecification": TAGS,
    }  # fmt: skip
    made = client.call("CreateImage", asked).response["ImageId"]
    assert [one["ImageState"] for one in listed(client, ImageIds=[made])] == ["CREATING"]
    work()
    (told,) = listed(client, ImageIds=[made])
    row = OwnImage.objects.get()
    snapshot = row.snapshot.public_id
    assert told == {
        "ImageId": made, "OsName": "Debian 12 64-bit", "ImageType": "PRIVATE_IMAGE",
        "CreatedTime": f"{row.created_at:%Y-%m-%dT%H:%M:%SZ}", "ImageName": "web", "ImageDescription": "with nginx",
        "ImageSize": 50, "Architecture": "x86_64", "ImageState": "NORMAL", "Platform": "Debian",
        "ImageCreator": str(row.account_id), "ImageSource": "CREATE_IMAGE", "SyncPercent": None,
        "IsSupportCloudinit": True,
        "SnapshotSet": [{"SnapshotId": snapshot, "DiskUsage": "SYSTEM_DISK", "DiskSize": 50}],
        "Tags": [{"Key": "team", "Value": "a"}], "LicenseType": "BYOL",
        "ImageFamily": "", "ImageDeprecated": False,
    }  # fmt: skip
    client.call("ModifyImageAttribute", {"ImageId": made, "ImageName": "shop", "ImageFamily": ""})
    client.call("ModifyImageAttribute", {"ImageId": made, "ImageDescription": ""})
    assert [(one["ImageName"], one["ImageDescription"]) for one in listed(client, ImageIds=[made])] == [("shop", "")]
    bought = machine(client, ImageId=made)
    (shown,) = client.call("DescribeInstances", {"InstanceIds": [bought]}).response["InstanceSet"]
    assert (shown["ImageId"], shown["OsName"]) == (made, "Debian 12 64-bit")
    again = client.call("CreateImage", {"SnapshotIds": [snapshot], "ImageName": "again"}).response["ImageId"]
    work()
    assert [one["ImageState"] for one in listed(client, ImageIds=[again])] == ["NORMAL"]
    bound = ("UnsupportedOperation.SnapshotHasBindedImage", "The")
    assert code(client, "DeleteImages", {"ImageIds": [made], "DeleteBindedSnap": True}) == bound
    assert client.call("DeleteImages", {"ImageIds": [again]}).response.keys() == {"RequestId"}
    assert client.call("DescribeSnapshots", {"SnapshotIds": [snapshot]}).response["TotalCount"] == 1
    asked = {"ImageIds": [made], "DeleteBindedSnap": True}
    assert client.call("DeleteImages", asked).response.keys() == {"RequestId"}
    assert listed(client, ImageIds=[made]) == []
    work()
    assert client.call("DescribeSnapshots", {"SnapshotIds": [snapshot]}).response["TotalCount"] == 0
    (shown,) = client.call("DescribeInstances", {"InstanceIds": [bought]}).response["InstanceSet"]
    assert (shown["ImageId"], shown["InstanceState"]) == (made, "RUNNING")


def test_images_by_type_name_platform_tag_and_page(client: Client) -> None:
    tagged, plain = image(client, TagSpecification=TAGS), image(client, "Other")
    assert [one["ImageId"] for one in listed(client)] == [*PUBLIC, plain, tagged]
    assert by(client, "image-type", "PRIVATE_IMAGE") == [plain, tagged]
    assert by(client, "image-type", "PUBLIC_IMAGE") == PUBLIC
    assert by(client, "image-type", "SHARED_IMAGE") == []
    assert by(client, "image-type", "SHARED_IMAGE", "PUBLIC_IMAGE") == PUBLIC
    assert by(client, "image-name", "OTH", "12") == [PUBLIC[0], plain]
    assert by(client, "image-id", plain, PUBLIC[1]) == [PUBLIC[1], plain]
    assert by(client, "platform", "deb") == [*PUBLIC, plain, tagged]
    assert by(client, "platform", "windows") == []
    assert by(client, "tag:team", "a") == [tagged]
    assert by(client, "tag-key", "none") == []
    for offset, found in ((0, [*PUBLIC, plain]), (1, [PUBLIC[1], plain, tagged]), (2, [plain, tagged]), (3, [tagged])):
        page = client.call("DescribeImages", {"Offset": offset, "Limit": 3}).response
        assert ([one["ImageId"] for one in page["ImageSet"]], page["TotalCount"]) == (found, 4)
    for limit in (1, 2):
        page = client.call("DescribeImages", {"Limit": limit}).response
        assert ([one["ImageId"] for one in page["ImageSet"]], page["TotalCount"]) == (PUBLIC[:limit], 4)
    elsewhere = client.call("DescribeImages", {}, region="ap-shanghai").response["ImageSet"]
    assert [one["ImageId"] for one in elsewhere] == PUBLIC


def test_a_shared_image_is_its_friends_to_buy_from_and_nothing_else(client: Client) -> None:
    made = image(client, TagSpecification=TAGS)
    friend, friend_id = open_customer("friend")
    asked = {"ImageId": made, "AccountIds": [str(friend_id)], "Permission": "SHARE"}
    assert code(friend, "RunInstances", HOURLY | {"ImageId": made}) == ("InvalidImageId.NotFound", "ImageId")
    assert client.call("ModifyImageSharePermission", asked).response.keys() == {"RequestId"}
    (told,) = listed(friend, Filters=[{"Name": "image-type", "Values": ["SHARED_IMAGE"]}])
    row = OwnImage.objects.get()
    assert (told["ImageId"], told["ImageType"], told["ImageCreator"], told["Tags"]) == (
        made, "SHARED_IMAGE", str(row.account_id), [],
    )  # fmt: skip
    (share,) = client.call("DescribeImageSharePermission", {"ImageId": made}).response["SharePermissionSet"]
    assert share["AccountId"] == str(friend_id)
    bought = machine(friend, ImageId=made)
    assert Instance.objects.get(public_id=bought).own_image == made
    changes = {"ImageId": made, "ImageName": "mine"}
    family = code(client, "ModifyImageAttribute", changes | {"ImageFamily": "web"})
    assert (family, listed(client, ImageIds=[made])[0]["ImageName"]) == (("UnsupportedOperation", "ImageFamily"), "web")
    refused = ("UnsupportedOperation.SharedImageModifyUnsupported", "ImageId")
    assert code(friend, "ModifyImageAttribute", changes) == refused
    assert code(friend, "DescribeImageSharePermission", {"ImageId": made}) == ("InvalidImageId.NotFound", "ImageId")
    assert code(client, "DeleteImages", {"ImageIds": [made]}) == ("InvalidImageId.InShared", "ImageIds")
    client.call("ModifyImageSharePermission", asked | {"Permission": "CANCEL"})
    assert listed(friend, ImageIds=[made]) == []
    assert client.call("DescribeImageSharePermission", {"ImageId": made}).response["SharePermissionSet"] == []


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"InstanceId": None}, ("InvalidParameter.ImageIdsSnapshotIdsMustOne", "One")),
        ({"SnapshotIds": ["snap-unknown0"]}, ("InvalidParameter.ImageIdsSnapshotIdsMustOne", "One")),
        ({"InstanceId": None, "SnapshotIds": ["snap-unknown0"]}, ("InvalidSnapshotId.NotFound", "SnapshotIds")),
        ({"SnapshotIds": ["snap-a", "snap-b"]}, ("InvalidParameter.DuplicateSystemSnapshots", "SnapshotIds")),
        ({"InstanceId": "ins-unknown0"}, ("InvalidInstanceId.NotFound", "InstanceId")),
        ({"ImageName": None}, ("MissingParameter", "The")),
        ({"ImageName": "x" * 61}, ("InvalidParameterValue", "ImageName")),
        ({"ImageName": "x" * 1001}, ("InvalidParameterValue", "ImageName")),
        ({"ImageDescription": "x" * 257}, ("InvalidParameterValue", "ImageDescription")),
        ({"ForcePoweroff": "perhaps"}, ("InvalidParameterValue", "ForcePoweroff")),
        ({"DataDiskIds": ["disk-a"]}, ("UnsupportedOperation", "DataDiskIds")),
        ({"Sysprep": "TRUE"}, ("UnsupportedOperation", "Sysprep")),
        ({"ImageFamily": "web"}, ("UnsupportedOperation", "ImageFamily")),
        (
            {"TagSpecification": [{"ResourceType": "instance", "Tags": TAGS[0]["Tags"]}]},
            ("InvalidParameterValue", "TagSpecification.0.ResourceType"),
        ),
    ],
)
def test_bad_requests_for_an_image(client: Client, asked: dict[str, Any], refused: tuple[str, str]) -> None:
    whole = {"InstanceId": machine(client), "ImageName": "web"} | asked
    assert code(client, "CreateImage", {name: value for name, value in whole.items() if value is not None}) == refused


def test_a_dry_run_refuses_alike_and_writes_nothing(client: Client) -> None:
    source = machine(client)
    asked = {"InstanceId": source, "ImageName": "web", "DryRun": True, "TagSpecification": TAGS}
    with nothing_written():
        assert client.call("CreateImage", asked).response.keys() == {"RequestId"}
    assert code(client, "CreateImage", asked | {"ImageName": ""}) == ("InvalidParameterValue", "ImageName")
    made = client.call("CreateImage", asked | {"DryRun": False}).response["ImageId"]
    busy = ("InvalidParameterValue.InvalidImageState", "ImageIds")
    assert code(client, "DeleteImages", {"ImageIds": [made], "DryRun": True}) == busy
    work()
    with nothing_written():
        assert "Error" not in client.call("DeleteImages", {"ImageIds": [made], "DryRun": True}).response


def test_it_is_not_to_be_had_in_another_zone_and_needs_its_disk(client: Client) -> None:
    made = image(client)
    other = HOURLY | {"ImageId": made, "Placement": {"Zone": "ap-guangzhou-3"}}
    assert code(client, "RunInstances", other) == ("InvalidImageId.NotFound", "ImageId")
    small = HOURLY | {"ImageId": made, "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 20}}
    assert code(client, "RunInstances", small) == ("InvalidParameter", "SystemDisk.DiskSize")
    for action in ("ModifyImageAttribute", "ModifyImageSharePermission"):
        members = {"ImageName": "n"} if "Attribute" in action else {"AccountIds": ["1"], "Permission": "SHARE"}
        refused = code(client, action, {"ImageId": PUBLIC[0], **members})
        assert refused == ("UnsupportedOperation.SharedImageModifyUnsupported", "ImageId")
    wrong = {"ImageId": made, "AccountIds": ["1"], "Permission": "GIVE"}
    assert code(client, "ModifyImageSharePermission", wrong) == ("InvalidParameterValue", "Permission")


def test_a_machine_is_installed_anew_from_it_and_a_template_has_it(client: Client) -> None:
    made, other = image(client), machine(client)
    client.call("ResetInstance", {"InstanceId": other, "ImageId": made})
    work()
    (shown,) = client.call("DescribeInstances", {"InstanceIds": [other]}).response["InstanceSet"]
    assert (shown["ImageId"], shown["InstanceState"]) == (made, "RUNNING")
    named = {**HOURLY, "LaunchTemplateName": "kept", "ImageId": made}
    template = client.call("CreateLaunchTemplate", named).response["LaunchTemplateId"]
    asked = {"LaunchTemplate": {"LaunchTemplateId": template}}
    (bought,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    work()
    assert Instance.objects.get(public_id=bought).own_image == made
    client.call("DeleteImages", {"ImageIds": [made]})
    assert code(client, "RunInstances", asked)[0] == "InvalidImageId.NotFound"


def test_how_many_there_may_be(client: Client) -> None:
    assert client.call("DescribeImageQuota").response["ImageNumQuota"] == 10
    quotas.everyone(images_per_region=1)
    assert client.call("DescribeImageQuota").response["ImageNumQuota"] == 1
    source = machine(client)
    image(client)
    assert client.call("CreateImage", {"InstanceId": source, "ImageName": "b"}).error[0] == "ImageQuotaLimitExceeded"
