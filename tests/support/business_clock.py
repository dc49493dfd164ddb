"""A business clock that stands still and moves when the test says so."""

import datetime as dt

from vmart.kernel import clock

START = dt.datetime(2026, 3, 10, 2, 0, 0, tzinfo=dt.UTC)  # 10:00 in Shanghai, inside a month, on the hour


class BusinessClock:
    """What ``vmart.kernel.clock.now()`` answers in this process while the fixture lives."""

    def __init__(self, at: dt.datetime = START) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at

    def set(self, at: dt.datetime) -> dt.datetime:
        """Jump to ``at`` (aware; kept in UTC, whole seconds) and return it."""
        self.at = at.astimezone(dt.UTC).replace(microsecond=0)
        return self.at

    def advance(self, delta: dt.timedelta | None = None, **units: float) -> dt.datetime:
        """``advance(hours=2)`` or ``advance(timedelta(…))``: move on and return the new time."""
        return self.set(self.at + (delta or dt.timedelta()) + dt.timedelta(**units))

    def install(self) -> None:
        clock.install(self)
