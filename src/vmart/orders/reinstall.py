"""A machine's system disk made anew from an image, the same or another (ADR 0040). Moves no money: images cost nothing.

Data disks with what is on them, addresses, type, term and name stay. What is told of the machine (image, login, host
name) follows when the new system runs. A system disk is erased once for each request, whatever fails.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import F

from vmart.catalog import shop
from vmart.catalog.models import Image
from vmart.engines.contract import EngineError, ImageSpec, MachineSpec, Observation, Power
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.orders import bind_keys, image_there, login, naming, passwords, redeliver, start, user_data
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.disks import again, own
from vmart.orders.errors import SystemDiskTooSmall
from vmart.orders.images import chosen
from vmart.orders.images.chosen import Chosen
from vmart.orders.login import GENERATED, LoginWanted
from vmart.orders.stop import KEEP_CHARGING
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)

KIND = "reinstall"
ACT = "ResetInstance"
_UNTOUCHED = "The system was not installed anew; what is on its disk is there."
_ERASED = "The system disk was erased, and the new system does not run; install it anew once more."
_UNKNOWN = "It is not known whether the system was installed anew; install it once more."


@dataclass(frozen=True, slots=True)
class Reinstall:
    """``image_id`` and ``hostname`` "" and ``user_data`` None: as the machine has them. ``login`` as in a purchase."""

    image_id: str = ""
    login: LoginWanted = GENERATED
    hostname: str = ""
    user_data: bytes | None = None


def check(account_id: int, public_id: str, asked: Reinstall) -> None:
    """Raise what ``reinstall`` raises; writes nothing."""
    with db.act():
        (machine,) = m.lock(account_id, [public_id])
        refuse([machine])
        _image(machine, asked)
        login.check(account_id, asked.login)
        m.refuse_in_arrears([machine])


def reinstall(actor: Actor, public_id: str, asked: Reinstall) -> None:
    """Accept a new system for a machine that runs or stands; it runs at the end. What is on its system disk is lost.

    Raises UnknownImage, ImageNotSold, SystemDiskTooSmall, WeakPassword, UnknownKeyPair, BadHostName, UserDataTooLarge,
    WrongState, and the refusals of ``acts.accepting``.
    """
    with accepting(actor, ACT, [public_id], refuse=refuse, uses=True) as (machine,):
        image = _image(machine, asked)
        chosen.hold(actor.account, image, machine.zone_id)
        made = login.make(actor.account, asked.login)
        keys = dict(zip(made.key_ids, made.ssh_keys, strict=True))
        document = {} if asked.user_data is None else {"user_data": asked.user_data}
        m.begin(
            machine, ACT, actor.request_id, state=State.STARTING, installation=F("installation") + 1,
            keys_in_doubt=bind_keys.and_these(keys), **document,
        )  # fmt: skip
        password = {"password_hash": made.password_hash, "password_sealed": ""}
        if made.generated:
            password = passwords.make(machine.id).columns
        m.send(
            machine, KIND, due_at=None, before=machine.state, image=image.base.public_id, own_image=image.own_id,
            hostname=asked.hostname or machine.hostname, keys=keys, **password,
        )  # fmt: skip


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines whose system cannot be installed anew."""
    m.refuse_neither_on_nor_off(machines)
    m.refuse_without_charge(machines)


