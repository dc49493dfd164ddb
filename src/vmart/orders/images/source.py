"""Where an image is imported from: a web address, and behind its ``#`` what else an importer says of the file.

The API has no member for a checksum or a zone, so both may stand there: ``…/a.tar.xz#sha256=<64 digits>&zone=<code>``.
What is behind a ``#`` is never sent to the host.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from vmart.engines.foreign.kinds import QCOW2, ROOTFS
from vmart.kernel import outward
from vmart.kernel.errors import InvalidValue
from vmart.kernel.outward import FetchError, Reach
from vmart.orders.errors import BadImportUrl

_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")
# What a file's name says of it, where it says anything; what it holds is looked at when it comes.
_NAMED = {
    ".qcow2": QCOW2, ".tar": ROOTFS, ".tar.gz": ROOTFS, ".tgz": ROOTFS, ".tar.xz": ROOTFS, ".txz": ROOTFS,
    ".tar.bz2": ROOTFS, ".squashfs": ROOTFS,
}  # fmt: skip
_OTHER_DISKS = (".raw", ".vhd", ".vhdx", ".vmdk", ".vdi", ".iso")


@dataclass(frozen=True, slots=True)
class Source:
    """``sha256``, ``zone`` and ``kind`` (as the file's name says) are "" where nothing says them."""

    url: str
    sha256: str
    zone: str
    kind: str

    @property
    def host(self) -> str:
        """From which it comes."""
        return urlsplit(self.url).hostname or ""


def reach() -> Reach:
    """What the seller lets customers' imports reach."""
    return Reach(settings.IMPORT_NETWORKS, settings.IMPORT_PLAIN)


def parse(text: str, sha256: str = "") -> Source:
    """Raises BadImportUrl, InvalidValue."""
    url, _, behind = text.strip().partition("#")
    told = _told(behind)
    try:
        outward.checked_url(url, reach())
    except FetchError as error:
        raise BadImportUrl(error.sentence, field="image.url") from error
    return Source(url, _sha256(sha256.strip(), told.get("sha256", "")), told.get("zone", ""), _kind(url))


def _told(behind: str) -> dict[str, str]:
    try:
        told = dict(parse_qsl(behind, strict_parsing=bool(behind), max_num_fields=8))
    except ValueError:
        told = {"": ""}
    if told.keys() - {"sha256", "zone"}:
        raise BadImportUrl(
            "Behind # the address may say sha256=… and zone=…, joined by &, and nothing else.", field="image.url"
        )
    return told


def _sha256(said: str, told: str) -> str:
    for one in (said, told):
        if one and not _SHA256.match(one):
            raise InvalidValue("The SHA-256 of the file has 64 digits of 0-9 and a-f.", field="image.sha256")
    if said and told and said.lower() != told.lower():
        raise InvalidValue("The address says another SHA-256 behind its #.", field="image.sha256")
    return (said or told).lower()


def _kind(url: str) -> str:
    path = urlsplit(url).path.lower()
    if path.endswith(_OTHER_DISKS):
        raise BadImportUrl(
            "Of disks only qcow2 is imported: convert it with `qemu-img convert -O qcow2`.", field="image.url"
        )
    return next((kind for suffix, kind in _NAMED.items() if path.endswith(suffix)), "")
