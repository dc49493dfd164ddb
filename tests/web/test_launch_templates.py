"""Given a customer who saves a purchase as a launch template, then it is listed, shown, bought from and deleted."""

import re
from dataclasses import fields, replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.http import HttpResponse

from tests.launch_templates.keeping import new_version, request_of
from tests.support import quotas
from tests.support.actors import by
from tests.support.shopper import HOURLY
from tests.support.written import nothing_written
from tests.web.test_keys_and_money import PUBLIC
from tests.web.test_refused_forms import _focused, _summaries
from tests.web.visiting import Visitor, customer, form_of, order_id_of, text_of
from vmart.api.actions.cvm.purchase import MachineToBuy
from vmart.api.fields import members
from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance, KeyPair
from vmart.launch_templates import change, keep
from vmart.launch_templates.models import Template, Version
from vmart.network.models import Subnet
from vmart.orders import placement_groups
from vmart.orders.login import LoginWanted
from vmart.orders.models import Order
from vmart.orders.own_network import NetworkWanted
from vmart.orders.placement_groups import Wanted
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.security import held
from vmart.storage.models import Disk
from vmart.tags.wanted import Tag, TagsOf
from vmart.web import from_template

CHOSEN = (
    "?charge=prepaid&months=3&zone=ap-guangzhou-3&type=S5.MEDIUM4&disk=CLOUD_SSD&disk_gib=60&address=1"
    "&internet=bandwidth&mbps=7&name=web&count=2&login=generated&data_disk=CLOUD_PREMIUM&data_gib=30"
)


def _save(visitor: Visitor, query: str = CHOSEN, act: str = "save_template", **typed: str) -> HttpResponse:
    typed = {"template_name": "shop", "template_description": "", **typed}
    return visitor.post("/buy/", visitor.buy_form(query) | {"act": act} | typed)


def _saved(answer: HttpResponse) -> str:
    assert answer.status_code == 303, text_of(answer)
    found = re.fullmatch(r"/templates/(lt-[0-9a-z]{8})/", answer["Location"])
    assert found
    return found[1]


def _buy_address(page: HttpResponse, number: int) -> str:
    html = page.content.decode().replace("&amp;", "&")
    found = re.search(rf'href="(/buy/\?[^"]+&?template_version={number}&[^"]*)"', html)
    assert found
    return found[1].removeprefix("/buy/")


def test_what_is_chosen_is_saved_and_shown() -> None:
    visitor = customer()
    public_id = _saved(_save(visitor, template_description="for spring"))
    page = visitor.get(f"/templates/{public_id}/")
    text = text_of(page)
    assert "The template shop was saved." in text
    for said in (
        "Version 1 Default", "for spring", "Billing Prepaid, 3 months", "Type S5.MEDIUM4", "60 GiB", "30 GiB",
        "Network By bandwidth, monthly, 7 Mbps", "Login Generated password", "Name web", "Number 2",
        "Created 2026-03-10 10:00:00",
    ):  # fmt: skip
        assert said in text, said
    version = Version.objects.get()
    assert version.contents == {
        "zone": "ap-guangzhou-3", "instance_type": "S5.MEDIUM4", "charge_type": "PREPAID", "period_months": 3,
        "system_disk.disk_type": "CLOUD_SSD", "system_disk.size_gib": 60, "system_disk.delete_with_instance": True,
        "data_disks.0.disk_type": "CLOUD_PREMIUM", "data_disks.0.size_gib": 30,
        "data_disks.0.delete_with_instance": True, "internet_charge_type": "BANDWIDTH_PREPAID", "bandwidth_mbps": 7,
        "public_ip": True, "count": 2, "image_id": version.contents["image_id"], "name": "web",
        "renew_flag": "NOTIFY_AND_MANUAL_RENEW", "attributes.termination_protected": False,
        "network.vpc_id": "DEFAULT", "network.subnet_id": "DEFAULT", "network.ipv6_addresses": 0,
    }  # fmt: skip
    assert (version.created_by, version.description) == (visitor.user.pk, "for spring")
    assert not Order.objects.exists()


