"""Given programs that tag things and ask for tags, then the tag service does what is published of it."""

from typing import Any

import pytest

from tests.api.calling import Answered, Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support.shopper import work
from vmart.kernel import public_ids
from vmart.tags import keep

pytestmark = pytest.mark.usefixtures("shop")
A = {"TagKey": "team", "TagValue": "a"}
ASKED = {"ServiceType": "cvm", "ResourcePrefix": "instance", "ResourceRegion": "ap-guangzhou", "ResourceIds": ["ins-a"]}


def call(client: Client, action: str, **members: Any) -> Answered:
    return client.call(action, members, version="2018-08-13")


def done(client: Client, action: str, **members: Any) -> dict[str, Any]:
    answer = call(client, action, **members).response
    assert "Error" not in answer, answer
    return answer


def named(kind: str, public_id: str, *, service: str = "cvm", region: str = "ap-guangzhou", owner: str = "") -> str:
    return f"qcs::{service}:{region}:uin/{owner}:{kind}/{public_id}"


def tags_of(client: Client, public_id: str, kind: str = "instance", service: str = "cvm") -> dict[str, str]:
    """As Terraform asks for them at each refresh."""
    found = done(
        client, "DescribeResourceTagsByResourceIds", ServiceType=service, ResourcePrefix=kind,
        ResourceRegion="ap-guangzhou", ResourceIds=[public_id], Limit=20, Offset=0,
    )  # fmt: skip
    assert {tag["ResourceId"] for tag in found["Tags"]} <= {public_id}
    assert found["TotalCount"] == len(found["Tags"])
    return {tag["TagKey"]: tag["TagValue"] for tag in found["Tags"]}


