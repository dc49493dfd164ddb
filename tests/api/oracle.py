"""Is an answer what the published API says? Checked against the api.json that tccli carries.

Every member must be declared, every required one present, every value of its type, null only where the
description says so. Exceptions stand in EXCEPTIONS with their reason.
"""

import functools
import json
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Services of the published API whose actions are offered, by version; the first of a version is the one meant where
# none is named.
SERVICES = {
    "2017-03-12": ("cvm", "cbs", "vpc"),
    "2018-07-09": ("billing",),
    "2022-06-27": ("region",),
    "2018-08-13": ("sts", "tag"),
    "2018-07-24": ("monitor",),
    "2020-11-06": ("api",),
}

# (structure, member) that may be null although the description does not mark it so.
EXCEPTIONS = {
    ("Instance", "RenewFlag"): "its text says: null for postpaid machines",
    ("Instance", "ExpiredTime"): "its text says: null for postpaid machines",
    ("Address", "NetworkInterfaceId"): "its text says: null where no interface is bound",
    ("Address", "PrivateAddressIp"): "its text says: null where no private address is bound",
}

_INTEGERS = {"int64", "uint64", "int", "integer"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def service_of(action: str, version: str, named: str = "") -> str:
    """The service that publishes the action: the one named if it does, else the first of the version; "" for none."""
    having = [service for service in SERVICES.get(version, ()) if action in api(service, version)["actions"]]
    return named if named in having else next(iter(having), "")


@functools.cache
def api(service: str, version: str) -> dict[str, Any]:
    """The published description of the service in this version."""
    spec = find_spec("tccli")  # found, not imported: it imports the deprecated module imp
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "services" / service / f"v{version.replace('-', '')}"
    return json.loads((folder / "api.json").read_text("utf-8"))


def check(action: str, version: str, response: dict[str, Any], *, service: str = "", dry_run: bool = False) -> None:
    """Assert that ``response`` (what lies under ``Response``) is a documented answer or error of ``action``.

    A dry run that would succeed answers RequestId alone, as the text of DryRun says.
    """
    if dry_run and "Error" not in response:
        assert set(response) == {"RequestId"}
        return
    problems = list(_problems(action, version, service_of(action, version, service), response))
    assert not problems, f"{action}: " + "; ".join(problems)


def _problems(action: str, version: str, service: str, response: dict[str, Any]):
    assert service, f"{action} is not an action of {version}"
    described = api(service, version)
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(response.get("RequestId"))):
        yield "RequestId is not a UUID"
    if "Error" in response:
        error = response["Error"]
        if set(response) != {"Error", "RequestId"} or set(error) != {"Code", "Message"}:
            yield "an error has Code, Message and RequestId only"
        elif not (isinstance(error["Message"], str) and error["Message"] and known_code(error["Code"])):
            yield f"the code {error['Code']} is not documented or has no sentence"
        return
    output = described["actions"][action]["output"]
    yield from _structure(described["objects"], output, response, action)


def _structure(objects: dict[str, Any], name: str, value: Any, path: str):
    if not isinstance(value, dict):
        yield f"{path} is not a structure"
        return
    members = {member["name"]: member for member in objects[name]["members"]}
    for unknown in set(value) - set(members):
        yield f"{path}.{unknown} is not described"
    for member_name, member in members.items():
        here = f"{path}.{member_name}"
        if member_name not in value:
            if member.get("output_required"):
                yield f"{here} is missing"
        elif value[member_name] is None:
            if not member.get("value_allowed_null") and (name, member_name) not in EXCEPTIONS:
                yield f"{here} is null"
        elif member["type"] == "list":
            yield from _list(objects, member["member"], value[member_name], here)
        elif member["type"] == "object":
            yield from _structure(objects, member["member"], value[member_name], here)
        else:
            yield from _scalar(member["type"], member["member"], value[member_name], here)


def _list(objects: dict[str, Any], kind: str, value: Any, path: str):
    if not isinstance(value, list):
        yield f"{path} is not a list"
        return
    for number, item in enumerate(value):
        if kind in objects:
            yield from _structure(objects, kind, item, f"{path}.{number}")
        else:
            yield from _scalar(kind, kind, item, f"{path}.{number}")


def _scalar(kind: str, detail: str, value: Any, path: str):
    right = {
        "string": isinstance(value, str),
        "bool": isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
    }
    family = "int" if kind in _INTEGERS else kind
    if not right[family]:
        yield f"{path} is {value!r}, not {kind}"
    elif detail.startswith("uint") and value < 0:
        yield f"{path} is negative"
    elif detail == "datetime_iso" and not _TIME.fullmatch(value):
        yield f"{path} is {value!r}, not of the form 2020-03-10T02:43:51Z"


_COMMON_CODES = """
ActionOffline AuthFailure.InvalidAuthorization AuthFailure.InvalidSecretId AuthFailure.MFAFailure
AuthFailure.SecretIdNotFound AuthFailure.SignatureExpire AuthFailure.SignatureFailure AuthFailure.TokenFailure
AuthFailure.UnauthorizedOperation DryRunOperation FailedOperation InternalError InvalidAction InvalidParameter
InvalidParameterValue InvalidRequest LimitExceeded MissingParameter NoSuchVersion RequestLimitExceeded
RequestSizeLimitExceeded ResourceInUse ResourceInsufficient ResourceNotFound ResourceUnavailable
ResourcesSoldOut.SpecifiedInstanceType ServiceUnavailable UnauthorizedOperation UnknownParameter
UnsupportedOperation UnsupportedProtocol UnsupportedRegion
"""


# In no list, and looked for by terraform-provider-tencentcloud when it ends a machine.
_BY_CLIENTS = frozenset({"InvalidInstanceState.Terminating"})


@functools.cache
def _codes() -> frozenset[str]:
    modules = [
        import_module(f"tencentcloud.{service}.v{version.replace('-', '')}.errorcodes")
        for version, services in SERVICES.items()
        for service in services
    ]
    documented = {value for module in modules for name, value in vars(module).items() if name.isupper()}
    return frozenset(_COMMON_CODES.split()) | documented | _BY_CLIENTS


def known_code(code: str) -> bool:
    """Whether the SDK's errorcodes or the list of common codes has it."""
    return code in _codes()
