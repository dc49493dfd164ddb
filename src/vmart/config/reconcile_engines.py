"""What engines have, against the rows: the part of ``vmart reconcile`` that asks them."""

from collections.abc import Iterator, Sequence

from vmart.engines.contract import EngineError, Power, Snapshot, Volume
from vmart.engines.contract import OwnImage as MadeImage
from vmart.engines.optional import Disks, Images, Snapshots
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.orders import address, where_it_is
from vmart.placement.models import Allocation
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.images import ImageState
from vmart.worker.models import Operation

# A rescue system that turned itself off is left as it is; what is in no other state here is off.
_POWERS = {State.RUNNING.value: [Power.RUNNING], State.RESCUE_MODE.value: [Power.RUNNING, Power.STOPPED]}


def _disks(zone: str, volumes: Sequence[Volume]) -> Iterator[str]:
    """Disks with a life of their own, against the zone's engine; those with work under way are left out."""
    seen = {volume.name: volume for volume in volumes}
    rows = {row["public_id"]: row for row in db.rows(_OWN_DISKS, zone)}
    for name in sorted(seen.keys() - rows.keys()):
        yield f"a disk of ours is on the engine of {zone} and in no order: {name}"
    for name, row in sorted(rows.items()):
        if row["busy"]:
            continue
        wanted = (row["member"], row["machine"])
        found = (seen[name].member, seen[name].machine) if name in seen else None
        if found != wanted or seen[name].size_gib < row["size_gib"]:
            yield f"{name} is {row['state']} on {wanted} and its engine in {zone} has it on {found}"


def _images(zone: str, listed: Sequence[MadeImage]) -> Iterator[str]:
    """Customers' images, against those that the zone's engine has; of an imported one it is said on which host."""
    seen = {image.name: image.member for image in listed}
    rows = {row["public_id"]: row for row in db.rows(_IMAGES, zone)}
    for name in sorted(seen.keys() - rows.keys()):
        yield f"an image of ours is on the engine of {zone} and nobody's: {name}"
    for name, row in sorted(rows.items()):
        if row["state"] == ImageState.NORMAL and name not in seen:
            yield f"{name} is NORMAL and the engine of {zone} does not have it"
        elif row["state"] == ImageState.NORMAL and row["member"] not in (None, seen[name]):
            yield f"{name} has its room on {row['member']} and its engine in {zone} has it on {seen[name]}"


_IMAGES = """
SELECT o.public_id, o.state, h.name AS member FROM storage_image o
LEFT JOIN placement_allocation a ON a.instance_id = o.id LEFT JOIN placement_host h ON h.id = a.host_id
WHERE o.zone_id = %s AND o.state <> 'GONE'
"""


def _snapshots(zone: str, listed: Sequence[Snapshot]) -> Iterator[str]:
    """Snapshots, against the zone's engine; those with work under way are left out."""
    seen = {snapshot.name: snapshot.member for snapshot in listed}
    rows = {row["public_id"]: row for row in db.rows(_SNAPSHOTS, zone)}
    for name in sorted(seen.keys() - rows.keys()):
        yield f"a snapshot of ours is on the engine of {zone} and in no order: {name}"
    for name, row in sorted(rows.items()):
        if not row["busy"] and seen.get(name) != row["member"]:
            yield f"{name} is {row['state']} on {row['member']} and its engine in {zone} has it on {seen.get(name)}"


_SNAPSHOTS = """
SELECT n.public_id, n.state, n.latest_operation_state = 'OPERATING' AS busy, h.name AS member
FROM storage_snapshot n JOIN subscriptions_subscription b ON b.id = n.id
LEFT JOIN placement_allocation a ON a.instance_id = n.id LEFT JOIN placement_host h ON h.id = a.host_id
WHERE b.zone_id = %s AND n.state NOT IN ('GONE', 'FAILED')
"""


_OWN_DISKS = """
SELECT d.public_id, d.state, d.size_gib, d.latest_operation_state = 'OPERATING' AS busy, h.name AS member,
  coalesce(i.public_id, '') AS machine
FROM storage_disk d JOIN subscriptions_subscription b ON b.id = d.id
LEFT JOIN placement_allocation a ON a.instance_id = d.id LEFT JOIN placement_host h ON h.id = a.host_id
LEFT JOIN instances_instance i ON i.id = d.instance_id
WHERE b.zone_id = %s AND d.state NOT IN ('', 'GONE', 'FAILED')
"""


def differences(zone: str) -> Iterator[str]:
    """What the zone's engine has otherwise than its rows say, each as a sentence."""
    try:
        engine = engine_of(zone)
        seen = {observation.name: observation for observation in engine.list_ours()}
        volumes = engine.list_volumes() if isinstance(engine, Disks) else ()
        images = engine.list_images() if isinstance(engine, Images) else ()
        snapshots = engine.list_snapshots() if isinstance(engine, Snapshots) else ()
    except EngineError as error:
        if Allocation.objects.filter(host__zone_id=zone).exists():  # of whatever lies there
            yield f"the engine of {zone} does not answer: {error.sentence}"
        return
    yield from _disks(zone, volumes)
    yield from _images(zone, images)
    yield from _snapshots(zone, snapshots)
    sold = Instance.objects.select_related("subscription").filter(zone_id=zone)
    sold = sold.prefetch_related("eip__subscription", "eip__package")
    sold = sold.exclude(state__in=[State.GONE, State.LAUNCH_FAILED])
    rows = {row.public_id: row for row in sold}
    unknown = seen.keys() - rows.keys()
    elsewhere = Instance.objects.filter(public_id__in=unknown).exclude(state__in=[State.GONE, State.LAUNCH_FAILED])
    for name in sorted(unknown - set(elsewhere.values_list("public_id", flat=True))):
        yield f"a machine of ours is on the engine of {zone} and in no order: {name}"
    leading = set(
        Operation.objects.filter(kind__in=[address.KIND, where_it_is.KIND], lane=zone, attention=False).values_list(
            "subject_id", flat=True
        )
    )
    for name, row in sorted(rows.items()):
        if row.latest_operation_state == "OPERATING" or row.state == State.PENDING:
            continue
        power = seen[name].power if name in seen else Power.ABSENT
        if power not in _POWERS.get(row.state, [Power.STOPPED]):
            yield f"{name} is {row.state} and its engine in {zone} says {power}"
        elif (seen[name].rescue % 2 == 1) != (row.state == State.RESCUE_MODE):
            yield f"{name} is {row.state} and its engine in {zone} has it with another system"
        elif row.id not in leading and where_it_is.differs(row, seen[name]):
            yield f"{name} is at {row.private_ip} and its engine in {zone} has it at {seen[name].private_ip}"
        elif row.id not in leading and address.differs(row, seen[name]):
            yield f"the engine of {zone} leads {seen[name].public_ip or 'no address'} to {name}, against its row"