def test_the_address_of_a_template_is_the_form_that_was_saved() -> None:
    """The page's state is in its address: each choice that was saved is chosen again."""
    visitor = customer()
    public_id = _saved(_save(visitor))
    address = _buy_address(visitor.get(f"/templates/{public_id}/"), 1)
    again, first = visitor.buy_form(address), visitor.buy_form(CHOSEN)
    names = (again.keys() | first.keys()) - {"quote"}  # signed with the second in which it is shown
    changes = {name for name in names if again.get(name) != first.get(name)}
    assert changes == {"csrfmiddlewaretoken", "form", "template", "template_version"}
    assert (again["template"], again["template_version"]) == (public_id, "1")
    assert parse_qs(address.removeprefix("?"))["template"] == [public_id]


def test_buying_from_a_template() -> None:
    visitor = customer()
    public_id = _saved(_save(visitor, CHOSEN.replace("prepaid&months=3", "postpaid")))
    page = visitor.get("/buy/" + _buy_address(visitor.get(f"/templates/{public_id}/"), 1), follow=True)
    assert "Begun with version 1 of the template shop." in text_of(page)
    order_id_of(visitor.post("/buy/", form_of(page) | {"act": "buy"}))
    assert sorted(Instance.objects.values_list("name", "instance_type_id", "bandwidth_mbps")) == [
        ("web1", "S5.MEDIUM4", 7), ("web2", "S5.MEDIUM4", 7),
    ]  # fmt: skip
    disks = Disk.objects.order_by("position", "id").values_list("disk_type", "size_gib")
    assert list(disks) == [("CLOUD_SSD", 60), ("CLOUD_SSD", 60), ("CLOUD_PREMIUM", 30), ("CLOUD_PREMIUM", 30)]


# What the page has no field for ---------------------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "name": "web", "hostname": "host", "user_data": b"#!/bin/sh\n", "renew_flag": "NOTIFY_AND_AUTO_RENEW",
    "attributes": Attributes(termination_protected=True),
    "tag_specification": (
        TagsOf("instance", (Tag("team", "a"), Tag("env", "测试"))), TagsOf("volume", (Tag("team", "b"),)),
    ),
}  # fmt: skip
MONTHLY = replace(
    HOURLY, charge_type="PREPAID", period_months=2, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=3,
    public_ip=True, system_disk=DiskChoice("CLOUD_PREMIUM", 50, name="root"),
    data_disks=(DiskChoice("CLOUD_SSD", 100, False, "db"), DiskChoice("CLOUD_PREMIUM", 20)), count=2,
)  # fmt: skip


def _kept_by_a_program(visitor: Visitor, **machine: Any) -> str:
    return keep.create("full", new_version(visitor.account_id, MONTHLY, **(FULL | machine)))


def _opened(visitor: Visitor, public_id: str) -> HttpResponse:
    return visitor.get("/buy/" + _buy_address(visitor.get(f"/templates/{public_id}/"), 1), follow=True)


def test_what_the_page_has_no_field_for_is_bought_too() -> None:
    visitor = customer(gift_minor=1_000_000)
    page = _opened(visitor, _kept_by_a_program(visitor))
    assert (
        "Taken from it as well, and not on this form: Host name: host; Protection: No program may end"
        " it; At its end: Renew by itself, month by month"
    ) in text_of(page)
    order_id_of(visitor.post("/buy/", form_of(page) | {"act": "buy"}))
    machines = Instance.objects.select_related("subscription").order_by("id")
    for number, machine in enumerate(machines, 1):
        assert (machine.hostname, bytes(machine.user_data)) == (f"host{number}", b"#!/bin/sh\n")
        assert machine.termination_protected
        assert machine.subscription.renew_flag == "NOTIFY_AND_AUTO_RENEW"
        disks = Disk.objects.filter(instance_id=machine.id).order_by("position")
        assert list(disks.values_list("size_gib", "name", "delete_with_instance")) == [
            (50, "root", True), (100, "db", False), (20, "", True),
        ]  # fmt: skip
    assert len(machines) == 2


