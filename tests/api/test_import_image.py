"""Given the API of cvm, when a system is imported, then as programs need it."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_images import code, listed
from tests.orders.test_import_image import PACKED, SHA256, server
from tests.support.file_server import FileServer
from tests.support.shopper import ZONE, work
from vmart.storage.models import OwnImage

__all__ = ["server"]
pytestmark = pytest.mark.usefixtures("shop", "delivering")

URL = "https://files.example.com/web.tar.gz"


@pytest.fixture
def client() -> Client:
    return open_customer("owner")[0]


def asked(url: str = URL, **more: Any) -> dict[str, Any]:
    return {
        "Architecture": "x86_64", "OsType": "Ubuntu", "OsVersion": "24.04", "ImageUrl": url, "ImageName": "web",
    } | more  # fmt: skip


def test_what_may_be_imported_is_told(client: Client) -> None:
    told = client.call("DescribeImportImageOs", {}).response
    del told["RequestId"]
    assert told == {
        "ImportImageOsListSupported": {"Windows": [], "Linux": ["Debian", "Ubuntu", "Rocky Linux"]},
        "ImportImageOsVersionSet": [
            {"OsName": "Debian", "OsVersions": ["12", "13"], "Architecture": ["x86_64"]},
            {"OsName": "Ubuntu", "OsVersions": ["24.04", "22.04"], "Architecture": ["x86_64"]},
            {"OsName": "Rocky Linux", "OsVersions": ["9"], "Architecture": ["x86_64"]},
        ],
    }


def test_one_is_imported_told_of_and_deleted(client: Client, server: FileServer) -> None:
    tags = [{"ResourceType": "image", "Tags": [{"Key": "team", "Value": "a"}]}]
    url = server.url(f"/web.tar.gz#sha256={SHA256}&zone={ZONE}")
    said = asked(url, ImageDescription="of mine", TagSpecification=tags, LicenseType="BYOL", BootMode="Legacy BIOS")
    image = client.call("ImportImage", said).response["ImageId"]
    (told,) = listed(client, ImageIds=[image])
    assert (told["ImageState"], told["ImageSource"], told["SyncPercent"]) == ("IMPORTING", "EXTERNAL_IMPORT", 0)
    assert told["ImageSize"] == 0  # nobody knows it; the room that is kept is the largest's
    work()
    (told,) = listed(client, ImageIds=[image])
    assert (told["ImageState"], told["SyncPercent"], told["ImageSize"], told["SnapshotSet"]) == ("NORMAL", 100, 2, [])
    assert (told["OsName"], told["Platform"], told["ImageName"], told["ImageDescription"], told["Tags"]) == (
        "Ubuntu Server 24.04 LTS 64-bit", "Ubuntu", "web", "of mine", [{"Key": "team", "Value": "a"}],
    )  # fmt: skip
    assert (len(PACKED) > 0, server.asked) == (True, ["/web.tar.gz"])
    client.call("DeleteImages", {"ImageIds": [image], "DeleteBindedSnap": True})
    work()
    assert OwnImage.objects.get().state == "GONE"


def test_one_that_failed_is_told_of_until_it_is_deleted(client: Client, server: FileServer) -> None:
    image = client.call("ImportImage", asked(server.url("/none"))).response["ImageId"]
    work()
    (told,) = listed(client, ImageIds=[image])
    assert (told["ImageState"], told["ImageSize"]) == ("IMPORTFAILED", 0)
    client.call("DeleteImages", {"ImageIds": [image]})
    work()
    assert listed(client, ImageIds=[image]) == []


def test_with_dry_run_nothing_is_written(client: Client, server: FileServer) -> None:
    assert "ImageId" not in client.call("ImportImage", asked(server.url("/web.tar.gz"), DryRun=True)).response
    assert (OwnImage.objects.count(), server.asked) == (0, [])


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"OsType": "Plan9"}, ("InvalidImageOsType.Unsupported", "OsType")),
        ({"OsType": "Windows", "OsVersion": "2022"}, ("InvalidImageOsType.Unsupported", "OsType")),
        ({"OsVersion": "20.04"}, ("InvalidImageOsVersion.Unsupported", "OsVersion")),
        ({"Architecture": "arm_64"}, ("InvalidParameterValue", "Architecture")),
        ({"Architecture": "s390x"}, ("InvalidParameterValue", "Architecture")),
        ({"ImageUrl": "http://files.example.com/a"}, ("InvalidParameter.InvalidParameterUrlError", "ImageUrl")),
        ({"ImageUrl": "https://10.0.0.1/a"}, ("InvalidParameter.InvalidParameterUrlError", "ImageUrl")),
        ({"ImageUrl": "https://[#x"}, ("InvalidParameter.InvalidParameterUrlError", "ImageUrl")),
        ({"ImageUrl": "https://[#sha256="}, ("InvalidParameter.InvalidParameterUrlError", "ImageUrl")),
        ({"ImageUrl": "https://a\u2100b/#sha256="}, ("InvalidParameter.InvalidParameterUrlError", "ImageUrl")),
        ({"ImageUrl": URL + "#zone=ap-shanghai-2"}, ("InvalidParameterValue.ZoneNotSupported", "ImageUrl")),
        ({"ImageUrl": URL + "#sha256=1"}, ("InvalidParameterValue", "ImageUrl")),
        ({"ImageUrl": URL + "#zone=ap-guangzhou-3"}, ("RegionAbilityLimit.UnsupportedToImportImage", "ImageUrl")),
        ({"ImageName": ""}, ("InvalidParameterValue", "ImageName")),
        ({"Force": True}, ("UnsupportedOperation", "Force")),
        ({"BootMode": "UEFI"}, ("UnsupportedOperation", "BootMode")),
    ],
)
def test_what_is_wrong_is_refused_by_its_code(client: Client, said: dict[str, Any], refused: tuple[str, str]) -> None:
    assert code(client, "ImportImage", asked() | said) == refused
