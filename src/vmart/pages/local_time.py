"""Instants as people type them: the date and time of the shop's billing zone, as a browser's own field writes it."""

import datetime as dt

from django.utils.translation import gettext_lazy as _

from vmart.catalog import shop

_MAX = 40  # characters
WRONG = _("Enter a date and a time, as 2026-03-11T18:30.")  # what is said of what is none


def read(typed: str) -> dt.datetime | None:
    """``2026-03-11T18:30`` of the billing zone, in UTC; None for what is none. One that comes twice is the first."""
    try:
        local = dt.datetime.fromisoformat(typed[:_MAX].strip()).replace(microsecond=0)
        return (local if local.tzinfo else local.replace(tzinfo=shop.snapshot().billing_zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def text(at: dt.datetime) -> str:
    """What ``read`` reads as this instant."""
    local = at.astimezone(shop.snapshot().billing_zone).replace(tzinfo=None)
    return local.isoformat(timespec="seconds").removesuffix(":00")
