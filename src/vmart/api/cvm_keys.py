"""cvm: SSH key pairs. Create-, Import-, Describe-, DeleteKeyPair(s)."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from vmart.api.declarations import Code, Filters, Limit, NotOffered, Offset, Shape
from vmart.api.registry import Members
from vmart.api.views import KeyPairView, utc_text

KeyName = Annotated[
    str, Field(min_length=1, max_length=25, pattern=r"^[A-Za-z0-9_]+\z"), Code("InvalidKeyPairNameIncludeIllegalChar")
]
Project = Annotated[int, Field(ge=0, le=0), Code("InvalidProjectId.NotFound")]
KeyIds = Annotated[
    list[Annotated[str, Field(max_length=60)]], Field(max_length=100), Code("InvalidKeyPair.LimitExceeded")
]
KEY_FILTERS = ("project-id", "key-name")


class CreateKeyPair(Shape):
    """A new pair; its private key is in the answer and nowhere else."""

    key_name: KeyName
    project_id: Project
    tag_specification: NotOffered = None


class ImportKeyPair(Shape):
    """A public key in OpenSSH form."""

    key_name: KeyName
    project_id: Project
    public_key: Annotated[str, Field(max_length=16 * 1024), Code("InvalidPublicKey.Malformed")]
    tag_specification: NotOffered = None


class DescribeKeyPairs(Shape):
    """By ids or filters, a page at a time."""

    key_ids: KeyIds = []
    filters: Filters = []
    offset: Offset = 0
    limit: Limit = 20


class DeleteKeyPairs(Shape):
    """Pairs by id, all or none."""

    key_ids: KeyIds


def key_pair(view: KeyPairView, private_key: str | None = None) -> Members:
    """One pair; ``private_key`` only in the answer that made it."""
    members: Members = {
        "KeyId": view.public_id,
        "KeyName": view.name,
        "ProjectId": 0,
        "Description": "",
        "PublicKey": view.public_key,
        "AssociatedInstanceIds": list(view.instance_ids),
        "CreatedTime": utc_text(view.created_at),
        "Tags": [],
    }
    if private_key is not None:
        members["PrivateKey"] = private_key
    return members


def key_pairs_page(total: int, views: Sequence[KeyPairView]) -> Members:
    """Answer of DescribeKeyPairs."""
    return {"TotalCount": total, "KeyPairSet": [key_pair(view) for view in views]}
