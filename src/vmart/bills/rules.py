"""When statements close, pure (billing-rules, section 6)."""

import datetime as dt
from zoneinfo import ZoneInfo


def oldest_open_statement(now: dt.datetime, zone: ZoneInfo, closes_hour: int) -> dt.date:
    """First day of the earliest month whose statement still takes usage in, in the billing zone ``zone``.

    The statement of a month closes on the 1st of the next one, at the hour ``closes_hour``. Until then two are open.
    """
    local = now.astimezone(zone)
    this_month = local.date().replace(day=1)
    if local.day > 1 or local.hour >= closes_hour:
        return this_month
    return (this_month - dt.timedelta(days=1)).replace(day=1)
