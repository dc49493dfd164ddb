"""A further term of disks that are paid ahead, also out of the recycle bin: by the rule of any renewal (``renew``)."""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.kernel.errors import InvalidParameter
from vmart.orders import renew as of_any
from vmart.orders import renew_flag, things
from vmart.orders.disks import own, release
from vmart.orders.renew import Renewal
from vmart.pricing.configuration import PREPAID
from vmart.pricing.priced import OWN_DISK_RENEWAL
from vmart.storage.models import Disk, State
from vmart.subscriptions.models import Subscription

AT_ONCE_MAX = 50
RENEWABLE = (State.UNATTACHED, State.ATTACHING, State.ATTACHED, State.DETACHING, State.TORECYCLE)


def lock(account_id: int, disk_ids: Sequence[str]) -> list[Disk]:
    """Those of the account's own life, locked. Raises UnknownOwnDisk, GoesWithMachine."""
    return own.lock(account_id, disk_ids, most=AT_ONCE_MAX)


def refuse(disks: Sequence[Disk]) -> None:
    """Raise NotPrepaid, DiskBusy or DiskState for disks that cannot be renewed now."""
    own.refuse_postpaid(disks)
    for disk in disks:
        own.refuse_state(disk, *RENEWABLE)
    own.refuse_busy([disk for disk in disks if waits(disk)])


def waits(disk: Disk) -> bool:
    """Whether what a term costs, or where the disk is, is not known before the operation under way has ended."""
    return disk.latest_operation_state == "OPERATING" and (
        disk.latest_operation == own.RESIZE or disk.state == State.TORECYCLE
    )


def _check(disks: Sequence[Disk], asked: Renewal) -> None:
    of_any.check_flag_asked(asked)
    refuse(disks)
    if asked.bandwidth_mbps:
        raise InvalidParameter("A disk has no bandwidth.", field="bandwidth_mbps")
    if asked.with_machine:
        _refuse_without_machine(disks)


def _refuse_without_machine(disks: Sequence[Disk]) -> None:
    """Raise InvalidParameter for one that no machine has which is paid ahead."""
    having = [disk.instance_id or 0 for disk in disks if disk.state == State.ATTACHED]
    ahead = set(Subscription.objects.filter(pk__in=having, charge_type=PREPAID).values_list("pk", flat=True))
    for disk in disks:
        if disk.state != State.ATTACHED or disk.instance_id not in ahead:
            raise InvalidParameter(
                "{id} is attached to no machine that is paid ahead.", field="disks", id=disk.public_id
            )


def _bring_back(disks: Sequence[Disk], actor: Actor) -> None:
    """As if they had just been detached; their owner attaches them."""
    things.forget_work(release.KIND, disks)
    Disk.objects.filter(pk__in=[disk.pk for disk in disks]).update(state=State.UNATTACHED)


ACT = of_any.act_of(OWN_DISK_RENEWAL, lock, _check, _bring_back)


def set_flag(actor: Actor, disk_ids: Sequence[str], flag: str) -> None:
    """Whether they renew themselves, and whether their owner is reminded. Raises InvalidValue, WrongMode."""
    renew_flag.set_flag(actor, disk_ids, flag, lock)
