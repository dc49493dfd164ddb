"""The end of arrears: money that brings the balance to 0 or more gives the machines back what they lost by them.

The other half is ``settlement/arrears.py``, which takes it; this one lies where every credit passes.
"""

from collections.abc import Sequence

from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import db
from vmart.orders import address
from vmart.orders import machines as m


def end(account_id: int) -> int:
    """End the account's arrears when its balance is 0 or more; the number of machines that may start again.

    As if they had not been: the two hours of grace begin anew with the next ones, machines stopped for them
    are STOPPED and no longer due for release; one that is being released already stays so. Prepaid machines
    get their public network back. Belongs into the act's transaction, under the account lock (billing-rules,
    section 4).
    """
    db.require_transaction()
    found = db.rows("SELECT fn.ledger_balance(p) AS balance FROM ledger_purses p WHERE account_id = %s", account_id)
    if found[0]["balance"] < 0:
        return 0
    db.rows("DELETE FROM worker_operation WHERE kind = 'arrears' AND subject_id = %s RETURNING id", account_id)
    restricted = list(
        Instance.objects.select_for_update()
        .filter(account_id=account_id, arrears_since__isnull=False, state__in=[State.SHUTDOWN, *ALIVE])
        .order_by("id")
    )
    stopped = [machine for machine in restricted if machine.state == State.SHUTDOWN]
    _make_startable(stopped)
    for machine in restricted:
        if machine.state != State.SHUTDOWN:
            Instance.objects.filter(pk=machine.pk).update(arrears_since=None)
            m.event(machine, "network_on")
            address.send(machine)
    return len(stopped)


def _make_startable(stopped: Sequence[Instance]) -> None:
    if not stopped:
        return
    ids = [machine.id for machine in stopped]
    m.forget_work("release", stopped)
    # The operation under way, if any, is the power-off of the stop: until it ends the machine is busy.
    Instance.objects.filter(id__in=ids).update(
        state=State.STOPPED, restrict_state="NORMAL", isolated_source="NOTISOLATED", isolated_at=None,
        release_at=None, arrears_since=None,
    )  # fmt: skip
    m.events(stopped, "arrears_ended")
