"""Tickets: made for whoever may, kept as a hash, used once and in time."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from vmart.catalog.models import Zone
from vmart.consoles import watch
from vmart.consoles.errors import BadTicket, NoConsole, Shut, TooManyConsoles
from vmart.consoles.models import Console
from vmart.customers import accounts
from vmart.customers.models import Account
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.models import ON, Instance, State
from vmart.kernel import clock, db
from vmart.orders import machines as m
from vmart.orders.errors import UnknownInstance
from vmart.policy import policy

# A page shows its ticket at once. Whoever finds one later, in a log or over a shoulder, finds it spent. Tencent's
# address is good for 15 s; a slow phone needs longer to load a terminal.
LASTS = dt.timedelta(seconds=30)
# API 3.0, DescribeInstanceVncUrl: a machine's console is opened again 30 times a minute at most.
_A_MINUTE = 30
ASKED = "DescribeInstanceVncUrl"
_CALLED: dict[str, str] = {  # API 3.0, DescribeInstanceVncUrl: its codes
    State.PENDING: "Pending", State.LAUNCH_FAILED: "LaunchFailed", State.STOPPED: "Stopped",
    State.STARTING: "Starting", State.STOPPING: "Stopping", State.REBOOTING: "Rebooting",
}  # fmt: skip
NOT_KNOWN = gettext_noop("Its engine shows no console.")


@dataclass(frozen=True, slots=True)
class By:
    """By what it is known, while a console is open, that whoever asked may still have it: a session, or an API key."""

    user_id: int | None
    session_key: str = ""
    secret_id: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the gateway needs of a console that a ticket has opened. ``superseded``: the machine's one before it."""

    id: int
    machine: str
    zone: str
    idle_s: float
    superseded: Sequence[int]


def make(actor: Actor, public_id: str, by: By, origin: str) -> str:
    """A ticket for the console of a machine of the actor's account that runs; ``origin`` is of the page that uses it.

    Raises UnknownInstance, WrongState, NoConsole, Shut, TooManyConsoles; then nothing is written.
    """
    ticket, now = secrets.token_urlsafe(32), clock.wall()
    with db.act():
        accounts.lock(actor.account)
        machine = Instance.objects.filter(account_id=actor.account, public_id=public_id).exclude(state=State.GONE)
        found = machine.select_related("subscription").first()
        if found is None:
            raise UnknownInstance("The instance {id} does not exist.", field="machines", id=public_id)
        refuse([found])
        refuse_zone(found.zone_id)
        _refuse_frozen(actor.account)
        made = Console.objects.filter(instance=found, made_at__gt=now - dt.timedelta(minutes=1))
        if made.count() >= _A_MINUTE:
            raise TooManyConsoles(
                "The console of {id} was asked for {most} times within a minute; wait a moment.",
                field="machines", id=public_id, most=_A_MINUTE,
            )  # fmt: skip
        Console.objects.create(
            account_id=actor.account, instance=found, ticket_hash=_hash(ticket), actor=actor.told(), user_id=by.user_id,
            session_key=by.session_key, secret_id=by.secret_id, origin=origin, made_at=now, expires_at=now + LASTS,
        )  # fmt: skip
        record.write(actor.account, record.MACHINE, [found.id], ASKED, actor=actor)
    return ticket


def refuse(machines: Sequence[Instance]) -> None:
    """Raise WrongState for machines that do not run, have expired or are in the recycle bin."""
    m.refuse_isolated(machines)
    for machine in machines:
        m.refuse_state(machine, ON, f"UnsupportedOperation.InstanceState{_CALLED.get(machine.state, 'NotRunning')}")


def refuse_zone(zone: str) -> None:
    """Raise NoConsole for a zone whose engine shows no console, with its reason."""
    known = Zone.objects.values_list("capabilities", flat=True).get(code=zone)
    if not known.get("console"):
        why = (known.get("missing") or {}).get("console", NOT_KNOWN)
        raise NoConsole("{zone}: {why}", field="machines", zone=zone, why=why)


def use(ticket: str, origin: str, address: str) -> Opened:
    """The console that the ticket opens, once; the machine's console of before ends.

    A ticket that is shown from another page is spent by it: whoever has it there has stolen it. Raises BadTicket, Shut,
    TooManyConsoles.
    """
    found = Console.objects.filter(ticket_hash=_hash(ticket)).values("id", "account_id").first()
    if found is None:
        raise _spent()
    with db.act():
        accounts.lock(found["account_id"])
        console = _spend(found["id"], address)
        refusal = None if console is None else _why_not(console, origin)
        if console is not None and refusal is not None:
            watch.end_now(console, "refused", told=False)
        elif console is not None:
            superseded = watch.end_before(console)
            record.write(
                console.account_id, record.MACHINE, [console.instance_id], "console_opened",
                details=[{"address": address}], actor=_who(console),
            )  # fmt: skip
    if console is None:
        raise _spent()
    if refusal is not None:
        raise refusal
    idle_s = policy.at(clock.now()).console_idle_minutes * 60.0
    return Opened(console.id, console.instance.public_id, console.instance.zone_id, idle_s, superseded)


_SPEND = """
UPDATE consoles_console SET opened_at = %(now)s, seen_at = %(now)s, address = %(address)s
WHERE id = %(id)s AND opened_at IS NULL AND expires_at > %(now)s AND made_at <= %(now)s
RETURNING id
"""


def _spend(number: int, address: str) -> Console | None:
    """The ticket's row, if it is ours: one statement, so that of two who show it one has it."""
    if not db.rows(_SPEND, id=number, now=clock.wall(), address=address):
        return None
    return Console.objects.select_related("instance__subscription").get(pk=number)


def _why_not(console: Console, origin: str) -> BadTicket | Shut | TooManyConsoles | None:
    if origin != console.origin:
        return _spent()
    if watch.why_over([console.id]):
        return Shut("The console cannot be opened any more: the machine is off, or you have signed out.")
    most = policy.at(clock.now()).consoles
    others = Console.objects.filter(account_id=console.account_id, opened_at__isnull=False, closed_at=None)
    if others.exclude(instance_id=console.instance_id).count() >= most:
        return TooManyConsoles("{most} consoles are open, the most there may be; close one first.", most=most)
    return None


def full() -> TooManyConsoles:
    """Of a gateway that has as many as it can have."""
    return TooManyConsoles("The shop shows no more consoles at once; try again in a while.")


def _refuse_frozen(account_id: int) -> None:
    reason = Account.objects.values_list("frozen_reason", flat=True).get(pk=account_id)
    if reason:
        raise Shut("The account is frozen, and has no consoles: {reason}", field="machines", reason=reason)


def _spent() -> BadTicket:
    return BadTicket("This ticket is not good any more: a console is opened once, soon after it was asked for.")


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def _who(console: Console) -> Actor:
    return watch.actor_of(console)
