"""tag: keys and values of an account, those that nothing has yet too.

DescribeTags, DescribeTagKeys, DescribeTagValues, GetTags, CreateTag, DeleteTag.
"""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.tag.resources import CUSTOM, SYSTEM, Category, Key, TagAnswer, Value
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, NotOffered, Shape, not_offered
from vmart.api.registry import TAG, Action, Call
from vmart.listings import tags
from vmart.listings.tags import WantedTags
from vmart.tags import keep
from vmart.tags.wanted import Tag

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


class GetTags(Shape):
    """Keys with their values, of several keys or of all, a page at a time by token."""

    pagination_token: Annotated[str, Field(pattern=r"^[0-9]{0,9}\z"), Code("InvalidParameterValue")] = ""
    max_results: Annotated[int, Field(ge=1, le=1000), Code("InvalidParameterValue")] = 50
    tag_keys: _Keys = []
    category: Category = ""


class CreateTag(Shape):
    """A tag that is kept though nothing has it."""

    tag_key: Annotated[Key, Domain("tags.*.key")]
    tag_value: Annotated[Value, Domain("tags.*.value")]


class DeleteTag(CreateTag):
    """One that nothing has any more."""


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
    """A tag; one that nothing has, and that is kept, can be deleted."""

    TagKey: str
    TagValue: str
    CanDelete: int
    Category: str


class GetTagsAnswer(TypedDict):
    """A page of them, and the token of the next; "" behind the last."""

    PaginationToken: str
    Tags: list[TagAnswer]


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
            {"TagKey": one.key, "TagValue": one.value, "CanDelete": int(one.things == 0), "Category": CUSTOM}
            for one in found
        ],
    }  # fmt: skip


def get_tags(call: Call, asked: GetTags) -> GetTagsAnswer:
    """In the order of keys and values."""
    offset = int(asked.pagination_token or 0)
    wanted = WantedTags(keys=[] if asked.category == SYSTEM else asked.tag_keys or None)
    total, found = tags.pairs(call.account_id, wanted, offset=offset, limit=asked.max_results)
    after = offset + len(found)
    return {
        "PaginationToken": str(after) if found and after < total else "",
        "Tags": [{"TagKey": one.key, "TagValue": one.value, "Category": CUSTOM} for one in found],
    }


def create_tag(call: Call, asked: CreateTag) -> Done:
    """Refused where it is there already, kept or on a thing."""
    keep.keep(call.actor, Tag(asked.tag_key, asked.tag_value))
    return {}


def delete_tag(call: Call, asked: DeleteTag) -> Done:
    """Refused while a thing has it."""
    keep.forget(call.actor, Tag(asked.tag_key, asked.tag_value))
    return {}


ACTIONS = (
    Action("GetTags", GetTags, GetTagsAnswer, get_tags, "tag", TAG, writes=False),
    Action("CreateTag", CreateTag, Done, create_tag, "tag", TAG, writes=True),
    Action("DeleteTag", DeleteTag, Done, delete_tag, "tag", TAG, writes=True),
    Action("DescribeTagKeys", DescribeTagKeys, DescribeTagKeysAnswer, describe_tag_keys, "tag", TAG, writes=False),
    Action(
        "DescribeTagValues", DescribeTagValues, DescribeTagValuesAnswer, describe_tag_values, "tag", TAG, writes=False
    ),
    Action("DescribeTags", DescribeTags, DescribeTagsAnswer, describe_tags, "tag", TAG, writes=False),
)
