"""Filters of Describe actions: which there are, how many values, and plain equality on lists."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from vmart.api.declarations import Filter
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.tags import reads
from vmart.tags.reads import Condition

ValueT = TypeVar("ValueT")

# One kind of thing: name of the filter -> what it looks at.
Looks = Mapping[str, Callable[[ValueT], str]]


VALUES_MAX = 5  # of one filter, where an action's documentation says no more
# Filters by tags; ``tag:<key>`` is another. Things that have no tags here know them and are never found by them.
TAG_FILTERS = ("tag-key", "tag-value")


class InvalidFilter(Refused):
    code = "InvalidFilter"


class TooManyValues(Refused):
    code = "InvalidFilterValue.LimitExceeded"


def conditions(filters: Sequence[Filter], known: Iterable[str], values_max: int) -> dict[str, list[str]]:
    """Values by filter name. Raises InvalidFilter for a name not in ``known`` or given twice, TooManyValues."""
    names = list(known)
    chosen: dict[str, list[str]] = {}
    for number, condition in enumerate(filters):
        known_here = condition.name in names or (is_tag_filter(condition.name) and "tag-key" in names)
        if not known_here or condition.name in chosen:
            raise InvalidFilter(
                "Filters cannot be {name} (or not twice); possible are {names}.",
                field=f"filters.{number}.name",
                name=condition.name[:60],
                names=", ".join(names),
            )
        if len(condition.values) > values_max:
            raise TooManyValues(
                "A filter may have {most} values here.", field=f"filters.{number}.values", most=values_max
            )
        chosen[condition.name] = condition.values
    return chosen


def is_tag_filter(name: str) -> bool:
    """``tag-key``, ``tag-value`` or ``tag:<key>``."""
    return name in TAG_FILTERS or name.startswith("tag:")


def tagged(chosen: dict[str, list[str]]) -> str | None:
    """Take out the conditions on tags: what a list's ``tags`` is; None where there is none."""
    names = [name for name in chosen if is_tag_filter(name)]
    return reads.asked([_on_tags(name, chosen.pop(name)) for name in names])


def _on_tags(name: str, values: list[str]) -> Condition:
    if name == "tag-key":
        return Condition(keys=values)
    return Condition(values=values) if name == "tag-value" else Condition([name.removeprefix("tag:")], values)


def meets(chosen: dict[str, list[str]], alike: Mapping[str, str]) -> bool:
    """Take out the conditions on what all things here have ``alike`` (told in small letters); False where one asks
    for something else."""
    asked = {name: [value.lower() for value in chosen.pop(name)] for name in alike if name in chosen}
    return all(alike[name] in values for name, values in asked.items())


def matching(things: Iterable[ValueT], chosen: Mapping[str, Sequence[str]], looks: "Looks[ValueT]") -> list[ValueT]:
    """The things that have, for every filter, one of its values."""
    return [thing for thing in things if all(looks[name](thing) in values for name, values in chosen.items())]


def not_both(ids: object, filters: object, ids_name: str) -> None:
    """Refuse ids and filters in one request, as documented for every Describe that has both."""
    if ids and filters:
        raise InvalidParameter("{ids} and Filters exclude each other.", field="filters", ids=ids_name)
