"""Passwords that the shop makes: one a machine, sealed for it, shown to its owner on request, erased when he has it.

In clear they are in the answer to whoever asks, and nowhere else (ADR 0021).
"""

import datetime as dt
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from vmart.events.actor import Actor
from vmart.instances.models import Instance, SealedPassword
from vmart.kernel import clock, db, unix_password
from vmart.orders import machines as m
from vmart.orders.acts import accepting
from vmart.orders.errors import PasswordNotKept
from vmart.policy import policy

RESET = "ResetInstancesPassword"  # the operation, as the API calls it
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that look like another
_LENGTH, _GROUP = 16, 4
_ERASE_OLD = (  # of those made in one period of the policy
    "DELETE FROM instances_sealed_password WHERE made_at >= %s AND made_at < %s AND made_at <= %s RETURNING instance_id"
)
_ROUNDS = 1000  # the fewest there are: many rounds slow down guessing, and of these there are 2^92


@dataclass(frozen=True, slots=True)
class Made:
    """A new password as it is kept: crypt(3) for the machine, sealed for its owner."""

    password_hash: str
    sealed: bytes

    @property
    def columns(self) -> dict[str, str]:
        """As JSON carries it to SQL and to the worker."""
        return {"password_hash": self.password_hash, "password_sealed": self.sealed.hex()}


def generate() -> str:
    """Sixteen letters and digits in fours, about 92 bits; the signs between them make it one of all four classes."""
    while True:
        text = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        if all(re.search(kind, text) for kind in ("[a-z]", "[A-Z]", "[2-9]")):
            return "-".join(text[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def make(instance_id: int) -> Made:
    """A password for this machine; nobody knows it before it is shown."""
    password = generate()
    return Made(unix_password.hash_sha512(password, rounds=_ROUNDS), seal(instance_id, password))


def seal(instance_id: int, password: str) -> bytes:
    """Readable with the deployment's key, and as this machine's password only."""
    return settings.SECRETS.seal(password, _purpose(instance_id))


def unseal(instance_id: int, sealed: bytes) -> str:
    """The password again. Raises SecretsUnreadable for another machine's, and under another key."""
    return settings.SECRETS.open(sealed, _purpose(instance_id))


def _purpose(instance_id: int) -> str:
    return f"password of machine {instance_id}"


def kept(instance_ids: Sequence[int]) -> dict[int, dt.datetime]:
    """The machines whose password can be shown, and until when."""
    found = _kept(instance_ids)
    return {row.instance_id: _kept_until(row.made_at) for row in found}


def _kept(instance_ids: Sequence[int]) -> list[SealedPassword]:
    now = clock.now()
    rows = SealedPassword.objects.filter(instance_id__in=instance_ids)
    return [row for row in rows if now < _kept_until(row.made_at)]


def _kept_until(made_at: dt.datetime) -> dt.datetime:
    return made_at + dt.timedelta(days=policy.at(made_at).password_keep_days)


def newest(instance_ids: Sequence[int]) -> dt.datetime | None:
    """When the newest password of these machines was made; None where none is kept.

    Read before they are shown: one that is made between the two is newer, so ``put_away`` leaves it.
    """
    return max((row.made_at for row in _kept(instance_ids)), default=None)


def show(actor: Actor, public_ids: Sequence[str]) -> dict[str, str]:
    """Passwords in clear by the machines' public ids, as often as asked; each time is an event of the machine.

    Machines without one to show are left out. Raises the refusals of ``machines.lock``; PasswordNotKept where
    no machine has one, or none any more.
    """
    with accepting(actor, "", public_ids) as found:
        sealed = {row.instance_id: bytes(row.sealed) for row in _kept([machine.id for machine in found])}
        having = [machine for machine in found if machine.id in sealed]
        if not having:
            raise PasswordNotKept(
                "The shop has no password of {id} to show: it was made by somebody else, taken, or its days are"
                " over. Reset it to have a new one.",
                field="machines", id=", ".join(public_ids[:3]),
            )  # fmt: skip
        shown = {machine.public_id: unseal(machine.id, sealed[machine.id]) for machine in having}
        m.events(having, "password_shown", actor=actor)
    return shown


def put_away(actor: Actor, public_ids: Sequence[str], made_until: dt.datetime) -> bool:
    """The owner has those made until then: they are erased, once; said again it changes nothing.

    False where a newer one is left, which nobody has seen yet. Raises the refusals of ``lock``.
    """
    with accepting(actor, "", public_ids) as found:
        erased = erase(found, made_until)
        m.events([machine for machine in found if machine.id in erased], "password_taken", actor=actor)
        return not _kept([machine.id for machine in found])


def keep(machine: Instance, sealed: bytes) -> None:
    """The machine's new password in place of the one before."""
    SealedPassword.objects.update_or_create(instance_id=machine.id, defaults={"sealed": sealed, "made_at": clock.now()})


def put_in_place(machine: Instance, password_hash: str, password_sealed: str) -> None:
    """What is kept of the machine's own user is this hash, and this sealed text (hex; "" for none)."""
    erase([machine])
    if password_sealed:
        keep(machine, bytes.fromhex(password_sealed))
    # Not by the ORM, which writes the hash into the statement: the server's log has statements that fail.
    db.prepared("UPDATE instances_instance SET password_hash = %s WHERE id = %s", password_hash, machine.id)


def erase(machines: Sequence[Instance], made_until: dt.datetime | None = None) -> set[int]:
    """Erase what is kept of these machines, or what of it was made until then; ids of those that had something."""
    rows = db.rows(
        "DELETE FROM instances_sealed_password"
        " WHERE instance_id = ANY (%s) AND made_at <= coalesce(%s::timestamptz, 'infinity') RETURNING instance_id",
        [machine.id for machine in machines], made_until,
    )  # fmt: skip
    return {row["instance_id"] for row in rows}


def erase_old(now: dt.datetime) -> int:
    """Erase what is not shown any more; the number."""
    return sum(
        len(db.rows(_ERASE_OLD, begins_at, ends_at, now - dt.timedelta(days=rules.password_keep_days)))
        for begins_at, ends_at, rules in policy.periods(now)
    )
