"""What a zone's engine can do and how far its images are, written down for shop and placement."""

import logging
from collections.abc import Sequence
from dataclasses import asdict

from vmart import engines
from vmart.catalog.models import Zone, ZoneImage
from vmart.engines.contract import Engine, EngineError, ImageSpec, ImageStatus, MemberCapacity
from vmart.engines.optional import Consoles, Disks, Images, Metrics, Rescues, Snapshots
from vmart.kernel import clock
from vmart.placement.models import Host
from vmart.policy import policy
from vmart.provisioning.zone_engines import engine_of

log = logging.getLogger(__name__)


def check(zone: str) -> bool:
    """Ask the engine what it is and has; False (with the reason on the zone) when it does not answer."""
    try:
        engine = engine_of(zone)
        capabilities = engine.capabilities()
        members = engine.capacity()
    except EngineError as error:
        _note(zone, "unreachable", error.sentence)
        return False
    row = Zone.objects.get(code=zone)
    if engines.driver(row.engine_kind).finds_members:
        rules = policy.at(clock.now())
        for member in members:
            Host.objects.update_or_create(
                zone=row,
                name=member.member,
                defaults={
                    "online": member.online,
                    "vcpu_capacity": member.vcpu * row.vcpu_overcommit,
                    "memory_capacity_mib": member.memory_mib * rules.sold_memory_percent // 100,
                    "disk_capacity_gib": member.disk_gib * rules.sold_disk_percent // 100 * row.disk_overcommit,
                },
            )
        Host.objects.filter(zone=row).exclude(name__in=[member.member for member in members]).update(online=False)
    else:
        online = {member.member for member in members if member.online}
        for host in Host.objects.filter(zone=row):
            if host.online != (host.name in online):
                Host.objects.filter(pk=host.pk).update(online=host.name in online)
    _note_hosts(zone)
    seen = {
        "pools": _pools(row, members), "disks": isinstance(engine, Disks),
        "snapshots": isinstance(engine, Snapshots) and capabilities.snapshots,
        "rescue": isinstance(engine, Rescues) and capabilities.rescue,
        "console": isinstance(engine, Consoles) and capabilities.console,
        "metrics": isinstance(engine, Metrics),
    }  # fmt: skip
    seen["own_images"] = seen["snapshots"] and isinstance(engine, Images) and "own_images" not in capabilities.missing
    seen["imports"] = list(capabilities.imports) if isinstance(engine, Images) else []
    Zone.objects.filter(pk=zone).update(
        capabilities=asdict(capabilities) | seen,
        engine_seen_at=clock.wall(),
    )
    _note(zone, "ready", "")
    return True


def _pools(zone: Zone, members: Sequence[MemberCapacity]) -> dict[str, list[int]]:
    """{member: [filled GiB, GiB]}; of one that is offline as last seen, for what is sold on it is still sold."""
    if not engines.driver(zone.engine_kind).is_real:
        return {}  # nothing fills there
    before = zone.capabilities.get("pools", {})
    now = {member.member: [member.disk_filled_gib, member.disk_gib] for member in members if member.online}
    return {member.member: before[member.member] for member in members if member.member in before} | now


def _note_hosts(zone: str) -> None:
    """Since when each host is off; nothing of one that is on."""
    hosts = Host.objects.filter(zone=zone)
    hosts.filter(online=False, off_since=None).update(off_since=clock.wall())
    hosts.filter(online=True).exclude(off_since=None).update(off_since=None)


def _note(zone: str, status: str, why: str) -> None:
    changed = Zone.objects.filter(pk=zone).exclude(engine_status=status, engine_why=why[:500])
    changed.update(engine_status=status, engine_why=why[:500])


def prepare_images(zone: str) -> bool:
    """Go on with each image that is not ready in its present version; True when all that can be are."""
    done = True
    engine: Engine | None = None
    waiting = ZoneImage.objects.filter(zone_id=zone, image__unavailable_en="").select_related("image")
    for row in waiting:
        if row.status == ImageStatus.READY and row.version == row.image.version:
            continue
        try:
            engine = engine or engine_of(zone)
            state = engine.ensure_image(ImageSpec(row.image.recipe, row.image.version))
        except EngineError as error:
            log.warning("image %s in %s: %s", row.image.recipe, zone, error)
            done = False
            continue
        done = done and state.status in (ImageStatus.READY, ImageStatus.FAILED)
        ready_at = clock.wall() if state.status == ImageStatus.READY else None
        ZoneImage.objects.filter(pk=row.pk).update(
            status=state.status, percent=state.percent, why=state.why[:500],
            detail=state.detail.replace("\0", "")[:500], checksum=state.checksum, version=row.image.version,
            ready_at=ready_at,
        )  # fmt: skip
    return done
