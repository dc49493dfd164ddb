"""What a worker does beside the queue, by the wall clock: look at zones, images, bytes, what machines use, drift,
alarms, partitions.

Each zone has a thread of its own, so that a slow engine delays nobody else, and so have mails, for a slow server; an
advisory lock lets one worker at a time do a zone's chores.
"""

import logging
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
        last = {"check": 0.0, "sample": clock.monotonic(), "sweep": clock.monotonic()}
        images_done = False
        kept = None  # the minute of which is known what machines use

        def once() -> None:
            nonlocal images_done, kept
            now = clock.monotonic()
            if not images_done or now - last["check"] > _CHECK_S:
                last["check"] = now
                if not zones.check(zone):
                    return
                images_done = zones.prepare_images(zone)
            if now - last["sample"] > sample.INTERVAL_S:
                last["sample"] = now
                sample.sample_zone(zone)
            minute = usage.minute_of(clock.now())
            if minute != kept:
                kept = minute  # also where it fails: a gap stays one
                usage.zone(zone)
            tells = watch.tells(zone)
            if tells and f"watch {zone}" not in self._threads:
                self._begin(f"watch {zone}", lambda: self._watch(zone))
            if not tells and now - last["sweep"] > watch.LOOK_S:
                last["sweep"] = now
                watch.report(zone)

        self._repeat(f"chores {zone}", once)

    def _watch(self, zone: str) -> None:
        self._repeat(f"watch {zone}", lambda: watch.follow(zone, self._stop))

    def _mails(self) -> None:
        looked = 0.0

        def once() -> None:
            nonlocal looked
            if not looked or clock.monotonic() - looked > _MAILS_S:
                looked = clock.monotonic()
                mails.send()

        self._repeat("mails", once)

    def _housekeeping(self) -> None:
        last = looked = 0.0
        evaluated = None

        def once() -> None:
            nonlocal last, looked, evaluated
            minute = evaluate.due(clock.now())
            if minute != evaluated:
                evaluated = minute
                roll_up.until_now()
                evaluate.at(minute)
            if not looked or clock.monotonic() - looked > _CHECK_S:
                reclaim.for_price()
                consoles.sweep()
                looked = clock.monotonic()
            if not last or clock.monotonic() - last > _DAILY_S:
                ensure_partitions(clock.now())
                drop_old(clock.now())
                idempotency.forget_old(clock.wall())
                passwords.erase_old(clock.now())
                mails.forget_old(clock.now())
                last = clock.monotonic()  # not before: what fails is done again at the next tick

        self._repeat("chores", once)

    def _repeat(self, lock: str, once: Callable[[], None]) -> None:
        while not self._stop.wait(_TICK_S):
            try:
                close_old_connections()
                with db.try_advisory_lock(lock) as ours:
                    if ours:
                        once()
            except Exception:
                log.exception("a chore failed")
                connection.close()
        connection.close()