def test_saved_again_from_the_page_nothing_is_lost() -> None:
    """Given a template with all that a purchase can say, when the page saves it as it stands, then it is the same."""
    visitor = customer()
    visitor.post("/keys/", {"act": "import", "name": "laptop", "public_key": PUBLIC})
    key = KeyPair.objects.get().public_id
    visitor.buy("?charge=postpaid&zone=ap-guangzhou-4")  # from then on it has a network there
    subnet = Subnet.objects.select_related("vpc").get()
    own = {
        "login": LoginWanted(key_ids=(key,)),
        "network": NetworkWanted(subnet.vpc.public_id, subnet.public_id),
        "attributes": Attributes(termination_protected=True, security_groups=(held.default_id(visitor.account_id),)),
        "placement_groups": (placement_groups.create(by(visitor.account_id), Wanted("apart")).public_id,),
    }
    _each_attribute_is_said(request_of(visitor.account_id, MONTHLY, **(FULL | own)))
    public_id = _kept_by_a_program(visitor, **own)
    answer = visitor.post("/buy/", form_of(_opened(visitor, public_id)) | {"act": "save_version", "key": key})
    assert _saved(answer) == public_id
    first, second = Version.objects.order_by("number")
    assert (second.number, second.contents) == (2, first.contents)
    assert Template.objects.get().default_version == 1


def _each_attribute_is_said(request: Purchase) -> None:
    """Control: what is added to a purchase must be in the sample."""
    plain, machine = Configuration("", "", "", "", DiskChoice("", 0)), Machine("")
    parts = ((plain, request.configuration), (machine, request.machine), (Attributes(), request.machine.attributes))
    alike = {
        field.name for one, other in parts for field in fields(one)
        if getattr(one, field.name) == getattr(other, field.name)
    }  # fmt: skip
    # Of machines by the hour alone: tests/web/test_planned_end.py, and of spot machines: tests/web/test_spot.py.
    assert alike == {"ends_at", "max_price"}


def test_changed_on_the_page_it_is_the_pages() -> None:
    visitor = customer()
    form = form_of(_opened(visitor, _kept_by_a_program(visitor)))
    form |= {"act": "save_template", "template_name": "other", "charge": "postpaid", "internet": "traffic"}
    form |= {"disk_gib": "70", "data_gib": ["110", "20"], "name": "mine", "zone": "ap-guangzhou-3"}
    _saved(visitor.post("/buy/", form))
    said = Version.objects.latest("created_at", "template_id").contents
    assert (said["charge_type"], said["zone"], said["name"]) == ("POSTPAID_BY_HOUR", "ap-guangzhou-3", "mine")
    assert "renew_flag" not in said
    assert "period_months" not in said
    assert (said["system_disk.size_gib"], "system_disk.name" in said) == (70, False)
    assert (said["data_disks.0.size_gib"], said["data_disks.0.delete_with_instance"]) == (110, True)
    assert (said["hostname"], said["attributes.termination_protected"]) == ("host", True)


def test_a_template_that_leaves_things_open_opens_with_what_a_program_would_get() -> None:
    """50 GiB of CLOUD_PREMIUM, by the second, no address: as RunInstances without these members."""
    said = {"zone": "ap-guangzhou-4", "image_id": "img-db12k7x4"}
    asked = parse_qs(from_template.address_of("lt-a", 1, said))
    assert asked == {
        "template": ["lt-a"], "template_version": ["1"], "zone": ["ap-guangzhou-4"], "image": ["img-db12k7x4"],
        "charge": ["postpaid"], "address": ["0"], "internet": ["bandwidth"], "disk": ["CLOUD_PREMIUM"],
        "disk_gib": ["50"], "login": ["generated"],
    }  # fmt: skip
    assert members(MachineToBuy, said) == {"Placement": {"Zone": "ap-guangzhou-4"}, "ImageId": "img-db12k7x4"}


