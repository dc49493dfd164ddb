"""The private network that a purchase names: DEFAULT, or the ids of the account's own, which are the same network.

An account has one VPC a region and one subnet a zone; they exist from its first purchase there on, and never end.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from vmart.network.models import Subnet
from vmart.orders.errors import UnknownNetwork
from vmart.pricing.configuration import Configuration

DEFAULT = "DEFAULT"


@dataclass(frozen=True, slots=True)
class NetworkWanted:
    """Public ids, or DEFAULT; one that is empty names none."""

    vpc_id: str = DEFAULT
    subnet_id: str = DEFAULT


DEFAULT_NETWORK = NetworkWanted()


def check(account_id: int, configuration: Configuration, wanted: NetworkWanted) -> None:
    """Raise UnknownNetwork for ids that are not the account's, or not of the place of the configuration."""
    vpc_id, subnet_id = _named(wanted.vpc_id), _named(wanted.subnet_id)
    if not vpc_id and not subnet_id:
        return
    subnets = list(Subnet.objects.filter(account_id=account_id).select_related("vpc").order_by("id"))
    if vpc_id:
        _check_vpc(vpc_id, configuration.region, subnets)
    if subnet_id:
        _check_subnet(subnet_id, configuration.zone, subnets)


def _named(public_id: str) -> str:
    return "" if public_id.upper() == DEFAULT else public_id


def _check_vpc(vpc_id: str, region: str, subnets: Iterable[Subnet]) -> None:
    regions = {subnet.vpc.public_id: subnet.vpc.region_id for subnet in subnets}
    possible = _possible(vpc for vpc, there in regions.items() if there == region)
    if vpc_id not in regions:
        raise UnknownNetwork(
            "The VPC {id} does not exist; possible here are {possible}.",
            field="network.vpc_id", id=vpc_id, possible=possible,
        )  # fmt: skip
    if regions[vpc_id] != region:
        raise UnknownNetwork(
            "The VPC {id} is in another region; possible here are {possible}.",
            field="network.vpc_id", code="InvalidParameterValue.VpcIdZoneIdNotMatch", id=vpc_id,
            possible=possible,
        )  # fmt: skip


def _check_subnet(subnet_id: str, zone: str, subnets: Iterable[Subnet]) -> None:
    known = {subnet.public_id: subnet for subnet in subnets}
    possible = _possible(subnet.public_id for subnet in known.values() if subnet.zone_id == zone)
    if subnet_id not in known:
        raise UnknownNetwork(
            "The subnet {id} does not exist; possible here are {possible}.",
            field="network.subnet_id", code="InvalidParameterValue.SubnetNotExist", id=subnet_id,
            possible=possible,
        )  # fmt: skip
    if known[subnet_id].zone_id != zone:
        raise UnknownNetwork(
            "The subnet {id} is in another zone; possible here are {possible}.",
            field="network.subnet_id", code="InvalidParameterValue.SubnetIdZoneIdNotMatch", id=subnet_id,
            possible=possible,
        )  # fmt: skip


def _possible(public_ids: Iterable[str]) -> str:
    return ", ".join([DEFAULT, *public_ids])
