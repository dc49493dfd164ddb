"""cvm: AssociateSecurityGroups, DisassociateSecurityGroups. Which groups machines are in."""

from typing import Annotated

from vmart.api.actions.cvm.instances import InstanceIds
from vmart.api.declarations import Domain, Done, PublicIds, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.orders import groups


class AssociateSecurityGroups(Shape):
    """Further groups for machines, all or none."""

    security_group_ids: Annotated[PublicIds, Domain("attributes.security_groups")]
    instance_ids: InstanceIds


class DisassociateSecurityGroups(AssociateSecurityGroups):
    """Fewer groups for machines, all or none."""


def associate_security_groups(call: Call, asked: AssociateSecurityGroups) -> Done:
    """Done when it is answered, in force some seconds later."""
    groups.join(call.actor, asked.instance_ids, asked.security_group_ids)
    return {}


def disassociate_security_groups(call: Call, asked: DisassociateSecurityGroups) -> Done:
    """Done when it is answered, in force some seconds later."""
    groups.leave(call.actor, asked.instance_ids, asked.security_group_ids)
    return {}


_TOUCHES = {Resource.MACHINE: "instance_ids", Resource.SECURITY_GROUP: "security_group_ids"}
ACTIONS = (
    Action(
        "AssociateSecurityGroups",
        AssociateSecurityGroups,
        Done,
        associate_security_groups,
        writes=True,
        touches=_TOUCHES,
    ),
    Action(
        "DisassociateSecurityGroups",
        DisassociateSecurityGroups,
        Done,
        disassociate_security_groups,
        writes=True,
        touches=_TOUCHES,
    ),
)
