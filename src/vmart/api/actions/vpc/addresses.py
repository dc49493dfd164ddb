"""vpc: DescribeUsedIpAddress. Which private addresses machines have; clients wait for one to be free again."""

from typing import Annotated, Any, TypedDict

from pydantic import Field

from vmart.api.actions.filters import VALUES_MAX, conditions, not_both
from vmart.api.actions.vpc.declared import Filters, declared
from vmart.api.declarations import INT32_MAX, Code, PublicId, PublicIds, Shape
from vmart.api.registry import Call, Resource
from vmart.listings import networks
from vmart.listings.networks import WantedAddresses

_FILTERS = {"ip-addresses": "ips", "resource-id": "instance_ids"}
_Range = Code("InvalidParameterValue.Range")


class DescribeUsedIpAddress(Shape):
    """Of one network, or one subnet of it."""

    vpc_id: PublicId
    subnet_id: PublicId | None = None
    ip_addresses: PublicIds = []
    filters: Filters = []
    offset: Annotated[int, Field(ge=0, le=INT32_MAX), _Range] = 0
    limit: Annotated[int, Field(ge=1, le=100), _Range] = 20


class IpAddressStatesAnswer(TypedDict):
    """One address that a machine has."""

    VpcId: str
    SubnetId: str
    IpAddress: str
    ResourceType: str
    ResourceId: str


class DescribeUsedIpAddressAnswer(TypedDict):
    """A page of them, and how many there are."""

    IpAddressStates: list[IpAddressStatesAnswer]
    TotalCount: int


def describe_used_ip_address(call: Call, asked: DescribeUsedIpAddress) -> DescribeUsedIpAddressAnswer:
    """None for a network that there is not: nothing has an address of it."""
    not_both(asked.ip_addresses, asked.filters, "IpAddresses")
    chosen = conditions(asked.filters, _FILTERS, VALUES_MAX)
    met: dict[str, Any] = {"ips": asked.ip_addresses or None}
    met |= {_FILTERS[name]: values for name, values in chosen.items()}
    wanted = WantedAddresses(vpc_id=asked.vpc_id, subnet_id=asked.subnet_id or None, **met)
    total, found = networks.addresses(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    states: list[IpAddressStatesAnswer] = [
        {
            "VpcId": taken.vpc_id,
            "SubnetId": taken.subnet_id,
            "IpAddress": taken.ip,
            "ResourceType": "CVM",
            "ResourceId": taken.instance_id,
        }
        for taken in found
    ]
    return {"TotalCount": total, "IpAddressStates": states}


ACTIONS = (
    declared(
        DescribeUsedIpAddress,
        DescribeUsedIpAddressAnswer,
        describe_used_ip_address,
        writes=False,
        touches={Resource.VPC: "vpc_id", Resource.SUBNET: "subnet_id"},
    ),
)
