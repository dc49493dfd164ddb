"""Moving a test clock: through every due timer and hourly close in order, never past one that is not done."""

import datetime as dt
from collections.abc import Callable

from django.db.models import Min

from vmart.config.steps import STEPS, lanes, zone_codes
from vmart.engines.contract import install_transaction_probe
from vmart.kernel import clock, db
from vmart.kernel.models import Deployment
from vmart.kernel.partitions import ensure_partitions
from vmart.orders import sample
from vmart.provisioning import zones
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation


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
        while True:
            run_until_idle(STEPS, lanes, wait=True)
            for zone in zone_codes():
                sample.sample_zone(zone)
            following = _next_due(target)
            if following is None:
                break
            _set(following)
            report(following)
        _set(target)
        run_until_idle(STEPS, lanes, wait=True)
    return target


def _next_due(target: dt.datetime) -> dt.datetime | None:
    waiting = Operation.objects.filter(attention=False, due_at__gt=clock.now(), due_at__lte=target)
    first: dt.datetime | None = waiting.aggregate(first=Min("due_at"))["first"]
    return first


def _set(instant: dt.datetime) -> None:
    ensure_partitions(instant)
    Deployment.objects.filter(test_clock_at__lt=instant).update(test_clock_at=instant)
    source = clock.source()
    forget = getattr(source, "forget", None)
    if forget:
        forget()
    if clock.now() < instant:
        raise RuntimeError("business time did not move: another clock is installed")
