"""A machine boots a rescue system, in which its own system disk is a folder, and back again (ADR 0059). Moves no money.

Who is locked out of a broken system mends it from there: at the machine's addresses, with a password of its own. The
machine is charged on as before, and keeps what it is sold with.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext_noop

from vmart.catalog.models import Image, Zone
from vmart.engines.contract import EngineError, ImageSpec, MachineSpec, Observation, Power
from vmart.engines.optional import Rescues
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import unix_password
from vmart.kernel.errors import InvalidValue
from vmart.orders import image_there, login, redeliver, start
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.disks import own
from vmart.orders.errors import NoRescue
from vmart.orders.reinstall import off, seen_now
from vmart.orders.stop import HARD, SOFT, SOFT_FIRST
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)

KIND, EXIT_KIND = "rescue", "leave_rescue"
ENTER, EXIT = "EnterRescueMode", "ExitRescueMode"
NOT_KNOWN = gettext_noop("Its engine has no rescue mode.")
_UNTOUCHED = "The rescue system was not booted; the machine has its own."
_OPEN = "The rescue system does not run; leave the rescue mode, and the machine has its own system again."
_STAYS = "The machine is still in rescue mode; leave it once more."
_OFF = "The machine has its own system again, and that does not run."


def enter(actor: Actor, public_id: str, password: str, *, user: str = "", stop_type: str = SOFT) -> None:
    """Accept the rescue mode for a machine that runs or stands. ``user`` "" is the one of its image.

    Raises NoRescue, WeakPassword, InvalidValue for user and way of stopping, WrongState, and the refusals of
    ``acts.accepting``.
    """
    login.check_password(password, field="password")
    if stop_type not in (SOFT, HARD, SOFT_FIRST):
        raise InvalidValue("StopType is SOFT, HARD or SOFT_FIRST.", field="stop_type")
    with accepting(actor, ENTER, [public_id], refuse=refuse, uses=True) as (machine,):
        refuse_zone(machine.zone_id)
        system = Image.objects.get(public_id=machine.image_id)
        if user not in ("", system.login_user):
            raise InvalidValue(
                "The user of the rescue system is {user}; leave Username away.", field="user", user=system.login_user
            )
        number = machine.rescue + 1 + machine.rescue % 2  # odd, and never used before
        m.begin(machine, ENTER, actor.request_id, state=State.ENTER_RESCUE_MODE, rescue=number)
        m.send(
            machine, KIND, image=system.public_id, password_hash=unix_password.hash_sha512(password), rescue=number,
            before=machine.state, hard=stop_type == HARD,
        )  # fmt: skip


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines that cannot be booted from another system."""
    m.refuse_neither_on_nor_off(machines)
    m.refuse_without_charge(machines)


def refuse_zone(zone: str) -> None:
    """Raise NoRescue for a zone whose engine has no rescue mode, with its reason."""
    known = Zone.objects.values_list("capabilities", flat=True).get(code=zone)
    if not known.get("rescue"):
        why = known.get("missing", {}).get("rescue", NOT_KNOWN)
        raise NoRescue("{zone}: {why}", field="machines", zone=zone, why=why)


def leave(actor: Actor, public_id: str) -> None:
    """Accept the way back to the machine's own system. Raises WrongState and the refusals of ``acts.accepting``."""
    with accepting(actor, EXIT, [public_id], refuse=refuse_to_leave, uses=True) as (machine,):
        m.begin(machine, EXIT, actor.request_id, state=State.EXIT_RESCUE_MODE)
        m.send(machine, EXIT_KIND, rescue=machine.rescue + 1)


