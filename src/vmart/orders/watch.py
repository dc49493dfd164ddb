"""What happens to machines behind our back: told by the engine where it tells, seen by looking often where it does not.

One worker at a time listens to a zone, and it alone sweeps the zone. What happened while nobody listened is seen by a
sweep, once the line is open.
"""

import logging
import threading
from collections.abc import Callable

from vmart.engines.contract import EngineError
from vmart.engines.optional import TellsChanges
from vmart.kernel import clock
from vmart.orders import sweep
from vmart.provisioning.zone_engines import engine_of

log = logging.getLogger(__name__)

LOOK_S = 20.0  # between two sweeps of a zone whose engine tells nothing
SWEEP_S = 300.0  # and of one whose engine does: for what is no power-off, a lost address say
_AGAIN_S = 0.5  # before the next look at a machine that an act had in hand
_PATIENCE_S = 120.0  # then the next sweep sees it
_PAUSES_S = (1.0, 2.0, 5.0, 10.0, LOOK_S)


def tells(zone: str) -> bool:
    """Whether the zone's engine tells by itself what happens."""
    return isinstance(engine_of(zone), TellsChanges)


def follow(zone: str, ended: threading.Event) -> None:
    """Listen until ``ended``, or until the zone has an engine that tells nothing.

    Pauses grow while there is no line; sweeps still see what happens, as long as the engine answers them.
    """
    lost = 0
    while not ended.is_set():
        try:
            engine = engine_of(zone)
            if not isinstance(engine, TellsChanges):
                return
            with engine.changes() as following:
                report(zone)  # what happened while nobody listened
                lost = 0
                _listen(zone, engine, following, ended)
        except EngineError as error:
            level = logging.DEBUG if lost else logging.WARNING
            log.log(level, "the engine of %s tells nothing: %s", zone, error)
            if lost:
                _look_around(zone)
            ended.wait(_PAUSES_S[min(lost, len(_PAUSES_S) - 1)])
            lost += 1


def report(zone: str) -> None:
    """A sweep, its findings in the log."""
    for drift in sweep.sweep(zone):
        log.warning("drift in %s: %s", zone, drift)


def _look_around(zone: str) -> None:
    try:
        report(zone)
    except EngineError:
        log.debug("the engine of %s does not answer either", zone)


def _listen(zone: str, engine: object, following: Callable[[float], str | None], ended: threading.Event) -> None:
    """Until ``ended``, or until the zone has another engine: that of before would tell of nothing any more."""
    busy: dict[str, float] = {}  # machines that an act had in hand, and until when they are looked at again
    again_s = checked_s = swept_s = clock.monotonic()
    while not ended.is_set():
        name, now_s = following(_AGAIN_S), clock.monotonic()
        if name is not None:
            busy |= dict.fromkeys(sweep.look(zone, [name]), now_s + _PATIENCE_S)
        if busy and now_s - again_s >= _AGAIN_S:
            again_s, left = now_s, sweep.look(zone, busy)
            busy = {held: until_s for held, until_s in busy.items() if held in left and now_s < until_s}
        if now_s - swept_s >= SWEEP_S:
            swept_s = now_s
            report(zone)
        if now_s - checked_s >= LOOK_S:
            checked_s = now_s
            if engine_of(zone) is not engine:
                return
