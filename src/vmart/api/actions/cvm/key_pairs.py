"""cvm: SSH key pairs. Create-, Import-, Describe-, DeleteKeyPair(s); Associate-, DisassociateInstancesKeyPairs."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.instances import InstanceIds, Project
from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, TagSpecifications, specified, told
from vmart.api.declarations import Code, Domain, Done, Filters, Limit, Offset, Shape
from vmart.api.registry import RUN_PER_S, Action, Call, Resource
from vmart.api.words import utc_text
from vmart.instances import key_pairs
from vmart.listings import keys
from vmart.listings.views import KeyPairView
from vmart.orders import bind_keys, forget_keys, tagging
from vmart.tags import new
from vmart.tags.things import KEY_PAIR

# Length and letters are checked by the act, each with its own documented code.
KeyName = Annotated[str, Field(max_length=256), Code("InvalidKeyPairNameTooLong")]
KeyIds = Annotated[
    list[Annotated[str, Field(max_length=60)]], Field(max_length=100), Code("InvalidKeyPair.LimitExceeded")
]
BoundKeyIds = Annotated[
    list[Annotated[str, Field(max_length=60)]], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded")
]


class CreateKeyPair(Shape):
    """A new pair; its private key is in the answer and nowhere else."""

    key_name: KeyName
    project_id: Project
    tag_specification: TagSpecifications = []


class ImportKeyPair(Shape):
    """A public key in OpenSSH form."""

    key_name: KeyName
    project_id: Project
    public_key: Annotated[str, Field(max_length=16 * 1024), Code("InvalidPublicKey.Malformed")]
    tag_specification: TagSpecifications = []


class DescribeKeyPairs(Shape):
    """By ids or filters, a page at a time."""

    key_ids: KeyIds = []
    filters: Filters = []
    offset: Offset = 0
    limit: Limit = 20


class DeleteKeyPairs(Shape):
    """Pairs by id, all or none."""

    key_ids: KeyIds


class AssociateInstancesKeyPairs(Shape):
    """These pairs in the place of those of before, all or none; a running machine needs ForceStop, and stays on."""

    instance_ids: InstanceIds
    key_ids: BoundKeyIds
    force_stop: Annotated[bool, Domain("while_running")] = False


class DisassociateInstancesKeyPairs(AssociateInstancesKeyPairs):
    """These pairs open the machines no more, all or none."""


class KeyPairAnswer(TypedDict):
    """One pair."""

    KeyId: str
    KeyName: str
    ProjectId: int
    Description: str
    PublicKey: str
    AssociatedInstanceIds: list[str]
    CreatedTime: str
    Tags: list[TagAnswer]


class NewKeyPairAnswer(KeyPairAnswer):
    """The one answer that has its private key."""

    PrivateKey: str


class CreateKeyPairAnswer(TypedDict):
    """The new pair."""

    KeyPair: NewKeyPairAnswer


class ImportKeyPairAnswer(TypedDict):
    """The new pair."""

    KeyId: str


class DescribeKeyPairsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    KeyPairSet: list[KeyPairAnswer]


def key_pair(view: KeyPairView) -> KeyPairAnswer:
    """One pair."""
    return {
        "KeyId": view.public_id,
        "KeyName": view.name,
        "ProjectId": 0,
        "Description": "",
        "PublicKey": view.public_key,
        "AssociatedInstanceIds": list(view.instance_ids),
        "CreatedTime": utc_text(view.created_at),
        "Tags": told(view.tags),
    }


def create_key_pair(call: Call, asked: CreateKeyPair) -> CreateKeyPairAnswer:
    """A new pair, its private key told this once."""
    tags = tagging.of_kind(specified(asked.tag_specification), KEY_PAIR)
    with new.tagging(call.actor, KEY_PAIR, tags) as tag:
        pair, private_key = key_pairs.create(call.actor, asked.key_name)
        tag(pair.public_id)
    view = KeyPairView(pair.public_id, pair.name, pair.public_key, (), pair.created_at, tags)
    return {"KeyPair": {**key_pair(view), "PrivateKey": private_key}}


def import_key_pair(call: Call, asked: ImportKeyPair) -> ImportKeyPairAnswer:
    """A pair whose private key stays with the customer."""
    tags = tagging.of_kind(specified(asked.tag_specification), KEY_PAIR)
    with new.tagging(call.actor, KEY_PAIR, tags) as tag:
        pair = key_pairs.import_(call.actor, asked.key_name, asked.public_key)
        tag(pair.public_id)
    return {"KeyId": pair.public_id}


def delete_key_pairs(call: Call, asked: DeleteKeyPairs) -> Done:
    """All or none; a pair that a machine has stays."""
    forget_keys.forget(call.actor, asked.key_ids)
    return {}


def associate_instances_key_pairs(call: Call, asked: AssociateInstancesKeyPairs) -> Done:
    """Accepted; LatestOperationState says when it is done."""
    bind_keys.bind(call.actor, asked.instance_ids, asked.key_ids, while_running=asked.force_stop)
    return {}


def disassociate_instances_key_pairs(call: Call, asked: DisassociateInstancesKeyPairs) -> Done:
    """Accepted; LatestOperationState says when it is done."""
    bind_keys.unbind(call.actor, asked.instance_ids, asked.key_ids, while_running=asked.force_stop)
    return {}


def describe_key_pairs(call: Call, asked: DescribeKeyPairs) -> DescribeKeyPairsAnswer:
    """Pairs of the account, newest first. All are of project 0."""
    not_both(asked.key_ids, asked.filters, "KeyIds")
    chosen = conditions(asked.filters, ("project-id", "key-name", *TAG_FILTERS), VALUES_MAX)
    if "0" not in chosen.pop("project-id", ["0"]):
        return {"TotalCount": 0, "KeyPairSet": []}
    total, views = keys.page(
        call.account_id,
        public_ids=asked.key_ids or None,
        names=chosen.get("key-name"),
        tags=tagged(chosen),
        offset=asked.offset,
        limit=asked.limit,
    )
    return {"TotalCount": total, "KeyPairSet": [key_pair(view) for view in views]}


ACTIONS = (
    Action("CreateKeyPair", CreateKeyPair, CreateKeyPairAnswer, create_key_pair, writes=True, rate=RUN_PER_S),
    Action("ImportKeyPair", ImportKeyPair, ImportKeyPairAnswer, import_key_pair, writes=True),
    Action(
        "DescribeKeyPairs",
        DescribeKeyPairs,
        DescribeKeyPairsAnswer,
        describe_key_pairs,
        writes=False,
        touches={Resource.KEY_PAIR: "key_ids"},
    ),
    Action(
        "DeleteKeyPairs", DeleteKeyPairs, Done, delete_key_pairs, writes=True, touches={Resource.KEY_PAIR: "key_ids"}
    ),
    Action(
        "AssociateInstancesKeyPairs",
        AssociateInstancesKeyPairs,
        Done,
        associate_instances_key_pairs,
        writes=True,
        touches={Resource.MACHINE: "instance_ids", Resource.KEY_PAIR: "key_ids"},
    ),
    Action(
        "DisassociateInstancesKeyPairs",
        DisassociateInstancesKeyPairs,
        Done,
        disassociate_instances_key_pairs,
        writes=True,
        touches={Resource.MACHINE: "instance_ids", Resource.KEY_PAIR: "key_ids"},
    ),
)
