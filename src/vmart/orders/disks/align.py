"""Disks that are paid ahead go on as long as the machine that has them, with its renewal or by themselves."""

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter
from vmart.orders import renew as of_machines
from vmart.orders.disks import renew as of_disks
from vmart.orders.renew import Renewal
from vmart.pricing.configuration import PREPAID
from vmart.pricing.priced import Priced
from vmart.pricing.renewal import end_after
from vmart.storage.models import Disk, State
from vmart.subscriptions.models import Subscription

# Disks that are paid ahead at machines of the account, with both ends, and from where the machine's terms count.
_ATTACHED = """
SELECT d.public_id, own.expires_at, machine.anchor_at, machine.expires_at AS machine_to
FROM subscriptions_subscription machine
JOIN storage_disk d ON d.instance_id = machine.id AND d.state = 'ATTACHED'
JOIN subscriptions_subscription own ON own.id = d.id AND own.charge_type = 'PREPAID'
WHERE machine.account_id = %s AND machine.public_id = ANY (%s) ORDER BY d.id
"""


def renew_with_disks(actor: Actor, asked: Renewal) -> None:
    """Renew machines, and the disks paid ahead that they have to the same ends; paid from the balance, all or none.

    A disk that is paid as long already, or longer, stays as it is. Raises what both renewals raise.
    """
    with db.act():
        of_machines.renew_in_act(actor, asked)
        for some in _shorter(actor.account, asked.public_ids, months=0):
            of_disks.ACT.order_in_act(actor, Renewal(some, 0, with_machine=True))


def price_with_disks(account_id: int, asked: Renewal) -> tuple[Priced, list[Priced]]:
    """What that would cost now: of the machines, and of their disks. Writes nothing."""
    with db.act():
        of_them = of_machines.price_in_act(account_id, asked)
        return of_them, [
            of_disks.ACT.price_in_act(account_id, Renewal(some, asked.months, with_machine=True))
            for some in _shorter(account_id, asked.public_ids, months=asked.months)
        ]


def _shorter(account_id: int, machine_ids: Sequence[str], *, months: int) -> list[list[str]]:
    """Attached disks that would end before their machines, once these are renewed by ``months``, as many as at once."""
    zone = shop.snapshot().billing_zone
    found = db.prepared(_ATTACHED, account_id, list(machine_ids))
    shorter = [one["public_id"] for one in found if one["expires_at"] < _end(one, months, zone)]
    most = of_disks.AT_ONCE_MAX
    return [shorter[first : first + most] for first in range(0, len(shorter), most)]


def _end(one: dict[str, Any], months: int, zone: ZoneInfo) -> dt.datetime:
    machine_to: dt.datetime = one["machine_to"]
    return end_after(one["anchor_at"], machine_to, months, zone) if months else machine_to


def to_its_machine(
    account_id: int, disk_id: str, deadline: dt.datetime, months: int, *, field: str = "deadline"
) -> Renewal:
    """The renewal of a disk whose machine ends at ``deadline`` now, and is renewed by ``months`` (API 3.0).

    Also where that was renewed just before. Raises InvalidParameter where it ends at another time.
    """
    having = Disk.objects.filter(account_id=account_id, public_id=disk_id.replace("\0", ""), state=State.ATTACHED)
    machine = Subscription.objects.filter(pk__in=having.values("instance_id"), charge_type=PREPAID).first()
    if machine is None or machine.expires_at is None:
        raise InvalidParameter("{id} is attached to no machine that is paid ahead.", field="disks", id=disk_id[:60])
    ends = machine.expires_at.replace(microsecond=0)
    if ends == deadline:
        return Renewal([disk_id], months, with_machine=True)
    if deadline == _end_before(machine, months, shop.snapshot().billing_zone):
        return Renewal([disk_id], 0, with_machine=True)
    raise InvalidParameter(
        "The machine of {id} expires at {at:%Y-%m-%d %H:%M:%S}.",
        field=field, id=disk_id[:60], at=ends.astimezone(shop.snapshot().billing_zone),
    )  # fmt: skip


def _end_before(machine: Subscription, months: int, zone: ZoneInfo) -> dt.datetime | None:
    """The end that the machine had before it was renewed by ``months``; None where its terms are fewer."""
    assert machine.anchor_at is not None and machine.expires_at is not None
    with suppress(ValueError):
        return end_after(machine.anchor_at, machine.expires_at, -months, zone).replace(microsecond=0)
    return None
