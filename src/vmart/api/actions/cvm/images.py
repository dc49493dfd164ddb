"""cvm: DescribeImages."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import conditions, not_both
from vmart.api.declarations import Code, Empty, Filter, Limit, Offset, Shape
from vmart.api.registry import Action, Call
from vmart.api.words import utc_text
from vmart.catalog import shop
from vmart.catalog.models import Image
from vmart.pricing.errors import UnknownInstanceType


class DescribeImages(Shape):
    """Images on sale. Filters: image-id, image-type, image-name, platform (the last two by part of the text)."""

    image_ids: Annotated[list[str], Field(max_length=100), Code("InvalidParameterValueLimit")] = []
    filters: Annotated[list[Filter], Field(max_length=10), Code("InvalidFilterValue.LimitExceeded")] = []
    offset: Offset = 0
    limit: Limit = 20
    instance_type: Annotated[str, Field(max_length=40)] = ""


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
    SnapshotSet: Empty
    Tags: Empty
    LicenseType: str
    ImageFamily: str
    ImageDeprecated: bool


class DescribeImagesAnswer(TypedDict):
    """A page of them, and how many there are."""

    ImageSet: list[ImageAnswer]
    TotalCount: int


def describe_images(call: Call, asked: DescribeImages) -> DescribeImagesAnswer:
    """Images that can be bought, all of them public; those that are only announced are for the page.

    ``InstanceType`` asks for those that suit a type. Here each suits every type; one that there is not is refused.
    """
    not_both(asked.image_ids, asked.filters, "ImageIds")
    here = shop.current()
    if asked.instance_type and asked.instance_type not in here.instance_types:
        raise UnknownInstanceType(
            "The instance type {instance_type} does not exist.",
            field="instance_type",
            instance_type=asked.instance_type,
        )
    in_region(here, call.region)
    chosen = conditions(asked.filters, ("image-id", "image-type", "image-name", "platform"), 5)
    if asked.image_ids:
        chosen["image-id"] = asked.image_ids
    images = [image for image in here.images.values() if not image.unavailable_en and _image_matches(image, chosen)]
    page = images[asked.offset : asked.offset + asked.limit]
    return {"TotalCount": len(images), "ImageSet": [_image(image) for image in page]}


def _image_matches(image: Image, chosen: dict[str, list[str]]) -> bool:
    return (
        image.public_id in chosen.get("image-id", [image.public_id])
        and "PUBLIC_IMAGE" in chosen.get("image-type", ["PUBLIC_IMAGE"])
        and any(part.lower() in image.os_name.lower() for part in chosen.get("image-name", [""]))
        and any(part.lower() in image.platform.lower() for part in chosen.get("platform", [""]))
    )


def _image(image: Image) -> ImageAnswer:
    return {
        "ImageId": image.public_id,
        "OsName": image.os_name,
        "ImageType": "PUBLIC_IMAGE",
        "CreatedTime": utc_text(image.created_at),
        "ImageName": image.os_name,
        "ImageDescription": image.os_name,
        "ImageSize": image.size_gib,
        "Architecture": image.architecture,
        "ImageState": "NORMAL",
        "Platform": image.platform,
        "ImageCreator": "",
        "ImageSource": "OFFICIAL",
        "SyncPercent": None,
        "IsSupportCloudinit": True,
        "SnapshotSet": [],
        "Tags": [],
        "LicenseType": "BYOL",
        "ImageFamily": image.recipe,
        "ImageDeprecated": False,
    }


ACTIONS = (Action("DescribeImages", DescribeImages, DescribeImagesAnswer, describe_images, writes=False),)
