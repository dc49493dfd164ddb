"""Spot machines are taken back: for the room of others, when they cost more than was bid, or by the seller.

Their owner has two minutes' notice: an event, a line on the machine's page, and a file in the machine's own system. At
its end their charging ends, to that second, and all of them is erased (ADR 0054).
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_noop

from vmart.catalog import shop
from vmart.catalog.shop import Shop
from vmart.engines.contract import EngineError
from vmart.events import record
from vmart.events.actor import Actor, timer
from vmart.events.models import Event
from vmart.instances.models import ALIVE, ON, Instance, State
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import NotFound
from vmart.network.models import PublicAddress
from vmart.orders import machines as m
from vmart.orders import refusals, spot, terminate
from vmart.orders.acts import ending, when_idle
from vmart.orders.errors import RoomIsMade
from vmart.orders.models import Order, Status
from vmart.placement.making_room import Apart, Room, Taken, plan
from vmart.placement.models import Allocation
from vmart.policy import policy
from vmart.pricing.configuration import SPOTPAID, Configuration
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND, NOTICE_KIND = "reclaim", "spot_notice"
NOTICE = dt.timedelta(minutes=2)
ACT, MADE = "reclaim_announced", "room_made"
FOR_ROOM = gettext_noop("Its room is needed for another machine.")
BY_PRICE = gettext_noop("An hour of it costs more now than was said it may.")
BY_SELLER = gettext_noop("The seller takes it back.")
# In the others there is no machine, or it is being erased already.
_BOUGHT = (Status.DELIVERING, Status.DELIVERED)  # one that waits for its payment costs nothing
_TAKEN = (*(state for state in ALIVE if state != State.PENDING), State.SHUTDOWN)
_FREE = """
SELECT id, vcpu_capacity - vcpu_used AS vcpu, memory_capacity_mib - memory_used_mib AS memory_mib,
       disk_capacity_gib - disk_used_gib AS disk_gib
FROM placement_host WHERE zone_id = ANY (%s) AND online AND enabled
"""
_SPOTS = """
SELECT i.id, a.host_id, a.vcpu, a.memory_mib, a.disk_gib,
       i.reclaim_at IS NOT NULL OR i.state = 'TERMINATING' AS leaving
FROM instances_instance i JOIN placement_allocation a ON a.instance_id = i.id
WHERE i.zone_id = ANY (%s) AND i.charge_type = 'SPOTPAID' AND i.state NOT IN ('GONE', 'PENDING', 'LAUNCH_FAILED')
ORDER BY i.created_at DESC, i.id DESC
"""

# Hosts on which machines of a placement group may lie, by the rules of fn.placement_may_join: how many more may come
# into the place of each, and into the group in all.
_PLACES = """
SELECT h.id, CASE g.apart WHEN 'RACK' THEN h.rack ELSE h.id::text END AS place,
       g.affinity - fn.placement_beside(g, h) AS there, fn.placement_group_left(g.account_id, g.id) AS in_all
FROM placement_group g JOIN placement_host h ON h.zone_id = %(zone)s
WHERE g.public_id = %(group)s AND g.account_id = %(account)s AND fn.placement_may_join(g, h)
"""
_NOTHING = Room(0, 0, 0)


def announce(machines: Sequence[int], why: str, actor: Actor | None = None) -> int:
    """Give notice to these, by number, that have none yet; how many. Each account's in a commit of its own."""
    rows = Instance.objects.filter(pk__in=machines, charge_type=SPOTPAID, reclaim_at=None, state__in=_TAKEN)
    owners: dict[int, list[int]] = {}
    for account_id, number in rows.order_by("account_id", "id").values_list("account_id", "id"):
        owners.setdefault(account_id, []).append(number)
    return sum(_announce(account_id, numbers, why, actor) for account_id, numbers in owners.items())


