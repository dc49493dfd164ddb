"""Tags in requests for things and in answers of them: cvm, cbs and vpc say them alike."""

from collections.abc import Sequence
from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.declarations import Code, Shape
from vmart.tags.wanted import Tag as Wanted
from vmart.tags.wanted import TagsOf


class Tag(Shape):
    """A tag; lengths and characters are checked by the act."""

    key: Annotated[str, Field(max_length=1000), Code("FailedOperation.IllegalTagKey")]
    value: Annotated[str, Field(max_length=1000), Code("FailedOperation.IllegalTagValue")]


class TagSpecification(Shape):
    """Tags of the things of a kind that the request makes, as the service cvm has them said."""

    resource_type: Annotated[str, Field(max_length=60)]
    tags: Annotated[list[Tag], Field(max_length=100), Code("LimitExceeded.TagResourceQuota")]


Tags = Annotated[list[Tag], Field(max_length=100), Code("LimitExceeded.TagResourceQuota")]
TagSpecifications = Annotated[list[TagSpecification], Field(max_length=10)]


class TagAnswer(TypedDict):
    """A tag."""

    Key: str
    Value: str


def wanted(tags: Sequence[Tag]) -> tuple[Wanted, ...]:
    """As the act takes them."""
    return tuple(Wanted(tag.key, tag.value) for tag in tags)


def specified(specification: Sequence[TagSpecification]) -> tuple[TagsOf, ...]:
    """As the act takes them."""
    return tuple(TagsOf(one.resource_type, wanted(one.tags)) for one in specification)


def told(tags: Sequence[Wanted]) -> list[TagAnswer]:
    """In the order of their keys."""
    return [{"Key": tag.key, "Value": tag.value} for tag in tags]
