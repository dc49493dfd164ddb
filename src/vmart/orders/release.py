"""Release: nothing is left on the engine, room and addresses are free again, the machine is gone."""

import uuid
from collections.abc import Sequence

from django.db.models import QuerySet

from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.orders import enforce, passwords
from vmart.orders import machines as m
from vmart.orders.acts import holding, outcome
from vmart.orders.addresses import disassociate
from vmart.orders.disks import keep, leave
from vmart.orders.sample import count_last
from vmart.orders.snapshots import policies
from vmart.orders.terminate import IN_BIN
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk
from vmart.storage.models import State as DiskState
from vmart.subscriptions.models import Standing, Subscription
from vmart.tags import modify
from vmart.tags.things import INSTANCE, VOLUME, Thing
from vmart.worker.queue import Claimed


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``release``: due at the end of the bin, or at once."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        kept: list[int] = []
        if machine.state in IN_BIN:
            if not _announce(machine, operation, owner):
                continue
            engine = engine_of(operation.lane)
            engine.ensure_power(machine.public_id, on=False, force=True)
            count_last(machine)
            kept = keep.told(machine, engine)
            engine.ensure_absent(machine.public_id)
        with outcome(operation, owner, State.TERMINATING) as erased:
            if erased:
                _gone(erased, kept)


def _announce(machine: Instance, operation: Claimed, owner: uuid.UUID) -> bool:
    """SHUTDOWN to TERMINATING before the engine is touched, so that no act brings it back meanwhile."""
    with holding(operation, owner) as ours:
        if ours:
            Instance.objects.filter(id=machine.id, state__in=IN_BIN).update(
                state=State.TERMINATING, latest_operation_state="OPERATING"
            )
    return ours


def _gone(machine: Instance, kept: Sequence[int]) -> None:
    """``kept``: numbers of the disks that stay, which the engine keeps by now."""
    leave.leave(machine)
    keep.become_own(machine, kept)
    disassociate.leave(machine)
    db.call("network_free_public", [machine.id], clock.now())
    db.call("network_free_private", [machine.id])
    db.call("network_free_ipv6", [machine.id])
    db.call("placement_free", [machine.id])
    Subscription.objects.filter(pk=machine.pk, standing=Standing.ISOLATED).update(standing=Standing.ENDED)
    Instance.objects.filter(pk=machine.pk).update(
        state=State.GONE, gone_at=clock.now(), latest_operation_state="SUCCESS", public_ip=None, ipv6=None,
        password_hash="",
    )  # fmt: skip
    passwords.erase([machine])
    enforce.send_for([machine.id])
    policies.leave(_disks(machine))
    modify.end(machine.account_id, _tagged(machine))
    m.event(machine, "released")


def _disks(machine: Instance) -> QuerySet[Disk]:
    """Those that end with it."""
    return Disk.objects.filter(instance_id=machine.pk, state=DiskState.WITH_MACHINE)


def _tagged(machine: Instance) -> list[Thing]:
    """What ends with the machine and may have tags."""
    return [Thing(INSTANCE, machine.public_id), *(Thing(VOLUME, disk.public_id) for disk in _disks(machine))]
