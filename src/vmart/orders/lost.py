"""A machine that its engine has lost: charged no more; the seller has it delivered again, refunded or ended."""

import datetime as dt

from vmart.events.actor import Actor
from vmart.instances.models import AT_REST, Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import NotFound
from vmart.orders import machines as m
from vmart.orders import redeliver as again
from vmart.orders import return_prepaid, term, terminate
from vmart.orders.disks.again import Foretold, foretell
from vmart.orders.errors import WrongState
from vmart.orders.models import EngineDrift
from vmart.orders.start import take_again
from vmart.orders.without_charge import STOP_CHARGING
from vmart.pricing.configuration import PREPAID
from vmart.subscriptions.models import Source


def end_charging(row: Instance, missed_at: dt.datetime, *, first: bool) -> None:
    """Every component ends when the machine was first missed; hours that were closed since are credited (ADR 0018).

    Its owner is told the ``first`` time, and when something had begun since, which ends where it began.
    """
    with db.act():
        db.call("ledger_lock", row.account_id)
        machine = m.locked(row.pk)
        as_swept = (row.state, row.latest_operation_state) == (machine.state, machine.latest_operation_state)
        if as_swept and (db.call("metering_end", [machine.id], False, missed_at) or first):
            m.event(machine, "lost", since=missed_at.isoformat())


def foretold(public_id: str) -> list[Foretold]:
    """What is on its disks when it is delivered again. Writes nothing. Raises NotFound, WrongState, Busy, InArrears."""
    with db.act():
        return foretell(_deliverable(public_id))


def _deliverable(public_id: str) -> Instance:
    machine, _missed_at = _locked(public_id)
    m.refuse_busy([machine])
    m.refuse_isolated([machine])
    m.refuse_in_arrears([machine])
    return machine


def redeliver(public_id: str, actor: Actor) -> None:
    """Make the machine anew as it was sold, its disks as ``foretold``; it is charged again from when it runs.

    Raises NotFound, WrongState, Busy, InArrears, and what a start raises where room or money was given up.
    """
    with db.act():
        machine = _deliverable(public_id)
        if machine.stop_charging_mode == STOP_CHARGING:
            db.call("placement_lock", [machine.id])
            take_again([machine])
        m.begin(machine, "StartInstances", "", state=State.STARTING)
        m.events([machine], "to_be_redelivered", actor=actor)
        m.send(machine, again.KIND, state=machine.state)


def refund(public_id: str, actor: Actor) -> None:
    """Give back what of a prepaid machine's price was not used when it was lost, and end it. As ``end`` otherwise."""
    with db.act():
        machine, missed_at = _locked(public_id)
        m.refuse_busy([machine])
        m.refuse_postpaid(machine)
        return_prepaid.give_back([machine], "", lost_at=missed_at)
        _released(machine, actor)


def end(public_id: str, actor: Actor) -> None:
    """End the machine, without a refund where it is prepaid; its room and addresses are free again at once.

    Raises NotFound, WrongState, Busy.
    """
    with db.act():
        machine, _missed_at = _locked(public_id)
        m.refuse_busy([machine])
        if machine.subscription.charge_type == PREPAID:
            now = db.call("metering_instant", clock.now())
            m.end_usage([machine], now)
            m.isolate_all([machine], Source.MANMADE, now, now)
            term.forget([machine])
        else:
            terminate.to_bin([machine], "")
        _released(machine, actor)


def _locked(public_id: str) -> tuple[Instance, dt.datetime]:
    """The machine under its account's lock, and when it was first missed."""
    account_id = Instance.objects.filter(public_id=public_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound("The instance {id} does not exist.", field="machines", id=public_id)
    (machine,) = m.lock(account_id, [public_id])
    lost = EngineDrift.objects.filter(zone_id=machine.zone_id, name=public_id, kind=EngineDrift.Kind.LOST).first()
    if lost is None or lost.missed_at is None or machine.state not in (*AT_REST, State.SHUTDOWN):
        raise WrongState(
            "The instance {id} is not lost: its engine has it, or has been asked only once.",
            field="machines", id=public_id,
        )  # fmt: skip
    return machine, lost.missed_at


def _released(machine: Instance, actor: Actor) -> None:
    m.events([machine], "ended_as_lost", actor=actor)
    terminate.release_now([machine], "")
    EngineDrift.objects.filter(zone_id=machine.zone_id, name=machine.public_id).delete()
