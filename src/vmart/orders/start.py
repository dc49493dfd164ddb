"""Start stopped machines; one stopped without charge takes its full hold, room and address again first."""

import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from functools import partial

from vmart.engines.contract import Power
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.orders import address, holds, reclaim, refusals, room
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.errors import InsufficientBalance, NoRoomOnHost, NotSoldHere, RoomIsMade
from vmart.orders.without_charge import STOP_CHARGING, give_up
from vmart.placement import explain
from vmart.placement.making_room import Room
from vmart.pricing.configuration import BY_USAGE
from vmart.provisioning.specs import public_address
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)


def start(actor: Actor, public_ids: Sequence[str]) -> None:
    """Accept a start, all or none. Charging of what was paused resumes at RUNNING, not here."""
    with (
        room.made_where_lacking(),
        accepting(actor, "StartInstances", public_ids, refuse=refuse, uses=True) as found,
    ):
        roomless = [machine.id for machine in found if machine.stop_charging_mode == STOP_CHARGING]
        if roomless:
            db.call("placement_lock", roomless)
        take_again(found)
        m.begin_all(found, "StartInstances", actor.request_id, state=State.STARTING)
        m.send_all(found, "start")


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines that are not simply off."""
    m.refuse_unusable(machines)
    for machine in machines:
        m.refuse_state(machine, [State.STOPPED], "UnsupportedOperation.InstanceStateRunning")


def take_again(machines: Sequence[Instance]) -> None:
    """Hold, room and address that a stop without charge or arrears gave up.

    The holds of all come first: room is made for who has the money for all of them. Room comes before addresses.
    """
    unheld = [machine for machine in machines if _gave_up_its_hold(machine)]
    full = holds.hour_minor([machine.id for machine in unheld]) if unheld else {}
    for machine in unheld:
        _hold(machine, full[machine.id])
    roomless = [machine for machine in machines if machine.stop_charging_mode == STOP_CHARGING]
    unaddressed = [machine for machine in machines if machine.public_ip_wanted and not machine.public_ip]
    for machine in roomless:
        try:
            _take_room(machine)
        except NoRoomOnHost as why:
            raise room.lacking(why, partial(_room_made, roomless, unaddressed)) from None
    for machine in unaddressed:
        _take_address(machine)


def _room_made(roomless: Sequence[Instance], unaddressed: Sequence[Instance]) -> RoomIsMade | None:
    """Spot machines give back what all of them need: with less, none of them starts."""
    wanted = Counter(machine.zone_id for machine in unaddressed)
    if not all(reclaim.has_addresses(zone, count) for zone, count in wanted.items()):
        return None
    needs = [(machine, Room(machine.vcpu, machine.memory_mib, 0)) for machine in roomless]
    return reclaim.where_they_are(needs, "machines")


def _gave_up_its_hold(machine: Instance) -> bool:
    return machine.subscription.charge_type in BY_USAGE and machine.stop_charging_mode != "KEEP_CHARGING"


def _hold(machine: Instance, full_minor: int | None) -> None:
    if full_minor is None:
        raise NotSoldHere(
            "The instance {id} has no price any more, so it cannot be started; ask the seller.",
            field="machines", id=machine.public_id,
        )  # fmt: skip
    with holds.or_refuse(lambda available, needed: InsufficientBalance(
        "Starting {id} sets aside one hour: {needed} are needed and {available} are available.",
        id=machine.public_id, needed=needed, available=available,
    )):  # fmt: skip
        holds.take([machine.subscription], [full_minor])


def _take_room(machine: Instance) -> None:
    if not db.call("placement_grow", machine.id, machine.vcpu, machine.memory_mib):
        left = explain.on_its_host(machine.id, machine.vcpu, machine.memory_mib)
        log.info("no room to start %s: %s", machine.public_id, explain.line(left))
        raise NoRoomOnHost("There is no room for {id} on its host now.", field="machines", id=machine.public_id)


def _take_address(machine: Instance) -> None:
    claimed = db.call("network_claim_public", machine.zone_id, machine.account_id, [machine.id])
    if not claimed:
        binned, until = db.call("instances_addresses_in_bin", machine.account_id, machine.zone_id).split("|")
        raise refusals.no_address(machine.zone_id, binned, until, field="machines")
    machine.public_ip = str(claimed[0])
    machine.save(update_fields=["public_ip"])


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``start``: address and power, then the outcome in one commit."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        engine = engine_of(operation.lane)
        engine.ensure_address(machine.public_id, machine.private_ip, public_address(machine))
        seen = engine.ensure_power(machine.public_id, on=True)
        if seen.power != Power.RUNNING:
            raise m.not_on(seen)
        with outcome(operation, owner, State.STARTING) as started:
            if started:
                running(started)
                m.event(started, "started")


def running(machine: Instance) -> None:
    """It runs: what was paused is charged again. Belongs into the act."""
    db.call("metering_start", [machine.id], [], db.call("metering_instant", clock.now()))
    Instance.objects.filter(pk=machine.pk).update(
        state=State.RUNNING, latest_operation_state="SUCCESS", stop_charging_mode="NOT_APPLICABLE"
    )


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It did not start: stopped as before."""
    for operation in batch:
        take_back(operation, owner, State.STOPPED, "The machine could not be started.", error)


def take_back(operation: Claimed, owner: uuid.UUID, state: str, what: str, error: Exception) -> None:
    """The start failed: in ``state`` as before. What was taken again is given up again, the address off first."""
    machine = m.read(operation.subject_id)
    if machine.stop_charging_mode == STOP_CHARGING:
        address.take_off(machine)
    with outcome(operation, owner, State.STARTING) as failed:
        if failed:
            columns = give_up(failed) if failed.stop_charging_mode == STOP_CHARGING else {}
            m.fail(failed, what, error, state=state, **columns)
