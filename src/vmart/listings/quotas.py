"""How much of its quotas an account has used: counted as what they bound counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from vmart.catalog import shop
from vmart.customers import quotas
from vmart.kernel import clock, db
from vmart.launch_templates.models import Template
from vmart.monitoring.models import Alarm
from vmart.orders import return_prepaid
from vmart.orders.addresses.allocate import counting as counting_addresses
from vmart.orders.disks.create import counting
from vmart.orders.images.create import counting as counting_images
from vmart.orders.packages.create import QUOTA as QUOTA_OF_PACKAGES
from vmart.orders.packages.create import counting as counting_packages
from vmart.orders.snapshots.create import counting as counting_snapshots
from vmart.orders.snapshots.policies import QUOTA as QUOTA_OF_POLICIES
from vmart.placement.models import Group
from vmart.pricing.configuration import POSTPAID_BY_HOUR, PREPAID, SPOTPAID
from vmart.storage.policies import SnapshotPolicy

_COUNTED = """
SELECT zone, fn.subscriptions_counted(%(account)s, zone, %(postpaid)s, NULL) AS postpaid,
       fn.subscriptions_counted(%(account)s, zone, %(prepaid)s, %(since)s) AS prepaid,
       fn.subscriptions_counted(%(account)s, zone, %(spot)s, NULL) AS spot
FROM unnest(%(zones)s::text[]) WITH ORDINALITY AS named (zone, place) ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Used:
    """Of a quota, in a zone or ("") everywhere: how many count against it, and the most there may be."""

    zone: str
    used: int
    most: int

    @property
    def remaining(self) -> int:
        """0 where a quota was lowered below what is there."""
        return max(0, self.most - self.used)


@dataclass(frozen=True, slots=True)
class Bound:
    """A quota by its name (``customers.quotas``); ``used`` is None where it bounds nothing that lasts."""

    name: str
    zone: str
    used: int | None
    most: int


def machines(account_id: int, zones: Sequence[str]) -> tuple[list[Used], list[Used], list[Used]]:
    """Postpaid machines that are there, prepaid ones bought this month in the billing zone, spot machines that are
    there; in the order of zones.
    """
    most = quotas.of(account_id)
    month = clock.month_start(clock.now(), shop.snapshot().billing_zone)
    counted = db.rows(
        _COUNTED, account=account_id, zones=list(zones), postpaid=POSTPAID_BY_HOUR, prepaid=PREPAID, spot=SPOTPAID,
        since=month,
    )  # fmt: skip
    return (
        [Used(row["zone"], row["postpaid"], most["postpaid_per_zone"]) for row in counted],
        [Used(row["zone"], row["prepaid"], most["prepaid_per_month"]) for row in counted],
        [Used(row["zone"], row["spot"], most["spot_per_zone"]) for row in counted],
    )


def all_of(account_id: int) -> list[Bound]:
    """Every quota of the account: by zone on sale, by region, then those of the whole account."""
    here, now = shop.snapshot(), clock.now()
    zones = [zone.code for zone in here.zones.values() if zone.on_sale]
    by_zone = zip(("postpaid_per_zone", "prepaid_per_month", "spot_per_zone"), machines(account_id, zones), strict=True)
    used = {
        "returns_per_year": return_prepaid.returned_this_year(account_id, now, here.billing_zone),
        "launch_templates": Template.objects.filter(account_id=account_id).count(),
        "alarms": Alarm.objects.filter(account_id=account_id).count(),
        "placement_groups": Group.objects.filter(account_id=account_id).count(),
    }
    found = [Bound(name, each.zone, each.used, each.most) for name, zoned in by_zone for each in zoned]
    most, disks = quotas.of(account_id), Counter(counting(account_id).values_list("own_zone_id", flat=True))
    found += [Bound("disks_per_zone", zone, disks[zone], most["disks_per_zone"]) for zone in zones]
    found += _by_region("addresses_per_region", counting_addresses(account_id), most)
    found += _by_region("snapshots_per_region", counting_snapshots(account_id), most)
    found += _by_region(QUOTA_OF_PACKAGES, counting_packages(account_id), most)
    found += _by_region("images_per_region", counting_images(account_id), most)
    policies = SnapshotPolicy.objects.filter(account_id=account_id)
    found += _by_region(QUOTA_OF_POLICIES, policies, most, "region_id")
    known = {each.name for each in found}
    return found + [Bound(name, "", used.get(name), most[name]) for name in most if name not in known]


def _by_region(
    name: str, counted: QuerySet[Any], most: Mapping[str, int], region: str = "zone__region_id"
) -> list[Bound]:
    """How many of what is counted are in each region in which something is sold."""
    regions = dict.fromkeys(zone.region for zone in shop.snapshot().zones.values() if zone.on_sale)
    there = Counter(counted.values_list(region, flat=True))
    return [Bound(name, code, there[code], most[name]) for code in regions]


def images_most(account_id: int) -> int:
    """How many images of its own an account may have in a region."""
    return quotas.of(account_id)["images_per_region"]


def addresses(account_id: int, region: str) -> Used:
    """Bought public addresses in a region."""
    held = counting_addresses(account_id).filter(zone__region_id=region).count()
    return Used("", held, quotas.of(account_id)["addresses_per_region"])


def packages(account_id: int, region: str) -> Used:
    """Bandwidth packages in a region."""
    held = counting_packages(account_id).filter(zone__region_id=region).count()
    return Used("", held, quotas.of(account_id)[QUOTA_OF_PACKAGES])
