"""Tags as somebody asks for them, and what a tag can be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vmart.tags.errors import BadTag

KEY_MAX, VALUE_MAX = 127, 255  # characters (Tencent 651/13354)
RESERVED = ("qcloud", "tencent", "project")  # how no key begins
_ALLOWED = re.compile(r"[\w +\-=.:/@]+")  # letters and digits of any language, and these signs


@dataclass(frozen=True, slots=True)
class Tag:
    """A key with its value, told apart by case."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class TagsOf:
    """Tags of all things of a kind that a request makes (``resource_type``: ``instance``, ``volume`` and others)."""

    resource_type: str
    tags: tuple[Tag, ...] = ()


def refuse_bad(tags: Sequence[Tag], path: str = "tags") -> None:
    """Raise BadTag, at its path below ``path``, for the first that no thing can have, or whose key stands twice."""
    seen: set[str] = set()
    for number, tag in enumerate(tags):
        here = f"{path}.{number}"
        _refuse_key(tag.key, f"{here}.key")
        _refuse_value(tag.value, f"{here}.value")
        if tag.key in seen:
            raise BadTag(
                "The tag key {key} is named twice.",
                field=f"{here}.key", code="InvalidParameterValue.TagKeyDuplicate", key=tag.key,
            )  # fmt: skip
        seen.add(tag.key)


def _refuse_key(key: str, path: str) -> None:
    if not key:
        raise BadTag("A tag needs a key.", field=path, code="InvalidParameterValue.TagKeyEmpty")
    if len(key) > KEY_MAX:
        raise BadTag(
            "A tag key has at most {most} characters.",
            field=path, code="InvalidParameterValue.TagKeyLengthExceeded", most=KEY_MAX,
        )  # fmt: skip
    if not _ALLOWED.fullmatch(key):
        raise BadTag(
            "A tag key has letters, digits, spaces and + - = . _ : / @ only.",
            field=path, code="InvalidParameterValue.TagKeyCharacterIllegal",
        )  # fmt: skip
    if key.lower().startswith(RESERVED):
        raise BadTag(
            "No tag key begins with {reserved}.",
            field=path, code="InvalidParameterValue.ReservedTagKey", reserved=", ".join(RESERVED),
        )  # fmt: skip


def _refuse_value(value: str, path: str) -> None:
    if not value:
        raise BadTag("A tag needs a value.", field=path, code="InvalidParameterValue.TagValueEmpty")
    if len(value) > VALUE_MAX:
        raise BadTag(
            "A tag value has at most {most} characters.",
            field=path, code="InvalidParameterValue.TagValueLengthExceeded", most=VALUE_MAX,
        )  # fmt: skip
    if not _ALLOWED.fullmatch(value):
        raise BadTag(
            "A tag value has letters, digits, spaces and + - = . _ : / @ only.",
            field=path, code="InvalidParameterValue.TagValueCharacterIllegal",
        )  # fmt: skip
