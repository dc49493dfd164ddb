"""cvm: machines in another private network: ModifyInstancesVpcAttribute."""

from typing import Annotated

from vmart.api.actions.cvm.instances import InstanceIds
from vmart.api.actions.cvm.purchase import PrivateNetwork, wanted_network
from vmart.api.declarations import Domain, Done, PublicId, Shape, not_offered
from vmart.api.registry import Action, Call, Resource
from vmart.kernel.errors import Unsupported
from vmart.orders import move


class OtherNetwork(PrivateNetwork):
    """Both ids are said, be they DEFAULT. A machine keeps its IPv6 address, and gets none."""

    vpc_id: PublicId
    subnet_id: PublicId
    ipv6_address_count: Annotated[None, not_offered("0")] = None


class ModifyInstancesVpcAttribute(Shape):
    """Another subnet of the account's in their zone, or other addresses; running ones are turned off and on again."""

    instance_ids: InstanceIds
    virtual_private_cloud: Annotated[OtherNetwork, Domain("network")]
    force_stop: Annotated[bool, Domain("while_running")] = True
    reserve_host_name: Annotated[bool, Domain("hostname_stays")] = True


def modify_instances_vpc_attribute(call: Call, asked: ModifyInstancesVpcAttribute) -> Done:
    """Accepted, all or none; there soon, which LatestOperationState tells."""
    if not asked.reserve_host_name:
        raise Unsupported("A machine keeps its host name when it is moved.", field="hostname_stays")
    network = wanted_network(asked.virtual_private_cloud)
    move.move(call.actor, asked.instance_ids, network, while_running=asked.force_stop)
    return {}


ACTIONS = (
    Action(
        "ModifyInstancesVpcAttribute",
        ModifyInstancesVpcAttribute,
        Done,
        modify_instances_vpc_attribute,
        writes=True,
        touches={
            Resource.MACHINE: "instance_ids",
            Resource.VPC: "virtual_private_cloud.vpc_id",
            Resource.SUBNET: "virtual_private_cloud.subnet_id",
        },
    ),
)
