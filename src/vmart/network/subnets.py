"""Subnets of a customer's own: made, renamed, deleted. Moves no money (ADR 0044).

Subnets of all customers in a zone share its hosts, whose kernel has one routing table: no two of them may overlap.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from vmart.catalog import shop
from vmart.customers import accounts
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.network import held, numbers, ranges
from vmart.network.errors import DefaultNetwork, NetworkInUse, RangeTaken, TooManyNetworks, ZoneElsewhere
from vmart.network.models import Subnet, Vpc

SUBNETS_MAX = 100  # of a VPC (product 215/537)
_MEETING = """
SELECT host(cidr) AS first, prefix, vpc_id FROM network_subnet
WHERE deleted_at IS NULL AND (zone_id = %(zone)s OR vpc_id = %(vpc)s)
  AND set_masklen(cidr, prefix) && %(range)s::inet
"""


@dataclass(frozen=True, slots=True)
class NewSubnet:
    """What is asked for."""

    name: str
    cidr: str
    zone: str


def create(actor: Actor, vpc_id: str, new: NewSubnet) -> Subnet:
    """A subnet of a VPC of the account.

    Raises UnknownVpc, BadNetworkName, ZoneElsewhere, BadRange, RangeTaken, TooManyNetworks.
    """
    return _create(actor, vpc_id, [("", new)])[0]


def create_many(actor: Actor, vpc_id: str, several: Sequence[NewSubnet]) -> list[Subnet]:
    """Subnets of a VPC, all or none. Raises as ``create``, with the place in ``subnets``."""
    return _create(actor, vpc_id, [(f"subnets.{number}.", new) for number, new in enumerate(several)])


def _create(actor: Actor, vpc_id: str, several: Sequence[tuple[str, NewSubnet]]) -> list[Subnet]:
    for at, new in several:
        held.check_name(new.name, f"{at}name")
    with db.part_of_act():
        accounts.lock(actor.account)
        vpc = held.vpc(actor.account, vpc_id)
        _refuse_too_many(vpc, len(several))
        for zone in sorted({new.zone for _, new in several}):
            db.call("network_lock_ranges", zone)
        made = [_made(actor, vpc, new, at) for at, new in several]
        held.tell(actor, record.SUBNET, "CreateSubnet", *made)
    return made


def _refuse_too_many(vpc: Vpc, wanted: int) -> None:
    if Subnet.objects.filter(vpc_id=vpc.id, deleted_at=None).count() + wanted > SUBNETS_MAX:
        raise TooManyNetworks("A VPC has at most {most} subnets; delete one first.", field="vpc_id", most=SUBNETS_MAX)


def _made(actor: Actor, vpc: Vpc, new: NewSubnet, at: str) -> Subnet:
    check_zone(new.zone, vpc.region_id, f"{at}zone")
    block = ranges.subnet_range(new.cidr, IPv4Network(vpc.cidr), f"{at}cidr")
    _refuse_taken(vpc, new.zone, block, f"{at}cidr")
    (number,) = numbers.take()
    return Subnet.objects.create(
        public_id=public_ids.of("subnet", number), owner_id=actor.account, vpc=vpc, zone_id=new.zone, name=new.name,
        cidr=str(block.network_address), prefix=block.prefixlen, first_host=ranges.FIRST_HOST,
        next_host=ranges.FIRST_HOST, created_at=clock.now(),
    )  # fmt: skip


def zones_of(region: str) -> list[str]:
    """Codes of the zones on sale there, in order."""
    return [zone.code for zone in shop.snapshot().zones.values() if zone.on_sale and zone.region == region]


def check_zone(code: str, region: str, field: str) -> None:
    """Raise ZoneElsewhere unless something is sold in the zone, which is one of the region."""
    zones = zones_of(region)
    if code not in zones:
        raise ZoneElsewhere(
            "The zone {zone} is not in the region of the VPC; possible are {zones}.",
            field=field, zone=code[:60] or "(empty)", zones=", ".join(zones),
        )  # fmt: skip


def _refuse_taken(vpc: Vpc, zone: str, block: IPv4Network, field: str) -> None:
    """Whose the other one is, is not told, and its range only where it is of the same VPC."""
    met = _meeting(vpc, zone, block)
    if not met:
        return
    free = ranges.first_free(IPv4Network(vpc.cidr), block.prefixlen, [range_ for range_, _ in _meeting(vpc, zone)])
    within = next((str(range_) for range_, vpc_id in met if vpc_id == vpc.id), "")
    if within:
        raise RangeTaken(
            "The range {range} overlaps with {other} of the same VPC; free is {free}.",
            field=field, code="InvalidParameterValue.SubnetOverlap", range=str(block), other=within,
            free=str(free or "-"),
        )  # fmt: skip
    raise RangeTaken(
        "The range {range} is partly in use in {zone}, whose hosts all private networks share; free is {free}.",
        field=field, range=str(block), zone=zone, free=str(free or "-"),
    )  # fmt: skip


def _meeting(vpc: Vpc, zone: str, block: IPv4Network | None = None) -> list[tuple[IPv4Network, int]]:
    """Subnets of the zone and of the VPC that meet the range (without one: the VPC's), each with its VPC."""
    found = db.rows(_MEETING, zone=zone, vpc=vpc.id, range=str(block or vpc.cidr))
    return [(ipaddress.IPv4Network(f"{row['first']}/{row['prefix']}"), row["vpc_id"]) for row in found]


def modify(actor: Actor, subnet_id: str, *, name: str | None = None, broadcast: bool | None = None) -> None:
    """Change what is given of a subnet, a default one too. Raises UnknownSubnet, BadNetworkName."""
    if name is not None:
        held.check_name(name, "name")
    with db.act():
        accounts.lock(actor.account)
        subnet = held.subnet(actor.account, subnet_id)
        held.change(actor, record.SUBNET, "ModifySubnetAttribute", subnet, name=name, broadcast=broadcast)


def delete(actor: Actor, subnet_id: str) -> None:
    """Delete a subnet of which no machine has an address. Raises UnknownSubnet, DefaultNetwork, NetworkInUse."""
    with db.act():
        accounts.lock(actor.account)
        subnet = held.subnet(actor.account, subnet_id)
        _refuse_default(subnet)
        _refuse_in_use(subnet)
        held.change(actor, record.SUBNET, "DeleteSubnet", subnet, deleted_at=clock.now())


def _refuse_default(subnet: Subnet) -> None:
    if subnet.is_default:
        raise DefaultNetwork(
            "The subnet {id} is the default one of its zone and stays.", field="subnet_id", id=subnet.public_id
        )


def _refuse_in_use(subnet: Subnet) -> None:
    """A machine in the recycle bin has its address still; one that is being moved has both."""
    machines = db.rows(
        "SELECT i.public_id, count(*) OVER () AS total FROM network_private_address a JOIN instances_instance i"
        " ON i.id = abs(a.instance_id) WHERE a.subnet_id = %s ORDER BY i.id LIMIT 1",
        subnet.id,
    )
    for machine in machines:
        raise NetworkInUse(
            "The subnet {id} is in use by the machine {instance} ({count} in all, also in the recycle bin): erase "
            "them first.",
            field="subnet_id", id=subnet.public_id, count=machine["total"], instance=machine["public_id"],
        )  # fmt: skip
