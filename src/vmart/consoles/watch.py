"""Open consoles: which of them are over, and how their end is written, by whoever notices it first."""

import datetime as dt
from collections.abc import Sequence

from vmart.consoles.models import Console
from vmart.customers import roles
from vmart.customers.roles import Permission
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db

LOST_AFTER = dt.timedelta(seconds=60)  # without a sign of a gateway; one says every few seconds that it has it
_KEPT = dt.timedelta(days=1)

# Why each is over that is: whoever had it lost the right to it, or the machine does not run.
_OVER = """
SELECT c.id, CASE
    WHEN c.closed_at IS NOT NULL THEN c.why
    WHEN i.state NOT IN ('RUNNING', 'REBOOTING', 'RESCUE_MODE') THEN 'machine_off'
    WHEN a.frozen_reason <> '' THEN 'frozen'
    WHEN c.session_key <> '' AND NOT EXISTS (
        SELECT 1 FROM django_session s WHERE s.session_key = c.session_key AND s.expire_date > %(now)s
    ) THEN 'signed_out'
    WHEN c.session_key <> '' AND NOT EXISTS (
        SELECT 1 FROM customers_member m JOIN customers_user u ON u.id = m.user_id AND u.is_active
        WHERE m.account_id = c.account_id AND m.user_id = c.user_id AND m.role = ANY(%(roles)s)
    ) THEN 'no_member'
    WHEN c.secret_id <> '' AND NOT EXISTS (
        SELECT 1 FROM customers_api_key k
        JOIN customers_member m ON m.account_id = k.account_id AND m.user_id = k.user_id AND m.role = ANY(%(roles)s)
        WHERE k.secret_id = c.secret_id AND k.account_id = c.account_id AND k.enabled
    ) THEN 'key_off'
  END AS why
FROM consoles_console c
JOIN instances_instance i ON i.id = c.instance_id
JOIN customers_account a ON a.id = c.account_id
WHERE c.id = ANY(%(ids)s)
"""


def why_over(ids: Sequence[int]) -> dict[int, str]:
    """Of these consoles those that are over, with why."""
    found = db.rows(_OVER, ids=list(ids), now=clock.wall(), roles=list(roles.having(Permission.OPERATE)))
    return {row["id"]: row["why"] for row in found if row["why"]}


def look(ids: Sequence[int]) -> dict[int, str]:
    """``why_over`` for a gateway, which has the others open: they are seen now."""
    over = why_over(ids)
    Console.objects.filter(pk__in=set(ids) - set(over), closed_at=None).update(seen_at=clock.wall())
    return over


def close(console_id: int, why: str) -> None:
    """It has ended; a second end is none."""
    with db.act():
        console = Console.objects.select_for_update(no_key=True).filter(pk=console_id, closed_at=None).first()
        if console is not None:
            end_now(console, why)


def end_now(console: Console, why: str, *, at: dt.datetime | None = None, told: bool = True) -> None:
    """Write its end, with its event (``told``), within an act that has it locked."""
    ended = max(at or clock.wall(), console.opened_at or dt.datetime.min.replace(tzinfo=dt.UTC))
    Console.objects.filter(pk=console.pk).update(closed_at=ended, why=why, session_key="")
    if told and console.opened_at is not None:
        seconds = int((ended - console.opened_at).total_seconds())
        record.write(
            console.account_id, record.MACHINE, [console.instance_id], "console_closed",
            details=[{"seconds": seconds, "address": console.address, "ended_by": why}], actor=actor_of(console),
        )  # fmt: skip


def end_before(console: Console) -> list[int]:
    """The machine's console that is open before this one ends: an engine shows one to one. Within an act."""
    before = Console.objects.select_for_update(no_key=True).filter(
        instance_id=console.instance_id, opened_at__isnull=False, closed_at=None
    )
    ended = list(before.exclude(pk=console.pk).order_by("pk"))
    for other in ended:
        end_now(other, "opened_elsewhere")
    return [other.pk for other in ended]


def sweep() -> int:
    """End those whose gateway is gone, at when it was seen last; how many. Old tickets are forgotten."""
    now = clock.wall()
    lost = Console.objects.filter(opened_at__isnull=False, closed_at=None, seen_at__lt=now - LOST_AFTER)
    numbers = list(lost.values_list("pk", flat=True))
    for number in numbers:
        with db.act():
            console = lost.select_for_update(no_key=True).filter(pk=number).first()
            if console is not None:
                end_now(console, "gateway_lost", at=console.seen_at)
    old = Console.objects.filter(made_at__lt=now - _KEPT)
    old.filter(opened_at=None).delete()
    old.filter(closed_at__isnull=False).delete()  # the machine's events tell of them
    return len(numbers)


def actor_of(console: Console) -> Actor:
    """Who asked for it."""
    told = console.actor
    return Actor(
        console.account_id, told["via"], told.get("user", ""), told.get("key", ""), told.get("address", ""),
        told.get("request", ""),
    )  # fmt: skip