def refuse_to_leave(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines that are not in rescue mode."""
    m.refuse_unusable(machines)
    for machine in machines:
        if machine.state == State.RUNNING:
            m.refuse_state(machine, [State.RESCUE_MODE], "UnsupportedOperation.InstanceStateRunning")
        m.refuse_state(machine, [State.RESCUE_MODE], "UnsupportedOperation.InstanceStateStopped")


# -- the way in --------------------------------------------------------------------------------


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``rescue``: the image in the zone, then the engine, then the outcome."""
    image_there.when_there(batch, owner, _enter, exhausted, helps="Ask the seller.")


def _enter(operation: Claimed, owner: uuid.UUID) -> None:
    machine = m.read(operation.subject_id)
    if m.is_under_way(machine, ENTER):
        engine = _engine(operation.lane)
        seen = engine.ensure_rescue(_system(machine, operation.payload), force=operation.payload["hard"])
        own.attach_again(operation.lane, machine)
        if seen.power != Power.RUNNING:
            raise m.not_on(seen)
    with outcome(operation, owner, State.ENTER_RESCUE_MODE) as inside:
        if inside:
            _inside(inside)


def _engine(zone: str) -> Rescues:
    """Raises EngineError where the zone's engine was replaced by one that has no rescue mode."""
    found = engine_of(zone)
    if not isinstance(found, Rescues):
        raise EngineError("The zone has no rescue mode any more.", transient=False, detail=zone)
    return found


def _system(machine: Instance, payload: Mapping[str, Any]) -> MachineSpec:
    """The machine as it is sold, with the rescue system on a disk that is no larger than its image needs."""
    image, spec = Image.objects.get(public_id=payload["image"]), specs.load([machine.id])[machine.id].spec
    disk = replace(spec.system_disk, size_gib=image.size_gib)
    return replace(
        spec, image=ImageSpec(image.recipe, image.version), system_disk=disk, login_user=image.login_user,
        password_hash=payload["password_hash"], ssh_keys=(), keys_only=False, user_data=b"", rescue=payload["rescue"],
    )  # fmt: skip


def _inside(machine: Instance) -> None:
    """Belongs into the act."""
    Instance.objects.filter(pk=machine.pk).update(
        state=State.RESCUE_MODE, latest_operation_state="SUCCESS", stop_charging_mode="NOT_APPLICABLE"
    )
    redeliver.found_again(machine)
    m.event(machine, "rescue_begun")


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """What became of it the engine says; where it does not, the way out puts the own system back in any case."""
    for operation in batch:
        seen = seen_now(operation)
        if seen is not None and seen.rescue == operation.payload["rescue"]:
            _try_to_attach_again(operation, ENTER)
        elif seen is not None and seen.power != Power.ABSENT and seen.rescue < operation.payload["rescue"]:
            _use_up(operation, seen)
        with outcome(operation, owner, State.ENTER_RESCUE_MODE) as machine:
            if machine:
                _not_entered(machine, operation.payload, seen, error)


def _use_up(operation: Claimed, seen: Observation) -> None:
    """Its engine notes that the number is used up: a call of before that comes late boots no rescue system any more."""
    machine = m.read(operation.subject_id)
    spec = replace(specs.load([machine.id])[machine.id].spec, rescue=operation.payload["rescue"] + 1)
    try:
        if m.is_under_way(machine, ENTER):
            _engine(operation.lane).ensure_own_system(spec, on=_is_on(seen))
            own.attach_again(operation.lane, machine)  # such a call may have been quicker
    except EngineError as error:
        log.warning("the engine does not note that %s has its own system: %s", machine.public_id, error)


def _not_entered(machine: Instance, payload: Mapping[str, Any], seen: Observation | None, error: Exception) -> None:
    if seen is None or seen.power == Power.ABSENT:
        m.fail(machine, _OPEN, error, state=State.RESCUE_MODE)
    elif seen.rescue != machine.rescue:  # the number is used up: a call that comes late must not be taken for a new one
        own_system = {"state": State.RUNNING} if _is_on(seen) else off(machine)
        m.fail(machine, _UNTOUCHED, error, rescue=machine.rescue + 1, **own_system)
    elif _is_on(seen):  # the last answer was lost
        _inside(machine)
    else:
        m.fail(machine, _OPEN, error, state=State.RESCUE_MODE)


# -- the way out -------------------------------------------------------------------------------


def run_exit(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``leave_rescue``: the own system in its place and running, then the outcome in one commit."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        if m.is_under_way(machine, EXIT):
            spec = replace(specs.load([machine.id])[machine.id].spec, rescue=operation.payload["rescue"])
            seen = _engine(operation.lane).ensure_own_system(spec, on=True)
            if seen.power != Power.RUNNING:
                raise m.not_on(seen)
            own.attach_again(operation.lane, machine)
        with outcome(operation, owner, State.EXIT_RESCUE_MODE) as left:
            if left:
                _left(left, operation.payload["rescue"])


def _left(machine: Instance, number: int) -> None:
    """Belongs into the act."""
    start.running(machine)
    redeliver.found_again(machine)
    Instance.objects.filter(pk=machine.pk).update(rescue=number)
    m.event(machine, "rescue_left")


def exit_exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Its own system is in its place, or can be asked for again."""
    for operation in batch:
        seen, number = seen_now(operation), operation.payload["rescue"]
        is_back = seen is not None and seen.power != Power.ABSENT and seen.rescue >= number
        if is_back:
            _try_to_attach_again(operation, EXIT)
        with outcome(operation, owner, State.EXIT_RESCUE_MODE) as machine:
            if machine is None:
                continue
            if seen is None or not is_back:
                m.fail(machine, _STAYS, error, state=State.RESCUE_MODE)
            elif _is_on(seen):  # the last answer was lost
                _left(machine, number)
            else:
                m.fail(machine, _OFF, error, rescue=number, **off(machine))


def _try_to_attach_again(operation: Claimed, act: str) -> None:
    """The call that was to come after the lost answer. What cannot be attached, the sweep attaches."""
    machine = m.read(operation.subject_id)
    try:
        if m.is_under_way(machine, act):
            own.attach_again(operation.lane, machine)
    except EngineError as error:
        log.warning("the disks of %s are not attached again: %s", machine.public_id, error)


def _is_on(seen: Observation) -> bool:
    return seen.power in (Power.RUNNING, Power.STARTING)
