"""What happened to a machine, or to an account, as its owner reads it."""

from vmart.events.models import Event
from vmart.instances.models import Instance


def kinds_of(machine: Instance) -> list[str]:
    """Kinds of the machine's events, in order."""
    told = Event.objects.filter(subject_kind="machine", subject_id=machine.id).order_by("id")
    return list(told.values_list("kind", flat=True))


def told(account: int, subject_kind: str) -> list[tuple[str, dict[str, object]]]:
    """(kind, detail) of what is told of the account's things of this kind, in order."""
    found = Event.objects.filter(account_id=account, subject_kind=subject_kind).order_by("id")
    return list(found.values_list("kind", "detail"))
