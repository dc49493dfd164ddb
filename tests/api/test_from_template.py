"""Given a template and a request that names it, then the request wins and nothing else of the template is lost."""

import datetime as dt
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE
from vmart.api.actions.cvm.from_template import merged
from vmart.api.actions.cvm.purchase import InquiryPriceRunInstances, MachineToBuy, RunInstances, wanted
from vmart.api.declarations import decode
from vmart.api.fields import members, said
from vmart.api.registry import Call
from vmart.instances.attributes import Attributes
from vmart.launch_templates import contents
from vmart.orders.login import LoginWanted
from vmart.orders.own_network import NetworkWanted
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.tags.wanted import Tag, TagsOf

_NAMES = st.sampled_from(["Placement", "SystemDisk", "DataDisks", "InstanceCount", "Zone", "DiskSize", "A", "B"])
_LEAVES = st.one_of(st.integers(), st.text(max_size=3), st.booleans(), st.lists(st.integers(), min_size=1, max_size=2))
_TREES = st.recursive(_LEAVES, lambda inner: st.dictionaries(_NAMES, inner, min_size=1, max_size=4), max_leaves=12)
_MEMBERS = st.dictionaries(_NAMES, _TREES, max_size=6)


def _leaves(tree: dict[str, Any], at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Path -> value; a list is one value."""
    found: dict[tuple[str, ...], Any] = {}
    for name, value in tree.items():
        found |= _leaves(value, (*at, name)) if isinstance(value, dict) else {(*at, name): value}
    return found


def _in_each_others_way(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one


@given(_MEMBERS, _MEMBERS)
@example({"SystemDisk": {"DiskSize": 50}}, {"SystemDisk": {"A": 1}})
@example({"SystemDisk": {"DiskSize": 50}}, {"SystemDisk": 5})
@example({"SystemDisk": 5}, {"SystemDisk": {"DiskSize": 50}})
def test_the_request_wins_and_nothing_of_the_template_is_lost(
    template: dict[str, Any], request: dict[str, Any]
) -> None:
    ours, theirs = _leaves(template), _leaves(request)
    kept = {path: value for path, value in ours.items() if not any(_in_each_others_way(path, own) for own in theirs)}
    assert _leaves(merged(template, request)) == kept | theirs


@given(_MEMBERS)
def test_a_request_that_says_nothing_is_the_template_and_one_without_a_template_is_itself(tree: dict[str, Any]) -> None:
    assert merged(tree, {}) == tree
    assert merged({}, tree) == tree
    assert merged(tree, tree) == tree


def test_what_rules_each_other_out_goes_with_it() -> None:
    term = {"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 3}}
    hourly = {"InstanceChargeType": "POSTPAID_BY_HOUR"}
    assert merged(term, hourly) == hourly
    assert merged(term, {"InstanceChargeType": "PREPAID"}) == term
    assert merged(term, {"InstanceChargePrepaid": {"RenewFlag": "x"}}) == {
        "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 3, "RenewFlag": "x"},
    }  # fmt: skip
    own = {**hourly, "InstanceChargePrepaid": {"Period": 1}}
    assert merged(term, own) == own
    keys = {"LoginSettings": {"KeyIds": ["skey-1"]}}
    assert merged(keys, {"LoginSettings": {"Password": "p"}}) == {"LoginSettings": {"Password": "p"}}
    assert merged(keys, {"LoginSettings": {"KeyIds": ["skey-2"]}}) == {"LoginSettings": {"KeyIds": ["skey-2"]}}
    assert merged(keys, {"LoginSettings": {"KeepImageLogin": "FALSE"}}) == {
        "LoginSettings": {"KeyIds": ["skey-1"], "KeepImageLogin": "FALSE"},
    }  # fmt: skip


CALL = Call("RunInstances", "2017-03-12", "", "en", "r-1", 7, 70, "AKIDtest", "")
# Each attribute of a purchase as it is not by itself.
CONFIGURATION = Configuration(
    region="ap-guangzhou", zone="ap-guangzhou-3", instance_type="S5.SMALL1", charge_type="PREPAID",
    system_disk=DiskChoice("CLOUD_SSD", 60, name="root"),
    data_disks=(DiskChoice("CLOUD_SSD", 100, False, "db"), DiskChoice("CLOUD_PREMIUM", 20)), period_months=3,
    internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=7, public_ip=True, count=2,
)  # fmt: skip
MACHINE = Machine(
    "img-other", LoginWanted(key_ids=("skey-1", "skey-2")), "web", "host", b"\xff\x00", "NOTIFY_AND_AUTO_RENEW",
    Attributes(termination_protected=True, security_groups=("sg-1",), max_price=Decimal("0.5")),
    NetworkWanted("vpc-1", "subnet-1"),
    ("ps-1",),
    (TagsOf("instance", (Tag("team", "a"), Tag("env", "b"))), TagsOf("volume", (Tag("team", "b"),))),
    dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
)  # fmt: skip
FULL = Purchase(by(7), CONFIGURATION, MACHINE)


def _kept_and_asked(request: Purchase) -> Purchase:
    """The purchase that a program makes from what a page has kept."""
    asked = decode(MachineToBuy, members(MachineToBuy, contents.of(request)), as_text=False)
    return replace(wanted(CALL, asked), actor=request.actor)


def test_the_sample_has_each_attribute_of_a_purchase() -> None:
    """Control: what is added to a purchase must be added above."""
    plain, machine = Configuration("", "", "", "", DiskChoice("", 0)), Machine("")
    alike = [field.name for field in fields(plain) if getattr(plain, field.name) == getattr(CONFIGURATION, field.name)]
    alike += [field.name for field in fields(machine) if getattr(machine, field.name) == getattr(MACHINE, field.name)]
    alike += [
        field.name
        for field in fields(Attributes)
        if getattr(Attributes(), field.name) == getattr(MACHINE.attributes, field.name)
    ]
    assert alike == []


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "request_",
    [
        FULL,
        Purchase(by(7), HOURLY, Machine(IMAGE)),
        replace(FULL, configuration=replace(CONFIGURATION, bandwidth_mbps=0, public_ip=False)),
        replace(FULL, configuration=replace(CONFIGURATION, public_ip=False)),
    ],
)
def test_all_of_a_purchase_that_a_page_keeps_is_bought_by_a_program(request_: Purchase) -> None:
    assert _kept_and_asked(request_) == request_


@pytest.mark.usefixtures("shop")
def test_each_attribute_by_itself_is_bought_by_a_program() -> None:
    """Given a plain purchase with one attribute of the full one, for each of them."""
    plain = Purchase(by(7), replace(HOURLY, charge_type="PREPAID", period_months=1), Machine(IMAGE))
    for part, full in (("configuration", CONFIGURATION), ("machine", MACHINE)):
        for field in fields(full):
            changed = replace(getattr(plain, part), **{field.name: getattr(full, field.name)})
            one = replace(plain, **{part: changed})
            if field.name != "charge_type":
                assert _kept_and_asked(one) == one, field.name


def test_what_a_program_keeps_is_what_it_said() -> None:
    asked: dict[str, Any] = {
        "Placement": {"Zone": "z", "ProjectId": 0}, "ImageId": "img-1",
        "DataDisks": [{"DiskSize": 5, "Encrypt": False}],
        "LoginSettings": {"KeyIds": ["skey-1"], "KeepImageLogin": "false"}, "SystemDisk": {"DiskSize": 50},
        "EnhancedService": {"MonitorService": {"Enabled": False}},
    }  # fmt: skip
    held = said(decode(RunInstances, asked, as_text=False), MachineToBuy)
    assert held == {
        "zone": "z", "placement.project_id": 0, "image_id": "img-1", "data_disks.0.size_gib": 5,
        "login.key_ids": ["skey-1"], "system_disk.size_gib": 50, "enhanced_service.monitor_service.enabled": False,
    }  # fmt: skip
    del asked["DataDisks"][0]["Encrypt"], asked["LoginSettings"]["KeepImageLogin"]
    assert members(MachineToBuy, held) == asked


def test_an_action_gets_the_members_that_it_has() -> None:
    held = {"zone": "z", "user_data": "eA==", "attributes.termination_protected": True, "of_another_version": 1}
    assert members(InquiryPriceRunInstances, held) == {"Placement": {"Zone": "z"}}
    assert members(RunInstances, held) == {
        "Placement": {"Zone": "z"}, "UserData": "eA==", "DisableApiTermination": True,
    }  # fmt: skip