@pytest.fixture
def things(delivering: None) -> tuple[Client, dict[str, tuple[str, str]]]:
    """A customer with one thing of each kind: kind -> service and id."""
    client, account = open_customer()
    (machine,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    work()
    (told,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    pair = client.call("CreateKeyPair", {"KeyName": "k", "ProjectId": 0}).response["KeyPair"]["KeyId"]
    network = told["VirtualPrivateCloud"]
    made = client.call("CreateDisasterRecoverGroup", {"Name": "apart", "Type": "HOST"}).response
    group = made["DisasterRecoverGroupId"]
    return client, {
        "instance": ("cvm", machine), "volume": ("cvm", told["SystemDisk"]["DiskId"]), "keypair": ("cvm", pair),
        "vpc": ("vpc", network["VpcId"]), "subnet": ("vpc", network["SubnetId"]),
        "sg": ("cvm", public_ids.of("sg", account)), "ps": ("cvm", group),
    }  # fmt: skip


KINDS = ["instance", "volume", "keypair", "vpc", "subnet", "sg", "ps"]


@pytest.mark.parametrize("kind", KINDS)
def test_terraform_sets_changes_and_takes_away_the_tags_of_a_thing(things: Any, kind: str) -> None:
    client, each = things
    service, public_id = each[kind]
    name = named(kind, public_id, service=service)
    done(client, "ModifyResourceTags", Resource=name, ReplaceTags=[A, {"TagKey": "env", "TagValue": "测试"}])
    assert tags_of(client, public_id, kind, service) == {"env": "测试", "team": "a"}
    done(
        client, "ModifyResourceTags", Resource=name, ReplaceTags=[{"TagKey": "team", "TagValue": "b"}],
        DeleteTags=[{"TagKey": "env"}],
    )  # fmt: skip
    assert tags_of(client, public_id, kind, service) == {"team": "b"}


def test_an_answer_tells_all_of_a_tag(things: Any) -> None:
    client, each = things
    _, machine = each["instance"]
    done(client, "ModifyResourceTags", Resource=named("instance", machine), ReplaceTags=[A])
    (tag,) = done(client, "DescribeResourceTagsByResourceIds", **{**ASKED, "ResourceIds": [machine]})["Tags"]
    assert tag == {
        "TagKey": "team", "TagValue": "a", "ResourceId": machine, "ServiceType": "cvm", "Category": "Custom",
        "TagKeyMd5": "f894427cc1c571f79da49605ef8b112f", "TagValueMd5": "0cc175b9c0f1b6a831c399e269772661",
    }  # fmt: skip
    of_system = {**ASKED, "ResourceIds": [machine], "Category": "System"}
    system = done(client, "DescribeResourceTagsByResourceIds", **of_system)
    assert (system["TotalCount"], system["Tags"]) == (0, [])


def test_tags_of_several_things_a_page_at_a_time(things: Any) -> None:
    client, each = things
    _, machine = each["instance"]
    several = [{"TagKey": f"k{n}", "TagValue": "v"} for n in range(5)]
    done(client, "ModifyResourceTags", Resource=named("instance", machine), ReplaceTags=several)
    asked = {**ASKED, "ResourceIds": [machine, "ins-unknown0", machine], "Limit": 2}
    pages = [done(client, "DescribeResourceTagsByResourceIds", **asked, Offset=offset) for offset in (0, 2, 4, 6)]
    assert [(page["TotalCount"], page["Offset"], page["Limit"]) for page in pages] == [
        (5, 0, 2), (5, 2, 2), (5, 4, 2), (5, 6, 2),
    ]  # fmt: skip
    assert [[tag["TagKey"] for tag in page["Tags"]] for page in pages] == [["k0", "k1"], ["k2", "k3"], ["k4"], []]


def test_things_of_a_kind_that_is_not_here_have_no_tags() -> None:
    client, _ = open_customer()
    for change in ({"ResourcePrefix": "loadbalancer"}, {"ServiceType": "cos"}, {"ServiceType": "vpc"}):
        answer = done(client, "DescribeResourceTagsByResourceIds", **{**ASKED, **change})
        assert (answer["TotalCount"], answer["Limit"], answer["Tags"]) == (0, 15, [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ResourceIds": ["ins-a"] * 51}, "LimitExceeded.ResourceNumPerRequest"),
        ({"ResourceIds": "ins-a"}, "InvalidParameter"),
        ({"Offset": -1}, "InvalidParameterValue.OffsetInvalid"),
        ({"Limit": 101}, "InvalidParameterValue"),
        ({"Category": "custom"}, "InvalidParameterValue"),
    ],
)
def test_what_is_refused_of_a_question(change: dict[str, Any], code: str) -> None:
    client, _ = open_customer()
    given, sentence = call(client, "DescribeResourceTagsByResourceIds", **{**ASKED, **change}).error
    assert (given, next(iter(change)) in sentence) == (code, True)


@pytest.mark.parametrize("needed", ASKED)
def test_what_a_question_needs(needed: str) -> None:
    client, _ = open_customer()
    rest = {name: value for name, value in ASKED.items() if name != needed}
    assert call(client, "DescribeResourceTagsByResourceIds", **rest).error == (
        "MissingParameter", f"The parameter {needed} is missing."
    )  # fmt: skip


_VALUE = "InvalidParameterValue."


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ins-1a2b3c4d", "ResourceDescriptionError"),
        ("qcs::cvm:ap-guangzhou:instance/ins-1a2b3c4d", "ResourceDescriptionError"),
        ("arn::cvm:ap-guangzhou:uin/:instance/ins-1a2b3c4d", "ResourceDescriptionError"),
        ("x" * 257, "ResourceDescriptionError"),
        (named("instance", "ins-1a2b3c4d", service="cos"), "ServiceTypeInvalid"),
        (named("instance", "ins-1a2b3c4d", service="vpc"), "ResourcePrefixInvalid"),
        (named("loadbalancer", "lb-1a2b3c4d"), "ResourcePrefixInvalid"),
        (named("instance", "ins-1a2b3c4d", region="ap-nowhere"), "RegionInvalid"),
        (named("instance", "ins-1a2b3c4d", owner="999999"), "UinInvalid"),
        (named("instance", "ins-1a2b3c4d"), "ResourceIdInvalid"),
        (named("instance", ""), "ResourceIdInvalid"),
        ("qcs::cvm:ap-guangzhou:uin/:instance", "ResourceIdInvalid"),
    ],
)
def test_what_is_refused_of_a_name(name: str, code: str) -> None:
    client, _ = open_customer()
    for action, members, member in [
        ("ModifyResourceTags", {"Resource": name, "ReplaceTags": [A]}, "Resource"),
        ("AddResourceTag", {"Resource": name, **A}, "Resource"),
        ("UpdateResourceTagValue", {"Resource": name, **A}, "Resource"),
        ("DeleteResourceTag", {"Resource": name, "TagKey": "team"}, "Resource"),
        ("TagResources", {"ResourceList": [name], "Tags": [A]}, "ResourceList.0"),
        ("UnTagResources", {"ResourceList": [name], "TagKeys": ["team"]}, "ResourceList.0"),
    ]:
        with nothing_written():
            given, sentence = call(client, action, **members).error
        assert (given, sentence.partition(":")[0]) == (_VALUE + code, member) or len(name) == 257
    if code in {"RegionInvalid", "UinInvalid"} or not name.startswith("qcs:"):
        assert call(client, "GetResources", ResourceList=[name]).error[0] == _VALUE + code


