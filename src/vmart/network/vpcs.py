"""VPCs of a customer's own: made, renamed, deleted. Moves no money (ADR 0044)."""

from dataclasses import dataclass

from vmart.catalog import shop
from vmart.customers import accounts
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.network import held, numbers, ranges
from vmart.network.errors import DefaultNetwork, NetworkInUse, TooManyNetworks, UnknownRegion
from vmart.network.models import Subnet, Vpc

VPCS_MAX = 20  # of an account in a region (product 215/537)


@dataclass(frozen=True, slots=True)
class NewVpc:
    """What is asked for. ``multicast`` is kept and told, and does nothing else."""

    name: str
    cidr: str
    multicast: bool = False


def create(actor: Actor, region: str, new: NewVpc) -> Vpc:
    """A VPC in a region. Raises BadNetworkName, UnknownRegion, BadRange, TooManyNetworks."""
    held.check_name(new.name, "name")
    check_region(region)
    block = ranges.vpc_range(new.cidr, "cidr")
    with db.part_of_act():
        accounts.lock(actor.account)
        _refuse_too_many(actor.account, region)
        (number,) = numbers.take()
        made = Vpc.objects.create(
            public_id=public_ids.of("vpc", number), owner_id=actor.account, region_id=region, name=new.name,
            cidr=str(block), multicast=new.multicast, created_at=clock.now(),
        )  # fmt: skip
        held.tell(actor, record.VPC, "CreateVpc", made)
    return made


def check_region(region: str) -> None:
    """Raise UnknownRegion unless something is sold there."""
    regions = sorted({zone.region for zone in shop.snapshot().zones.values() if zone.on_sale})
    if region not in regions:
        raise UnknownRegion(
            "The region {region} does not exist; there are {regions}.",
            field="region", region=region[:40] or "(empty)", regions=", ".join(regions),
        )  # fmt: skip


def _refuse_too_many(account_id: int, region: str) -> None:
    if Vpc.objects.filter(held.of(account_id), region_id=region).count() >= VPCS_MAX:
        raise TooManyNetworks(
            "An account has at most {most} VPCs in a region; delete one first.", field="region", most=VPCS_MAX
        )


def modify(actor: Actor, vpc_id: str, *, name: str | None = None, multicast: bool | None = None) -> None:
    """Change what is given of a VPC, a default one too. Raises UnknownVpc, BadNetworkName."""
    if name is not None:
        held.check_name(name, "name")
    with db.act():
        accounts.lock(actor.account)
        vpc = held.vpc(actor.account, vpc_id)
        held.change(actor, record.VPC, "ModifyVpcAttribute", vpc, name=name, multicast=multicast)


def delete(actor: Actor, vpc_id: str) -> None:
    """Delete a VPC that has no subnet. Raises UnknownVpc, DefaultNetwork, NetworkInUse."""
    with db.act():
        accounts.lock(actor.account)
        vpc = held.vpc(actor.account, vpc_id)
        _refuse_default(vpc)
        _refuse_in_use(vpc)
        held.change(actor, record.VPC, "DeleteVpc", vpc, deleted_at=clock.now())


def _refuse_default(vpc: Vpc) -> None:
    if vpc.is_default:
        raise DefaultNetwork(
            "The VPC {id} is the default one of its region and stays.", field="vpc_id", id=vpc.public_id
        )


def _refuse_in_use(vpc: Vpc) -> None:
    subnets = Subnet.objects.filter(vpc_id=vpc.id, deleted_at=None).order_by("id")
    held_ids = list(subnets.values_list("public_id", flat=True))
    if held_ids:
        raise NetworkInUse(
            "The VPC {id} is in use by the subnet {subnet} ({count} in all): delete its subnets first.",
            field="vpc_id", id=vpc.public_id, count=len(held_ids), subnet=held_ids[0],
        )  # fmt: skip
