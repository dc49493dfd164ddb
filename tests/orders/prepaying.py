"""What tests of disks that are paid ahead begin with, and look at afterwards."""

import datetime as dt
from dataclasses import replace

from tests.orders.ending import no_closes
from tests.orders.test_own_disks import again
from tests.support.actors import by
from tests.support.shopper import ZONE, work
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.models import Line
from vmart.orders.renew_flag import MANUAL
from vmart.pricing.configuration import DiskChoice
from vmart.storage.models import Disk

# 100 GiB of SSD: 1.00 a GiB and month, 0.0014 an hour; disks have no term discount in the demo's book.
SSD = NewDisks("ap-guangzhou", ZONE, "PREPAID", DiskChoice("CLOUD_SSD", 100, delete_with_instance=False), months=1)
MONTH_MINOR = 10_000


def prepaid_disk(account: int, months: int = 1, flag: str = MANUAL, size_gib: int = 100) -> Disk:
    """Bought, paid and made; no hour is closed from then on."""
    no_closes()
    disk = replace(SSD.disk, size_gib=size_gib)
    (public_id,) = create(by(account), replace(SSD, months=months, renew_flag=flag, disk=disk))
    work()
    return again(Disk.objects.get(public_id=public_id))


def term(disk: Disk) -> tuple[dt.datetime | None, dt.datetime | None]:
    """From where its terms count, and when it expires."""
    agreed = again(disk).subscription
    return agreed.anchor_at, agreed.expires_at


def lines(disk: Disk) -> list[tuple[str, str, int, int]]:
    """Of each order for it: action, the line's state, its price, and what came back."""
    found = Line.objects.select_related("order").filter(subscription_id=disk.id).order_by("id")
    return [(line.order.action, line.state, line.amount_minor, line.refund_minor) for line in found]
