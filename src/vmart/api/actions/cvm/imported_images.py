"""cvm: images that are made of systems of an account's own, fetched from where it says."""

from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region, region_of
from vmart.api.actions.tagged import TagSpecifications, specified
from vmart.api.declarations import Code, Domain, Empty, FalseOnly, NotOffered, Shape, not_offered
from vmart.api.registry import Action, Call
from vmart.catalog import shop
from vmart.orders import tagging
from vmart.orders.images import import_image, systems
from vmart.orders.images.import_image import NewImport
from vmart.tags.things import IMAGE


class ImportImage(Shape):
    """Of a file that ImageUrl gives to everybody: an archive of a system, or a qcow2 disk. Behind its ``#`` it may say
    ``sha256=<64 digits>`` and ``zone=<zone>``, joined by ``&``."""

    architecture: Annotated[
        Literal["x86_64", "i386", "arm_64"], Code("InvalidParameterValue"), Domain("image.architecture")
    ]
    os_type: Annotated[str, Field(max_length=60), Domain("image.platform")]
    os_version: Annotated[str, Field(max_length=60), Domain("image.version")]
    image_url: Annotated[
        str, Field(max_length=3000), Code("InvalidParameter.InvalidParameterUrlError"),
        Domain("image.url", "image.sha256", "image.zone"),
    ]  # fmt: skip
    # The act checks lengths and what is in them.
    image_name: Annotated[str, Field(max_length=1000), Code("InvalidParameterValue"), Domain("image.name")]
    image_description: Annotated[
        str, Field(max_length=4000), Code("InvalidParameterValue"), Domain("image.description")
    ] = ""
    dry_run: bool = False
    force: FalseOnly = None
    tag_specification: TagSpecifications = []
    license_type: Annotated[None, not_offered("tencentcloud", "byol")] = None
    boot_mode: Annotated[None, not_offered("legacy bios")] = None
    image_family: NotOffered = None
    import_image_data_disk_list: NotOffered = None


class DescribeImportImageOs(Shape):
    """Nothing is asked."""


class ImportImageAnswer(TypedDict):
    """The new image, which is IMPORTING; a dry run tells none."""

    ImageId: NotRequired[str]


class ImageOsListAnswer(TypedDict):
    """Types of systems."""

    Windows: Empty
    Linux: list[str]


class OsVersionAnswer(TypedDict):
    """A type of systems, with its versions."""

    OsName: str
    OsVersions: list[str]
    Architecture: list[str]


class DescribeImportImageOsAnswer(TypedDict):
    """What OsType, OsVersion and Architecture of ImportImage may say."""

    ImportImageOsListSupported: ImageOsListAnswer
    ImportImageOsVersionSet: list[OsVersionAnswer]


def import_image_(call: Call, asked: ImportImage) -> ImportImageAnswer:
    """Accepted; ImageState tells when machines can be made of it. With DryRun it is only checked."""
    wanted = NewImport(
        name=asked.image_name, url=asked.image_url, description=asked.image_description, region=region_of(call),
        base=systems.base_of(asked.os_type, asked.os_version, _WRITTEN.get(asked.architecture, asked.architecture)),
        tags=tagging.of_kind(specified(asked.tag_specification), IMAGE),
    )  # fmt: skip
    made = import_image.accept(call.actor, wanted, dry_run=asked.dry_run)
    return {} if asked.dry_run else {"ImageId": made}


_WRITTEN = {"arm_64": "arm"}  # as images are told


def describe_import_image_os(call: Call, _asked: DescribeImportImageOs) -> DescribeImportImageOsAnswer:
    """Those of the shop's public images."""
    in_region(shop.current(), call.region)
    there = systems.known()
    return {
        "ImportImageOsListSupported": {"Windows": [], "Linux": [system.platform for system in there]},
        "ImportImageOsVersionSet": [
            {
                "OsName": system.platform,
                "OsVersions": list(system.versions),
                "Architecture": list(system.architectures),
            }
            for system in there
        ],
    }


ACTIONS = (
    Action("ImportImage", ImportImage, ImportImageAnswer, import_image_, writes=True, buys=True),
    Action(
        "DescribeImportImageOs", DescribeImportImageOs, DescribeImportImageOsAnswer, describe_import_image_os,
        writes=False,
    ),
)  # fmt: skip
