"""Refusals about alarms."""

from vmart.kernel.errors import LimitExceeded, NotFound


class TooManyAlarms(LimitExceeded):
    code = "LimitExceeded"


class UnknownAlarm(NotFound):
    """Also said of another account's."""
