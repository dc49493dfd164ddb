"""Once a minute: how every rule stands at every machine of its own, in one statement for all."""

import datetime as dt

from vmart.kernel import db
from vmart.monitoring.sample import minute_of

# Of a minute, for the engines' answers: one that comes later is of no alarm. An engine is asked for its list (its limit
# is 30 s), and for counters, metrics and each fifth time the full list (20 s each): 90 s, where each takes all it may.
_AFTER = dt.timedelta(seconds=95)


def due(now: dt.datetime) -> dt.datetime:
    """The minute whose values are kept by now."""
    return minute_of(now - _AFTER)


def at(minute: dt.datetime) -> int:
    """States and, where an alarm begins or ends, notices by the values up to this minute; how many notices.

    Again does nothing: the states are those already.
    """
    return int(db.call("monitoring_evaluate", minute))
