"""What rows of the customer's lists offer, and what may be done with several that are ticked (``chosen.py``).

Which acts a row offers is asked of the acts themselves, where the row is the thing (``orders/may.py``).
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vmart.instances.models import Instance, State
from vmart.listings.own_disks import OwnDisk
from vmart.listings.views import EipView, SnapshotView
from vmart.orders import may, terminate
from vmart.orders.disks import may as may_disk
from vmart.orders.things import is_prepaid
from vmart.pages.table import Chosen, RowAct
from vmart.storage.models import SnapshotState
from vmart.storage.models import State as DiskState


def _to(view: str, public_id: str, title: str | Promise, *, danger: bool = False) -> RowAct:
    return RowAct(view, reverse(view, args=[public_id]), title, danger=danger)


def _renewal(view: str, public_id: str) -> RowAct:
    return RowAct(view, f"{reverse(view)}?{urlencode({'id': public_id})}", _("Renew"))


def of_machine(machine: Instance) -> Sequence[RowAct]:
    """Power at once; what asks first, by its page."""
    public_id = machine.public_id

    def power(act: str, title: Promise) -> RowAct:
        return RowAct("machine_power", reverse("machine_power", args=[public_id, act]), title, sent=True)

    offered = {
        "start": power("start", _("Start")), "reboot": power("reboot", _("Reboot")),
        "stop": _to("machine_stop", public_id, _("Stop")), "renew": _renewal("machines_renew", public_id),
        "end": _to("machine_end", public_id, end_of_machine(machine), danger=True),
    }  # fmt: skip
    return [act for name, act in offered.items() if may.why_not(name, machine) is None]


def end_of_machine(machine: Instance) -> Promise:
    """What its end is called, as it stands."""
    if machine.state in terminate.IN_BIN:
        return _("Remove") if machine.state == State.LAUNCH_FAILED else _("Erase now")
    return _("Return") if is_prepaid(machine) else _("Terminate")


def of_disk(row: OwnDisk) -> Sequence[RowAct]:
    public_id = row.disk.public_id
    in_bin = row.disk.state == DiskState.TORECYCLE
    end = _("Erase now") if in_bin else _("Return") if is_prepaid(row.disk) else _("Terminate")
    offered = {
        "attach": _to("disk_attach", public_id, _("Attach")), "detach": _to("disk_detach", public_id, _("Detach")),
        "grow": _to("disk_size", public_id, _("Larger")), "renew": _renewal("disks_renew", public_id),
        "end": _to("disk_end", public_id, end, danger=True),
    }  # fmt: skip
    return [act for name, act in offered.items() if may_disk.why_not(name, row.disk, row.machine) is None]


def of_snapshot(row: SnapshotView) -> Sequence[RowAct]:
    if row.state != SnapshotState.NORMAL or row.latest_operation_state == "OPERATING":
        return ()
    return (
        _to("snapshot_restore", row.public_id, _("Restore")),
        _to("snapshot_delete", row.public_id, _("Delete"), danger=True),
    )


def of_address(row: EipView) -> Sequence[RowAct]:
    can = address_may(row)
    end = _("Return") if row.expires_at and not row.off else _("Give back")
    offered = {
        "renew": _renewal("addresses_renew", row.public_id),
        "unbind": _to("address_unbind", row.public_id, _("Unbind")),
        "release": _to("address_release", row.public_id, end, danger=True),
    }
    return [act for name, act in offered.items() if name in can]


def address_may(eip: EipView) -> set[str]:
    """The acts that a page offers of an address as it stands; the acts themselves refuse the rest."""
    busy, in_bin = eip.latest_operation_state == "OPERATING", eip.off and eip.expires_at is not None
    can = set()
    if not busy and not eip.off:
        can.add("change")
    if not busy and (not eip.off or in_bin):
        can.add({"BIND": "unbind", "UNBIND": "release"}.get(eip.state, ""))
    if eip.expires_at and eip.state != "OFFLINING":
        can.add("renew")
    return can - {""}


_RENEW = _("Renew")
MACHINES: Chosen[Instance] = Chosen(
    lambda row: (row.public_id, row.name),
    (
        ("machines_chosen", "start", _("Start"), False), ("machines_chosen", "stop", _("Stop"), False),
        ("machines_chosen", "stop_without_charge", _("Off without charge"), False),
        ("machines_chosen", "reboot", _("Reboot"), False), ("machines_renew", "", _RENEW, False),
        ("machines_chosen", "end", _("Terminate or return"), True),
    ),
)  # fmt: skip
DISKS: Chosen[OwnDisk] = Chosen(
    lambda row: (row.disk.public_id, row.disk.name or row.disk.public_id),
    (("disks_renew", "", _RENEW, False), ("disks_chosen", "end", _("Terminate or return"), True)),
)
SNAPSHOTS: Chosen[SnapshotView] = Chosen(
    lambda row: (row.public_id, row.name or row.public_id), (("snapshots_chosen", "delete", _("Delete"), True),)
)
ADDRESSES: Chosen[EipView] = Chosen(
    lambda row: (row.public_id, row.name or row.ip),
    (("addresses_renew", "", _RENEW, False), ("addresses_chosen", "release", _("Give back or return"), True)),
)
