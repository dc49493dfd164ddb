"""Security groups to choose from, each a box to tick: of a purchase, and of a machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from vmart.listings.views import SecurityGroupView


@dataclass(frozen=True, slots=True)
class Box:
    """A group that may be ticked; one that is not there any more has its id as its name."""

    public_id: str
    name: str
    is_default: bool
    is_ticked: bool


def boxes(groups: Sequence[SecurityGroupView], chosen: Sequence[str]) -> list[Box]:
    """In the order of the list, so that none moves under the hand; in the chosen order where that is another.

    Ticked boxes are sent in their order, in which the groups decide. None chosen is the default group.
    """
    known = {group.public_id: group for group in groups}
    ticked = list(chosen) or [group.public_id for group in groups if group.is_default]
    listed = list(known)
    if [public_id for public_id in listed if public_id in ticked] != ticked:
        listed = [*dict.fromkeys(ticked), *(public_id for public_id in known if public_id not in ticked)]
    return [_box(public_id, known.get(public_id), public_id in ticked) for public_id in listed]


def _box(public_id: str, group: SecurityGroupView | None, is_ticked: bool) -> Box:
    if group is None:
        return Box(public_id, public_id, is_default=False, is_ticked=is_ticked)
    return Box(public_id, group.name, group.is_default, is_ticked)
