"""Given programs that ask who they are and where they are, then they are told."""

import pytest

from tests.api.customer import open_customer
from vmart.customers.models import User

pytestmark = pytest.mark.usefixtures("shop")
TAG = "2018-08-13"


def test_who_signs() -> None:
    """The account, and the user of the key."""
    client, account_id = open_customer()
    user = User.objects.get(member__account_id=account_id).pk
    answer = client.call("GetCallerIdentity", version=TAG).response
    del answer["RequestId"]
    assert answer == {
        "Arn": f"qcs::cam:{account_id}:uin/{user}", "AccountId": str(account_id), "UserId": str(user),
        "PrincipalId": str(user),
        "Type": "CAMUser",
    }  # fmt: skip


def test_zones_of_the_service_api_are_those_of_the_service_region() -> None:
    client, _ = open_customer()
    api = client.call("DescribeZones", {"Product": "cvm"}, version="2020-11-06").response
    region = client.call("DescribeZones", {"Product": "cvm"}, version="2022-06-27").response
    assert (api["TotalCount"], api["ZoneSet"]) == (3, region["ZoneSet"])
    cvm = client.call("DescribeZones").response["ZoneSet"]
    assert [zone["ZoneId"] for zone in api["ZoneSet"]] == [zone["ZoneId"] for zone in cvm]
    code, sentence = client.call("DescribeZones", {"Product": "tea"}, version="2020-11-06").error
    assert (code, sentence) == ("InvalidParameterValue", "Product is tea; possible are cvm.")


def test_regions_are_those_of_cvm() -> None:
    client, _ = open_customer()
    told = client.call("DescribeRegions", {"Product": "cvm"}, version="2022-06-27").response
    known = client.call("DescribeRegions").response
    mainland = dict.fromkeys(("RegionTypeMC", "LocationMC", "RegionNameMC", "RegionIdMC"))
    assert told["TotalCount"] == 2
    assert told["RegionSet"] == [{**region, **mainland} for region in known["RegionSet"]]


@pytest.mark.parametrize("action", ["DescribeZones", "DescribeRegions"])
def test_a_scene_is_taken_and_changes_nothing(action: str) -> None:
    client, _ = open_customer()
    plain = client.call(action, {"Product": "cvm"}, version="2022-06-27").response
    told = client.call(action, {"Product": "cvm", "Scene": 1}, version="2022-06-27").response
    assert plain | {"RequestId": ""} == told | {"RequestId": ""}
    assert client.call(action, {"Product": "cvm", "Scene": 2}, version="2022-06-27").error[0] == "InvalidParameterValue"
