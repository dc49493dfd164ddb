"""Given a choice on the purchase page, when it is shown as code, then the program asks for just that choice."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from django.conf import settings as shop_settings
from django.test import Client
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.launch_templates.keeping import template
from tests.support.actors import by
from tests.web import programs
from tests.web.programs import PASSWORD, READERS
from tests.web.visiting import Visitor, customer, form_of, text_of
from vmart.api.actions.cvm import purchase as api
from vmart.api.declarations import decode
from vmart.api.registry import Call as ApiCall
from vmart.instances import key_pairs
from vmart.instances.attributes import Attributes
from vmart.kernel.paths import leaves
from vmart.network.models import Subnet
from vmart.orders.login import LoginWanted
from vmart.orders.own_network import NetworkWanted
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.tags.wanted import Tag, TagsOf
from vmart.web.as_code import LANGUAGES, terraform
from vmart.web.as_code.request import PASSWORD as FROM_ENVIRONMENT
from vmart.web.as_code.request import Call, Endpoint, Members, members

CHOSEN = (
    "charge=postpaid&zone=ap-guangzhou-3&type=S5.MEDIUM4&image=img-db12k7x4&disk=CLOUD_SSD&disk_gib=60&mbps=7"
    "&internet=bandwidth&name=web&count=2&data_disk=CLOUD_PREMIUM&data_gib=30&tags=team=web"
)
ASKED = {
    "Placement": {"Zone": "ap-guangzhou-3"},
    "InstanceType": "S5.MEDIUM4",
    "InstanceChargeType": "POSTPAID_BY_HOUR",
    "SystemDisk": {"DiskType": "CLOUD_SSD", "DiskSize": 60},
    "DataDisks": [{"DiskType": "CLOUD_PREMIUM", "DiskSize": 30, "DeleteWithInstance": True}],
    "InternetAccessible": {
        "InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 7, "PublicIpAssigned": True,
    },
    "InstanceCount": 2,
    "ImageId": "img-db12k7x4",
    "InstanceName": "web",
    "TagSpecification": [
        {"ResourceType": kind, "Tags": [{"Key": "team", "Value": "web"}]} for kind in ("instance", "volume")
    ],
}  # fmt: skip
ATTRIBUTES = {
    "count": 2,
    "instance_name": ("each", ["web1", "web2"]),
    "availability_zone": "ap-guangzhou-3",
    "instance_type": "S5.MEDIUM4",
    "instance_charge_type": "POSTPAID_BY_HOUR",
    "system_disk_type": "CLOUD_SSD",
    "system_disk_size": 60,
    "internet_charge_type": "BANDWIDTH_POSTPAID_BY_HOUR",
    "internet_max_bandwidth_out": 7,
    "allocate_public_ip": True,
    "image_id": "img-db12k7x4",
    "tags": [{"team": "web"}],
    "data_disks": [{"data_disk_type": "CLOUD_PREMIUM", "data_disk_size": 30, "delete_with_instance": True}],
}
# Those of tencentcloud_instance and its data_disks that the provider publishes, of which the page may need some.
PUBLISHED = {
    "count", "lifecycle", "availability_zone", "instance_name", "instance_type", "image_id", "hostname",
    "placement_group_id", "instance_charge_type", "instance_charge_type_prepaid_period",
    "instance_charge_type_prepaid_renew_flag", "spot_instance_type", "spot_max_price", "internet_charge_type",
    "internet_max_bandwidth_out", "allocate_public_ip", "ipv6_address_count", "vpc_id", "subnet_id", "private_ip",
    "orderly_security_groups", "system_disk_type", "system_disk_size", "system_disk_name", "data_disks", "key_ids",
    "password", "user_data", "tags", "disable_api_termination",
    "data_disk_type", "data_disk_size", "data_disk_name", "data_disk_snapshot_id", "delete_with_instance",
}  # fmt: skip


def _page(visitor: Client, query: str, language: str = "python", **headers: str) -> str:
    page = visitor.get(f"/buy/code/?{query}&language={language}", headers=headers)
    assert page.status_code == 200
    return page.content.decode()


def _asked(visitor: Client, query: str) -> Members:
    """What every language asks for, which is the same."""
    told = [read(programs.shown(_page(visitor, query, language))) for language, read in READERS.items()]
    assert all(each == told[0] for each in told)
    return told[0]


@pytest.mark.parametrize("language", READERS)
def test_a_stranger_is_told_the_whole_request(language: str) -> None:
    assert READERS[language](programs.shown(_page(Visitor(), CHOSEN, language))) == ASKED


def test_terraform_is_told_the_attributes() -> None:
    program = programs.shown(_page(Visitor(), CHOSEN, "terraform"))
    assert programs.of_terraform(program) == ATTRIBUTES
    assert "# The provider gives the tags to the machine and not to its disks.\nresource" in program


def test_the_page_has_tabs_an_install_line_and_the_way_back() -> None:
    page = _page(Visitor(), CHOSEN)
    tabs = re.findall(r'<a class="btn btn-sm[^"]*" href="([^"]*)"( aria-current="page")?>(\w+)</a>', page)
    assert [(name, bool(here)) for _address, here, name in tabs] == [
        ("tccli", False), ("Python", True), ("Go", False), ("Terraform", False), ("curl", False),
    ]  # fmt: skip
    assert all(address.startswith("/buy/code/?charge=postpaid&amp;") for address, _here, _name in tabs)
    back = re.search(r'<a class="btn" href="(/buy/\?[^"]*)">Back to the form</a>', page)
    assert back
    query = parse_qs(back[1].removeprefix("/buy/?").replace("&amp;", "&"))
    assert parse_qs(CHOSEN).items() <= query.items()
    assert '<code id="install" data-copy="Copy">pip install tencentcloud-sdk-python</code>' in page
    assert '<code id="program" data-copy="Copy">' in page


def test_the_purchase_page_and_its_price_lead_there_with_what_is_chosen() -> None:
    """A stranger by a link; who has an account by a button, which takes along what no address holds."""
    visitor = Visitor()
    for page in (visitor.get(f"/buy/?{CHOSEN}", follow=True), visitor.get(f"/buy/price/?{CHOSEN}&count=3")):
        found = re.search(r'href="/buy/code/\?([^"]*)"><svg [^\n]*</svg> As code</a>', page.content.decode())
        assert found
        there = _asked(visitor, found[1].replace("&amp;", "&"))
        assert there == ASKED | {"InstanceCount": there["InstanceCount"]}
    assert there["InstanceCount"] == 3
    buyer = customer()
    page = buyer.get(f"/buy/?{CHOSEN}", follow=True)
    assert re.search(
        r'<button class="link" formaction="/buy/code/" formnovalidate>.* As code</button>', page.content.decode()
    )
    answer = buyer.post("/buy/code/", form_of(page))
    assert _asked(buyer, answer["Location"].removeprefix("/buy/code/?")) == ASKED


def test_an_unknown_language_is_the_first() -> None:
    assert programs.shown(_page(Visitor(), CHOSEN, "cobol")) == programs.shown(_page(Visitor(), CHOSEN, "tccli"))


def test_in_chinese() -> None:
    page = _page(Visitor(), f"{CHOSEN}&ends_at=2027-01-01T00:00", "terraform", accept_language="zh-CN")
    assert "以代码购买" in page
    program = programs.shown(page)
    assert programs.of_terraform(program) == ATTRIBUTES
    comments = [line for line in program.splitlines() if line.startswith("#")]
    assert len(comments) == 4
    assert all(re.search("[一-鿿]", comment) for comment in comments)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("query", "text", "field"),
    [
        ("disk_gib=7", "Enter a number from", "disk_gib"),
        ("login=key", "Choose a key pair.", "login-key"),
        ("charge=spot&type=S5.SMALL2&max_price=0.0001", "costs 0.036 now", "max_price"),
    ],
)
def test_what_is_wrong_is_said_and_no_code(query: str, text: str, field: str, language: str) -> None:
    page = _page(customer(), query, language)
    assert '<code id="program"' not in page
    found = re.search(r'<div class="notice error" id="refused".*?</div>', page, re.DOTALL)
    assert found
    assert text in found[0]
    assert re.search(rf'href="/buy/\?[^"]*#{field}"', found[0])


def test_a_name_that_no_machine_can_have_is_refused_where_each_is_told_its_own() -> None:
    page = _page(Visitor(), "count=2&name=" + "x" * 128, "terraform")
    assert '<code id="program"' not in page
    assert "A name has at most 128 characters" in page


def test_the_shops_own_address_is_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor, query, host = Visitor(), "charge=postpaid", "cloud.example.com:8000"
    assert f'protocol="http", endpoint="{host}"' in programs.shown(_page(visitor, query, host=host))
    assert f"--endpoint http://{host} --language en-US " in programs.shown(_page(visitor, query, "tccli", host=host))
    monkeypatch.setattr(shop_settings, "PUBLIC_URL", "https://shop.example.com")
    for language, told in {
        "tccli": "--endpoint https://shop.example.com ", "python": 'protocol="https", endpoint="shop.example.com"',
        "go": 'settings.HttpProfile.Scheme = "HTTPS"\n\tsettings.HttpProfile.Endpoint = "shop.example.com"',
        "curl": "scheme=https\nhost=shop.example.com\n",
        "terraform": '  protocol = "HTTPS"\n  domain   = "shop.example.com"\n',
    }.items():  # fmt: skip
        assert told in programs.shown(_page(visitor, query, language)), language


def test_a_typed_password_comes_from_the_environment() -> None:
    query = "login=password&password=Str0ng-pass"
    assert _asked(Visitor(), query)["LoginSettings"] == {"Password": PASSWORD}
    program = programs.shown(_page(Visitor(), query, "terraform"))
    assert programs.of_terraform(program)["password"] == PASSWORD
    assert 'variable "machine_password" {\n  type      = string\n  sensitive = true\n}\n' in program
    assert "Str0ng-pass" not in program


@pytest.mark.parametrize("login", ["generated", "key&key=skey-abcd1234"])
def test_without_a_password_there_is_no_variable_for_one(login: str) -> None:
    for language in LANGUAGES:
        assert "PASSWORD" not in programs.shown(_page(Visitor(), f"login={login}", language)).upper()


def test_what_buys_on_the_page_is_what_the_program_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given choices of every kind, when the API reads the program's request, then it is the purchase of the page."""
    visitor = customer()
    pair, _private = key_pairs.create(by(visitor.account_id), "laptop")
    visitor.buy("?charge=postpaid")  # from here on there is a default subnet
    subnet = Subnet.objects.get(account_id=visitor.account_id).public_id
    bought: list[Purchase] = []
    monkeypatch.setattr("vmart.orders.purchase.dry_run", bought.append)
    for query in (
        CHOSEN,
        f"charge=prepaid&months=3&login=key&key={pair.public_id}&name=%E7%BD%91%24%7Bx%7D",
        f"charge=postpaid&ends_at=2027-01-01T00:00&subnet={subnet}&private_ip=10.0.0.20&address=0",
        "charge=spot&max_price=0.9&tags=a=1,b=2",
        "charge=postpaid&zone=ap-guangzhou-4&ipv6=1",
    ):
        asked = decode(api.RunInstances, _asked(visitor, query), as_text=False)
        answer = visitor.post("/buy/", visitor.buy_form(f"?{query}") | {"act": "dry_run"})
        assert answer.status_code == 200, text_of(answer)
        page = bought.pop()
        told = replace(api.wanted(_CALL, asked), actor=page.actor)
        network = replace(told.machine.network, vpc_id=page.machine.network.vpc_id)  # the subnet's, where one is named
        assert replace(told, machine=replace(told.machine, network=network)) == page
        assert (network == told.machine.network) == ("subnet" not in query)


