"""What a bandwidth package is called."""

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.network.models import Package
from vmart.orders import errors, things
from vmart.orders.packages import own

ACT = own.RENAME
NAME_MAX = 60  # characters (API of vpc, CreateBandwidthPackage)


def rename(actor: Actor, package_id: str, name: str) -> None:
    """Another name, done at once. Raises UnknownPackage, BadPackageName."""
    check_name(name)
    with db.act():
        package = own.lock(actor.account, package_id)
        if package.name != name:
            things.events([package], ACT, [{"old": package.name, "new": name}], actor)
            Package.objects.filter(pk=package.pk).update(name=name)


def check_name(name: str) -> None:
    """Raise BadPackageName unless it has 1 to 60 letters, digits, hyphens and underscores."""
    if not 1 <= len(name) <= NAME_MAX or not all(sign.isalnum() or sign in "-_" for sign in name):
        raise errors.BadPackageName(
            "The name of a bandwidth package has 1 to {most} characters: letters, digits, hyphens and underscores.",
            field="name", most=NAME_MAX,
        )  # fmt: skip
