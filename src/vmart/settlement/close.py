"""The hourly close: at the end of each clock hour, never before, hours in order, each exactly once.

The horizon moves first: from then on nothing can start or end inside the hour. Then account batches,
each its own commit and account locks. An account that fails waits in ``stuck``; the others go on.
"""

import datetime as dt
import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.db import connection, transaction

from vmart.bills.rules import oldest_open_statement
from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.money import exponent
from vmart.metering.models import Horizon
from vmart.orders import end_arrears
from vmart.policy import policy
from vmart.settlement.models import Hour, Stuck
from vmart.worker import queue
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)

KIND = "close_hour"
HOUR_CLOSED = "hour"  # the subject
BATCH_ACCOUNTS = 2000  # an account's purchases wait while its batch is closed: well below a second
CONNECTIONS = 2


def begin(now: dt.datetime) -> None:
    """At each start: the close that is next in turn is queued. Before the first start's hour nothing is ever closed."""
    with db.act():
        start = clock.hour_start(now)
        Horizon.objects.get_or_create(only=True, defaults={"closed_until": start})
        broken_off = Hour.objects.filter(closed_at=None).order_by("start").first()
        first = broken_off.start if broken_off else Horizon.objects.get().closed_until
        queue.enqueue(KIND, HOUR_CLOSED, _subject(first), due_at=first + HOUR)


def _subject(hour: dt.datetime) -> int:
    return int(hour.timestamp())


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``close_hour``; its subject is the hour's start in seconds of the epoch."""
    for operation in batch:
        hour = dt.datetime.fromtimestamp(operation.subject_id, dt.UTC)
        close(hour)
        with db.act():
            if queue.finish(owner, operation):
                queue.enqueue(KIND, HOUR_CLOSED, _subject(hour + HOUR), due_at=hour + 2 * HOUR)


def close(hour: dt.datetime) -> tuple[int, int]:
    """Close one hour for all accounts; (new charges, minor units deducted). A second run: (0, 0).

    Accounts that are stuck are tried again after the others and are not in these numbers.
    Raises ValueError for an hour that has not ended, or whose predecessor's close has not.
    """
    if clock.now() < hour + HOUR:
        raise ValueError(f"the hour {hour.isoformat()} has not ended")
    with db.act():
        horizon = Horizon.objects.select_for_update().get()
        previous = Hour.objects.filter(start__lt=hour).order_by("-start").first()
        # The horizon passes an hour when its close begins; this one's running totals need what that one charged.
        if horizon.closed_until < hour or (previous is not None and previous.closed_at is None):
            raise ValueError(f"the hour before {hour.isoformat()} is not closed")
        if horizon.closed_until == hour:
            Horizon.objects.update(closed_until=hour + HOUR)
        Hour.objects.get_or_create(start=hour)
    charges = deducted = 0
    for number, amount in _batches(hour):
        charges += number
        deducted += amount
    for stuck in Stuck.objects.order_by("account_id"):
        retry_stuck(stuck.account_id, hour)
    Hour.objects.filter(start=hour, closed_at=None).update(closed_at=clock.now())
    db.wake_workers()
    return charges, deducted


def ahead(hours: int) -> int:
    """Close the next ``hours`` of a test clock as of their ends, before something else is due; how many were closed.

    The same rows as when business time stands at each end in turn, in the caller's act: it holds the lock of all
    accounts and moves the clock on with it. 0 where the close that is next has to go the usual way: it has begun or
    is in somebody's hands, or an account is stuck.
    """
    db.require_transaction()
    first = Horizon.objects.select_for_update().get().closed_until
    if Stuck.objects.exists() or not queue.withdraw(KIND, HOUR_CLOSED, _subject(first)):
        return 0
    here = shop.snapshot()
    oldest, grace = zip(*(_dated(first + number * HOUR, here) for number in range(1, hours + 1)), strict=True)
    closed: int = db.call(
        "settlement_close_ahead", first, here.billing_zone.key, list(oldest), exponent(here.currency), list(grace)
    )
    following = first + closed * HOUR
    queue.enqueue(KIND, HOUR_CLOSED, _subject(following), due_at=following + HOUR)
    return closed