def _announce(account_id: int, numbers: Sequence[int], why: str, actor: Actor | None) -> int:
    with db.act():
        db.call("ledger_lock", account_id)
        found = list(m.locking().filter(pk__in=numbers, reclaim_at=None, state__in=_TAKEN).order_by("id"))
        if not found:
            return 0
        at = db.call("metering_instant", clock.now()) + NOTICE
        ids = [machine.id for machine in found]
        Instance.objects.filter(pk__in=ids).update(reclaim_at=at, reclaimed_for_room=why == FOR_ROOM)
        details = [{"why": why, "reclaim_at": at.isoformat()}] * len(found)
        m.events(found, ACT, details, actor or timer(account_id))
        queue.enqueue_all(KIND, record.MACHINE, ids, account_id=account_id, due_at=at)
        m.send_all(found, NOTICE_KIND)
        return len(found)


def by_seller(actor: Actor, public_id: str) -> bool:
    """Take this one back; False where it has notice already or is none that can be taken. Raises NotFound."""
    found = Instance.objects.filter(public_id=public_id.replace("\0", ""), charge_type=SPOTPAID).first()
    if found is None:
        raise NotFound("There is no spot machine {id}.", field="machines", id=public_id[:40])
    return announce([found.id], BY_SELLER, actor) == 1


def has_addresses(zone: str, count: int) -> bool:
    """Whether the zone has so many free public addresses: nobody goes for what could not be had all the same."""
    free = PublicAddress.objects.filter(zone_id=zone, instance_id=None, withdrawn=False)
    return free[:count].count() == count


def for_room(account_id: int, configuration: Configuration, here: Shop, group_id: str = "") -> dt.datetime | None:
    """Have room made for an account's purchase that found none; when it is there. ``group_id``: of a placement group.

    None where no spot machine stands in its way, or the account has not bought what was made for it before.
    """
    kind = here.instance_types[configuration.instance_type]
    disks = (configuration.system_disk, *configuration.data_disks)
    needed = Room(kind.vcpu, kind.memory_mib, sum(disk.size_gib for disk in disks))
    apart = _apart(account_id, group_id, configuration) if group_id else None
    if group_id and apart is None:
        return None
    free, taken = _there([configuration.zone])
    return _made(account_id, [configuration.zone], plan(free, taken, needed, configuration.count, apart))


def where_they_are(machines: Sequence[tuple[Instance, Room]], field: str) -> RoomIsMade | None:
    """The same for machines of an account that need so much more on their hosts: what is said of it.

    Nobody goes in one zone where another has no room to be made.
    """
    zones = sorted({machine.zone_id for machine, _ in machines})
    going = _on_their_hosts(zones, {machine.id: more for machine, more in machines})
    until = _made(machines[0][0].account_id, zones, going)
    if until is None:
        return None
    return RoomIsMade(
        "Room for {ids} is being made where it is: spot machines give theirs back until {until}. Ask again then.",
        field=field, ids=", ".join(machine.public_id for machine, _ in machines),
        until=refusals.local(until.isoformat()),
    )  # fmt: skip


def _on_their_hosts(zones: Sequence[str], more: Mapping[int, Room]) -> list[int] | None:
    needed: dict[int, Room] = {}
    for number, host in Allocation.objects.filter(instance_id__in=more).values_list("instance_id", "host_id"):
        needed[host] = needed.get(host, _NOTHING).plus(more[number])
    free, taken = _there(zones)
    going: list[int] = []
    for host, room in needed.items():
        there = plan({host: free[host]} if host in free else {}, taken, room, 1)
        if there is None:
            return None
        going += there
    return going


def _there(zones: Sequence[str]) -> tuple[dict[int, Room], list[Taken]]:
    """What is free on each host of the zones that takes machines, and their spot machines, the newest first."""
    free = {row.pop("id"): Room(**row) for row in db.rows(_FREE, list(zones))}
    taken = [
        Taken(row["id"], row["host_id"], Room(row["vcpu"], row["memory_mib"], row["disk_gib"]), leaving=row["leaving"])
        for row in db.rows(_SPOTS, list(zones))
    ]
    return free, taken


