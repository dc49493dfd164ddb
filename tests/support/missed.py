"""Time between two sweeps that miss a machine: the wall clock cannot be set, what it said can."""

from vmart.orders import sweep
from vmart.orders.models import EngineDrift


def an_interval_ago() -> None:
    """What is missing now was first missed as long ago as a second miss needs."""
    for drift in EngineDrift.objects.all():
        drift.since_wall_at -= sweep.MISSES_APART
        drift.save()
