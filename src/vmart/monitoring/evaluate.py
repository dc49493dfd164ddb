"""Once a minute: how every rule stands at every machine of its own, in one statement for all."""

import datetime as dt

from vmart.kernel import db
from vmart.monitoring.sample import minute_of

_AFTER = dt.timedelta(seconds=30)  # of a minute, for the engines' answers: one that comes later is of no alarm


def due(now: dt.datetime) -> dt.datetime:
    """The minute whose values are kept by now."""
    return minute_of(now - _AFTER)


def at(minute: dt.datetime) -> int:
    """States and, where an alarm begins or ends, notices by the values up to this minute; how many notices.

    Again does nothing: the states are those already.
    """
    return int(db.call("monitoring_evaluate", minute))
