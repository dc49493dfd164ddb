"""Given any value where another was meant, when an action is asked for, then it is refused by name, never a fault."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.test_every_action import LEGACY, OTHERS, WITH_THINGS, Things, _version, owner
from vmart.api import services
from vmart.api.actions.cbs import disks
from vmart.api.actions.cvm import instance_types, instances
from vmart.api.actions.vpc import addresses, route_tables, subnets, vpcs
from vmart.api.declarations import AnyShape, item_of, model_of

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")


def _deep(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


VALUES: list[Any] = [
    None, "", "\0", "a\0b", "\ud800", "x" * 300, "\uff19", "\n", 0, -1, 2**31, 2**63, 10**400, 1.5, True, [], [[]],
    [None], [""], ["\0"], [{}], {}, {"": 1}, {"\ud800": 1}, {"a": [[]]}, _deep(400),
]  # fmt: skip
TEXTS = ["\0", "x" * 300, "-1", "9" * 40, "1.5", "1e999", "\u0663", "True", "[]", "\n"]


def _paths(shape: type[AnyShape]) -> Iterator[tuple[str | int, ...]]:
    """Each member of a request, and of the structures in it."""
    for member in shape.model_fields.values():
        name = str(member.alias)
        yield (name,)
        item = item_of(member.annotation)
        inner = model_of(item) if item is not None else model_of(member.annotation)
        if inner is not None:
            for rest in _paths(inner):
                yield (name, 0, *rest) if item is not None else (name, *rest)


def _put(asked: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """``asked`` with ``value`` at ``path``, and the structures on the way there."""
    if not path:
        return value
    step, *rest = path
    if step == 0:
        return [_put(asked[0] if isinstance(asked, list) and asked else {}, tuple(rest), value)]
    whole = dict(asked) if isinstance(asked, dict) else {}
    whole[str(step)] = _put(whole.get(str(step)), tuple(rest), value)
    return whole


def _faults(ask: Any, asked: dict[str, Any], shape: type[AnyShape], values: list[Any]) -> list[tuple[Any, ...]]:
    return [(path, repr(value)[:40]) for path in _paths(shape) for value in values if ask(_put(asked, path, value))]


ACTIONS = [*((name, _version(name)) for name in WITH_THINGS), *OTHERS]


def _asked(name: str, version: str, has: Things) -> dict[str, Any]:
    return OTHERS[name, version][0] if (name, version) in OTHERS else WITH_THINGS[name][0](has)


@pytest.mark.parametrize(("name", "version"), ACTIONS)
def test_no_value_of_json_is_a_fault(owner: tuple[Client, Things], name: str, version: str) -> None:
    client, has = owner
    shape = services.API.find(name, version).asks

    def ask(members: dict[str, Any]) -> bool:
        response = client.call(name, members, version=version).response
        return "Error" in response and (
            response["Error"]["Code"] == "InternalError" or response["Error"]["Message"][:1] == " "
        )

    assert _faults(ask, _asked(name, version, has), shape, VALUES) == []
    assert not any(ask({**_asked(name, version, has), odd: 1}) for odd in ("", "\0", "\ud800", "x" * 10_000))


@pytest.mark.parametrize(("name", "version"), ACTIONS)
def test_no_value_of_a_form_is_a_fault(owner: tuple[Client, Things], name: str, version: str) -> None:
    client, has = owner
    shape = services.API.find(name, version).asks

    def ask(members: dict[str, Any]) -> bool:
        response = client.call(name, members, version=version, sign_method="HmacSHA256").response
        return "Error" in response and response["Error"]["Code"] == "InternalError"

    assert _faults(ask, _asked(name, version, has), shape, TEXTS) == []


@pytest.mark.parametrize("name", LEGACY)
def test_no_value_of_the_legacy_api_is_a_fault(owner: tuple[Client, Things], name: str) -> None:
    client, has = owner
    shape = services.LEGACY.find(name, "").asks
    faults = _faults(lambda members: client.legacy(name, members)["code"] == 6000, LEGACY[name][0](has), shape, TEXTS)
    assert faults == []


TAGS = ("tag:a", "tag:", "tag-key", "tag-value")
FILTERS = {
    "DescribeInstances": (*instances._FILTERS, *instances._TIMES, "project-id", *instances._FIND_NOTHING, *TAGS),
    "DescribeZoneInstanceConfigInfos": (*instance_types._SALE_FILTERS, "sort-keys"),
    "DescribeInstanceTypeConfigs": (*instance_types._TYPE_FILTERS,),
    "DescribeImages": ("image-id", "image-type", "image-name", "platform"),
    "DescribeKeyPairs": ("project-id", "key-name", *TAGS),
    "DescribeDisks": (*disks._FILTERS, *disks._ALIKE, *disks._FIND_NOTHING, *TAGS),
    "DescribeVpcs": (*vpcs._FILTERS, *vpcs.IN_SMALL_LETTERS, *vpcs.FIND_NOTHING, *TAGS),
    "DescribeSubnets": (*subnets._FILTERS, *subnets._IN_SMALL_LETTERS, *subnets._ALIKE, *vpcs.FIND_NOTHING, *TAGS),
    "DescribeRouteTables": (*route_tables._FILTERS, *route_tables._ALIKE, *route_tables._FIND_NOTHING),
    "DescribeSecurityGroups": ("security-group-id", "security-group-name", "project-id", *TAGS),
    "DescribeUsedIpAddress": (*addresses._FILTERS,),
}
TIMES = [
    "0001-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30", "2026-01-01T24:00:00",
    "2026-W01-1", "20260101", "2026-01-01 00:00:00.1234567890",
]  # fmt: skip


def _filter(name: str, values: list[str]) -> dict[str, Any]:
    return {"Filters": [{"Name": name, "Values": values}]}


@pytest.mark.parametrize("name", FILTERS)
def test_no_value_of_a_filter_is_a_fault(owner: tuple[Client, Things], name: str) -> None:
    client, has = owner
    needed = {"VpcId": has.vpc} if name == "DescribeUsedIpAddress" else {}
    faults = [
        (known, values)
        for known in FILTERS[name]
        for values in ([], ["x", "y"], *([text] for text in (*TEXTS, *TIMES)))
        if "InternalError"
        in str(client.call(name, {**needed, "Filters": [{"Name": known, "Values": values}]}).response)
    ]
    assert faults == []
