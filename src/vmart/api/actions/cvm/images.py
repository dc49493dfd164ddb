"""cvm: images: public ones, an account's own, and those shared with it."""

from typing import Annotated, Any, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import TAG_FILTERS, conditions, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, told
from vmart.api.declarations import Code, Filter, Limit, Offset, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.api.words import utc_text
from vmart.catalog import shop
from vmart.catalog.models import Image
from vmart.listings import images
from vmart.listings.images import PUBLIC, ImageView, WantedImages
from vmart.pricing.errors import UnknownInstanceType


class DescribeImages(Shape):
    """Images of which machines can be made, and those that are on their way. Filters: image-id, image-type,
    image-name, platform (the last two by part of the text), and those by tags."""

    image_ids: Annotated[list[str], Field(max_length=100), Code("InvalidParameterValueLimit")] = []
    filters: Annotated[list[Filter], Field(max_length=10), Code("InvalidFilterValue.LimitExceeded")] = []
    offset: Offset = 0
    limit: Limit = 20
    instance_type: Annotated[str, Field(max_length=40)] = ""


class ImageSnapshotAnswer(TypedDict):
    """The snapshot on which an own image stands."""

    SnapshotId: str
    DiskUsage: str
    DiskSize: int


class ImageAnswer(TypedDict):
    """One image."""

    ImageId: str
    OsName: str
    ImageType: str
    CreatedTime: str
    ImageName: str
    ImageDescription: str
    ImageSize: int
    Architecture: str
    ImageState: str
    Platform: str
    ImageCreator: str
    ImageSource: str
    SyncPercent: int | None
    IsSupportCloudinit: bool
    SnapshotSet: list[ImageSnapshotAnswer]
    Tags: list[TagAnswer]
    LicenseType: str
    ImageFamily: str
    ImageDeprecated: bool


class DescribeImagesAnswer(TypedDict):
    """A page of them, and how many there are."""

    ImageSet: list[ImageAnswer]
    TotalCount: int


# Filters -> the member of listings.images.WantedImages that they fill.
_FILTERS = {"image-id": "public_ids", "image-type": "kinds", "image-name": "words", "platform": "systems"}


def describe_images(call: Call, asked: DescribeImages) -> DescribeImagesAnswer:
    """Public images, then the account's own and those shared with it in the region of the call, newest first.

    Public images that are only announced are for the page. ``InstanceType`` asks for those that suit a type. Here each
    suits every type; one that there is not is refused.
    """
    not_both(asked.image_ids, asked.filters, "ImageIds")
    here = shop.current()
    if asked.instance_type and asked.instance_type not in here.instance_types:
        raise UnknownInstanceType(
            "The instance type {instance_type} does not exist.",
            field="instance_type",
            instance_type=asked.instance_type,
        )
    region = in_region(here, call.region)
    chosen = conditions(asked.filters, (*_FILTERS, *TAG_FILTERS), 5)
    met: dict[str, Any] = {"public_ids": asked.image_ids or None, "region": region.code if region else None}
    met["tags"] = tagged(chosen)
    wanted = WantedImages(**met | {_FILTERS[name]: values for name, values in chosen.items()})
    total, found = images.page(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {"TotalCount": total, "ImageSet": [_image(view, here.images[view.base]) for view in found]}


def _image(view: ImageView, base: Image) -> ImageAnswer:
    is_public = view.kind == PUBLIC
    return {
        "ImageId": view.public_id,
        "OsName": base.os_name,
        "ImageType": view.kind,
        "CreatedTime": utc_text(view.created_at),
        "ImageName": view.name,
        "ImageDescription": view.description,
        "ImageSize": view.size_gib,
        "Architecture": base.architecture,
        "ImageState": view.state,
        "Platform": base.platform,
        "ImageCreator": "" if is_public else str(view.owner),
        "ImageSource": "OFFICIAL" if is_public else "EXTERNAL_IMPORT" if view.imported else "CREATE_IMAGE",
        "SyncPercent": view.percent if view.imported else None,
        "IsSupportCloudinit": True,
        "SnapshotSet": _snapshots(view),
        "Tags": told(view.tags),
        "LicenseType": "BYOL",
        "ImageFamily": base.recipe if is_public else "",
        "ImageDeprecated": False,
    }


def _snapshots(view: ImageView) -> list[ImageSnapshotAnswer]:
    if not view.snapshot:
        return []
    return [{"SnapshotId": view.snapshot, "DiskUsage": "SYSTEM_DISK", "DiskSize": view.size_gib}]


ACTIONS = (
    Action(
        "DescribeImages", DescribeImages, DescribeImagesAnswer, describe_images, writes=False,
        touches={Resource.IMAGE: "image_ids"},
    ),
)  # fmt: skip