def test_names_may_say_the_account_or_leave_places_empty() -> None:
    client, account = open_customer()
    group = public_ids.of("sg", account)
    for number, name in enumerate([
        f"qcs::cvm:ap-guangzhou:uin/{account}:sg/{group}", f"qcs::cvm:::sg/{group}", f"qcs:id/0:cvm::uin/:sg/{group}",
    ]):  # fmt: skip
        done(client, "ModifyResourceTags", Resource=name, ReplaceTags=[{"TagKey": "n", "TagValue": str(number)}])
        assert tags_of(client, group, "sg") == {"n": str(number)}


@pytest.mark.parametrize(
    ("members", "code", "member"),
    [
        ({}, "MissingParameter", "ReplaceTags"),
        ({"ReplaceTags": [{**A, "TagKey": "a<"}]}, _VALUE + "TagKeyCharacterIllegal", "ReplaceTags.0.TagKey"),
        ({"ReplaceTags": [A, {"TagKey": "b", "TagValue": ""}]}, _VALUE + "TagValueEmpty", "ReplaceTags.1.TagValue"),
        ({"ReplaceTags": [{**A, "Category": "System"}]}, "InvalidParameterValue", "ReplaceTags.0.Category"),
        ({"ReplaceTags": [A], "DeleteTags": [{"TagKey": "team"}]}, _VALUE + "DeleteTagsParamError", "DeleteTags"),
        ({"DeleteTags": [{"TagKey": f"k{n}"} for n in range(11)]}, "LimitExceeded.TagNumPerRequest", "DeleteTags"),
        ({"ReplaceTags": [A] * 101}, "LimitExceeded.TagNumPerRequest", "ReplaceTags"),
    ],
)
def test_what_is_refused_of_tags(members: dict[str, Any], code: str, member: str) -> None:
    client, account = open_customer()
    name = named("sg", public_ids.of("sg", account))
    done(client, "ModifyResourceTags", Resource=name, ReplaceTags=[{"TagKey": "kept", "TagValue": "k"}])
    with nothing_written():
        given, sentence = call(client, "ModifyResourceTags", Resource=name, **members).error
    assert (given, member in sentence) == (code, True)


def test_several_things_are_tagged_and_untagged_all_or_none(things: Any) -> None:
    client, each = things
    both = [named(kind, each[kind][1]) for kind in ("instance", "volume")]
    assert done(client, "TagResources", ResourceList=both, Tags=[A])["FailedResources"] == []
    assert [tags_of(client, each[kind][1], kind) for kind in ("instance", "volume")] == [{"team": "a"}] * 2
    three = [*both, named("instance", "ins-no")]
    with nothing_written():
        code, _ = call(client, "UnTagResources", ResourceList=three, TagKeys=["team"]).error
    assert code == "InvalidParameterValue.ResourceIdInvalid"
    assert done(client, "UnTagResources", ResourceList=both, TagKeys=["team"])["FailedResources"] == []
    assert [tags_of(client, each[kind][1], kind) for kind in ("instance", "volume")] == [{}, {}]
    for action, tags in (("TagResources", {"Tags": [A]}), ("UnTagResources", {"TagKeys": ["team"]})):
        assert call(client, action, ResourceList=[], **tags).error[0] == "MissingParameter"
        too_many = [named("sg", f"sg-{n}") for n in range(11)]
        assert call(client, action, ResourceList=too_many, **tags).error[0] == "LimitExceeded.ResourceNumPerRequest"


def test_one_tag_is_added_changed_and_taken_away_as_published() -> None:
    client, account = open_customer()
    group = public_ids.of("sg", account)
    name = named("sg", group)
    with nothing_written():
        for action, members in (("UpdateResourceTagValue", A), ("DeleteResourceTag", {"TagKey": "team"})):
            code, _ = call(client, action, Resource=name, **members).error
            assert code == "ResourceNotFound.AttachedTagKeyNotFound"
    done(client, "AddResourceTag", Resource=name, **A)
    with nothing_written():
        assert call(client, "AddResourceTag", Resource=name, **A).error[0] == "ResourceInUse.TagKeyAttached"
    done(client, "UpdateResourceTagValue", Resource=name, TagKey="team", TagValue="b")
    assert tags_of(client, group, "sg") == {"team": "b"}
    done(client, "DeleteResourceTag", Resource=name, TagKey="team")
    assert tags_of(client, group, "sg") == {}


