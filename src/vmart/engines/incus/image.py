"""Images on a server: imported from the builder's folder, or pulled by the server itself.

An image is ready when its alias stands and its root file system lies unpacked in the pool, so that the
first machine is as fast as the next.
"""

import contextlib
import hashlib
import re
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmart.engines.contract import EngineError, ImageSpec, ImageState, ImageStatus
from vmart.engines.incus.build import RECIPES, image_folder, is_built, read_progress, recipe_hash
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.network import MARK

_IMPORT_LIMIT_S = 300.0
_BUILT_SHARE = 90  # percent of the way when the builder is through; the rest is the import


class Images:
    """``cache_dir`` is the builder's, None where nobody builds; ``sources`` maps a name to what the seller's server
    has or can pull: ``{"debian-12": {"alias": "mine"}}``, or ``{"server": url, "alias": "debian/12/cloud"}``.
    """

    def __init__(
        self,
        client: IncusClient,
        *,
        pool: str,
        deployment: str,
        cache_dir: Path | None,
        sources: Mapping[str, Any],
        kind: str,
    ) -> None:
        self._client = client
        self._pool = pool
        self._deployment = deployment
        self._cache_dir = cache_dir
        self._sources = sources
        self._kind = kind
        self._lock = threading.Lock()
        self._imports: dict[str, threading.Thread] = {}
        self._failures: dict[str, ImageState] = {}
        self._pulls: dict[str, str] = {}
        self._ready: set[str] = set()

    def is_own(self, name: str) -> bool:
        """Whether the image is made by our builder, with what our ``rootfs`` puts into it."""
        return not self._sources.get(name)

    def alias(self, name: str) -> str:
        source = self._sources.get(name) or {}
        if source and not source.get("server"):
            return str(source["alias"])
        if source:
            return f"vmart-{name}-{self._kind}"
        if name in RECIPES:
            return f"vmart-{name}-{recipe_hash(name)}"
        raise EngineError("This zone cannot make the image.", transient=False, detail=name)

    def source(self, name: str) -> dict[str, str]:
        """The ``source`` of a new instance."""
        return {"type": "image", "alias": self.alias(name)}

    def ensure(self, image: ImageSpec) -> ImageState:
        """Start or go on; returns at once."""
        try:
            alias = self.alias(image.name)
        except EngineError as error:
            return ImageState(ImageStatus.FAILED, why=error.sentence)
        found = self._client.find(path_of("images", "aliases", alias))
        if found is not None and (alias in self._ready or self._is_imported(found["target"])):
            self._ready.add(alias)
            return ImageState(ImageStatus.READY, 100, checksum=found["target"])
        source = self._sources.get(image.name)
        if source and source.get("server"):
            return self._pull(image.name, alias, source)
        if source:
            return ImageState(
                ImageStatus.FAILED,
                why="The engine has no image of the alias that the zone's settings name.",
                detail=alias,
            )
        if self._cache_dir is None:
            return ImageState(ImageStatus.FAILED, why="The zone's settings name no image, and none is built here.")
        return self._from_builder(image.name, alias, self._cache_dir)

    def _is_imported(self, fingerprint: str) -> bool:
        return self._client.find(path_of("images", fingerprint)) is not None

    def _from_builder(self, name: str, alias: str, cache_dir: Path) -> ImageState:
        progress = read_progress(name, cache_dir)
        if progress is None:
            return ImageState(ImageStatus.MISSING, why="The image has not been built yet.")
        if progress.status == "failed":
            return ImageState(ImageStatus.FAILED, why=progress.why, detail=progress.detail)
        if not is_built(name, cache_dir):
            return ImageState(ImageStatus.PREPARING, progress.percent * _BUILT_SHARE // 100)
        if alias in self._failures:
            return self._failures.pop(alias)
        with self._lock:
            running = self._imports.get(alias)
            if running is None or not running.is_alive():
                folder = image_folder(name, cache_dir)
                thread = threading.Thread(target=self._import, args=(folder, alias), daemon=True, name=f"import {name}")
                self._imports[alias] = thread
                thread.start()
        return ImageState(ImageStatus.PREPARING, _BUILT_SHARE + 5)

    def _import(self, folder: Path, alias: str) -> None:
        try:
            fingerprint = _fingerprint(folder)
            if self._client.find(path_of("images", fingerprint)) is None:
                self._upload(folder)
            self._unpack(fingerprint)
            self._name(alias, fingerprint)
        except (EngineError, OSError) as error:
            self._failures[alias] = ImageState(
                ImageStatus.FAILED, why="The image could not be brought to the engine.", detail=str(error)
            )

    def _upload(self, folder: Path) -> None:
        with (folder / "metadata.tar.xz").open("rb") as metadata, (folder / "rootfs.squashfs").open("rb") as rootfs:
            body, headers = multipart({"metadata": metadata, "rootfs": rootfs})
            try:
                self._client.post_file("/1.0/images", body, headers, _IMPORT_LIMIT_S)
            except IncusError as error:
                if not exists(error):
                    raise

    def _unpack(self, fingerprint: str) -> None:
        """A machine made and removed leaves the image unpacked in the pool: the first customer does not wait."""
        name = f"vmart-unpack-{uuid.uuid4().hex[:8]}"
        body = {
            "name": name,
            "type": "container",
            "profiles": [],
            "source": {"type": "image", "fingerprint": fingerprint},
            "config": {MARK: self._deployment, "user.vmart.role": "unpack"},
            "devices": {"root": {"type": "disk", "path": "/", "pool": self._pool}},
        }
        with contextlib.suppress(EngineError):
            self._client.send("POST", "/1.0/instances", body, limit_s=_IMPORT_LIMIT_S)
        with contextlib.suppress(EngineError):
            self._client.send("DELETE", path_of("instances", name))

    def _name(self, alias: str, fingerprint: str) -> None:
        body = {"name": alias, "target": fingerprint, "description": "vmart"}
        try:
            self._client.send("POST", "/1.0/images/aliases", body)
        except IncusError as error:
            if not error.exists:
                raise
            self._client.send(
                "PUT", path_of("images", "aliases", alias), {"target": fingerprint, "description": "vmart"}
            )

    def _pull(self, name: str, alias: str, source: Mapping[str, Any]) -> ImageState:
        """The server fetches the image itself; its operation says how far it is."""
        with self._lock:
            operation = self._pulls.get(name, "")
            if not operation:
                body = {
                    "source": {
                        "type": "image",
                        "mode": "pull",
                        "server": source["server"],
                        "protocol": source.get("protocol", "simplestreams"),
                        "alias": source["alias"],
                        "image_type": self._kind,
                    },
                    "aliases": [{"name": alias, "description": "vmart"}],
                    "auto_update": False,
                }
                operation = self._pulls[name] = self._client.begin("POST", "/1.0/images", body)
        state = self._client.find(operation)
        if state is None or state["status_code"] >= 400:
            self._pulls.pop(name, None)
            said = str((state or {}).get("err") or "its operation is gone")
            return ImageState(ImageStatus.FAILED, why="The engine could not download the image.", detail=said)
        share = re.search(r"(\d+)%", str((state.get("metadata") or {}).get("download_progress", "")))
        return ImageState(ImageStatus.PREPARING, int(share[1]) if share else 1)


def exists(error: IncusError) -> bool:
    """Whether an upload was refused because the same image is there."""
    return error.exists or "same fingerprint" in error.text


def _fingerprint(folder: Path) -> str:
    """Incus's: SHA-256 over the metadata file and then the root file system."""
    digest = hashlib.sha256()
    for file in ("metadata.tar.xz", "rootfs.squashfs"):
        with (folder / file).open("rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def multipart(files: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """A streamed multipart body of a few large files, and its headers."""
    boundary = uuid.uuid4().hex

    def body() -> Any:
        for name, file in files.items():
            yield (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
            ).encode()
            while piece := file.read(1 << 20):
                yield piece
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    return body(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}
