"""cvm: images of an account's own: made of a machine, renamed, shared and deleted; how many there may be."""

from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import BeforeValidator, Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.tagged import TagSpecifications, specified
from vmart.api.declarations import (
    Code,
    Domain,
    Done,
    FalseOnly,
    NotOffered,
    PublicId,
    Shape,
    not_offered,
)
from vmart.api.registry import Action, Call, Resource
from vmart.api.words import utc_text
from vmart.catalog import shop
from vmart.kernel.errors import InvalidParameter
from vmart.listings import images, quotas
from vmart.orders import tagging
from vmart.orders.errors import UnknownImage
from vmart.orders.images import attributes, create, delete, share
from vmart.orders.images.create import NewImage
from vmart.tags.things import IMAGE

_Image = Annotated[PublicId, Domain("images")]
# The act checks lengths and what is in them.
_Name = Annotated[str, Field(max_length=1000), Code("InvalidParameterValue"), Domain("image.name")]
_Description = Annotated[str, Field(max_length=4000), Code("InvalidParameterValue"), Domain("image.description")]
# Terraform's provider says "" with every change.
_NoFamily = Annotated[None, not_offered("")]


def _small(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class CreateImage(Shape):
    """Of what is on a machine's system disk, or in a snapshot of one. ForcePoweroff: the machine is off meanwhile."""

    image_name: _Name
    instance_id: Annotated[PublicId | None, Domain("machines")] = None
    image_description: _Description = ""
    force_poweroff: Annotated[
        Literal["true", "false"], BeforeValidator(_small), Code("InvalidParameterValue"), Domain("image.turned_off")
    ] = "false"
    sysprep: Annotated[None, not_offered("false")] = None
    data_disk_ids: NotOffered = None
    snapshot_ids: Annotated[
        list[PublicId], Field(max_length=1), Code("InvalidParameter.DuplicateSystemSnapshots"), Domain("snapshots")
    ] = []
    dry_run: bool = False
    tag_specification: TagSpecifications = []
    image_family: _NoFamily = None


class ModifyImageAttribute(Shape):
    """Another name or description."""

    image_id: _Image
    image_name: _Name | None = None
    image_description: _Description | None = None
    image_family: _NoFamily = None
    image_deprecated: FalseOnly = None


class DeleteImages(Shape):
    """Images of the account's own, all or none."""

    image_ids: Annotated[list[PublicId], Field(max_length=100), Code("InvalidParameterValueLimit"), Domain("images")]
    delete_binded_snap: bool = False
    dry_run: bool = False


class ModifyImageSharePermission(Shape):
    """With whom an image is shared: SHARE with these accounts too, or CANCEL it with them."""

    image_id: _Image
    account_ids: Annotated[
        list[Annotated[str, Field(max_length=60)]],
        Field(max_length=500), Code("InvalidParameterValueLimit"), Domain("accounts"),
    ]  # fmt: skip
    permission: Annotated[Literal["SHARE", "CANCEL"], Code("InvalidParameterValue"), Domain("image.permission")]


class DescribeImageSharePermission(Shape):
    """Of an image of the account's own."""

    image_id: _Image


class DescribeImageQuota(Shape):
    """Nothing is asked."""


class CreateImageAnswer(TypedDict):
    """The new image, which is CREATING; a dry run tells none."""

    ImageId: NotRequired[str]


class SharePermissionAnswer(TypedDict):
    """An account with which it is shared, and since when."""

    CreatedTime: str
    AccountId: str


class DescribeImageSharePermissionAnswer(TypedDict):
    """In the order in which it was shared."""

    SharePermissionSet: list[SharePermissionAnswer]


class DescribeImageQuotaAnswer(TypedDict):
    """How many images of its own the account may have in a region."""

    ImageNumQuota: int


def create_image(call: Call, asked: CreateImage) -> CreateImageAnswer:
    """Accepted; ImageState tells when machines can be made of it. With DryRun it is only checked."""
    if (asked.instance_id is None) is (not asked.snapshot_ids):
        raise InvalidParameter(
            "One of InstanceId and SnapshotIds must be named.",
            field="machines", code="InvalidParameter.ImageIdsSnapshotIdsMustOne",
        )  # fmt: skip
    tags = tagging.of_kind(specified(asked.tag_specification), IMAGE)
    wanted = NewImage(asked.image_name, asked.image_description, asked.force_poweroff == "true", tags)
    if asked.instance_id is not None:
        made = create.of_machine(call.actor, asked.instance_id, wanted, dry_run=asked.dry_run)
    else:
        made = create.of_snapshot(call.actor, asked.snapshot_ids[0], wanted, dry_run=asked.dry_run)
    return {} if asked.dry_run else {"ImageId": made}


def modify_image_attribute(call: Call, asked: ModifyImageAttribute) -> Done:
    """Done at once."""
    attributes.modify(call.actor, asked.image_id, name=asked.image_name, description=asked.image_description)
    return {}


def delete_images(call: Call, asked: DeleteImages) -> Done:
    """From now on no machine is made of them; those that were made stay."""
    delete.delete(call.actor, asked.image_ids, with_snapshots=asked.delete_binded_snap, dry_run=bool(asked.dry_run))
    return {}


def modify_image_share_permission(call: Call, asked: ModifyImageSharePermission) -> Done:
    """Done at once; machines that were made of it stay."""
    change = share.share if asked.permission == "SHARE" else share.unshare
    change(call.actor, asked.image_id, asked.account_ids)
    return {}


def describe_image_share_permission(
    call: Call, asked: DescribeImageSharePermission
) -> DescribeImageSharePermissionAnswer:
    """With whom it is shared."""
    found = images.shares(call.account_id, asked.image_id)
    if found is None:
        raise UnknownImage("The image {id} does not exist.", field="images", id=asked.image_id)
    shared: list[SharePermissionAnswer] = [
        {"CreatedTime": utc_text(one.created_at), "AccountId": str(one.account)} for one in found
    ]
    return {"SharePermissionSet": shared}


def describe_image_quota(call: Call, _asked: DescribeImageQuota) -> DescribeImageQuotaAnswer:
    """The account's."""
    in_region(shop.snapshot(), call.region)
    return {"ImageNumQuota": quotas.images_most(call.account_id)}


_ONE = {Resource.IMAGE: "image_id"}
ACTIONS = (
    Action(
        "CreateImage", CreateImage, CreateImageAnswer, create_image, writes=True, buys=True,
        touches={Resource.MACHINE: "instance_id", Resource.SNAPSHOT: "snapshot_ids"},
    ),
    Action("ModifyImageAttribute", ModifyImageAttribute, Done, modify_image_attribute, writes=True, touches=_ONE),
    Action("DeleteImages", DeleteImages, Done, delete_images, writes=True, touches={Resource.IMAGE: "image_ids"}),
    Action(
        "ModifyImageSharePermission", ModifyImageSharePermission, Done, modify_image_share_permission, writes=True,
        touches=_ONE,
    ),
    Action(
        "DescribeImageSharePermission", DescribeImageSharePermission, DescribeImageSharePermissionAnswer,
        describe_image_share_permission, writes=False, touches=_ONE,
    ),
    Action("DescribeImageQuota", DescribeImageQuota, DescribeImageQuotaAnswer, describe_image_quota, writes=False),
)  # fmt: skip
