"""A bought public address ends: free for others once it leads nowhere.

Given back by its owner, after its days in the recycle bin, or switched off by arrears for too long: a machine may still
have it then.
"""

import uuid
from collections.abc import Sequence

from vmart.kernel import clock, db
from vmart.network.models import Eip, EipState
from vmart.orders import address, things
from vmart.orders.acts import holding
from vmart.orders.addresses import own
from vmart.subscriptions.models import Standing, Subscription
from vmart.tags import modify
from vmart.tags.things import EIP, Thing
from vmart.worker.queue import Claimed

KIND, ACT = "release_address", own.RELEASE


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``release_address``: due at once, or when arrears have lasted too long."""
    for operation in batch:
        if not _announce(operation, owner):
            continue
        eip = own.read(operation.subject_id)
        if eip.state == EipState.OFFLINING and eip.instance_id:
            address.take_off(own.machine_of(eip))
        with own.outcome(operation, owner, eip, EipState.OFFLINING) as ended:
            if ended:
                _gone(ended)


def _announce(operation: Claimed, owner: uuid.UUID) -> bool:
    """OFFLINING before the engine is touched, so that no top-up brings it back meanwhile."""
    with holding(operation, owner) as ours:
        ended = Eip.objects.filter(id=operation.subject_id, subscription__standing=Standing.ISOLATED)
        if ours and ended.exclude(state__in=[EipState.OFFLINING, EipState.GONE]).exists():
            Eip.objects.filter(id=operation.subject_id).update(
                state=EipState.OFFLINING, package=None, latest_operation=ACT, latest_operation_state="OPERATING"
            )
    return ours


def _gone(eip: Eip) -> None:
    db.call("network_free_public", [eip.id], clock.now())
    own.free_machine(eip.instance_id)  # what was under way on it ends here, whichever worker has it
    Subscription.objects.filter(pk=eip.pk, standing=Standing.ISOLATED).update(standing=Standing.ENDED)
    own.succeed(eip, state=EipState.GONE, ip=None, instance_id=None)
    modify.end(eip.account_id, [Thing(EIP, eip.public_id)])
    things.event(eip, "released")