def _image(machine: Instance, asked: Reinstall) -> Chosen:
    """The image asked for, once it and the first boot's other values are right."""
    image_id = asked.image_id or chosen.of(machine)
    image = chosen.choose(shop.snapshot(), machine.account_id, machine.zone_id, image_id)
    disk = Disk.objects.get(instance_id=machine.id, usage=Disk.Usage.SYSTEM)
    if disk.size_gib < image.size_gib:
        raise SystemDiskTooSmall(
            "The image {image} needs a system disk of at least {size} GiB, and {id} has {now}; make it larger first.",
            field="image_id", image=image.public_id, size=image.size_gib, id=machine.public_id, now=disk.size_gib,
        )  # fmt: skip
    if asked.hostname:
        naming.check_host_name(asked.hostname)
    user_data.check(asked.user_data or b"")
    return image


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``reinstall``: nothing is erased before the image is in the zone; then the engine, then the outcome."""
    image_there.when_there(batch, owner, _install, exhausted, helps="Choose another image.")


def _install(operation: Claimed, owner: uuid.UUID) -> None:
    machine = m.read(operation.subject_id)
    if m.is_under_way(machine, ACT):
        spec = _spec(machine, operation.payload)
        if not _filled_again(operation, owner, machine, spec):
            return
        seen = engine_of(operation.lane).ensure_reinstalled(spec)
        own.attach_again(operation.lane, machine)
        if seen.power != Power.RUNNING:
            raise m.not_on(seen)
    with outcome(operation, owner, State.STARTING) as installed:
        if installed:
            _installed(installed, operation.payload)


def _filled_again(operation: Claimed, owner: uuid.UUID, machine: Instance, spec: MachineSpec) -> bool:
    """Of a machine that its engine has lost, what its data disks were bought with is on them before it is made.

    What they hold stands in the operation before: from then on it is not lost any more. False where that is another
    owner's by now.
    """
    if engine_of(machine.zone_id).observe(machine.public_id).power != Power.ABSENT:
        return True
    return again.fill_and_note(operation, owner, machine, spec)


def _spec(machine: Instance, payload: Mapping[str, Any]) -> MachineSpec:
    """The machine as it is, with what was asked for."""
    image = Image.objects.get(public_id=payload["image"])
    return replace(
        specs.load([machine.id])[machine.id].spec,
        image=ImageSpec(image.recipe, image.version, payload.get("own_image", "")), login_user=image.login_user,
        hostname=payload["hostname"], password_hash=payload["password_hash"],
        ssh_keys=tuple(payload["keys"].values()), keys_only=False,
    )  # fmt: skip


def _installed(machine: Instance, payload: Mapping[str, Any]) -> None:
    """The new system runs. Belongs into the act."""
    start.running(machine)
    redeliver.found_again(machine)
    _tell(machine, payload)
    _kind, held = again.told(again.noted(payload))
    m.event(machine, "reinstalled", image=payload.get("own_image") or payload["image"], **held)


def _tell(machine: Instance, payload: Mapping[str, Any]) -> None:
    """What is told of the machine is what its new system has. Belongs into the act."""
    image = Image.objects.get(public_id=payload["image"])
    Instance.objects.filter(pk=machine.pk).update(
        image=image, own_image=payload.get("own_image", ""), login_user=image.login_user,
        hostname=payload["hostname"], key_ids=list(payload["keys"]), ssh_keys=list(payload["keys"].values()),
        keys_in_doubt={}, keys_only=False,
    )  # fmt: skip
    passwords.put_in_place(machine, payload["password_hash"], payload["password_sealed"])


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """What became of it the engine says, if it answers; the machine can be asked for a new system again."""
    for operation in batch:
        seen = seen_now(operation)
        with outcome(operation, owner, State.STARTING) as machine:
            if machine:
                _given_up(machine, operation.payload, seen, error)


def seen_now(operation: Claimed) -> Observation | None:
    """None where nobody can say what is there."""
    name = m.read(operation.subject_id).public_id
    try:
        seen = engine_of(operation.lane).observe(name)
    except EngineError as error:
        log.warning("nobody can say what became of %s: %s", name, error)
        return None
    return None if seen.power == Power.BROKEN else seen


def _given_up(machine: Instance, payload: Mapping[str, Any], seen: Observation | None, error: Exception) -> None:
    if seen is None:
        passwords.erase([machine])  # it may open nothing any more
        m.fail(machine, _UNKNOWN, error, state=payload["before"])
    elif seen.power == Power.ABSENT:
        passwords.erase([machine])
        m.fail(machine, _ERASED, error, **off(machine))
    elif seen.installation < machine.installation:
        m.fail(machine, _UNTOUCHED, error, **({"state": State.RUNNING} if _is_on(seen) else off(machine)))
    elif _is_on(seen):  # the last answer was lost
        _installed(machine, payload)
    else:
        _tell(machine, payload)
        m.fail(machine, _ERASED, error, **off(machine))


def _is_on(seen: Observation) -> bool:
    return seen.power in (Power.RUNNING, Power.STARTING)


def off(machine: Instance) -> dict[str, object]:
    """It stands, and is charged as before."""
    return {"state": State.STOPPED} | ({} if m.is_prepaid(machine) else {"stop_charging_mode": KEEP_CHARGING})
