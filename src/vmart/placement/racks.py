"""In which rack a host is: the seller says it, placement groups go by it."""

from vmart.kernel import db
from vmart.placement.models import Group, Host, Member

RACK_MAX = 40


class NotPossible(Exception):
    """Why a host cannot be put there; nothing was written."""


def put(zone: str, name: str, rack: str) -> None:
    """The host is in this rack; "" for none that is known. Raises NotPossible.

    The host stays where it is while a machine of a group that keeps racks apart lies on it: nobody moves the machine.
    """
    if len(rack) > RACK_MAX or not rack.isprintable():
        raise NotPossible(f"a rack is called by at most {RACK_MAX} printable characters")
    with db.act():
        host = Host.objects.select_for_update().filter(zone_id=zone, name=name).first()
        if host is None:
            raise NotPossible(f"there is no host {name} in {zone}: see `vmart status`")
        if host.rack != rack and _is_relied_on(host):
            raise NotPossible(f"machines of a placement group by rack lie on {name}: its rack stays {host.rack}")
        Host.objects.filter(pk=host.pk).update(rack=rack)


def _is_relied_on(host: Host) -> bool:
    return Member.objects.filter(allocation__host=host, group__apart=Group.Apart.RACK).exists()
