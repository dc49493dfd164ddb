"""Given any list of an account's, when it is asked for as CSV, then all of it comes, and of this account alone."""

import csv
import io

import pytest
from django.urls import reverse

from tests.web import test_others_things as things
from tests.web.membership import member_of
from tests.web.test_others_things import Things
from tests.web.visiting import Visitor, customer
from vmart.instances.models import KeyPair
from vmart.kernel import clock
from vmart.network.models import Subnet, Vpc

owner = things.owner
# Name of the address -> head of the file, and the column by which a row is told.
LISTS = {
    "images": ("id,name,state,size_gib,zone,created", "id"),
    "addresses": ("id,address,name,state,machine,network,bandwidth_mbps,zone,created,expires", "id"),
    "packages": ("id,name,bandwidth,members,zone,created", "id"),
    "keys": ("name,id,public_key,created", "id"),
    "networks": ("id,name,vpc,zone,cidr,used,free", "id"),
    "security_groups": ("id,name,description,region,ingress,egress,machines,created", "id"),
    "templates": ("id,name,default,versions,type,image,created", "id"),
    "placement_groups": ("id,name,apart,affinity,machines,created", "id"),
    "snapshot_policies": ("id,name,state,weekdays,hours,kept_days,disks,region,next", "id"),
    "tags": ("key,value,things", "value"),
    "api_keys": ("id,member,state,from,used", "id"),
    "members": ("email,role,joined", "email"),
    "quotas": ("quota,zone,used,most", "quota"),
    "alarms": ("id,name,rule,machines,state,alarming_at,since", "id"),
    "machines": ("id,name,state,public_ip,private_ip,zone,type,vcpu,memory_mib,charge_type,created,expires", "id"),
}  # fmt: skip


def file(visitor: Visitor, name: str, **query: str) -> tuple[str, list[dict[str, str]]]:
    answer = visitor.get(reverse(name), {"as": "csv", **query})
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return text.splitlines()[0], list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def having(owner: tuple[Visitor, Things]) -> tuple[Visitor, dict[str, str]]:
    """What tells the one row of each list, by the list."""
    visitor, has = owner
    KeyPair.objects.create(
        account_id=visitor.account_id, public_id="skey-00000001", name="a", public_key="ssh-x", created_at=clock.now()
    )
    visitor.post(f"/machines/{has.machine}/tags/", {"act": "put", "key": "team", "value": "=cmd"})
    return visitor, {
        "images": has.image, "addresses": has.eip, "packages": has.package, "keys": "skey-00000001",
        "networks": Subnet.objects.get().public_id, "security_groups": has.security_group, "templates": has.template,
        "placement_groups": has.group, "snapshot_policies": has.policy, "alarms": has.alarm, "machines": has.machine,
        "members": visitor.user.email,
    }  # fmt: skip


def test_each_has_its_head_and_its_rows_and_a_button(having: tuple[Visitor, dict[str, str]]) -> None:
    visitor, rows = having
    for name, (head, told_by) in LISTS.items():
        assert "as=csv" in visitor.get(reverse(name)).content.decode(), name
        found, lines = file(visitor, name)
        assert found == head, name
        if name in rows:
            assert rows[name] in [line[told_by] for line in lines], name
        else:
            assert lines, name
    assert file(visitor, "networks", of="vpcs")[0] == "id,name,region,cidr,subnets,created"
    assert [line["id"] for line in file(visitor, "networks", of="vpcs")[1]] == [Vpc.objects.get().public_id]
    assert [line["value"] for line in file(visitor, "tags")[1]] == ["'=cmd"]  # no formula for a spreadsheet


def test_what_is_anothers_is_in_none(having: tuple[Visitor, dict[str, str]]) -> None:
    other = customer()
    for name, (_head, told_by) in LISTS.items():
        _, lines = file(other, name)
        assert having[1].get(name, "team") not in [line[told_by] for line in lines], name
        if name not in ("quotas", "members", "security_groups"):
            assert lines == [], name


def test_a_file_is_narrowed_as_the_list_is(having: tuple[Visitor, dict[str, str]]) -> None:
    visitor, rows = having
    for name in ("security_groups", "templates", "placement_groups", "snapshot_policies"):
        assert [line["id"] for line in file(visitor, name, q=rows[name])[1]] == [rows[name]], name
        assert file(visitor, name, q="nothing is called so")[1] == [], name


def test_a_file_is_more_than_a_page() -> None:
    visitor = customer()
    for number in range(120):
        KeyPair.objects.create(
            account_id=visitor.account_id, public_id=f"skey-{number:08}", name=f"k{number}", public_key="",
            created_at=clock.now(),
        )  # fmt: skip
    _, lines = file(visitor, "keys")
    assert [line["id"] for line in lines] == [f"skey-{number:08}" for number in range(119, -1, -1)]


def test_a_viewer_has_the_files_of_what_he_may_look_at(having: tuple[Visitor, dict[str, str]]) -> None:
    viewer = member_of(having[0].account_id, "viewer")
    for name, (head, _) in LISTS.items():
        assert file(viewer, name)[0] == head, name
    assert viewer.get("/activity/", {"as": "csv"}).status_code == 403