_CALL = ApiCall("RunInstances", "2017-03-12", "ap-guangzhou", "en", "", 0, 0, "", "")


def test_what_a_template_says_and_the_form_does_not_is_told() -> None:
    visitor = customer()
    kept = template(visitor.account_id, hostname="web{R:7}", user_data=b"#!/bin/sh")
    query = f"{CHOSEN}&template={kept}&template_version=1"
    asked = _asked(visitor, query)
    assert (asked["HostName"], asked["UserData"]) == ("web{R:7}", "IyEvYmluL3No")
    assert programs.of_terraform(programs.shown(_page(visitor, query, "terraform")))["hostname"] == (
        "each", ["web7", "web8"],
    )  # fmt: skip
    assert "HostName" not in _asked(Visitor(), query)


# What people type, of every alphabet; half surrogates are no text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.sampled_from(
    ["'; reboot #", '"', "\\", "$(reboot)", "`reboot`", "${path.module}", "$${x}", "%{ if true }", "%%{", "$$${",
     "--region", "JSON", "\n}\n", "\u202e", "*/", "{IP}", "\x00", "%s", "%(members)s", "${MACHINE_PASSWORD}",
     "$password", "file://x"]
)  # fmt: skip
GIB = st.integers(1, 10**6)
DISKS = st.builds(DiskChoice, TEXTS, GIB, st.booleans(), TEXTS | st.just(""), TEXTS | st.just(""))
TAGS = st.builds(
    TagsOf, st.sampled_from(["instance", "volume"]),
    st.lists(st.builds(Tag, TEXTS, TEXTS), min_size=1, max_size=3, unique_by=lambda tag: tag.key).map(tuple),
)  # fmt: skip
IDS = st.lists(TEXTS, max_size=3).map(tuple)
CONFIGURATIONS = st.builds(
    Configuration,
    region=TEXTS, zone=TEXTS, instance_type=TEXTS,
    charge_type=st.sampled_from(["POSTPAID_BY_HOUR", "PREPAID", "SPOTPAID"]),
    system_disk=st.builds(DiskChoice, TEXTS, GIB, name=TEXTS | st.just("")),
    data_disks=st.lists(DISKS, max_size=2).map(tuple),
    period_months=st.none() | GIB, internet_charge_type=TEXTS, bandwidth_mbps=GIB, public_ip=st.booleans(),
)  # fmt: skip
MACHINES = st.builds(
    Machine, TEXTS,
    login=IDS.map(lambda ids: LoginWanted(key_ids=ids)), user_data=st.binary(max_size=20),
    attributes=st.builds(Attributes, st.booleans(), IDS, st.none() | st.decimals(0, 9, places=3)),
    network=st.builds(NetworkWanted, TEXTS, TEXTS, ipv6_addresses=st.integers(0, 1)),
    placement_groups=st.lists(TEXTS, max_size=1).map(tuple),
    tag_specification=st.lists(TAGS, max_size=2, unique_by=lambda one: one.resource_type).map(tuple),
)  # fmt: skip


