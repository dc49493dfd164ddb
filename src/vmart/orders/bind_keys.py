"""Key pairs bound to machines and taken away (ADR 0036). Moves no money.

What a machine has follows when its system has it, not sooner. Until then, and where an attempt ends without an
answer, the keys that may be in there are noted, so that the next act takes out what is not wanted.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import F, Func, JSONField, Value

from vmart.engines.contract import EngineError, UnknownUser
from vmart.events.actor import Actor
from vmart.instances import key_pairs
from vmart.instances.models import Instance
from vmart.orders import inside
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.errors import KeyNotBound
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "ssh_keys"
BIND, UNBIND = "AssociateInstancesKeyPairs", "DisassociateInstancesKeyPairs"


@dataclass(frozen=True, slots=True)
class Change:
    """What a machine's system is told: public keys by id, those to be forgotten, whether SSH takes passwords."""

    keys: Mapping[str, str]
    forgotten: Sequence[str]
    passwords: bool | None  # None: as it is


def bind(actor: Actor, public_ids: Sequence[str], key_ids: Sequence[str], *, while_running: bool = True) -> None:
    """Accept these pairs in the place of those that the machines have, all or none; SSH then takes no passwords.

    Raises UnknownKeyPair, MissingParameter, InvalidParameter, WrongState, and the refusals of ``acts.accepting``.
    """
    key_pairs.check_named(key_ids)
    refusal = partial(inside.refuse, while_running=while_running)
    with accepting(actor, BIND, public_ids, refuse=refusal, uses=True) as found:
        keys = dict(zip(key_ids, key_pairs.public_keys(actor.account, key_ids), strict=True))
        m.begin_all(found, BIND, actor.request_id, keys_in_doubt=and_these(keys))
        m.send_all(found, KIND, act=BIND, key_ids=list(key_ids))


def unbind(actor: Actor, public_ids: Sequence[str], key_ids: Sequence[str], *, while_running: bool = True) -> None:
    """Accept that these pairs open the machines no more, all or none; SSH takes passwords where none is left.

    Raises KeyNotBound, UnknownKeyPair, and what ``bind`` raises.
    """
    key_pairs.check_named(key_ids)
    refusal = partial(inside.refuse, while_running=while_running)
    with accepting(actor, UNBIND, public_ids, refuse=refusal, uses=True) as found:
        _refuse_not_bound(actor, found, key_ids)
        m.begin_all(found, UNBIND, actor.request_id)
        m.send_all(found, KIND, act=UNBIND, key_ids=list(key_ids))


def and_these(keys: Mapping[str, str]) -> Func:
    """What is in doubt of each machine, and these."""
    return Func(
        F("keys_in_doubt"), Value(keys, JSONField()),
        template="(%(expressions)s)", arg_joiner=" || ", output_field=JSONField(),
    )  # fmt: skip


def _refuse_not_bound(actor: Actor, machines: Sequence[Instance], key_ids: Sequence[str]) -> None:
    for machine in machines:
        there = may_open(machine)
        for key_id in key_ids:
            if key_id not in there:
                key_pairs.public_keys(actor.account, [key_id])  # one that is not the account's is unknown
                raise KeyNotBound(
                    "The key pair {key} is not bound to the instance {id}.",
                    field="key_ids", key=key_id, id=machine.public_id,
                )  # fmt: skip


def bound(machine: Instance) -> dict[str, str]:
    """Public keys by id, as the machine has them."""
    return dict(zip(machine.key_ids, machine.ssh_keys, strict=True))


def may_open(machine: Instance) -> dict[str, str]:
    """Those, and what an attempt without an answer may have put there."""
    return {**bound(machine), **machine.keys_in_doubt}


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``ssh_keys``: the guest, then the outcome in one commit; a user who is not there is final."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        failure: UnknownUser | None = None
        if m.is_under_way(machine, operation.payload["act"]):
            try:
                _tell(operation, machine)
            except UnknownUser as error:
                failure = error
        _end(operation, owner, failure)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Nobody knows which keys hold: an attempt whose answer was lost may have set the new ones."""
    for operation in batch:
        _end(operation, owner, error)


def _tell(operation: Claimed, machine: Instance) -> None:
    change = _change(machine, operation.payload)
    engine_of(operation.lane).ensure_ssh_keys(
        machine.public_id, machine.login_user, list(change.keys.values()), change.forgotten, passwords=change.passwords
    )


def _change(machine: Instance, payload: Mapping[str, Any]) -> Change:
    """The same before and after the engine was told: a busy machine's keys are changed by nothing else."""
    there, named = may_open(machine), payload["key_ids"]
    if payload["act"] == BIND:
        keys = {key_id: machine.keys_in_doubt[key_id] for key_id in named}
        passwords: bool | None = False
    else:
        keys = {key_id: key for key_id, key in bound(machine).items() if key_id not in named}
        passwords = None if keys else True
    return Change(keys, [key for key_id, key in there.items() if key_id not in keys], passwords)


def _end(operation: Claimed, owner: uuid.UUID, failure: Exception | None) -> None:
    with outcome(operation, owner) as machine:
        if machine is None or not m.is_under_way(machine, operation.payload["act"]):
            return
        if failure:
            _fail(machine, operation, failure)
            return
        change = _change(machine, operation.payload)
        only = {} if change.passwords is None else {"keys_only": not change.passwords}
        Instance.objects.filter(pk=machine.pk).update(
            latest_operation_state="SUCCESS", key_ids=list(change.keys), ssh_keys=list(change.keys.values()),
            keys_in_doubt={}, **only,
        )  # fmt: skip
        m.event(machine, _EVENTS[operation.payload["act"]], key_ids=operation.payload["key_ids"])


_EVENTS = {BIND: "keys_bound", UNBIND: "keys_unbound"}


def _fail(machine: Instance, operation: Claimed, failure: Exception) -> None:
    """Only a user who is not there is a certain no; else the keys asked for stay in doubt."""
    if not isinstance(failure, UnknownUser):
        m.fail(machine, "It is not known which keys hold; bind or take away keys again.", failure)
        return
    named = operation.payload["key_ids"] if operation.payload["act"] == BIND else ()
    doubt = {key_id: key for key_id, key in machine.keys_in_doubt.items() if key_id not in named}
    why = EngineError(
        failure.sentence, transient=False, helps="Make the user of its image again in the machine, then try again."
    )
    m.fail(machine, "The keys could not be changed; those of before hold.", why, keys_in_doubt=doubt)
