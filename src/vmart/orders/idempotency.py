"""How long answers to client tokens are kept."""

import datetime as dt

from vmart.orders.models import Idempotency

KEPT = dt.timedelta(hours=48)  # the field promises 24


def forget_old(wall: dt.datetime) -> int:
    """Delete answers older than KEPT of wall time; their number."""
    return Idempotency.objects.filter(created_wall_at__lt=wall - KEPT).delete()[0]
