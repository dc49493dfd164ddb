"""Set a user's password in machines anew, typed by the customer or made by the shop. Moves no money.

A running machine is not stopped for it: its own system sets the password. A stopped container's is written on its disk.
Where the password is the shop's, it takes the place of the one before when the machine has it, not sooner.
"""

import re
import uuid
from collections.abc import Sequence
from functools import partial

from vmart.engines.contract import UnknownUser
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import unix_password
from vmart.kernel.errors import InvalidValue
from vmart.orders import inside, login, passwords
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "password"
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def reset(
    actor: Actor, public_ids: Sequence[str], password: str, *, user: str = "", while_running: bool = True
) -> None:
    """Accept the same password for all of these machines, all or none; ``user`` "" is the one of each machine's image.

    Raises WeakPassword, InvalidValue for the user, WrongState, and the refusals of ``acts.accepting``.
    """
    login.check_new_password(password)
    if user and not _USER.fullmatch(user):
        raise InvalidValue(
            "A user's name has up to 64 letters from A to Z, digits, underscores, dots and hyphens; it begins with a"
            " letter or an underscore.",
            field="user",
        )
    password_hash = unix_password.hash_sha512(password)
    refusal = partial(inside.refuse, while_running=while_running)
    with accepting(actor, passwords.RESET, public_ids, refuse=refusal, uses=True) as found:
        m.begin_all(found, passwords.RESET, actor.request_id)
        for named in sorted({user or machine.login_user for machine in found}):
            theirs = [machine for machine in found if (user or machine.login_user) == named]
            m.send_all(theirs, KIND, user=named, password_hash=password_hash, password_sealed="")


def generate(actor: Actor, public_id: str) -> None:
    """Accept a password that the shop makes for the machine's own user; it is shown as one of a purchase is."""
    with accepting(actor, passwords.RESET, [public_id], refuse=inside.refuse, uses=True) as found:
        m.begin_all(found, passwords.RESET, actor.request_id)
        (machine,) = found
        made = passwords.make(machine.id)
        m.send(
            machine, KIND, user=machine.login_user, password_hash=made.password_hash,
            password_sealed=made.sealed.hex(),
        )  # fmt: skip


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``password``: the guest, then the outcome in one commit; a user who is not there is final."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        user, password_hash = operation.payload["user"], operation.payload["password_hash"]
        failure: UnknownUser | None = None
        if m.is_under_way(machine, passwords.RESET):
            try:
                engine_of(operation.lane).ensure_password(machine.public_id, user, password_hash)
            except UnknownUser as error:
                failure = error
        _end(operation, owner, failure)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Nobody knows which password holds: an attempt whose answer was lost may have set the new one."""
    for operation in batch:
        _end(operation, owner, error)


def _end(operation: Claimed, owner: uuid.UUID, failure: Exception | None) -> None:
    with outcome(operation, owner) as machine:
        if machine is None or not m.is_under_way(machine, passwords.RESET):
            return
        if failure:
            _fail(machine, operation, failure)
            return
        Instance.objects.filter(pk=machine.pk).update(latest_operation_state="SUCCESS", keys_only=False)
        _keep_the_machines_own(machine, operation)
        m.event(machine, "password_reset", user=operation.payload["user"])


def _fail(machine: Instance, operation: Claimed, failure: Exception) -> None:
    """Only a user who is not there is a certain no; else what is kept may open nothing, so it is shown no more."""
    if isinstance(failure, UnknownUser):
        m.fail(machine, "The password could not be reset; the one of before holds.", failure)
        return
    if operation.payload["user"] == machine.login_user:
        passwords.erase([machine])
    m.fail(machine, "It is not known which password holds; reset it again.", failure)


def _keep_the_machines_own(machine: Instance, operation: Claimed) -> None:
    """What is kept of the machine's own user follows; another user's password is kept nowhere."""
    payload = operation.payload
    if payload["user"] != machine.login_user:
        return
    passwords.put_in_place(machine, payload["password_hash"], payload["password_sealed"])