@st.composite
def calls(draw: st.DrawFn) -> Call:
    said = members(Purchase(by(1), draw(CONFIGURATIONS), draw(MACHINES)))
    name = draw(TEXTS | st.just(""))
    said |= {"InstanceName": name} if name else {}
    said |= {"LoginSettings": {"Password": FROM_ENVIRONMENT}} if draw(st.booleans()) else {}
    return Call(Endpoint("http", "127.0.0.1:8000"), "ap-guangzhou", said)


def _read(call: Call) -> Members:
    """The members with what stands for the password."""
    has_password = call.members.get("LoginSettings") == {"Password": FROM_ENVIRONMENT}
    return call.members | ({"LoginSettings": {"Password": PASSWORD}} if has_password else {})


@pytest.mark.parametrize("language", READERS)
@settings(max_examples=60, deadline=None)
@given(call=calls())
def test_whatever_is_typed_is_a_text_of_the_program(language: str, call: Call) -> None:
    program = LANGUAGES[language].program(call)
    assert READERS[language](program) == _read(call)
    assert all(sign.isprintable() or sign in "\n\t" for sign in program)


@settings(max_examples=60, deadline=None)
@given(call=calls())
def test_whatever_is_typed_is_a_text_of_terraforms_configuration(call: Call) -> None:
    one_line = {"InstanceName": re.sub(r"\W", "x", call.members.get("InstanceName", ""))}  # what naming lets through
    said = _read(replace(call, members=call.members | one_line))
    machine = programs.of_terraform(LANGUAGES["terraform"].program(replace(call, members=call.members | one_line)))
    tags = {one["ResourceType"]: one["Tags"] for one in said.get("TagSpecification", ())}.get("instance")
    assert machine.get("tags") == ([{tag["Key"]: tag["Value"] for tag in tags}] if tags else None)
    assert machine["image_id"] == said["ImageId"]
    assert machine.get("instance_name", "") == said["InstanceName"]
    assert machine["availability_zone"] == said["Placement"]["Zone"]
    assert machine.get("key_ids") == said.get("LoginSettings", {}).get("KeyIds")
    assert machine.get("password") == said.get("LoginSettings", {}).get("Password")
    assert [disk["data_disk_type"] for disk in machine.get("data_disks", ())] == [
        disk["DiskType"] for disk in said.get("DataDisks", ())
    ]
    assert {*machine} | {name for disk in machine.get("data_disks", ()) for name in disk} <= PUBLISHED
    assert {re.sub(r"\.\d+", ".*", path) for path, _value in leaves(said)} <= TOLD


