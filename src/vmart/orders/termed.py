"""What can be paid ahead, by kind: what reminders, renewal by itself and expiry ask of it, and do to it."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vmart.instances.models import AT_REST, Instance, State
from vmart.network.models import Eip, EipState
from vmart.orders import agreed, isolate, renew, things
from vmart.orders import machines as m
from vmart.orders.addresses import isolate as isolate_address
from vmart.orders.addresses import own as own_address
from vmart.orders.addresses import renew as renew_address
from vmart.orders.disks import isolate as isolate_disk
from vmart.orders.disks import own
from vmart.orders.disks import renew as renew_disk
from vmart.orders.priced_act import PricedAct
from vmart.orders.renew import Renewal
from vmart.storage.models import Disk
from vmart.storage.models import State as DiskState
from vmart.subscriptions.models import Source


@dataclass(frozen=True, slots=True)
class Termed:
    """``renewable`` and ``in_use``: states in which it may be renewed, and from which it expires.

    ``waits``: whether what is under way has to end before anybody knows what a term costs. ``expire`` puts it into the
    recycle bin, from one instant until another.
    """

    locked: Callable[[int], Any]
    renewal: PricedAct[Renewal]
    renewable: Collection[str]
    in_use: Collection[str]
    waits: Callable[[Any], bool]
    expire: Callable[[Any, dt.datetime, dt.datetime], None]


def _machine_waits(machine: Instance) -> bool:
    turned_off = machine.state == State.SHUTDOWN and machine.latest_operation_state == "OPERATING"
    return turned_off or agreed.is_changing(machine)


def _expire_machine(machine: Instance, at: dt.datetime, release_at: dt.datetime) -> None:
    isolate.into_bin(
        [machine], "IsolateInstances", "", source=Source.EXPIRE, at=at, release_at=release_at, arrears_since=None
    )


def _expire_disk(disk: Disk, at: dt.datetime, release_at: dt.datetime) -> None:
    isolate_disk.into_bin([disk], "IsolateDisks", "", source=Source.EXPIRE, at=at, release_at=release_at)


def _locked_disk(disk_id: int) -> Disk:
    return own.locking().get(id=disk_id)


def _expire_address(eip: Eip, at: dt.datetime, release_at: dt.datetime) -> None:
    things.begin(eip, own_address.ISOLATE, "")
    isolate_address.into_bin([eip], Source.EXPIRE, at, release_at)


def _locked_address(eip_id: int) -> Eip:
    return own_address.locking().get(id=eip_id)


OF: Mapping[str, Termed] = {
    Instance.KIND: Termed(
        m.locked, renew.ACT, renew.RENEWABLE, AT_REST, _machine_waits, _expire_machine
    ),
    Disk.KIND: Termed(
        _locked_disk, renew_disk.ACT, renew_disk.RENEWABLE, (DiskState.UNATTACHED, DiskState.ATTACHED),
        renew_disk.waits, _expire_disk,
    ),
    Eip.KIND: Termed(
        _locked_address, renew_address.ACT, renew_address.RENEWABLE, (EipState.UNBIND, EipState.BIND),
        renew_address.waits, _expire_address,
    ),
}  # fmt: skip
