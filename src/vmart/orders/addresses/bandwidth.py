"""How fast a bought public address is: at its machine within seconds, of an idle one at once. The machine goes on."""

import uuid
from collections.abc import Sequence

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import ALIVE, Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.network.models import Eip, EipState
from vmart.orders import machines as m
from vmart.orders import things
from vmart.orders.addresses import isolate, own
from vmart.pricing import books
from vmart.provisioning.specs import leading
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND, ACT = "address_bandwidth", own.BANDWIDTH
_AT = (MachineState.RUNNING, MachineState.STOPPED, MachineState.SHUTDOWN)
_FAILED = "The bandwidth could not be changed; it is as before."


def change(actor: Actor, eip_ids: Sequence[str], mbps: int) -> int:
    """Accept it, all or none; the number of the task.

    Raises UnknownEip, EipBusy, EipInArrears, OutOfRange, InsufficientBalance, and of their machines Busy, WrongState.
    """
    with db.act():
        eips = own.lock(actor.account, eip_ids)
        machines = _machines(eips)
        refuse(eips, machines, mbps)
        things.events(eips, ACT, [{"mbps": mbps}] * len(eips), actor)
        task = own.begin(eips, ACT, actor.request_id)
        for eip in eips:
            if eip.instance_id:
                own.set_aside(eip, mbps)
            else:
                _at_speed(eip, mbps)
        m.begin_all(list(machines.values()), ACT, actor.request_id)
        things.send_all([eip for eip in eips if eip.instance_id], KIND, mbps=mbps)
        return task


def _machines(eips: Sequence[Eip]) -> dict[int, Instance]:
    """The machines that have them, locked, by number."""
    having = [eip.instance_id for eip in eips if eip.instance_id]
    return {one.id: one for one in m.locking().filter(id__in=having).order_by("id")}


def refuse(eips: Sequence[Eip], machines: dict[int, Instance], mbps: int) -> None:
    """What is refused of addresses and their machines as they stand."""
    own.refuse_busy(eips)
    own.refuse_stopped(eips)
    own.refuse_prepaid(eips)
    book = books.current_book(shop.snapshot().generation)
    for eip in eips:
        own.part(eip, mbps).check(book, own.prices(eip.zone_id))
    m.refuse_busy(machines.values())
    for machine in machines.values():
        m.refuse_state(machine, _AT, "InvalidInstance.NotSupported")


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``address_bandwidth``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        eip, mbps = own.read(operation.subject_id), int(operation.payload["mbps"])
        eip.bandwidth_mbps = mbps
        _tell(operation.lane, eip)
        with own.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as changed:
            if changed and things.is_under_way(changed, ACT):
                _at_speed(changed, mbps)


def _tell(lane: str, eip: Eip) -> None:
    machine = own.machine_of(eip) if eip.instance_id and things.is_under_way(eip, ACT) else None
    if machine and machine.state in ALIVE:
        engine_of(lane).ensure_address(machine.public_id, machine.private_ip, leading(eip))


def _at_speed(eip: Eip, mbps: int) -> None:
    """It is in force: from this second on that is what it pays for. Belongs into the act."""
    old, eip.bandwidth_mbps = eip.bandwidth_mbps, mbps
    own.succeed(eip, bandwidth_mbps=mbps)
    own.free_machine(eip.instance_id)
    if eip.instance_id:
        own.charge_as(eip, bound=True)
    things.event(eip, "bandwidth_changed", old=old, new=mbps)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The speed of before holds, also where only the answer was lost, and what it costs.

    Whoever has the machine's address told to its engine does that: what its engine has lost is not busy for ever.
    """
    for operation in batch:
        eip = own.read(operation.subject_id)
        with own.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as failed:
            if failed and things.is_under_way(failed, ACT):
                own.hold_what_it_asks(failed)
                things.fail(failed, _FAILED, error)
                own.free_machine(failed.instance_id)
            if failed and failed.state == EipState.BIND:
                isolate.lead_again(failed)
