"""Prints an action's request and answer as declarations, out of the api.json that the pinned tccli carries.

Run ``python -m tests.support.shape_skeletons cvm 2017-03-12 DescribeInstances``, put what it prints into the noun's
file, then narrow it by hand: bounds and codes of what is offered, ``NotOffered`` for a request's member that is not,
no line for an answer's member that is not told. Both of the latter need a reason in ``api/not_offered.json``.
"""

import sys
from collections.abc import Iterator
from typing import Any

from pydantic.alias_generators import to_pascal, to_snake

from tests.api import oracle

_SCALARS = {"string": "str", "bool": "bool", "float": "float"}


def skeleton(service: str, version: str, name: str) -> str:
    """Every structure of the action, those that others need first."""
    described = oracle.api(service, version)
    action, objects = described["actions"][name], described["objects"]
    requests = [_request(each, objects, action["input"], name) for each in _inner_first(objects, action["input"])]
    answers = [_answer(each, objects, action["output"], name) for each in _inner_first(objects, action["output"])]
    return "\n\n\n".join([*requests, *answers]) + "\n"


def _inner_first(objects: dict[str, Any], name: str, seen: set[str] | None = None) -> Iterator[str]:
    seen = {name} if seen is None else seen | {name}
    for member in objects[name]["members"]:
        if member["member"] in objects and member["member"] not in seen:
            yield from _inner_first(objects, member["member"], seen)
    yield name


def _kind(objects: dict[str, Any], member: dict[str, Any], suffix: str = "") -> str:
    inner = member["member"] + suffix if member["member"] in objects else _SCALARS.get(member["type"], "int")
    if member["type"] == "list":
        inner = inner if member["member"] in objects else _SCALARS.get(member["member"], "int")
        return f"list[{inner}]"
    return inner


def _request(each: str, objects: dict[str, Any], top: str, action: str) -> str:
    lines = [f"class {action if each == top else each}(Shape):", f'    """Say here what {each} says."""', ""]
    for member in objects[each]["members"]:
        name, kind = to_snake(member["name"]), _kind(objects, member)
        if to_pascal(name) != member["name"]:
            kind = f'Annotated[{kind}, Field(alias="{member["name"]}")]'
        lines.append(f"    {name}: {kind}" if member.get("required") else f"    {name}: {kind} | None = None")
    return "\n".join(lines)


def _answer(each: str, objects: dict[str, Any], top: str, action: str) -> str:
    lines = [f"class {action if each == top else each}Answer(TypedDict):", f'    """Say here what {each} tells."""', ""]
    for member in objects[each]["members"]:
        if member["name"] == "RequestId":
            continue  # the envelope's
        kind = _kind(objects, member, "Answer") + (" | None" if member.get("value_allowed_null") else "")
        lines.append(f"    {member['name']}: {kind if member.get('output_required') else f'NotRequired[{kind}]'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(skeleton(*sys.argv[1:]))
