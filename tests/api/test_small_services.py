"""Given programs that ask who they are, where they are and what tags there are, then they are told."""

import pytest

from tests.api.customer import open_customer

pytestmark = pytest.mark.usefixtures("shop")
TAG = "2018-08-13"
ASKED = {"ServiceType": "cvm", "ResourcePrefix": "instance", "ResourceRegion": "ap-guangzhou", "ResourceIds": ["ins-a"]}


def test_who_signs() -> None:
    """The account, and the user of the key: number 70 of the tests' key ring."""
    client, account_id = open_customer()
    answer = client.call("GetCallerIdentity", version=TAG).response
    del answer["RequestId"]
    assert answer == {
        "Arn": f"qcs::cam:{account_id}:uin/70", "AccountId": str(account_id), "UserId": "70", "PrincipalId": "70",
        "Type": "CAMUser",
    }  # fmt: skip


def test_nothing_has_tags() -> None:
    client, _ = open_customer()
    answer = client.call(
        "DescribeResourceTagsByResourceIds", {**ASKED, "Category": "any", "Offset": 20, "Limit": 20}, version=TAG
    ).response
    assert (answer["TotalCount"], answer["Offset"], answer["Limit"], answer["Tags"]) == (0, 20, 20, [])
    assert client.call("DescribeResourceTagsByResourceIds", ASKED, version=TAG).response["Limit"] == 15
    for change, code in [
        ({"ResourceIds": ["ins-a"] * 51}, "LimitExceeded.ResourceNumPerRequest"),
        ({"ResourceIds": "ins-a"}, "InvalidParameter"),
        ({"Offset": -1}, "InvalidParameterValue.OffsetInvalid"),
        ({"Limit": 101}, "InvalidParameterValue"),
    ]:
        given, sentence = client.call("DescribeResourceTagsByResourceIds", {**ASKED, **change}, version=TAG).error
        assert (given, next(iter(change)) in sentence) == (code, True)
    for needed in ASKED:
        rest = {name: value for name, value in ASKED.items() if name != needed}
        assert client.call("DescribeResourceTagsByResourceIds", rest, version=TAG).error == (
            "MissingParameter", f"The parameter {needed} is missing."
        )  # fmt: skip


def test_zones_of_the_service_api_are_those_of_the_service_region() -> None:
    client, _ = open_customer()
    api = client.call("DescribeZones", {"Product": "cvm"}, version="2020-11-06").response
    region = client.call("DescribeZones", {"Product": "cvm"}, version="2022-06-27").response
    assert (api["TotalCount"], api["ZoneSet"]) == (3, region["ZoneSet"])
    cvm = client.call("DescribeZones").response["ZoneSet"]
    assert [zone["ZoneId"] for zone in api["ZoneSet"]] == [zone["ZoneId"] for zone in cvm]
    code, sentence = client.call("DescribeZones", {"Product": "tea"}, version="2020-11-06").error
    assert (code, sentence) == ("InvalidParameterValue", "Product is tea; possible are cvm.")
