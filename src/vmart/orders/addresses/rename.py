"""What a bought public address is called."""

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.network.models import Eip
from vmart.orders import errors, things
from vmart.orders.addresses import own

ACT = "ModifyAddressAttribute"
NAME_MAX = 128  # characters (API of vpc, ModifyAddressAttribute)


def rename(actor: Actor, eip_id: str, name: str) -> None:
    """Another name, done at once. Raises UnknownEip, BadAddressName."""
    check_name(name)
    with db.act():
        (eip,) = own.lock(actor.account, [eip_id])
        if eip.name != name:
            things.events([eip], ACT, [{"old": eip.name, "new": name}], actor)
            Eip.objects.filter(pk=eip.pk).update(name=name)


def check_name(name: str) -> None:
    """Raise BadAddressName unless it has 1 to 128 letters, digits, hyphens and underscores."""
    if not 1 <= len(name) <= NAME_MAX or not all(sign.isalnum() or sign in "-_" for sign in name):
        raise errors.BadAddressName(
            "The name of an address has 1 to {most} characters: letters, digits, hyphens and underscores.",
            field="name", most=NAME_MAX,
        )  # fmt: skip
