"""Minutes of a shop's worker, one after the other."""

import datetime as dt

from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE
from vmart.monitoring import evaluate, roll_up, sample

MINUTE = dt.timedelta(minutes=1)


def walk(test_clock: BusinessClock, minutes: int) -> None:
    """Sample at each minute from now on, and roll up and evaluate behind it; the clock stands a minute further then."""
    for _ in range(minutes):
        sample.zone(ZONE)
        evaluate.at(sample.minute_of(test_clock.at))
        test_clock.advance(MINUTE)
        roll_up.until_now()