def test_things_with_their_tags(things: Any) -> None:
    client, each = things
    for kind in KINDS:
        service, public_id = each[kind]
        value = "b" if kind == "sg" else "a"
        tags = [{"TagKey": "team", "TagValue": value}, {"TagKey": kind, "TagValue": "x"}]
        done(client, "ModifyResourceTags", Resource=named(kind, public_id, service=service), ReplaceTags=tags)
    account = done(client, "GetResources")["ResourceTagMappingList"][0]["Resource"].split(":")[4]
    places = dict.fromkeys(KINDS, "ap-guangzhou") | {"keypair": "", "sg": "", "ps": ""}
    names = {kind: f"qcs::{each[kind][0]}:{places[kind]}:{account}:{kind}/{each[kind][1]}" for kind in KINDS}
    ordered = [names[kind] for kind in sorted(KINDS)]
    assert _resources(done(client, "GetResources")) == (ordered, "")
    first, token = _resources(done(client, "GetResources", MaxResults=4))
    assert (first, _resources(done(client, "GetResources", MaxResults=4, PaginationToken=token))) == (
        ordered[:4], (ordered[4:], ""),
    )  # fmt: skip
    both = [{"TagKey": "team", "TagValue": ["a", "z"]}, {"TagKey": "vpc"}]
    assert _resources(done(client, "GetResources", TagFilters=both)) == ([names["vpc"]], "")
    of_b = [{"TagKey": "team", "TagValue": ["b"]}]
    assert _resources(done(client, "GetResources", TagFilters=of_b))[0] == [names["sg"]]
    by_name = done(client, "GetResources", ResourceList=[names["sg"], names["instance"]], MaxResults=1)
    assert _resources(by_name) == ([names["instance"], names["sg"]], "")
    elsewhere = [f"qcs::cbs:ap-guangzhou::instance/{each['volume'][1]}", names["vpc"].replace("vpc", "cvm", 1)]
    assert _resources(done(client, "GetResources", ResourceList=elsewhere)) == ([], "")
    assert _resources(done(client, "GetResources", ResourceList=[*elsewhere, names["sg"]])) == ([names["sg"]], "")
    assert by_name["ResourceTagMappingList"][1]["Tags"] == [
        {"TagKey": "sg", "TagValue": "x", "Category": "Custom"},
        {"TagKey": "team", "TagValue": "b", "Category": "Custom"},
    ]  # fmt: skip


def _resources(answer: dict[str, Any]) -> tuple[list[str], str]:
    return [each["Resource"] for each in answer["ResourceTagMappingList"]], answer["PaginationToken"]


def test_keys_and_values_that_there_are(things: Any) -> None:
    client, each = things
    for kind, value in (("instance", "b"), ("volume", "a"), ("keypair", "a")):
        tags = [{"TagKey": "team", "TagValue": value}, {"TagKey": "kind", "TagValue": kind}]
        done(client, "ModifyResourceTags", Resource=named(kind, each[kind][1]), ReplaceTags=tags)
    keys = done(client, "DescribeTagKeys")
    assert (keys["TotalCount"], keys["Offset"], keys["Limit"], keys["Tags"]) == (2, 0, 15, ["kind", "team"])
    assert done(client, "DescribeTagKeys", Offset=1)["Tags"] == ["team"]
    assert done(client, "DescribeTagKeys", Limit=1)["Tags"] == ["kind"]
    assert done(client, "DescribeTagKeys", Category="System")["Tags"] == []
    values = done(client, "DescribeTagValues", TagKeys=["team"])
    assert values["TotalCount"] == 2
    assert values["Tags"] == [{"TagKey": "team", "TagValue": value, "Category": "Custom"} for value in "ab"]
    assert done(client, "DescribeTagValues", TagKeys=["team"], Category="System")["TotalCount"] == 0
    pairs = done(client, "DescribeTags", Limit=3)
    assert (pairs["TotalCount"], len(pairs["Tags"])) == (5, 3)
    assert pairs["Tags"][0] == {"TagKey": "kind", "TagValue": "instance", "CanDelete": 0, "Category": "Custom"}
    assert [tag["TagValue"] for tag in done(client, "DescribeTags", TagKey="team", TagValue="b")["Tags"]] == ["b"]
    assert [tag["TagValue"] for tag in done(client, "DescribeTags", TagKeys=["team"])["Tags"]] == ["a", "b"]
    last = done(client, "DescribeTags", TagKeys=["kind", "team"], Offset=3)
    assert (last["TotalCount"], [tag["TagKey"] for tag in last["Tags"]]) == (5, ["team", "team"])


