"""Tags as the service cvm has them said (TagSpecification): what they can be. ``fn.orders_tag`` writes a purchase's."""

from collections.abc import Sequence

from vmart.kernel.errors import InvalidValue
from vmart.tags import new
from vmart.tags.errors import BadTag
from vmart.tags.things import INSTANCE, VOLUME
from vmart.tags.wanted import Tag, TagsOf

TAGGED = (INSTANCE, VOLUME)  # the machines, and all of their disks
# What the service cvm calls it (API 3.0, RunInstances); every other fault of a key or value has one code each.
_CODES = {
    "InvalidParameterValue.TagKeyDuplicate": "InvalidParameterValue.DuplicateTags",
    "InvalidParameterValue.ReservedTagKey": "FailedOperation.TagKeyReserved",
}


def check(specification: Sequence[TagsOf], kinds: Sequence[str] = TAGGED) -> None:
    """Raise InvalidValue, BadTag or TooManyTags for what no thing of these kinds can be made with."""
    seen: set[str] = set()
    for number, one in enumerate(specification):
        path = f"tag_specification.{number}"
        if one.resource_type not in kinds or one.resource_type in seen:
            raise InvalidValue(
                "A request tags what it makes, {kinds}, each once; {kind} it does not.",
                field=f"{path}.resource_type", kinds=", ".join(kinds), kind=one.resource_type[:40],
            )  # fmt: skip
        seen.add(one.resource_type)
        _check(one, f"{path}.tags")


def of_kind(specification: Sequence[TagsOf], kind: str) -> tuple[Tag, ...]:
    """The tags of a new thing of the one kind that can be named. Raises as ``check``."""
    check(specification, (kind,))
    return tuple(tag for one in specification for tag in one.tags)


def _check(one: TagsOf, path: str) -> None:
    try:
        new.check(one.tags, path)
    except BadTag as refused:
        illegal = "Key" if str(refused.field).endswith(".key") else "Value"
        refused.code = _CODES.get(refused.code, f"FailedOperation.IllegalTag{illegal}")  # type: ignore[misc]
        raise
