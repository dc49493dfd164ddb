"""tag: tags of things. Modify-, Tag-, UnTag-, Add-, Update-, DeleteResource…; DescribeResourceTagsByResourceIds."""

from hashlib import md5
from typing import Annotated, NotRequired, TypedDict

from pydantic import Field

from vmart.api.actions.tag import names
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, Empty, Shape
from vmart.api.registry import TAG, Action, Call, Resource
from vmart.kernel.errors import MissingParameter
from vmart.listings import tags
from vmart.tags import modify, reads
from vmart.tags.things import KINDS, Thing
from vmart.tags.wanted import Tag as Wanted

_Word = Annotated[str, Field(max_length=60)]
Name = Annotated[str, Field(max_length=256), Code("InvalidParameterValue.ResourceDescriptionError")]
# Lengths and characters are checked by the act, each with its own documented code.
Key = Annotated[str, Field(max_length=1000), Code("InvalidParameterValue.TagKeyLengthExceeded")]
Value = Annotated[str, Field(max_length=1000), Code("InvalidParameterValue.TagValueLengthExceeded")]
_NAMES_MAX = 10
Names = Annotated[
    list[Name], Field(max_length=_NAMES_MAX), Code("LimitExceeded.ResourceNumPerRequest"), Domain("things")
]
Category = Annotated[str, Field(pattern=r"^(All|Custom|System)?\z"), Code("InvalidParameterValue")]
SYSTEM, CUSTOM = "System", "Custom"


class Tag(Shape):
    """A tag to be given. Those that customers make are of the category Custom."""

    tag_key: Annotated[Key, Domain("tags.*.key")]
    tag_value: Annotated[Value, Domain("tags.*.value")]
    category: Annotated[str, Field(pattern=r"^(Custom)?\z"), Code("InvalidParameterValue"), Domain()] = ""


class TagKeyObject(Shape):
    """The key of a tag to be taken away."""

    tag_key: Annotated[Key, Domain()]


class ModifyResourceTags(Shape):
    """Tags that one thing is given, in the place of those of the same keys, and keys that are taken away."""

    resource: Annotated[Name, Domain("things")]
    replace_tags: Annotated[
        list[Tag], Field(max_length=100), Code("LimitExceeded.TagNumPerRequest"), Domain("tags")
    ] = []
    delete_tags: Annotated[
        list[TagKeyObject], Field(max_length=100), Code("LimitExceeded.TagNumPerRequest"), Domain("without")
    ] = []


class TagResources(Shape):
    """The same tags for several things, all or none."""

    resource_list: Names
    tags: Annotated[list[Tag], Field(max_length=100), Code("LimitExceeded.TagNumPerRequest")]


class UnTagResources(Shape):
    """The same keys taken away from several things, all or none."""

    resource_list: Names
    tag_keys: Annotated[list[Key], Field(max_length=100), Code("LimitExceeded.TagNumPerRequest"), Domain("without")]


class AddResourceTag(Shape):
    """A tag for a thing that has none of this key."""

    tag_key: Annotated[Key, Domain("tags", "tags.*.key")]
    tag_value: Annotated[Value, Domain("tags.*.value")]
    resource: Annotated[Name, Domain("things")]


class UpdateResourceTagValue(AddResourceTag):
    """Another value for a tag that a thing has."""


class DeleteResourceTag(Shape):
    """The key of a tag that is taken away from a thing."""

    tag_key: Annotated[Key, Domain("without")]
    resource: Annotated[Name, Domain("things")]


class DescribeResourceTagsByResourceIds(Shape):
    """Tags of things of one kind: ``cvm`` and ``instance``, by id; ids are of the whole shop."""

    service_type: _Word
    resource_prefix: _Word
    resource_ids: Annotated[
        list[Annotated[str, Field(max_length=256)]], Field(max_length=50), Code("LimitExceeded.ResourceNumPerRequest")
    ]
    resource_region: _Word
    offset: Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.OffsetInvalid")] = 0
    limit: Annotated[int, Field(ge=1, le=100), Code("InvalidParameterValue")] = 15
    category: Category = ""


class TagFilter(Shape):
    """A key, and values any of which it may have."""

    tag_key: Key
    tag_value: Annotated[list[Value], Field(max_length=10), Code("InvalidParameterValue.TagFiltersLengthExceeded")] = []


class GetResources(Shape):
    """Things with their tags, by name or by filters, a page at a time."""

    resource_list: Names = []
    tag_filters: Annotated[list[TagFilter], Field(max_length=6), Code("InvalidParameterValue.TagFilters")] = []
    pagination_token: Annotated[str, Field(max_length=60), Code("InvalidParameter.PaginationTokenInvalid")] = ""
    max_results: Annotated[int, Field(ge=1, le=200), Code("InvalidParameterValue")] = 50


class TagResourceAnswer(TypedDict):
    """A tag and whose it is."""

    TagKey: str
    TagValue: str
    ResourceId: str
    TagKeyMd5: str
    TagValueMd5: str
    ServiceType: str
    Category: str


class DescribeResourceTagsByResourceIdsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    Offset: int
    Limit: int
    Tags: list[TagResourceAnswer]


class TagAnswer(TypedDict):
    """A tag."""

    TagKey: str
    TagValue: str
    Category: NotRequired[str]


class TaggedAnswer(TypedDict):
    """All or none were done: none failed."""

    FailedResources: Empty


class ResourceTagMappingAnswer(TypedDict):
    """A thing and its tags."""

    Resource: str
    Tags: list[TagAnswer]


class GetResourcesAnswer(TypedDict):
    """A page of them, and the token of the next one; "" on the last."""

    PaginationToken: str
    ResourceTagMappingList: list[ResourceTagMappingAnswer]


