"""Whether an act can be asked of a machine as it stands, by what the act itself refuses: page and act never differ.

What an act refuses beyond that is not known before it is asked: money, room, arrears that are due this second, a
machine that its engine has lost.
"""

from collections.abc import Mapping
from functools import partial

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.orders import (
    bandwidth,
    convert,
    groups,
    grow_disk,
    inside,
    planned_end,
    reboot,
    reinstall,
    renew,
    rescue,
    resize,
    start,
    stop,
    terminate,
)
from vmart.orders.acts import Refuse
from vmart.orders.snapshots import create as snapshot

ACTS: Mapping[str, Refuse] = {
    "start": start.refuse,
    "stop": partial(stop.refuse, without_charge=False),
    "stop_without_charge": partial(stop.refuse, without_charge=True),
    "reboot": reboot.refuse,
    "reset_password": inside.refuse,
    "keys": inside.refuse,
    "hostname": inside.refuse,
    "groups": groups.refuse,
    "network": inside.refuse,
    "bandwidth": bandwidth.refuse,
    "type": resize.refuse,
    "grow_disk": grow_disk.refuse,
    "snapshot": snapshot.refuse_machines,
    "reinstall": reinstall.refuse,
    "rescue": rescue.refuse,
    "leave_rescue": rescue.refuse_to_leave,
    "renew": renew.refuse,
    "convert": convert.refuse,
    "plan_end": planned_end.refuse,
    "end": terminate.refuse,
}


def why_not(act: str, machine: Instance) -> Refused | None:
    """What refuses ``act``, a name in ``ACTS``; None where nothing does. Asks the database nothing."""
    try:
        ACTS[act]([machine])
    except Refused as why:
        return why
    return None


def possible(machine: Instance) -> set[str]:
    """The acts that can be asked of the machine now."""
    return {act for act in ACTS if why_not(act, machine) is None}
