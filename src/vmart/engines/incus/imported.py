"""Systems of customers, brought to a server: an image of the server's for as long as ours is being made of it.

The system is a container's, in an archive that was written anew here (``foreign.rootfs``); what the server does with it
is said by our own metadata, as of the images that are built here. The server knows an image by a digest of both, so a
second upload after a lost answer finds the first.
"""

import contextlib
import hashlib
import io
from typing import BinaryIO

from vmart.engines.contract import EngineError, Foreign, OwnImage
from vmart.engines.foreign.kinds import ROOTFS
from vmart.engines.incus.build import metadata_tar, metadata_text
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.host import Names
from vmart.engines.incus.image import exists, multipart
from vmart.engines.incus.own_images import OwnImages

_LIMIT_S = 3600.0
_OF = "vmart.image"  # of a server's image: which of ours is being made of it
_DEPLOYMENT = "vmart.deployment"


class Imports:
    """Of one deployment on a server of this architecture."""

    def __init__(self, client: IncusClient, names: Names, own_images: OwnImages, architecture: str) -> None:
        self._client, self._names, self._own_images = client, names, own_images
        self._architecture = architecture

    def make(self, name: str, system: Foreign, user: str, member: str) -> OwnImage:
        """Ours of what was brought. Raises EngineError."""
        if system.kind != ROOTFS:
            raise EngineError("Machines in this zone are containers, and the system is a disk.", transient=False)
        fingerprint = self._uploaded(name, system.content)
        # Ours is not looked at again once it is whole: whoever is killed after that leaves nothing.
        return self._own_images.make_of_image(
            name, fingerprint, system.size_gib, user, member=member, at_last=lambda: self.forget(name)
        )

    def forget(self, name: str) -> None:
        """No image of the server's is left of an import, done or given up."""
        for found in self._client.get("/1.0/images", recursion=1):
            told = found.get("properties") or {}
            if (told.get(_OF), told.get(_DEPLOYMENT)) == (name, self._names.deployment):
                with contextlib.suppress(IncusError):
                    self._client.send("DELETE", path_of("images", found["fingerprint"]), limit_s=_LIMIT_S)

    def _uploaded(self, name: str, content: BinaryIO) -> str:
        told = {_OF: name, _DEPLOYMENT: self._names.deployment}
        metadata = metadata_tar(metadata_text(self._architecture, told, name))
        fingerprint = _fingerprint(metadata, content)
        content.seek(0)
        body, headers = multipart({"metadata": io.BytesIO(metadata), "rootfs": content})
        try:
            self._client.post_file("/1.0/images", body, headers, _LIMIT_S)
        except IncusError as error:
            if not exists(error):
                raise
        return fingerprint


def _fingerprint(metadata: bytes, content: BinaryIO) -> str:
    """The server's: SHA-256 over the metadata file and then the root file system."""
    digest = hashlib.sha256(metadata)
    content.seek(0)
    while piece := content.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()
