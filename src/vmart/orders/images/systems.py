"""Which systems may be imported: those of the shop's public images, sold or only announced. What is known of one (its
login user, its platform) is what the public image says.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmart.catalog import shop
from vmart.catalog.models import Image
from vmart.kernel.errors import InvalidValue
from vmart.orders.errors import UnknownSystem

_VERSION = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class System:
    """A platform, with its versions and architectures."""

    platform: str
    versions: Sequence[str]
    architectures: Sequence[str]


def images() -> list[Image]:
    """Public images whose system may be imported: machines here are Linux."""
    return [image for image in shop.snapshot().images.values() if image.platform != "Windows"]


def known() -> list[System]:
    """In the catalog's order."""
    by_platform: dict[str, list[Image]] = {}
    for image in images():
        by_platform.setdefault(image.platform, []).append(image)
    return [
        System(platform, _each(version_of(image) for image in there), _each(image.architecture for image in there))
        for platform, there in by_platform.items()
    ]


def base_of(platform: str, version: str, architecture: str) -> str:
    """Public id of the public image of this system. Raises UnknownSystem, InvalidValue."""
    of_platform = [one for one in images() if one.platform.lower() == platform.lower()]
    if not of_platform:
        raise UnknownSystem(
            "No system {platform} is known; there are {known}.",
            field="image.platform", code="InvalidImageOsType.Unsupported", platform=platform[:40],
            known=", ".join(system.platform for system in known()),
        )  # fmt: skip
    there = [one for one in of_platform if version_of(one) == version]
    if not there:
        raise UnknownSystem(
            "No {platform} {version} is known; there are {known}.",
            field="image.version", platform=of_platform[0].platform, version=version[:40],
            known=", ".join(_each(version_of(one) for one in of_platform)),
        )  # fmt: skip
    found = next((one for one in there if one.architecture == architecture), None)
    if found is None:
        raise InvalidValue(
            "Of {system} there is {known}.",
            field="image.architecture", system=there[0].os_name,
            known=", ".join(_each(one.architecture for one in there)),
        )  # fmt: skip
    return found.public_id


def version_of(image: Image) -> str:
    """``24.04`` of ``Ubuntu Server 24.04 LTS 64-bit``; the whole name where it has no number."""
    found = _VERSION.search(image.os_name)
    return found[0] if found else image.os_name


def _each(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