# Members that attributes tell, one way or another; of the last two, comments.
TOLD = {
    *terraform.ATTRIBUTES, *(f"DataDisks.*.{name}" for name in terraform.OF_DATA_DISKS),
    "InstanceName", "HostName", "InstanceCount", "VirtualPrivateCloud.PrivateIpAddresses", "DisasterRecoverGroupIds",
    "TagSpecification.*.Tags.*.Key", "TagSpecification.*.Tags.*.Value",
    "TagSpecification.*.ResourceType", "ActionTimer.ActionTime",
}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("charge=spot&max_price=0.9", {"spot_max_price": "0.9", "spot_instance_type": "ONE-TIME"}),
        ("charge=prepaid&months=3", {"instance_charge_type_prepaid_period": 3}),
        ("zone=ap-guangzhou-4&ipv6=1", {
            "vpc_id": "DEFAULT", "subnet_id": "DEFAULT", "ipv6_address_count": 1,
            "lifecycle": [{"ignore_changes": "[vpc_id, subnet_id]"}],
        }),
        ("subnet=subnet-abcd1234&private_ip=10.1.2.3+10.1.2.4&count=2", {
            "private_ip": ("each", ["10.1.2.3", "10.1.2.4"]), "subnet_id": "subnet-abcd1234", "vpc_id": "DEFAULT",
        }),
        ("group=ps-abcd1234", {"placement_group_id": "ps-abcd1234"}),
        ("name=web%7BR:3%7D", {"instance_name": "web3"}),
        ("charge=prepaid&data_disk=CLOUD_SSD&data_gib=30", {
            "data_disks": [{"data_disk_type": "CLOUD_SSD", "data_disk_size": 30, "delete_with_instance": False}],
        }),
    ],
)  # fmt: skip
def test_terraforms_own_ways(query: str, said: Members) -> None:
    machine = programs.of_terraform(programs.shown(_page(Visitor(), query, "terraform")))
    assert {name: machine.get(name) for name in said} == said