def test_disks_that_a_program_left_open_or_away_are_the_same_on_the_page() -> None:
    """Given a system disk of which the name alone is said, and a data disk of 0 GiB, which is none, before another."""
    visitor = customer()
    said = {
        "zone": "ap-guangzhou-4", "image_id": "img-db12k7x4", "system_disk.name": "root",
        "data_disks.0.size_gib": 0, "data_disks.0.name": "none", "data_disks.1.size_gib": 50,
        "data_disks.1.disk_type": "CLOUD_SSD", "data_disks.1.name": "db",
    }  # fmt: skip
    public_id = keep.create("open", replace(new_version(visitor.account_id), contents=said))
    _saved(visitor.post("/buy/", form_of(_opened(visitor, public_id)) | {"act": "save_version"}))
    kept = Version.objects.get(number=2).contents
    assert {path: value for path, value in kept.items() if "disk" in path} == {
        "system_disk.disk_type": "CLOUD_PREMIUM", "system_disk.size_gib": 50, "system_disk.name": "root",
        "system_disk.delete_with_instance": True, "data_disks.0.disk_type": "CLOUD_SSD",
        "data_disks.0.size_gib": 50, "data_disks.0.name": "db", "data_disks.0.delete_with_instance": True,
    }  # fmt: skip


# Versions and deletion ------------------------------------------------------------------------------------------------


def _with_versions(visitor: Visitor, count: int = 3) -> str:
    public_id = _saved(_save(visitor))
    for _ in range(count - 1):
        keep.add_version(public_id, new_version(visitor.account_id))
    return public_id


def test_another_version_is_made_the_default() -> None:
    visitor = customer()
    public_id = _with_versions(visitor)
    page = visitor.post(f"/templates/{public_id}/default/", {"version": "2"}, follow=True)
    assert "Version 2 is the default now." in text_of(page)
    assert re.findall(r"Version (\d) Default", text_of(page)) == ["2"]
    assert Template.objects.get().default_version == 2


def test_a_version_is_deleted_after_it_is_asked_back() -> None:
    visitor = customer()
    public_id = _with_versions(visitor)
    with nothing_written():
        asked = visitor.get(f"/templates/{public_id}/delete/?version=2")
    assert "Delete version 2 of shop?" in text_of(asked)
    page = visitor.post(f"/templates/{public_id}/delete/", {"version": "2"}, follow=True)
    assert "Version 2 was deleted." in text_of(page)
    assert sorted(Version.objects.values_list("number", flat=True)) == [1, 3]


def test_a_template_is_deleted_after_it_is_asked_back() -> None:
    visitor = customer()
    public_id = _with_versions(visitor)
    with nothing_written():
        asked = visitor.get(f"/templates/{public_id}/delete/")
    assert "Delete shop?" in text_of(asked)
    assert "With it go its 3 versions." in text_of(asked)
    page = visitor.post(f"/templates/{public_id}/delete/", follow=True)
    assert "The template shop was deleted." in text_of(page)
    assert "You have no launch template yet." in text_of(page)
    assert (Template.objects.count(), Version.objects.count()) == (0, 0)
    assert visitor.get(f"/templates/{public_id}/").status_code == 404


