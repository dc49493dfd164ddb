"""cvm: DescribeInstancesAttributes, ModifyInstancesAttribute, ModifyInstancesProject.

What is told and changed of a machine by itself.
"""

import base64
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.instances import InstanceIds, Project
from vmart.api.declarations import Code, Domain, Done, FalseOnly, NotOffered, PublicIds, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.listings import machines
from vmart.orders import attributes, user_data


class DescribeInstancesAttributes(Shape):
    """Attributes that DescribeInstances does not tell: UserData."""

    attributes: Annotated[list[Literal["UserData"]], Field(max_length=10)]
    instance_ids: InstanceIds


class ModifyInstancesAttribute(Shape):
    """Names, protection from programs, user data of the next system, security groups; the same for all of them."""

    instance_ids: InstanceIds
    instance_name: (
        Annotated[str, Field(max_length=1000), Code("InvalidInstanceName.TooLong"), Domain("name")] | None
    ) = None
    user_data: Annotated[
        str | None, Field(max_length=32 * 1024), Code("InvalidParameterValue.InvalidUserDataFormat")
    ] = None
    security_groups: Annotated[PublicIds | None, Domain("attributes.security_groups")] = None
    cam_role_name: NotOffered = None
    host_name: (
        Annotated[str, Field(max_length=200), Code("InvalidParameterValue.IllegalHostName"), Domain("hostname")] | None
    ) = None
    disable_api_termination: Annotated[bool | None, Domain("protected")] = None
    cam_role_type: NotOffered = None
    auto_reboot: FalseOnly = None
    enable_jumbo_frame: NotOffered = None


class ModifyInstancesProject(Shape):
    """Machines into a project; there is one, whose id is 0."""

    instance_ids: InstanceIds
    project_id: Project


class AttributeAnswer(TypedDict):
    """What was asked for."""

    UserData: str


class InstanceAttributeAnswer(TypedDict):
    """One machine."""

    InstanceId: str
    Attributes: AttributeAnswer


class DescribeInstancesAttributesAnswer(TypedDict):
    """In the order asked for."""

    InstanceSet: list[InstanceAttributeAnswer]


def describe_instances_attributes(call: Call, asked: DescribeInstancesAttributes) -> DescribeInstancesAttributesAnswer:
    """In the order asked for; a machine that there is not is refused, as the answer has no other way to say so."""
    found = machines.user_data(call.account_id, asked.instance_ids)
    told: list[InstanceAttributeAnswer] = [
        {"InstanceId": public_id, "Attributes": {"UserData": base64.b64encode(user_data).decode()}}
        for public_id, user_data in found.items()
    ]
    return {"InstanceSet": told}


def modify_instances_attribute(call: Call, asked: ModifyInstancesAttribute) -> Done:
    """Done when it is answered, but for HostName: of that LatestOperationState says when it is done."""
    attributes.modify(
        call.actor,
        asked.instance_ids,
        name=asked.instance_name,
        protected=asked.disable_api_termination,
        document=None if asked.user_data is None else user_data.decode(asked.user_data),
        groups=asked.security_groups,
        hostname=asked.host_name,
    )
    return {}


def modify_instances_project(call: Call, asked: ModifyInstancesProject) -> Done:
    """Nothing changes: each machine is in project 0 and stays in it."""
    attributes.put_into_project(call.actor, asked.instance_ids)
    return {}


ACTIONS = (
    Action(
        "DescribeInstancesAttributes",
        DescribeInstancesAttributes,
        DescribeInstancesAttributesAnswer,
        describe_instances_attributes,
        writes=False,
        touches={Resource.MACHINE: "instance_ids"},
    ),
    Action(
        "ModifyInstancesAttribute",
        ModifyInstancesAttribute,
        Done,
        modify_instances_attribute,
        writes=True,
        touches={Resource.MACHINE: "instance_ids", Resource.SECURITY_GROUP: "security_groups"},
    ),
    Action(
        "ModifyInstancesProject",
        ModifyInstancesProject,
        Done,
        modify_instances_project,
        writes=True,
        touches={Resource.MACHINE: "instance_ids"},
    ),
)