@pytest.mark.parametrize(
    ("query", "comment"),
    [
        ("charge=postpaid&ends_at=2027-01-01T00:00", "cannot say that .* ended by itself, at 2026-12-31T16:00"),
        ("charge=prepaid&data_disk=CLOUD_SSD&data_gib=30", "has data disks stay when a machine .* paid ahead ends"),
        ("charge=spot&data_disk=CLOUD_SSD&data_gib=30", "cannot buy data disks with a spot machine"),
        ("name=x", "refuses names of one letter"),
    ],
)  # fmt: skip
def test_what_terraform_cannot_say_a_comment_does(query: str, comment: str) -> None:
    program = programs.shown(_page(Visitor(), query, "terraform"))
    assert re.search(f"^# The provider {comment}", program, re.MULTILINE)


AWKWARD = Call(
    Endpoint("http", "127.0.0.1:8000"), "ap-guangzhou",
    ASKED | {"InstanceCount": 1, "InstanceName": "a'b\"c\\ $(x) ${y} $${z} %{q} 网\u202e🖥"}
    | {"LoginSettings": {"Password": FROM_ENVIRONMENT}, "VirtualPrivateCloud": {"Ipv6AddressCount": 1}},
)  # fmt: skip


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine")
    return found


def test_terraform_reads_its_texts_as_they_were_typed(tmp_path: Path) -> None:
    terraform_program = shutil.which("tofu") or _program("terraform")
    told = LANGUAGES["terraform"].program(AWKWARD)
    name = re.search(r"^  instance_name +(= .*)$", told, re.MULTILINE)
    assert name
    (tmp_path / "main.tf").write_text(f'output "name" {{\n  value {name[1]}\n}}\n')
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"}

    def run(*words: str, text: str = "") -> str:
        return subprocess.run(
            [terraform_program, *words],
            cwd=tmp_path,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    run("init")
    run("apply", "-auto-approve")
    assert run("output", "-raw", "name") == AWKWARD.members["InstanceName"]
    assert run("fmt", "-", text=told) == told


def test_gofmt_leaves_the_program_as_it_is() -> None:
    told = LANGUAGES["go"].program(AWKWARD)
    done = subprocess.run([_program("gofmt")], input=told, capture_output=True, text=True, check=True)
    assert done.stdout == told


@pytest.mark.parametrize("language", ["tccli", "curl"])
def test_bash_reads_the_password_as_json_has_it(language: str) -> None:
    """Given a password of all the signs that one may have, when bash makes the request, then it is in it as it is."""
    signs = "aB3" + "".join("()`~!@#$%^&*-+=|{}[]:;',.?/_<>\"\\")
    script = LANGUAGES[language].program(AWKWARD)
    request = script[: script.index("\n\n", script.index("request="))] + '\nprintf %s "$request"\n'
    done = subprocess.run(
        [_program("bash"), "-c", request], env={"MACHINE_PASSWORD": signs}, capture_output=True, text=True, check=True
    )
    assert programs.of_shell(f"request={programs.shlex.quote(done.stdout)}") == AWKWARD.members | {
        "LoginSettings": {"Password": signs}
    }


def test_comments_are_of_one_line_in_every_language() -> None:
    with translation.override("zh-hans"):
        told = LANGUAGES["terraform"].program(AWKWARD)
    assert programs.of_terraform(told)["password"] == PASSWORD
