"""An account's default networks: the VPC of a region and the subnet of a zone, which a first purchase makes too.

They are made under the lock of its purses, as by a purchase, so that neither makes what the other is making.
"""

from vmart.catalog import shop
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.network import held, numbers, subnets, vpcs
from vmart.network.models import Subnet
from vmart.orders import refusals


def create(actor: Actor, region: str, zone: str = "") -> Subnet:
    """The default subnet in the zone, made with its VPC where there is none; one of the region where none is named.

    Raises UnknownRegion, ZoneElsewhere, NoAddress.
    """
    vpcs.check_region(region)
    if zone:
        subnets.check_zone(zone, region, "zone")
    with db.act():
        db.call("ledger_lock", actor.account)
        named = {"zone_id": zone} if zone else {}
        there = Subnet.objects.filter(account_id=actor.account, vpc__region_id=region, **named).select_related("vpc")
        found = there.order_by("id").first()
        if found is None:
            found = of(actor.account, zone or subnets.zones_of(region)[0])
            held.tell(actor, record.SUBNET, "CreateDefaultVpc", found)
    return found


def of(account_id: int, zone: str) -> Subnet:
    """The default subnet in the zone, made with its VPC where there is none. Belongs into an act of the account's.

    Raises NoAddress.
    """
    number, region = numbers.take()[0], shop.snapshot().region_of(zone)
    with refusals.saying():
        made = db.call(
            "network_default_subnet", account_id, region, zone, public_ids.of("vpc", number),
            public_ids.of("subnet", number), clock.now(),
        )  # fmt: skip
    return Subnet.objects.select_related("vpc").get(id=made)
