"""A bandwidth package that no address is in is given back: charged no more from the request on, and gone.

One that arrears have switched off for too long ends by itself, and what is in it leaves it.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.network.models import Package, PackageState
from vmart.orders import errors, hourly, things
from vmart.orders.packages import members, own
from vmart.subscriptions.models import Source, Standing
from vmart.tags import modify
from vmart.tags.things import BANDWIDTH_PACKAGE, Thing
from vmart.worker.queue import Claimed

KIND, ACT = own.RELEASE_KIND, own.DELETE


def delete(actor: Actor, package_id: str) -> None:
    """Done at once. Raises UnknownPackage, PackageBusy, PackageInUse."""
    with db.act():
        package = own.lock(actor.account, package_id)
        refuse(package)
        things.events([package], ACT, actor=actor)
        accepted = db.call("metering_instant", clock.now())
        things.end_usage([package], accepted)
        hourly.hold_what_was_used([package], accepted)
        things.forget_work(KIND, [package])
        things.begin(package, ACT, actor.request_id)
        _gone(package, accepted)


def refuse(package: Package) -> None:
    """Raise PackageBusy or PackageInUse for one that cannot be given back now."""
    own.refuse_busy(package)
    inside = list(own.members(package).values_list("public_id", flat=True))
    if inside:
        raise errors.PackageInUse(
            "{count} addresses are in the bandwidth package {id}, {first} among them; take them out first.",
            field="packages", id=package.public_id, count=len(inside), first=inside[0],
        )  # fmt: skip


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``release_package``: due when arrears have lasted too long."""
    for operation in batch:
        with own.outcome(operation, owner) as ended:
            if ended and ended.subscription.standing == Standing.ISOLATED:
                members.leave_ended(ended)
                _gone(ended, ended.subscription.isolated_at or clock.now())


def _gone(package: Package, at: dt.datetime) -> None:
    if package.subscription.isolated_at is None:
        things.isolate_all([package], Source.MANMADE, at, at)
    things.agree([package], standing=Standing.ENDED)
    own.succeed(package, state=PackageState.GONE)
    modify.end(package.account_id, [Thing(BANDWIDTH_PACKAGE, package.public_id)])
    things.event(package, "released")
