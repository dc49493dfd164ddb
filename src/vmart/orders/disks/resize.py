"""Any disk is made larger by its id: one with a life of its own, or one that goes with its machine.

The second is the same act as a larger disk asked of the machine (``grow_disk``), in the words of disks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.kernel.text import sayable
from vmart.orders import errors, grow_disk
from vmart.orders import machines as m
from vmart.orders.acts import accepting
from vmart.orders.disks import grow, own
from vmart.orders.grow_disk import Growth, Reckoned
from vmart.pricing.priced import Priced
from vmart.storage.models import Disk, State

# What a refusal of the machine's act names, and its code, in the words of acts on disks; any other stays as it is.
_FIELDS = {
    "machines": "disks", "data_disks.0.id": "disks", "data_disks.0.size_gib": "disk.size_gib",
    "system_disk.size_gib": "disk.size_gib",
}  # fmt: skip
_CODES: dict[type[Refused], str] = {
    errors.Busy: "ResourceBusy",
    errors.WrongState: "InvalidInstance.NotSupported",
    errors.DiskSoldOut: "ResourceInsufficient",
}


def resize(actor: Actor, disk_id: str, size_gib: int) -> None:
    """Accept it; of a prepaid one it is ordered and paid from the balance.

    Raises what ``grow.grow`` raises, and for a disk that goes with its machine what ``grow_disk.grow`` raises.
    """
    machine_id = _going_with(actor.account, [disk_id]).get(disk_id)
    if machine_id is None:
        grow.grow(actor, disk_id, size_gib)
        return
    with _in_words_of_disks(), accepting(actor, "", [machine_id], uses=True) as found:
        _check(Disk.objects.get(public_id=disk_id), found[0], size_gib)
        grow_disk.grow_in_act(actor, found, Growth([machine_id], disk_id, size_gib))


def reckon(account_id: int, disk_ids: Sequence[str], size_gib: int) -> list[Reckoned | Priced]:
    """What ``resize`` would do to each now; writes nothing. Raises what it raises, but for balance and room."""
    own.check_named(disk_ids, most=grow.AT_ONCE_MAX)
    going = _going_with(account_id, disk_ids)
    own_ones = [disk_id for disk_id in disk_ids if disk_id not in going]
    found = grow.reckon(account_id, own_ones, size_gib) if own_ones else []
    if going:
        with _in_words_of_disks(), db.act():
            machines = _locked(account_id, sorted(set(going.values())))
            disks = Disk.objects.in_bulk(going, field_name="public_id")
            for disk_id, machine_id in going.items():
                _check(disks[disk_id], machines[machine_id], size_gib)
                found.append(grow_disk.reckon_of([machines[machine_id]], Growth([machine_id], disk_id, size_gib)))
    return found


def _check(disk: Disk, machine: Instance, size_gib: int) -> None:
    grow_disk.refuse([machine])
    grow.refuse_on(disk, machine)
    grow_disk.check_size(disk, size_gib, "disk.", "InvalidParameterValue")


def _locked(account_id: int, machine_ids: Sequence[str]) -> dict[str, Instance]:
    return {machine.public_id: machine for machine in m.lock(account_id, machine_ids)}


def _going_with(account_id: int, disk_ids: Sequence[str]) -> dict[str, str]:
    """Of those disks that go with a machine which is there, the machine's public id."""
    named = Disk.objects.filter(
        account_id=account_id, public_id__in=sayable(disk_ids), state=State.WITH_MACHINE
    )  # fmt: skip
    having = {disk.public_id: disk.instance_id or 0 for disk in named}
    there = Instance.objects.filter(id__in=having.values()).exclude(
        state__in=[MachineState.GONE, MachineState.LAUNCH_FAILED]
    )
    names = dict(there.values_list("id", "public_id")) if having else {}
    return {disk_id: names[number] for disk_id, number in having.items() if number in names}


@contextmanager
def _in_words_of_disks() -> Iterator[None]:
    try:
        yield
    except Refused as why:
        field, code = _FIELDS.get(why.field or "", why.field), _CODES.get(type(why), why.code)
        raise type(why)(why.template, field=field, code=code, **why.params) from None
