"""Tags that things of a purchase have from its commit on: what they can be. ``fn.orders_tag`` writes them."""

from collections.abc import Sequence

from vmart.kernel.errors import InvalidValue
from vmart.tags.errors import BadTag, TooManyTags
from vmart.tags.modify import TAGS_MAX
from vmart.tags.things import INSTANCE, VOLUME
from vmart.tags.wanted import TagsOf, refuse_bad

TAGGED = (INSTANCE, VOLUME)  # the machines, and all of their disks
# What the service cvm calls it (API 3.0, RunInstances); every other fault of a key or value has one code each.
_CODES = {
    "InvalidParameterValue.TagKeyDuplicate": "InvalidParameterValue.DuplicateTags",
    "InvalidParameterValue.ReservedTagKey": "FailedOperation.TagKeyReserved",
}


def check(specification: Sequence[TagsOf]) -> None:
    """Raise InvalidValue, BadTag or TooManyTags for what no machine or disk can be bought with."""
    seen: set[str] = set()
    for number, one in enumerate(specification):
        path = f"tag_specification.{number}"
        if one.resource_type not in TAGGED or one.resource_type in seen:
            raise InvalidValue(
                "A purchase tags {kinds}, each once; {kind} it does not.",
                field=f"{path}.resource_type", kinds=", ".join(TAGGED), kind=one.resource_type[:40],
            )  # fmt: skip
        seen.add(one.resource_type)
        if len(one.tags) > TAGS_MAX:
            raise TooManyTags(
                "A thing has at most {most} tags.", field=f"{path}.tags", code="LimitExceeded.TagResourceQuota",
                most=TAGS_MAX,
            )  # fmt: skip
        _refuse_bad(one, f"{path}.tags")


def _refuse_bad(one: TagsOf, path: str) -> None:
    try:
        refuse_bad(one.tags, path)
    except BadTag as refused:
        illegal = "Key" if str(refused.field).endswith(".key") else "Value"
        refused.code = _CODES.get(refused.code, f"FailedOperation.IllegalTag{illegal}")  # type: ignore[misc]
        raise