def modify_resource_tags(call: Call, asked: ModifyResourceTags) -> Done:
    """Done at once."""
    things = names.things(call.account_id, [asked.resource])
    modify.modify(call.actor, things, _wanted(asked.replace_tags), [each.tag_key for each in asked.delete_tags])
    return {}


def tag_resources(call: Call, asked: TagResources) -> TaggedAnswer:
    """All or none."""
    modify.modify(call.actor, _named(call, asked.resource_list), _wanted(asked.tags))
    return {"FailedResources": []}


def un_tag_resources(call: Call, asked: UnTagResources) -> TaggedAnswer:
    """All or none; a key that a thing does not have is taken away already."""
    modify.modify(call.actor, _named(call, asked.resource_list), [], asked.tag_keys)
    return {"FailedResources": []}


def add_resource_tag(call: Call, asked: AddResourceTag) -> Done:
    """As published, a key that the thing has is refused."""
    things = names.things(call.account_id, [asked.resource])
    modify.modify(call.actor, things, [Wanted(asked.tag_key, asked.tag_value)], new=True)
    return {}


def update_resource_tag_value(call: Call, asked: UpdateResourceTagValue) -> Done:
    """As published, a key that the thing does not have is refused."""
    things = names.things(call.account_id, [asked.resource])
    modify.modify(call.actor, things, [Wanted(asked.tag_key, asked.tag_value)], new=False)
    return {}


def delete_resource_tag(call: Call, asked: DeleteResourceTag) -> Done:
    """As published, a key that the thing does not have is refused."""
    modify.modify(call.actor, names.things(call.account_id, [asked.resource]), [], [asked.tag_key], new=False)
    return {}


def describe_resource_tags_by_resource_ids(
    call: Call, asked: DescribeResourceTagsByResourceIds
) -> DescribeResourceTagsByResourceIdsAnswer:
    """Tags of the things in the order of their ids and keys; what is not the account's has none."""
    found = _of_kind(call, asked)
    page = found[asked.offset : asked.offset + asked.limit]
    return {"TotalCount": len(found), "Offset": asked.offset, "Limit": asked.limit, "Tags": page}


def get_resources(call: Call, asked: GetResources) -> GetResourcesAnswer:
    """By name those named that are here, whatever MaxResults says; else those that have tags."""
    named = names.things_here(call.account_id, asked.resource_list)
    if asked.resource_list and not named:
        return {"PaginationToken": "", "ResourceTagMappingList": []}
    conditions = [reads.Condition([each.tag_key], each.tag_value or None) for each in asked.tag_filters]
    found, token = tags.things(
        call.account_id, conditions, named=named, after=asked.pagination_token, limit=asked.max_results
    )
    return {
        "PaginationToken": token,
        "ResourceTagMappingList": [
            {"Resource": names.name_of(call.account_id, one), "Tags": [_told(*tag) for tag in held.items()]}
            for one, held in found
        ],
    }


def _named(call: Call, resources: list[str]) -> list[Thing]:
    if not resources:
        raise MissingParameter("ResourceList names no resource.", field="things")
    return names.things(call.account_id, resources)


def _wanted(asked: list[Tag]) -> list[Wanted]:
    return [Wanted(each.tag_key, each.tag_value) for each in asked]


def _of_kind(call: Call, asked: DescribeResourceTagsByResourceIds) -> list[TagResourceAnswer]:
    kind = KINDS.get(asked.resource_prefix)
    if kind is None or kind.service != asked.service_type or asked.category == SYSTEM:
        return []  # a kind of thing that is not here, or tags of the provider's own, of which there are none
    things = [Thing(asked.resource_prefix, public_id) for public_id in sorted(set(asked.resource_ids))]
    return [
        _of_resource(thing, kind.service, key, value)
        for thing, held in reads.of_things(call.account_id, things).items()
        for key, value in held.items()
    ]


def _of_resource(thing: Thing, service: str, key: str, value: str) -> TagResourceAnswer:
    return {
        "TagKey": key,
        "TagValue": value,
        "ResourceId": thing.public_id,
        "TagKeyMd5": _md5(key),
        "TagValueMd5": _md5(value),
        "ServiceType": service,
        "Category": CUSTOM,
    }


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _told(key: str, value: str) -> TagAnswer:
    return {"TagKey": key, "TagValue": value, "Category": CUSTOM}


_ONE = {Resource.ANY: "resource"}
_SEVERAL = {Resource.ANY: "resource_list"}
ACTIONS = (
    Action("ModifyResourceTags", ModifyResourceTags, Done, modify_resource_tags, "tag", TAG, writes=True, touches=_ONE),
    Action("TagResources", TagResources, TaggedAnswer, tag_resources, "tag", TAG, writes=True, touches=_SEVERAL),
    Action("UnTagResources", UnTagResources, TaggedAnswer, un_tag_resources, "tag", TAG, writes=True, touches=_SEVERAL),
    Action("AddResourceTag", AddResourceTag, Done, add_resource_tag, "tag", TAG, writes=True, touches=_ONE),
    Action(
        "UpdateResourceTagValue",
        UpdateResourceTagValue,
        Done,
        update_resource_tag_value,
        "tag",
        TAG,
        writes=True,
        touches=_ONE,
    ),
    Action("DeleteResourceTag", DeleteResourceTag, Done, delete_resource_tag, "tag", TAG, writes=True, touches=_ONE),
    Action("GetResources", GetResources, GetResourcesAnswer, get_resources, "tag", TAG, writes=False, touches=_SEVERAL),
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
