"""A disk that was charged by the hour is paid ahead from now on: by the rule of every conversion (``convert``)."""

from collections.abc import Sequence

from vmart.orders import convert as of_any
from vmart.orders import errors, things
from vmart.orders.convert import Conversion
from vmart.orders.disks import own, renew
from vmart.pricing.priced import OWN_DISK_CONVERSION
from vmart.storage.models import Disk, State


def refuse(disks: Sequence[Disk]) -> None:
    """Raise NotPostpaid, DiskBusy or DiskState for disks that cannot be paid ahead now."""
    for disk in disks:
        if things.is_prepaid(disk):
            raise errors.NotPostpaid("{id} is prepaid already.", field="disks", id=disk.public_id)
    own.refuse_busy(disks)
    for disk in disks:
        own.refuse_state(disk, State.UNATTACHED, State.ATTACHED)


def _check(disks: Sequence[Disk], asked: Conversion) -> None:
    refuse(disks)


def _begun(disks: Sequence[Disk]) -> None:
    """One that is paid ahead stays when its machine ends: its term is its own."""
    Disk.objects.filter(pk__in=[disk.pk for disk in disks]).update(delete_with_instance=False)


ACT = of_any.act_of(OWN_DISK_CONVERSION, renew.lock, _check, _begun)