@pytest.mark.parametrize(
    ("address", "version", "says"),
    [
        ("default", "9", "has no version 9."),
        ("default", "", "has no version 0."),
        ("default", "x", "has no version 0."),
        ("default", "9" * 18, "has no version 0."),
        ("delete", "1", "Version 1 is the default of "),
        ("delete", "9", "has no version 9."),
        ("delete", "x", "has no version 0."),
        ("delete", "\0", "has no version 0."),
        ("delete", "", "has no version 0."),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(address: str, version: str, says: str) -> None:
    visitor = customer()
    public_id = _with_versions(visitor, 2)
    before = list(Version.objects.values_list("number", flat=True))
    page = visitor.post(f"/templates/{public_id}/{address}/", {"version": version}, follow=True)
    assert says in text_of(page)
    assert list(Version.objects.values_list("number", flat=True)) == before
    assert Template.objects.get().default_version == 1


@pytest.mark.parametrize("version", ["", "x", "0", "-1"])
def test_of_no_version_nothing_is_asked(version: str) -> None:
    visitor = customer()
    public_id = _with_versions(visitor, 2)
    assert visitor.get(f"/templates/{public_id}/delete/?version={version}")["Location"] == f"/templates/{public_id}/"


# Refused --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "anchor", "says"),
    [
        ({"template_name": ""}, "template_name", "2 to 128 characters"),
        ({"template_name": "x"}, "template_name", "2 to 128 characters"),
        ({"template_name": "x" * 129}, "template_name", "2 to 128 characters"),
        ({"template_description": "x"}, "template_description", "2 to 256 characters"),
        ({"login": "password", "password": "Secret-1-word"}, "password", "keeps no password"),
        ({"login": "password", "password": ""}, "password", "keeps no password"),
        ({"login": "key"}, "login-key", "Choose a key pair."),
        ({"name": "x" * 129}, "name", "128 characters"),
        ({"count": "0"}, "count", "Enter a number from 1 to 100."),
    ],
)  # fmt: skip
def test_a_refused_form_says_what_needs_a_change(typed: dict[str, str], anchor: str, says: str) -> None:
    visitor = customer()
    visitor.get("/buy/", follow=True)
    with nothing_written():
        answer = _save(visitor, **typed)
    assert answer.status_code == 422
    top, below = _summaries(answer)
    assert [place for place, _ in top] == [anchor]
    assert top == below
    assert says in top[0][1]
    assert _focused(answer) == [anchor]
    assert "Secret-1-word" not in answer.content.decode()


def test_over_the_quota_the_page_says_so() -> None:
    visitor = customer()
    quotas.one(visitor.account_id, launch_templates=1)
    _saved(_save(visitor))
    with nothing_written():
        answer = _save(visitor, template_name="second")
    assert answer.status_code == 422
    assert "An account has at most 1 launch templates; delete one first." in text_of(answer)
    assert 'value="second"' in answer.content.decode()


def test_a_form_sent_twice_keeps_one_template_and_a_changed_one_another() -> None:
    visitor = customer()
    form = visitor.buy_form(CHOSEN) | {"act": "save_template", "template_name": "shop"}
    first = _saved(visitor.post("/buy/", form))
    assert _saved(visitor.post("/buy/", form)) == first
    assert Template.objects.count() == 1
    assert _saved(visitor.post("/buy/", form | {"template_name": "other"})) != first
    assert Template.objects.count() == 2


@pytest.mark.parametrize("named", ["lt-unknown0", "x", "%00", "lt-UNKNOWN0", "lt-" + "a" * 400])
def test_a_template_that_is_not_there_is_said_and_forgotten(named: str) -> None:
    visitor = customer()
    page = visitor.get(f"/buy/?template={named}&template_version=1", follow=True)
    assert page.status_code == 200
    assert "template" not in form_of(page)
    assert 'id="from-template"' not in page.content.decode()
    assert 'value="save_version"' not in page.content.decode()


def test_a_version_that_is_deleted_meanwhile_is_said() -> None:
    visitor = customer()
    public_id = _with_versions(visitor, 2)
    form = visitor.buy_form(_buy_address(visitor.get(f"/templates/{public_id}/"), 2))
    change.delete_versions(by(visitor.account_id), public_id, [2])
    with nothing_written():
        answer = visitor.post("/buy/", form | {"act": "save_version"})
    assert answer.status_code == 422
    page = visitor.get(f"/buy/?template={public_id}&template_version=2", follow=True)
    assert f"The launch template {public_id} has no version 2." in text_of(page)


def test_anothers_template_is_as_one_that_is_not_there() -> None:
    owner, stranger = customer(), customer()
    public_id = _with_versions(owner, 2)
    for address in ("", "delete/", "delete/?version=2"):
        assert stranger.get(f"/templates/{public_id}/{address}").status_code == 404
    with nothing_written():
        for address, form in (("default/", {"version": "2"}), ("delete/", {}), ("delete/", {"version": "2"})):
            assert stranger.post(f"/templates/{public_id}/{address}", form).status_code == 404
    page = stranger.get(f"/buy/?template={public_id}", follow=True)
    assert f"The launch template {public_id} does not exist." in text_of(page)
    templates = text_of(stranger.get("/templates/"))
    assert (public_id in templates, "You have no launch template yet" in templates) == (False, True)


def test_a_stranger_is_not_offered_to_save() -> None:
    page = Visitor().get("/buy/")
    assert 'value="save_template"' not in page.content.decode()
    answer = Visitor().post("/buy/", form_of(page) | {"act": "save_template", "template_name": "shop"})
    assert (answer.status_code, answer["Location"].startswith("/buy/?")) == (302, True)
    assert not Template.objects.exists()


# The list -------------------------------------------------------------------------------------------------------------


def _names(visitor: Visitor, query: str = "") -> list[str]:
    html = visitor.get(f"/templates/{query}").content.decode()
    return re.findall(r'<a href="/templates/lt-[0-9a-z]{8}/">([^<]+)</a>', html)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Beta", "gamma", "alpha"]),
        ("?order=name", ["Beta", "alpha", "gamma"]),
        ("?order=-name", ["gamma", "alpha", "Beta"]),
        ("?order=created", ["alpha", "gamma", "Beta"]),
        ("?order=-created", ["Beta", "gamma", "alpha"]),
        ("?order=colour", ["Beta", "gamma", "alpha"]),
        ("?q=ET", ["Beta"]),
        ("?q=mm&order=name", ["gamma"]),
        ("?q=nothing", []),
        ("?q=%00", ["Beta", "gamma", "alpha"]),
        ("?before=x", ["Beta", "gamma", "alpha"]),
        ("?order=name&before=1", ["Beta", "alpha", "gamma"]),
    ],
)
def test_the_list_is_narrowed_and_put_in_order(query: str, names: list[str]) -> None:
    visitor = customer()
    for name in ("alpha", "gamma", "Beta"):
        keep.create(name, new_version(visitor.account_id))
    assert _names(visitor, query) == names