def _pairs(client: Client, **members: Any) -> list[tuple[str, str]]:
    return [(tag["TagKey"], tag["TagValue"]) for tag in done(client, "GetTags", **members)["Tags"]]


def test_a_tag_is_kept_and_deleted_by_itself() -> None:
    """As Terraform's resource tencentcloud_tag makes, reads and deletes one."""
    client, _ = open_customer()
    done(client, "CreateTag", **A)
    done(client, "CreateTag", TagKey="team", TagValue="b")
    done(client, "CreateTag", TagKey="stage", TagValue="test")
    assert _pairs(client, TagKeys=["team"]) == [("team", "a"), ("team", "b")]
    assert _pairs(client, Category="System") == []
    first = done(client, "GetTags", MaxResults=2)
    assert (first["PaginationToken"], len(first["Tags"])) == ("2", 2)
    last = done(client, "GetTags", MaxResults=2, PaginationToken="2")
    assert (last["PaginationToken"], [tag["TagValue"] for tag in last["Tags"]]) == ("", ["b"])
    assert done(client, "DescribeTagKeys")["Tags"] == ["stage", "team"]
    (told,) = done(client, "DescribeTags", TagKey="stage")["Tags"]
    assert told == {"TagKey": "stage", "TagValue": "test", "CanDelete": 1, "Category": "Custom"}
    with nothing_written():
        assert call(client, "CreateTag", **A).error[0] == "ResourceInUse.TagDuplicate"
    stranger, _ = open_customer("stranger")
    assert _pairs(stranger) == []
    with nothing_written():
        assert call(stranger, "DeleteTag", **A).error[0] == "ResourceNotFound.TagNonExist"
    done(client, "DeleteTag", **A)
    assert _pairs(client) == [("stage", "test"), ("team", "b")]
    with nothing_written():
        assert call(client, "DeleteTag", **A).error[0] == "ResourceNotFound.TagNonExist"


def test_a_tag_that_a_thing_has_is_not_made_and_not_deleted(things: tuple[Client, dict[str, tuple[str, str]]]) -> None:
    client, each = things
    done(client, "CreateTag", **A)
    done(client, "ModifyResourceTags", Resource=named("instance", each["instance"][1]), ReplaceTags=[A])
    assert done(client, "DescribeTags", TagKey="team")["Tags"][0]["CanDelete"] == 0
    with nothing_written():
        assert call(client, "DeleteTag", **A).error[0] == "FailedOperation.TagAttachedResource"
        assert call(client, "CreateTag", **A).error[0] == "ResourceInUse.TagDuplicate"
    taken = [{"TagKey": "team"}]
    done(client, "ModifyResourceTags", Resource=named("instance", each["instance"][1]), DeleteTags=taken)
    assert _pairs(client) == [("team", "a")]  # kept, though nothing has it
    done(client, "DeleteTag", **A)
    assert _pairs(client) == []


@pytest.mark.parametrize(
    ("members", "code", "names"),
    [
        ({"TagKey": ""}, "InvalidParameterValue.TagKeyEmpty", "TagKey"),
        ({"TagKey": "qcloud-a"}, "InvalidParameterValue.ReservedTagKey", "TagKey"),
        ({"TagValue": "#"}, "InvalidParameterValue.TagValueCharacterIllegal", "TagValue"),
    ],
)
def test_a_tag_that_none_can_be(members: dict[str, str], code: str, names: str) -> None:
    client, _ = open_customer()
    with nothing_written():
        refused = call(client, "CreateTag", **A | members).error
    assert refused[0] == code
    assert names in refused[1]


def test_an_account_keeps_so_many_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "KEPT_MAX", 1)
    client, _ = open_customer()
    done(client, "CreateTag", **A)
    with nothing_written():
        assert call(client, "CreateTag", TagKey="team", TagValue="b").error[0] == "LimitExceeded.TagKey"
