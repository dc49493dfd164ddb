"""tag: the keys and values that an account's things have. DescribeTags, DescribeTagKeys, DescribeTagValues."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.tag.resources import CUSTOM, SYSTEM, Category, Key, TagAnswer, Value
from vmart.api.declarations import INT32_MAX, Code, NotOffered, Shape, not_offered
from vmart.api.registry import TAG, Action, Call
from vmart.listings import tags
from vmart.listings.tags import WantedTags

_Offset = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.OffsetInvalid")]
_Limit = Annotated[int, Field(ge=1, le=1000), Code("InvalidParameterValue")]
_Keys = Annotated[list[Key], Field(max_length=20), Code("LimitExceeded.TagNumPerRequest")]
_NoProject = Annotated[None, not_offered("0")]


class DescribeTagKeys(Shape):
    """All keys, a page at a time."""

    create_uin: NotOffered = None
    offset: _Offset = 0
    limit: _Limit = 15
    show_project: _NoProject = None
    category: Category = ""


class DescribeTagValues(Shape):
    """The values of these keys, a page at a time."""

    tag_keys: _Keys
    create_uin: NotOffered = None
    offset: _Offset = 0
    limit: _Limit = 15
    category: Category = ""


class DescribeTags(Shape):
    """Keys with their values, those of one key, of one value or of several keys, a page at a time."""

    tag_key: Key = ""
    tag_value: Value = ""
    offset: _Offset = 0
    limit: _Limit = 15
    create_uin: NotOffered = None
    tag_keys: _Keys = []
    show_project: _NoProject = None


class DescribeTagKeysAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    Offset: int
    Limit: int
    Tags: list[str]


class DescribeTagValuesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    Offset: int
    Limit: int
    Tags: list[TagAnswer]


class TagWithDeleteAnswer(TypedDict):
    """A tag; it is gone once no thing has it any more, so nobody deletes it by itself."""

    TagKey: str
    TagValue: str
    CanDelete: int
    Category: str


class DescribeTagsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    Offset: int
    Limit: int
    Tags: list[TagWithDeleteAnswer]


def describe_tag_keys(call: Call, asked: DescribeTagKeys) -> DescribeTagKeysAnswer:
    """In the order of the keys."""
    total, found = (0, []) if asked.category == SYSTEM else tags.keys(
        call.account_id, offset=asked.offset, limit=asked.limit
    )  # fmt: skip
    return {"TotalCount": total, "Offset": asked.offset, "Limit": asked.limit, "Tags": found}


def describe_tag_values(call: Call, asked: DescribeTagValues) -> DescribeTagValuesAnswer:
    """In the order of keys and values."""
    wanted = WantedTags(keys=[] if asked.category == SYSTEM else asked.tag_keys)
    total, found = tags.pairs(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {
        "TotalCount": total,
        "Offset": asked.offset,
        "Limit": asked.limit,
        "Tags": [{"TagKey": one.key, "TagValue": one.value, "Category": CUSTOM} for one in found],
    }


def describe_tags(call: Call, asked: DescribeTags) -> DescribeTagsAnswer:
    """In the order of keys and values."""
    keys = [*asked.tag_keys, *([asked.tag_key] if asked.tag_key else [])]
    wanted = WantedTags(keys=keys or None, values=[asked.tag_value] if asked.tag_value else None)
    total, found = tags.pairs(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {
        "TotalCount": total,
        "Offset": asked.offset,
        "Limit": asked.limit,
        "Tags": [
            {"TagKey": one.key, "TagValue": one.value, "CanDelete": 0, "Category": CUSTOM} for one in found
        ],
    }  # fmt: skip


ACTIONS = (
    Action("DescribeTagKeys", DescribeTagKeys, DescribeTagKeysAnswer, describe_tag_keys, "tag", TAG, writes=False),
    Action(
        "DescribeTagValues", DescribeTagValues, DescribeTagValuesAnswer, describe_tag_values, "tag", TAG, writes=False
    ),
    Action("DescribeTags", DescribeTags, DescribeTagsAnswer, describe_tags, "tag", TAG, writes=False),
)
