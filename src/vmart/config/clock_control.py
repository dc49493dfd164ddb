"""Moving a test clock: through every due timer and hourly close in order, never past one that is not done.

Hours in which nothing but their own close comes up are closed in a row, up to a day of them in one commit: charges,
transfers and samples are dated as if the clock had stood at the end of each.
"""

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence

from django.db import DatabaseError, connection
from django.db.models import Min

from vmart.config.steps import STEPS, lanes, zone_codes
from vmart.engines.contract import install_transaction_probe
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.models import Deployment
from vmart.kernel.partitions import ensure_partitions
from vmart.ledger.models import Purses
from vmart.metering.models import Horizon
from vmart.orders import sample
from vmart.orders.sample import Sender
from vmart.provisioning import zones
from vmart.settlement import close
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

log = logging.getLogger(__name__)

Sending = Mapping[str, Sequence[Sender]]  # by zone, what may send

_HOURS_AT_ONCE = 24
_ACCOUNTS_AT_ONCE = close.BATCH_ACCOUNTS  # with more, an hour's close is many commits


class NoTestClock(Exception):
    """This deployment runs on the wall clock."""


def advance(delta: dt.timedelta, report: Callable[[dt.datetime], None] = lambda _at: None) -> dt.datetime:
    """Move business time on by ``delta``; returns where it stands then. Raises NoTestClock, ValueError.

    ``report`` is told each instant on the way at which something is due.
    """
    if delta < dt.timedelta():
        raise ValueError("time does not go back")
    install_transaction_probe(db.in_transaction)
    with db.advisory_lock("vmart clock"):
        start = Deployment.objects.values_list("test_clock_at", flat=True).get()
        if start is None:
            raise NoTestClock("this deployment runs on the wall clock")
        target = start + dt.timedelta(seconds=int(delta.total_seconds()))
        for zone in zone_codes():
            if zones.check(zone):
                zones.prepare_images(zone)
        _go_through(target, report)
        _set(target)
        run_until_idle(STEPS, lanes, wait=True)
    return target


def _go_through(target: dt.datetime, report: Callable[[dt.datetime], None]) -> None:
    while True:
        run_until_idle(STEPS, lanes, wait=True)
        sending = {zone: sample.sending(zone) for zone in zone_codes()}
        for zone, senders in sending.items():
            sample.count(zone, senders)
        following = _next_due(target)
        if following is None:
            break
        if not _close_ahead(target, sending):
            _set(following)
        report(clock.now())


def _next_due(target: dt.datetime) -> dt.datetime | None:
    waiting = Operation.objects.filter(attention=False, due_at__gt=clock.now(), due_at__lte=target)
    first: dt.datetime | None = waiting.aggregate(first=Min("due_at"))["first"]
    return first


def _close_ahead(target: dt.datetime, sending: Sending) -> bool:
    """Go on through hours in which nothing but their own close is due; whether there were any."""
    first, other = Horizon.objects.get().closed_until, _first_but_closes()
    hours = min(_HOURS_AT_ONCE, (target - first) // HOUR)
    if other is not None:
        hours = min(hours, -((first - other) // HOUR) - 1)  # those that end before it
    if Purses.objects.count() > _ACCOUNTS_AT_ONCE:
        return False
    while hours > 1:
        closed = _close_hours(first, hours, sending)
        if closed == hours:
            return True
        hours = closed
    return False


def _first_but_closes() -> dt.datetime | None:
    others = Operation.objects.filter(attention=False).exclude(kind=close.KIND)
    first: dt.datetime | None = others.aggregate(first=Min("due_at"))["first"]
    return first


class _Sooner(Exception):
    """Something is due after so many hours already: samples of later ones must not stay."""

    def __init__(self, hours: int) -> None:
        super().__init__(hours)
        self.hours = hours


def _close_hours(first: dt.datetime, hours: int, sending: Sending) -> int:
    """Close them and move on with it, all in one commit; fewer say how many can be, and nothing was done."""
    ends = [first + number * HOUR for number in range(1, hours + 1)]
    ensure_partitions(ends[-1])
    counted = {zone: sample.read_at(zone, senders, ends[:-1]) for zone, senders in sending.items()}
    try:
        with db.act():
            db.rows("SELECT set_config('statement_timeout', '120s', true)")
            db.call("ledger_lock_all")
            for zone, read in counted.items():
                sample.take(zone, read)  # the counts at the last end come as at any instant
            closed = close.ahead(hours)
            if closed < hours:
                raise _Sooner(closed)
            Deployment.objects.update(test_clock_at=ends[-1])
    except _Sooner as sooner:
        return sooner.hours
    except DatabaseError as error:
        if not connection.is_usable():
            raise
        log.warning("hours from %s on are closed one by one: %s", first.isoformat(), str(error).partition("\n")[0])
        return 0
    _forget()
    return hours


def _set(instant: dt.datetime) -> None:
    ensure_partitions(instant)
    Deployment.objects.filter(test_clock_at__lt=instant).update(test_clock_at=instant)
    _forget()
    if clock.now() < instant:
        raise RuntimeError("business time did not move: another clock is installed")


def _forget() -> None:
    """Read business time anew: it was just moved here."""
    forget = getattr(clock.source(), "forget", None)
    if forget:
        forget()
