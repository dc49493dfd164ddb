"""Go with tencentcloud-sdk-go."""

from itertools import groupby
from typing import Any

from vmart.web.as_code.layout import block, commented, quoted
from vmart.web.as_code.request import SECRET_ID, SECRET_KEY, Call, Members, Variable
from vmart.web.as_code.said import environment

_SDK = "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud"
INSTALL = f"go mod init buy\ngo get {_SDK}/common {_SDK}/cvm"
# Types of the SDK that are called otherwise than the members that have them.
_TYPES = {
    "DataDisks": "DataDisk", "Tags": "Tag", "InstanceMarketOptions": "InstanceMarketOptionsRequest",
    "SpotOptions": "SpotMarketOptions",
}  # fmt: skip
_UNSIGNED = {"Ipv6AddressCount"}
_TAB = "\t"
_PROGRAM = f"""package main

import (
	"fmt"
	"log"
	"os"

	"{_SDK}/common"
	"{_SDK}/common/profile"
	cvm "{_SDK}/cvm/v20170312"
)

func main() {{
	credential := common.NewCredential(os.Getenv("{SECRET_ID}"), os.Getenv("{SECRET_KEY}"))
	settings := profile.NewClientProfile()
	settings.Language = %(language)s
	settings.HttpProfile.Scheme = %(scheme)s
	settings.HttpProfile.Endpoint = %(host)s
	client, err := cvm.NewClient(credential, %(region)s, settings)
	if err != nil {{
		log.Fatal(err)
	}}
	request := cvm.NewRunInstancesRequest()
%(members)s
	response, err := client.RunInstances(request)
	if err != nil {{
		log.Fatal(err)
	}}
	fmt.Println(response.ToJsonString())
}}
"""


def program(call: Call) -> str:
    return commented(*environment(call), sign="//") + _PROGRAM % {
        "scheme": quoted(call.endpoint.scheme.upper()), "host": quoted(call.endpoint.host),
        "region": quoted(call.region), "members": _assigned(call.members), "language": quoted(call.language),
    }  # fmt: skip


def _assigned(members: Members) -> str:
    return "\n".join(f"{_TAB}request.{name} = {_value(name, value, _TAB)}" for name, value in members.items())


def _value(name: str, value: Any, before: str) -> str:
    """The member's value as its field of the SDK takes it: by a pointer."""
    if isinstance(value, dict):
        return f"&cvm.{_TYPES.get(name, name)}{_fields(value, before)}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [_fields(item, before + _TAB) for item in value]
        return f"[]*cvm.{_TYPES.get(name, name)}" + block("{}", items, before, _TAB, ",")
    if isinstance(value, list):
        return "common.StringPtrs([]string{" + ", ".join(map(quoted, value)) + "})"
    return _pointer(name, value)


def _fields(members: Members, before: str) -> str:
    pairs = [(f"{name}:", _value(name, value, before + _TAB)) for name, value in members.items()]
    return block("{}", _below_each_other(pairs), before, _TAB, ",")


def _below_each_other(pairs: list[tuple[str, str]]) -> list[str]:
    """Values of one line each begin below each other, as gofmt has it."""
    items: list[str] = []
    for has_lines, run in groupby(pairs, lambda pair: "\n" in pair[1]):
        each = list(run)
        width = 0 if has_lines else max(len(name) for name, _text in each)
        items += [f"{name:{width}} {text}" for name, text in each]
    return items


def _pointer(name: str, value: Any) -> str:
    if isinstance(value, Variable):
        return f'common.StringPtr(os.Getenv("{value}"))'
    if isinstance(value, bool):
        return f"common.BoolPtr({str(value).lower()})"
    if isinstance(value, int):
        return f"common.{'Uint64' if name in _UNSIGNED else 'Int64'}Ptr({value})"
    return f"common.StringPtr({quoted(value)})"
