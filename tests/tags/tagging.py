"""Things of a test's customer that can have tags, and what they have."""

import datetime as dt

from vmart.kernel import public_ids
from vmart.tags import reads
from vmart.tags.models import Tag as Row
from vmart.tags.things import SECURITY_GROUP, Thing
from vmart.tags.wanted import Tag


def group(account_id: int) -> Thing:
    """The account's security group: it is there from the beginning."""
    return Thing(SECURITY_GROUP, public_ids.of("sg", account_id))


def tags(**told: str) -> list[Tag]:
    """A tag for each."""
    return [Tag(key, value) for key, value in told.items()]


def now(account_id: int, thing: Thing) -> dict[str, str]:
    """What it has."""
    return reads.of_things(account_id, [thing])[thing]


def rows(thing: Thing) -> list[tuple[str, str, dt.datetime, dt.datetime | None]]:
    """All that it ever had: key, value, from, to."""
    found = Row.objects.filter(kind=thing.kind, resource_id=thing.public_id).order_by("key", "from_at")
    return list(found.values_list("key", "value", "from_at", "to_at"))


def at(thing: Thing, instant: dt.datetime) -> dict[str, str]:
    """What it had at this instant."""
    return {key: value for key, value, from_at, to_at in rows(thing) if from_at <= instant < (to_at or MAX)}


MAX = dt.datetime.max.replace(tzinfo=dt.UTC)
