"""A host is drained: nothing more is placed on it, and what is on it stays, until the seller lets it take machines
again."""

from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import NotFound
from vmart.placement.models import Host


def drain(zone: str, name: str, actor: Actor) -> bool:
    """Place nothing more there; False where it is so already. Raises NotFound.

    A claim under way ends first, or finds the host drained. Room that machines there have given up (off without
    charge) they do not get again meanwhile, and none of them grows.
    """
    return _set(zone, name, actor, enabled=False, drained_at=clock.wall(), drained_by=actor.name[:254])


def undrain(zone: str, name: str, actor: Actor) -> bool:
    """Let it take machines again; False where it does. Raises NotFound."""
    return _set(zone, name, actor, enabled=True, drained_at=None, drained_by="")


def _set(zone: str, name: str, actor: Actor, *, enabled: bool, **columns: object) -> bool:
    zone, name = zone.replace("\0", ""), name.replace("\0", "")
    with db.act():
        record.ask(actor)
        host = Host.objects.select_for_update(no_key=True).filter(zone_id=zone, name=name).first()
        if host is None:
            raise NotFound("There is no host {host} in {zone}.", host=name[:80], zone=zone[:40])
        if host.enabled == enabled:
            return False
        Host.objects.filter(pk=host.pk).update(enabled=enabled, **columns)
    return True
