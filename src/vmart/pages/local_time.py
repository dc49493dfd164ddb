"""Instants as people read and type them: in the zone that the reader chose, else in the shop's billing zone."""

import datetime as dt
import zoneinfo
from contextvars import ContextVar

from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop

_MAX = 40  # characters
WRONG = _("Enter a date and a time, as 2026-03-11T18:30.")  # what is said of what is none
_chosen: ContextVar[zoneinfo.ZoneInfo | None] = ContextVar("the reader's zone", default=None)


def use(name: str) -> None:
    """From now on in this request times are those of the zone; "", and one that is none, are the shop's."""
    try:
        _chosen.set(zoneinfo.ZoneInfo(name) if name else None)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        _chosen.set(None)


def zone() -> zoneinfo.ZoneInfo:
    """The zone in which times are shown and read."""
    return _chosen.get() or shop.snapshot().billing_zone


def read(typed: str) -> dt.datetime | None:
    """``2026-03-11T18:30`` of that zone, in UTC; None for what is none. One that comes twice is the first."""
    try:
        local = dt.datetime.fromisoformat(typed[:_MAX].strip()).replace(microsecond=0)
        return (local if local.tzinfo else local.replace(tzinfo=zone())).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def text(at: dt.datetime) -> str:
    """What ``read`` reads as this instant."""
    local = at.astimezone(zone()).replace(tzinfo=None)
    return local.isoformat(timespec="seconds").removesuffix(":00")
