"""cvm: a request that leaves members to a launch template. What it says itself wins."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from vmart.api.declarations import INT32_MAX, AnyShape, Code, Domain, Shape
from vmart.api.fields import members
from vmart.api.registry import Call, Members
from vmart.launch_templates import held

TemplateId = Annotated[
    str, Field(max_length=60), Code("InvalidParameterValue.LaunchTemplateIdMalformed"), Domain("template.id")
]
Version = Annotated[
    int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue.LaunchTemplateVersion"), Domain("template.version")
]


class LaunchTemplate(Shape):
    """A template of the account; without a version its default one."""

    launch_template_id: TemplateId
    launch_template_version: Version | None = None


class FromTemplate(Shape):
    """The member that names a template, of a request that may have one."""

    launch_template: LaunchTemplate | None = None


def from_template(shape: type[AnyShape]) -> Callable[[Call, FromTemplate, Members], Members]:
    """How requests of this shape are completed: with what the template that they name says, where they name one."""

    def completed(call: Call, named: FromTemplate, request: Members) -> Members:
        return with_version(call, named.launch_template, request, shape) if named.launch_template else request

    return completed


def with_version(call: Call, named: LaunchTemplate, request: Members, shape: type[AnyShape]) -> Members:
    """The request with the members of ``shape`` that the version says and it does not."""
    version = held.version(call.account_id, named.launch_template_id, named.launch_template_version)
    return merged(members(shape, version.contents), request)


def merged(template: Members, request: Members) -> Members:
    """Both, member by member; the request wins. Lists are one value.

    What the request says can rule out what the template does: another charge type its term, a password its keys.
    """
    kept = dict(template)
    if request.get("InstanceChargeType", "PREPAID") != "PREPAID":
        kept.pop("InstanceChargePrepaid", None)
    login = request.get("LoginSettings")
    if isinstance(login, dict) and "Password" in login:
        kept.pop("LoginSettings", None)
    return _merged(kept, request)


def _merged(template: Members, request: Members) -> Members:
    both = {
        name: _merged(template[name], said) if isinstance(template.get(name), dict) and isinstance(said, dict) else said
        for name, said in request.items()
    }
    return template | both