def _dated(now: dt.datetime, here: shop.Shop) -> tuple[dt.date, dt.timedelta]:
    """What a close at ``now`` goes by: the oldest open statement's month, and how long arrears have until they end."""
    closes_hour = policy.at(clock.month_start(now, here.billing_zone)).statement_closes_hour
    grace = dt.timedelta(hours=policy.at(now).arrears_grace_hours)
    return oldest_open_statement(now, here.billing_zone, closes_hour), grace


def _batches(hour: dt.datetime) -> list[tuple[int, int]]:
    bounds = [
        row["upper"] for row in db.rows("SELECT fn.settlement_batches(%s, %s) AS upper", BATCH_ACCOUNTS, CONNECTIONS)
    ]
    waiting = iter(list(zip([0, *bounds], bounds, strict=False)))  # shared: each connection takes the next one

    def work() -> list[tuple[int, int]]:
        return [_close_range(hour, *bound) for bound in waiting]

    def work_beside() -> list[tuple[int, int]]:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="vmart-close") as pool:
        others = [pool.submit(work_beside) for _ in range(min(CONNECTIONS, len(bounds)) - 1)]
        closed = work()  # on this thread's own connection, which knows the statements from the hour before
        return [*closed, *(part for other in others for part in other.result())]


def _close_range(hour: dt.datetime, low: int, high: int) -> tuple[int, int]:
    """One commit; when it fails, its halves, down to the one account that is at fault."""
    try:
        return _close_statement(hour, low, high)
    except Exception as error:
        if not connection.is_usable():
            raise
        accounts = _accounts(low, high)
        if len(accounts) <= 1:
            reason = _reason(error)
            unforeseen = None if isinstance(error.__cause__, psycopg.Error) else error
            log.error("the close of %s failed for account %s: %s", hour.isoformat(), high, reason, exc_info=unforeseen)
            Stuck.objects.get_or_create(account_id=high, defaults={"from_hour": hour, "reason": reason})
            return 0, 0
        middle = accounts[len(accounts) // 2 - 1]
        parts = [_close_range(hour, low, middle), _close_range(hour, middle, high)]
        return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]


def _reason(error: Exception) -> str:
    """What the seller reads: the server's sentence without the statement in which it arose."""
    cause = error.__cause__
    said = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return (said or str(error))[:2000]


def _accounts(low: int, high: int) -> list[int]:
    found = db.rows(
        "SELECT account_id FROM ledger_purses WHERE account_id > %s AND account_id <= %s ORDER BY account_id", low, high
    )
    return [row["account_id"] for row in found]


def _close_statement(hour: dt.datetime, low: int, high: int, *, even_stuck: bool = False) -> tuple[int, int]:
    here, now = shop.snapshot(), clock.now()
    oldest, grace = _dated(now, here)
    waiting = [] if even_stuck else list(Stuck.objects.values_list("account_id", flat=True))
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")
        (closed,) = db.rows(
            "SELECT charges, deducted_minor, credited FROM fn.settlement_close(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            hour, here.billing_zone.key, oldest, exponent(here.currency), low, high, now, waiting, grace,
        )  # fmt: skip
        charges, deducted = closed["charges"], closed["deducted_minor"]
        for account_id in closed["credited"]:
            end_arrears.end(account_id)
        if charges:  # in the same commit, last lock of all: a close that is killed and goes on counts nothing twice
            cursor.execute(
                "UPDATE settlement_hour SET charges = charges + %s, deducted_minor = deducted_minor + %s"
                " WHERE start = %s",
                [charges, deducted, hour],
            )
        return charges, deducted


def retry_stuck(account_id: int, through: dt.datetime) -> bool:
    """Close the hours a stuck account missed, in order, through ``through``; True when it is free again."""
    stuck = Stuck.objects.filter(account_id=account_id).first()
    if stuck is None:
        return True
    hour = stuck.from_hour
    while hour <= through:
        try:
            _close_statement(hour, account_id - 1, account_id, even_stuck=True)
        except Exception as error:
            if not connection.is_usable():
                raise
            Stuck.objects.filter(account_id=account_id).update(from_hour=hour, reason=_reason(error))
            return False
        hour += HOUR
    Stuck.objects.filter(account_id=account_id).delete()
    return True
