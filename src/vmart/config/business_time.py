"""Where a process reads business time from: the wall clock, or the row on which a test clock stands."""

import datetime as dt
import threading
import time

from vmart.kernel import clock

_HELD_S = 0.05  # a process may be that late in noticing that the clock was moved


class StandingClock:
    """Reads the deployment's row; one query at most every ``_HELD_S`` for a thread."""

    def __init__(self) -> None:
        self._local = threading.local()

    def __call__(self) -> dt.datetime:
        held: tuple[float, dt.datetime] | None = getattr(self._local, "held", None)
        if held is None or held[0] < time.monotonic():
            from vmart.kernel.models import Deployment

            at = Deployment.objects.values_list("test_clock_at", flat=True).get()
            assert at is not None, "a test clock never becomes a wall clock"
            held = (time.monotonic() + _HELD_S, at)
            self._local.held = held
        return held[1]

    def forget(self) -> None:
        """Read anew at the next call of this thread: the clock was just moved here."""
        self._local.held = None


def install() -> None:
    """Install the clock that the deployment runs on, as its row says. Needs a migrated database."""
    from vmart.kernel.models import Deployment

    standing = Deployment.objects.filter(test_clock_at__isnull=False).exists()
    clock.install(StandingClock() if standing else None)
