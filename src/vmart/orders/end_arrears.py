"""The end of arrears: money that brings the balance to 0 or more gives the machines back what they lost by them.

The other half is ``settlement/arrears.py``, which takes it; this one lies where every credit passes.
"""

import json
from collections.abc import Sequence

from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import clock, db
from vmart.orders import address
from vmart.orders import machines as m
from vmart.orders.holds import hour_minor
from vmart.orders.models import Line


def end(account_id: int) -> int:
    """End the account's arrears when its balance is 0 or more; the number of machines that may start again.

    The two hours of grace begin anew with the next ones. Machines stopped for them are as if stopped without
    charge, and no longer due for release (ADR 0012); one that is being released already stays so. Prepaid
    machines get their public network back. Belongs into the act's transaction, under the account lock
    (billing-rules, section 4).
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
    stopped = [machine for machine in restricted if machine.state == State.SHUTDOWN]
    if stopped:
        _make_startable(stopped, found[0]["available"])
    for machine in restricted:
        if machine.state != State.SHUTDOWN:
            Instance.objects.filter(pk=machine.pk).update(arrears_since=None)
            m.event(machine, "network_on")
            address.send(machine)
    return len(stopped)


def _make_startable(machines: Sequence[Instance], available_minor: int) -> None:
    account_id, ids = machines[0].account_id, [machine.id for machine in machines]
    lines = Line.objects.select_related("order").filter(instance_id__in=ids)
    orders = {line.instance_id: line.order for line in lines}
    db.rows(
        "SELECT fn.metering_start_many(%s, %s, %s::jsonb[], %s)", [account_id] * len(ids), ids,
        [json.dumps([each for each in orders[number].segments if each[0] != "cpu"]) for number in ids],
        db.call("metering_instant", clock.now()),
    )  # fmt: skip
    # Where the power-off of the stop is still under way, it lets go of the address.
    off = [machine for machine in machines if machine.latest_operation_state != "OPERATING"]
    db.call("network_free_public", [machine.id for machine in off], clock.now())
    for machine in off:
        machine.public_ip = None
    for machine in machines:
        machine.hold_id = m.next_hold_id(machine)
    db.call(
        "ledger_hold", account_id, "floating", [machine.hold_id for machine in machines],
        _holds([hour_minor(orders[number], paused=True) or 0 for number in ids], available_minor), ids, clock.now(),
    )  # fmt: skip
    Instance.objects.bulk_update(machines, ["hold_id", "hold_number", "public_ip"])
    m.forget_work("release", machines)
    Instance.objects.filter(id__in=ids).update(
        state=State.STOPPED, restrict_state="NORMAL", isolated_source="NOTISOLATED", isolated_at=None,
        release_at=None, arrears_since=None,
    )  # fmt: skip
    m.events(machines, "arrears_ended")


def _holds(wanted_minor: Sequence[int], available_minor: int) -> list[int]:
    """What can be set aside for each, in the order in which they were bought: of the last ones less, or nothing."""
    held = []
    for wanted in wanted_minor:
        held.append(max(0, min(wanted, available_minor)))
        available_minor -= held[-1]
    return held
