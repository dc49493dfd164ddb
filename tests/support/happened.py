"""What happened to a machine, as its owner reads it."""

from vmart.events.models import Event
from vmart.instances.models import Instance


def kinds_of(machine: Instance) -> list[str]:
    """Kinds of the machine's events, in order."""
    told = Event.objects.filter(subject_kind="machine", subject_id=machine.id).order_by("id")
    return list(told.values_list("kind", flat=True))
