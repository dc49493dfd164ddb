"""The private network that a purchase or a move names: DEFAULT, or a subnet of the account's by its id.

The default VPC of a region and the default subnet of a zone are there from the account's first purchase there on, and
never end; others are their owner's (ADR 0044).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vmart.kernel.errors import InvalidParameter
from vmart.network import held, ranges
from vmart.network.models import Subnet, Vpc
from vmart.orders import named
from vmart.orders.errors import UnknownNetwork

DEFAULT = "DEFAULT"
_TOLD_MAX = 20  # ids in a sentence


class Where(Protocol):
    """Where machines are to be, and how many: what is configured of a purchase, or machines that are there."""

    @property
    def region(self) -> str: ...

    @property
    def zone(self) -> str: ...

    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class NetworkWanted:
    """Public ids, or DEFAULT; one that is empty names none. ``private_ips``: one a machine, in order, or none.

    ``ipv6_addresses``: how many each machine has.
    """

    vpc_id: str = DEFAULT
    subnet_id: str = DEFAULT
    private_ips: tuple[str, ...] = ()
    ipv6_addresses: int = 0


DEFAULT_NETWORK = NetworkWanted()


def checked(account_id: int, where: Where, wanted: NetworkWanted, found: named.Named | None = None) -> NetworkWanted:
    """What is wanted, its addresses as they are written. Whether they are free, the purchase's statement finds.

    ``found``: what is named, where that is known already.

    Raises UnknownNetwork for ids that are not the account's, or not of the place;
    InvalidParameter, BadPrivateAddress and PrivateAddressOutside for addresses.
    """
    subnet = _subnet(account_id, wanted, where, found)
    return replace(wanted, private_ips=_addresses(wanted.private_ips, subnet, where.count))


def id_of(public_id: str) -> str:
    """The id; "" for none and for DEFAULT."""
    return "" if public_id.upper() == DEFAULT else public_id


def _vpc(account_id: int, vpc_id: str, where: Where) -> Vpc:
    found = Vpc.objects.filter(held.of(account_id), public_id=held.sayable(vpc_id)).first()
    if found is not None and found.region_id == where.region:
        return found
    here = Vpc.objects.filter(held.of(account_id), region_id=where.region).order_by("id")
    possible = _possible(here.values_list("public_id", flat=True)[:_TOLD_MAX])
    if found is None:
        raise UnknownNetwork(
            "The VPC {id} does not exist; possible here are {possible}.",
            field="network.vpc_id", id=vpc_id, possible=possible,
        )  # fmt: skip
    raise UnknownNetwork(
        "The VPC {id} is in another region; possible here are {possible}.",
        field="network.vpc_id", code="InvalidParameterValue.VpcIdZoneIdNotMatch", id=vpc_id,
        possible=possible,
    )  # fmt: skip


def _check_default(vpc: Vpc, where: Where) -> None:
    """A VPC without a subnet is the default one, whose default subnet is meant."""
    if vpc.is_default:
        return
    there = Subnet.objects.filter(vpc_id=vpc.id, zone_id=where.zone, deleted_at=None).order_by("id")
    possible = ", ".join(there.values_list("public_id", flat=True)[:_TOLD_MAX])
    raise UnknownNetwork(
        "The VPC {id} has no default subnet: name one of its subnets in {zone}; there are {possible}.",
        field="network.subnet_id", code="InvalidParameterValue.SubnetNotExist", id=vpc.public_id,
        zone=where.zone, possible=possible or "-",
    )  # fmt: skip


def _subnet(account_id: int, wanted: NetworkWanted, where: Where, known: named.Named | None) -> Subnet | None:
    """The subnet that is named, where a VPC is named too, one of that; None for the default one."""
    vpc_id, subnet_id = id_of(wanted.vpc_id), id_of(wanted.subnet_id)
    found = (known or named.look(account_id, where.zone, subnet_id=subnet_id)).subnet if subnet_id else None
    if found and found.zone_id == where.zone and vpc_id in ("", found.vpc_public_id):
        return found  # type: ignore[no-any-return]
    vpc = _vpc(account_id, vpc_id, where) if vpc_id else None
    if subnet_id:
        held_ones = Subnet.objects.filter(held.of(account_id))
        there = held_ones.filter(zone_id=where.zone, **({"vpc": vpc} if vpc else {})).order_by("id")
        possible = there.values_list("public_id", flat=True)[:_TOLD_MAX]
        raise _not_possible(found, subnet_id, where, possible)
    if vpc:
        _check_default(vpc, where)
    return None


def _not_possible(found: Any, subnet_id: str, where: Where, possible: Iterable[str]) -> UnknownNetwork:
    if found is None:
        return UnknownNetwork(
            "The subnet {id} does not exist; possible here are {possible}.",
            field="network.subnet_id", code="InvalidParameterValue.SubnetNotExist", id=subnet_id,
            possible=_possible(possible),
        )  # fmt: skip
    if found.zone_id != where.zone:
        return UnknownNetwork(
            "The subnet {id} is in another zone; possible here are {possible}.",
            field="network.subnet_id", code="InvalidParameterValue.SubnetIdZoneIdNotMatch", id=subnet_id,
            possible=_possible(possible),
        )  # fmt: skip
    return UnknownNetwork(
        "The subnet {id} is in the VPC {vpc}; possible here are {possible}.",
        field="network.subnet_id", code="InvalidParameterValue.VpcIdSubnetIdNotMatch", id=subnet_id,
        vpc=found.vpc_public_id, possible=_possible(possible),
    )  # fmt: skip


def _possible(public_ids: Iterable[str]) -> str:
    return ", ".join([DEFAULT, *public_ids])


def _addresses(private_ips: tuple[str, ...], subnet: Subnet | None, count: int) -> tuple[str, ...]:
    if not private_ips:
        return ()
    if subnet is None:
        raise InvalidParameter(
            "Private addresses can be chosen in a subnet that is named by its id.", field="network.private_ips"
        )
    if len(private_ips) != count:
        raise InvalidParameter(
            "{addresses} private addresses are chosen for {count} machines; choose one for each, or none.",
            field="network.private_ips", addresses=len(private_ips), count=count,
        )  # fmt: skip
    chosen = tuple(
        str(ranges.private_ip(text, subnet.block, subnet.first_host, "network.private_ips")) for text in private_ips
    )
    _refuse_twice(chosen)
    return chosen


def _refuse_twice(chosen: tuple[str, ...]) -> None:
    for number, address in enumerate(chosen):
        if address in chosen[:number]:
            raise InvalidParameter("The private address {ip} is chosen twice.", field="network.private_ips", ip=address)