def test_the_list_says_what_the_default_version_holds() -> None:
    visitor = customer()
    public_id = _with_versions(visitor)
    change.make_default(by(visitor.account_id), public_id, 2)
    text = text_of(visitor.get("/templates/"))
    assert f"shop {public_id} 2 3 S5.MEDIUM4 Debian 12 64-bit 2026-03-10 10:00:00 Buy" in text
    assert _names(visitor, f"?q={public_id}") == ["shop"]


@pytest.mark.parametrize("order", ["", "name", "-name", "created"])
def test_every_template_is_on_one_page_of_the_list(order: str) -> None:
    """Given more than a page, also of one name, then pages neither overlap nor leave out."""
    visitor = customer()
    quotas.one(visitor.account_id, launch_templates=200)
    for number in range(120):
        keep.create(f"name-{number % 3}", new_version(visitor.account_id))
    seen: list[str] = []
    address = f"?order={order}"
    while address:
        html = visitor.get(f"/templates/{address}").content.decode().replace("&amp;", "&")
        page = re.findall(r'<a href="/templates/(lt-[0-9a-z]{8})/">', html)
        seen += page
        older = re.search(r'<a href="(\?[^"]*)" rel="next">', html)
        address = older[1] if older else ""
    assert len(seen) == 120
    assert set(seen) == set(Template.objects.values_list("public_id", flat=True))
