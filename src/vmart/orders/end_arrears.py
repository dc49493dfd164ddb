"""The end of arrears: money that brings the balance to 0 or more gives the machines back what they lost by them.

The other half is ``settlement/arrears.py``, which takes it; this one lies where every credit passes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import clock, db
from vmart.orders import address
from vmart.orders import machines as m
from vmart.orders.models import Line
from vmart.orders.without_charge import kept_minor


def end(account_id: int) -> int:
    """End the account's arrears when its balance is 0 or more; the number of machines that may start again.

    The two hours of grace begin anew with the next ones. Machines stopped for them are as if stopped without
    charge, and no longer due for release (ADR 0012); where what is available does not cover the hold of that,
    or where a machine is being released already, it stays as it is. Prepaid machines get their public network
    back. Belongs into the act's transaction, under the account lock (billing-rules, section 4).
    """
    db.require_transaction()
    found = db.rows(
        "SELECT fn.ledger_balance(p) AS balance, fn.ledger_available(p) AS available FROM ledger_purses p"
        " WHERE account_id = %s",
        account_id,
    )
    if found[0]["balance"] < 0:
        return 0
    db.rows("DELETE FROM worker_operation WHERE kind = 'arrears' AND subject_id = %s RETURNING id", account_id)
    restricted = list(
        Instance.objects.select_for_update()
        .filter(account_id=account_id, arrears_since__isnull=False, state__in=[State.SHUTDOWN, *ALIVE])
        .order_by("id")
    )
    kept = _kept([machine for machine in restricted if machine.state == State.SHUTDOWN], found[0]["available"])
    if kept:
        _make_startable(kept)
    for machine in restricted:
        if machine.state != State.SHUTDOWN:
            Instance.objects.filter(pk=machine.pk).update(arrears_since=None)
            m.event(machine, "network_on")
            address.send(machine)
    return len(kept)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A machine whose hold can be covered, and the segments that are charged under it."""

    machine: Instance
    hold_minor: int
    segments: list[list[Any]]


def _kept(stopped: Sequence[Instance], available_minor: int) -> list[_Kept]:
    """In the order in which they were bought, as far as the money goes."""
    lines = Line.objects.select_related("order").filter(instance_id__in=[machine.id for machine in stopped])
    orders = {line.instance_id: line.order for line in lines} if stopped else {}
    found = []
    for machine in stopped:
        hold_minor = kept_minor(orders[machine.id])
        if hold_minor <= available_minor:
            available_minor -= hold_minor
            segments = [segment for segment in orders[machine.id].segments if segment[0] != "cpu"]
            found.append(_Kept(machine, hold_minor, segments))
    return found


def _make_startable(found: Sequence[_Kept]) -> None:
    machines = [kept.machine for kept in found]
    instant = db.call("metering_instant", clock.now())
    for kept in found:
        machine = kept.machine
        machine.hold_id = m.next_hold_id(machine)
        db.call("metering_start", machine.account_id, machine.id, json.dumps(kept.segments), instant)
        if machine.latest_operation_state != "OPERATING":  # else the power-off of the stop, still under way, lets go
            db.call("network_free_public", [machine.id], clock.now())
            machine.public_ip = None
    db.call(
        "ledger_hold", machines[0].account_id, "floating", [machine.hold_id for machine in machines],
        [kept.hold_minor for kept in found], [machine.id for machine in machines], clock.now(),
    )  # fmt: skip
    Instance.objects.bulk_update(machines, ["hold_id", "hold_number", "public_ip"])
    m.forget_work("release", machines)
    Instance.objects.filter(id__in=[machine.id for machine in machines]).update(
        state=State.STOPPED, restrict_state="NORMAL", isolated_source="NOTISOLATED", isolated_at=None,
        release_at=None, arrears_since=None,
    )  # fmt: skip
    m.events(machines, "arrears_ended")