def _apart(account_id: int, group_id: str, configuration: Configuration) -> Apart | None:
    """Where further machines of the group may lie; None where it may not have so many."""
    places = db.rows(_PLACES, zone=configuration.zone, account=account_id, group=group_id)
    if not places or places[0]["in_all"] < configuration.count:
        return None
    return Apart({row["id"]: row["place"] for row in places}, {row["place"]: row["there"] for row in places})


def _made(account_id: int, zones: Sequence[str], going: Sequence[int] | None) -> dt.datetime | None:
    if going is None or (going and not _may_have_more_made(account_id)):
        return None
    announce(going, FOR_ROOM)
    until: dt.datetime | None = (
        Instance.objects.filter(zone_id__in=zones, charge_type=SPOTPAID, reclaim_at__gt=clock.now())
        .exclude(state=State.GONE)
        .order_by("-reclaim_at")
        .values_list("reclaim_at", flat=True)
        .first()
    )
    return until or clock.now()


def _may_have_more_made(account_id: int) -> bool:
    """Whether it bought since, or was made room less often than the policy says; noted where it may.

    Otherwise anybody with a balance could have others' machines taken back, for nothing.
    """
    with db.act():
        db.call("ledger_lock", account_id)
        now = clock.now()
        bought = Order.objects.filter(account_id=account_id, action="purchase", status__in=_BOUGHT).order_by("-id")
        since = max([now - HOUR, *filter(None, bought.values_list("paid_at", flat=True)[:1])])
        made = Event.objects.filter(
            subject_kind=record.ACCOUNT, subject_id=account_id, kind=MADE, at__gte=since
        ).count()  # fmt: skip
        if made >= policy.at(now).rooms_unbought:
            return False
        record.write(account_id, record.ACCOUNT, [account_id], MADE)
        return True


def for_price() -> int:
    """Give notice to those for which their owner does not pay the price of now; how many."""
    here = shop.snapshot()
    sold = (
        Instance.objects.filter(charge_type=SPOTPAID, reclaim_at=None, state__in=_TAKEN)
        .values_list("zone_id", "instance_type_id")
        .order_by("zone_id", "instance_type_id")
        .distinct()
    )
    dear: list[int] = []
    for zone, code in sold:
        price = spot.hour_price(here, here.region_of(zone), code)
        assert price is not None  # one once given stays in every later book
        outbid = Instance.objects.filter(
            zone_id=zone, instance_type_id=code, charge_type=SPOTPAID, reclaim_at=None, state__in=_TAKEN,
            max_price__lt=price,
        )  # fmt: skip
        dear += outbid.values_list("id", flat=True)
    return announce(dear, BY_PRICE)


def tell(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``spot_notice``: the machine's own system is told; one that is off, or is gone, needs no telling."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        if machine.state in ON and machine.reclaim_at is not None:
            engine_of(operation.lane).ensure_spot_notice(machine.public_id, machine.reclaim_at)
        with ending(operation, owner):
            pass


def untold(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """A system that takes no file has the notice by event and page alone."""
    for operation in batch:
        with ending(operation, owner) as ours:
            if ours:
                why = error.sentence if isinstance(error, EngineError) else ""
                m.event(m.locked(operation.subject_id), "notice_not_told", why=why)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``reclaim``, due at the end of the notice; waits for an operation that is under way."""
    when_idle(batch, owner, _end, waits_in=ALIVE)


def _end(machine: Instance) -> None:
    """Where its owner was faster, there is nothing left to do."""
    if machine.state not in _TAKEN:
        return
    m.events([machine], "TerminateInstances", actor=timer(machine.account_id))
    if machine.state == State.SHUTDOWN:  # in arrears: charged for nothing any more
        terminate.release_now([machine], "")
    else:
        terminate.erase_spot([machine], "", reclaimed_at=machine.reclaim_at)
