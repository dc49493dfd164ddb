"""tag: DescribeResourceTagsByResourceIds. Nothing here has tags yet; programs ask for them all the time."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.declarations import INT32_MAX, Code, Empty, Shape
from vmart.api.registry import TAG, Action, Call, Resource

_Word = Annotated[str, Field(max_length=60)]


class DescribeResourceTagsByResourceIds(Shape):
    """Tags of resources of one kind: ``cvm`` and ``instance``, by id."""

    service_type: _Word
    resource_prefix: _Word
    resource_ids: Annotated[
        list[Annotated[str, Field(max_length=256)]], Field(max_length=50), Code("LimitExceeded.ResourceNumPerRequest")
    ]
    resource_region: _Word
    offset: Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.OffsetInvalid")] = 0
    limit: Annotated[int, Field(ge=1, le=100), Code("InvalidParameterValue")] = 15
    category: _Word = ""


class DescribeResourceTagsByResourceIdsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    Offset: int
    Limit: int
    Tags: Empty


def describe_resource_tags_by_resource_ids(
    _call: Call, asked: DescribeResourceTagsByResourceIds
) -> DescribeResourceTagsByResourceIdsAnswer:
    """None, whatever is asked for."""
    return {"TotalCount": 0, "Offset": asked.offset, "Limit": asked.limit, "Tags": []}


ACTIONS = (
    Action(
        "DescribeResourceTagsByResourceIds",
        DescribeResourceTagsByResourceIds,
        DescribeResourceTagsByResourceIdsAnswer,
        describe_resource_tags_by_resource_ids,
        "tag",
        TAG,
        writes=False,
        touches={Resource.ANY: "resource_ids"},
    ),
)
