"""What a worker does beside the queue, by the wall clock: look at zones, images, bytes, what machines use, drift,
alarms, partitions.

Each zone has a thread of its own, so that a slow engine delays nobody else, and so have mails, for a slow server; an
advisory lock lets one worker at a time do a zone's chores.
"""

import datetime as dt
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import close_old_connections, connection

from vmart.catalog import shop
from vmart.consoles import watch as consoles
from vmart.kernel import clock, db
from vmart.kernel.partitions import drop_old, ensure_partitions
from vmart.monitoring import evaluate, mails, roll_up
from vmart.monitoring import sample as usage
from vmart.orders import idempotency, passwords, reclaim, sample, watch
from vmart.provisioning import zones

log = logging.getLogger(__name__)

_TICK_S = 1.0
_CHECK_S, _DAILY_S = 30.0, 3600.0
_MAILS_S = 5.0  # well below the minute that an alarm takes anyway


@dataclass
class Chores:
    """The chores of one worker process, over the given zones."""

    zones: Callable[[], list[str]]
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: dict[str, threading.Thread] = field(default_factory=dict)

    def start(self) -> None:
        self._begin("house", self._housekeeping)
        self._begin("mails", self._mails)
        self._begin("catalog", self._follow_catalog)

    def stop(self) -> None:
        self._stop.set()

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"vmart-chores-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def _follow_catalog(self) -> None:
        """What every worker follows, whoever has the locks: the prices by which it renews, and the zones."""
        while True:
            try:
                close_old_connections()
                shop.notice_changes()
                self._begin_zones()
            except Exception:
                log.exception("the catalog could not be read")
                connection.close()
            if self._stop.wait(_TICK_S):
                break
        connection.close()

    def _begin_zones(self) -> None:
        """A thread for each zone, also for those that the catalog gets while the shop runs."""
        for zone in self.zones():
            if f"zone {zone}" not in self._threads:
                self._begin(f"zone {zone}", lambda zone=zone: self._zone(zone))  # type: ignore[misc]

    def _zone(self, zone: str) -> None:
        begun = clock.monotonic()
        check, minute = _Every(_CHECK_S), _EachMinute(usage.minute_of)
        counted, swept = _Every(sample.INTERVAL_S, begun), _Every(watch.LOOK_S, begun)
        images_done = False

        def once() -> None:
            nonlocal images_done
            if not images_done or check.due():
                check.begin()
                if not zones.check(zone):
                    return
                images_done = zones.prepare_images(zone)
            if counted.due():
                counted.begin()
                sample.sample_zone(zone)
            if minute.due():
                minute.begin()  # also where it fails: a gap stays one
                usage.zone(zone)
            tells = watch.tells(zone)
            if tells and f"watch {zone}" not in self._threads:
                self._begin(f"watch {zone}", lambda: self._watch(zone))
            if swept.due():
                swept.begin()
                if not tells:
                    watch.report(zone)

        self._repeat(f"chores {zone}", once, lambda: not images_done or _any_due(check, counted, minute, swept))

    def _watch(self, zone: str) -> None:
        self._repeat(f"watch {zone}", lambda: watch.follow(zone, self._stop))

    def _mails(self) -> None:
        looked = _Every(_MAILS_S)

        def once() -> None:
            looked.begin()
            mails.send()

        self._repeat("mails", once, looked.due)

    def _housekeeping(self) -> None:
        daily, looked, minute = _Every(_DAILY_S), _Every(_CHECK_S), _EachMinute(evaluate.due)

        def once() -> None:
            if minute.due():
                of = minute.begin()
                roll_up.until_now()
                evaluate.at(of)
            if looked.due():
                reclaim.for_price()
                consoles.sweep()
                looked.begin()
            if daily.due():
                ensure_partitions(clock.now())
                drop_old(clock.now())
                idempotency.forget_old(clock.wall())
                passwords.erase_old(clock.now())
                mails.forget_old(clock.now())
                daily.begin()  # not before: what fails is done again at the next tick

        self._repeat("chores", once, lambda: _any_due(minute, looked, daily))

    def _repeat(self, lock: str, once: Callable[[], None], due: Callable[[], bool] = lambda: True) -> None:
        """Do ``once`` whenever something is due and the lock is ours. Whoever did it holds no connection in
        between: a shop has a thread a zone, and an idle connection costs the database 2 to 6 MiB."""
        while not self._stop.wait(_TICK_S):
            try:
                close_old_connections()
                if not due():
                    continue
                with db.try_advisory_lock(lock) as ours:
                    if ours:
                        once()
                if ours and not due():
                    connection.close()
            except Exception:
                log.exception("a chore failed")
                connection.close()
        connection.close()


class _Every:
    """Due at once, or after ``last``, then ``seconds`` after it began."""

    def __init__(self, seconds: float, last: float = -math.inf) -> None:
        self._seconds, self._last = seconds, last

    def due(self) -> bool:
        return clock.monotonic() - self._last > self._seconds

    def begin(self) -> None:
        self._last = clock.monotonic()


class _EachMinute:
    """Due once for each minute of business time; ``of`` says which one belongs to an instant."""

    def __init__(self, of: Callable[[dt.datetime], dt.datetime]) -> None:
        self._of = of
        self._begun: dt.datetime | None = None

    def due(self) -> bool:
        return self._of(clock.now()) != self._begun

    def begin(self) -> dt.datetime:
        self._begun = self._of(clock.now())
        return self._begun


def _any_due(*chores: _Every | _EachMinute) -> bool:
    return any(chore.due() for chore in chores)
