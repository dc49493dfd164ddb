"""Tags in the answers of things that have them: cvm, cbs and vpc tell them alike."""

from collections.abc import Sequence
from typing import TypedDict

from vmart.tags.wanted import Tag


class TagAnswer(TypedDict):
    """A tag."""

    Key: str
    Value: str


def told(tags: Sequence[Tag]) -> list[TagAnswer]:
    """In the order of their keys."""
    return [{"Key": tag.key, "Value": tag.value} for tag in tags]
